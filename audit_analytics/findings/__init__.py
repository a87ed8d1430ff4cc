"""Findings: hits merged per entity and week, explained, ranked, with evidence and their past.

In come hits and cases from ``detect``, the rows behind them, and what ``review`` knows of earlier
weeks; out go :class:`Finding` objects. Nothing is detected here, and nothing is laid out: a
finding is the same in every output.
"""

from audit_analytics.findings._evidence import FrameEvidence, show_event
from audit_analytics.findings._explain import explain_hit
from audit_analytics.findings._finding import Finding, merge_findings
from audit_analytics.findings._follow_up import FollowUp, follow_up
from audit_analytics.findings._links import find_links
from audit_analytics.findings._stories import Story, build_stories
from audit_analytics.findings._watch import build_watch
from audit_analytics.findings._whence import Whence

__all__ = [
    "Finding",
    "FollowUp",
    "FrameEvidence",
    "Story",
    "Whence",
    "build_stories",
    "build_watch",
    "explain_hit",
    "find_links",
    "follow_up",
    "merge_findings",
    "show_event",
]


def __dir__() -> list[str]:
    return __all__
