"""Granted against used: which scopes of an app no call of the log needed.

Of a scope that was granted, one of four things is said:

- ``used``: an API that no other scope of this app opens answered with success;
- ``perhaps``: such an API answered, but another scope of this app opens it as well;
- ``unused``: it opens catalogued APIs only, none of which answered in the days observed, 28 at least;
- ``unknown``: it serves events or fields, opens APIs outside the catalogue, or was not observed for
  long enough.
"""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from audit_analytics.catalogue import Catalogue, Scope, load_scopes
from audit_analytics.inventory._app import App, Grant, Inventory
from audit_analytics.schema import AT, SEVERITIES

LEAST_DAYS: Final = 28
"""Complete days below which nothing is called unused: some scopes are needed once a month."""

NARROWER: Final = 3
"""How many times fewer APIs a scope opens that could take another one's place."""

COLUMNS: Final = {
    "app_id": "str",
    "name": "str",
    "owner": "str",
    "scope": "str",
    "usage": "str",
    "why": "str",
    "level": "int64",
    "severity": "str",
    "apis_count": "int64",
    "calls_count": "int64",
    "last_used_at": AT,
    "days_observed": "int64",
    "granted_at": AT,
    "narrower": "str",
}
"""Columns of the table, with their dtypes."""

_ORDER: Final = ("unused", "perhaps", "used", "unknown")


def judge_scopes(
    by_api: pd.DataFrame, inventory: Inventory, days: pd.DatetimeIndex, catalogue: Catalogue
) -> pd.DataFrame:
    """Compare what apps were granted with what they called.

    Parameters
    ----------
    by_api : pandas.DataFrame
        Table :data:`audit_analytics.schema.CALLS_BY_API`.
    inventory : Inventory
        The apps and their grants.
    days : pandas.DatetimeIndex
        Starts of the days the log covers completely, UTC.
    catalogue : Catalogue
        How sensitive the APIs are.

    Returns
    -------
    pandas.DataFrame
        One row per app and scope with :data:`COLUMNS`, super-sensitive and unused first;
        ``severity`` is the highest of the APIs it opens, ``narrower`` a scope of this app that
        opens all that it was perhaps used for, and a third of the APIs or fewer.
    """
    answered = by_api[by_api["ok_count"] > 0].astype({"app_id": "str", "api": "str"})
    used = answered.groupby(["app_id", "api"], as_index=False).agg(
        calls_count=("ok_count", "sum"), last_at=("last_at", "max")
    )
    of_app = dict(list(used.groupby("app_id")))
    severity = {match.api: match.severity for match in catalogue}
    rows = [
        row
        for app in inventory.apps.values()
        if app.grants
        for row in _judge_app(app, of_app.get(app.app_id, used[:0]), days, severity)
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in ("last_used_at", "granted_at"):
        table[name] = pd.to_datetime(table[name], utc=True)
    table = table.astype(COLUMNS)
    order = pd.DataFrame(
        {
            "level": -table["level"],
            "usage": table["usage"].map(_ORDER.index),
            "severity": -table["severity"].map(_grade).astype("int64"),
        }
    )
    by = pd.concat([order, table[["name", "app_id", "scope"]]], axis=1)
    return table.loc[by.sort_values(list(by)).index].reset_index(drop=True)


def list_unexplained(by_api: pd.DataFrame, inventory: Inventory) -> pd.DataFrame:
    """List the answered calls that no grant explains: nobody is accused by it.

    A newer grant, a user's own token and a gap in the map explain most. So only calls between the
    first and the last look at the apps count, of apps whose scopes are all in the map, as the API is.

    Parameters
    ----------
    by_api : pandas.DataFrame
        Table :data:`audit_analytics.schema.CALLS_BY_API`.
    inventory : Inventory
        The apps, with their snapshots.

    Returns
    -------
    pandas.DataFrame
        ``app_id``, ``api``, ``calls_count`` and ``last_at``, the most calls first.
    """
    looks = inventory.snapshots
    rows = by_api[(by_api["ok_count"] > 0)].astype({"app_id": "str", "api": "str"})
    if looks:
        rows = rows[
            (rows["first_at"] >= looks[0].taken_at) & (rows["last_at"] <= looks[-1].fetched_at)
        ]
    known = load_scopes()
    opened: dict[str, frozenset[str]] = {}
    for app_id in {app_id for look in looks for app_id in look.apps}:
        states = [look.apps[app_id] for look in looks if app_id in look.apps]
        scopes = {grant.scope for app in states for grant in app.grants}
        scopes |= {scope for app in states for version in app.versions for scope in version.scopes}
        if scopes and scopes <= known.keys():
            opened[app_id] = frozenset().union(*(known[name].apis for name in scopes))
    mapped = frozenset().union(*(scope.apis for scope in known.values()))
    pairs = zip(rows["app_id"], rows["api"], strict=True)
    rows = rows.loc[[app in opened and api in mapped - opened[app] for app, api in pairs]]
    return (
        rows.groupby(["app_id", "api"], as_index=False)
        .agg(calls_count=("ok_count", "sum"), last_at=("last_at", "max"))
        .sort_values(
            ["calls_count", "app_id", "api"], ascending=[False, True, True], ignore_index=True
        )
    )


def _judge_app(
    app: App, used: pd.DataFrame, days: pd.DatetimeIndex, severity: Mapping[str, str]
) -> list[dict[str, Any]]:
    known = load_scopes()
    scopes = {grant.scope: known[grant.scope] for grant in app.grants if grant.scope in known}
    openers = {
        api: [name for name, scope in scopes.items() if api in scope.apis] for api in used["api"]
    }
    # an app has many grants and few APIs: pandas would take longer to choose rows than to add them
    calls = list(zip(used["api"], used["calls_count"], used["last_at"], strict=True))
    rows = []
    for grant in app.grants:
        scope = scopes.get(grant.scope)
        called = [call for call in calls if grant.scope in openers[call[0]]]
        granted_at = app.granted_at(grant.scope)
        observed = len(days if granted_at is None else days[days >= granted_at])
        alone = any(openers[api] == [grant.scope] for api, *_ in called)
        usage, why = _judge(scope, observed, alone=alone, is_called=bool(called))
        apis = scope.apis if scope else frozenset()
        rows.append(
            {
                "app_id": app.app_id,
                "name": app.name,
                "owner": app.owner,
                "scope": grant.scope,
                "usage": usage,
                "why": why,
                "level": grant.level,
                "severity": max((severity.get(a, "unknown") for a in apis), key=_grade, default=""),
                "apis_count": len(apis),
                "calls_count": sum(count for _, count, _ in called),
                "last_used_at": max((last_at for *_, last_at in called), default=pd.NaT),
                "days_observed": observed,
                "granted_at": granted_at,
                "narrower": _find_narrower(grant, {api for api, *_ in called}, scopes)
                if usage == "perhaps"
                else "",
            }
        )
    return rows


def _judge(scope: Scope | None, days: int, *, alone: bool, is_called: bool) -> tuple[str, str]:
    if alone:
        return "used", ""
    if is_called:
        return "perhaps", ""
    if scope is None:
        return "unknown", "uncatalogued"
    if scope.serves:
        return "unknown", scope.serves[0]
    if days < LEAST_DAYS:
        return "unknown", "days"
    return "unused", ""


def _find_narrower(grant: Grant, called: set[str], scopes: Mapping[str, Scope]) -> str:
    wide = scopes[grant.scope]
    fit = [
        scope
        for scope in scopes.values()
        if called <= scope.apis and len(scope.apis) * NARROWER <= len(wide.apis)
    ]
    return min(fit, key=lambda scope: (len(scope.apis), scope.name)).name if fit else ""


def _grade(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1
