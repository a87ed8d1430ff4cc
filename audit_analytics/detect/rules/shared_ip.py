"""Rule: find addresses on networks new to the tenant this week that several apps call from.

Examples
--------
>>> from audit_analytics import load
>>> from audit_analytics.detect import RuleInput
>>> call = {"api_key": "GET/x"}
>>> log = [call | {"id": "0", "event_time": 1793000000, "app_id": "cli_0", "ip": "10.0.0.1"}]
>>> log += [
...     call | {"id": f"{n}", "event_time": 1794369600, "app_id": f"cli_{n}", "ip": "203.0.113.7"}
...     for n in range(1, 6)
... ]
>>> hits = find_shared_ip(RuleInput.from_events(load(log), week="2026-W46"))
>>> [(hit.entity, hit.observed) for hit in hits]
[('203.0.113.7', 5.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._guidance import (
    SHARED_BENIGN,
    SHARED_STEPS,
    SHARED_TECHNIQUES,
    SHARED_TITLE,
)
from audit_analytics.detect._tables import SECOND, count_places, cut, is_known
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_apps, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from audit_analytics.detect._rule_input import RuleInput


class SharedIpThresholds(Thresholds):
    """Thresholds of this rule."""

    shared_ip_apps: int = Field(5, ge=2, description="apps on one address that make it shared")


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} is new to the tenant, and {apps} called from it {when}.",
        entity=who,
        apps=say_apps(hit.observed),
        when=say_when(hit, zone),
    )


@rule(
    name="rule:shared_ip",
    title=SHARED_TITLE,
    kind="unusual_ip",
    severity="medium",
    sentence=_say,
    techniques=SHARED_TECHNIQUES,
    benign=SHARED_BENIGN,
    steps=SHARED_STEPS,
    thresholds=SharedIpThresholds,
)
def find_shared_ip(data: RuleInput) -> Iterator[Hit]:
    """Find addresses on networks new to the tenant this week that several apps call from."""
    if not data.has_history:
        return
    week, past = data.in_week(data.by_ip), data.before_week(data.by_ip)
    needed = data.thresholds(SharedIpThresholds).shared_ip_apps
    shared = _find_shared(week, past, needed)
    earlier = [] if shared.empty else _list_earlier(data, past, needed)
    for place in count_places(shared, "ip").itertuples():
        apps = len(place.apps)
        # where apps share a pool of addresses there are some every week
        if not data.is_seldom(sum(before >= apps for before in earlier)):
            continue
        yield Hit(
            entity_type="ip",
            entity=str(place.Index),
            start_at=place.first_at,
            end_at=place.last_at + SECOND,
            observed=float(apps),
            unit=mark("apps on one new address"),
            facts={"apps": list(place.apps)},
            where={"ip": (str(place.Index),)},
        )


def _find_shared(week: pd.DataFrame, past: pd.DataFrame, needed: int) -> pd.DataFrame:
    """Return the calls of a week from addresses of new networks that so many apps call from."""
    fresh = week[~is_known(week, past, ["network"]) & ~week["network"].isin(schema.NO_PLACE)]
    apps = fresh.groupby("ip", observed=True)["app_id"].nunique()
    return fresh[fresh["ip"].isin(apps.index[apps >= needed])]


def _list_earlier(data: RuleInput, past: pd.DataFrame, needed: int) -> list[int]:
    """List on how many apps each such address of an earlier week was.

    In the log's first week every network is new, and says nothing of how often one is.
    """
    grid, found = data.panel.grid, list[int]()
    for days in map(grid.days, grid.weeks):
        start, end = grid.day_span(days[0])[0], grid.day_span(days[-1])[1]
        if start >= data.settled_at:
            week, before = cut(past, "bucket_at", start, end), cut(past, "bucket_at", end=start)
            shared = _find_shared(week, before, needed)
            found += shared.groupby("ip", observed=True)["app_id"].nunique().tolist()
    return found
