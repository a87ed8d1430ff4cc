"""Apps as the platform answers them, as people keep them by hand, and where a log has either."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from audit_analytics.errors import ConfigError, InputError
from audit_analytics.inventory._app import App, Grant, Inventory, Version
from audit_analytics.inventory._snapshots import read_history
from audit_analytics.review import read_entries
from audit_analytics.settings import check_network, name_nearest, refuse

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


FILES: Final = ("apps.toml", "apps.csv")
"""What is looked for in a log folder."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    app_id: str
    name: str = ""
    owner: str = ""
    contact: str = ""
    purpose: str = ""
    networks: tuple[str, ...] = ()

    @field_validator("app_id")
    @classmethod
    def _check_id(cls, app_id: str) -> str:
        if not app_id.strip():
            raise ValueError("is empty; give the app's id, cli_...")
        return app_id.strip()

    @field_validator("networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value.split() if isinstance(value, str) else value

    @field_validator("networks")
    @classmethod
    def _check_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            check_network(network)
        return networks


def read_by_hand(path: Path) -> list[App]:
    """Read what people wrote of the apps: ``.csv`` with a header row, or TOML with ``[[app]]`` tables."""
    if path.suffix.lower() == ".csv":
        entries = _read_csv(path)
    else:
        entries = read_entries(path, "app", _Entry)
    return [App(**entry.model_dump()) for entry in entries]


def _read_csv(path: Path) -> list[_Entry]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
        names = reader.fieldnames or []
        rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or f"no CSV in UTF-8: {error}"
        raise ConfigError(f"{path}: cannot be read ({reason}); check the path") from None
    known = list(_Entry.model_fields)
    for name in names:
        if name not in known:
            raise ConfigError(f"{path}: unknown column {name!r}; {name_nearest(name, known)}")
    entries = []
    for line, row in rows:
        if "" in row:
            raise ConfigError(f"{path}, line {line}: more values than columns; quote the commas")
        try:
            entries.append(_Entry(**{k: v for k, v in row.items() if v is not None}))
        except ValidationError as error:
            raise ConfigError(f"{path}, line {line}: {refuse(error, _Entry)}") from None
    return entries


PAGES: Final = ("apps.json", "apps.json.gz")
"""Pages of ``application/v6/applications`` as the API answers them, one a line."""

_MOST_BYTES: Final = 64 * 2**20


def find_inventory(folder: Path | None, by_hand: Path | None = None) -> Inventory:
    """Find who the apps of a log are.

    Parameters
    ----------
    folder : pathlib.Path or None
        The store or log folder: the snapshots in it, else :data:`PAGES`; corrected by :data:`FILES`.
        What cannot be read is an InputError, or a ConfigError if people wrote it.
    by_hand : pathlib.Path, optional
        A further file of what people know; it wins over everything else.

    Returns
    -------
    Inventory
        The apps; empty if nothing says who they are.

    Raises
    ------
    InputError
        A snapshot or page cannot be read.
    ConfigError
        What people wrote cannot be understood.
    """
    inventory = Inventory()
    if folder is not None and folder.is_dir():
        inventory = read_history(folder)
        for name in PAGES:
            if not inventory and (folder / name).is_file():
                inventory = _read_pages(folder / name)
        for name in FILES:
            if (folder / name).is_file():
                inventory = inventory.correct(read_by_hand(folder / name))
    return inventory.correct(read_by_hand(by_hand)) if by_hand else inventory


def _read_pages(path: Path) -> Inventory:
    apps = []
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(_MOST_BYTES)
        for line in content.splitlines():
            page = json.loads(line)
            apps += [read_app(row) for row in page["data"]["app_list"]]
    except (OSError, EOFError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            f"{path}: holds no pages of application/v6/applications, one a line "
            f"({type(error).__name__}); correct or remove it"
        ) from None
    return Inventory.of(app for app in apps if app)
