"""Findings, evidence and steps of a report as DataFrames with proper dtypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.report._csv_file import COLUMNS, EVIDENCE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OWN: Final = tuple(name for name in EVIDENCE_COLUMNS if name not in {"finding_id", "rank"})
"""What evidence.csv says of a log entry itself."""

_INSTANTS: Final = ("start_at", "end_at")
_NUMBERS: Final = (
    "observed",
    "expected",
    "expected_low",
    "expected_high",
    "ratio",
    "expected_per_week",
    "p",
    "q",
)
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
    """Make a table of findings with the columns of findings.csv.

    Numbers are float64 (NaN where there is none), instants datetime64[us, UTC]; ``detectors`` and
    ``attack`` (technique ids) are lists.

    Examples
    --------
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
    """Make a table of the log entries behind findings.

    It has the dtypes of :data:`audit_analytics.schema.EVENTS`, but texts for categories.

    Examples
    --------
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

    Examples
    --------
    >>> list(tabulate_stories([]))[:3]
    ['story_id', 'rank', 'severity']
    """
    rows = [
        {**step, "at": step["start_at"]} | {name: story[name] for name in _STORY}
        for story in stories
        for step in story["steps"]
    ]
    table = pd.DataFrame(rows, columns=[*_STORY, *_STORY_STEP])
    for name in ("at", "end_at"):
        table[name] = _read_instants(table[name])
    return table.astype(_STORY | _STORY_STEP)


def tabulate_steps(finding: Mapping[str, Any]) -> pd.DataFrame:
    """Put the steps of a finding into a table: see :meth:`Finding.timeline`."""
    steps = [{**step, "at": step["start_at"]} for step in finding["timeline"]["steps"]]
    table = pd.DataFrame(steps, columns=list(_STEP))
    for name in ("at", "end_at"):
        table[name] = _read_instants(table[name])
    return table.astype(_STEP)


def _read_instants(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column, utc=True).astype(schema.AT)
