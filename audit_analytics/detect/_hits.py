"""Turn the engine's p-values into hits: which surprise, when, how much, against what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.cases import Case, Hit, name_entity
from audit_analytics.detect._alike import part_alike
from audit_analytics.detect._budget import count_places
from audit_analytics.detect._calibrate import CLEAR_P
from audit_analytics.detect._detectors import list_detectors
from audit_analytics.detect._group import (
    ApiGroup,
    AppGroup,
    BirthGroup,
    IpGroup,
    MixtureGroup,
    WeekGroup,
)
from audit_analytics.detect._reasons import MAX_P, MIN_PART, is_rare, order_equals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from audit_analytics.detect._engine import Detection

RARER: Final = 0.5
"""Than every other week."""


def find_hits(
    detection: Detection,
    *,
    budget: float,
    severity_of_api: Mapping[str, str],
    told: Collection[tuple[str, str]] = (),
) -> list[Hit]:
    """List all that speaks for every case within the alarm budget.

    Parameters
    ----------
    detection : Detection
        What the engine found.
    budget : float
        False alarms a week; :func:`audit_analytics.detect._budget.count_places` says how many cases
        are told.
    severity_of_api : mapping of str to str
        Policy severity of each API seen.
    told : collection of tuple of str, optional
        Entity type and entity of whom a rule tells anyway: they take no place of others.

    Returns
    -------
    list of Hit
        What is clear of each case, the least probable first; where nothing is, what is rare, or
        how it all comes together. :func:`audit_analytics.detect._reasons.choose_reasons` makes
        the finding's reasons of them.
    """
    ordinary = detection.ordinary
    rare = [case for case in detection.cases if is_rare(case, budget=budget, ordinary=ordinary)]
    explained = [(case, [*explain_case(detection, case, severity_of_api)]) for case in rare]
    others = [one for one in explained if name_entity(one[0]) not in told]
    places = count_places(len(others), budget=budget, told=len(told), quiet=detection.quiet)
    hits, left = part_alike(others, most=places)
    hits += [hit for case, own in explained if name_entity(case) in told for hit in own]
    for group in list_detectors(WeekGroup):
        hits += group.explained(detection, left)
    return hits


def list_parts(detection: Detection) -> dict[str, dict[str, float]]:
    """List how rare each app's week is to every detector by itself.

    Parameters
    ----------
    detection : Detection
        What the engine found.

    Returns
    -------
    dict of str to dict
        By app and detector, how probable a week is that holds a day like its worst; what is no
        rarer than every other week is left out.
    """
    days = detection.tested.sum(axis=1)
    found: dict[str, dict[str, float]] = {str(app): {} for app in detection.panel.apps}
    for group in detection.groups:
        weekly = 1 - (1 - detection.app_p[group.name].min(axis=1)) ** days
        for app in np.flatnonzero((weekly < RARER) & (days > 0)):
            found[str(detection.panel.apps[app])][group.name] = float(weekly[app])
    return found


def explain_case(
    detection: Detection, case: Case, severity_of_api: Mapping[str, str]
) -> Iterator[Hit]:
    """Say what speaks for a case, within the alarm budget or not.

    Parameters
    ----------
    detection : Detection
        What the engine found.
    case : Case
        One of its cases.
    severity_of_api : mapping of str to str
        Policy severity of each API seen.

    Returns
    -------
    iterator of Hit
        The least probable first.
    """
    if case.entity_type == "app":
        app = int(detection.panel.apps.get_loc(case.entity))
        if detection.newborns.tested[app].any():
            return _explain_newborn(detection, app, severity_of_api)
        return _explain_app(detection, case, severity_of_api)
    if case.entity_type == "ip":
        return _explain_ip(detection, case)
    return (hit for group in list_detectors(ApiGroup) for hit in group.explained(detection, case))


def _explain_app(
    detection: Detection, case: Case, severity_of_api: Mapping[str, str]
) -> Iterator[Hit]:
    app = int(detection.panel.apps.get_loc(case.entity))
    least = {group: detection.app_p[group.name][app].min() for group in detection.groups}
    unmatched = {g for g, p in least.items() if p <= detection.resolution.get(g.name, 0.0)}
    speaking = {group: p for group, p in least.items() if p <= CLEAR_P or group in unmatched}
    worst = int(detection.far["joint"][app].argmax())
    mixtures = list_detectors(MixtureGroup)
    first = detection.app_p["a"][app, worst] <= detection.app_p["b"][app, worst]
    if not speaking and (first or not mixtures):
        # the past of a small tenant is too short for any p below CLEAR_P
        rarest = min(least, key=lambda group: least[group])
        speaking = {g: p for g, p in least.items() if p < MAX_P} or {rarest: least[rarest]}
    for group in _rank_groups(detection, app, speaking, unmatched):
        day = int(detection.far[group.name][app].argmax())
        for hit in group.explain(detection, app, day, severity_of_api):
            yield replace(hit, unmatched=group in unmatched)
    if not speaking:
        yield mixtures[0].explained(detection, app)


def _rank_groups(
    detection: Detection,
    app: int,
    least: Mapping[AppGroup, float],
    unmatched: Collection[AppGroup],
) -> list[AppGroup]:
    """Order the groups by p-value, and equals by how specific they are.

    What counts too small a part of the greatest excess says too little of it ("called X 12 times"
    of an app that grew twentyfold, "met 4 errors" of one that called 3,000 times more). A new
    pair has no count that could be excessive.
    """
    excess = dict.fromkeys(least, np.inf)
    for group in least:
        if group.name in detection.surprises:
            seen = detection.surprises[group.name]
            day = detection.far[group.name][app].argmax()
            excess[group] = float(seen.observed[app, day] - seen.expected[app, day])

    def rank(group: AppGroup, equals: list[AppGroup]) -> tuple[bool, int]:
        greatest = max((excess[e] for e in equals if np.isfinite(excess[e])), default=0.0)
        return excess[group] < MIN_PART * greatest, group.telling

    return order_equals(least, rank, unmatched)


def _explain_newborn(
    detection: Detection, app: int, severity_of_api: Mapping[str, str]
) -> Iterator[Hit]:
    found: list[Hit] = []
    for group in detection.groups:
        p = detection.app_p[group.name][app]
        if group.young and p.min() <= CLEAR_P:
            found += group.explain(detection, app, int(p.argmin()), severity_of_api)
    for birth in list_detectors(BirthGroup):
        hit = birth.explained(detection, app)
        # its network is told once, by whoever names it
        if not found or hit.kind != "unusual_ip":
            found.append(hit)
    # a network new to an app that is new itself, where others call from, is the least to tell
    plain = [hit.facts.get("foreign") == 0 for hit in found]
    most = max((hit.observed for hit, of in zip(found, plain, strict=True) if not of), default=0.0)

    # where somebody calls from tells more than how much, unless most of it came from elsewhere
    def rank(place: int, _equals: list[int]) -> tuple[bool, bool, int]:
        hit = found[place]
        small = hit.observed < MIN_PART * most and hit.facts.get("foreign") != 2
        return plain[place], small, place

    rarity = {place: hit.p or 0.0 for place, hit in enumerate(found)}
    for place in order_equals(rarity, rank):
        yield found[place]


def _explain_ip(detection: Detection, case: Case) -> Iterator[Hit]:
    days = detection.ip_days[detection.ip_days["ip"] == case.entity]
    row = days.loc[days["p"].idxmin()]
    grid = detection.panel.grid
    start, end = grid.day_span(int(row["day"]))
    groups = list_detectors(IpGroup)
    least = min(float(row[f"p_{group.name}"]) for group in groups)
    for group in groups:
        if row[f"p_{group.name}"] <= (CLEAR_P if least <= CLEAR_P else max(least, MAX_P)):
            yield Hit(
                detector=group.name,
                kind=group.kind,
                entity_type="ip",
                entity=case.entity,
                start_at=start,
                end_at=end,
                observed=float(row[group.observed]),
                unit=group.unit,
                p=float(row[f"p_{group.name}"]),
                facts={"apps": int(row["apps_count"]), "calls": int(row["calls_count"])},
                where={"ip": (case.entity,), **group.where},
            )
