"""Rule: find apps that delete far more within two hours than they ever did.

Reading too much can be asked about on Monday; what is deleted is gone. So the first mass deletion
of an app with a past is told whatever else it does, unless ordinary weeks bring as large ones.

Examples
--------
>>> from audit_analytics import load
>>> from audit_analytics.detect import RuleInput
>>> remove = {"app_id": "cli_a", "api_key": "DELETE/open-apis/drive/v1/files/:file_token"}
>>> log = [{"id": "x", "event_time": 1793000000, "app_id": "cli_a", "api_key": "GET/x"}]
>>> log += [remove | {"id": f"{n}", "event_time": 1794369600 + n} for n in range(40)]
>>> log = [row | {"log_detail": {"status_code": 200}} for row in log]
>>> data = RuleInput.from_events(load(log), week="2026-W46")
>>> [(hit.entity, hit.observed) for hit in find_mass_delete(data)]
[('cli_a', 40.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from audit_analytics.cases import Hit
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._guidance import ASK_OWNER, ROTATE
from audit_analytics.detect._tables import SECOND, find_bursts, gather, top_rows
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_apis, say_calls, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput

CATEGORY = "destructive"


class MassDeleteThresholds(Thresholds):
    """Thresholds of this rule."""

    mass_delete_calls: int = Field(
        30, ge=2, description="calls that deleted something within two hours"
    )


def _say(hit: Hit, who: str, zone: str) -> str:
    values = {
        "entity": who,
        "calls": say_calls(hit.observed),
        "when": say_when(hit, zone),
        "names": say_apis(hit.facts["apis"]),
    }
    if hit.facts["first"]:
        return _(
            "{entity} deleted with {calls} {when}, which it never did before ({names}).", **values
        )
    return _(
        "{entity} deleted with {calls} {when}, more than three times what it ever did within two "
        "hours ({names}).",
        **values,
    )


@rule(
    name="rule:mass_delete",
    title=mark("Mass deletion"),
    kind="sensitive_api",
    severity="high",
    sentence=_say,
    techniques=("T1485",),
    benign=(
        mark("a clean-up job that ran for the first time"),
        mark("a migration that removes what it has moved"),
    ),
    steps=(
        mark("Look at what was deleted, and restore it while it is still in the trash."),
        ASK_OWNER,
        ROTATE,
    ),
    thresholds=MassDeleteThresholds,
    place=65,
)
def find_mass_delete(data: RuleInput) -> Iterator[Hit]:
    """Find apps that delete far more within two hours than they ever did."""
    rows = data.by_api[(data.by_api["category"] == CATEGORY) & (data.by_api["ok_count"] > 0)]
    # whatever an app does in its first week is more than it ever did: BIRTH judges that
    rows = rows[rows["app_id"].isin(data.last_seen.index)]
    least = data.thresholds(MassDeleteThresholds).mass_delete_calls
    bursts = find_bursts(rows, ["app_id"], ["ok_count"], least=least, start_at=data.week.start_at)
    earlier = data.list_earlier(bursts, "ok_count")
    deleted = data.in_week(rows).sort_values("ok_count", ascending=False, kind="stable")
    named = gather(deleted, ["app_id"], "api")
    deleters = {*rows.loc[rows["bucket_at"] < data.week.start_at, "app_id"]}
    for row in top_rows(bursts[bursts["week"] == 0], ["app_id"], "ok_count").itertuples():
        apis = tuple(named[row.app_id])
        yield Hit(
            entity_type="app",
            entity=str(row.app_id),
            start_at=row.first_at,
            end_at=row.last_at + SECOND,
            observed=float(row.ok_count),
            unit=mark("calls that deleted something within two hours"),
            alone=data.is_seldom((earlier >= row.ok_count).sum()),
            facts={"apis": list(apis), "first": row.app_id not in deleters},
            where={"app_id": (str(row.app_id),), "api": apis},
        )
