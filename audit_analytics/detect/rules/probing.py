"""Rule: find apps that are denied many distinct APIs in an hour.

Examples
--------
>>> from audit_analytics import load
>>> denied = {"app_id": "cli_a", "log_detail": {"response": '{"code": 99991672}'}}
>>> log = [
...     denied | {"id": name, "event_time": 1794369600, "api_key": f"GET/open-apis/x/v1/{name}"}
...     for name in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
... ]
>>> [(hit.entity, hit.observed) for hit in find_probing(load(log))]
[('cli_a', 10.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from audit_analytics.cases import Hit
from audit_analytics.detect.detector import Thresholds
from audit_analytics.detect.guidance import ASK_OWNER, ROTATE
from audit_analytics.detect.rule_input import HOUR
from audit_analytics.detect.rules import rule
from audit_analytics.detect.tables import gather, top_rows
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import say_apis, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect.rule_input import RuleInput


class ProbingThresholds(Thresholds):
    """Thresholds of this rule."""

    probing_apis: int = Field(10, ge=2, description="distinct denied APIs an hour")


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} was denied {apis} {when} ({names}).",
        entity=who,
        apis=ngettext("{n} distinct API", "{n} distinct APIs", hit.observed),
        when=say_when(hit, zone),
        names=say_apis(hit.facts["apis"]),
    )


@rule(
    name="rule:probing",
    title=mark("Permission probing"),
    kind="error_burst",
    severity="high",
    sentence=_say,
    techniques=("T1069.003", "T1526"),
    benign=(mark("an integration test that walks through all APIs"),),
    steps=(
        mark("Look at which of the APIs answered: these are what the prober now knows it can use."),
        ASK_OWNER,
        ROTATE,
    ),
    thresholds=ProbingThresholds,
    metric="permission",
    place=30,
)
def find_probing(data: RuleInput) -> Iterator[Hit]:
    """Find apps that are denied many distinct APIs in an hour."""
    week = data.in_week(data.by_api)
    denied = week[week["permission_count"] > 0]
    # the rollup has one row per hour, app and API
    hours = denied.groupby(["app_id", "bucket_at"], observed=True, as_index=False).size()
    top = top_rows(
        hours[hours["size"] >= data.thresholds(ProbingThresholds).probing_apis], ["app_id"], "size"
    )
    named = denied.merge(top, on=["app_id", "bucket_at"])
    names = gather(named, ["app_id"], "api")
    for row in top.itertuples():
        yield Hit(
            entity_type="app",
            entity=str(row.app_id),
            start_at=row.bucket_at,
            end_at=row.bucket_at + HOUR,
            observed=float(row.size),
            unit=mark("distinct denied APIs in an hour"),
            facts={"apis": sorted(names[row.app_id])},
            where={"app_id": (str(row.app_id),), "outcome": ("permission",)},
        )
