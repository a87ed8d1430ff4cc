"""Rule: find apps that use a sensitive API for the first time.

It stands alone where an app without any past in a critical category was answered there.

Examples
--------
>>> from audit_analytics import load
>>> from audit_analytics.detect import RuleInput
>>> api = "GET/open-apis/payroll/v1/payment_activitys"
>>> log = [{"id": "1", "event_time": 1793000000, "app_id": "cli_a", "api_key": "GET/x"}]
>>> log += [{"id": "2", "event_time": 1794369600, "app_id": "cli_a", "api_key": api}]
>>> hits = find_first_sensitive(RuleInput.from_events(load(log), week="2026-W46"))
>>> [(hit.entity, hit.alone) for hit in hits]
[('cli_a', True)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics.cases import Hit
from audit_analytics.detect._guidance import SENSITIVE_BENIGN, SENSITIVE_STEPS
from audit_analytics.detect._tables import SECOND, gather, is_known
from audit_analytics.detect._uses import count_first_uses, find_served, sum_uses
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import format_start, say_apis, say_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


def _say(hit: Hit, who: str, zone: str) -> str:
    count = len(hit.facts["apis"])
    if hit.facts["critical"]:
        kinds = ngettext("{n} critical API", "{n} critical APIs", count)
    else:
        kinds = ngettext("{n} sensitive API", "{n} sensitive APIs", count)
    return _(
        "{entity} used {apis} for the first time {when} ({names}): {calls}.",
        entity=who,
        apis=kinds,
        when=format_start(hit.start_at, zone),
        names=say_apis(hit.facts["apis"]),
        calls=say_calls(hit.observed),
    )


MOST_USES: Final = 1000
"""More apps that use something for the first time are a flood."""


@rule(
    name="rule:first_sensitive",
    title=mark("First use of a sensitive API"),
    kind="sensitive_api",
    severity="medium",
    sentence=_say,
    techniques=("T1213", "T1526"),
    benign=SENSITIVE_BENIGN,
    steps=SENSITIVE_STEPS,
    begins=True,
    first_use=True,
)
def find_first_sensitive(data: RuleInput) -> Iterator[Hit]:
    """Find apps that use a sensitive API for the first time."""
    if not data.has_history:
        return
    new = count_first_uses(data)
    # one more API of a kind that the app is used for is a release, not a break-in; a critical
    # API that only denied is probing, and the rule for that says so
    served = find_served(data.before_week(data.by_api))
    kind_is_new = ~is_known(new, served, ["app_id", "category"])
    critical = (new["severity"] == "critical") & (new["calls"] > new["denied"]) & kind_is_new
    new = new.assign(critical=critical).sort_values(["first_at", "api"])
    keys = ["app_id", "critical"]
    named = gather(new, keys, "api")
    uses = sum_uses(new, keys)
    if len(uses) > MOST_USES:
        # ids of a few calls: there is no finding that this could support
        uses = uses[uses["critical"] | uses["app_id"].isin(data.panel.apps)]
    for use in uses.itertuples():
        apis = tuple(named[use.app_id, use.critical])
        yield Hit(
            entity_type="app",
            entity=str(use.app_id),
            start_at=use.first_at,
            end_at=use.last_at + SECOND,
            observed=float(use.calls),
            unit=mark("calls in the week"),
            severity="high" if use.critical else "medium",
            alone=bool(use.critical),
            facts={"apis": list(apis), "critical": bool(use.critical)},
            where={"app_id": (str(use.app_id),), "api": apis},
        )
