"""Rule: find apps that read audit logs; it stands alone when they never did before.

In a log that begins in the report week whoever reads them in its first part is taken to do so always.

Examples
--------
>>> from audit_analytics import load
>>> api = "GET/open-apis/admin/v1/audit_infos"
>>> log = [{"id": "1", "event_time": 1794369600, "app_id": "cli_a", "api_key": api}]
>>> [(hit.entity, hit.facts["apis"]) for hit in find_audit_access(load(log))]
[('cli_a', ['GET/open-apis/admin/v1/audit_infos'])]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics.cases import Hit
from audit_analytics.detect._guidance import ROTATE
from audit_analytics.detect._tables import DAY, SECOND, cut, gather
from audit_analytics.detect._uses import find_served, sum_uses
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_apis, say_times, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from audit_analytics.detect._rule_input import RuleInput

FIRST_PART: Final = 0.25
"""Of the log, but a day at most."""


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} read audit logs {times} {when} ({names}).",
        entity=who,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        names=say_apis(hit.facts["apis"]),
    )


def _find_known(data: RuleInput) -> pd.Timestamp:
    """Return until when reading is usual."""
    begun_at, start_at = data.begun_at, data.week.start_at
    if begun_at < start_at:
        return start_at
    span = data.by_api["last_at"].max() - begun_at
    return begun_at + min(FIRST_PART * span, DAY)


@rule(
    name="rule:audit_access",
    title=mark("Audit logs read"),
    kind="sensitive_api",
    severity="high",
    sentence=_say,
    techniques=("T1526", "T1087.004"),
    benign=(mark("a SIEM or a compliance tool that was just connected"),),
    steps=(mark("Check who runs the app and why it needs the audit log."), ROTATE),
)
def find_audit_access(data: RuleInput) -> Iterator[Hit]:
    """Find apps that read audit logs; it stands alone when they never did before."""
    readers = data.by_api[data.by_api["category"] == "audit_access"]
    known = cut(find_served(readers), "bucket_at", end=_find_known(data))
    before = set(known["app_id"].astype("str"))
    week = data.in_week(readers).rename(
        columns={"calls_count": "calls", "permission_count": "denied"}
    )
    named = gather(week, ["app_id"], "api")
    for use in sum_uses(week, ["app_id"]).itertuples():
        apis = tuple(sorted(named[use.app_id]))
        yield Hit(
            entity_type="app",
            entity=str(use.app_id),
            start_at=use.first_at,
            end_at=use.last_at + SECOND,
            observed=float(use.calls),
            unit=mark("calls in the week"),
            alone=str(use.app_id) not in before,
            facts={"apis": list(apis)},
            where={"app_id": (str(use.app_id),), "api": apis},
        )
