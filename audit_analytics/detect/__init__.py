"""Detect: baselines, surprises, calibration, isolation forest and rules.

In come hourly counts; out come hits (one observation each) and cases (how unusual an entity's
week was). Nothing here reads an event, knows last week's report or speaks to a person. Each
definition stands once, with its source, in the docstring of what computes it.
"""

from audit_analytics.detect._attack import ATTACK_VERSION, TACTICS, TECHNIQUES
from audit_analytics.detect._detector import (
    LATE,
    RARE_SURPRISE,
    SURPRISE,
    Detector,
    Thresholds,
    choose_thresholds,
)
from audit_analytics.detect._detectors import (
    find_detector,
    list_detectors,
    list_known,
    load_detector,
    run_rules,
    use_detectors,
)
from audit_analytics.detect._engine import Detection, detect_week, limit_days
from audit_analytics.detect._grid import MIN_HISTORY_DAYS, find_whole_days
from audit_analytics.detect._group import BirthGroup
from audit_analytics.detect._guidance import say_steps
from audit_analytics.detect._hits import explain_case, find_hits, list_parts
from audit_analytics.detect._layout import lay_out
from audit_analytics.detect._limit import Limits, limit_hits, list_told
from audit_analytics.detect._metric import Metric
from audit_analytics.detect._reasons import EQUALS, Reasons, choose_reasons
from audit_analytics.detect._rule_input import RuleInput
from audit_analytics.detect._series import expect_app, expect_week
from audit_analytics.detect._stuffing import StuffingThresholds
from audit_analytics.detect._tables import cut, sort_words
from audit_analytics.detect._voters import OutlierDetector
from audit_analytics.detect._working_days import infer_days_off
from audit_analytics.detect.rules import Rule, rule

__all__ = [
    "ATTACK_VERSION",
    "EQUALS",
    "LATE",
    "MIN_HISTORY_DAYS",
    "RARE_SURPRISE",
    "SURPRISE",
    "TACTICS",
    "TECHNIQUES",
    "BirthGroup",
    "Detection",
    "Detector",
    "Limits",
    "Metric",
    "OutlierDetector",
    "Reasons",
    "Rule",
    "RuleInput",
    "StuffingThresholds",
    "Thresholds",
    "choose_reasons",
    "choose_thresholds",
    "cut",
    "detect_week",
    "expect_app",
    "expect_week",
    "explain_case",
    "find_detector",
    "find_hits",
    "find_whole_days",
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
    "say_steps",
    "sort_words",
    "use_detectors",
]


def __dir__() -> list[str]:
    return __all__
