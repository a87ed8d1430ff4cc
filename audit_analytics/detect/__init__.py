"""Detect: baselines, surprises, calibration, isolation forest and rules.

In come hourly counts; out come hits (one observation each) and cases (how unusual an entity's
week was). Nothing here reads an event, knows last week's report or speaks to a person.
"""

from audit_analytics.detect.engine import Detection, detect_week, limit_days
from audit_analytics.detect.grid import Grid, build_grid
from audit_analytics.detect.hits import find_hits
from audit_analytics.detect.panel import Panel, build_panel
from audit_analytics.detect.rules import RuleInput, run_rules
from audit_analytics.detect.series import expect_week
from audit_analytics.detect.stuffing import set_aside_stuffing

__all__ = [
    "Detection",
    "Grid",
    "Panel",
    "RuleInput",
    "build_grid",
    "build_panel",
    "detect_week",
    "expect_week",
    "find_hits",
    "limit_days",
    "run_rules",
    "set_aside_stuffing",
]
