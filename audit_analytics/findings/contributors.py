"""Who and what a finding is about: what succeeded first, then the most sensitive, then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from audit_analytics import schema
from audit_analytics.language import _, ngettext
from audit_analytics.language.wording import show_api

if TYPE_CHECKING:
    import pandas as pd

MAX_CONTRIBUTORS: Final = 5
MAX_SUCCEEDED: Final = 20
"""APIs that are listed if they succeeded: whoever decides has to know all of them."""

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
        "apis": _count(counted, "api", MAX_CONTRIBUTORS, of_ok=MAX_SUCCEEDED),
        "ips": _count(counted, "ip", MAX_CONTRIBUTORS),
        "codes": _count_codes(groups),
    }


def _count(
    counted: pd.DataFrame, column: str, most: int, *, of_ok: int = 0
) -> list[dict[str, Any]]:
    # a finding has some dozen rows: pandas would take longer to group them than to count them
    counts: dict[str, list[int]] = {}
    columns = ["calls_count", "ok_count", "errors_count", "grade"]
    names = counted[column].astype("str")
    for name, calls, ok, errors, grade in zip(
        names, *(counted[c].tolist() for c in columns), strict=True
    ):
        own = counts.setdefault(name, [0, 0, 0, 0])
        own[:3] = own[0] + calls, own[1] + ok, own[2] + errors
        own[3] = max(own[3], grade) if column == "api" else 0
    ranked = sorted(
        counts.items(), key=lambda row: (row[1][1] == 0, -row[1][3], -row[1][0], row[0])
    )
    return [
        {"name": name} | dict(zip(columns[:3], map(int, own), strict=False))
        for name, own in ranked[: max(most, min(of_ok, sum(own[1] > 0 for own in counts.values())))]
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
    found: dict[str, list[int]] = {}
    grades = schema.rank_severity(ok["severity"])
    for api, grade, calls in zip(ok["api"].astype("str"), grades, ok["calls_count"], strict=True):
        own = found.setdefault(api, [grade, 0])
        own[:] = max(own[0], grade), own[1] + calls
    ranked = sorted(found.items(), key=lambda row: (-row[1][0], -row[1][1], row[0]))
    return [(api, int(calls)) for api, (_grade, calls) in ranked]


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
