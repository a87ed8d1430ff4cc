"""Who and what a finding is about: what got through, then the most sensitive, then the rest.

A reason about failures names failures alone. Whoever reads it asks first which of the attempts
succeeded, and that is no reason of its own: two calls among forty are not unusual.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import floor_hour
from audit_analytics.dates.weeks import Week
from audit_analytics.detect import sort_words
from audit_analytics.language import _, ngettext
from audit_analytics.language.wording import show_api
from audit_analytics.rollup import Rollup

MAX_CONTRIBUTORS: Final = 5
MAX_SUCCEEDED: Final = 20
"""APIs that are listed if they succeeded: whoever decides has to know all of them."""

MAX_APPS: Final = 50
"""Apps of an address that are listed: all of them, but in a flood."""

MAX_NAMED: Final = 3


def list_contributors(groups: pd.DataFrame, *, with_apps: bool) -> dict[str, list[dict[str, Any]]]:
    """List ``apps`` (but of an app), ``apis``, ``ips`` and ``codes`` with their calls, of counts."""
    apps = _count(groups, "app_id", MAX_APPS) if with_apps else []
    if apps:
        ranked = _rank_successes(groups, "app_id")
        for row in apps:
            row["succeeded"] = ranked.loc[ranked["app_id"] == row["name"], "api"].tolist()
    return {
        "apps": apps,
        "apis": _count(groups, "api", MAX_CONTRIBUTORS, of_ok=MAX_SUCCEEDED),
        "ips": _count(groups, "ip", MAX_CONTRIBUTORS),
        "codes": _count_codes(groups),
    }


def _count(groups: pd.DataFrame, column: str, most: int, *, of_ok: int = 0) -> list[dict[str, Any]]:
    place, names = pd.factorize(groups[column])
    calls, outcome = groups["calls_count"].to_numpy(), groups["outcome"]
    masks = np.ones(len(groups)), outcome == "ok", outcome.isin(schema.ERROR_OUTCOMES)
    counts = [np.bincount(place, calls * mask).astype(int).tolist() for mask in masks]
    grades = np.zeros(len(names), dtype=int)
    if column == "api":
        np.maximum.at(grades, place, schema.rank_severity(groups["severity"]))
    ranked = sorted(
        zip(map(str, names), *counts, grades.tolist(), strict=True),
        key=lambda row: (row[2] == 0, -row[4], -row[1], row[0]),
    )
    told = ("name", "calls_count", "ok_count", "errors_count")
    return [
        dict(zip(told, row, strict=False))
        for row in ranked[: max(most, min(of_ok, sum(row[2] > 0 for row in ranked)))]
    ]


def _count_codes(groups: pd.DataFrame) -> list[dict[str, Any]]:
    kinds = groups.groupby(["response_code", "outcome"], observed=True, dropna=False)
    counts = [
        ("none" if pd.isna(code) else str(code), str(outcome), int(calls))
        for (code, outcome), calls in kinds["calls_count"].sum().items()
    ]
    ranked = sorted(counts, key=lambda row: (row[1] != "ok", -row[2], row[:2]))
    return [
        {"name": f"{code} ({outcome})", "calls_count": calls}
        for code, outcome, calls in ranked[:MAX_CONTRIBUTORS]
    ]


def list_successes(groups: pd.DataFrame) -> list[tuple[str, int]]:
    """List the APIs that were called with success, the most sensitive first."""
    ranked = _rank_successes(groups)
    return [*zip(ranked["api"].tolist(), ranked["calls_count"].tolist(), strict=True)]


def _rank_successes(groups: pd.DataFrame, *within: str) -> pd.DataFrame:
    words = [*within, "api"]
    ok = groups.loc[groups["outcome"] == "ok", [*words, "severity", "calls_count"]]
    ok = ok.dropna(subset=words)
    kinds = {word: sort_words(ok[word]).cat for word in words}
    number: NDArray[np.intp] = np.zeros(len(ok), dtype=np.intp)
    for kind in kinds.values():
        number = number * len(kind.categories) + kind.codes.to_numpy()
    cells, first, place = np.unique(number, return_index=True, return_inverse=True)
    harm: NDArray[np.intp] = np.zeros(len(cells), dtype=np.intp)
    np.maximum.at(harm, place, schema.rank_severity(ok["severity"]))
    calls = np.bincount(place, ok["calls_count"], len(cells)).astype(int)
    order = np.lexsort([kinds["api"].codes.to_numpy()[first], -calls, -harm])
    named = {
        word: kind.categories[kind.codes.to_numpy()[first[order]]] for word, kind in kinds.items()
    }
    return pd.DataFrame({**named, "calls_count": calls[order]})


def say_success(groups: pd.DataFrame) -> str:
    """Say how much of what was tried succeeded."""
    calls, successes = int(groups["calls_count"].sum()), list_successes(groups)
    if not calls:
        return ""
    ok = sum(count for _name, count in successes)
    if not ok:
        return ngettext("It did not succeed.", "None of the {n} calls succeeded.", calls)
    named = [
        _("{name} ({count})", name=show_api(name), count=f"{count:,}")
        for name, count in successes[:MAX_NAMED]
    ]
    rest = len(successes) - len(named)
    names = _(", ").join(named)
    if rest > 0:
        names = ngettext("{names} and {n} more API", "{names} and {n} more APIs", rest, names=names)
    if ok == calls:
        return ngettext(
            "It succeeded: {names}.", "All {n} calls succeeded: {names}.", calls, names=names
        )
    return _("{ok} of {calls} got through: {names}.", ok=f"{ok:,}", calls=f"{calls:,}", names=names)


_FOLLOWED: Final = ("app", "ip")


@dataclass(frozen=True)
class Beside:
    """Finds what belongs to findings beside their reasons, in the hourly counts of the log."""

    calls: Rollup
    week: Week

    def find_through(self, hits: Iterable[Hit]) -> list[Hit]:
        """Find what got through where hits are about failures: the successes beside each.

        Of an app: then, from the addresses and over the APIs that failed or are new to it; of an address:
        whatever succeeded from then on.
        """
        found = []
        named: dict[str, tuple[str, ...]]
        for hit in hits:
            failed = hit.where.get("outcome", ("ok",))
            if "ok" in failed or hit.entity_type not in _FOLLOWED or "more" in hit.facts:
                continue
            if hit.entity_type == "ip":
                named, end = {"ip": (hit.entity,)}, self.week.end_at
            else:
                own = {"api": self._apis(hit), "ip": self._addresses(hit)}
                named, end = {**hit.where, **own}, hit.end_at
            ok = {**named, "outcome": ("ok",)}
            if all(ok.values()):
                found.append(replace(hit, where=ok, end_at=end, alone=False))
        return found

    def _apis(self, hit: Hit) -> tuple[str, ...]:
        rows = self._rows(self._by_app["by_api"], self.calls.by_api, hit)
        first = self.calls.by_api.iloc[self._by_app["by_api"].get(hit.entity, [])]
        first = first.groupby("api", observed=True)["first_at"].min()
        tried = _failed(rows, hit)
        new = rows["api"].map(first).astype(first.dtype) >= self.week.start_at
        answered = rows["ok_count"] > 0
        failing = rows["api"].isin(rows.loc[tried, "api"].unique())
        return tuple(sorted(map(str, rows.loc[answered & (failing | new), "api"].unique())))

    def _addresses(self, hit: Hit) -> tuple[str, ...]:
        rows = self._rows(self._by_app["by_ip"], self.calls.by_ip, hit)
        return tuple(sorted(map(str, rows.loc[_failed(rows, hit), "ip"].unique())))

    def _rows(
        self, places: dict[str, NDArray[np.intp]], table: pd.DataFrame, hit: Hit
    ) -> pd.DataFrame:
        own = places.get(hit.entity, np.array([], dtype=np.intp))
        hours = table["bucket_at"].array[own]
        edges = pd.DatetimeIndex([floor_hour(hit.start_at, self.week.zone), hit.end_at]).as_unit(
            "us"
        )
        first, last = pd.DatetimeIndex(hours).searchsorted(edges)
        return table.iloc[own[first:last]]

    @cached_property
    def _by_app(self) -> dict[str, dict[str, NDArray[np.intp]]]:
        """Return the rows of each app, so that no finding looks at those of the others."""
        return {
            name: getattr(self.calls, name).groupby("app_id", observed=True).indices
            for name in ("by_api", "by_ip")
        }


def _failed(rows: pd.DataFrame, hit: Hit) -> pd.Series:
    return rows[[f"{name}_count" for name in hit.where["outcome"]]].sum(axis=1) > 0
