"""Surprise group NEWNET: an app on a network it never used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from audit_analytics.cases import Hit
from audit_analytics.detect._group import PAIR_METHOD, PairGroup, new_pairs
from audit_analytics.detect._guidance import (
    NETWORK_BENIGN,
    NETWORK_STEPS,
    NETWORK_TECHNIQUES,
    NETWORK_TITLE,
)
from audit_analytics.language import _, join_sentences, label_entity, mark, ngettext
from audit_analytics.language.wording import format_start, list_names, say_beat, say_calls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from audit_analytics.detect._engine import Detection


CLEAR_RHYTHM: Final = 0.5
"""People score 0.5 (RITA's experience), and the app's own rhythm is already taken off."""


def _explain(
    detection: Detection, app: int, day: int, _severity_of_api: Mapping[str, str]
) -> Iterator[Hit]:
    pairs = new_pairs(detection.networks, detection, app, day)
    if pairs.empty:
        return
    app_id = str(detection.panel.apps[app])
    days = detection.panel.grid.days(0)
    every = detection.networks.pairs[detection.networks.pairs["app"] == app]
    names = tuple(pairs.sort_values("calls_count", ascending=False)["name"])
    yield Hit(
        detector="NEWNET",
        kind="unusual_ip",
        entity_type="app",
        entity=app_id,
        start_at=pairs["first_at"].min(),
        end_at=pairs["first_at"].max() + pd.Timedelta(days=1),
        observed=float(pairs["calls_count"].sum()),
        expected=0.0,
        unit=mark("calls from new networks in 24 hours"),
        p=float(detection.app_p["NEWNET"][app, day]),
        facts={
            "networks": list(names),
            "more_networks": int(every["day"].isin(days).sum()) - len(names),
            "foreign": int(pairs["foreignness"].max()),
            "at_home": bool(pairs["at_home"].all()),
            "gap_seconds": _find_beat(pairs),
        },
        where={"app_id": (app_id,), "network": names},
    )


def _find_beat(pairs: pd.DataFrame) -> float | None:
    """Return the seconds between calls where they are regular enough to be worth saying."""
    top = pairs.loc[pairs["rhythm"].idxmax()]
    return float(top["gap_seconds"]) if top["rhythm"] >= CLEAR_RHYTHM else None


def _say(hit: Hit, who: str, zone: str) -> str:
    values = {
        "entity": who,
        "networks": list_names([label_entity(n, "network") for n in hit.facts["networks"]]),
        "when": format_start(hit.start_at, zone),
        "calls": say_calls(hit.observed),
    }
    sentences = (
        _(
            "{entity} called from {networks}, which other apps of the tenant use, for the first "
            "time {when}: {calls} within 24 hours.",
            **values,
        ),
        _(
            "{entity} called from {networks}, a neighbour of networks the tenant uses, for the "
            "first time {when}: {calls} within 24 hours.",
            **values,
        ),
        _(
            "{entity} called from {networks}, where nobody in the tenant has called from before, "
            "for the first time {when}: {calls} within 24 hours.",
            **values,
        ),
    )
    at_home = _(
        "{entity} called from {networks}, of the provider and region it uses anyway, for the first "
        "time {when}: {calls} within 24 hours.",
        **values,
    )
    said = at_home if hit.facts.get("at_home") else sentences[hit.facts["foreign"]]
    said = say_beat(said, hit.facts.get("gap_seconds"))
    if more := hit.facts.get("more_networks"):
        other = ngettext(
            "On other days of the week it called from {n} more new network.",
            "On other days of the week it called from {n} more new networks.",
            more,
        )
        said = join_sentences([said, other])
    return said


NEWNET = PairGroup(
    name="NEWNET",
    title=NETWORK_TITLE,
    short=mark("new networks"),
    kind="unusual_ip",
    method=PAIR_METHOD,
    sentence=_say,
    techniques=NETWORK_TECHNIQUES,
    benign=NETWORK_BENIGN,
    steps=NETWORK_STEPS,
    begins=True,
    pairs="networks",
    young=True,
    explained=_explain,
    telling=2,
)
