"""findings.csv: one row a finding, for spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from audit_analytics.report import escape

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
)
"""Columns of findings.csv, named as in findings.json."""


def render_csv(report: dict[str, Any]) -> str:
    r"""Write the findings as CSV (RFC 4180), texts quoted, formulas disarmed.

    Parameters
    ----------
    report : dict
        The report.

    Returns
    -------
    str
        CSV with a header row; lines end in CR LF.

    Examples
    --------
    >>> render_csv({"findings": []}).startswith('"rank","finding_id"')
    True
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for finding in report["findings"]:
        writer.writerow([_cell(finding, name) for name in COLUMNS])
    return buffer.getvalue()


def _cell(finding: dict[str, Any], name: str) -> object:
    value = finding[name]
    if name == "attack":
        value = " ".join(technique["id"] for technique in value)
    elif isinstance(value, list):
        value = " ".join(value)
    return escape.csv_cell(value) if isinstance(value, str) else value
