"""Fetch who the apps are into a store: the list, new versions, and the names of owners."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from audit_analytics.errors import RemoteError
from audit_analytics.feishu import AppNotShown, AuditLogClient, ScopeMissing, open_client
from audit_analytics.inventory import (
    Inventory,
    keep_versions,
    name_owners,
    read_app,
    read_asked,
    read_kept_versions,
    read_latest,
    read_versions,
    write_snapshot,
)
from audit_analytics.language import _
from audit_analytics.settings import Settings
from audit_analytics.store import Store, explains_failure, lock_store
from audit_analytics.sync._asking import (
    APPS_SCOPE,
    NAMES_SCOPE,
    PEOPLE_SCOPE,
    VERSIONS_SCOPE,
    list_apps,
    list_people,
    list_versions,
)

DAILY: Final = timedelta(days=1)

_ID: Final = re.compile(r"\w{1,64}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class AppsResult:
    """What came of asking for the apps."""

    inventory: Inventory  # what is known now
    is_new: bool  # whether it differs from what was known before

    def describe(self) -> str:
        """Say what was read: a line, and one for each part that could not be read."""
        apps = self.inventory.apps.values()
        owned = sum(bool(app.owner) for app in apps)
        state = "a new snapshot" if self.is_new else "as before"
        lines = [f"{len(apps):,} apps, {owned:,} with an owner's name: {state}."]
        return "\n".join([*lines, *self.inventory.missing])


def sync_apps(
    settings: Settings,
    folder: Path,
    *,
    clock: Callable[[], float] = time.time,
    client: AuditLogClient | None = None,
    wait_seconds: float = 0.0,
) -> AppsResult:
    """Fetch who the apps are.

    Parameters
    ----------
    settings : Settings
        Credentials and language.
    folder : pathlib.Path
        The store; made if it is not there.
    clock : callable, default time.time
        Returns seconds since the epoch.
    client : AuditLogClient, optional
        Made from the settings unless given.
    wait_seconds : float, default 0
        How long to wait for another sync of the same store.

    Returns
    -------
    AppsResult
        What is known now; parts the app may not read are named in it.

    Raises
    ------
    ConfigError, StoreLocked, StoreUnusable
        The credentials are missing, or the store is in use or cannot be written.
    ScopeMissing, RemoteError
        The apps may not be listed, or the platform refuses; what was known stays.
    """
    store = Store(folder)
    context = nullcontext(client) if client else open_client(settings)
    with context as source:
        store.create()
        with lock_store(folder, wait_seconds=wait_seconds):
            before = read_latest(folder)
            found = _fetch(source, before, settings.lang, folder)
            now = datetime.fromtimestamp(clock(), UTC).replace(microsecond=0)
            inventory = replace(found, fetched_at=now).follow(before)
            with explains_failure(folder):
                is_new = write_snapshot(folder, inventory)
    return AppsResult(inventory=inventory, is_new=is_new)


def is_due(folder: Path, now: datetime) -> bool:
    """Tell whether the apps were asked for a day ago or more.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    now : datetime.datetime
        The time, UTC.

    Returns
    -------
    bool
        True if so, or if they never were.
    """
    asked_at = read_asked(folder)
    return asked_at is None or now - asked_at >= DAILY


def check_scopes(client: AuditLogClient) -> tuple[str, str]:
    """Find out, by three requests, what of the inventory the app may read: ok or warn, and a sentence."""
    lacks, app_id = [], ""
    try:
        first = read_app(next(iter(list_apps(client)), None))
        app_id = first.app_id if first else ""
        for scope, ask in (
            (VERSIONS_SCOPE, lambda: next(iter(list_versions(client, app_id)), None)),
            (PEOPLE_SCOPE, lambda: list_people(client, [first.owner_id] if first else [])),
        ):
            try:
                if first and _ID.fullmatch(app_id):
                    ask()
            except ScopeMissing:
                lacks.append(scope)
    except ScopeMissing:
        lacks = [APPS_SCOPE]
    except RemoteError as error:
        return "warn", _("the apps cannot be listed: {reason}", reason=error)
    if lacks:
        names = _(", ").join(lacks)
        return "warn", _("for names and grants of apps, grant the scope(s) {names}", names=names)
    return "ok", _("names, owners and grants of the apps can be read")


def _fetch(client: AuditLogClient, before: Inventory, lang: str, folder: Path) -> Inventory:
    apps = [app for row in list_apps(client, lang) if (app := read_app(row))]
    missing: list[str] = []
    kept = read_kept_versions(folder)
    for number, app in enumerate(apps):
        known = before.apps.get(app.app_id)
        # versions are a request for each app, so only those of a new one are read
        if known and known.versions and known.version_id == app.version_id:
            apps[number] = replace(app, versions=known.versions)
        elif (versions := kept.get((app.app_id, app.version_id))) is not None:
            apps[number] = replace(app, versions=versions)
        elif not missing and _ID.fullmatch(app.app_id):  # another id would make another path
            try:
                found = read_versions(list_versions(client, app.app_id, lang))
                apps[number] = replace(app, versions=found)
            except AppNotShown:
                pass  # one from the store
            except ScopeMissing:
                missing.append(
                    f"When scopes were granted is not known: grant the scope {VERSIONS_SCOPE}."
                )
                continue
            with explains_failure(folder):
                keep_versions(folder, apps[number])
    people = {}
    owners = sorted({app.owner_id for app in apps if app.owner_id})
    try:
        people = list_people(client, owners)
    except ScopeMissing:
        missing.append(f"Owners that the list does not name: grant the scope {PEOPLE_SCOPE}.")
    if people and not any(person.get("name") for person in people.values()):
        missing.append(f"Owners have no names: grant the scope {NAMES_SCOPE}.")
    return replace(Inventory.of(name_owners(apps, people)), missing=tuple(missing))
