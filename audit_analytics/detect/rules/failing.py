"""Rule: find apps whose calls fail all day, more than they ever did.

It needs no history: hundreds of calls nine tenths of which fail are a fault or a prober, whoever
makes them. What counts is errors x their share, so a busy app's usual errors do not.

Examples
--------
>>> from audit_analytics import load
>>> failed = {"app_id": "cli_a", "api_key": "GET/x", "log_detail": {"status_code": 404}}
>>> log = [failed | {"id": f"{n}", "event_time": 1794369600 + 120 * n} for n in range(250)]
>>> [(hit.observed, hit.facts["gap_seconds"]) for hit in find_failing(load(log))]
[(250.0, 120.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from pydantic import Field

from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import local_days
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._guidance import ERRORS_BENIGN, ERRORS_STEPS
from audit_analytics.detect._rhythm import find_beat
from audit_analytics.detect._tables import HOUR, TIMES_USUAL, sort_words
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_beat, say_calls, say_errors, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput

CALLERS_FAULTS = ("auth", "permission", "not_found", "param", "other")
"""Errors of who calls; a rate limit and a server's error are not."""


class FailingThresholds(Thresholds):
    """Thresholds of this rule."""

    failing_calls: int = Field(200, ge=10, description="errors a day, times their share of calls")
    failing_share: float = Field(0.8, gt=0, le=1, description="share of a day's calls that fail")


def _say(hit: Hit, who: str, zone: str) -> str:
    sentence = _(
        "{entity} met {errors} in {calls} {when}.",
        entity=who,
        errors=say_errors(hit.observed, hit.facts["outcome"]),
        calls=say_calls(hit.facts["calls"]),
        when=say_when(hit, zone),
    )
    return say_beat(sentence, hit.facts.get("gap_seconds"))


@rule(
    name="rule:failing",
    title=mark("Nothing but errors"),
    kind="error_burst",
    severity="medium",
    sentence=_say,
    techniques=("T1078.004",),
    benign=ERRORS_BENIGN,
    steps=ERRORS_STEPS,
    thresholds=FailingThresholds,
    place=45,
)
def find_failing(data: RuleInput) -> Iterator[Hit]:
    """Find apps whose calls fail all day, more than they ever did."""
    thresholds = data.thresholds(FailingThresholds)
    days = _count_days(data.by_api, data.week.zone)
    before = days["day"] < data.week.start_at.tz_convert(data.week.zone).tz_localize(None)
    usual = days["app_id"].map(days[before].groupby("app_id")["weight"].max())
    usual = usual.astype("float64").fillna(0.0)  # of no app at all it would be text
    failing = (days["weight"] >= thresholds.failing_calls) & ~before
    failing &= days["errors"] >= thresholds.failing_share * days["calls"]
    failing &= days["weight"] > TIMES_USUAL * usual
    worst = days[failing].sort_values(["weight", "day"], ascending=[False, True], kind="stable")
    for row in worst.drop_duplicates("app_id").sort_values("app_id").itertuples():
        own = data.by_api[data.by_api["app_id"] == row.app_id]
        own = own[local_days(pd.DatetimeIndex(own["bucket_at"]), zone=data.week.zone) == row.day]
        faults = own[[f"{name}_count" for name in CALLERS_FAULTS]].sum()
        outcome = str(faults.idxmax()).removesuffix("_count")
        gap = find_beat(own)
        yield Hit(
            entity_type="app",
            entity=str(row.app_id),
            start_at=own["bucket_at"].min(),
            end_at=own["bucket_at"].max() + HOUR,
            observed=float(faults.max()),
            unit=mark("errors in a day"),
            facts={
                "outcome": outcome,
                "calls": int(row.calls),
                **({"gap_seconds": gap} if gap else {}),
                "metric": outcome,
            },
            where={"app_id": (str(row.app_id),), "outcome": (outcome,)},
        )


def _count_days(by_api: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Count calls, errors and errors x their share by app and local day."""
    named = by_api[by_api["app_id"] != ""]
    errors = named[[f"{name}_count" for name in CALLERS_FAULTS]].sum(axis=1)
    keys = {
        "app_id": sort_words(named["app_id"]),
        "day": local_days(pd.DatetimeIndex(named["bucket_at"]), zone=zone),
    }
    table = named[[]].assign(**keys, calls=named["calls_count"], errors=errors)
    days = table.groupby(["app_id", "day"], observed=True, as_index=False).sum()
    days = days.astype({"app_id": "str"})
    return days.assign(weight=days["errors"] ** 2 / days["calls"].clip(lower=1))
