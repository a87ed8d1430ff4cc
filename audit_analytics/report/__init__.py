"""Report: one dict, many files: HTML, Markdown, JSON, two of CSV, and OCSF where it is installed.

In comes what one week's judgement found, out goes the dict and what is written from it. Every
output escapes for its own format (:mod:`audit_analytics.report._escape`); nothing is judged, and no
output says what the dict does not hold.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from audit_analytics.files import write_together

if TYPE_CHECKING:
    from pathlib import Path

    from audit_analytics.report._build import build_report as build_report
    from audit_analytics.report._coverage import list_unknown_apis as list_unknown_apis
    from audit_analytics.report._decision import Decision as Decision
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
    "decision": ("Decision", "decide_finding", "suppress_finding", "today_in"),
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

__all__ = sorted(["write_report", *(name for names in _HOMES.values() for name in names)])  # noqa: PLE0605


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}._{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def write_report(
    report: dict[str, Any], out_dir: Path, *, ocsf: bool | None = None
) -> dict[str, Path]:
    """Write the report in every format; the same report gives the same bytes.

    Each file is written beside its name and moved into place once all are ready, so that a reader
    never sees half a file, and a failure leaves the old report whole. They tell who called what
    from where, so only their owner may read them.

    Parameters
    ----------
    report : dict
        The report.
    out_dir : pathlib.Path
        Folder for the files; made if it does not exist.
    ocsf : bool, optional
        Whether findings.ocsf.jsonl is written too; if its extra is installed, unless given. An
        older one that is not written anew is removed: it would tell of another run.

    Returns
    -------
    dict of str to pathlib.Path
        Path of each file by its name.

    Raises
    ------
    OSError
        The folder or a file cannot be written.
    ConfigError
        `ocsf` is asked for, and its extra is not installed.
    """
    from audit_analytics.report._html import render_html  # noqa: PLC0415
    from audit_analytics.report._markdown import render_markdown  # noqa: PLC0415
    from audit_analytics.report._ocsf import FILE_NAME as ocsf_name  # noqa: N811, PLC0415
    from audit_analytics.report._ocsf import check_ocsf, render_ocsf  # noqa: PLC0415
    from audit_analytics.report._tables import (  # noqa: PLC0415 - importing stays cheap
        render_csv,
        render_evidence,
        render_json,
    )

    texts = {
        "report.html": render_html(report),
        "report.md": render_markdown(report),
        "findings.json": render_json(report),
        "findings.csv": render_csv(report),
        "evidence.csv": render_evidence(report),
    }
    if check_ocsf(required=ocsf):
        texts[ocsf_name] = render_ocsf(report)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_together(out_dir, {name: text.encode() for name, text in texts.items()})
    if ocsf_name not in texts:
        (out_dir / ocsf_name).unlink(missing_ok=True)
    return {name: out_dir / name for name in texts}
