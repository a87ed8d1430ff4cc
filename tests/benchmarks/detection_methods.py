"""What the detection benchmark compares: each method ranks the entities of one week.

A method returns one row an entity: ``entity`` ("app:..." or "ip:..."), ``score`` (higher is more
unusual), and ``start_at`` and ``end_at`` of the bucket the score comes from.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest

from audit_analytics import features, schema
from audit_analytics.dates.buckets import slot_of
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from worlds.world import World

    from audit_analytics.detect import Detection
    from audit_analytics.report import ReportInput

BIRTH = "BIRTH"
BORN = {
    "failed_apis": "ERR",
    "errors_hour": "ERR",
    "errors_day": "ERR",
    "sensitive_quiet": "SENS",
    "sensitive": "SENS",
    "alone": "NEWNET",
    "own_apis": "NEWAPI",
    "apis": "NEWAPI",
    "token": "TOK",
    "objects": "OBJ",
    "calls_hour": "VOL",
    "calls_day": "VOL",
    "": BIRTH,
}
"""Number of a young app's day to the group that counts the same of an older one."""

HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
COUNTS = [
    "calls_count",
    *(f"{name}_count" for name in schema.ERROR_OUTCOMES),
    "apis_count",
    "denied_apis_count",
    "sensitive_count",
    "token_count",
    "objects_count",
    "ips_count",
    "networks_count",
]


@dataclass
class Judged:
    """A world with what several methods share."""

    world: World

    @cached_property
    def settings(self) -> Settings:
        return Settings(holidays=self.world.holidays, working_days=self.world.working_days)

    @cached_property
    def data(self) -> ReportInput:
        return judge_week(count_log(self.world.events, self.settings), settings=self.settings)

    @property
    def calls(self):
        return self.data.calls

    @property
    def week(self):
        return self.data.week

    @property
    def detection(self):
        return self.data.detection

    @property
    def findings(self):
        return self.data.findings

    @cached_property
    def hourly(self) -> pd.DataFrame:
        """Active app-hours with COUNTS, ``now`` for the report week, and ``slot``."""
        table = features.per_app(self.calls, zone=self.settings.tenant_zone, zero_fill=False)
        table = table[table["app_id"] != ""].reset_index(drop=True)
        at = pd.DatetimeIndex(table["bucket_at"])
        slot = slot_of(
            at,
            zone=self.settings.tenant_zone,
            holidays=self.world.holidays,
            working_days=self.world.working_days,
        )
        return table.assign(
            entity="app:" + table["app_id"].astype("str"), now=at >= self.week.start_at, slot=slot
        )

    @cached_property
    def relative(self) -> pd.DataFrame:
        """The counts of :attr:`hourly` as distances from the app's own mean of that slot."""
        table = self.hourly
        past = table[~table["now"]]
        hours = past.groupby("slot")["bucket_at"].nunique()
        sums = past.groupby(["entity", "slot"])[COUNTS].sum()
        mean = sums.div(sums.index.get_level_values("slot").map(hours), axis=0)
        mean = mean.reindex(pd.MultiIndex.from_frame(table[["entity", "slot"]])).fillna(0.0)
        usual = mean.to_numpy()
        return table.assign(
            **dict(
                zip(COUNTS, ((table[COUNTS] - usual) / np.sqrt(usual + 1)).T.values, strict=True)
            )
        )


def _best(table: pd.DataFrame, score: np.ndarray, width: pd.Timedelta) -> pd.DataFrame:
    rows = pd.DataFrame(
        {"entity": table["entity"], "score": score, "start_at": table["bucket_at"].to_numpy()}
    )
    rows = rows.sort_values("score", ascending=False, kind="stable").drop_duplicates("entity")
    start = pd.to_datetime(rows["start_at"], utc=True)
    return rows.assign(start_at=start, end_at=start + width)


def _fit_and_rank(table: pd.DataFrame, detector: object) -> pd.DataFrame:
    past, now = table[~table["now"]], table[table["now"]]
    detector.fit(past[COUNTS].to_numpy(float))
    values = now[COUNTS].to_numpy(float)
    if hasattr(detector, "score_samples"):
        return _best(now, -detector.score_samples(values), HOUR)
    return _best(now, detector.decision_function(values), HOUR)


def _forest() -> IsolationForest:
    return IsolationForest(n_estimators=300, max_samples=256, random_state=0)


def rank_by_raw_forest(judged: Judged) -> pd.DataFrame:
    return _fit_and_rank(judged.hourly, _forest())


def rank_by_relative_forest(judged: Judged) -> pd.DataFrame:
    return _fit_and_rank(judged.relative, _forest())


def rank_by_ecod(judged: Judged) -> pd.DataFrame:
    from pyod.models.ecod import ECOD  # noqa: PLC0415 - only where it is installed

    return _fit_and_rank(judged.hourly, ECOD())


def rank_by_thresholds(judged: Judged) -> pd.DataFrame:
    """One threshold a count for the whole tenant, each set so that one entity a week exceeded it.

    Counts by hour and by day, calls at night, calls from networks new to the tenant, and per
    address the apps that failed to authenticate; ranked by how far the threshold is exceeded.
    """
    hourly = judged.hourly
    local = hourly["bucket_at"].dt.tz_convert(judged.settings.tenant_zone)
    hourly = hourly.assign(night_count=hourly["calls_count"].where(local.dt.hour < 6, 0))
    day = hourly["bucket_at"].dt.tz_convert(judged.settings.tenant_zone).dt.normalize()
    daily = hourly.groupby(["entity", day.rename("day")], as_index=False)[COUNTS].sum()
    daily = daily.rename(columns={"day": "bucket_at"})
    ranked = [
        _exceed(judged, hourly, [*COUNTS, "night_count"], HOUR),
        _exceed(judged, daily, COUNTS, DAY),
        _exceed(judged, *_foreign_calls(judged), HOUR),
        _exceed(judged, *_failing_addresses(judged), HOUR),
    ]
    table = pd.concat(ranked, ignore_index=True)
    return table.sort_values("score", ascending=False, kind="stable").drop_duplicates("entity")


def _exceed(
    judged: Judged, table: pd.DataFrame, columns: list[str], width: pd.Timedelta
) -> pd.DataFrame:
    weeks = (judged.week.start_at - table["bucket_at"]) // pd.Timedelta(days=7)
    past = table["bucket_at"] < judged.week.start_at
    peaks = table[past].groupby(["entity", weeks[past]])[columns].max()
    number = max(1, weeks[past].nunique())
    limits = [
        max(1.0, float(np.sort(peaks[c])[-min(len(peaks), number)])) if len(peaks) else 1.0
        for c in columns
    ]
    now = table[~past]
    return _best(now, (now[columns].to_numpy(float) / limits).max(axis=1), width)


def _foreign_calls(judged: Judged) -> tuple[pd.DataFrame, list[str]]:
    by_ip = judged.calls.by_ip
    by_ip = by_ip[~by_ip["network"].isin(["", "platform"])]
    first = by_ip.groupby("network", observed=True)["bucket_at"].transform("min")
    fresh = by_ip[by_ip["bucket_at"] < first + DAY]
    # in the first week everything is new
    fresh = fresh[fresh["bucket_at"] >= by_ip["bucket_at"].min() + 7 * DAY]
    table = fresh.groupby(["app_id", "bucket_at"], observed=True, as_index=False)[
        "calls_count"
    ].sum()
    return table.assign(entity="app:" + table["app_id"].astype("str")), ["calls_count"]


def _failing_addresses(judged: Judged) -> tuple[pd.DataFrame, list[str]]:
    by_ip = judged.calls.by_ip
    failing = by_ip[(by_ip["auth_count"] > 0) & (by_ip["ip"] != "")]
    table = failing.groupby(["ip", "bucket_at"], observed=True, as_index=False).agg(
        apps_count=("app_id", "nunique"), auth_count=("auth_count", "sum")
    )
    return table.assign(entity="ip:" + table["ip"].astype("str")), ["apps_count", "auth_count"]


def rank_by_static_list(judged: Judged) -> pd.DataFrame:
    """What a spreadsheet shows: most errors in an hour, and most calls from new addresses, in turn.

    New is an address the app did not call from before the week.
    """
    errors = judged.hourly[judged.hourly["now"]]
    failed = errors[[f"{name}_count" for name in schema.ERROR_OUTCOMES]].sum(axis=1)
    by_errors = _best(errors, failed.to_numpy(float), HOUR)
    by_ip = judged.calls.by_ip
    by_ip = by_ip[(by_ip["app_id"] != "") & (by_ip["ip"] != "")]
    first = by_ip.groupby(["app_id", "ip"], observed=True)["bucket_at"].transform("min")
    fresh = by_ip[first >= judged.week.start_at]
    hours = fresh.groupby(["app_id", "bucket_at"], observed=True, as_index=False)[
        "calls_count"
    ].sum()
    hours = hours.assign(entity="app:" + hours["app_id"].astype("str"))
    by_news = _best(hours, hours["calls_count"].to_numpy(float), HOUR)
    total = hours.groupby("entity")["calls_count"].sum()
    by_news["score"] = by_news["entity"].map(total).astype(float)
    lists = [
        ranked[ranked["score"] > 0]
        .sort_values(["score", "entity"], ascending=[False, True])
        .assign(score=lambda rows, place=place: -2.0 * np.arange(len(rows)) - place)
        for place, ranked in enumerate((by_errors, by_news))
    ]
    table = pd.concat(lists, ignore_index=True).sort_values("score", ascending=False)
    return table.drop_duplicates("entity")


def rank_by_cases(judged: Judged) -> pd.DataFrame:
    """Ours without the rules: cases by E; the bucket is the most unusual day."""
    return _rank_cases(judged.detection)


def _rank_cases(found: Detection) -> pd.DataFrame:
    grid, shared = found.panel.grid, found.api_days
    best = {}
    tables = ("app", found.panel.apps, found.app_p), ("api", shared.panel.apps, shared.p)
    for family, names, p in tables:
        for position, name in enumerate(names):
            best[family, str(name)] = grid.days(0)[int(p["joint"][position].argmin())]
    ip_days = found.ip_days.sort_values("p").drop_duplicates("ip")
    best |= {("ip", ip): int(day) for ip, day in zip(ip_days["ip"], ip_days["day"], strict=True)}
    start = [grid.hours[grid.first_hour[best[c.entity_type, c.entity]]] for c in found.cases]
    return pd.DataFrame(
        {
            "entity": [f"{c.entity_type}:{c.entity}" for c in found.cases],
            "score": [-np.log10(c.expected_per_week) for c in found.cases],
            "start_at": pd.DatetimeIndex(start),
            "end_at": pd.DatetimeIndex(start) + DAY,
        }
    )


def rank_by_ecod_voter(judged: Judged) -> pd.DataFrame:
    """Ours without the rules, and with ECOD in the isolation forest's place."""
    from pyod.models.ecod import ECOD  # noqa: PLC0415 - only where it is installed

    log = count_log(judged.world.events, judged.settings)
    return _rank_cases(judge_week(log, settings=judged.settings, detector=ECOD()).detection)


def rank_by_list(judged: Judged) -> pd.DataFrame:
    """Ours as the report lists: its findings and nothing below them.

    What a young app is told by is one of several numbers: its reason is the group of that number.
    """
    findings = judged.findings
    numbers = {hit.entity: hit.facts["number"] for hit in judged.data.hits if hit.detector == BIRTH}
    return pd.DataFrame(
        {
            "entity": [f"{f.entity_type}:{f.entity}" for f in findings],
            "score": [1000.0 - f.rank for f in findings],
            "start_at": pd.to_datetime([f.start_at for f in findings], utc=True),
            "end_at": pd.to_datetime([f.end_at for f in findings], utc=True),
            "reason": [
                BORN[numbers[f.entity]] if f.detectors[0] == BIRTH else f.detectors[0]
                for f in findings
            ],
            "spans": [
                [(pd.Timestamp(r["start_at"]), pd.Timestamp(r["end_at"])) for r in f.reasons]
                for f in findings
            ],
        }
    )


def rank_by_report(judged: Judged) -> pd.DataFrame:
    """Ours as the report ranks: findings with their rules, then the cases that made none."""
    table = rank_by_list(judged)
    rest = rank_by_cases(judged)
    rest["spans"] = [[]] * len(rest)
    return pd.concat([table, rest[~rest["entity"].isin(table["entity"])]], ignore_index=True)


RANKED, OURS, LISTED = "ours, cases by E", "ours, as the report ranks", "ours, as listed"
METHODS: dict[str, Callable[[Judged], pd.DataFrame]] = {
    "forest, raw app-hours": rank_by_raw_forest,
    "forest, baseline-relative": rank_by_relative_forest,
    "static thresholds": rank_by_thresholds,
    "static list": rank_by_static_list,
    RANKED: rank_by_cases,
    OURS: rank_by_report,
    LISTED: rank_by_list,
}
if importlib.util.find_spec("pyod"):
    METHODS["ECOD, raw app-hours"] = rank_by_ecod
    METHODS["ours, cases by E, ECOD for the forest"] = rank_by_ecod_voter
