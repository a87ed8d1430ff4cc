"""What the platform says of the tenant's apps: lists, versions, and who their owners are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from audit_analytics.feishu import AuditLogClient, PaginationBroken

APPS_PATH: Final = "/open-apis/application/v6/applications"
PEOPLE_PATH: Final = "/open-apis/contact/v3/users/batch"

APPS_SCOPE: Final = "admin:app.info:readonly"
VERSIONS_SCOPE: Final = "application:application.app_version:readonly"
PEOPLE_SCOPE: Final = "contact:contact.base:readonly"
NAMES_SCOPE: Final = "contact:user.base:readonly"

PAGE_SIZE: Final = 50
PAGES_MAX: Final = 1000

_LANGUAGES: Final = {"en": "en_us", "zh": "zh_cn"}


def list_apps(client: AuditLogClient, lang: str = "en") -> Iterator[Any]:
    """List every installed app, as it came; each page of 50 is asked for when its first is."""
    return _list(client, APPS_PATH, "app_list", lang, scope=APPS_SCOPE, place="apps")


def list_versions(client: AuditLogClient, app_id: str, lang: str = "en") -> Iterator[Any]:
    """List the versions of an app as they came, newest first."""
    path = f"{APPS_PATH}/{app_id}/app_versions"
    place = f"versions of {app_id}"
    return _list(client, path, "items", lang, scope=VERSIONS_SCOPE, place=place)


def list_people(client: AuditLogClient, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Ask who people are: by open id, as they came; who is unknown is left out."""
    people: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(ids), PAGE_SIZE):
        params = {"user_ids": list(ids[start : start + PAGE_SIZE]), "user_id_type": "open_id"}
        answer = client.get(PEOPLE_PATH, params, scope=PEOPLE_SCOPE, place="owners")
        data = answer.content.get("data")
        items = data.get("items") if isinstance(data, dict) else None
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict) and isinstance(item.get("open_id"), str):
                people[item["open_id"]] = item
    return people


def _list(
    client: AuditLogClient, path: str, key: str, lang: str, *, scope: str, place: str
) -> Iterator[Any]:
    page_token, seen = "", set[str]()
    for _number in range(PAGES_MAX):
        params = {"lang": _LANGUAGES[lang], "page_size": PAGE_SIZE, "user_id_type": "open_id"}
        if page_token:
            params["page_token"] = page_token
        answer = client.get(path, params, scope=scope, place=place)
        data = answer.content.get("data")
        rows = data.get(key) if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(rows, list | None):
            raise PaginationBroken(f"{place}: the answer has another shape than documented")
        yield from rows or []
        if not data.get("has_more"):
            return
        page_token = str(data.get("page_token") or "")
        if page_token in seen | {""}:
            break
        seen.add(page_token)
    raise PaginationBroken(f"{place}: the pages do not lead to an end")
