"""The report as tables and as data: findings.csv, evidence.csv, DataFrames and findings.json."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.report import _escape as escape
from audit_analytics.review import name_stories

COLUMNS: Final = (
    "rank", "finding_id", "severity", "rarity", "policy_severity", "kind", "title", "entity_type",
    "entity", "name", "owner", "contact", "start_at", "end_at", "start_local", "end_local",
    "observed", "expected", "expected_low", "expected_high", "unit", "ratio", "history_days",
    "expected_per_week", "p", "q", "detectors", "attack", "sentence", "story_id",
)  # fmt: skip
"""Columns of findings.csv, named as in findings.json; `story_id` is the story it is part of."""

EVIDENCE_COLUMNS: Final = (
    "finding_id", "rank", "id", "at", "local", "app_id", "ip", "api", "http_status",
    "response_code", "outcome", "object_name", "place",
)  # fmt: skip
"""Columns of evidence.csv, named as in findings.json; `place` is what the address is called."""


def render_csv(report: dict[str, Any]) -> str:
    """Write the findings as CSV (RFC 4180, lines end in CR LF), texts quoted, formulas disarmed.

    >>> render_csv({"findings": []}).startswith('"rank","finding_id"')
    True
    """
    rows = ([_cell(finding, name) for name in COLUMNS] for finding in name_stories(report))
    return _write(COLUMNS, rows)


def render_evidence(report: dict[str, Any]) -> str:
    """Write the evidence of all findings as CSV, one row a log entry, formulas disarmed.

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


OWN: Final = tuple(name for name in EVIDENCE_COLUMNS if name not in {"finding_id", "rank"})
"""What evidence.csv says of a log entry itself."""

_INSTANTS: Final = ("start_at", "end_at")
_NUMBERS: Final = (
    "observed", "expected", "expected_low", "expected_high", "ratio", "expected_per_week", "p",
    "q",
)  # fmt: skip
_EVENTS: Final = {column.name: column.dtype for column in schema.EVENTS.columns}
_STEP: Final = {
    "at": schema.AT,
    "end_at": schema.AT,
    "app_id": "string",
    "ip": "string",
    "api": "string",
    "apis_count": "int64",
    "outcome": "string",
    "calls_count": "int64",
    "told": "bool",
}

_STORY: Final = {"story_id": "string", "rank": "int64", "severity": "string"}
_STORY_STEP: Final = {
    "at": schema.AT,
    "end_at": schema.AT,
    "app_id": "string",
    "ip": "string",
    "technique": "string",
    "tactic": "string",
    "apis_count": "int64",
    "calls_count": "int64",
    "ok_count": "int64",
}


def tabulate_findings(findings: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make a table of findings with the columns of findings.csv, its numbers float64.

    >>> tabulate_findings([]).dtypes["expected_per_week"]
    dtype('float64')
    """
    table = pd.DataFrame(list(findings), columns=list(COLUMNS))
    table["attack"] = [[row["id"] for row in finding["attack"]] for finding in findings]
    for name in _INSTANTS:
        table[name] = _read_instants(table[name])
    whole = dict.fromkeys(("rank", "history_days"), "int64")
    return table.astype(dict.fromkeys(_NUMBERS, "float64") | whole)


def tabulate_evidence(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = OWN
) -> pd.DataFrame:
    """Make a table of the log entries behind findings, with the dtypes of the events.

    >>> tabulate_evidence([]).dtypes["response_code"]
    Int64Dtype()
    """
    table = pd.DataFrame(list(rows), columns=list(columns))
    table["at"] = _read_instants(table["at"])
    kept = {name: _EVENTS.get(name, "str") for name in columns if name not in {"at", "rank"}}
    texts = {name: "str" for name, dtype in kept.items() if dtype in {"category", "string"}}
    ranks = {"rank": "int64"} if "rank" in columns else {}
    return table.astype(kept | texts | ranks)


def tabulate_stories(stories: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Put the steps of stories into a table, one row per step, by story and time.

    >>> list(tabulate_stories([]))[:3]
    ['story_id', 'rank', 'severity']
    """
    return _tabulate_steps(
        [
            step | {name: story[name] for name in _STORY}
            for story in stories
            for step in story["steps"]
        ],
        _STORY | _STORY_STEP,
    )


def tabulate_steps(finding: Mapping[str, Any]) -> pd.DataFrame:
    """Put the steps of a finding into a table: see :meth:`Finding.timeline`."""
    return _tabulate_steps(finding["timeline"]["steps"], _STEP)


def _tabulate_steps(steps: Sequence[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    table = pd.DataFrame([step | {"at": step["start_at"]} for step in steps], columns=list(columns))
    for name in ("at", "end_at"):
        table[name] = _read_instants(table[name])
    return table.astype(columns)


def _read_instants(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column, utc=True).astype(schema.AT)


def render_json(report: dict[str, Any]) -> str:
    """Write the report as JSON, sorted, with what cannot be seen escaped; NaN or infinity raises.

    >>> print(render_json({"b": None, "a": 1}), end="")
    {
     "a": 1,
     "b": null
    }
    """
    text = json.dumps(report, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    return escape.json_text(text) + "\n"
