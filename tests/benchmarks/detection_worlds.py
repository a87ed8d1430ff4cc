"""The world ``company``: tenants of the package's own simulator, flattened once and kept."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from worlds.world import World

import audit_analytics
from audit_analytics.simulate import SCENARIOS, Company, simulate_company
from audit_analytics.simulate._attacks import GRANTED
from audit_analytics.simulate._company import _finish, lay_attacks
from audit_analytics.simulate._rows import COLUMNS, make_clock
from audit_analytics.source import read_log
from audit_analytics.source._log import concat_events, drop_duplicates

ATTACKS_COUNT = 22
GROWTHS = 4


def choose_attacks(seed: int) -> list[str]:
    """Every scenario once and eight of them twice, which eight by the seed; growth comes after.

    So the other attacks stay those of the figures from before there was growth. A takeover is a story
    (stories.py), and what is granted first is measured by permissions.py.
    """
    left_out = {"growth", "takeover", GRANTED}
    names = [name for name in SCENARIOS if name not in left_out]
    # only one app sleeps long enough to be woken, so it is woken once
    again = [name for name in names if name != "dormant_wakes"]
    more = ATTACKS_COUNT - len(names)
    again = [again[(more * seed + i) % len(again)] for i in range(more)]
    return [*names, *again, *["growth"] * GROWTHS]


def load_worlds(
    seed: int, *, apps: int, weeks: int, harsh: bool, sizes: list[float], cache: Path
) -> list[World]:
    """Make the tenant of a seed, or read it back; the honest calls are the same at every size."""
    folder = cache / f"{_source_digest()}-{seed}-{apps}-{weeks}-{'harsh' if harsh else 'usual'}"
    folder.mkdir(parents=True, exist_ok=True)
    company: Company | None = None
    parts = {}
    for size in (0.0, *sorted(set(sizes) - {0.0})):
        paths = folder / f"events-{size:g}.parquet", folder / f"labels-{size:g}.parquet"
        if not all(path.is_file() for path in paths):
            company = company or simulate_company(
                seed=seed, apps=apps, weeks=weeks, harsh=harsh, attacks=[]
            )
            laid = _attack(company, seed, size) if size else company
            events = read_log(list(laid.items())).events
            events.to_parquet(paths[0])
            victims = laid.calls.groupby("attack")["app_id"].agg(lambda ids: sorted(set(ids)))
            laid.labels.assign(
                touched=[victims.get(i, []) for i in range(len(laid.labels))]
            ).to_parquet(paths[1])
        parts[size] = tuple(pd.read_parquet(path) for path in paths)
    honest = parts[0.0][0]
    return [_lay_over(honest, *parts[size], seed=seed, harsh=harsh, size=size) for size in sizes]


def _attack(company: Company, seed: int, size: float) -> Company:
    """Keep the hostile calls alone; targets and times depend on the seed, not on the size."""
    given = company.settings
    clock = make_clock(
        end=date.fromisoformat(given["end"]),
        weeks=given["weeks"],
        zone=company.zone,
        holidays=[date.fromisoformat(day) for day in given["holidays"]],
    )
    rng = np.random.default_rng([seed, 1])
    names = choose_attacks(seed)
    calls, labels = lay_attacks(company.calls[[*COLUMNS]], names, clock, size=size, rng=rng)
    hostile = calls[calls["attack"] >= 0]
    return replace(company, calls=_finish(hostile, clock, rng), labels=labels)


def _lay_over(
    honest: pd.DataFrame,
    hostile: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    seed: int,
    harsh: bool,
    size: float,
) -> World:
    known = set(honest["ip"].astype("str"))
    events = honest
    if size:
        for label in labels[labels["scenario"] == "silence"].itertuples():
            at = events["at"]
            silent = (events["app_id"] == label.entity) & (at >= label.start_at)
            events = events[~(silent & (at < label.end_at))]
        events = drop_duplicates(concat_events([events, hostile]))[0]
    rows = list(labels.itertuples())
    return World(
        kind="company, harsh" if harsh else "company",
        seed=seed,
        size=size,
        events=events,
        labels=labels,
        touched={row.attack_id: list(row.touched) for row in rows},
        foreign={row.attack_id: [ip for ip in row.ip.split() if ip not in known] for row in rows},
        holidays=frozenset({date(2026, 10, day) for day in (1, 2, 3, 4, 5, 6, 7, 23)}),
    )


def _source_digest() -> str:
    """Whatever makes the events goes into the name of the cache."""
    root = Path(audit_analytics.__file__).parent
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for part in ("simulate", "source", "catalogue"):
        for path in sorted((root / part).rglob("*")):
            if path.suffix in (".py", ".toml"):
                digest.update(path.read_bytes())
    digest.update((root / "schema.py").read_bytes())
    return digest.hexdigest()[:10]
