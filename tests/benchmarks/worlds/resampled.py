"""The world ``resampled``: two real logs with real attacks, each given the past it never had.

The logs last an hour. Five-minute pieces of what is not hostile in them are drawn over and over, by
principal: people on working days between eight and twenty, services and roles at any hour. The real
hostile calls follow in the last week, as far apart as they were. Principals with one hostile call
alone are left out, and so is what the tools set up before and cleared away after an attack.
"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit_analytics.schema import AT
from audit_analytics.source import read_log
from worlds.calendar import DAY, HOLIDAYS, HOUR, WORKING_DAYS, Calendar, make_calendar
from worlds.campaign import LABELS
from worlds.world import World

if TYPE_CHECKING:
    from pathlib import Path

LOGS = {
    "invictus_stratus_cloudtrail": "real_takeover",
    "otrf_s3_breach": "real_role_abuse",
}
"""Name of a log to what was done in it to a person's key; to a role it is role abuse in both."""
PIECE = 300
LEAST_HOSTILE = 2


def find_real_logs(project: Path) -> Path | None:
    """Return the folder of the real logs beside the project, if they are there."""
    for root in (project, *project.parents):
        folder = root / "shared" / "data" / "real"
        if all((folder / f"{name}.labels.csv").is_file() for name in LOGS):
            return folder
    return None


def make_resampled(folder: Path, seed: int, sizes: list[float]) -> list[World]:
    rng = np.random.default_rng([seed, *b"resampled"])
    calendar = make_calendar(seed, 35, rng)
    real = [_read(folder, name) for name in LOGS]
    honest = pd.concat(
        [_resample(events[events["label"] == "benign"], calendar, rng) for events in real],
        ignore_index=True,
    )
    # an attack begins on a working day of the last week, between nine and five
    working = ~calendar.off & (calendar.starts >= calendar.week)
    hours = calendar.starts[working & (calendar.hour >= 9) & (calendar.hour < 17)]
    begins = rng.choice(hours, len(real))
    worlds = []
    for size in sizes:
        hostile, labels = [], []
        for number, (name, events) in enumerate(zip(LOGS, real, strict=True)):
            if not size:
                continue
            draw = np.random.default_rng([seed, number])
            rows = _attack(events, int(begins[number]), size, draw)
            hostile.append(rows)
            labels += _label(rows, LOGS[name], len(labels), size)
        worlds.append(_make(seed, size, honest, hostile, labels))
    return worlds


def _read(folder: Path, name: str) -> pd.DataFrame:
    with gzip.open(folder / f"{name}.jsonl.gz", "rt") as lines:
        events = read_log([json.loads(line) for line in lines]).events
    labels = pd.read_csv(folder / f"{name}.labels.csv", keep_default_na=False)
    label = labels.set_index("id")["label"]
    return events.assign(label=events["id"].astype("str").map(label), log=name)


def _resample(benign: pd.DataFrame, calendar: Calendar, rng: np.random.Generator) -> pd.DataFrame:
    seconds = benign["at"].astype("int64").to_numpy() // 10**6
    piece = seconds // PIECE
    days = np.arange(len(calendar.starts) // 24)
    parts = []
    for app, places in sorted(benign.groupby("app_id", observed=True).indices.items()):
        person = "user" in app
        pieces = [places[piece[places] == number] for number in np.unique(piece[places])]
        habit = rng.uniform(1, 6)
        for day in days:
            if person and (calendar.off[24 * day] or rng.random() < 0.2):
                continue
            for _ in range(rng.poisson(habit)):
                rows = pieces[int(rng.integers(len(pieces)))]
                hour = rng.uniform(8, 20) if person else rng.uniform(0, 24)
                start = calendar.start + day * DAY + hour * HOUR
                parts.append((rows, seconds[rows] - seconds[rows][0] + int(start)))
    at = np.concatenate([time for _, time in parts])
    taken = benign.iloc[np.concatenate([rows for rows, _ in parts])].reset_index(drop=True)
    taken["at"] = pd.to_datetime(at, unit="s", utc=True).astype(AT)
    end = pd.Timestamp(calendar.end, unit="s", tz="UTC")
    return taken[taken["at"] < end]


def _attack(
    events: pd.DataFrame, begin: int, size: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Take the hostile calls, or a share of each principal's, to the time at which they begin."""
    rows = events[events["label"] == "attack"]
    count = rows.groupby("app_id", observed=True)["id"].transform("size")
    rows = rows[count >= LEAST_HOSTILE]
    late = rows["at"] - rows["at"].min()
    rows = rows.assign(at=(pd.Timestamp(begin, unit="s", tz="UTC") + late).astype(AT))
    kept = [
        places[: max(1, round(size * len(places)))]
        for places in map(rng.permutation, rows.groupby("app_id", observed=True).indices.values())
    ]
    return rows.iloc[np.sort(np.concatenate(kept))]


def _label(rows: pd.DataFrame, scenario: str, given: int, size: float) -> list[dict[str, object]]:
    labels = []
    for app, mine in rows.groupby("app_id", observed=True):
        labels.append(
            {
                "attack_id": f"a{given + len(labels) + 1:02d}",
                "scenario": scenario if ":user/" in str(app) else "real_role_abuse",
                "entity_type": "app",
                "entity": str(app),
                "ip": " ".join(sorted(set(mine["ip"].astype("str")) - {""})),
                "start_at": mine["at"].min(),
                "end_at": mine["at"].max() + pd.Timedelta(seconds=1),
                "rows_count": len(mine),
                "size": size,
                "touched": [str(app)],
            }
        )
    return labels


def _make(
    seed: int,
    size: float,
    honest: pd.DataFrame,
    hostile: list[pd.DataFrame],
    labels: list[dict[str, object]],
) -> World:
    events = pd.concat([honest, *hostile], ignore_index=True)
    events = events.sort_values("at", kind="stable", ignore_index=True)
    # a piece drawn twice would otherwise be a page read twice
    events["id"] = pd.Series([f"call-{row}" for row in range(len(events))], dtype="string")
    known = set(honest["ip"].astype("str"))
    table = pd.DataFrame(labels, columns=list(LABELS)).astype({"start_at": AT, "end_at": AT})
    rows = list(table.itertuples())
    return World(
        kind="resampled",
        seed=seed,
        size=size,
        events=events.drop(columns=["label", "log"]),
        labels=table,
        touched={row.attack_id: row.touched for row in rows},
        foreign={row.attack_id: [ip for ip in row.ip.split() if ip not in known] for row in rows},
        holidays=HOLIDAYS,
        working_days=WORKING_DAYS,
    )
