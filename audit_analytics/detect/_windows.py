"""One surprise group looks through several windows: an hour, two hours, a day, several days.

The scores of windows of different width have different scales: a day adds up more noise than an
hour, an hour meets more chances than a day. Their raw maximum is mostly the noisiest window's
word, and what only a quiet window sees drowns in it. So each window is calibrated on its own past
first, on that of other entities as restless as this one (:mod:`audit_analytics.detect._peers`), and
the group says the least probable of them.

An entity has its own noise as well. A job that runs at irregular hours is as surprising to its
slots every time it runs, and no less regular for that. A calibrated score z, -log10 of a
probability against the tenant's past, is therefore weighed by what the entity's own past days
brought (a gamma frailty in the plainest form):

p_own(z) = (k 10^-z + sum over own past days of min(1, 10^(z_i - z))) / (k + n)

With no more than ordinary days behind it an entity keeps z; one that reached z_i on one of n days
before needs about z_i more than others to be as rare. The own week that brought most is left out:
what happened in one week alone is no habit, and may be the attack that is still going on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.detect._common import Common, find_common, rate_against_each_other
from audit_analytics.detect._peers import rate_by_peers
from audit_analytics.detect._rows import Rows, stack_weeks
from audit_analytics.detect._surprise import Surprise

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

PRIOR_DAYS: Final = 10.0
"""k: how many days of the tenant an entity's own days are weighed against."""


@dataclass(frozen=True)
class Rated:
    """How rare the scores of a tenant are, each group the least probable of its windows."""

    # -log10 of a probability, by day of the past weeks; NaN where not tested; (n_past, n_groups)
    past: NDArray[np.float64]
    rows: Rows  # whose they are
    current: NDArray[np.float64]  # the same of the report week; (n_entities, n_days, n_groups)
    z: dict[str, NDArray[np.float64]]  # window by window, by group; (n_entities, n_days, n_windows)
    common: list[Common]  # days of the report week on which many entities changed at once


def rate_windows(
    scored: Mapping[int, NDArray[np.float64]],
    widths: Mapping[str, int],
    weighed: Collection[str],
    *,
    own_weeks: Sequence[int] | None = None,
) -> Rated:
    """Calibrate every window on its own past, and weigh it by the entity's own.

    To be calibrated again: the least of several probabilities is none. `scored` are by week raw
    scores of shape (n_entities, n_days, n_windows), the report week 0 among them, NaN where not
    tested; `widths` says how many windows each group has, in the order of the columns. Only the
    groups `weighed` are calibrated here and weighed by the entity's own past: a score of new pairs
    has one window and knows the app's own past already. `own_weeks` says which past week each day
    of the report week is itself, where one is among the other: it teaches nothing about itself.
    """
    shape = scored[0].shape
    weeks = [week for week in scored if week < 0]
    known = {week: ~np.isnan(scored[week]).all(axis=2) for week in weeks}
    past, rows = stack_weeks({week: scored[week] for week in weeks}, shape[2])
    now = scored[0].reshape(-1, shape[2])
    own = np.zeros(shape[1], dtype=np.intp) if own_weeks is None else np.array(own_weeks)
    now_rows = Rows(np.repeat(np.arange(shape[0]), shape[1]), np.tile(own, shape[0]))
    counted = np.repeat([name in weighed for name in widths], [*widths.values()])
    every, joined = rows.and_then(now_rows), np.concatenate([past, now])
    is_past = np.arange(len(joined)) < len(past)
    joined[:, counted] = rate_by_peers(
        joined[:, counted], every, is_past, divided=own_weeks is None
    )
    taught = is_past | (own_weeks is None)
    for column in np.flatnonzero(counted):
        # a past week is compared with as many others as the report week is, or it would look rarer
        joined[:, column] = _weigh_by_own(
            joined[:, column], every, taught, earlier=own_weeks is not None
        )
    z_past, z = np.split(joined, [len(past)])
    edges = np.cumsum([*widths.values()])[:-1]
    best_past, best = (
        np.column_stack([_greatest(part) for part in np.split(table, edges, axis=1)])
        for table in (z_past, z)
    )
    by_week = {0: best.reshape(*shape[:2], len(widths))}
    for week in weeks:
        by_week[week] = np.full((*known[week].shape, len(widths)), np.nan)
        by_week[week][known[week]] = best_past[rows.week == week]
    common = find_common(by_week)
    for week, found in common.items():
        for one in found:
            same = by_week[week][:, one.day, one.group]
            by_week[week][:, one.day, one.group] = rate_against_each_other(same)
    return Rated(
        past=np.concatenate([best_past[:0], *(by_week[w][known[w]] for w in weeks)]),
        rows=rows,
        current=by_week[0],
        common=common[0],
        z={
            name: part.reshape(*shape[:2], part.shape[1])
            for name, part in zip(widths, np.split(z, edges, axis=1), strict=True)
        },
    )


def _greatest(z: NDArray[np.float64]) -> NDArray[np.float64]:
    best = np.nan_to_num(z, nan=-np.inf).max(axis=1)
    return np.where(np.isinf(best), np.nan, best)


def _weigh_by_own(
    z: NDArray[np.float64],
    rows: Rows,
    taught: NDArray[np.bool_] | None = None,
    *,
    earlier: bool = False,
) -> NDArray[np.float64]:
    """Return how rare scores are, given what the same entity's other weeks brought.

    It is -log10 p_own, see the module, of shape (n,) like `z`: calibrated scores, NaN where there
    is none. Days of the same week teach nothing, and of the others those that are `taught`, all if
    it is not given. With `earlier` the weeks are days, numbered -1, -2, ... from the first one: the
    later ones teach nothing then, or an attack of several nights would be a habit by its last.
    """
    known = ~np.isnan(z) if taught is None else ~np.isnan(z) & taught
    weeks, week = np.unique(rows.week[known], return_inverse=True)
    entity = rows.entity[known]
    cells = entity * len(weeks) + week
    order = np.argsort(cells, kind="stable")
    entities = int(rows.entity.max(initial=-1)) + 1
    counts = np.bincount(cells, minlength=entities * len(weeks))
    place = np.arange(len(cells)) - np.repeat(np.cumsum(counts) - counts, counts)
    filled = np.full((len(counts), int(counts.max(initial=1))), -np.inf)
    filled[cells[order], place] = z[known][order]
    own = filled.reshape(entities, len(weeks), filled.shape[1])
    after = weeks - rows.week[:, None]
    silent = after <= 0 if earlier else after == 0
    days = np.where(silent, 0, counts.reshape(own.shape[:2])[rows.entity])
    heard = np.zeros(days.shape)
    for number in range(len(weeks)):
        heard[:, number] = np.minimum(10.0 ** (own[rows.entity, number] - z[:, None]), 1.0).sum(
            axis=1
        )
    heard = np.where(days > 0, heard, 0.0)
    if len(weeks):
        # what happened in one week alone is an incident, perhaps the one that is still going on
        worst = heard.argmax(axis=1)[:, None]
        np.put_along_axis(heard, worst, 0.0, axis=1)
        np.put_along_axis(days, worst, 0, axis=1)
    p = (PRIOR_DAYS * 10.0**-z + heard.sum(axis=1)) / (PRIOR_DAYS + days.sum(axis=1))
    return np.asarray(-np.log10(np.maximum(p, 1e-300)))


def choose_windows(
    windows: Mapping[str, Sequence[Surprise]], z: Mapping[str, NDArray[np.float64]]
) -> dict[str, Surprise]:
    """Keep what the rarest window of each group saw; `z` is NaN where it was not tested."""

    def choose(seen: Sequence[Surprise], rare: NDArray[np.float64]) -> Surprise:
        pick = np.nan_to_num(rare, nan=-np.inf).argmax(axis=2)[None]
        return Surprise.join(
            seen, lambda *arrays: np.take_along_axis(np.stack(arrays), pick, axis=0)[0]
        )

    return {name: choose(seen, z[name]) for name, seen in windows.items()}
