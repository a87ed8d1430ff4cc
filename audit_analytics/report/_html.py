"""report.html, index.html and the fragment a notebook shows: one page, no script, no request.

Every text passes :func:`escape.clean` on its way out, so that no template can forget it.
index.html is written anew by every run from the findings.json files that are there.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, Template
from markupsafe import Markup
from markupsafe import escape as markup_escape

from audit_analytics import schema
from audit_analytics.dates.buckets import find_runs
from audit_analytics.errors import InputError
from audit_analytics.files import write_private
from audit_analytics.language import HTML_CODES, label_entity, use_language
from audit_analytics.language.wording import show_api
from audit_analytics.report import _escape as escape
from audit_analytics.report import _wording as wording
from audit_analytics.report._markdown import make_environment
from audit_analytics.report._names import name_category, name_outcome, name_response, speak_as
from audit_analytics.review import Verdict, find_verdict, is_open, list_reports, read_report

LIMIT_BYTES: Final = 500 * 1024
"""Largest report.html."""

_DATE: Final = re.compile("(?:[0-9]{4}年)?[0-9]{1,2}月[0-9]{1,2}日(?:周.)?")
"""A line may end after any character of a Chinese date."""

LONG_WORD: Final = 20
"""Characters; a column may be too narrow for a longer word."""


class Detail(NamedTuple):
    """How much of each finding the page shows."""

    cards: int  # findings with a card; the others stand in the overview alone
    full: int  # cards with contributors, reasons and evidence
    plots: int  # findings with a plot
    evidence: int  # rows of evidence a finding


DETAILS: Final = (
    Detail(60, 60, 30, 8),
    Detail(60, 40, 30, 4),
    Detail(60, 20, 25, 3),
    Detail(60, 15, 15, 3),
    Detail(60, 10, 10, 3),
    Detail(40, 10, 10, 2),
    Detail(40, 7, 10, 2),
    Detail(20, 10, 5, 2),
    Detail(20, 5, 5, 2),
    Detail(10, 3, 3, 0),
)
"""From all to least; the page takes the first that keeps it under :data:`LIMIT_BYTES`."""


def render_html(report: dict[str, Any]) -> str:
    """Render the report as one HTML page, its style named by a hash in its content security policy.

    Parameters
    ----------
    report : dict
        The report.

    Returns
    -------
    str
        The page, under :data:`LIMIT_BYTES`: with many findings, the lower ranks show less evidence,
        and say so.
    """
    with speak_as(report):
        return _fit_page(report, _environment().get_template("report.html.j2"), _give_style())


def _give_style() -> dict[str, Any]:
    style = "\n" + _environment().get_template("report.css.j2").render() + "\n"
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {"style": Markup(style), "style_hash": digest}  # noqa: S704 - ours


def _fit_page(report: dict[str, Any], template: Template, shown: dict[str, Any]) -> str:
    from audit_analytics.report._drawings import draw_finding, draw_report  # noqa: PLC0415

    shown |= {"r": report, "plots": draw_report(report)}
    most = max(detail.plots for detail in DETAILS)
    small = [draw_finding(f, report["tenant_zone"]) for f in report["findings"][:most]]
    page = ""
    for detail in DETAILS:
        page = template.render(**shown, small=small[: detail.plots], detail=detail)
        if len(page.encode()) <= LIMIT_BYTES:
            break
    return page


def render_notebook(report: dict[str, Any]) -> str:
    """Render verdict, coverage and findings as one ``<div>`` for a light or a dark notebook."""
    with speak_as(report):
        return _environment().get_template("notebook.html.j2").render(r=report)


def render_card(finding: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Render one finding as one ``<div>`` for a notebook: its card of the page, with all it has."""
    from audit_analytics.report._drawings import draw_finding  # noqa: PLC0415

    environment = _environment()
    rows = len(finding["evidence"]["rows"])
    shown = {
        "f": finding,
        "r": report,
        "style": Markup(_scope(environment.get_template("report.css.j2").render())),  # noqa: S704 - ours
        "detail": Detail(cards=1, full=finding["rank"], plots=1, evidence=rows),
    }
    with speak_as(report):
        shown["plot"] = draw_finding(finding, report["tenant_zone"])
        return environment.get_template("card.html.j2").render(**shown)


def _scope(style: str) -> str:
    """Nest the page's style sheet, so that it holds within a card alone."""
    rules = re.sub(r"(?m)^( *)(:root|body)\b", r"\1&", style)
    return f".aa-card {{\n{rules}\n}}"


@cache
def _environment() -> Environment:
    environment = make_environment(_clean, _escape, autoescape=True)
    environment.filters |= {
        "bar": _draw_bar,
        "category": name_category,
        "chance": wording.chance,
        "change": lambda pair: wording.change(*pair),
        "expiry": _find_expiry,
        "interval": lambda pair: wording.interval(*pair),
        "local": wording.local_time,
        "name": _name,
        "outcome": name_outcome,
        "path": _break_path,
        "prose": _break_words,
        "response": name_response,
        "runs": find_runs,
    }
    environment.globals["HTML_CODES"] = HTML_CODES
    return environment


def _escape(value: object) -> object:
    return markup_escape(wording.number(value) if isinstance(value, int | float) else _clean(value))


def _clean(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return escape.clean(value, escape.TEXT_LIMIT)
    return value


def _name(text: str, limit: int = escape.NAME_LIMIT) -> str:
    """Write a name or, of an entity that has one, its label; that needs more room."""
    label = label_entity(text)
    return escape.clean(label, limit if label == text else escape.NAME_LIMIT) or escape.EMPTY


def _break_path(text: str, limit: int = escape.NAME_LIMIT) -> Markup:
    """Write an API the way people do, with places to break a line at."""
    return _break_at(escape.clean(show_api(text), limit) or escape.EMPTY, r"\S+")


def _break_words(text: str) -> Markup:
    """Write a sentence, with places to break the APIs it names at, and its dates in one piece."""
    broken = _break_at(escape.clean(text, escape.TEXT_LIMIT), rf"\S{{{LONG_WORD},}}")
    return Markup(_DATE.sub(r'<span class="one">\g<0></span>', str(broken)))  # noqa: S704 - escaped above


def _break_at(text: str, words: str) -> Markup:
    escaped = str(markup_escape(text))
    return Markup(  # noqa: S704 - escaped above
        re.sub(words, lambda found: re.sub("([/_.])(?=.)", r"\1<wbr>", found[0]), escaped)
    )


def _draw_bar(step: Mapping[str, Any], timeline: Mapping[str, Any]) -> Markup:
    """Draw when a step was, between the first call of a finding and the last."""
    begin, end, first, last = (
        datetime.fromisoformat(at).timestamp()
        for at in (timeline["first_at"], timeline["last_at"], step["start_at"], step["end_at"])
    )
    whole = max(end - begin, 1.0)
    width = max(96 * (last - first) / whole, 4)
    left = min(96 * (first - begin) / whole, 100 - width)
    grade = "ok" if step["outcome"] == "ok" else "failed"
    return Markup(  # noqa: S704 - numbers and words of ours
        f'<svg class="bar {grade}" viewBox="0 0 100 10" width="100" height="10">'
        f'<rect x="{left:.1f}" y="1" width="{width:.1f}" height="8"/></svg>'
    )


def _find_expiry(suppression: str) -> str:
    found = re.search(r"(?m)^expires = ([0-9-]{10})$", suppression)
    return found[1] if found else "..."


NAME: Final = "index.html"
MAX_REPORTS: Final = 60
"""Reports that are listed: a year of weeks, and those of the week in progress."""

MAX_OPEN: Final = 50


def write_overview(
    folder: Path,
    *,
    lang: str,
    zone: str,
    verdicts: Mapping[str, Verdict] | None = None,
    failed: Mapping[str, str] | None = None,
) -> Path:
    """Write the overview of a folder of reports.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the reports, one folder a week, or one folder a tenant with such folders.
    lang, zone : str
        Language of the page, and IANA name of the zone it speaks of.
    verdicts : mapping of str to Verdict, optional
        The last verdict on each finding, by its id.
    failed : mapping of str to str, optional
        Tenants whose run brought no report, and why.

    Returns
    -------
    pathlib.Path
        ``index.html`` in `folder`; the old one is whole until the new one is.

    Raises
    ------
    OSError
        The folder cannot be read, or the file not written.
    """
    known = verdicts or {}
    tenants = [
        {"name": path.name, **_read_folder(path, known)}
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.is_symlink() and any(list_reports(path))
    ]
    for tenant in tenants:
        tenant["failed"] = (failed or {}).get(tenant["name"], "")
    names = {tenant["name"] for tenant in tenants}
    tenants += [
        {"name": name, "reports": [], "open": [], "open_count": 0, "failed": reason}
        for name, reason in sorted((failed or {}).items())
        if name not in names
    ]
    data = {"zone": zone, "lang": lang, "tenants": tenants, **_read_folder(folder, known)}
    with use_language(lang):
        page = _environment().get_template("index.html.j2").render(**_give_style(), o=data)
        write_private(folder / NAME, page.encode())
    return folder / NAME


def _read_folder(folder: Path, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    found: dict[str, dict[str, Any]] = {}
    for path in list_reports(folder)[:MAX_REPORTS]:
        try:
            report = read_report(path)
            rows.append(_sum_up(report, path.parent.name))
        except InputError as error:
            # whatever lies there instead of a report, the others are told
            rows.append({"name": path.parent.name, "broken": str(error)})
            continue
        newest = sum("broken" not in row for row in rows) == 1
        for row in report["findings"]:
            verdict = find_verdict(row, verdicts)
            if is_open(verdict, is_newest=newest):
                decided = verdict["verdict"] if verdict else ""
                own = _name_week(row, path.parent.name, decided, report.get("labels", {}))
                found.setdefault(row["finding_id"], own)
    opened = sorted(found.values(), key=lambda row: (row["decided"] != "true", row["rank"]))
    return {"reports": rows, "open": opened[:MAX_OPEN], "open_count": len(opened)}


def _sum_up(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    severities = [str(row["severity"]) for row in report["findings"]]
    totals, coverage = report["totals"], report["coverage"]
    return {
        "name": name,
        "iso": str(report["week"]["iso"]),
        "since": report["week"]["since_local"],
        "start_local": str(report["week"]["start_local"]),
        "end_local": str(report["week"]["end_local"]),
        "status": str(coverage["week_status"]),
        "covered": int(coverage["hours_covered_count"]),
        "hours": int(coverage["hours_expected_count"]),
        "calls": int(totals["calls_count"]),
        "errors": int(totals["errors_count"]),
        "apps": int(totals["apps_count"]),
        "counts": {
            level: severities.count(level)
            for level in reversed(schema.SEVERITIES)
            if level in severities
        },
        "new": sum(row["status"] == "new" for row in report["findings"]),
    }


def _name_week(
    row: Mapping[str, Any], folder: str, decided: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    names = ("finding_id", "rank", "severity", "title", "entity_type", "start_local")
    return {name: row[name] for name in names} | {
        "entity": labels.get(row["entity"], row["entity"]),
        "owner": row.get("owner", ""),
        "folder": folder,
        "decided": decided,
    }
