"""Report: one dict, many files: HTML, Markdown, JSON, two of CSV, and OCSF where it is installed.

In comes what one week's judgement found, out goes the dict and what is written from it. Every
output escapes for its own format (:mod:`audit_analytics.report._escape`); nothing is judged, and no
output says what the dict does not hold.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit_analytics.report._build import build_report as build_report
    from audit_analytics.report._coverage import list_unknown_apis as list_unknown_apis
    from audit_analytics.report._decision import decide_finding as decide_finding
    from audit_analytics.report._decision import suppress_finding as suppress_finding
    from audit_analytics.report._decision import today_in as today_in
    from audit_analytics.report._escape import csv_cell as csv_cell
    from audit_analytics.report._escape import inert as inert
    from audit_analytics.report._escape import json_text as json_text
    from audit_analytics.report._escape import measure as measure
    from audit_analytics.report._escape import pad as pad
    from audit_analytics.report._escape import terminal as terminal
    from audit_analytics.report._finding import Finding as Finding
    from audit_analytics.report._html import render_html as render_html
    from audit_analytics.report._html import write_overview as write_overview
    from audit_analytics.report._inputs import ReportInput as ReportInput
    from audit_analytics.report._listing import list_findings as list_findings
    from audit_analytics.report._listing import tell_replay as tell_replay
    from audit_analytics.report._listing import tell_watched as tell_watched
    from audit_analytics.report._names import count_severities as count_severities
    from audit_analytics.report._names import say_code as say_code
    from audit_analytics.report._names import speak_as as speak_as
    from audit_analytics.report._ocsf import check_ocsf as check_ocsf
    from audit_analytics.report._result import Report as Report
    from audit_analytics.report._tables import write_table as write_table
    from audit_analytics.report._telling import tell_finding as tell_finding
    from audit_analytics.report._telling import tell_story as tell_story
    from audit_analytics.report._wording import MAX_REJECTS_SHARE as MAX_REJECTS_SHARE
    from audit_analytics.report._wording import SHAPES as SHAPES

# what other rooms use; pages and frames are loaded by those alone who want them
_HOMES = {
    "build": ("build_report",),
    "coverage": ("list_unknown_apis",),
    "decision": ("decide_finding", "suppress_finding", "today_in"),
    "escape": ("csv_cell", "inert", "json_text", "measure", "pad", "terminal"),
    "finding": ("Finding",),
    "html": ("render_html", "write_overview"),
    "inputs": ("ReportInput",),
    "listing": ("list_findings", "tell_replay", "tell_watched"),
    "names": ("count_severities", "say_code", "speak_as"),
    "ocsf": ("check_ocsf",),
    "result": ("Report",),
    "tables": ("write_table",),
    "telling": ("tell_finding", "tell_story"),
    "wording": ("MAX_REJECTS_SHARE", "SHAPES"),
}

__all__ = sorted(name for names in _HOMES.values() for name in names)  # noqa: PLE0605


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}._{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
