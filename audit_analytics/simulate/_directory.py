"""A tenant's apps and people as the platform's endpoints answer them, and their grants.

Grants are drawn from the apps' ids alone, so that no call of the log is another one with an inventory.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from audit_analytics.catalogue import Catalogue, load_scopes
from audit_analytics.simulate._attacks import GRANTED
from audit_analytics.simulate._company import Company
from audit_analytics.simulate._loopback import Quota
from audit_analytics.simulate._profiles import App
from audit_analytics.simulate._rows import DAY, HOUR

APPS_PATH: Final = "/open-apis/application/v6/applications"
PEOPLE_PATH: Final = "/open-apis/contact/v3/users/batch"

_VERSIONS: Final = re.compile(rf"{APPS_PATH}/(\w+)/app_versions")
_LANGUAGES: Final = {"zh_cn", "en_us", "ja_jp"}
_MOST: Final = 50
_SCOPES: Final = {
    "apps": "admin:app.info:readonly",
    "versions": "application:application.app_version:readonly",
    "people": "contact:contact.base:readonly",
    "names": "contact:user.base:readonly",
}

Answer = tuple[int, dict[str, Any]]


class Directory:
    """Apps and their versions by app id, people by open id; they may change while it is served.

    `scopes` are what the asking app was granted, `limit` the requests a minute to each endpoint.
    """

    def __init__(
        self,
        apps: Iterable[dict[str, Any]] = (),
        versions: Mapping[str, list[dict[str, Any]]] | None = None,
        people: Iterable[dict[str, Any]] = (),
        *,
        scopes: Iterable[str] | None = None,
        limit: int = 100,
    ) -> None:
        self.apps = {app["app_id"]: app for app in apps}
        self.versions = dict(versions or {})
        self.people = {person["open_id"]: person for person in people}
        self.scopes = set(_SCOPES.values() if scopes is None else scopes)
        self._quotas = {
            name: Quota(limit=limit, period_seconds=60.0) for name in ("apps", "versions")
        } | {"people": Quota(limit=limit * 10, period_seconds=60.0)}

    def publish(self, app_id: str, at: int) -> None:
        """Publish a version of an app with the scopes it has, at an epoch second."""
        app, older = self.apps[app_id], self.versions.setdefault(app_id, [])
        app["online_version_id"] = f"oav_{app_id}_{len(older) + 1}"
        version = {
            "version": f"1.{len(older)}.0",
            "version_id": app["online_version_id"],
            "status": 1,
            "create_time": str(at - 600),
            "publish_time": str(at),
            "scopes": list(app["scopes"]),
        }
        older.insert(0, version)

    def take(self, endpoint: str, now: float) -> float:
        """Count a request to an endpoint: 0 if it may be answered, else the seconds to wait."""
        return self._quotas[endpoint].take(now)

    def answer(self, path: str, query: Mapping[str, list[str]]) -> Answer:
        """Answer a GET request of a known path: HTTP status, and content with its code."""
        endpoint = find_endpoint(path)
        if _SCOPES[endpoint] not in self.scopes:
            return 400, {"code": 99991672, "msg": "Access denied"}
        if endpoint == "people":
            return self._list_people(query.get("user_ids", []))
        if query.get("lang", [""])[0] not in _LANGUAGES:
            return 400, {"code": 211001, "msg": "lang is required"}
        if endpoint == "apps":
            return _page(list(self.apps.values()), "app_list", query)
        return self._list_versions(path, query)

    def _list_versions(self, path: str, query: Mapping[str, list[str]]) -> Answer:
        found = _VERSIONS.fullmatch(path)
        app = self.apps.get(found[1] if found else "")
        if app is None:
            return 404, {"code": 211005, "msg": "no such app"}
        if app.get("scene_type"):
            return 400, {"code": 210505, "msg": "not a custom app"}
        return _page(self.versions.get(app["app_id"], []), "items", query)

    def _list_people(self, ids: list[str]) -> Answer:
        if not 1 <= len(ids) <= _MOST:
            return 400, {"code": 99992402, "msg": "field validation failed"}
        shown = [self.people[one] for one in ids if one in self.people]
        if _SCOPES["names"] not in self.scopes:
            shown = [{k: v for k, v in one.items() if k != "name"} for one in shown]
        return 200, {"code": 0, "msg": "success", "data": {"items": shown}}


def find_endpoint(path: str) -> str:
    """Tell which endpoint a path belongs to: ``apps``, ``versions``, ``people``, or '' for none."""
    if path == APPS_PATH:
        return "apps"
    if _VERSIONS.fullmatch(path):
        return "versions"
    return "people" if path == PEOPLE_PATH else ""


def read_directory(folder: Path) -> Directory:
    """Read the apps that lie beside a simulated log.

    Parameters
    ----------
    folder : pathlib.Path
        The log folder.

    Returns
    -------
    Directory
        Those of apps.json; none without it.
    """
    file = next((f for n in ("apps.json", "apps.json.gz") if (f := folder / n).is_file()), None)
    if file is None:
        return Directory()
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        return Directory(app for line in lines for app in json.loads(line)["data"]["app_list"])


def _page(rows: list[dict[str, Any]], key: str, query: Mapping[str, list[str]]) -> Answer:
    try:
        size = int(query.get("page_size", ["20"])[0])
        start = int(query.get("page_token", ["0"])[0])
    except ValueError:
        return 400, {"code": 211003, "msg": "invalid page_token"}
    if not 1 <= size <= _MOST:
        return 400, {"code": 211004, "msg": "invalid page_size"}
    data: dict[str, Any] = {key: rows[start : start + size], "has_more": start + size < len(rows)}
    if data["has_more"]:
        data["page_token"] = str(start + size)
    return 200, {"code": 0, "msg": "success", "data": data}


PLANTED: Final = {"app_id": "str", "scope": "str", "planted": "str", "at": "int64"}
"""Columns of the planted grants; ``planted`` is needed, unused, events, fields, recent or hostile,
``at`` is when it was granted, epoch seconds."""

_LONG_AGO: Final = 200 * DAY

_FAMILY: Final = ("Chen", "Li", "Wang", "Zhang", "Liu", "Zhao", "Huang", "Wu", "Xu", "Sun")
_GIVEN: Final = ("Na", "Wei", "Min", "Jing", "Lei", "Yan", "Jun", "Fang", "Tao", "Hua")
_ABBREVIATIONS: Final = frozenset({"it", "sso", "ci", "hr", "bi", "crm"})
_LEVELS: Final = {"critical": 3, "high": 2}
_STORE_EVERY: Final = 17
_LEFT_EVERY: Final = 13
_RECENT_EVERY: Final = 5


def make_directory(company: Company, **options: Any) -> Directory:  # noqa: ANN401 - those of Directory
    """Let a tenant answer who its apps are.

    Parameters
    ----------
    company : Company
        The tenant.
    **options
        Further parameters of :class:`~audit_analytics.simulate._directory.Directory`.

    Returns
    -------
    Directory
        Its apps with owners, versions and planted grants.
    """
    people: dict[str, dict[str, Any]] = {}
    directory = Directory(**options)
    planted = dict(list(_plant_grants(company).groupby("app_id", sort=False)))
    for index, app in enumerate(company.apps):
        entry = _describe(app, index)
        mine = planted.get(app.app_id)
        entry["scopes"] = []
        directory.apps[app.app_id] = entry
        if not entry["scene_type"]:
            person = _hire(app, index)
            entry["owner"]["owner_id"] = entry["creator_id"] = person["open_id"]
            people[person["open_id"]] = person
        for moment, gained in mine.groupby("at") if mine is not None else ():
            entry["scopes"] += [{"scope": n, "level": _grade(n)} for n in gained["scope"]]
            directory.publish(app.app_id, int(moment))
    directory.people = people
    return directory


def _plant_grants(company: Company) -> pd.DataFrame:
    """Draw what each app was granted: one row a grant, with :data:`PLANTED`.

    ``needed`` opens an API that answered the app, ``unused`` none that it called (``recent`` if
    granted lately or to a young app), ``hostile`` was granted before an attack.
    """
    calls = company.calls[company.calls["code"] == 0]
    calls = calls.astype({"app_id": "str", "api": "str"})
    granted = {a for a, s in enumerate(company.labels["scenario"]) if s == GRANTED}
    calls = calls.assign(hostile=calls["attack"].isin(granted), planned=calls["attack"] < 0)
    uses = calls.groupby(["app_id", "api"]).agg(
        at=("time", "min"), hostile=("hostile", "all"), planned=("planned", "any")
    )
    of_app = {app_id: own.droplevel(0) for app_id, own in uses.groupby(level=0)}
    start, end = int(company.calls["time"].iloc[0]), int(company.calls["time"].iloc[-1])
    rows = []
    for index, app in enumerate(company.apps):
        used = of_app.get(app.app_id, uses.droplevel(0)[:0])
        rng = _draw(app.app_id)
        born = start - _LONG_AGO if app.start <= start else app.start - int(rng.integers(DAY))
        for scope, kind in _plant(app.app_id, set(used.index[~used["hostile"]]), index):
            mine = used.loc[used.index.isin(load_scopes()[scope].apis) & ~used["hostile"]]
            is_release = len(mine) and mine["planned"].all() and mine["at"].min() > start + 7 * DAY
            is_young = kind == "unused" and app.start > start
            if kind == "recent":
                at = max(end - 10 * DAY, born)
            elif kind == "needed" and is_release:
                at = max(int(mine["at"].min()) - int(rng.integers(HOUR, 2 * DAY)), born)
            else:
                at = born
            rows.append((app.app_id, scope, "recent" if is_young else kind, at))
        for api, use in used[used["hostile"]].iterrows():
            scope = find_narrowest(str(api))
            if scope and scope not in {row[1] for row in rows if row[0] == app.app_id}:
                at = int(use["at"]) - int(rng.integers(HOUR, 2 * DAY))
                rows.append((app.app_id, scope, "hostile", at))
    return pd.DataFrame(rows, columns=list(PLANTED)).astype(PLANTED)


def find_narrowest(api: str) -> str:
    """Return the scope that opens an API and little else.

    Parameters
    ----------
    api : str
        Canonical API.

    Returns
    -------
    str
        Its name; empty if none is known to open it.

    Examples
    --------
    >>> find_narrowest("GET/open-apis/hire/v1/talents"), find_narrowest("GET/x")
    ('hire:talent:readonly', '')
    """
    openers = sorted((len(s.apis), name) for name, s in load_scopes().items() if api in s.apis)
    return openers[0][1] if openers else ""


def _draw(app_id: str) -> np.random.Generator:
    return np.random.default_rng(list(blake2b(app_id.encode(), digest_size=16).digest()))


def _plant(app_id: str, called: set[str], index: int) -> list[tuple[str, str]]:
    rng = _draw(app_id)
    known = load_scopes()
    names = sorted(known)
    granted: dict[str, str] = {}
    for api in sorted(called):
        openers = sorted((len(known[n].apis), n) for n in names if api in known[n].apis)
        if openers and not any(api in known[n].apis for n in granted):
            # developers ask for the narrow scope or for the first one they find
            granted[openers[int(rng.integers(min(len(openers), 2)))][1]] = "needed"
    idle = [
        n for n in names if known[n].apis and not known[n].serves and not known[n].apis & called
    ]
    for name in rng.choice(idle, size=int(rng.integers(1, 4)), replace=False):
        granted.setdefault(str(name), "unused")
    if index % _RECENT_EVERY == 0:
        granted.setdefault(str(rng.choice(idle)), "recent")
    for kind in ("events", "fields"):
        silent = [n for n in names if not known[n].apis and kind in known[n].serves]
        granted.setdefault(str(rng.choice(silent)), kind)
    return list(granted.items())


def _describe(app: App, index: int) -> dict[str, Any]:
    words = app.name.rsplit("-", 1)[0].split("-")
    number = app.name.rsplit("-", 1)[1]
    title = " ".join(w.upper() if w in _ABBREVIATIONS else w for w in words)
    title = title[0].upper() + title[1:]
    is_store = index % _STORE_EVERY == _STORE_EVERY - 1
    vendor = {"name": "Vendor", "email": "help@vendor.example", "phone": "+86 21 5555 0100"}
    return {
        "app_id": app.app_id,
        "app_name": title if number == "1" else f"{title} {number}",
        "description": f"{title}, kept by its own team",
        "status": 1,
        "scene_type": int(is_store),
        "create_source": "developer_console",
        "redirect_urls": [f"https://{words[0]}.example.com/callback"],
        "owner": {"type": 1, **vendor} if is_store else {"type": 2},
    }


def _hire(app: App, index: int) -> dict[str, Any]:
    digest = blake2b(app.app_id.encode(), digest_size=16).digest()
    name = f"{_FAMILY[digest[0] % len(_FAMILY)]} {_GIVEN[digest[1] % len(_GIVEN)]}"
    status = {"is_resigned": index % _LEFT_EVERY == _LEFT_EVERY - 1, "is_frozen": False}
    return {
        "open_id": f"ou_{blake2b(name.encode(), digest_size=16).hexdigest()}",
        "name": name,
        "status": status,
    }


def _grade(scope: str) -> int:
    severities = _severities()
    return max((_LEVELS.get(severities[api], 1) for api in load_scopes()[scope].apis), default=1)


@cache
def _severities() -> dict[str, str]:
    return {match.api: match.severity for match in Catalogue.default()}
