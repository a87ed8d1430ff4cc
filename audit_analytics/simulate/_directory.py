"""The tenant's apps and people as the platform's endpoints answer them."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from audit_analytics.simulate._loopback import Quota

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
    """Apps, their versions and the people who own them; may change while it is served.

    It keeps them as attributes: apps by app id, people by open id.

    Parameters
    ----------
    apps : iterable of dict
        Entries of ``app_list``.
    versions : mapping of str to list of dict, optional
        By app id, items of ``app_versions``, newest first.
    people : iterable of dict, optional
        Items of ``users/batch``.
    scopes : iterable of str, optional
        What the asking app was granted; all that is needed unless given.
    limit : int, default 100
        Requests a minute to each endpoint.
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

    @classmethod
    def of(cls, folder: Path) -> Directory:
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
            return cls()
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            return cls(app for line in lines for app in json.loads(line)["data"]["app_list"])

    def publish(self, app_id: str, at: int) -> None:
        """Publish a version of an app with the scopes it has.

        Parameters
        ----------
        app_id : str
            The app.
        at : int
            When, epoch seconds.
        """
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

    def knows(self, path: str) -> str:
        """Tell which endpoint a path belongs to.

        Parameters
        ----------
        path : str
            Path without its query string.

        Returns
        -------
        str
            ``apps``, ``versions``, ``people``, or empty.
        """
        if path == APPS_PATH:
            return "apps"
        if _VERSIONS.fullmatch(path):
            return "versions"
        return "people" if path == PEOPLE_PATH else ""

    def take(self, endpoint: str, now: float) -> float:
        """Count a request.

        Parameters
        ----------
        endpoint : str
            From :meth:`knows`.
        now : float
            When it arrives, epoch seconds.

        Returns
        -------
        float
            0 if it may be answered, else the seconds to wait.
        """
        return self._quotas[endpoint].take(now)

    def answer(self, path: str, query: Mapping[str, list[str]]) -> Answer:
        """Answer a GET request.

        Parameters
        ----------
        path : str
            Path that :meth:`knows` knows.
        query : mapping of str to list of str
            The query string.

        Returns
        -------
        status : int
            HTTP status.
        content : dict
            The answer with its code.
        """
        endpoint = self.knows(path)
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
