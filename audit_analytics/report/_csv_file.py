"""findings.csv, one row a finding, and evidence.csv, one row a log entry: for spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from audit_analytics.report import _escape as escape
from audit_analytics.review.reports import name_stories

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS: Final = (
    "rank",
    "finding_id",
    "severity",
    "rarity",
    "policy_severity",
    "kind",
    "title",
    "entity_type",
    "entity",
    "name",
    "owner",
    "contact",
    "start_at",
    "end_at",
    "start_local",
    "end_local",
    "observed",
    "expected",
    "expected_low",
    "expected_high",
    "unit",
    "ratio",
    "history_days",
    "expected_per_week",
    "p",
    "q",
    "detectors",
    "attack",
    "sentence",
    "story_id",
)
"""Columns of findings.csv, named as in findings.json; `story_id` is the story it is part of."""

EVIDENCE_COLUMNS: Final = (
    "finding_id",
    "rank",
    "id",
    "at",
    "local",
    "app_id",
    "ip",
    "api",
    "http_status",
    "response_code",
    "outcome",
    "object_name",
    "place",
)
"""Columns of evidence.csv, named as in findings.json; `place` is what the address is called."""


def render_csv(report: dict[str, Any]) -> str:
    r"""Write the findings as CSV (RFC 4180, lines end in CR LF), texts quoted, formulas disarmed.

    Examples
    --------
    >>> render_csv({"findings": []}).startswith('"rank","finding_id"')
    True
    """
    rows = ([_cell(finding, name) for name in COLUMNS] for finding in name_stories(report))
    return _write(COLUMNS, rows)


def render_evidence(report: dict[str, Any]) -> str:
    r"""Write the evidence of all findings as CSV, one row a log entry, formulas disarmed.

    Examples
    --------
    >>> render_evidence({"findings": []}).startswith('"finding_id","rank","id"')
    True
    """
    labels = report.get("labels", {})
    rows = (
        [_cell(row | own | {"place": labels.get(row["ip"], "")}, n) for n in EVIDENCE_COLUMNS]
        for f in report["findings"]
        for own in [{"finding_id": f["finding_id"], "rank": f["rank"]}]
        for row in f["evidence"]["rows"]
    )
    return _write(EVIDENCE_COLUMNS, rows)


def write_table(table: pd.DataFrame) -> str:
    """Write a table as CSV (RFC 4180), formulas disarmed.

    Parameters
    ----------
    table : pandas.DataFrame
        Texts, numbers and instants.

    Returns
    -------
    str
        CSV with a header row; what is absent is empty.
    """
    rows: Iterable[list[object]] = (
        ["" if pd.isna(v) else v if isinstance(v, int) else escape.csv_cell(str(v)) for v in row]
        for row in table.itertuples(index=False)
    )
    return _write(table.columns, rows)


def _write(columns: Iterable[str], rows: Iterable[list[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()


def _cell(finding: dict[str, Any], name: str) -> object:
    value = finding[name]
    if name == "attack":
        value = " ".join(technique["id"] for technique in value)
    elif isinstance(value, list):
        value = " ".join(value)
    return escape.csv_cell(value) if isinstance(value, str) else value
