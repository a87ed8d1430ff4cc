"""Rule: find hours in which most of an app's calls fail the same way, unlike before.

Examples
--------
>>> from audit_analytics import load
>>> failed = {"app_id": "cli_a", "api_key": "GET/x", "log_detail": {"status_code": 404}}
>>> log = [failed | {"id": f"{n}", "event_time": 1794369600 + n} for n in range(20)]
>>> [(hit.facts["outcome"], hit.observed) for hit in find_error_burst(load(log))]
[('not_found', 20.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._frame import WeekFrame
from audit_analytics.detect._guidance import ERRORS_BENIGN, ERRORS_STEPS, ERRORS_TITLE
from audit_analytics.detect._rates import outage_excess, usual_rate
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_calls, say_errors, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} met {errors} in {calls} within an hour {when}.",
        entity=who,
        errors=say_errors(hit.observed, hit.facts["outcome"]),
        calls=say_calls(hit.facts["calls"]),
        when=say_when(hit, zone),
    )


@rule(
    name="rule:error_burst",
    title=ERRORS_TITLE,
    kind="error_burst",
    severity="low",
    sentence=_say,
    benign=ERRORS_BENIGN,
    steps=ERRORS_STEPS,
)
def find_error_burst(data: RuleInput) -> Iterator[Hit]:
    """Find hours in which most of an app's calls fail the same way, unlike before."""
    grid, calls = data.panel.grid, data.panel.counts["calls"]
    frame = WeekFrame(data.panel, 0)
    for name in schema.ERROR_OUTCOMES:
        errors = data.panel.counts[name]
        rate = usual_rate(frame, errors)
        excess = outage_excess(data.panel, errors, rate)
        burst = (errors >= 20) & (errors > 0.5 * calls) & (errors > 5 * rate[:, None] * calls)
        burst[:, (excess > 0) | (grid.week != 0)] = False
        for app in np.flatnonzero(burst.any(axis=1)):
            hours = np.flatnonzero(burst[app])
            top = hours[errors[app, hours].argmax()]
            yield Hit(
                entity_type="app",
                entity=str(data.panel.apps[app]),
                start_at=grid.hours[hours[0]],
                end_at=grid.ends[hours[-1]],
                observed=float(errors[app, top]),
                expected=float(rate[app] * calls[app, top]),
                unit=mark("errors in an hour"),
                alone=False,
                facts={"outcome": name, "calls": int(calls[app, top]), "hours": len(hours)},
                where={"app_id": (str(data.panel.apps[app]),), "outcome": (name,)},
            )
