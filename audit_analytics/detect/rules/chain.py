"""Rule: find apps that look around, collect and send within hours, and never did so before.

Two of the three steps have to take APIs that are new to the app, or one while the app calls
from a network that is new to it.

Examples
--------
>>> from audit_analytics import load
>>> call = {"app_id": "cli_a", "log_detail": {"response": '{"code": 0}'}}
>>> send = call | {"api_key": "POST/open-apis/im/v1/messages"}
>>> log = [send | {"id": f"{at}", "event_time": at} for at in range(1792944000, 1794758400, 3600)]
>>> new = ["GET/open-apis/im/v1/chats", "GET/open-apis/im/v1/messages"]
>>> log += [call | {"id": api, "event_time": 1794369700 + n, "api_key": api} for n, api in enumerate(new)]
>>> [(hit.entity, hit.facts["hours"]) for hit in find_chain(load(log))]
[('cli_a', 0.97)]
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import pandas as pd
from pydantic import Field

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._grid import MIN_HISTORY_DAYS
from audit_analytics.detect._guidance import ASK_OWNER, ROTATE
from audit_analytics.detect._tables import DAY, HOUR, SECOND, is_known, sort_words
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_when, show_api

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audit_analytics.detect._rule_input import RuleInput

DISCOVER: Final = frozenset(
    {"app_inventory", "chat_enum", "directory_bulk_read", "doc_enum", "tenant_recon"}
)


COLLECT: Final = frozenset(
    {
        "biometric_read",
        "directory_bulk_read",
        "doc_export",
        "hiring_bulk_read",
        "hr_bulk_read",
        "mail_read",
        "meeting_content",
        "message_read",
        "payroll_read",
        "performance_read",
        "table_bulk_read",
    }
)
"""Of these, only sensitive APIs collect; of DISCOVER, only the others look around."""


SEND: Final = frozenset(
    {
        "drive_permission",
        "event_subscribe",
        "mail_rule",
        "mail_send",
        "message_mass_send",
        "message_send",
    }
)
"""Ways out: messages, mails, shared documents, subscriptions."""


STEPS: Final = ("discover", "collect", "send")


class ChainThresholds(Thresholds):
    """Thresholds of this rule."""

    chain_hours: int = Field(
        24, ge=1, description="hours in which an app discovers, collects and sends"
    )


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} looked around, collected and sent {when} ({steps}); it never did so before.",
        entity=who,
        when=say_when(hit, zone),
        steps=_(", then ").join(show_api(api) for api in hit.facts["apis"]),
    )


@rule(
    name="rule:chain",
    title=mark("Discovered, collected, sent"),
    kind="sensitive_api",
    severity="high",
    relative=True,
    sentence=_say,
    techniques=("T1526", "T1213", "T1567"),
    benign=(
        mark("a new report job that reads data and posts a summary"),
        mark("a first release of the app"),
    ),
    steps=(
        mark("Find out where the messages, mails or shared documents went."),
        mark("Compare what was collected with what the app is for."),
        ASK_OWNER,
        ROTATE,
    ),
    thresholds=ChainThresholds,
    place=150,
    begins=True,
)
def find_chain(data: RuleInput) -> Iterator[Hit]:
    """Find apps that look around, collect and send within hours, and never did so before.

    Where apps begin with it every week, it only supports what else is unusual about them.
    """
    if not data.has_history:
        return
    within = data.thresholds(ChainThresholds).chain_hours * HOUR
    # the week of the last step tells the chain, wherever in the night before it began
    since = data.week.start_at - within
    pairs = data.new_pairs(data.apis, since=since)[["app_id", "name"]]
    pairs = pairs.rename(columns={"name": "api"})
    by_api = data.by_api[data.by_api["app_id"].isin(pairs["app_id"])]
    calls = _list_steps(by_api[by_api["ok_count"] > 0])
    near = calls[calls["at"] >= since]
    near = near.assign(new=is_known(near, pairs, ["app_id", "api"]))
    places = data.new_pairs(data.networks, since=since).groupby("app_id")["first_at"].min()
    # a step has to take an API that is new to the app, or takes any
    kinds = [((True, _pick(near[near["new"]], s)), (False, _pick(near, s))) for s in STEPS]
    # without a new API, or with a step that nobody took, there is none
    found = [
        _join_steps([rows for _new, rows in steps], within).assign(
            news=sum(new for new, _rows in steps)
        )
        for steps in product(*kinds)
        if any(new for new, _rows in steps) and all(len(rows) for _new, rows in steps)
    ]
    if not found:
        return
    chains = pd.concat(found).astype({"app_id": "str"})
    chains = chains.join(places.rename("moved_at"), on="app_id")
    chains = chains[chains["send_at"] >= data.week.start_at]
    moved = chains["moved_at"] <= chains["send_at"]
    chains = chains[(chains["news"] >= 2) | ((chains["news"] == 1) & moved)]
    usual = _find_usual(calls[calls["at"] < data.week.start_at], within)
    chains = chains[~chains["app_id"].isin(usual["app_id"])]
    alone = chains.empty or data.is_seldom(_count_beginners(data, within))
    chains = chains.sort_values(["app_id", "news", "send_at"], ascending=[True, False, True])
    for chain in chains.drop_duplicates("app_id").itertuples():
        apis = [str(getattr(chain, f"{step}_api")) for step in STEPS]
        yield Hit(
            entity_type="app",
            entity=str(chain.app_id),
            start_at=chain.discover_at,
            end_at=chain.send_at + SECOND,
            observed=float(len(STEPS)),
            unit=mark("steps of a chain"),
            alone=alone,
            facts={
                "apis": apis,
                "hours": round((chain.send_at - chain.discover_at) / HOUR, 2),
                "new_steps": int(chain.news),
            },
            where={"app_id": (str(chain.app_id),), "api": tuple(sorted(set(apis)))},
        )


def _find_usual(calls: pd.DataFrame, within: pd.Timedelta) -> pd.DataFrame:
    """Return the chains of calls that were made before the week, with whatever APIs."""
    return _join_steps([_pick(calls, step) for step in STEPS], within)


def _count_beginners(data: RuleInput, within: pd.Timedelta) -> int:
    """Return how many apps began to do so in the history, a week or more after their first call."""
    past = data.before_week(data.by_api)
    usual = _find_usual(_list_steps(past[past["ok_count"] > 0]), within)
    first = usual.groupby("app_id")["send_at"].min()
    born = past.groupby("app_id", observed=True)["first_at"].min().reindex(first.index)
    late = first - born >= MIN_HISTORY_DAYS * DAY
    return int((late & (first >= data.panel.grid.hours[0])).sum())


def _list_steps(by_api: pd.DataFrame) -> pd.DataFrame:
    """Return the instants that are known of each step: first and last call of an hour."""
    sensitive = by_api["severity"].isin(schema.SENSITIVE)
    parts = {
        "discover": by_api["category"].isin(DISCOVER) & ~sensitive,
        "collect": by_api["category"].isin(COLLECT) & sensitive,
        "send": by_api["category"].isin(SEND),
    }
    rows = [
        by_api.loc[mask, ["app_id", "api"]].assign(at=by_api.loc[mask, column], step=step)
        for step, mask in parts.items()
        for column in ("first_at", "last_at")
    ]
    table = pd.concat(rows, ignore_index=True)
    table["api"] = sort_words(table["api"])
    return table.sort_values(["at", "app_id", "api", "step"], ignore_index=True)


def _pick(calls: pd.DataFrame, step: str) -> pd.DataFrame:
    rows = calls.loc[calls["step"] == step, ["app_id", "api", "at"]]
    return rows.rename(columns={"api": f"{step}_api"}).assign(**{f"{step}_at": rows["at"]})


def _join_steps(steps: Sequence[pd.DataFrame], within: pd.Timedelta) -> pd.DataFrame:
    """Find, to each collecting call, the last discovery before it and the next way out after it."""
    # calls of the same second have no order
    joined = pd.merge_asof(
        steps[1], steps[0], on="at", by="app_id", allow_exact_matches=False, tolerance=within
    )
    joined = pd.merge_asof(
        joined,
        steps[2],
        on="at",
        by="app_id",
        direction="forward",
        allow_exact_matches=False,
        tolerance=within,
    )
    joined = joined.dropna(subset=["discover_at", "send_at"])
    return joined[joined["send_at"] - joined["discover_at"] <= within]
