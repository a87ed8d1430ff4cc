"""Where addresses are from, by the user's own file in MaxMind's format; no network call.

Vendors name things differently, so of each fact the first field that tells it counts.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from audit_analytics.errors import ConfigError
from audit_analytics.language import _, mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

_PROVIDER: Final = (
    "autonomous_system_organization",
    "as_name",
    "traits.autonomous_system_organization",
    "organization",
    "isp",
    "traits.isp",
    "provider",
)
_REGION: Final = ("cloud_region", "region", "subdivisions.0.iso_code")
_COUNTRY: Final = ("registered_country.iso_code", "country.iso_code", "country_code", "country")
_KINDS: Final = {
    mark("Tor"): ("is_tor_exit_node", "tor"),
    mark("VPN"): ("is_anonymous_vpn", "vpn"),
    mark("hosting"): ("is_hosting_provider", "hosting"),
}
_TEXT_MAX: Final = 28


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where an address is from."""

    # whose it is, in which (cloud) region, and where it is registered; empty if not told
    provider: str = ""
    region: str = ""
    country: str = ""
    kind: str = ""  # ``Tor``, ``VPN``, ``hosting`` or empty

    @property
    def place(self) -> str:
        """Return what two addresses of one provider and region have in common; empty without a provider."""
        return f"{self.provider}/{self.region or self.country}" if self.provider else ""

    def __str__(self) -> str:
        parts = [self.provider, _(self.kind) if self.kind else "", self.region, self.country]
        return _(", ").join(filter(None, parts))


class Origins:
    """Looks up where addresses are from.

    Parameters
    ----------
    path : pathlib.Path, optional
        File in MaxMind's format; without it nothing is known of any address. A ConfigError if it
        cannot be read, or the package ``maxminddb`` is missing.

    Raises
    ------
    ConfigError
        The package ``maxminddb`` is missing, or the file cannot be read.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._reader: Any = _open(path) if path else None
        self._path = path
        self._known: dict[str, Origin | None] = {}

    def __bool__(self) -> bool:
        return self._reader is not None

    def find(self, entity: str) -> Origin | None:
        """Find where an address or a network is from; a ConfigError if the file is damaged.

        Parameters
        ----------
        entity : str
            As the log has it.

        Returns
        -------
        Origin or None
            None if the file does not tell, or not of the whole network.

        Raises
        ------
        ConfigError
            The file is damaged.
        """
        if self._reader is None:
            return None
        if entity not in self._known:
            self._known[entity] = self._look_up(entity)
        return self._known[entity]

    def list_places(self, networks: pd.Series) -> dict[str, str]:
        """List the provider and region of networks.

        Parameters
        ----------
        networks : pandas.Series of str
            As the log has them, each as often as it likes.

        Returns
        -------
        dict of str to str
            Of those whose whole the file tells; none without a file.
        """
        # without a file the log's networks, a million perhaps, are not even looked at
        names = networks.astype("str").unique() if self else ()
        found = {network: self.find(network) for network in names}
        return {
            network: origin.place for network, origin in found.items() if origin and origin.place
        }

    def describe(self) -> dict[str, str] | None:
        """Say whose data it is and how old.

        Returns
        -------
        dict of str to str or None
            ``type``, ``built_at`` (day), ``description``, where suppliers put name and licence,
            and a ``text`` of all; None without a file.
        """
        if self._reader is None:
            return None
        metadata = self._reader.metadata()
        said = metadata.description
        facts = {
            "type": _tame(metadata.database_type, 80),
            "built_at": f"{datetime.fromtimestamp(metadata.build_epoch, UTC):%Y-%m-%d}",
            "description": _tame(said.get("en") or next(iter(said.values()), "-"), 400),
        }
        text = _("Where addresses are from: {type} of {built_at} ({description}).", **facts)
        return facts | {"text": text}

    def _look_up(self, entity: str) -> Origin | None:
        try:
            network: Any = ipaddress.ip_network(entity, strict=False)
        except ValueError:
            return None
        try:
            record, width = self._reader.get_with_prefix_len(str(network.network_address))
        except ValueError:  # IPv6 in a file of IPv4
            return None
        except Exception as error:  # noqa: BLE001 - InvalidDatabaseError, of a package that may be missing
            raise ConfigError(f"origin_file: {self._path}: is damaged ({error!a})") from None
        if not isinstance(record, dict) or width > network.prefixlen:
            return None
        facts = dict(_flatten(record))
        found = Origin(
            provider=_first(facts, _PROVIDER),
            region=_first(facts, _REGION),
            country=_first(facts, _COUNTRY),
            kind=next(
                (
                    kind
                    for kind, names in _KINDS.items()
                    if any(facts.get(f"{at}{n}") is True for n in names for at in ("", "traits."))
                ),
                "",
            ),
        )
        return found if str(found) else None


def _open(path: Path) -> Any:  # noqa: ANN401 - a package that may be missing
    try:
        import maxminddb  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "origin_file: needs the package maxminddb; install audit-analytics[origin]"
        ) from None
    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise ConfigError(
            f"origin_file: {path}: is no file in MaxMind's format ({type(error).__name__})"
        ) from None


def _flatten(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flatten(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _first(facts: dict[str, object], names: tuple[str, ...]) -> str:
    return next((_tame(v) for n in names if isinstance(v := facts.get(n), str) and v.strip()), "")


def _tame(text: object, most: int = _TEXT_MAX) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
