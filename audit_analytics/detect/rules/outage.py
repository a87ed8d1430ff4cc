"""Rule: find hours in which calls fail for everybody: the platform, not an app.

Examples
--------
>>> from audit_analytics import load
>>> failed = {"api_key": "GET/x", "log_detail": {"status_code": 500}}
>>> log = [
...     failed | {"id": f"{n}", "event_time": 1794369600, "app_id": f"cli_{n % 15}"}
...     for n in range(75)
... ]
>>> [(hit.facts["outcome"], hit.facts["apps"]) for hit in find_outage(load(log))]
[('server', 15)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import find_runs
from audit_analytics.detect._frame import WeekFrame
from audit_analytics.detect._rates import outage_excess, usual_rate
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, say_number
from audit_analytics.language.wording import say_apps, say_outcome, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} answered {share} % of all calls with {outcome} errors {when}, for {apps}.",
        entity=who,
        share=say_number(100 * hit.facts["share"]),
        outcome=say_outcome(hit.facts["outcome"]),
        when=say_when(hit, zone),
        apps=say_apps(hit.facts["apps"]),
    )


@rule(
    name="rule:outage",
    title=mark("Platform-wide errors"),
    kind="error_burst",
    severity="medium",
    sentence=_say,
    benign=(
        mark("an incident of the platform"),
        mark("an expired certificate on the tenant's own gateway"),
    ),
    steps=(
        mark("Check the platform's status page for these hours."),
        mark("Check the tenant's own gateway."),
    ),
    place=95,
)
def find_outage(data: RuleInput) -> Iterator[Hit]:
    """Find hours in which calls fail for everybody: the platform, not an app."""
    grid = data.panel.grid
    frame = WeekFrame(data.panel, 0)
    for name in schema.ERROR_OUTCOMES:
        errors = data.panel.counts[name]
        excess = outage_excess(data.panel, errors, usual_rate(frame, errors))
        failing = np.flatnonzero((excess > 0) & (grid.week == 0))
        for first, length in find_runs(failing):
            hours = slice(first, first + length)
            found = errors[:, hours]
            yield Hit(
                entity_type="tenant",
                entity="platform",
                start_at=grid.hours[first],
                end_at=grid.ends[first + length - 1],
                observed=float(found.sum()),
                unit=mark("errors in these hours"),
                facts={
                    "outcome": name,
                    "apps": int((found.sum(axis=1) > 0).sum()),
                    "share": float(found.sum() / data.panel.counts["calls"][:, hours].sum()),
                    "hours": length,
                },
                where={"outcome": (name,)},
            )
