"""How rare an app's days are by everything said of them, and its week by its days.

Two voters judge a day: its groups, and the isolation forest over all of them, which counts a
fifth. The groups speak by the least of their p-values, and all together by what those below one in
ten make, the product of 10 p over them (soft truncated product; H. Zhang, T. Tong, J. Landers and
Z. Wu, "TFisher", Annals of Applied Statistics 14(1), 2020). A stolen secret calls new APIs from a
new network, more often than usual, and is refused at times: each of it happens, all of it hardly.
Calls, objects and tokens grow with each other, so of groups of one kind the least speaks for all:
else the one thing that an honest burst is would pass for many.
Two more judge a week: its worst day, and all of its days together, by the sum of their -log10 p
(Fisher's statistic). The distribution of every one of these is taken from past weeks, as neither
groups nor days that follow each other are independent tests. What grows slowly has no day that
stands out, and no ordinary one either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
import scipy  # not scipy.special: who reads settings alone need not wait for it

from audit_analytics.detect._calibrate import Calibrator, fit_groups, rate_columns, rate_weeks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from audit_analytics.detect._rows import Rows

FOREST_WEIGHT: Final = 0.2
"""How much the forest counts. It insures against what no single group sees, and pays for that with
false cases: at equal weight recall at 5 false cases a week falls by 0.04 (seeds 100-105)."""

TOGETHER_P: Final = 0.1
"""Groups less rare than this have no part in what all of them say together."""

TOGETHER_WEIGHT: Final = 0.5
"""How much the groups together count beside the least of them."""

SUM_WEIGHT: Final = 0.33
"""How much the days together count beside the worst of them. Recall at 5 false cases a week
.78 -> .84 (six worlds, seed 105)."""

SUM_COST: Final = 1.2
"""What a second vote costs: most of what it finds the first has found, so that more than the one
and fewer than both together are as rare (counted in past weeks of 14 tenants: 1.05 to 1.29)."""

ATTRIBUTED_P: Final = 0.05
"""Days that are less unusual to the forest need no reasons from it."""


class OutlierDetector(Protocol):
    """What may take the isolation forest's place; scikit-learn's own detectors fit.

    PyOD's detectors fit as well: they have no ``score_samples``, but a ``decision_function`` that
    rises with outlyingness, and ``decision_scores_`` once they are fitted.
    """

    def fit(self, X: NDArray[np.float64]) -> Any:  # noqa: N803, ANN401 - scikit-learn's own names
        """Learn from reference rows.

        Parameters
        ----------
        X : numpy.ndarray of shape (n_rows, n_features)
            Reference rows.

        Returns
        -------
        Any
            The detector itself.
        """

    def score_samples(self, X: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: N803
        """Score rows.

        Parameters
        ----------
        X : numpy.ndarray of shape (n_rows, n_features)
            Rows to score.

        Returns
        -------
        numpy.ndarray of shape (n_rows,)
            The lower, the more unusual.
        """


class Votes(NamedTuple):
    """How rare the days of the apps are."""

    # by group, by voter (``a`` the groups, ``b`` the forest), and ``joint``: how rare a week is
    # that holds such a day, and on its worst day such days besides; (n_apps, n_days)
    p: dict[str, NDArray[np.float64]]
    # -log10 of the same, not cut off where the past is too short to speak of it; (n_apps, n_days)
    far: dict[str, NDArray[np.float64]]
    # by group, p of what its past has nothing like, where no tail tells how far out it is
    resolution: dict[str, float]
    # how much the forest lays to each group; (n_apps, n_days, n_groups)
    attribution: NDArray[np.float64]


def vote(
    names: Sequence[str],
    past: NDArray[np.float64],
    past_rows: Rows,
    current: NDArray[np.float64],
    *,
    kinds: Sequence[str],
    detector: OutlierDetector | None = None,
    seed: int = 0,
) -> Votes:
    """Calibrate groups and voters on the past weeks; what was not tested has p = 1.

    `past` are the scores of the days of past weeks, of shape (n_past, n_groups), `current` those of
    the report week, of shape (n_apps, n_days, n_groups), NaN where not tested. Groups of one of the
    `kinds` are no independent tests. `detector` takes the forest's place.
    """
    shape, rows = current.shape[:2], current.reshape(-1, len(names))
    calibrators = fit_groups(past)
    past_p, p = rate_weeks(past, past_rows.week), rate_columns(calibrators, rows)
    past_a, p_a = _judge_groups(past_p, p, kinds)
    past_b, p_b = np.ones(len(past)), np.ones(len(rows))
    attribution = np.zeros(rows.shape)
    if len(past):
        # scikit-learn takes 1.5 s to import, so only a run that judges pays for it
        from audit_analytics.detect._forest import SurpriseForest  # noqa: PLC0415

        forest = SurpriseForest(detector, random_state=seed).fit(np.nan_to_num(past))
        filled = np.nan_to_num(rows)
        rate = Calibrator(-forest.reference_scores_).extrapolate
        past_b, p_b = rate(-forest.reference_scores_), rate(-forest.score_samples(filled))
        p_b = np.maximum(p_b, np.minimum(p.min(axis=1), _combine(-np.log10(p))))
        # the groups have no say about what was not tested; to the forest it was filled in
        p_b[np.isnan(rows).all(axis=1)] = 1.0
        odd = p_b <= ATTRIBUTED_P
        if odd.any():
            attribution[odd] = forest.attribute(filled[odd])
    # the voters mostly agree: what their least p is worth, the past weeks say as well
    past_either, either = (
        -np.log10(np.minimum(a, b / FOREST_WEIGHT)) for a, b in ((past_a, past_b), (p_a, p_b))
    )
    by_week = Calibrator.of_weeks(past_either, past_rows)
    joint = by_week.rate(either).reshape(shape)
    joint = _add_up(joint, either.reshape(shape), past_either, past_rows)
    found = np.column_stack([p, p_a, p_b])
    # nothing may claim to be rarer than so long a past can speak of
    shown = np.maximum(found, Calibrator(past_either).floor)
    kinds = [*names, "a", "b"]
    return Votes(
        p=dict(zip(kinds, shown.T.reshape(-1, *shape), strict=True))
        | {"joint": np.maximum(joint, by_week.floor)},
        far=dict(zip(kinds, -np.log10(found).T.reshape(-1, *shape), strict=True))
        | {"joint": -np.log10(joint)},
        resolution={name: c.resolution for name, c in zip(names, calibrators, strict=True)},
        attribution=attribution.reshape(current.shape),
    )


def _multiply(p: NDArray[np.float64], kinds: Sequence[str]) -> NDArray[np.float64]:
    """Return -log10 of the product of what each kind of group makes of each day."""
    of_kind = [p[:, [kind == own for own in kinds]].min(axis=1) for kind in dict.fromkeys(kinds)]
    made = np.log10(TOGETHER_P) - np.log10(np.column_stack(of_kind))
    return np.asarray(np.maximum(made, 0.0).sum(axis=1))


def _judge_groups(
    past_p: NDArray[np.float64], p: NDArray[np.float64], kinds: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what the groups of past and present days say, to be calibrated again."""
    by_least = Calibrator(-np.log10(past_p.min(axis=1)))
    together = Calibrator(_multiply(past_p, kinds))

    def judge(p: NDArray[np.float64]) -> NDArray[np.float64]:
        made = _multiply(p, kinds)
        # one kind below TOGETHER_P makes as much by itself
        both = np.maximum(together.extrapolate(made), TOGETHER_P * 10.0**-made)
        return np.minimum(by_least.rate(-np.log10(p.min(axis=1))), both / TOGETHER_WEIGHT)

    return judge(past_p), judge(p)


def _combine(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how probable scores are together, were each an independent test (Fisher).

    Those that say nothing at all, with p above a half, are left out: it is to be no more than a
    bound, and a group or a day without a call would count as a test passed.
    """
    said = scores > -np.log10(0.5)
    sums = 2.0 * np.log(10.0) * np.where(said, scores, 0.0).sum(axis=1)
    tests = said.sum(axis=1)
    return np.where(tests > 0, scipy.special.chdtrc(2 * np.maximum(tests, 1), sums), 1.0)


def _add_up(
    joint: NDArray[np.float64],
    scores: NDArray[np.float64],
    past_scores: NDArray[np.float64],
    past_rows: Rows,
) -> NDArray[np.float64]:
    """Let the days of each app vote on its week together; its worst day stands for them."""
    if not joint.size:
        return joint
    together = Calibrator(past_rows.add_up(past_scores)).extrapolate(scores.sum(axis=1))
    together = np.maximum(together, _combine(scores))
    worst = scores.argmax(axis=1)[:, None]
    least = np.minimum(np.take_along_axis(joint, worst, axis=1), together[:, None] / SUM_WEIGHT)
    joint = joint.copy()
    np.put_along_axis(joint, worst, least, axis=1)
    return np.asarray(np.minimum(joint * SUM_COST, 1.0))
