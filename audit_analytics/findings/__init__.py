"""Findings: hits merged per entity and week, explained, ranked, with their evidence and their past."""

from audit_analytics.findings.evidence import FrameEvidence
from audit_analytics.findings.explain import explain_hit
from audit_analytics.findings.finding import Finding, merge_findings
from audit_analytics.findings.partition import split_hits
from audit_analytics.findings.review import FollowUp, Review, read_review
from audit_analytics.findings.scope import leave_out_calls

__all__ = [
    "Finding",
    "FollowUp",
    "FrameEvidence",
    "Review",
    "explain_hit",
    "leave_out_calls",
    "merge_findings",
    "read_review",
    "split_hits",
]
