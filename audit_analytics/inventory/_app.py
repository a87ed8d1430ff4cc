"""An app, what it was granted, and all apps of a tenant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Final

GONE: Final = "gone"
"""Status of an app that was installed once and is not listed any more."""

BY_HAND: Final = ("name", "owner", "contact", "purpose", "networks")
"""What a file kept by people may say of an app; it wins over what the platform says."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A scope an app was granted.

    Parameters
    ----------
    scope : str
        Such as ``contact:user.base:readonly``.
    level : int, default 0
        The platform's word: 1 normal, 2 advanced, 3 super-sensitive, 0 unknown.
    """

    scope: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of an app.

    Parameters
    ----------
    version : str
        Its number, as its developer wrote it.
    published_at : datetime.datetime
        When it took effect, UTC.
    scopes : tuple of str
        What it asks for.
    """

    version: str
    published_at: datetime
    scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """An app of the tenant.

    Parameters
    ----------
    app_id : str
        Such as ``cli_a6cfee2e522c10f9``.
    name, description, purpose : str
        What it is called and does; written by whoever made it, the purpose by hand.
    owner_id, owner, owner_status, creator_id : str
        Who answers for it; the status is empty, ``resigned``, ``frozen`` or ``exited``.
    contact, email, phone : str
        How to reach the owner: by hand, and as the platform says for the inventory's reader alone.
    kind, status : str
        ``custom``, ``store`` or ``personal_store``; ``on``, ``off``, ``never`` or :data:`GONE`.
    hosts, networks : tuple of str
        Hosts of its redirect URLs; where it is expected to call from, by hand.
    version_id : str
        The version in use; with another one the versions are read again.
    grants : tuple of Grant
        What it was granted.
    versions : tuple of Version
        The published ones, oldest first; empty if they could not be read.
    """

    app_id: str
    name: str = ""
    description: str = ""
    purpose: str = ""
    owner_id: str = ""
    owner: str = ""
    owner_status: str = ""
    creator_id: str = ""
    contact: str = ""
    email: str = ""
    phone: str = ""
    kind: str = ""
    status: str = ""
    hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    version_id: str = ""
    grants: tuple[Grant, ...] = ()
    versions: tuple[Version, ...] = ()

    @property
    def owner_left(self) -> bool:
        """Return whether who answers for it has left the company; a frozen account may come back."""
        return self.owner_status in ("resigned", "exited")

    def granted_at(self, scope: str) -> datetime | None:
        """Return since when the app has had a scope without a break.

        Parameters
        ----------
        scope : str
            The scope.

        Returns
        -------
        datetime.datetime or None
            UTC; None where the versions do not tell.
        """
        since = None
        for version in reversed(self.versions):
            if scope not in version.scopes:
                break
            since = version.published_at
        return since


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What became different about an app: between two looks at it, or at the time it says."""

    app: App  # as it was afterwards
    # it happened after the one and at the other at the latest, UTC; at `by_at` if both are one
    after_at: datetime
    by_at: datetime
    scopes: frozenset[str] = frozenset()  # those it gained
    had: frozenset[str] = frozenset()  # those it had before
    hosts: tuple[str, ...] = ()  # the redirect hosts it gained
    is_new: bool = False  # whether it was not there before


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The apps of a tenant, as known at some time.

    Parameters
    ----------
    apps : mapping of str to App
        By app id.
    fetched_at : datetime.datetime or None
        When the platform was asked, UTC; None if it was not, or nobody noted it.
    missing : tuple of str
        Sentences on what could not be read.
    taken_at : datetime.datetime or None
        Since when the platform has answered this, UTC; None without snapshots.
    before : tuple of Inventory
        The snapshots before, the oldest first; `fetched_at` of one is when it was answered last.

    Examples
    --------
    >>> inventory = Inventory.of([App(app_id="cli_1", name="HR export bot")])
    >>> inventory.apps["cli_1"].name, bool(inventory), bool(Inventory())
    ('HR export bot', True, False)
    """

    apps: Mapping[str, App] = field(default_factory=dict)
    fetched_at: datetime | None = None
    missing: tuple[str, ...] = ()
    taken_at: datetime | None = field(default=None, compare=False)
    before: tuple[Inventory, ...] = field(default=(), compare=False, repr=False)

    def __bool__(self) -> bool:
        return bool(self.apps)

    @classmethod
    def of(cls, apps: Iterable[App], fetched_at: datetime | None = None) -> Inventory:
        """Gather apps.

        Parameters
        ----------
        apps : iterable of App
            The apps; of two with one id the later one counts.
        fetched_at : datetime.datetime, optional
            When they were read, UTC.

        Returns
        -------
        Inventory
            By app id, in the order of the ids.
        """
        known = {app.app_id: app for app in apps}
        return cls(apps=dict(sorted(known.items())), fetched_at=fetched_at)

    def follow(self, before: Inventory) -> Inventory:
        """Keep the apps that are not listed any more: the log still names them.

        Parameters
        ----------
        before : Inventory
            What was known until now.

        Returns
        -------
        Inventory
            This one, and what was before with status :data:`GONE`.
        """
        gone = (replace(a, status=GONE) for a in before.apps.values() if a.app_id not in self.apps)
        return replace(self, apps=Inventory.of([*self.apps.values(), *gone]).apps)

    def correct(self, by_hand: Iterable[App]) -> Inventory:
        """Let what people wrote win over what the platform says.

        Parameters
        ----------
        by_hand : iterable of App
            As people know them; empty fields say nothing.

        Returns
        -------
        Inventory
            All apps.
        """
        apps = dict(self.apps)
        for said in by_hand:
            known = apps.get(said.app_id, App(app_id=said.app_id))
            values = {name: getattr(said, name) for name in BY_HAND if getattr(said, name)}
            apps[said.app_id] = replace(known, **values)
        return replace(self, apps=Inventory.of(apps.values()).apps)

    @property
    def snapshots(self) -> tuple[Inventory, ...]:
        """Return what the platform answered over time, the oldest first and this one last, if it did."""
        return (*self.before, self) if self.taken_at else ()

    def list_changes(self) -> Iterator[Change]:
        """List what became different about the apps.

        Yields
        ------
        Change
            Scopes gained by a version after the first one; and what two snapshots differ in:
            new apps, hosts, and scopes that no version tells of.
        """
        for app in self.apps.values():
            for old, new in pairwise(app.versions):
                if gained := frozenset(new.scopes) - frozenset(old.scopes):
                    at = new.published_at
                    yield Change(
                        app=app, after_at=at, by_at=at, scopes=gained, had=frozenset(old.scopes)
                    )
        for before, after in pairwise(self.snapshots):
            if before.apps and before.fetched_at and after.taken_at:
                for app in after.apps.values():
                    if change := _compare(
                        app, before.apps.get(app.app_id), before.fetched_at, after.taken_at
                    ):
                        yield change


def _compare(app: App, was: App | None, after_at: datetime, by_at: datetime) -> Change | None:
    if was is None:
        return Change(app=app, after_at=after_at, by_at=by_at, hosts=app.hosts, is_new=True)
    had = frozenset(grant.scope for grant in was.grants)
    told = {scope for version in app.versions for scope in version.scopes}
    scopes = frozenset(grant.scope for grant in app.grants) - had - told
    hosts = tuple(host for host in app.hosts if host not in was.hosts)
    if not (scopes or hosts):
        return None
    return Change(app=app, after_at=after_at, by_at=by_at, scopes=scopes, had=had, hosts=hosts)
