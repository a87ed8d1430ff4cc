"""An app, what it was granted, and all apps of a tenant."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

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
    contact : str
        How to reach the owner, by hand.
    email, phone : str
        Of the owner, as the platform says; they are shown to nobody but the inventory's reader.
    kind : str
        ``custom``, ``store``, ``personal_store`` or empty.
    status : str
        ``on``, ``off``, ``never``, :data:`GONE` or empty.
    hosts : tuple of str
        Hosts of its redirect URLs.
    networks : tuple of str
        Where it is expected to call from, by hand.
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

    Examples
    --------
    >>> inventory = Inventory.of([App(app_id="cli_1", name="HR export bot")])
    >>> inventory.apps["cli_1"].name, bool(inventory), bool(Inventory())
    ('HR export bot', True, False)
    """

    apps: Mapping[str, App] = field(default_factory=dict)
    fetched_at: datetime | None = None
    missing: tuple[str, ...] = ()

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
        merged = Inventory.of([*self.apps.values(), *gone], self.fetched_at)
        return replace(merged, missing=self.missing)

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
        return replace(Inventory.of(apps.values(), self.fetched_at), missing=self.missing)
