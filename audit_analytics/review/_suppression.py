"""Suppressions: what is expected, by whom it was decided, why, and until when.

They are data a person reviews, in a TOML file::

    [[suppress]]
    entity_type = "app"
    entity = "cli_a1"
    detectors = ["VOL"]
    owner = "ops@example.com"
    reason = "backfill of the archive, ticket 4711"
    created = 2026-11-16
    expires = 2026-12-31

A suppression takes hits out of the report that lie within all it names. It covers hits up to and
including the day it expires, on the tenant's clocks.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import read_clocks
from audit_analytics.dates.weeks import Week
from audit_analytics.detect import Detector, list_detectors
from audit_analytics.errors import ConfigError, InputError
from audit_analytics.review._toml_file import append_entry, quote_toml, read_entries
from audit_analytics.settings import check_network, name_nearest
from audit_analytics.source import find_network

TABLE: Final = "suppress"
KINDS: Final = (
    "unusual_ip",
    "error_burst",
    "sensitive_api",
    "new_api",
    "volume",
    "silence",
    "mixture",
)
"""Kinds of findings; a suppression may name one where it would name detectors."""

SUPPRESSION_DAYS: Final = 90
"""How long the ready-made entry of a finding lasts."""


class Suppression(BaseModel):
    """One entry of the suppression file; an entry covers what lies within all it names.

    >>> Suppression(entity="cli_a", owner="me", reason="test", expires=date(2026, 12, 31)).entity
    'cli_a'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    entity_type: str = Field("", description="app, ip, network, api or tenant; any if not given")
    entity: str = Field("", description="which one; any if not given")
    detectors: tuple[str, ...] = Field((), description="detectors or kinds; any if not given")
    apis: tuple[str, ...] = Field((), description="canonical APIs; any if not given")
    networks: tuple[str, ...] = Field((), description="networks or addresses; any if not given")
    owner: str = Field(min_length=1, description="who answers for it")
    reason: str = Field(min_length=1, description="why it is expected")
    created: date | None = Field(None, description="day it was written")
    expires: date = Field(description="last day it covers, on the tenant's clocks")
    finding: str = Field("", description="id of the finding it was written for")

    @field_validator("networks")
    @classmethod
    def _check_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            if network != "platform":
                check_network(network)
        return networks

    @model_validator(mode="after")
    def _check_scope(self) -> Suppression:
        if not (self.entity or self.detectors or self.apis or self.networks):
            raise ValueError("names no entity, detectors, apis or networks: it would hide all")
        known = [*(found.name for found in list_detectors(Detector)), *KINDS]
        for name in self.detectors:
            # an entry written for a finding has its names from there, a user's own rule among them
            if name not in known and not self.finding:
                raise ValueError(f"no detector {name!r}; {name_nearest(name, known)}")
        return self

    @property
    def suppression_id(self) -> str:
        """Return ``s-`` and eight hexadecimal digits that depend on nothing but the entry."""
        text = self.model_dump_json(exclude={"finding"})
        return "s-" + hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]

    def ends_at(self, zone: str) -> pd.Timestamp:
        """Return the instant from which on it covers nothing.

        Parameters
        ----------
        zone : str
            IANA name of the tenant's zone.

        Returns
        -------
        pandas.Timestamp
            Midnight after the day it expires, UTC.
        """
        day = pd.Timestamp(self.expires + timedelta(days=1))
        return read_clocks(pd.DatetimeIndex([day]), zone)[0]

    def covers(self, hit: Hit) -> bool:
        """Return whether a hit lies within all this suppression names, whenever it was.

        Parameters
        ----------
        hit : Hit
            What a detector found.

        Returns
        -------
        bool
            False also if it is for some APIs or networks, and the hit does not say which it is about.
        """
        apis, networks = hit.where.get("api", ()), _networks_of(hit)
        return (
            self.entity_type in {"", hit.entity_type}
            and self.entity in {"", hit.entity}
            and (not self.detectors or bool({hit.detector, hit.kind} & set(self.detectors)))
            and (not self.apis or bool(apis and set(apis) <= set(self.apis)))
            and (not self.networks or bool(networks and all(map(self._holds, networks))))
        )

    def _holds(self, network: str) -> bool:
        if network in self.networks:
            return True
        inner = _read_network(network)
        return inner is not None and any(
            net is not None and inner.version == net.version and inner.subnet_of(net)  # type: ignore[arg-type]  # same version
            for net in map(_read_network, self.networks)
        )

    def to_toml(self) -> str:
        """Write the entry as it stands in the file.

        Returns
        -------
        str
            TOML, whatever the names are; ends without a newline.
        """
        lines = ["[[suppress]]"]
        for name, value in self:
            if isinstance(value, date):
                lines.append(f"{name} = {value.isoformat()}")
            elif isinstance(value, tuple) and value:
                lines.append(f"{name} = [{', '.join(map(quote_toml, value))}]")
            elif isinstance(value, str) and (value or name in {"owner", "reason"}):
                lines.append(f"{name} = {quote_toml(value)}")
        return "\n".join(lines)


@lru_cache(maxsize=4096)
def _read_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Read a network or an address; a forged log asks for the same few again and again."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _networks_of(hit: Hit) -> tuple[str, ...]:
    return hit.where.get("network") or hit.where.get("ip") or ()


def read_suppressions(path: Path) -> list[Suppression]:
    """Read a suppression file; a ConfigError if it cannot be understood.

    Parameters
    ----------
    path : pathlib.Path
        TOML file of ``[[suppress]]`` entries.

    Returns
    -------
    list of Suppression
        In the order of the file, expired ones included.

    Raises
    ------
    ConfigError
        The file cannot be read, a name in it is unknown, or a value cannot be understood.
    """
    entries = read_entries(path, TABLE, Suppression)
    counts = Counter(entry.suppression_id for entry in entries)
    for place, entry in enumerate(entries, start=1):
        if counts[entry.suppression_id] > 1:
            raise ConfigError(f"{path}: entry {place} of [[suppress]] stands there twice; keep one")
    return entries


def append_suppression(path: Path, entry: Suppression) -> None:
    """Add an entry to the file, or raise a ConfigError if it holds it, or cannot be understood.

    Parameters
    ----------
    path : pathlib.Path
        TOML file; made if it does not exist.
    entry : Suppression
        What is expected.

    Raises
    ------
    ConfigError
        The file cannot be understood, or holds the entry already; it stays as it is.
    OSError
        The file cannot be written.
    """
    known = read_suppressions(path) if path.exists() else []
    if entry.suppression_id in {other.suppression_id for other in known}:
        raise ConfigError(f"{path}: holds this entry already ({entry.suppression_id})")
    append_entry(path, entry.to_toml(), TABLE, Suppression)


def suggest_suppression(hits: Sequence[Hit], untold: Sequence[str], week: Week) -> str:
    """Write the entry that would keep a finding out of the reports, but for owner and reason.

    Of an address that speaks for others of its network it names the network, not the address.

    Parameters
    ----------
    hits : sequence of Hit
        The finding's hits.
    untold : sequence of str
        Detectors that spoke as well; were they not named, they would speak next.
    week : Week
        The report week.

    Returns
    -------
    str
        TOML, ready to be completed.
    """
    last, first = week.end_at.tz_convert(week.zone).date(), hits[0]
    pool = _find_pool(first.entity_type, first.entity, [hit.where for hit in hits])
    return Suppression.model_construct(
        entity_type=first.entity_type,
        entity="" if pool else first.entity,
        detectors=tuple(dict.fromkeys([*(hit.detector for hit in hits), *untold])),
        apis=(),
        networks=pool,
        owner="",
        reason="",
        created=last,
        expires=last + timedelta(days=SUPPRESSION_DAYS),
        finding="",
    ).to_toml()


def _find_pool(
    entity_type: str, entity: str, scopes: Sequence[Mapping[str, Sequence[str]]]
) -> tuple[str, ...]:
    """Return the network of an address that speaks for others of it, or nothing."""
    others = any(entity not in scope.get("ip", (entity,)) for scope in scopes)
    return (find_network(entity),) if entity_type == "ip" and others else ()


PARTS: Final = ("entity", "detector", "api", "network")
"""What a suppression of a finding may be narrowed to."""


def draft_suppression(
    finding: Mapping[str, Any],
    parts: Sequence[str],
    *,
    owner: str,
    reason: str,
    created: date,
    expires: date,
) -> Suppression:
    """Make a suppression that covers a finding, as :func:`suggest_suppression` does.

    Parameters
    ----------
    finding : mapping of str to Any
        As it stands in findings.json; an InputError if it does not say what `parts` ask for.
    parts : sequence of str
        Some of ``PARTS``: whatever is not among them may be anything.
    owner, reason : str
        Who answers for it, and why it is expected.
    created, expires : datetime.date
        Today, and the last day it covers, on the tenant's clocks.

    Returns
    -------
    Suppression
        The entry.

    Raises
    ------
    InputError
        The finding does not say which entity, APIs or networks it is about.
    """
    scopes = [row["scope"] for row in finding["reasons"]]

    def collect(*columns: str) -> tuple[str, ...]:
        # calls without an address stand under an empty name, which no entry can cover
        found = {name for scope in scopes for c in columns for name in scope.get(c, ()) if name}
        if not found:
            raise InputError(
                f"finding {finding['finding_id']}: does not say which {columns[0]} it is about; "
                "use another --scope"
            )
        return tuple(sorted(found))

    entity = finding["entity"] if "entity" in parts else ""
    if "entity" in parts and not entity:
        raise InputError(
            f"finding {finding['finding_id']}: is about calls without an {finding['entity_type']}; "
            "use another --scope"
        )
    pool = _find_pool(finding["entity_type"], entity, scopes) if entity else ()
    try:
        return Suppression(
            entity_type=finding["entity_type"] if "entity" in parts else "",
            entity="" if pool else entity,
            detectors=(*finding["detectors"], *finding["untold"]) if "detector" in parts else (),
            apis=collect("api") if "api" in parts else (),
            networks=collect("network", "ip") if "network" in parts else pool,
            owner=owner,
            reason=reason,
            created=created,
            expires=expires,
            finding=finding["finding_id"],
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]["msg"]
        raise InputError(
            f"finding {finding['finding_id']}: cannot be covered so ({first}); use another --scope"
        ) from None
