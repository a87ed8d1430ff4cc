"""The scores of a week: every group's windows, one column each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audit_analytics.detect._frame import WeekFrame
from audit_analytics.detect._group import AppGroup, CountGroup, PairGroup
from audit_analytics.detect._novelty import Novelty, score_novelty

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from audit_analytics.detect._common import Common
    from audit_analytics.detect._panel import Panel
    from audit_analytics.detect._surprise import Surprise


@dataclass(frozen=True)
class AppDays:
    """What was made of the app-days of the report week."""

    surprises: dict[str, Surprise]  # count groups of the report week
    # calibrated p-values by group, and ``a``, ``b`` and ``joint``; see
    # :class:`audit_analytics.detect._engine.Detection`; (n_apps, n_days)
    p: dict[str, NDArray[np.float64]]
    far: dict[str, NDArray[np.float64]]
    # by group, see :attr:`audit_analytics.detect._calibrate.Calibrator.resolution`; empty for a
    # short log, each of whose days has a past of its own
    resolution: dict[str, float]
    # how much of the forest's score hangs on each group; (n_apps, n_days, n_groups)
    attribution: NDArray[np.float64]
    common: list[Common]  # days on which many apps changed in the same way
    tested: NDArray[np.bool_]  # which app-days were tested; (n_apps, n_days)
    past_tested: list[int]  # how many apps each past week had to be calibrated on


def judge_nothing(apps: int, days: int, groups: Sequence[AppGroup]) -> AppDays:
    """Return what is known where nothing can be compared: nothing tested, nothing unusual."""
    shape = apps, days
    names = [*(group.name for group in groups), "a", "b", "joint"]
    return AppDays(
        surprises={},
        p={name: np.ones(shape) for name in names},
        far={name: np.zeros(shape) for name in names},
        resolution={},
        attribution=np.zeros((*shape, len(groups))),
        common=[],
        tested=np.zeros(shape, dtype=bool),
        past_tested=[],
    )


def count_windows(
    groups: Sequence[AppGroup], windows: Mapping[str, Sequence[Surprise]]
) -> dict[str, int]:
    """Return how many columns each group has: one for a group of new pairs."""
    return {group.name: len(windows.get(group.name, [group])) for group in groups}


def score_apps(
    panel: Panel,
    groups: Sequence[AppGroup],
    networks: Novelty,
    apis: Novelty,
    week: int,
    *,
    judged: NDArray[np.bool_] | None = None,
    since: pd.Timestamp | None = None,
) -> tuple[NDArray[np.float64], dict[str, list[Surprise]]]:
    """Score every app-day of a week, and return what each window of each count group saw.

    Scores are of shape (n_apps, n_days, n_windows), NaN where not assessed. `judged` are the apps
    with a past to be compared with, those with seven days of it if not given. What lies after
    `since` is judged by itself.
    """
    new = {"networks": networks, "apis": apis}
    frame = WeekFrame(panel.after(since), week, uncut=panel)
    surprises = {
        group.name: group.score(frame) for group in groups if isinstance(group, CountGroup)
    }
    scores: list[NDArray[np.float64]] = []
    for group in groups:
        if isinstance(group, PairGroup):
            scores.append(score_novelty(panel, new[group.pairs], week))
        else:
            scores += [window.score for window in surprises[group.name]]
    stacked = np.stack(scores, axis=2)
    days = np.array(panel.grid.days(week))
    unborn = panel.first_hour[:, None] > panel.grid.first_hour[days][None, :] + 23
    stacked[unborn] = np.nan
    stacked[:, panel.grid.unlogged[days]] = np.nan
    # a young app has no past to be compared with, but may call from where nobody ever did
    judged = panel.assessed(week) if judged is None else judged
    young = ~judged[:, None, None]
    widths = list(count_windows(groups, surprises).values())
    for_young = np.repeat([group.young for group in groups], widths)
    stacked = np.where(young & ~for_young, np.nan, stacked)
    if week < 0:
        # the last days of an app that has died are no ordinary days: nothing but silence follows
        stacked[(panel.weights(week) * panel.counts["calls"]).sum(axis=1) == 0] = np.nan
    return stacked, surprises
