"""Findings: hits merged per entity and week, explained, ranked, with their evidence."""

from audit_analytics.findings.evidence import FrameEvidence
from audit_analytics.findings.explain import explain_hit
from audit_analytics.findings.finding import Finding, merge_findings

__all__ = ["Finding", "FrameEvidence", "explain_hit", "merge_findings"]
