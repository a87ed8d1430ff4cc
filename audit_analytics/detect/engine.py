"""From surprises to cases: calibrate, join two voters, spend the alarm budget.

Voter (a) takes the least calibrated p-value over the groups, voter (b) an isolation forest over
all of them. Both, and the lesser of the two, are calibrated on the same past weeks, so that E, the number of cases this
extreme an ordinary week brings, means the same for every entity and is the only gate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.cases import Case
from audit_analytics.detect.calibrate import Calibrator, adjust_q
from audit_analytics.detect.forest import OutlierDetector, SurpriseForest
from audit_analytics.detect.groups import score_groups
from audit_analytics.detect.ip_days import GROUPS as IP_GROUPS
from audit_analytics.detect.ip_days import count_ip_days
from audit_analytics.detect.novelty import (
    Novelty,
    find_new_apis,
    find_new_networks,
    score_novelty,
)
from audit_analytics.detect.surprise import Surprise, WeekFrame

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from audit_analytics.detect.panel import Panel

APP_GROUPS: Final = ("VOL", "SENS", "TOK", "ERR", "API", "NEWNET", "NEWAPI")
FAMILY_SHARE: Final = {"app": 0.85, "ip": 0.15}


@dataclass(frozen=True)
class Detection:
    """What the engine found out about one week.

    Parameters
    ----------
    panel : Panel
        The tenant.
    surprises : dict of str to Surprise
        Count groups of the report week.
    networks, apis : Novelty
        New pairs.
    app_p : dict of str to numpy.ndarray of shape (n_apps, n_days)
        Calibrated p-value of each group, and ``a``, ``b`` and ``joint`` for the voters.
    attribution : numpy.ndarray of shape (n_apps, n_days, n_groups)
        How much of the forest's score hangs on each group.
    assessed : numpy.ndarray of bool of shape (n_apps,)
        Which apps had the history to be judged.
    ip_days : pandas.DataFrame
        IP-days of the report week with ``p`` and one p-value column per group.
    cases : list of Case
        Every assessed entity, the most unusual first.
    """

    panel: Panel
    surprises: dict[str, Surprise]
    networks: Novelty
    apis: Novelty
    app_p: dict[str, NDArray[np.float64]]
    attribution: NDArray[np.float64]
    assessed: NDArray[np.bool_]
    ip_days: pd.DataFrame
    cases: list[Case] = field(default_factory=list)


def detect_week(
    panel: Panel,
    by_api: pd.DataFrame,
    by_ip: pd.DataFrame,
    *,
    every_ip: pd.DataFrame | None = None,
    detector: OutlierDetector | None = None,
    seed: int = 0,
) -> Detection:
    """Judge every app-day and IP-day of the report week.

    Parameters
    ----------
    panel : Panel
        Counts over history and report week.
    by_api, by_ip : pandas.DataFrame
        The hourly rollup over the whole log.
    every_ip : pandas.DataFrame, optional
        As `by_ip`, with what was set aside before the apps are judged; addresses are judged on
        it. `by_ip` if not given.
    detector : OutlierDetector, optional
        Takes the isolation forest's place.
    seed : int, default=0
        ``random_state`` of the isolation forest.

    Returns
    -------
    Detection
        p-values, cases and what they rest on. Without a past week to calibrate on, no entity
        is assessed.
    """
    networks, apis = find_new_networks(panel, by_ip), find_new_apis(panel, by_api)
    reference = [
        _score_apps(panel, networks, apis, week)[0].reshape(-1, len(APP_GROUPS))
        for week in panel.grid.weeks
    ]
    current, surprises = _score_apps(panel, networks, apis, 0)
    past = np.concatenate([*reference, np.empty((0, len(APP_GROUPS)))])
    past = past[~np.isnan(past).all(axis=1)]
    app_p, attribution = _judge(past, current.reshape(-1, len(APP_GROUPS)), detector, seed)
    shape = current.shape[:2]
    app_p = {name: p.reshape(shape) for name, p in app_p.items()}
    ip_days = _judge_ips(count_ip_days(panel, by_ip if every_ip is None else every_ip, networks))
    assessed = panel.assessed(0) & bool(len(past))
    return Detection(
        panel=panel,
        surprises=surprises,
        networks=networks,
        apis=apis,
        app_p=app_p,
        attribution=attribution.reshape(current.shape),
        assessed=assessed,
        ip_days=ip_days,
        cases=_make_cases(panel, assessed, app_p["joint"], ip_days),
    )


def _score_apps(
    panel: Panel, networks: Novelty, apis: Novelty, week: int
) -> tuple[NDArray[np.float64], dict[str, Surprise]]:
    """Return scores of shape (n_apps, n_days, n_groups), NaN where not assessed."""
    surprises = score_groups(WeekFrame(panel, week))
    scores = [surprise.score for surprise in surprises.values()]
    scores += [score_novelty(panel, new, week) for new in (networks, apis)]
    stacked = np.stack(scores, axis=2)
    days = np.array(panel.grid.days(week))
    born = panel.first_hour[:, None] > panel.grid.first_hour[days][None, :] + 23
    stacked[born | ~panel.assessed(week)[:, None]] = np.nan
    return stacked, surprises


def _judge(
    past: NDArray[np.float64],
    rows: NDArray[np.float64],
    detector: OutlierDetector | None,
    seed: int,
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """Calibrate groups and voters; rows of NaN come out with p = 1."""
    unknown = np.isnan(rows).all(axis=1)
    groups = [Calibrator(past[:, g]) for g in range(len(APP_GROUPS))]

    def rate(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        p = np.column_stack([c.p_value(scores[:, g]) for g, c in enumerate(groups)])
        # where the past is quiet any score is rare; none is rarer than its own model says
        return np.asarray(np.maximum(p, 10.0 ** -np.nan_to_num(scores)))

    past_p, p = rate(past), rate(rows)
    past_a, p_a = _calibrate(-np.log10(past_p.min(axis=1)), -np.log10(p.min(axis=1)))
    past_b, p_b = np.ones(len(past)), np.ones(len(rows))
    attribution = np.zeros(rows.shape)
    if len(past):
        known, filled = np.nan_to_num(past), np.nan_to_num(rows)
        forest = SurpriseForest(detector, seed=seed).fit(known)
        past_b, p_b = _calibrate(forest.score(known), forest.score(filled))
        attribution = forest.attribute(filled)
    # the voters mostly agree: what their least p is worth, the past weeks say as well
    either = (-np.log10(np.minimum(a, b)) for a, b in ((past_a, past_b), (p_a, p_b)))
    joint = _calibrate(*either)[1]
    result = dict(zip(APP_GROUPS, p.T, strict=True)) | {"a": p_a, "b": p_b, "joint": joint}
    for values in result.values():
        values[unknown] = 1.0
    return result, attribution


def _calibrate(
    past: NDArray[np.float64], now: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the p-values of past and present scores against the past."""
    calibrator = Calibrator(past)
    return calibrator.p_value(past), calibrator.p_value(now)


def _judge_ips(ip_days: pd.DataFrame) -> pd.DataFrame:
    past, rows = ip_days[ip_days["week"] < 0], ip_days[ip_days["week"] == 0].copy()
    if past.empty:
        rows = rows[:0]  # without past addresses none can be judged
    past_stat, stat = np.zeros(len(past)), np.zeros(len(rows))
    for name in IP_GROUPS:
        calibrator = Calibrator(past[name].to_numpy())
        # nothing new and no failure at all is nothing to be surprised at
        rows[f"p_{name}"] = np.where(rows[name] > 0, calibrator.p_value(rows[name].to_numpy()), 1.0)
        own = np.where(past[name] > 0, calibrator.p_value(past[name].to_numpy()), 1.0)
        past_stat = np.maximum(past_stat, -np.log10(own))
        stat = np.maximum(stat, -np.log10(rows[f"p_{name}"].to_numpy()))
    return rows.assign(p=Calibrator(past_stat).p_value(stat)).reset_index(drop=True)


def _make_cases(
    panel: Panel,
    assessed: NDArray[np.bool_],
    joint: NDArray[np.float64],
    ip_days: pd.DataFrame,
) -> list[Case]:
    app_p = joint[assessed].ravel()
    ip_p = ip_days["p"].to_numpy()
    q = adjust_q(np.concatenate([app_p, ip_p]))
    app_q = q[: len(app_p)].reshape(-1, joint.shape[1])
    cases = [
        _make_case("app", str(app), p.min(), app_p.size, own_q.min())
        for app, p, own_q in zip(panel.apps[assessed], joint[assessed], app_q, strict=True)
    ]
    per_ip = ip_days.assign(q=q[len(app_p) :]).groupby("ip")[["p", "q"]].min()
    cases += [
        _make_case("ip", str(ip), row["p"], len(ip_days), row["q"]) for ip, row in per_ip.iterrows()
    ]
    return sorted(cases, key=lambda case: (case.expected_per_week, case.entity_type, case.entity))


def _make_case(family: str, entity: str, p: float, units: int, q: float) -> Case:
    return Case(
        entity_type=family,
        entity=entity,
        p=float(p),
        expected_per_week=float(p) * units / FAMILY_SHARE[family],
        q=float(q),
    )
