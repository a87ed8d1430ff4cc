"""The two surprise groups of new pairs: an app on a new network, an app on a new API.

Some apps meet something new every week, most never do. How surprising a day with k new pairs is
depends on how often the app has such days, how many pairs they bring, how foreign the place is
to the whole tenant, how busy it gets there, and whether it keeps a beat there that it never kept.

And on age: in the second week of a log much is new that was only not seen yet. The number of
distinct things grows with a power of the time looked (Heaps 1978, Information Retrieval, 7.5), so
the rate of new ones falls as age^-gamma. gamma is fitted to the days of the past by maximum
likelihood (multinomial over the days), with a normal prior around 0 that keeps few counts from
telling a story. Every day then counts as so much exposure as its age gives it, and a past
day is compared with the report week as if both were of one age.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.detect._grid import MIN_HISTORY_DAYS
from audit_analytics.detect._panel import by_day
from audit_analytics.detect._rhythm import add_rhythm
from audit_analytics.detect._tables import find_places, sort_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from audit_analytics.detect._panel import Panel

NETWORK_DAYS: Final = 1
"""Days an app needs before a network is new to it, where the log itself is a week old: an app
settles into its networks on its first day, into its APIs over a week."""

FOREIGN: Final = 2
"""Foreignness of what nobody in the tenant knows."""

PRIOR_DAYS: Final = 10.0
AGING: Final = np.arange(0.0, 3.01, 0.05)
"""Exponents that are tried for the rate of novelty by age."""

AGING_SPREAD: Final = 0.5
"""Standard deviation of the prior of that exponent."""

MIN_REPEAT: Final = 0.1
"""Least probability of one more new pair on a day that already has one."""

_COUNTED: Final = ("bucket_at", "first_at", "calls_count", "permission_count")


@dataclass(frozen=True)
class Novelty:
    """New pairs of apps with networks or with APIs."""

    # one row per pair first seen inside the grid: ``app`` (position), ``day``, ``name``,
    # ``first_at``, ``foreignness`` (0 known in the tenant, 1 partly, 2 not at all), ``mark`` (what
    # the app did there in the first 24 hours), ``calls_count`` in those hours, ``at_home``
    # (networks only: whether the app used its provider and region before), ``rhythm`` (how much
    # more regular the calls are than the app's own before, 0 to 1) and ``gap_seconds`` (the usual
    # time between two calls there, NaN where `rhythm` is 0)
    pairs: pd.DataFrame
    # days on which an app, or the log, is too young for anything to be called new; (n_apps, n_days)
    young: NDArray[np.bool_]
    # days with calls on which something new could have been noticed; (n_apps, n_days)
    active: NDArray[np.bool_]
    age: NDArray[np.intp]  # days since the log began; (n_days,)


def find_new_networks(
    panel: Panel,
    by_ip: pd.DataFrame,
    *,
    known_days: int = MIN_HISTORY_DAYS,
    places: Mapping[str, str] | None = None,
) -> Novelty:
    """Find when each app first called from each network.

    Mark: calls over the pair in its first 24 hours. Foreign: 1 if only the wider network (/16, IPv6
    /32) is known in the tenant, or where it is not, if the app called from the same provider and
    region before (``at_home``). Both together are no news: a move within a cloud is an everyday
    one, though whoever rents there, too, is somebody else.

    The log needs `known_days` before anything in it is new. `places` are the provider and region of
    each network; what is not known is left out.
    """
    known = by_ip.loc[
        ~by_ip["network"].isin(schema.NO_PLACE), ["app_id", "network", "last_at", *_COUNTED]
    ]
    pairs = _first_days(known, "network", panel)
    wider = pairs["name"].map({name: _widen(name) for name in pairs["name"].unique()})
    in_tenant = pairs.groupby("name")["first_at"].transform("min") < pairs["first_at"]
    nearby = pairs["first_at"].groupby(wider).transform("min") < pairs["first_at"]
    foreign = np.where(in_tenant, 0, np.where(nearby, 1, FOREIGN))
    known_places = places or {}
    place = pd.Series([known_places.get(n, "") for n in pairs["name"]], pairs.index, dtype="str")
    begun = pairs["first_at"].groupby([pairs["app"], place]).transform("min")
    at_home = (place != "") & (begun < pairs["first_at"])
    pairs = pairs.assign(
        foreignness=np.where(at_home, 1, foreign), at_home=at_home, mark=pairs["calls_count"]
    )
    pairs = pairs[~at_home | (foreign == FOREIGN)]
    found = _build(panel, pairs, days=NETWORK_DAYS, known_days=known_days)
    return replace(found, pairs=add_rhythm(found.pairs, known, panel))


def find_new_apis(
    panel: Panel, by_api: pd.DataFrame, *, known_days: int = MIN_HISTORY_DAYS
) -> Novelty:
    """Find when each app first used each API.

    Mark: denials in the first 24 hours. Foreign: 2 if the API is sensitive, 1 if no app of the
    tenant used it before. The log, and an app, needs `known_days` before anything is new to it.
    """
    pairs = _first_days(by_api, "api", panel)
    known = by_api[["api", "severity"]].drop_duplicates("api").astype("str")
    severity = pairs["name"].map(known.set_index("api")["severity"])
    sensitive = severity.isin(schema.SENSITIVE)
    in_tenant = pairs.groupby("name")["first_at"].transform("min") < pairs["first_at"]
    foreign = np.where(sensitive, 2, np.where(in_tenant, 0, 1))
    pairs = pairs.assign(foreignness=foreign, mark=pairs["permission_count"])
    found = _build(panel, pairs, days=known_days, known_days=known_days)
    # a job that adopts an API is regular, and no beacon
    return replace(found, pairs=found.pairs.assign(rhythm=0.0, gap_seconds=np.nan))


def _widen(network: str) -> str:
    try:
        address = ipaddress.ip_network(network)
    except ValueError:
        return network
    wide = 16 if address.version == 4 else 32
    return str(address.supernet(new_prefix=wide)) if address.prefixlen > wide else network


def _first_days(table: pd.DataFrame, column: str, panel: Panel) -> pd.DataFrame:
    """Return every pair with its first instant and what happened in the 24 hours after it."""
    table = table[[*_COUNTED]].assign(
        app=find_places(table["app_id"], panel.apps),
        name=sort_words(table[column]),
    )
    table = table[table["app"] >= 0]
    keys = ["app", "name"]
    begun = table.groupby(keys, observed=True)["bucket_at"].transform("min")
    early = table[table["bucket_at"] < begun + pd.Timedelta(days=1)]
    pairs = early.groupby(keys, observed=True, as_index=False).agg(
        first_at=("first_at", "min"),
        calls_count=("calls_count", "sum"),
        permission_count=("permission_count", "sum"),
    )
    return pairs.astype({"name": "str"})


def _build(panel: Panel, pairs: pd.DataFrame, *, days: int, known_days: int) -> Novelty:
    grid = panel.grid
    first_at = pd.DatetimeIndex(pairs["first_at"])
    hour = grid.locate(first_at)
    inside = (hour >= 0) & (hour < len(grid.hours))
    pairs = pairs[inside].assign(first_at=first_at[inside], day=grid.day[hour[inside]])
    day = np.arange(grid.day[-1] + 1)
    # the log may begin before the grid; then its first days are old enough
    born = np.where(panel.first_hour < 0, panel.first_hour // 24, grid.day[panel.first_inside])
    young = day[None, :] - born[:, None] < days
    young |= day[None, :] - grid.began_day < known_days
    active = by_day(panel.counts["calls"], grid.day) > 0
    pairs = pairs[~young[pairs["app"], pairs["day"]]]
    return Novelty(pairs.reset_index(drop=True), young, active & ~young, day - grid.began_day)


def score_novelty(panel: Panel, novelty: Novelty, scored: int) -> NDArray[np.float64]:
    """Score the new pairs of each app and day of one week.

    -log10(p_new theta^(k-1) P(foreign >= f) P(mark >= m) P(rhythm >= r)); 0 without a new pair, NaN
    while the app is too young. The scored week and the report week teach nothing. Where no other
    week does, each day of it is scored by its other days.
    """
    grid = panel.grid
    days = np.array(grid.days(scored))
    past = np.isin(np.arange(grid.day[-1] + 1), grid.day[grid.week < 0])
    per_day = novelty.pairs.groupby(["app", "day"]).agg(
        k=("name", "size"),
        foreign=("foreignness", "max"),
        mark=("mark", "sum"),
        rhythm=("rhythm", "max"),
    )

    def leave_out(block: NDArray[np.intp]) -> NDArray[np.bool_]:
        others = past.copy()
        others[block] = False
        return others

    # of three weeks one alone can teach; what came of nothing would make the next look new
    whole = (novelty.active & leave_out(days)).any()
    blocks = [days] if whole else np.split(days, len(days))
    split = [_score_days(novelty, per_day, leave_out(block), block) for block in blocks]
    score = np.concatenate(split, axis=1)
    score[novelty.young[:, days]] = np.nan
    return score


def _score_days(
    novelty: Novelty, per_day: pd.DataFrame, learn: NDArray[np.bool_], days: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Score the new pairs of some days by what some others teach."""
    day = per_day.index.get_level_values("day")
    past, now = per_day[learn[day]], per_day[np.isin(day, days)]
    watched = novelty.active & learn
    exposure = _fit_exposure(novelty, watched, past)
    active = (watched * exposure).sum(axis=1)
    with_new = np.bincount(past.index.get_level_values("app"), minlength=len(active))
    mean = max(with_new.sum(), 1) / max(active.sum(), 1)
    rate = (PRIOR_DAYS * mean + with_new) / (PRIOR_DAYS + active)
    repeat = max(MIN_REPEAT, 1.0 - 1.0 / max(past["k"].mean(), 1.0)) if len(past) else MIN_REPEAT
    app, today = (now.index.get_level_values(name).to_numpy() for name in ("app", "day"))
    p = np.clip(rate[app] * exposure[today], 1e-6, 1.0)
    p = p * repeat ** (now["k"].to_numpy() - 1)
    for column in ("mark", "rhythm"):
        p = p * _upper_tail(past[column].to_numpy(), now[column].to_numpy())
    for degree in (1, 2):
        so_foreign = now["foreign"].to_numpy() >= degree
        likes, fewer = past[past["foreign"] >= degree], past[past["foreign"] >= degree - 1]
        share = (1.0 + len(likes)) / (1.0 + len(fewer))
        aging = _fit_exposure(novelty, watched, likes) / _fit_exposure(novelty, watched, fewer)
        p = np.where(so_foreign, p * np.minimum(share * aging[today], 1.0), p)
    score = np.zeros((len(active), len(days)))
    score[app, today - days[0]] = -np.log10(np.maximum(p, 1e-300))
    return score


def _fit_exposure(
    novelty: Novelty, watched: NDArray[np.bool_], past: pd.DataFrame
) -> NDArray[np.float64]:
    """Return how much novelty the age of the log lets expect on each day: (age / some age)^-gamma.

    It is 1 on average over the days to learn from: `watched`, of shape (n_apps, n_days). `past` are
    those of them that had something new, by ``app`` and ``day``.
    """
    days = watched.sum(axis=0).astype(float)
    # in its first week the log has nothing to say, so no age is 0 where it counts
    age = np.maximum(novelty.age, 1).astype(float)
    if not days.any():
        return np.ones_like(age)
    new = np.bincount(past.index.get_level_values("day"), minlength=len(age))
    exposures = age ** -AGING[:, None]
    expected = exposures * days
    expected /= expected.sum(axis=1, keepdims=True)
    likelihood = (new * np.log(np.maximum(expected, 1e-300)))[:, days > 0].sum(axis=1)
    exposure = exposures[np.argmax(likelihood - 0.5 * (AGING / AGING_SPREAD) ** 2)]
    return np.asarray(exposure / np.average(exposure, weights=days))


def _upper_tail(reference: NDArray[np.float64], value: NDArray[np.float64]) -> NDArray[np.float64]:
    ranked = np.sort(reference)
    above = len(ranked) - np.searchsorted(ranked, value, side="left")
    return np.asarray((1.0 + above) / (len(ranked) + 1.0))
