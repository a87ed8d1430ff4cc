"""Who and what a finding is about: what succeeded first, then the most sensitive, then the rest."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.language import _, ngettext
from audit_analytics.language.wording import show_api

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
    apps = _count(groups, "app_id", MAX_APPS) if with_apps else []
    for row in apps:
        mine = groups[groups["app_id"] == row["name"]]
        row["succeeded"] = [name for name, _count in list_successes(mine)]
    return {
        "apps": apps,
        "apis": _count(groups, "api", MAX_CONTRIBUTORS, of_ok=MAX_SUCCEEDED),
        "ips": _count(groups, "ip", MAX_CONTRIBUTORS),
        "codes": _count_codes(groups),
    }


def _count(groups: pd.DataFrame, column: str, most: int, *, of_ok: int = 0) -> list[dict[str, Any]]:
    # a finding has some dozen rows: pandas would take longer to group them than to count them
    counts: dict[str, list[int]] = {}
    grades = schema.rank_severity(groups["severity"])
    columns = (groups[column], groups["outcome"], groups["calls_count"], grades)
    for name, outcome, calls, grade in zip(*(c.tolist() for c in columns), strict=True):
        own = counts.setdefault(str(name), [0, 0, 0, 0])
        own[0] += calls
        own[1] += calls if outcome == "ok" else 0
        own[2] += calls if outcome in schema.ERROR_OUTCOMES else 0
        own[3] = max(own[3], grade) if column == "api" else 0
    ranked = sorted(
        counts.items(), key=lambda row: (row[1][1] == 0, -row[1][3], -row[1][0], row[0])
    )
    names = ("name", "calls_count", "ok_count", "errors_count")
    return [
        dict(zip(names, (name, *own), strict=False))
        for name, own in ranked[: max(most, min(of_ok, sum(own[1] > 0 for own in counts.values())))]
    ]


def _count_codes(groups: pd.DataFrame) -> list[dict[str, Any]]:
    counts = Counter[tuple[str, str]]()
    columns = (groups["response_code"].astype("object"), groups["outcome"], groups["calls_count"])
    for code, outcome, calls in zip(*(c.tolist() for c in columns), strict=True):
        counts["none" if pd.isna(code) else str(code), str(outcome)] += calls
    ranked = sorted(counts.items(), key=lambda item: (item[0][1] != "ok", -item[1], item[0]))
    return [
        {"name": f"{code} ({outcome})", "calls_count": count}
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
    columns = (ok["api"], grades, ok["calls_count"])
    for api, grade, calls in zip(*(c.tolist() for c in columns), strict=True):
        own = found.setdefault(str(api), [grade, 0])
        own[:] = max(own[0], grade), own[1] + calls
    ranked = sorted(found.items(), key=lambda row: (-row[1][0], -row[1][1], row[0]))
    return [(api, calls) for api, (_grade, calls) in ranked]


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
