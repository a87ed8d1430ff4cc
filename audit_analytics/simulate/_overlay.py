"""Lay labelled attacks over a copy of any log, simulated or real."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit_analytics.catalogue import Catalogue
from audit_analytics.dates.weeks import Week
from audit_analytics.errors import DataIncompleteError
from audit_analytics.simulate._attacks import SCENARIOS, find_scenario
from audit_analytics.simulate._items import draw_ids, write_items
from audit_analytics.simulate._rows import DAY, HOUR
from audit_analytics.simulate._targets import Target, profile_target
from audit_analytics.source import concat_events, find_network, read_log

_TRIES = 50


@dataclass(frozen=True)
class Plan:
    """An attack that will be made: the same target and start at every size."""

    scenario: str
    target: Target
    start: int  # when it starts, epoch seconds
    seed: tuple[int, ...]  # its source of randomness


@dataclass(frozen=True)
class Attack:
    """An attack of one size.

    Parameters
    ----------
    plan : Plan
        What was planned.
    size : float
        Factor on its calls.
    rows : pandas.DataFrame
        Its calls, rising in time, with the columns of ``_rows.COLUMNS``.
    foreign : frozenset of str
        Addresses it used that the log does not know.
    """

    plan: Plan
    size: float
    rows: pd.DataFrame
    foreign: frozenset[str]

    @property
    def entities(self) -> list[tuple[str, str]]:
        """Name whom a finding has to be about: the target, if it gives it away, and foreign addresses."""
        foreign = [("ip", ip) for ip in sorted(self.foreign)]
        own = [("app", self.plan.target.app_id)]
        return foreign if find_scenario(self.plan.scenario).entity_type == "ip" else own + foreign

    @property
    def start_at(self) -> pd.Timestamp:
        """Return when its first call was made, or the first was missing, in UTC."""
        first = self.rows["time"].min() if len(self.rows) else self.plan.start
        return pd.Timestamp(int(first), unit="s", tz="UTC")


def profile_apps(events: pd.DataFrame, week: Week, *, leave_out: str = "") -> list[Target]:
    """Describe every app by its calls before the week of the attacks.

    Parameters
    ----------
    events : pandas.DataFrame
        Table :data:`audit_analytics.schema.EVENTS`.
    week : Week
        The week.
    leave_out : str, default=''
        An app id that is no target.

    Returns
    -------
    list of Target
        In the order of the app ids.

    Raises
    ------
    DataIncompleteError
        The log has no calls before the week: there is no habit to differ from.
    """
    past = events[(events["at"] < week.start_at) & ~events["app_id"].isin(["", leave_out])]
    if past.empty:
        raise DataIncompleteError(
            f"the log has no calls before {week.iso}; attacks are laid on apps with a history. "
            "Fetch more of the log, or name a later week"
        )
    rows = past[["app_id", "api", "ip"]].astype("str")
    rows = rows.assign(time=_seconds(past["at"]), object=past["object"])
    peers = tuple(sorted(rows["app_id"].unique()))
    return [profile_target(own, peers=peers) for _, own in rows.groupby("app_id")]


def plan_attacks(
    names: Sequence[str],
    targets: list[Target],
    week: Week,
    *,
    end_at: pd.Timestamp,
    avoid: Collection[str] = (),
    seed: int = 0,
) -> dict[str, Plan]:
    """Choose a target and a start for each scenario that an app of this log fits.

    Parameters
    ----------
    names : sequence of str
        Names of :data:`SCENARIOS`.
    targets : list of Target
        The apps.
    week : Week
        When the attacks are made.
    end_at : pandas.Timestamp
        When the log ends, UTC; the attacks end before.
    avoid : collection of str
        Apps that are no targets.
    seed : int, default=0
        Source of randomness; a scenario's target does not depend on which others are asked for,
        unless both would have taken the same app.

    Returns
    -------
    dict of str to Plan
        By scenario, each on an app of its own if there are enough; those that fit no app, or
        would outlast the log, are left out.
    """
    plans: dict[str, Plan] = {}
    taken: set[str] = set()
    for name in names:
        own_seed = (seed, list(SCENARIOS).index(name))
        rng = np.random.default_rng(own_seed)
        fitting = find_scenario(name).choose(targets, int(week.start_at.timestamp()))
        fitting = [target for target in fitting if target.app_id not in avoid]
        free = [target for target in fitting if target.app_id not in taken] or fitting
        if not free:
            continue
        target = free[int(rng.integers(len(free)))]
        start = _choose_start(name, target, week, end_at, rng)
        if start is not None:
            taken.add(target.app_id)
            plans[name] = Plan(name, target, start, own_seed)
    return plans


def _choose_start(
    name: str, target: Target, week: Week, end_at: pd.Timestamp, rng: np.random.Generator
) -> int | None:
    scenario, hours = find_scenario(name), week.hours
    local = hours.tz_convert(week.zone).hour
    fits = (local >= scenario.between[0]) & (local <= scenario.between[1])
    fits &= hours + pd.Timedelta(hours=scenario.hours + 1) <= end_at
    starts = _seconds(pd.Series(hours[fits])).to_numpy()
    asleep = starts[starts > target.last + 30.5 * DAY]
    starts = asleep if len(asleep) else starts
    return int(rng.choice(starts)) + int(rng.integers(HOUR)) if len(starts) else None


def group_attacks(plans: Iterable[Plan], *, at_most: int) -> list[list[Plan]]:
    """Share out attacks over runs, no two of a run on the same app.

    Parameters
    ----------
    plans : iterable of Plan
        The attacks.
    at_most : int
        Attacks of one run.

    Returns
    -------
    list of list of Plan
        As few runs as it takes to place them one after the other.
    """
    groups: list[list[Plan]] = []
    for plan in plans:
        for group in groups:
            taken = {other.target.app_id for other in group}
            if len(group) < at_most and plan.target.app_id not in taken:
                group.append(plan)
                break
        else:
            groups.append([plan])
    return groups


def make_attacks(
    plans: Iterable[Plan], events: pd.DataFrame, *, size: float, end_at: pd.Timestamp
) -> list[Attack]:
    """Make the calls of attacks that are laid over the same log.

    Parameters
    ----------
    plans : iterable of Plan
        The attacks.
    events : pandas.DataFrame
        The log.
    size : float
        Factor on the calls of every attack.
    end_at : pandas.Timestamp
        When the log ends, UTC.

    Returns
    -------
    list of Attack
        In the order of `plans`; no two come from the same foreign network, or each would make
        the other's less foreign.
    """
    attacks: list[Attack] = []
    known, used = set(events["ip"].cat.categories), set(events["network"].cat.categories)
    for plan in plans:
        for attempt in range(_TRIES):
            rng = np.random.default_rng([*plan.seed, attempt])
            rows = find_scenario(plan.scenario).inject(rng, plan.target, plan.start, size)
            rows = rows[rows["time"] < end_at.timestamp()].sort_values("time", kind="stable")
            foreign = frozenset(rows["ip"]) - known
            places = {find_network(ip) for ip in foreign}
            if used.isdisjoint(places):
                break
        used |= places
        attacks.append(Attack(plan, size, rows.reset_index(drop=True), foreign))
    return attacks


def lay_over(
    events: pd.DataFrame, attacks: Sequence[Attack], *, catalogue: Catalogue | None = None
) -> pd.DataFrame:
    """Return a copy of a log with attacks in it, read as if the API had sent them.

    Parameters
    ----------
    events : pandas.DataFrame
        Table :data:`audit_analytics.schema.EVENTS`; stays as it is.
    attacks : sequence of Attack
        The attacks.
    catalogue : Catalogue, optional
        The APIs and their sensitivity; as shipped unless given.

    Returns
    -------
    pandas.DataFrame
        Table ``EVENTS``, hostile calls last; their ids begin with ``drill-``.
    """
    for attack in attacks:
        scenario, own = find_scenario(attack.plan.scenario), attack.plan.target.app_id
        if scenario.removes:
            end_at = attack.start_at + pd.Timedelta(hours=scenario.hours * attack.size)
            silent = events["at"].between(attack.start_at, end_at, inclusive="left")
            events = events[~(silent & (events["app_id"] == own))]
    rows = pd.concat([attack.rows for attack in attacks], ignore_index=True)
    if rows.empty:
        return events
    rows = rows.sort_values("time", kind="stable", ignore_index=True)
    rows = rows.assign(id=draw_ids(rows["time"].to_numpy(), np.random.default_rng(0)))
    noise, undated = np.ones((len(rows), 2)), np.zeros(len(rows), dtype=bool)
    items = [
        item | {"id": f"drill-{item['id']}"}
        for item in write_items(rows, spelling={}, noise=noise, undated=undated)
    ]
    hostile = read_log(items, catalogue=catalogue).events
    # a store may hold addresses hashed, which an item cannot
    places = events[["ip", "network"]].drop_duplicates().astype("str").set_index("ip")["network"]
    ip = hostile["id"].map({item["id"]: item["ip"] for item in items}).astype("str")
    network = ip.map(places.to_dict()).fillna(hostile["network"].astype("str"))
    hostile = hostile.assign(ip=ip.astype("category"), network=network.astype("category"))
    return concat_events([events, hostile])


def _seconds(at: pd.Series) -> pd.Series:
    return (at - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
