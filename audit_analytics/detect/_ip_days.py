"""The surprise groups of an IP-day: addresses that serve many apps, or fail to authenticate.

An address has no rhythm of its own to be compared with; it is compared with what other addresses
did on other days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.detect._calibrate import Calibrator
from audit_analytics.detect._detectors import list_detectors
from audit_analytics.detect._group import IpGroup
from audit_analytics.detect._rows import Rows
from audit_analytics.detect._tables import find_places, sort_words

if TYPE_CHECKING:
    from audit_analytics.detect._novelty import Novelty
    from audit_analytics.detect._panel import Panel

MIN_APPS: Final = 2
MIN_FAILURES: Final = 3


def count_ip_days(panel: Panel, by_ip: pd.DataFrame, networks: Novelty) -> pd.DataFrame:
    """Count what each address did each day, where it did enough to be looked at.

    One row per IP and local day with two apps or three authentication failures: ``ip``, ``day``,
    ``week``, ``apps_count``, ``new_apps_count``, ``failing_apps_count``, ``calls_count``,
    ``auth_count`` and the raw score of each group by its name.
    """
    grid = panel.grid
    hour = grid.locate(by_ip["bucket_at"])
    app = find_places(by_ip["app_id"], panel.apps)
    ip = sort_words(by_ip["ip"])
    kept = (hour >= 0) & (hour < len(grid.hours)) & (app >= 0) & (ip != "").to_numpy()
    rows = pd.DataFrame(
        {
            "ip": ip[kept],
            "day": grid.day[hour[kept]],
            "app": app[kept],
            "name": sort_words(by_ip["network"])[kept],
            "calls_count": by_ip["calls_count"][kept],
            "auth_count": by_ip["auth_count"][kept],
        }
    )
    rows = rows.groupby(["ip", "day", "app", "name"], observed=True, as_index=False).sum()
    rows = rows.astype({"ip": "str", "name": "str"})
    new = pd.MultiIndex.from_frame(networks.pairs[["app", "day", "name"]])
    rows["new"] = pd.MultiIndex.from_frame(rows[["app", "day", "name"]]).isin(new)
    rows["failing"] = rows["auth_count"] > 0
    days = rows.groupby(["ip", "day"], as_index=False).agg(
        apps_count=("app", "nunique"),
        new_apps_count=("new", "sum"),
        failing_apps_count=("failing", "sum"),
        calls_count=("calls_count", "sum"),
        auth_count=("auth_count", "sum"),
    )
    days = days[(days["apps_count"] >= MIN_APPS) | (days["auth_count"] >= MIN_FAILURES)]
    scores = {group.name: group.scored(days) for group in list_detectors(IpGroup)}
    days = days.assign(week=grid.week[grid.first_hour[days["day"]]], **scores)
    return days.reset_index(drop=True)


def judge_ip_days(ip_days: pd.DataFrame, *, days_out: bool = False) -> pd.DataFrame:
    """Calibrate the IP-days of the report week on those of past weeks.

    With `days_out` each day is compared with all others, those of the report week as well, see
    :mod:`audit_analytics.detect._days_out`. The days of the report week come back with ``p`` (how
    rare a week is that holds such a day) and one ``p_`` column per group (how rare such a day is);
    none without a past address to compare with.
    """
    current = ip_days["week"] == 0
    if not days_out or not current.any():
        return _rate(ip_days[~current], ip_days[current])
    parts = [
        _rate(ip_days[ip_days["day"] != day], ip_days[current & (ip_days["day"] == day)])
        for day in sorted(ip_days.loc[current, "day"].unique())
    ]
    return pd.concat(parts, ignore_index=True)


def _rate(past: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[:0] if past.empty else rows.copy()
    past_stat, stat = np.zeros(len(past)), np.zeros(len(rows))
    for name in (group.name for group in list_detectors(IpGroup)):
        calibrator = Calibrator(past[name].to_numpy())
        # nothing new and no failure at all is nothing to be surprised at
        rows[f"p_{name}"] = np.where(rows[name] > 0, calibrator.p_value(rows[name].to_numpy()), 1.0)
        own = np.where(past[name] > 0, calibrator.p_value(past[name].to_numpy()), 1.0)
        past_stat = np.maximum(past_stat, -np.log10(own))
        stat = np.maximum(stat, -np.log10(rows[f"p_{name}"].to_numpy()))
    of = Rows(pd.factorize(past["ip"])[0], past["week"].to_numpy(dtype=np.intp))
    p = Calibrator.of_weeks(past_stat, of).p_value(stat)
    return rows.assign(p=p).reset_index(drop=True)
