"""A seeded tenant: honest apps of several kinds, their incidents, and labelled attacks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from audit_analytics.errors import ConfigError
from audit_analytics.schema import AT
from audit_analytics.simulate import _items as wire
from audit_analytics.simulate._attacks import find_scenario
from audit_analytics.simulate._campaign import lay_attacks
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
        One row an attack, with ``_campaign.LABELS``; instants in UTC.
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
        """Write the log as the API would answer it.

        ``source.read_log(list(company.items()))`` gives the table of events.

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
    attack_size : float, default=1.0
        Factor on the calls of every attack.
    volume : float, default=1.0
        Factor on the honest calls; 1 is about 62 calls an app and day.
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


def _draw_outage(clock: Clock, rng: np.random.Generator) -> Incident | None:
    """Return the platform's bad afternoon, in the middle of the history."""
    middle = (clock.starts - clock.start) // (7 * DAY) == (clock.week[-1] // 2)
    hours = clock.starts[middle & ~clock.off & np.isin(clock.hour, range(10, 17))]
    if clock.week[-1] == 0 or not len(hours):
        return None
    start = int(rng.choice(hours)) + int(rng.integers(HOUR))
    return Incident("outage", "", start, start + int(rng.uniform(1, 2) * HOUR))


def _finish(calls: pd.DataFrame, clock: Clock, rng: np.random.Generator) -> pd.DataFrame:
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
