"""From surprises to cases: score, calibrate, let the voters speak, spend the alarm budget.

Everything is calibrated on the same past weeks, see :mod:`audit_analytics.detect._voters`, so that
E, the number of cases this extreme an ordinary week brings, means the same for every entity and is
the only gate.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.cases import Case
from audit_analytics.detect._api_days import ApiDays, judge_api_days
from audit_analytics.detect._budget import (
    MOST_RARE,
    count_units,
    find_ordinary_share,
    share_budget,
)
from audit_analytics.detect._calibrate import TINY, adjust_q
from audit_analytics.detect._days_out import KNOWN_DAYS, is_short, judge_days_out
from audit_analytics.detect._detectors import list_detectors
from audit_analytics.detect._group import AppGroup
from audit_analytics.detect._ip_days import count_ip_days, judge_ip_days
from audit_analytics.detect._newborn import Newborns, judge_newborns
from audit_analytics.detect._novelty import (
    Novelty,
    find_new_apis,
    find_new_networks,
)
from audit_analytics.detect._scores import AppDays, count_windows, score_apps
from audit_analytics.detect._voters import vote
from audit_analytics.detect._windows import choose_windows, rate_windows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from audit_analytics.detect._common import Common
    from audit_analytics.detect._panel import Panel
    from audit_analytics.detect._surprise import Surprise
    from audit_analytics.detect._voters import OutlierDetector

KNOWN_WEEKS: Final = 3
"""Past weeks that know how apps differ between weeks: of two, too many of the report week are
unusual (logs of three weeks, eight seeds: 8 of 100 ordinary ones)."""

SCORED_AT_ONCE: Final = 2
"""Weeks that are scored at the same time: numpy works without the interpreter's lock, and each
takes memory of its own."""


@dataclass(frozen=True)
class Detection:
    """What the engine found out about one week.

    Parameters
    ----------
    panel : Panel
        The tenant.
    groups : list of AppGroup
        The groups of an app-day, in the order of the scores.
    surprises : dict of str to Surprise
        Count groups of the report week.
    networks, apis : Novelty
        New pairs.
    app_p : dict of str to numpy.ndarray of shape (n_apps, n_days)
        Calibrated p-value of each group and, as ``a`` and ``b``, of each voter: how rare such a day
        is. ``joint`` says of both voters how rare a week is that holds such a day.
    far : dict of str to numpy.ndarray of shape (n_apps, n_days)
        -log10 of the same, as the fitted tails have it: beyond the least p-value that the past
        can speak of they prove nothing, but say which of two equals is the greater excess.
    resolution : dict of str to float
        By group, p of what its past has nothing like, where no tail tells how far out it is.
    attribution : numpy.ndarray of shape (n_apps, n_days, n_groups)
        How much of the forest's score hangs on each group; 0 for days the forest finds ordinary.
    common : list of Common
        Days on which many apps changed in the same way; each was judged against the others.
    assessed : numpy.ndarray of bool of shape (n_apps,)
        Which apps had the history to be compared with their own past.
    short : bool
        Whether the log is too short for that, and its days were compared with each other; see
        :mod:`audit_analytics.detect._days_out`.
    tested : numpy.ndarray of bool of shape (n_apps, n_days)
        Which app-days were tested at all: those of the assessed apps, and those of young apps on
        which a network new to them could have been noticed. In a short log, those of the apps
        with some other days.
    newborns : Newborns
        The days of the apps that have no past to be compared with.
    api_days : ApiDays
        API-days of the report week.
    ip_days : pandas.DataFrame
        IP-days of the report week with ``p`` and one p-value column per group.
    units : dict of str to float
        How many entities of each family E counts.
    cases : list of Case
        Every assessed entity, the most unusual first.
    """

    panel: Panel
    groups: list[AppGroup]
    surprises: dict[str, Surprise]
    networks: Novelty
    apis: Novelty
    app_p: dict[str, NDArray[np.float64]]
    far: dict[str, NDArray[np.float64]]
    resolution: dict[str, float]
    attribution: NDArray[np.float64]
    common: list[Common]
    assessed: NDArray[np.bool_]
    short: bool
    tested: NDArray[np.bool_]
    newborns: Newborns
    api_days: ApiDays
    ip_days: pd.DataFrame
    units: dict[str, float]
    cases: list[Case] = field(default_factory=list)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Return which apps were compared with something, in the order of ``panel.apps``.

        Their own past, the other days of a short log, or others' first days.
        """
        compared = self.tested if self.short else self.newborns.tested
        return np.asarray(self.assessed | compared.any(axis=1) | self.newborns.tested.any(axis=1))

    @property
    def ordinary(self) -> float:
        """Return how many of the apps had an ordinary week, as a share.

        As :func:`audit_analytics.detect._budget.find_ordinary_share`, of the apps that were
        compared with their own past; 1 where two past weeks alone calibrate each other.
        """
        if not self.short and len(self.panel.grid.weeks) < KNOWN_WEEKS:
            return 1.0
        assessed = self.tested.any(axis=1) & ~self.newborns.tested.any(axis=1)
        return find_ordinary_share(self.app_p["joint"][assessed].min(axis=1, initial=1.0))

    @property
    def quiet(self) -> bool:
        """Return whether the week brought no more than chance does.

        No share of the apps is missing from the ordinary ones, and no more cases are rare than
        chance brings.
        """
        every = np.array([case.expected_per_week for case in self.cases])
        by_chance = all((every < limit).sum() <= most for limit, most in MOST_RARE)
        return self.ordinary >= 1.0 and by_chance


def detect_week(
    panel: Panel,
    by_api: pd.DataFrame,
    by_ip: pd.DataFrame,
    *,
    every_ip: pd.DataFrame | None = None,
    detector: OutlierDetector | None = None,
    seed: int = 0,
    since: pd.Timestamp | None = None,
    places: Mapping[str, str] | None = None,
) -> Detection:
    """Judge every app-day, IP-day and API-day of the report week.

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
        Takes the isolation forest's place; see
        :class:`audit_analytics.detect._forest.SurpriseForest`.
    seed : int, default=0
        ``random_state`` of the isolation forest.
    since : pandas.Timestamp, optional
        What lies after this instant is judged by itself, UTC; see :func:`limit_days`.
    places : mapping of str to str, optional
        By network, the provider and region it is from; what is not known is left out.

    Returns
    -------
    Detection
        p-values, cases and what they rest on. Without a past week to calibrate on, no entity
        is assessed.
    """
    groups, short = list_detectors(AppGroup), is_short(panel)
    known = {"known_days": KNOWN_DAYS} if short else {}
    networks = find_new_networks(panel, by_ip, places=places or {}, **known)
    apis = find_new_apis(panel, by_api, **known)
    if short:
        apps = judge_days_out(panel, groups, networks, apis, since=since)
        assessed = np.zeros(len(panel.apps), dtype=bool)
    else:
        apps = _judge_apps(panel, groups, networks, apis, since, detector=detector, seed=seed)
        # days of young apps alone, tested for networks only, are no past to calibrate on
        assessed = panel.assessed(0) & bool(apps.past_tested)
    counted = count_ip_days(panel, by_ip if every_ip is None else every_ip, networks)
    ip_days = judge_ip_days(counted, days_out=short)
    api_days = judge_api_days(panel, since)
    newborns = judge_newborns(panel, by_ip, assessed | (short & apps.tested.any(axis=1)))
    detection = Detection(
        panel=panel,
        groups=groups,
        surprises=apps.surprises,
        networks=networks,
        apis=apis,
        app_p=apps.p,
        far=apps.far,
        resolution=apps.resolution,
        attribution=apps.attribution,
        common=apps.common,
        assessed=assessed,
        short=short,
        tested=apps.tested,
        newborns=newborns,
        api_days=api_days,
        ip_days=ip_days,
        units={
            "newborn": newborns.units,
            "app": count_units(_count(apps.tested), apps.past_tested),
            "ip": count_units(
                ip_days["ip"].nunique(),
                [*counted[counted["week"] < 0].groupby("week")["ip"].nunique()],
            ),
            "api": _count(api_days.tested),
        },
    )
    return replace(detection, cases=_make_cases(detection))


def limit_days(detection: Detection, since: pd.Timestamp) -> Detection:
    """Forget the days that were over before an instant.

    Parameters
    ----------
    detection : Detection
        What the engine found out about a week.
    since : pandas.Timestamp
        An instant of that week, UTC.

    Returns
    -------
    Detection
        With nothing unusual on earlier days. E still counts the days of a whole week: runs
        through the week share its alarm budget.
    """
    grid = detection.panel.grid
    days = np.array(grid.days(0))
    over = np.asarray(grid.ends[grid.first_hour[days] + grid.day_hours[days] - 1] <= since)
    api_days, ip_days, newborns = detection.api_days, detection.ip_days, detection.newborns
    limited = replace(
        detection,
        app_p={name: np.where(over, 1.0, p) for name, p in detection.app_p.items()},
        far={name: np.where(over, 0.0, far) for name, far in detection.far.items()},
        tested=detection.tested & ~over,
        common=[common for common in detection.common if not over[common.day]],
        newborns=newborns.limit(~over),
        ip_days=ip_days[~np.isin(ip_days["day"], days[over])].reset_index(drop=True),
        api_days=replace(
            api_days,
            p={name: np.where(over, 1.0, p) for name, p in api_days.p.items()},
            tested=api_days.tested & ~over,
        ),
    )
    return replace(limited, cases=_make_cases(limited))


def _count(tested: NDArray[np.bool_]) -> int:
    """Return how many entities were tested on any day."""
    return int(tested.any(axis=1).sum())


def _judge_apps(
    panel: Panel,
    groups: list[AppGroup],
    networks: Novelty,
    apis: Novelty,
    since: pd.Timestamp | None,
    *,
    detector: OutlierDetector | None,
    seed: int,
) -> AppDays:
    """Judge the app-days of the report week by the weeks before it."""
    weeks = [*panel.grid.weeks, 0]
    scores = partial(score_apps, panel, groups, networks, apis)
    with ThreadPoolExecutor(SCORED_AT_ONCE, thread_name_prefix="score") as pool:
        # a thread does not know which detectors were chosen unless it is told
        done = [
            pool.submit(copy_context().run, scores, week, since=None if week else since)
            for week in weeks
        ]
        scored = {week: found.result()[0] for week, found in zip(weeks, done, strict=True)}
    _, windows = done[-1].result()
    rated = rate_windows(scored, count_windows(groups, windows), weighed=windows.keys())
    past, current = rated.past, rated.current
    calibrated = not np.isnan(past).any(axis=1).all()
    names = [group.name for group in groups]
    kinds = [group.kind for group in groups]
    votes = vote(names, past, rated.rows, current, kinds=kinds, detector=detector, seed=seed)
    return AppDays(
        surprises=choose_windows(windows, rated.z),
        p=votes.p,
        far=votes.far,
        resolution=votes.resolution,
        attribution=votes.attribution,
        common=rated.common,
        tested=np.asarray(~np.isnan(current).all(axis=2) & calibrated),
        past_tested=rated.rows.count_entities() * calibrated,
    )


def _make_cases(detection: Detection) -> list[Case]:
    """Return a case per entity with a day that was tested, by its least probable day."""
    api_days, ip_days, newborns = detection.api_days, detection.ip_days, detection.newborns
    families = {
        "app": _list_days(
            detection.panel.apps,
            detection.app_p["joint"],
            detection.tested,
            far=detection.far["joint"],
        ),
        "newborn": _list_days(
            detection.panel.apps,
            newborns.p["joint"] * newborns.rate,
            newborns.list_cases(),
            far=newborns.far - np.log10(max(newborns.rate, TINY)),
        ),
        "ip": pd.DataFrame({"entity": ip_days["ip"], "p": ip_days["p"]}),
        "api": _list_days(api_days.panel.apps, api_days.p["joint"], api_days.tested),
    }
    days = pd.concat(families, names=["family"]).reset_index(level="family")
    days["far"] = days["far"].fillna(-np.log10(days["p"]))
    least = days.groupby(["family", "entity"]).agg(p=("p", "min"), far=("far", "max"))
    least["q"] = adjust_q(least["p"].to_numpy(dtype=float))
    share = share_budget(detection.units)
    chances = {**detection.units, "newborn": newborns.chances}
    cases = [
        Case(
            entity_type="app" if family == "newborn" else family,
            entity=str(entity),
            p=float(p),
            expected_per_week=float(p) * chances[family] / share[family],
            q=float(q),
            far=float(far),
        )
        for (family, entity), p, q, far in least[["p", "q", "far"]].itertuples()
    ]
    cases.sort(key=lambda case: (case.expected_per_week, -case.far, case.entity_type, case.entity))
    # a young app may be new on a network besides: one case, by what is more unusual
    least_of: dict[tuple[str, str], Case] = {}
    for case in cases:
        least_of.setdefault((case.entity_type, case.entity), case)
    return [*least_of.values()]


def _list_days(
    names: pd.Index,
    p: NDArray[np.float64],
    tested: NDArray[np.bool_],
    *,
    far: NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    row = np.nonzero(tested)[0]
    days = pd.DataFrame({"entity": names[row], "p": p[tested]})
    return days if far is None else days.assign(far=far[tested])
