"""reports/index.html: every report of a folder on one page, and those of its tenants.

Written anew by every run from the findings.json files that are there: it holds nothing of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from audit_analytics import schema
from audit_analytics.errors import InputError
from audit_analytics.files import write_private
from audit_analytics.language import use_language
from audit_analytics.report._html import render_page
from audit_analytics.review.reports import find_verdict, is_open, list_reports, read_report

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from audit_analytics.review.verdicts import Verdict

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
    lang : str
        Language of the page.
    zone : str
        IANA name of the zone it speaks of.
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
        write_private(folder / NAME, render_page("index.html.j2", o=data).encode())
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
                own = _name(row, path.parent.name, decided, report.get("labels", {}))
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


def _name(
    row: Mapping[str, Any], folder: str, decided: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    names = ("finding_id", "rank", "severity", "title", "entity_type", "start_local")
    return {name: row[name] for name in names} | {
        "entity": labels.get(row["entity"], row["entity"]),
        "owner": row.get("owner", ""),
        "folder": folder,
        "decided": decided,
    }
