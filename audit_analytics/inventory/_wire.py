"""Apps as the platform answers them, read tolerantly: a field of another kind is an absent one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from audit_analytics.inventory._app import App, Grant, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KINDS: Final = {0: "custom", 1: "store", 2: "personal_store"}
_STATUSES: Final = {0: "off", 1: "on", 2: "never"}
_PASSED: Final = 1
_LEFT: Final = {"is_resigned": "resigned", "is_exited": "exited", "is_frozen": "frozen"}


def read_app(content: object) -> App | None:
    """Read an entry of ``app_list``.

    Parameters
    ----------
    content : object
        As it came.

    Returns
    -------
    App or None
        The app without versions; None if it has no id.

    Examples
    --------
    >>> read_app({"app_id": "cli_1", "app_name": "Payroll", "status": 1, "owner": {"name": 7}})
    App(app_id='cli_1', name='Payroll', ... status='on', ...)
    """
    row = content if isinstance(content, dict) else {}
    app_id = _text(row, "app_id")
    if not app_id:
        return None
    owner = row["owner"] if isinstance(row.get("owner"), dict) else {}
    return App(
        app_id=app_id,
        name=_text(row, "app_name"),
        description=_text(row, "description"),
        owner_id=_text(owner, "owner_id"),
        owner=_text(owner, "name"),
        email=_text(owner, "email"),
        phone=_text(owner, "phone"),
        creator_id=_text(row, "creator_id"),
        kind=_choose(_KINDS, row.get("scene_type")),
        status=_choose(_STATUSES, row.get("status")),
        hosts=_read_hosts(row.get("redirect_urls")),
        version_id=_text(row, "online_version_id"),
        grants=_read_grants(row.get("scopes")),
    )


def read_versions(rows: Iterable[object]) -> tuple[Version, ...]:
    """Read the items of ``app_versions``.

    Parameters
    ----------
    rows : iterable
        As they came, in any order.

    Returns
    -------
    tuple of Version
        Those that were published, oldest first.
    """
    found = []
    for row in rows:
        if isinstance(row, dict) and row.get("status") == _PASSED:
            at = _read_instant(row.get("publish_time")) or _read_instant(row.get("create_time"))
            scopes = tuple(grant.scope for grant in _read_grants(row.get("scopes")))
            if at:
                found.append(Version(_text(row, "version"), at, scopes))
    return tuple(sorted(found, key=lambda version: version.published_at))


def name_owners(apps: Iterable[App], people: Mapping[str, Mapping[str, Any]]) -> list[App]:
    """Put the names of people in the place of their ids.

    Parameters
    ----------
    apps : iterable of App
        The apps.
    people : mapping of str to mapping
        By open id, the items of ``users/batch``.

    Returns
    -------
    list of App
        The apps with what is known of their owners.
    """
    named = []
    for app in apps:
        person = people.get(app.owner_id, {})
        found = person.get("status")
        status: dict[str, Any] = found if isinstance(found, dict) else {}
        left = next((word for key, word in _LEFT.items() if status.get(key) is True), "")
        name = _text(person, "name") or app.owner
        named.append(replace(app, owner=name, owner_status=left))
    return named


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    # half a surrogate pair is no character, and no file can hold it
    return value.encode("utf-8", "replace").decode().strip() if isinstance(value, str) else ""


def _choose(words: Mapping[int, str], value: object) -> str:
    return words.get(value, "") if isinstance(value, int) else ""


def _read_grants(value: object) -> tuple[Grant, ...]:
    rows = value if isinstance(value, list) else []
    grants = {
        name: Grant(name, level if level in (1, 2, 3) else 0)
        for row in rows
        if isinstance(row, dict) and (name := _text(row, "scope"))
        for level in [row.get("level")]
    }
    return tuple(grants[name] for name in sorted(grants))


def _read_hosts(value: object) -> tuple[str, ...]:
    hosts = set()
    for url in value if isinstance(value, list) else []:
        try:
            hosts.add(urlsplit(url).hostname if isinstance(url, str) else None)
        except ValueError:
            continue  # no URL, so no host
    return tuple(sorted(host for host in hosts if host))


def _read_instant(value: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(str(value)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
