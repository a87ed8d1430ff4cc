"""What is read of a findings.json, in one model: who reads a report can rely on all of it.

The schema beside the reports says what other programs find there; this is less, and checked in
milliseconds whenever a report of an earlier run is opened.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec

from audit_analytics.language import LANGUAGES

_Language = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(LANGUAGES)})$")]
_Week = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-W\d\d$")]


class _Span(msgspec.Struct):
    iso: _Week
    start_local: str
    end_local: str
    since_local: str | None


class _Coverage(msgspec.Struct):
    week_status: str
    hours_covered_count: int
    hours_expected_count: int


class _Totals(msgspec.Struct):
    calls_count: int
    errors_count: int
    apps_count: int


class _Reason(msgspec.Struct):
    detector: str
    kind: str
    start_at: str
    end_at: str
    scope: dict[str, list[str]]
    alone: bool
    observed: float
    unit: str
    p: float | None
    text: str


class _Finding(msgspec.Struct):
    finding_id: str
    key: str
    rank: int
    entity_type: str
    entity: str
    kind: str
    title: str
    sentence: str
    severity: str
    start_local: str
    reasons: list[_Reason]
    since_week: str | None
    expected_per_week: float | None
    status: str
    verdict: dict[str, Any] | None
    through: list[dict[str, Any]]
    untold: list[str]


class _Story(msgspec.Struct):
    story_id: str
    finding_ids: list[str]


class _Watch(msgspec.Struct):
    # entity type, entity, p, and p of its parts
    cases: list[tuple[str, str, float, Any]]


class _Report(msgspec.Struct):
    schema_version: Annotated[str, msgspec.Meta(pattern=r"^1\.")]
    lang: _Language
    tenant_zone: str
    week: _Span
    coverage: _Coverage
    totals: _Totals
    assessed: dict[str, Any]
    budget_per_week: float
    findings: list[_Finding]
    suppressed: list[_Finding]
    stories: list[_Story]
    suppressions: list[dict[str, Any]]
    watch: _Watch


def decode_report(content: bytes) -> dict[str, Any]:
    """Decode a findings.json with all that stands there; ValueError if it is none of this version.

    Examples
    --------
    >>> decode_report(b"{}")
    Traceback (most recent call last):
        ...
    msgspec.ValidationError: Object missing required field `schema_version`
    """
    report = json.loads(content)
    msgspec.convert(report, _Report)
    return dict(report)
