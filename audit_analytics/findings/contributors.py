"""Who and what a finding is about: what succeeded first, then the most sensitive, then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from audit_analytics import schema
from audit_analytics.language import _, ngettext
from audit_analytics.language.wording import show_api

if TYPE_CHECKING:
    import pandas as pd

MAX_CONTRIBUTORS: Final = 5
MAX_APPS: Final = 50
"""Apps of an address that are listed: all of them, but in a flood."""

MAX_NAMED: Final = 3


def list_contributors(groups: pd.DataFrame, *, with_apps: bool) -> dict[str, list[dict[str, Any]]]:
    """List APIs, addresses, codes, and the apps of what is no app.

    Parameters
    ----------
    groups : pandas.DataFrame
        Counts by :data:`audit_analytics.cases.EVIDENCE_GROUPS`.
    with_apps : bool
        Whether apps are listed, each with the APIs it succeeded with.

    Returns
    -------
    dict of str to list of dict
        ``apps``, ``apis``, ``ips`` and ``codes``; each with ``calls_count``.
    """
    counted = groups.assign(
        ok_count=groups["calls_count"].where(groups["outcome"] == "ok", 0),
        errors_count=groups["calls_count"].where(groups["outcome"].isin(schema.ERROR_OUTCOMES), 0),
        grade=schema.rank_severity(groups["severity"]),
    )
    apps = _count(counted, "app_id", MAX_APPS) if with_apps else []
    for row in apps:
        mine = counted[(counted["app_id"] == row["name"]) & (counted["ok_count"] > 0)]
        row["succeeded"] = [name for name, _count in list_successes(mine)]
    return {
        "apps": apps,
        "apis": _count(counted, "api", MAX_CONTRIBUTORS),
        "ips": _count(counted, "ip", MAX_CONTRIBUTORS),
        "codes": _count_codes(groups),
    }


def _count(counted: pd.DataFrame, column: str, most: int) -> list[dict[str, Any]]:
    names = counted.assign(name=counted[column].astype("str")).groupby("name")
    table = names[["calls_count", "ok_count", "errors_count"]].sum()
    table = table.assign(grade=names["grade"].max() * (column == "api")).reset_index()
    table["failed"] = table["ok_count"] == 0
    order = {"failed": True, "grade": False, "calls_count": False, "name": True}
    table = table.sort_values(list(order), ascending=list(order.values()))
    columns = ["name", "calls_count", "ok_count", "errors_count"]
    return [
        {"name": str(name)} | {key: int(n) for key, n in zip(columns[1:], counts, strict=True)}
        for name, *counts in table[columns].head(most).itertuples(index=False)
    ]


def _count_codes(groups: pd.DataFrame) -> list[dict[str, Any]]:
    codes = groups["response_code"].astype("str").mask(groups["response_code"].isna(), "none")
    counts = groups["calls_count"].groupby([codes, groups["outcome"].astype("str")]).sum()
    ranked = sorted(counts.items(), key=lambda item: (item[0][1] != "ok", -item[1], item[0]))
    return [
        {"name": f"{code} ({outcome})", "calls_count": int(count)}
        for (code, outcome), count in ranked[:MAX_CONTRIBUTORS]
    ]


def list_successes(groups: pd.DataFrame) -> list[tuple[str, int]]:
    """List the APIs that were called with success, the most sensitive first.

    Parameters
    ----------
    groups : pandas.DataFrame
        Counts by :data:`audit_analytics.cases.EVIDENCE_GROUPS`.

    Returns
    -------
    list of (str, int)
        API and calls.
    """
    ok = groups[groups["outcome"] == "ok"]
    ok = ok.assign(api=ok["api"].astype("str"), grade=schema.rank_severity(ok["severity"]))
    table = ok.groupby("api").agg(count=("calls_count", "sum"), grade=("grade", "max"))
    rows = sorted(table.itertuples(), key=lambda row: (-row.grade, -row.count, row.Index))
    return [(str(row.Index), int(row.count)) for row in rows]


def say_success(groups: pd.DataFrame) -> str:
    """Say how much of what was tried succeeded.

    Parameters
    ----------
    groups : pandas.DataFrame
        Counts by :data:`audit_analytics.cases.EVIDENCE_GROUPS`.

    Returns
    -------
    str
        A sentence; none where nothing was called.
    """
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
