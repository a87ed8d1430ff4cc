"""A seeded tenant: honest apps of several kinds, incidents, and labelled attacks over them."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.random import Generator as Rng

from audit_analytics.errors import ConfigError
from audit_analytics.schema import AT
from audit_analytics.simulate import _items as wire
from audit_analytics.simulate._attacks import Scenario, find_scenario
from audit_analytics.simulate._profiles import App, make_app
from audit_analytics.simulate._rows import (
    COLUMNS,
    DAY,
    HOLIDAYS,
    HOUR,
    Clock,
    categorise,
    make_clock,
)
from audit_analytics.simulate._targets import Target, profile_target
from audit_analytics.simulate._traffic import Incident, change_app, simulate_calls, suffer_outage

END: Final = date(2026, 11, 15)
"""Last day of the log unless set: the Sunday of ISO week 2026-W46."""

ATTACKS: Final = (
    "stolen_credential",
    "id_enumeration",
    "permission_probing",
    "credential_stuffing",
    "off_hours_export",
    "dormant_wakes",
)
"""The attacks of a tenant unless set."""

_LEAST_APPS: Final = 10
_UNDATED_COUNT: Final = 3


@dataclass(frozen=True)
class Company:
    """A simulated tenant and its log.

    Parameters
    ----------
    calls : pandas.DataFrame of shape (n, 9)
        Every call, rising in time: the columns of ``_rows.COLUMNS``, `id` and `attack` (position in
        `labels`, -1 for honest calls).
    labels : pandas.DataFrame
        One row an attack, with ``LABELS``; instants in UTC.
    incidents : pandas.DataFrame
        One row an honest incident: kind, app_id, start_at, end_at (UTC).
    apps : tuple of App
        The apps, in order.
    settings : dict
        The arguments the tenant was made with.
    zone : str
        IANA name of the tenant's zone.
    """

    calls: pd.DataFrame
    labels: pd.DataFrame
    incidents: pd.DataFrame
    apps: tuple[App, ...]
    settings: dict[str, Any]
    zone: str
    _noise_seed: np.random.SeedSequence = field(repr=False)

    def items(
        self, *, start: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Write the log as the API would answer it; ``source.read_log`` takes a list of it.

        Parameters
        ----------
        start, end : int, optional
            First second, and the second after the last, epoch; the whole log unless given.

        Yields
        ------
        dict
            One item a call, rising in time.
        """
        rng = np.random.default_rng(self._noise_seed)
        noise = rng.random((len(self.calls), 2))
        honest = np.flatnonzero(self.calls["attack"].to_numpy() < 0)
        undated = np.zeros(len(self.calls), dtype=bool)
        undated[rng.choice(honest, size=min(_UNDATED_COUNT, len(honest)), replace=False)] = True
        time = self.calls["time"].to_numpy()
        first = 0 if start is None else int(np.searchsorted(time, start))
        last = len(time) if end is None else int(np.searchsorted(time, end))
        yield from wire.write_items(
            self.calls.iloc[first:last],
            spelling={app.app_id: app.spelling for app in self.apps},
            noise=noise[first:last],
            undated=undated[first:last],
        )


def simulate_company(
    *,
    seed: int = 0,
    apps: int = 60,
    weeks: int = 5,
    attacks: Sequence[str] = ATTACKS,
    end: date | None = None,
    tenant_zone: str = "Asia/Shanghai",
    attack_size: float = 1.0,
    volume: float = 1.0,
    harsh: bool = False,
    holidays: Collection[date] = HOLIDAYS,
    working_days: Collection[date] = (),
) -> Company:
    """Simulate a tenant's log with attacks in its last seven days.

    Every app draws from its own stream of random numbers, so one app more changes no other app.

    Parameters
    ----------
    seed : int, default=0
        The same seed gives the same bytes.
    apps : int, default=60
        Number of apps, 10 at least.
    weeks : int, default=5
        Length of the log.
    attacks : sequence of str, default=ATTACKS
        Names of :data:`SCENARIOS`; one attack each, on different apps where there are enough.
    end : datetime.date, optional
        Last day of the log in the tenant's zone; :data:`END` unless given.
    tenant_zone : str, default='Asia/Shanghai'
        IANA name of the zone people work in.
    attack_size, volume : float, default=1.0
        Factors on the calls of every attack, and on the honest calls: 1 is about 62 an app and day.
    harsh : bool, default=False
        Three times as many honest incidents.
    holidays : collection of datetime.date, default=HOLIDAYS
        Weekdays on which nobody works.
    working_days : collection of datetime.date, default=()
        Weekend days that are worked.

    Returns
    -------
    Company
        The tenant.

    Raises
    ------
    ConfigError
        An argument is out of range, an attack is unknown, or no app fits one.

    Examples
    --------
    >>> company = simulate_company(apps=10, weeks=2, attacks=["id_enumeration"])
    >>> company.labels[["scenario", "rows_count"]].values.tolist()
    [['id_enumeration', 170]]
    """
    _check(seed=seed, apps=apps, weeks=weeks, attack_size=attack_size, volume=volume)
    for name in attacks:
        find_scenario(name)
    end = end or END
    clock = make_clock(
        end=end, weeks=weeks, zone=tenant_zone, holidays=holidays, working_days=working_days
    )
    tenant, attacker, noise = np.random.SeedSequence(seed).spawn(3)
    outage = _draw_outage(clock, np.random.default_rng(tenant))
    members: list[App] = []
    parts: list[pd.DataFrame] = []
    happened = [outage] if outage else []
    for index in range(apps):
        stream = np.random.SeedSequence(seed, spawn_key=(3, index))
        rng = np.random.default_rng(stream)
        app = make_app(index, rng, clock, volume=volume)
        rows, incidents = change_app(app, simulate_calls(app, clock, rng), clock, rng, harsh=harsh)
        if outage and rng.random() < 0.85:
            rows = suffer_outage(rows, outage.start_at, outage.end_at, rng)
        members.append(app)
        parts.append(rows)
        happened += incidents
    rng = np.random.default_rng(attacker)
    honest = categorise(pd.concat(parts, ignore_index=True))
    calls, labels = lay_attacks(honest, attacks, clock, size=attack_size, rng=rng)
    return Company(
        calls=_finish(calls, clock, rng),
        labels=labels,
        incidents=_tabulate(happened),
        apps=tuple(members),
        settings={
            "seed": seed,
            "apps": apps,
            "weeks": weeks,
            "attacks": list(attacks),
            "end": end.isoformat(),
            "tenant_zone": tenant_zone,
            "attack_size": attack_size,
            "volume": volume,
            "harsh": harsh,
            "holidays": sorted(day.isoformat() for day in holidays),
        }
        # a tenant without them is described as it always was
        | ({"working_days": sorted(map(str, working_days))} if working_days else {}),
        zone=tenant_zone,
        _noise_seed=noise,
    )


def _check(*, seed: int, apps: int, weeks: int, attack_size: float, volume: float) -> None:
    if seed < 0:
        raise ConfigError(f"seed: {seed} is negative; use 0 or more")
    if apps < _LEAST_APPS:
        raise ConfigError(f"apps: {apps} are too few for a tenant; use {_LEAST_APPS} or more")
    if not 1 <= weeks <= 104:
        raise ConfigError(f"weeks: {weeks} is out of range; use 1 to 104")
    for name, value in (("attack_size", attack_size), ("volume", volume)):
        if not 0 < value <= 1000:
            raise ConfigError(f"{name}: {value} is out of range; use more than 0, at most 1000")


def _draw_outage(clock: Clock, rng: Rng) -> Incident | None:
    """Return the platform's bad afternoon, in the middle of the history."""
    middle = (clock.starts - clock.start) // (7 * DAY) == (clock.week[-1] // 2)
    hours = clock.starts[middle & ~clock.off & np.isin(clock.hour, range(10, 17))]
    if clock.week[-1] == 0 or not len(hours):
        return None
    start = int(rng.choice(hours)) + int(rng.integers(HOUR))
    return Incident("outage", "", start, start + int(rng.uniform(1, 2) * HOUR))


def _finish(calls: pd.DataFrame, clock: Clock, rng: Rng) -> pd.DataFrame:
    """Sort by time, any order within a second; drop statuses the log does not say; give ids."""
    calls = calls[calls["time"].between(clock.start, clock.end - 1)]
    order = np.lexsort((rng.random(len(calls)), calls["time"].to_numpy()))
    calls = calls[[*COLUMNS, "attack"]].iloc[order].reset_index(drop=True)
    unsaid = rng.random(len(calls)) < wire.STATUS_MISSING_SHARE
    calls["status"] = np.where(unsaid, 0, calls["status"]).astype("int16")
    calls["object"] = calls["object"].astype("int32")
    calls["attack"] = calls["attack"].astype("int16")
    return calls.assign(id=wire.draw_ids(calls["time"].to_numpy(), rng))


def _tabulate(happened: list[Incident]) -> pd.DataFrame:
    table = pd.DataFrame(happened, columns=list(Incident._fields))
    for name in ("start_at", "end_at"):
        table[name] = pd.to_datetime(table[name].astype("int64"), unit="s", utc=True).astype(AT)
    return table.sort_values(["start_at", "app_id"], ignore_index=True)


LABELS: Final = (
    "attack_id",
    "scenario",
    "entity_type",
    "entity",
    "ip",
    "network",
    "start_at",
    "end_at",
    "rows_count",
    "size",
    "description",
)
"""Columns of the labels; instants in UTC, several addresses joined by a blank."""


def lay_attacks(
    honest: pd.DataFrame, names: Sequence[str], clock: Clock, *, size: float, rng: Rng
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay attacks over the last seven days of a log, each on a target of its own if there are so many.

    Returned are all calls, unsorted, with a column `attack` (position in the labels, or -1), and the
    labels, one row an attack.
    """
    scenarios = [find_scenario(name) for name in names]
    week = clock.end - 7 * DAY
    targets = _profile_apps(honest[honest["time"] < week] if clock.week[-1] else honest)
    honest = honest.assign(attack=-1)
    parts: list[pd.DataFrame] = []
    labels: list[dict[str, Any]] = []
    taken: set[str] = set()
    for number, (name, scenario) in enumerate(zip(names, scenarios, strict=True)):
        stream = rng.spawn(1)[0]
        target = _choose_target(name, targets, taken, week, stream)
        taken.add(target.app_id)
        start = _choose_start(scenario, target, clock, stream)
        rows = scenario.inject(stream, target, start, size).assign(attack=number)
        rows = rows[rows["time"] < clock.end]
        if scenario.removes:
            span = (start, min(start + int(scenario.hours * HOUR * size), clock.end))
            own = honest["app_id"] == target.app_id
            honest = honest[~(own & honest["time"].between(span[0], span[1] - 1))]
        else:
            span = (int(rows["time"].min()), int(rows["time"].max()) + 1)
        parts.append(rows)
        labels.append(_label(f"a{number + 1:02d}", name, rows, target=target, span=span, size=size))
    calls = categorise(pd.concat([honest, *parts], ignore_index=True))
    table = pd.DataFrame(labels, columns=list(LABELS))
    return calls, table.astype({"start_at": AT, "end_at": AT})


def _profile_apps(before: pd.DataFrame) -> list[Target]:
    peers = tuple(before["app_id"].cat.remove_unused_categories().cat.categories)
    apps = before.groupby("app_id", observed=True)
    return [profile_target(rows, peers=peers) for _, rows in apps]


def _choose_target(
    name: str, targets: list[Target], taken: set[str], week: int, rng: Rng
) -> Target:
    fitting = find_scenario(name).choose(targets, week)
    free = [t for t in fitting if t.app_id not in taken] or fitting
    if not free:
        raise ConfigError(f"attacks: no app fits {name}; use more apps or weeks, or leave it out")
    return free[int(rng.integers(len(free)))]


def _choose_start(scenario: Scenario, target: Target, clock: Clock, rng: Rng) -> int:
    """Return when an attack starts: on the last seven days, early enough to end in the log."""
    latest = clock.end - int((scenario.hours + 1) * HOUR)
    fits = (clock.starts >= clock.end - 7 * DAY) & (clock.starts <= latest)
    fits &= (clock.hour >= scenario.between[0]) & (clock.hour <= scenario.between[1])
    asleep = fits & (clock.starts > target.last + 30.5 * DAY)
    hours = clock.starts[asleep if asleep.any() else fits]
    return int(rng.choice(hours)) + int(rng.integers(HOUR))


def _label(
    attack_id: str,
    name: str,
    rows: pd.DataFrame,
    *,
    target: Target,
    span: tuple[int, int],
    size: float,
) -> dict[str, Any]:
    scenario = find_scenario(name)
    ips = sorted(set(rows["ip"]))
    start_at, end_at = (pd.Timestamp(at, unit="s", tz="UTC") for at in span)
    return {
        "attack_id": attack_id,
        "scenario": name,
        "entity_type": scenario.entity_type,
        "entity": target.app_id if scenario.entity_type == "app" else ips[0],
        "ip": " ".join(ips),
        "network": " ".join(sorted({_network_of(ip) for ip in ips})),
        "start_at": start_at,
        "end_at": end_at,
        "rows_count": len(rows),
        "size": size,
        "description": scenario.description,
    }


def _network_of(ip: str) -> str:
    width = 48 if ":" in ip else 24
    return str(ipaddress.ip_network(f"{ip}/{width}", strict=False))
