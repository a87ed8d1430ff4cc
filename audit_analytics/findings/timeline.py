"""What happened, in order: the first call, the last one, and the steps between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from audit_analytics.cases import find_covered
from audit_analytics.dates.buckets import format_local, format_utc
from audit_analytics.schema import SENSITIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit_analytics.cases import Hit

MAX_STEPS: Final = 12
PAUSE: Final = pd.Timedelta(hours=4)
"""After a pause this long the same calls are another step."""
BEFORE: Final = pd.Timedelta(hours=1)
"""How far back an activity is followed beyond its bucket."""

_ANY: Final = ""
_KEYS: Final = ["told", "app_id", "ip", "api", "outcome"]


def build_timeline(groups: pd.DataFrame, told: pd.Series, zone: str) -> dict[str, Any]:
    """Put the calls of a finding in order.

    Parameters
    ----------
    groups : pandas.DataFrame
        Counts by :data:`audit_analytics.cases.EVIDENCE_GROUPS`, of all that belongs to it.
    told : pandas.Series of bool
        Which of them a reason is about; the others stayed below the budget.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    dict of str to Any
        ``first_at``, ``last_at``, ``first_local``, ``last_local`` (None without a call),
        ``calls_count``, ``ok_count`` and ``steps``: like calls from one address without a long
        pause, by their first call. Where there are too many, failures of several APIs are one
        step, then harmless successes; what is left over is counted in ``more_calls_count``.
    """
    if groups.empty:
        names = ("first_at", "last_at", "first_local", "last_local")
        empty = {"calls_count": 0, "ok_count": 0, "more_calls_count": 0}
        return dict.fromkeys(names) | empty | {"steps": []}
    table = groups.assign(told=told)
    for name in ("app_id", "ip", "api", "outcome", "severity"):
        table[name] = table[name].astype("str")
    for coarsen in (_keep, _join_failures, _join_harmless, _join_all):
        coarse = coarsen(table)
        # a crowd is not joined to steps by the ten thousand, only to find that they are too many
        too_many = any(coarse[key].nunique() > MAX_STEPS for key in _KEYS)
        if too_many and coarsen is not _join_all:
            continue
        steps = _join(table, coarse)
        if len(steps) <= MAX_STEPS:
            break
    ok = groups["calls_count"].where(groups["outcome"] == "ok", 0)
    order = steps.assign(below=~steps["told"], failed=steps["outcome"] != "ok")
    order = order.sort_values(["below", "failed"], kind="stable").index
    shown = steps.loc[order[:MAX_STEPS]].sort_values(["first_at", "last_at"], kind="stable")
    first, last = groups["first_at"].min(), groups["last_at"].max()
    return {
        **_say_span(first, last, ("first", "last"), zone),
        "calls_count": int(groups["calls_count"].sum()),
        "ok_count": int(ok.sum()),
        "more_calls_count": int(steps.loc[order[MAX_STEPS:], "calls_count"].sum()),
        "steps": [
            {name: step[name] for name in step if name not in {"first_at", "last_at"}}
            | _say_span(step["first_at"], step["last_at"], ("start", "end"), zone)
            for step in map(_name_step, shown.to_dict("records"))
        ],
    }


def _say_span(
    first: pd.Timestamp, last: pd.Timestamp, names: tuple[str, str], zone: str
) -> dict[str, str]:
    pairs = list(zip(names, (first, last), strict=True))
    return {f"{name}_at": format_utc(at) for name, at in pairs} | {
        f"{name}_local": format_local(at, zone) for name, at in pairs
    }


def _keep(table: pd.DataFrame) -> pd.DataFrame:
    return table


def _join_failures(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(api=table["api"].mask(table["outcome"] != "ok", _ANY))


def _join_harmless(table: pd.DataFrame) -> pd.DataFrame:
    harmless = (table["outcome"] != "ok") | ~table["severity"].isin(SENSITIVE)
    return table.assign(api=table["api"].mask(harmless, _ANY))


def _join_all(table: pd.DataFrame) -> pd.DataFrame:
    return _join_harmless(table).assign(app_id=_ANY, ip=_ANY)


def _join(table: pd.DataFrame, coarse: pd.DataFrame) -> pd.DataFrame:
    """Join hours of like calls to steps; a long pause begins another one."""
    rows = coarse[[*_KEYS, "first_at", "last_at", "calls_count"]].assign(
        real_app=table["app_id"], real_ip=table["ip"], real_api=table["api"]
    )
    steps: list[_Step] = []
    # a finding has some dozen rows: pandas would take longer to group them than to join them
    rows = rows.sort_values([*_KEYS, "first_at"])
    for number, row in zip(number_steps(rows, _KEYS), rows.itertuples(index=False), strict=True):
        key, (first, last, calls), real = row[:5], row[5:8], row[8:]
        if number == len(steps):
            steps.append(_Step(key, first, last))
        steps[number].add(last, calls, real)
    return pd.DataFrame([step.tell() for step in steps])


def number_steps(rows: pd.DataFrame, keys: list[str]) -> list[int]:
    """Return to which step each row belongs: like calls, until a long pause.

    Parameters
    ----------
    rows : pandas.DataFrame of shape (n_rows, n_columns)
        ``first_at``, ``last_at`` and the columns `keys`, in the order of `keys` and ``first_at``.
    keys : list of str
        What like calls share.

    Returns
    -------
    list of int of length n_rows
        From 0, rising by 1.
    """
    numbers: list[int] = []
    before, until = None, pd.NaT
    for *key, first, last in rows[[*keys, "first_at", "last_at"]].itertuples(index=False):
        goes_on = key == before and first - until <= PAUSE
        numbers.append(numbers[-1] + (not goes_on) if numbers else 0)
        before, until = key, max(until, last) if goes_on else last
    return numbers


class _Step:
    """Like calls without a long pause."""

    def __init__(self, key: tuple[Any, ...], first: pd.Timestamp, last: pd.Timestamp) -> None:
        self.key, self.first, self.last, self.calls = key, first, last, 0
        self.apps, self.ips, self.apis = dict[str, None](), dict[str, None](), dict[str, None]()

    def add(self, last: pd.Timestamp, calls: int, real: tuple[str, str, str]) -> None:
        self.last, self.calls = max(self.last, last), self.calls + calls
        for seen, name in zip((self.apps, self.ips, self.apis), real, strict=True):
            seen[name] = None

    def tell(self) -> dict[str, Any]:
        told, *_coarse, outcome = self.key
        named = {"app_id": self.apps, "ip": self.ips, "api": self.apis}
        row: dict[str, Any] = {"told": told}
        for name, seen in named.items():
            row |= {name: next(iter(seen)), f"{name.removesuffix('_id')}s_count": len(seen)}
        row |= {"outcome": outcome, "calls_count": self.calls}
        return row | {"first_at": self.first, "last_at": self.last}


def _name_step(row: dict[Any, Any]) -> dict[str, Any]:
    """Name what all calls of a step share; of the rest their number is told."""
    return {str(key): value for key, value in row.items()} | {
        name: row[name] if row[f"{name.removesuffix('_id')}s_count"] == 1 else None
        for name in ("app_id", "ip", "api")
    }


def find_activity(
    first: Hit, groups: pd.DataFrame, begun: Sequence[pd.Timestamp]
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return when the calls of a reason were made: midnight is when nothing happened.

    Parameters
    ----------
    first : Hit
        The reason.
    groups : pandas.DataFrame
        The finding's calls as :meth:`audit_analytics.cases.EvidenceSource.fetch` groups them.
    begun : sequence of pandas.Timestamp
        When something began that other reasons tell of, UTC. A bucket begins at the full hour, and
        what began in the hour before it is the same activity.

    Returns
    -------
    start, end : pandas.Timestamp
        Within the reason's span, and up to an hour before it, UTC.
    """
    own = groups[find_covered([first], groups)]
    if own.empty:
        return first.start_at, first.end_at
    start, end = own["first_at"].min(), own["last_at"].max() + pd.Timedelta(seconds=1)
    start, end = max(start, first.start_at), min(end, first.end_at)
    return min([start, *(at for at in begun if first.start_at - BEFORE <= at)]), end
