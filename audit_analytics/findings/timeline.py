"""What happened, in order: the first call, the last one, and the steps between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pandas as pd

from audit_analytics.cases import find_covered
from audit_analytics.dates.buckets import format_local, format_utc
from audit_analytics.schema import SENSITIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audit_analytics.cases import Hit

MAX_STEPS: Final = 12
PAUSE: Final = pd.Timedelta(hours=4)
"""After a pause this long the same calls are another step."""
BEFORE: Final = pd.Timedelta(hours=1)
"""How far back an activity is followed beyond its bucket."""

_ANY: Final = ""


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
    rows = _list_rows(groups, told)
    for coarsen in (_keep, _join_failures, _join_harmless, _join_all):
        keys = [coarsen(row) for row in rows]
        # a crowd is not joined to steps by the ten thousand, only to find that they are too many
        too_many = any(len(set(names)) > MAX_STEPS for names in zip(*keys, strict=True))
        if too_many and coarsen is not _join_all:
            continue
        steps = _join(rows, keys)
        if len(steps) <= MAX_STEPS:
            break
    order = sorted(steps, key=lambda step: (not step.key.told, step.key.outcome != "ok"))
    shown = sorted(order[:MAX_STEPS], key=lambda step: (step.first, step.last))
    first, last = groups["first_at"].min(), groups["last_at"].max()
    return {
        **_say_span(first, last, ("first", "last"), zone),
        "calls_count": sum(row.calls for row in rows),
        "ok_count": sum(row.calls for row in rows if row.outcome == "ok"),
        "more_calls_count": sum(step.calls for step in order[MAX_STEPS:]),
        "steps": [
            step.tell() | _say_span(step.first, step.last, ("start", "end"), zone) for step in shown
        ],
    }


class _Row(NamedTuple):
    """Like calls of a quarter of an hour."""

    told: bool
    app_id: str
    ip: str
    api: str
    outcome: str
    severity: str
    first: pd.Timestamp
    last: pd.Timestamp
    calls: int


class _Key(NamedTuple):
    """What the calls of a step share; ``_ANY`` where they need not."""

    told: bool
    app_id: str
    ip: str
    api: str
    outcome: str


def _list_rows(groups: pd.DataFrame, told: pd.Series) -> list[_Row]:
    # a finding has some dozen rows: pandas would take longer to group them than to join them
    names = ("app_id", "ip", "api", "outcome", "severity", "first_at", "last_at", "calls_count")
    columns = (groups[name].tolist() for name in names)
    return [_Row(*row) for row in zip(told.tolist(), *columns, strict=True)]


def _say_span(
    first: pd.Timestamp, last: pd.Timestamp, names: tuple[str, str], zone: str
) -> dict[str, str]:
    pairs = list(zip(names, (first, last), strict=True))
    return {f"{name}_at": format_utc(at) for name, at in pairs} | {
        f"{name}_local": format_local(at, zone) for name, at in pairs
    }


def _keep(row: _Row) -> _Key:
    return _Key(*row[:5])


def _join_failures(row: _Row) -> _Key:
    return _keep(row) if row.outcome == "ok" else _keep(row)._replace(api=_ANY)


def _join_harmless(row: _Row) -> _Key:
    harmful = row.outcome == "ok" and row.severity in SENSITIVE
    return _keep(row) if harmful else _keep(row)._replace(api=_ANY)


def _join_all(row: _Row) -> _Key:
    return _join_harmless(row)._replace(app_id=_ANY, ip=_ANY)


def _join(rows: list[_Row], keys: list[_Key]) -> list[_Step]:
    """Join hours of like calls to steps; a long pause begins another one."""
    pairs = sorted(zip(keys, rows, strict=True), key=lambda pair: (pair[0], pair[1].first))
    steps: list[_Step] = []
    numbers = number_steps((key, row.first, row.last) for key, row in pairs)
    for number, (key, row) in zip(numbers, pairs, strict=True):
        if number == len(steps):
            steps.append(_Step(key, row.first, row.last))
        steps[number].add(row)
    return steps


def number_steps(rows: Iterable[tuple[object, pd.Timestamp, pd.Timestamp]]) -> list[int]:
    """Return to which step each row belongs: like calls, until a long pause.

    Parameters
    ----------
    rows : iterable of tuple
        What like calls share, their first call and their last one; in the order of the first two.

    Returns
    -------
    list of int of length n_rows
        From 0, rising by 1.

    Examples
    --------
    >>> at = pd.Timestamp("2026-11-10T09:00Z")
    >>> number_steps([("a", at, at), ("a", at + PAUSE, at + PAUSE), ("b", at, at)])
    [0, 0, 1]
    """
    numbers: list[int] = []
    before, until = None, pd.NaT
    for key, first, last in rows:
        goes_on = key == before and first - until <= PAUSE
        numbers.append(numbers[-1] + (not goes_on) if numbers else 0)
        before, until = key, max(until, last) if goes_on else last
    return numbers


class _Step:
    """Like calls without a long pause."""

    def __init__(self, key: _Key, first: pd.Timestamp, last: pd.Timestamp) -> None:
        self.key, self.first, self.last, self.calls = key, first, last, 0
        self.apps, self.ips, self.apis = dict[str, None](), dict[str, None](), dict[str, None]()

    def add(self, row: _Row) -> None:
        self.last, self.calls = max(self.last, row.last), self.calls + row.calls
        self.apps[row.app_id] = self.ips[row.ip] = self.apis[row.api] = None

    def tell(self) -> dict[str, Any]:
        """Name what all calls of the step share; of the rest their number is told."""
        told: dict[str, Any] = {"told": self.key.told}
        for name, seen in (("app_id", self.apps), ("ip", self.ips), ("api", self.apis)):
            told[name] = next(iter(seen)) if len(seen) == 1 else None
            told[f"{name.removesuffix('_id')}s_count"] = len(seen)
        return told | {"outcome": self.key.outcome, "calls_count": self.calls}


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
