"""What an entity is called wherever a person reads of it."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final

from audit_analytics.inventory._app import App, Inventory
from audit_analytics.inventory._origin import Origins
from audit_analytics.language import Said

NAME_MAX: Final = 40
"""Longest name in a label, in characters; whoever makes an app writes it."""

ORIGIN_MAX: Final = 80
"""Longest origin in a label."""

_ID: Final = re.compile(r"cli_[0-9a-z]{8,}", re.IGNORECASE)


class Labels(Said):
    """Labels entities by the inventory and the named networks; texts of strangers, to be escaped.

    Parameters
    ----------
    inventory : Inventory, optional
        The apps.
    networks : mapping of str to str, optional
        Names of the company's networks; they win over where an address is from.
    origins : Origins, optional
        Where addresses are from.

    Examples
    --------
    >>> from audit_analytics.inventory import App, Inventory
    >>> bot = App(app_id="cli_ab6a7673f1baad15", name="HR export bot", owner="Li Na")
    >>> labels = Labels(Inventory.of([bot]), {"203.0.113.0/24": "office Shanghai"})
    >>> labels.of("app", "cli_ab6a7673f1baad15"), labels.of("ip", "203.0.113.9")
    ('HR export bot (cli_ab6a…ad15)', '203.0.113.9 (office Shanghai)')
    >>> labels.of("app", "cli_0000000000000000"), labels.owner_of("cli_ab6a7673f1baad15")
    ('cli_0000000000000000', 'Li Na')
    """

    def __init__(
        self,
        inventory: Inventory | None = None,
        networks: Mapping[str, str] | None = None,
        origins: Origins | None = None,
    ) -> None:
        self._origins = origins
        self.apps: Mapping[str, App] = inventory.apps if inventory else {}
        # the narrowest first: an office's network may lie within the company's
        self._networks = sorted(
            (
                (ipaddress.ip_network(network, strict=False), name)
                for network, name in (networks or {}).items()
            ),
            key=lambda named: -named[0].prefixlen,
        )

    def of(self, entity_type: str, entity: str) -> str:
        """Label an entity: its name with the id, shortened as deliveries mask it."""
        name = self.name_of(entity_type, entity)
        if not name:
            return entity
        if entity_type != "app":
            return f"{entity} ({name})"
        return label_app(entity, name)

    def name_of(self, entity_type: str, entity: str) -> str:
        """Name an entity.

        Parameters
        ----------
        entity_type, entity : str
            As for :meth:`of`.

        Returns
        -------
        str
            One line without an app id in it, so that no app passes for another; empty without a name.
        """
        if entity_type == "app":
            app = self.apps.get(entity)
            return _tame(app.name) if app else ""
        if entity_type not in {"ip", "network"} or not (self._networks or self._origins):
            return ""
        try:
            found: Any = ipaddress.ip_network(entity, strict=False)
        except ValueError:
            return ""
        for network, name in self._networks:
            if network.version == found.version and found.subnet_of(network):
                return _tame(name)
        origin = self._origins.find(entity) if self._origins else None
        # what is told last, the country, must not be cut off
        return _tame(str(origin), ORIGIN_MAX) if origin else ""

    def owner_of(self, app_id: str) -> str:
        """Name who answers for an app."""
        app = self.apps.get(app_id)
        return _tame(app.owner) if app else ""

    def describe(self, entity_type: str, entity: str) -> dict[str, str]:
        """Say of an entity what stands beside it.

        Parameters
        ----------
        entity_type, entity : str
            As for :meth:`of`.

        Returns
        -------
        dict of str to str
            ``name``, ``owner`` and ``contact``; empty where nothing is known.
        """
        app = self.apps.get(entity) if entity_type == "app" else None
        return {
            "name": self.name_of(entity_type, entity),
            "owner": self.owner_of(entity) if app else "",
            "contact": _tame(app.contact) if app else "",
        }


def label_app(app_id: str, name: str) -> str:
    """Write an app's name and id.

    Parameters
    ----------
    app_id, name : str
        The app, and its name as whoever made it wrote it; may be empty.

    Returns
    -------
    str
        One line.
    """
    tame = _tame(name)
    return f"{tame} ({shorten_id(app_id)})" if tame else app_id


def shorten_id(app_id: str) -> str:
    """Shorten an app id as deliveries mask it.

    Parameters
    ----------
    app_id : str
        An app id.

    Returns
    -------
    str
        Its ends; another text as it is.

    Examples
    --------
    >>> shorten_id("cli_a6cfee2e522c10f9"), shorten_id("backup bot")
    ('cli_a6cf…10f9', 'backup bot')
    """
    return f"{app_id[:8]}…{app_id[-4:]}" if _ID.fullmatch(app_id) else app_id


def _tame(name: str, most: int = NAME_MAX) -> str:
    name = " ".join(name.split()).replace("cli_", "cli ")
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"
