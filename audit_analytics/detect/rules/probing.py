"""Rule: find apps that are denied, or find missing, many distinct APIs within two hours.

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

import numpy as np
import pandas as pd
from pydantic import Field

from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import end_bucket, floor_at
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._guidance import ASK_OWNER, ROTATE
from audit_analytics.detect._tables import SECOND, top_rows
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import say_apis, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


class ProbingThresholds(Thresholds):
    """Thresholds of this rule."""

    probing_apis: int = Field(10, ge=2, description="distinct APIs in vain within two hours")


def _say(hit: Hit, who: str, zone: str) -> str:
    if hit.facts["missing"] > hit.observed / 2:
        return _(
            "{entity} called {routes} {when} ({names}).",
            entity=who,
            routes=ngettext(
                "{n} route that does not exist", "{n} routes that do not exist", hit.observed
            ),
            when=say_when(hit, zone),
            names=say_apis(hit.facts["apis"]),
        )
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
    """Find apps that are denied, or find missing, many distinct APIs within two hours."""
    needed = data.thresholds(ProbingThresholds).probing_apis
    tries = _list_tries(data)
    windows = _count_windows(tries, data.week.zone)
    denied = _count_windows(tries[tries["denied"]], data.week.zone).rename(
        columns={"apis": "denied"}
    )
    windows = windows.merge(denied, on=["app_id", "bucket_at"], how="left")
    before = windows["bucket_at"] < data.week.start_at
    usual = windows[before].groupby("app_id", observed=True)["apis"].max()
    usual_apis = windows["app_id"].map(usual).astype(float).fillna(0.0)
    # routes nobody ever got an answer from may be an old client's; as many as ever are no news
    found = (windows["denied"] >= needed) | (windows["apis"] >= np.maximum(needed, 3 * usual_apis))
    top = top_rows(windows[found & ~before], ["app_id"], "apis")
    for row in top.itertuples():
        own = tries[tries["app_id"] == row.app_id]
        next_at = end_bucket(row.bucket_at, "1h", zone=data.week.zone)
        own = own[own["bucket_at"].between(row.bucket_at, next_at)]
        yield Hit(
            entity_type="app",
            entity=str(row.app_id),
            start_at=own["first_at"].min(),
            end_at=own["last_at"].max() + SECOND,
            observed=float(row.apis),
            unit=mark("distinct APIs in vain within two hours"),
            facts={
                "apis": sorted(own["api"].astype("str").unique()),
                "missing": int(own.loc[~own["denied"], "api"].nunique()),
            },
            where={"app_id": (str(row.app_id),), "outcome": ("permission", "not_found")},
        )


def _list_tries(data: RuleInput) -> pd.DataFrame:
    """List the hours in which an API was denied to an app, or turned out not to be there.

    A route is not there if the catalogue does not know it and nobody ever got anything else than
    "not found" from it.
    """
    table = data.by_api
    denied = table["permission_count"] > 0
    answered = table["calls_count"] > table["not_found_count"]
    unknown = (table["category"] == "unknown") & (table["not_found_count"] > 0)
    missing = unknown & ~table["api"].isin(table.loc[answered, "api"].unique())
    return table.assign(denied=denied)[denied | missing]


def _count_windows(tries: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Count the distinct APIs of each app in every two consecutive hours: ``apis``.

    ``bucket_at`` is the start of the two hours.
    """
    pairs = tries[["app_id", "bucket_at", "api"]]
    before = floor_at(pairs["bucket_at"] - SECOND, "1h", zone=zone)
    both = pd.concat([pairs, pairs.assign(bucket_at=before)])
    both = both.drop_duplicates(ignore_index=True)
    sizes = both.groupby(["app_id", "bucket_at"], observed=True).size()
    return sizes.rename("apis").reset_index()
