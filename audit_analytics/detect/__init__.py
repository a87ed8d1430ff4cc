"""Detect: baselines, surprises, calibration, isolation forest and rules.

In come hourly counts; out come hits (one observation each) and cases (how unusual an entity's
week was). Nothing here reads an event, knows last week's report or speaks to a person.
"""

from audit_analytics.detect.detector import Detector, Thresholds, choose_thresholds
from audit_analytics.detect.detectors import (
    find_detector,
    list_detectors,
    list_known,
    load_detector,
    run_rules,
    use_detectors,
)
from audit_analytics.detect.engine import Detection, detect_week, limit_days
from audit_analytics.detect.grid import Grid, build_grid
from audit_analytics.detect.hits import explain_case, find_hits, list_parts
from audit_analytics.detect.layout import lay_out
from audit_analytics.detect.limit import Limits, limit_hits, list_told
from audit_analytics.detect.metric import Metric, add_metrics
from audit_analytics.detect.panel import Panel, build_panel
from audit_analytics.detect.reasons import choose_reasons
from audit_analytics.detect.rule_input import RuleInput
from audit_analytics.detect.rules import Rule, rule
from audit_analytics.detect.series import expect_app, expect_week
from audit_analytics.detect.stuffing import StuffingThresholds, set_aside_stuffing
from audit_analytics.detect.working_days import infer_days_off

__all__ = [
    "Detection",
    "Detector",
    "Grid",
    "Limits",
    "Metric",
    "Panel",
    "Rule",
    "RuleInput",
    "StuffingThresholds",
    "Thresholds",
    "add_metrics",
    "build_grid",
    "build_panel",
    "choose_reasons",
    "choose_thresholds",
    "detect_week",
    "expect_app",
    "expect_week",
    "explain_case",
    "find_detector",
    "find_hits",
    "infer_days_off",
    "lay_out",
    "limit_days",
    "limit_hits",
    "list_detectors",
    "list_known",
    "list_parts",
    "list_told",
    "load_detector",
    "rule",
    "run_rules",
    "set_aside_stuffing",
    "use_detectors",
]


def __dir__() -> list[str]:
    return __all__
