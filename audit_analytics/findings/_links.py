"""What findings can share that is rare for the tenant: a foreign place, an object, a fresh grant.

What many have in common says nothing, so a thing counts here only where it is rare:

- a **place**: an app was answered from a network that it had never used before, that at most one
  app of the tenant had, and that few apps use now; such a place also makes its app shared between
  an address and others. What was refused touches nothing: anybody can try any app.
- an **object** that few apps opened in the week, as what their findings are about: who shares more
  with each other besides has work in common. Who opens everything shares with anybody, so a finding
  that rests on many objects shares none;
- a **scope** that few apps were granted lately.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit_analytics import schema
from audit_analytics.cases import EvidenceSource, Hit, find_covered
from audit_analytics.dates.weeks import Week
from audit_analytics.detect import cut
from audit_analytics.findings._evidence import mask_object, name_of_row
from audit_analytics.findings._finding import Finding
from audit_analytics.inventory import Inventory
from audit_analytics.review import read_hits

WINDOW: Final = pd.Timedelta(hours=72)
"""What lies further apart is not one story."""

MAX_KNOWN: Final = 1
"""Apps that may have used a network before; more make it an ordinary one."""

FEW: Final = 3
"""Apps that may share a thing this week, if they are not a fifth of all."""

MAX_OBJECTS: Final = 200
"""Who opens more is after all objects, not after one."""

MAX_PLACES: Final = 50

MAX_SHARED: Final = 20
"""Objects of the same apps that are looked at."""

MAX_ROWS: Final = 5000
"""Their calls."""


class Touch(NamedTuple):
    """A rare thing that somebody touched."""

    kind: str  # network, app, object or grant
    name: str  # which one; of an object something that says nothing
    first_at: pd.Timestamp  # when, UTC
    last_at: pd.Timestamp
    shown: str  # what may be shown of it


def is_near(one: Touch, other: Touch) -> bool:
    """Tell whether two touched the same thing within :data:`WINDOW`."""
    gap = max(one.first_at, other.first_at) - min(one.last_at, other.last_at)
    return one[:2] == other[:2] and gap <= WINDOW


@dataclass(frozen=True)
class Links:
    """The rare things of a week, and who touched them."""

    places: pd.DataFrame  # ``app_id``, ``ip``, ``network``, ``first_at`` and ``last_at``
    objects: dict[str, list[Touch]]  # by finding id, and by app
    grants: dict[str, list[Touch]]  # by app

    def list_calls(self, touches: Sequence[Touch]) -> list[Hit]:
        """Return which calls were made from the foreign places of a story: a hit an app and address."""
        named = {touch[:2] for touch in touches}
        first = min((touch.first_at for touch in touches), default=None)
        last = max((touch.last_at for touch in touches), default=None)
        hits = [
            _ask(
                row.first_at,
                row.last_at + pd.Timedelta(seconds=1),
                {"app_id": (str(row.app_id),), "ip": (str(row.ip),)},
            )
            for row in self.places.itertuples()
            if named & {("network", str(row.network)), ("app", str(row.app_id))}
            and row.first_at <= last + WINDOW
            and row.last_at >= first - WINDOW
        ]
        return hits[:MAX_PLACES]

    def list_touches(
        self,
        entity_type: str,
        entity: str,
        start_at: pd.Timestamp,
        end_at: pd.Timestamp,
        *,
        finding_id: str = "",
    ) -> list[Touch]:
        """List the rare things somebody touched within :data:`WINDOW` of a time."""
        column = {"app": "app_id", "ip": "ip", "network": "network"}.get(entity_type)
        rows = self.places[self.places[column] == entity] if column else self.places[:0]
        found = [
            Touch(kind, name, row.first_at, row.last_at, name)
            for row in rows.itertuples()
            for kind, name in (("network", str(row.network)), ("app", str(row.app_id)))
        ]
        found += self.objects.get(finding_id or entity, [])
        found += self.grants.get(entity, []) if entity_type == "app" else []
        return [
            touch
            for touch in found
            if touch.first_at <= end_at + WINDOW and touch.last_at >= start_at - WINDOW
        ]


def find_links(
    findings: Sequence[Finding],
    by_ip: pd.DataFrame,
    evidence: EvidenceSource,
    inventory: Inventory,
    *,
    week: Week,
) -> Links:
    """Find what is rare for the tenant in a week, and who touched it.

    Parameters
    ----------
    findings : sequence of Finding
        What is reported; with less than two nothing is read.
    by_ip : pandas.DataFrame
        Table :data:`audit_analytics.schema.CALLS_BY_IP` without what is known as an attack.
    evidence : EvidenceSource
        Where the rows are.
    inventory : Inventory
        Who the apps are.
    week : Week
        The report week.

    Returns
    -------
    Links
        The rare things.
    """
    if len(findings) < 2:
        return Links(_find_places(by_ip[:0], week), {}, {})
    return Links(
        _find_places(by_ip, week),
        _find_objects(findings, evidence, week),
        _find_grants(inventory, week),
    )


def _find_places(by_ip: pd.DataFrame, week: Week) -> pd.DataFrame:
    """Find where apps were answered for the first time, and hardly any app before them."""
    past = cut(by_ip, "bucket_at", end=week.start_at)
    past = past[["app_id", "network"]].drop_duplicates().astype("str")
    now = cut(by_ip, "bucket_at", week.start_at, week.end_at)
    apps_count = now["app_id"].nunique()
    places = now.groupby(["app_id", "ip", "network"], observed=True).agg(
        first_at=("first_at", "min"), last_at=("last_at", "max"), ok_count=("ok_count", "sum")
    )
    places = places[places["ok_count"] > 0].reset_index()
    places = places.astype({"app_id": "str", "ip": "str", "network": "str"})
    known = past.groupby("network")["app_id"].nunique()
    usual = pd.MultiIndex.from_frame(past)
    places = places[
        ~places["network"].isin(schema.NO_PLACE)
        & ~places["network"].isin(known[known > MAX_KNOWN].index)
        & ~pd.MultiIndex.from_frame(places[["app_id", "network"]]).isin(usual)
    ]
    users = places.groupby("network")["app_id"].transform("nunique")
    return places[users <= max(FEW, apps_count // 5)]


def _find_objects(
    findings: Sequence[Finding], evidence: EvidenceSource, week: Week
) -> dict[str, list[Touch]]:
    """Find the objects that several apps share in what their findings are about, and not besides."""
    about = [f for f in findings if 0 < f.objects["ok_count"] <= MAX_OBJECTS]
    apps = {f.entity for f in about if f.entity_type == "app"}
    apps |= {row["name"] for f in about for row in f.contributors["apps"]}
    if len(about) < 2 or len(apps) < 2:
        return {}
    rows = evidence.fetch_shared(
        apps,
        start=week.start_at,
        end=week.end_at,
        apps_max=FEW,
        objects_max=MAX_SHARED,
        rows_max=MAX_ROWS,
    )
    # where the catalogue does not know an API, its placeholders are guesses
    calls = rows[rows["category"] != "unknown"].astype({"app_id": "str"})
    calls = calls.assign(calls_count=1, first_at=calls["at"], last_at=calls["at"])
    covered = {f.finding_id: find_covered(read_hits(vars(f)), calls) for f in about}
    calls = calls[_list_rare(calls, np.logical_or.reduce([*covered.values()]))]
    found = {app: _touch(own) for app, own in calls.groupby("app_id")}
    for finding_id, own in covered.items():
        found[finding_id] = _touch(calls[own[calls.index]])
    return found


def _list_rare(calls: pd.DataFrame, covered: NDArray[np.bool_]) -> pd.Series:
    """Tell which calls are of objects that the same apps share as findings more than otherwise."""
    whole = pd.Series(covered, calls.index).groupby([calls["object"], calls["app_id"]]).all()
    objects = whole.groupby("object").sum() > 1
    apps = calls.groupby("object")["app_id"].agg(lambda own: (*sorted({*own}),))
    rare = objects & (objects.groupby(apps).transform("mean") > 1 / 2)
    return calls["object"].isin(rare.index[rare])


def _touch(calls: pd.DataFrame) -> list[Touch]:
    return [
        Touch(
            "object",
            str(number),
            own["at"].min(),
            own["at"].max(),
            mask_object(name_of_row(own.iloc[0].to_dict())),
        )
        for number, own in calls.groupby("object")
    ]


def _ask(start: pd.Timestamp, end: pd.Timestamp, where: dict[str, Any]) -> Hit:
    return Hit(
        entity_type="tenant",
        entity="",
        start_at=start,
        end_at=end,
        observed=0,
        unit="",
        where=where,
    )


def _find_grants(inventory: Inventory, week: Week) -> dict[str, list[Touch]]:
    """Find the scopes that few apps were granted in the week or shortly before it."""
    fresh = [
        (app.app_id, grant.scope, pd.Timestamp(at))
        for app in inventory.apps.values()
        for grant in app.grants
        if (at := app.granted_at(grant.scope)) is not None
        and week.start_at - WINDOW <= at < week.end_at
    ]
    count = pd.Series([scope for _, scope, _ in fresh], dtype="str").value_counts()
    found: dict[str, list[Touch]] = {}
    for app_id, scope, at in fresh:
        if count[scope] <= FEW:
            found.setdefault(app_id, []).append(Touch("grant", scope, at, at, scope))
    return found
