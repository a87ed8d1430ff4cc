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
import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from audit_analytics.buckets import format_utc
from audit_analytics.errors import ConfigError
from audit_analytics.findings.guidance import GUIDANCE
from audit_analytics.findings.toml_file import name_nearest, quote_toml, read_entries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from audit_analytics.buckets import Week
    from audit_analytics.cases import Case, Hit

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

    Examples
    --------
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

    @field_validator("detectors")
    @classmethod
    def _check_detectors(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in GUIDANCE and name not in KINDS:
                raise ValueError(f"no detector {name!r}; {name_nearest(name, [*GUIDANCE, *KINDS])}")
        return names

    @field_validator("networks")
    @classmethod
    def _check_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            if network != "platform":
                ipaddress.ip_network(network, strict=False)
        return networks

    @model_validator(mode="after")
    def _check_scope(self) -> Suppression:
        if not (self.entity or self.detectors or self.apis or self.networks):
            raise ValueError("names no entity, detectors, apis or networks: it would hide all")
        return self

    @property
    def suppression_id(self) -> str:
        """Return an id that depends on nothing but the entry.

        Returns
        -------
        str
            ``s-`` and eight hexadecimal digits.
        """
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
        return day.tz_localize(zone, nonexistent="shift_forward", ambiguous=True).tz_convert("UTC")

    def covers(self, hit: Hit) -> bool:
        """Return whether a hit lies within all this suppression names, whenever it was.

        Parameters
        ----------
        hit : Hit
            What a detector found.

        Returns
        -------
        bool
            False also where the hit does not say which APIs or networks it is about, and the
            suppression is for some of them only.
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
        try:
            inner = ipaddress.ip_network(network, strict=False)
        except ValueError:
            return False
        outer = [ipaddress.ip_network(n, strict=False) for n in self.networks if n != "platform"]
        return any(
            inner.version == net.version and inner.subnet_of(net)  # type: ignore[arg-type]  # same version
            for net in outer
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


def _networks_of(hit: Hit) -> tuple[str, ...]:
    return hit.where.get("network") or hit.where.get("ip") or ()


def read_suppressions(path: Path) -> list[Suppression]:
    """Read a suppression file.

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
    entries = read_entries(path, "suppress", Suppression)
    counts = Counter(entry.suppression_id for entry in entries)
    for place, entry in enumerate(entries, start=1):
        if counts[entry.suppression_id] > 1:
            raise ConfigError(f"{path}: entry {place} of [[suppress]] stands there twice; keep one")
    return entries


def suggest_suppression(hits: Sequence[Hit], week: Week) -> str:
    """Write the entry that would keep a finding out of the reports, but for owner and reason.

    Parameters
    ----------
    hits : sequence of Hit
        The finding's hits.
    week : Week
        The report week.

    Returns
    -------
    str
        TOML, ready to be completed.
    """
    last = week.end_at.tz_convert(week.zone).date()
    return Suppression.model_construct(
        entity_type=hits[0].entity_type,
        entity=hits[0].entity,
        detectors=tuple(dict.fromkeys(hit.detector for hit in hits)),
        apis=(),
        networks=(),
        owner="",
        reason="",
        created=last,
        expires=last + timedelta(days=SUPPRESSION_DAYS),
        finding="",
    ).to_toml()


@dataclass(frozen=True)
class SplitHits:
    """Hits, parted by whether a suppression covers them.

    Parameters
    ----------
    kept : list of Hit
        What is to be reported.
    suppressed : list of (Hit, str)
        What is not, each with the id of the suppression that covers it.
    """

    kept: list[Hit]
    suppressed: list[tuple[Hit, str]]

    def settle(self, cases: Sequence[Case], *, budget: float) -> tuple[list[Hit], list[Case]]:
        """Rate each case by what is left of it.

        How unusual an entity is was found from all its hits. Where the least probable one is
        suppressed, p and E rise to those of the next; where none is left, there is no case.

        Parameters
        ----------
        cases : sequence of Case
            From the engine.
        budget : float
            Cases with a smaller E are reported.

        Returns
        -------
        hits : list of Hit
            What is left; hits that only the suppressed ones brought into the budget stand no
            longer alone.
        cases : list of Case
            Cases, in their order.
        """
        every = _least([*self.kept, *(hit for hit, _ in self.suppressed)])
        left = _least(self.kept)
        rated, faded = [], set()
        for case in cases:
            entity = (case.entity_type, case.entity)
            if entity in every and entity not in left:
                continue
            factor = max(left[entity] / every[entity], 1.0) if entity in every else 1.0
            if factor == 1.0:
                rated.append(case)
                continue
            expected = case.expected_per_week * factor
            p, q = (min(value * factor, 1.0) for value in (case.p, case.q))
            rated.append(replace(case, p=p, q=q, expected_per_week=expected))
            if expected >= budget:
                faded.add(entity)
        hits = [
            replace(hit, alone=False)
            if hit.p is not None and (hit.entity_type, hit.entity) in faded
            else hit
            for hit in self.kept
        ]
        return hits, rated


def _least(hits: Sequence[Hit]) -> dict[tuple[str, str], float]:
    least: dict[tuple[str, str], float] = {}
    for hit in hits:
        if hit.p is not None:
            entity = (hit.entity_type, hit.entity)
            # a p of 0 is a rounding, and must not be divided by
            least[entity] = min(least.get(entity, 1.0), max(hit.p, 1e-300))
    return least


def split_hits(hits: Sequence[Hit], suppressions: Sequence[Suppression], *, zone: str) -> SplitHits:
    """Part the hits that suppressions cover from those to report.

    Parameters
    ----------
    hits : sequence of Hit
        From the engine and the rules.
    suppressions : sequence of Suppression
        The file; the first entry that covers a hit takes it.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    SplitHits
        Both parts, in the order of `hits`. A hit that begins after an entry's last day is kept.
    """
    ends = [(entry, entry.ends_at(zone), entry.suppression_id) for entry in suppressions]
    kept, suppressed = [], []
    for hit in hits:
        by = next((i for e, end, i in ends if hit.start_at < end and e.covers(hit)), None)
        if by is None:
            kept.append(hit)
        else:
            suppressed.append((hit, by))
    return SplitHits(kept, suppressed)


def list_suppressions(
    suppressions: Sequence[Suppression],
    split: SplitHits,
    *,
    week: Week,
    before: Sequence[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Say of each suppression what it did this week.

    Parameters
    ----------
    suppressions : sequence of Suppression
        The file.
    split : SplitHits
        From :func:`split_hits`.
    week : Week
        The report week.
    before : sequence of dict
        The same list of last week's report, which knows the last hit before this week.

    Returns
    -------
    list of dict
        The entry, with ``suppression_id``, ``status`` (``active`` or ``expired`` by the end of
        the week), ``hits_count`` of this week and ``last_hit_at`` (ISO 8601 UTC, or None).
    """
    earlier = {row["suppression_id"]: row["last_hit_at"] for row in before}
    rows = []
    for entry in suppressions:
        number = entry.suppression_id
        hits = [hit for hit, by in split.suppressed if by == number]
        last = format_utc(max(hit.end_at for hit in hits)) if hits else earlier.get(number)
        expired = entry.ends_at(week.zone) < week.end_at
        rows.append(
            json.loads(entry.model_dump_json())
            | {
                "suppression_id": number,
                "status": "expired" if expired else "active",
                "hits_count": len(hits),
                "last_hit_at": last,
            }
        )
    return rows
