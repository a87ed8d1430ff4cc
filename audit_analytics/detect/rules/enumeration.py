"""Rule: find apps that try many distinct objects of one API within two hours in vain.

The hourly counts do not know which objects of two hours are the same, so an object counts once an
hour. Who polls the same few missing objects all day is compared with the app's own hours before.

Examples
--------
>>> from audit_analytics import load
>>> api = "GET/open-apis/contact/v3/users/:user_id"
>>> log = [
...     {"id": f"{n}", "event_time": 1794369600 + n, "app_id": "cli_a", "api_key": api,
...      "log_detail": {"path": f"/open-apis/contact/v3/users/{n}", "status_code": 404}}
...     for n in range(40)
... ]
>>> [(hit.entity, hit.observed) for hit in find_enumeration(load(log))]
[('cli_a', 40.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import Field

from audit_analytics.cases import Hit
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._guidance import ASK_OWNER, ROTATE
from audit_analytics.detect._tables import SECOND, find_bursts, top_rows
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import say_when, show_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


REFUSALS: Final = ("not_found", "permission", "param", "other")
"""Answers to whoever guesses an object."""


class EnumerationThresholds(Thresholds):
    """Thresholds of this rule."""

    enumeration_objects: int = Field(
        30, ge=2, description="distinct objects of one API tried in vain within two hours"
    )


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} tried {objects} of {api} in vain {when}.",
        entity=who,
        objects=ngettext("{n} distinct object", "{n} distinct objects", hit.observed),
        api=show_api(hit.facts["api"]),
        when=say_when(hit, zone),
    )


@rule(
    name="rule:enumeration",
    title=mark("Object enumeration"),
    kind="error_burst",
    severity="high",
    sentence=_say,
    techniques=("T1087.004", "T1213"),
    benign=(mark("a clean-up job that walks through deleted objects"),),
    steps=(
        mark(
            "Look at the ids tried: rising or random ids are guesses, known ids are a stale list."
        ),
        ASK_OWNER,
        ROTATE,
    ),
    thresholds=EnumerationThresholds,
    place=40,
)
def find_enumeration(data: RuleInput) -> Iterator[Hit]:
    """Find apps that try many distinct objects of one API within two hours in vain."""
    failed, keys = "failed_objects_count", ["app_id", "api"]
    in_vain = data.by_api["objects_count"] - data.by_api["ok_objects_count"]
    # an object that an outage kept from answering was not guessed
    answers = data.by_api[[f"{name}_count" for name in REFUSALS]].sum(axis=1)
    table = data.by_api.assign(**{failed: np.minimum(in_vain, answers)})
    counts = [failed, "calls_count", *(f"{name}_count" for name in REFUSALS)]
    least = data.thresholds(EnumerationThresholds).enumeration_objects
    bursts = find_bursts(
        table[table[failed] > 0], keys, counts, least=least, start_at=data.week.start_at
    )
    earlier = data.list_earlier(bursts, failed)
    for row in top_rows(bursts[bursts["week"] == 0], keys, failed).itertuples():
        yield Hit(
            entity_type="app",
            entity=str(row.app_id),
            start_at=row.first_at,
            end_at=row.last_at + SECOND,
            observed=float(row.failed_objects_count),
            unit=mark("distinct objects within two hours"),
            alone=data.is_seldom((earlier >= row.failed_objects_count).sum()),
            facts={"api": str(row.api), "calls": int(row.calls_count), **_draw(row)},
            where={"app_id": (str(row.app_id),), "api": (str(row.api),)},
        )


def _draw(row: Any) -> dict[str, str]:  # noqa: ANN401 - a row of itertuples
    """Say what a plot of the finding shows: the answers that refused the objects."""
    refused = {name: getattr(row, f"{name}_count") for name in REFUSALS}
    return {"metric": max(refused, key=lambda name: refused[name])}
