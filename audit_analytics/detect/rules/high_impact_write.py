"""Rule: find apps that change who may do what, with an API they were never served before.

Granting a role, resetting a password or handing over an app takes one call; waiting for a
second one would be waiting for the damage. Deleting a department, making somebody the manager of a
chat or subscribing to events is the business of some apps; where no app ever did it, and the tenant
seldom takes to something of the kind, it is told, and rated lower. What some app here takes to
in every other week is no news by itself.

Examples
--------
>>> from audit_analytics import load
>>> from audit_analytics.detect import RuleInput
>>> api = "POST/open-apis/contact/v3/functional_roles"
>>> log = [{"id": "1", "event_time": 1793000000, "app_id": "cli_a", "api_key": "GET/x"}]
>>> log += [{"id": "2", "event_time": 1794369600, "app_id": "cli_a", "api_key": api}]
>>> hits = find_high_impact_write(RuleInput.from_events(load(log), week="2026-W46"))
>>> [(hit.entity, hit.observed, hit.facts["categories"]) for hit in hits]
[('cli_a', 1.0, ['role_grant'])]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics.cases import Hit
from audit_analytics.detect._guidance import ASK_OWNER, ROTATE
from audit_analytics.detect._tables import SECOND, WEEK, gather
from audit_analytics.detect._uses import count_first_uses, find_served, sum_uses
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import format_start, say_apis, say_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from audit_analytics.detect._rule_input import RuleInput

HIGH_IMPACT: Final = frozenset(
    {
        "app_control",
        "credential_reset",
        "drive_permission",
        "mail_admin",
        "mail_rule",
        "payroll_write",
        "role_grant",
        "session_control",
        "tenant_security",
        "user_lifecycle",
    }
)
"""Categories of the catalogue whose writes change who may do what: one call is enough."""

SHAPING: Final = frozenset(
    {
        "approval_action",
        "calendar_exchange",
        "chat_admin",
        "code_publish",
        "event_subscribe",
        "hr_write",
        "org_structure_write",
    }
)
"""Categories whose writes are told where nobody in the tenant was served the API before."""


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} changed who may do what with {apis} it never used before, {when} ({names}): "
        "{calls}.",
        entity=who,
        apis=ngettext("{n} API", "{n} APIs", len(hit.facts["apis"])),
        when=format_start(hit.start_at, zone),
        names=say_apis(hit.facts["apis"]),
        calls=say_calls(hit.observed),
    )


@rule(
    name="rule:high_impact_write",
    title=mark("High-impact change"),
    kind="sensitive_api",
    severity="high",
    sentence=_say,
    techniques=("T1098.003", "T1531"),
    benign=(
        mark("an administrator's script run once"),
        mark("a new release that manages members or permissions"),
    ),
    steps=(
        mark("Look at what was changed, and undo it if nobody asked for it."),
        mark("Check in the admin console who granted the app this scope, and when."),
        ASK_OWNER,
        ROTATE,
    ),
    place=70,
    begins=True,
    first_use=True,
)
def find_high_impact_write(data: RuleInput) -> Iterator[Hit]:
    """Find apps that change who may do what, with an API they were never served before."""
    new = count_first_uses(data, also=SHAPING)
    served = find_served(data.split_known()[0])
    told = new["category"].isin(SHAPING) & ~new["api"].isin(served["api"].unique())
    if told.any():
        told &= data.is_seldom(_count_shapers(data, served))
    told |= new["category"].isin(HIGH_IMPACT)
    new = new[told & (new["calls"] > new["denied"]) & _is_write(new)]
    new = new.sort_values(["first_at", "api"])
    named, kinds = (gather(new, ["app_id"], column) for column in ("api", "category"))
    everyday = _list_everyday(data, served) if len(new) else frozenset()
    for use in sum_uses(new, ["app_id"]).itertuples():
        apis = tuple(named[use.app_id])
        news = frozenset(kinds[use.app_id]) - everyday
        yield Hit(
            entity_type="app",
            entity=str(use.app_id),
            start_at=use.first_at,
            end_at=use.last_at + SECOND,
            observed=float(use.calls - use.denied),
            unit=mark("calls in the week"),
            alone=bool(news),
            severity="medium" if news.isdisjoint(HIGH_IMPACT) else None,
            facts={"apis": list(apis), "categories": sorted(kinds[use.app_id])},
            where={"app_id": (str(use.app_id),), "api": apis},
        )


def _list_everyday(data: RuleInput, served: pd.DataFrame) -> frozenset[str]:
    """Return the categories of high impact that some app takes to in every other week."""
    first = served[served["category"].isin(HIGH_IMPACT) & _is_write(served)]
    first = first.sort_values("first_at").drop_duplicates(["app_id", "api"])
    first = first.assign(week=(first["first_at"] - data.week.start_at) // WEEK)
    kind = first["category"].astype("str")
    earlier = {name: data.list_earlier(first[kind == name], "calls_count") for name in HIGH_IMPACT}
    return frozenset(name for name, found in earlier.items() if not data.is_seldom(len(found)))


def _count_shapers(data: RuleInput, served: pd.DataFrame) -> int:
    """Return how many apps of the history were the tenant's first to shape it in some way.

    In the log's first week every way is new, and says nothing of how often one is.
    """
    shaped = served[served["category"].isin(SHAPING) & _is_write(served)]
    first = shaped.sort_values("first_at").drop_duplicates("api")
    since = max(data.settled_at, data.panel.grid.hours[0])
    return int(first["app_id"][first["first_at"] >= since].nunique())


def _is_write(uses: pd.DataFrame) -> pd.Series:
    return ~uses["api"].isin([name for name in uses["api"].unique() if name.startswith("GET/")])
