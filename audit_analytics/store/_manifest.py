"""What a stored window is, when it was read, and which windows it makes needless.

The manifest stands in the footer of the window's Parquet file, so that one rename makes both
visible and neither is ever there without the other.

A reading is a span, a scope and a place in the order of readings. The log only grows, so a reading
holds every row an earlier reading of the same span held, and one without a filter those of one with
a filter. A window is needless if later readings reach over all of its span, and never else: not for
a longer one that was filtered, nor for an older one, nor for one that ends sooner.

The order is that in which windows were stored, not that of the clock, which may be set back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, TypedDict

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from audit_analytics.errors import InputError
from audit_analytics.schema import EVENTS

FORMAT: Final = 1
"""Version of the stored form."""

ALL: Final = "all"
"""Scope of a window that was read without a filter."""

MANIFEST_KEY: Final = b"audit_analytics.manifest"
REJECTS_KEY: Final = b"audit_analytics.rejects"


_NAME: Final = re.compile(r"day=(\d{4}-\d\d-\d\d)/(\d\d-\d\d-\d\d)(\.\d+)?\.parquet")

LONGEST: Final = timedelta(days=31)
"""Longest window; whatever claims more would have every one of its hours counted."""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class StoreTooNew(InputError):  # noqa: N818 - reads as what happened
    """The store was written by a later version of this package."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A window that was joined with others."""

    start: Instant
    end: Instant
    read_at: Instant
    rows_count: Count
    serial: Count  # its place in the order of storing


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a stored window is.

    Parameters
    ----------
    start, end : datetime.datetime
        The range ``[start, end)``, UTC.
    read_at : datetime.datetime
        When the reading began, UTC.
    scope : str
        ``all``, or ``sensitive-`` and a hash of the APIs that were asked for.
    rows_count, duplicates_count, rejects_count, pages_count : int
        Events in the file, rows left out because their id came before in the window, items that
        could not be read, and pages the window came in.
    first_at, last_at : datetime.datetime or None
        Time of the first and of the last event.
    reject_reasons : dict of str to int
        Items that could not be read, by reason.
    redaction : dict of str to str
        What was kept, and a fingerprint of the key of the hashes.
    windows : dict of str to int
        ``window_minutes`` and ``settle_minutes`` of the sync that read it; empty if not noted.
    catalogue : str
        Fingerprint of the catalogue the events were matched with; empty if not noted.
    format : int
        Version of the stored form.
    version, file : str
        Version of this package, and name of the file; this is not part of what is stored.
    serial : int
        Higher than that of every window that was there when it was stored and that it overlaps.
    parts : list of Part
        The windows it was joined from, if it was.
    """

    start: Instant
    end: Instant
    read_at: Instant
    scope: str = ALL
    rows_count: Count = 0
    duplicates_count: Count = 0
    rejects_count: Count = 0
    pages_count: Count = 0
    first_at: Instant | None = None
    last_at: Instant | None = None
    reject_reasons: dict[str, Count] = {}
    redaction: dict[str, str] = {}
    windows: dict[str, Count] = {}
    catalogue: str = ""
    format: int = FORMAT
    version: str = ""
    file: str = ""
    serial: Count = 0
    parts: list[Part] = []

    def covers(self, scope: str) -> bool:
        """Tell whether the window holds what a sync of some scope would read.

        Parameters
        ----------
        scope : str
            Scope of the sync.

        Returns
        -------
        bool
            True for the same scope, and for a window read without a filter.
        """
        return self.scope in (ALL, scope)


def list_readings(window: Manifest) -> list[Part]:
    """List the readings a window holds: those it was joined from, or the one it is."""
    return window.parts or [
        Part(window.start, window.end, window.read_at, window.rows_count, window.serial)
    ]


class Reject(TypedDict):
    """A row of table ``schema.REJECTS``."""

    source: str
    row: int
    reason: str
    raw: str


def _build_schema() -> pa.Schema:
    """Return the Arrow form of the events: words are plain strings, for Parquet has its own dictionaries.

    What pandas notes of its dtypes stays, or nullable integers would come back as floats.
    """
    inferred = pa.Schema.from_pandas(EVENTS.empty(), preserve_index=False)
    words = {column.name for column in EVENTS.columns if column.dtype == "category"}
    fields = [pa.field(f.name, pa.string() if f.name in words else f.type) for f in inferred]
    return pa.schema(fields, metadata=inferred.metadata)


SCHEMA: Final = _build_schema()
"""Arrow schema of a stored window."""


def read_start(name: str) -> datetime | None:
    """Read off a file's name where its window begins, UTC; None if it is no name of a window.

    >>> read_start("day=2026-03-02/09-00-00.1.parquet")
    datetime.datetime(2026, 3, 2, 9, 0, tzinfo=datetime.timezone.utc)
    """
    found = _NAME.fullmatch(name)
    try:
        return (
            datetime.strptime(f"{found[1]}{found[2]}", "%Y-%m-%d%H-%M-%S").replace(tzinfo=UTC)
            if found
            else None
        )
    except ValueError:
        return None  # shaped like a day, and there is no such day


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of a stored window; a later version's is refused as StoreTooNew."""
    try:
        manifest = msgspec.json.decode(_read_footer(path).get(MANIFEST_KEY, b""), type=Manifest)
    except msgspec.MsgspecError:
        raise InputError(f"{path}: has no manifest, so it is no window of a store") from None
    if manifest.format > FORMAT:
        raise StoreTooNew(
            f"{path}: written by version {manifest.version!a} in a later form; upgrade audit-analytics"
        )
    if not timedelta(0) < manifest.end - manifest.start <= LONGEST:
        raise InputError(
            f"{path}: its manifest says no span of time; the next sync fetches it again"
        )
    return manifest


def read_rejects(path: Path) -> list[Reject]:
    """Read the items of a stored window that could not be read, as far as they were kept."""
    try:
        return msgspec.json.decode(_read_footer(path).get(REJECTS_KEY, b"[]"), type=list[Reject])
    except msgspec.MsgspecError:
        raise InputError(f"{path}: its rejects cannot be read; verify the store") from None


def _read_footer(path: Path) -> dict[bytes, bytes]:
    try:
        return dict(pq.read_metadata(path).metadata or {})
    except (OSError, pa.ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(
            f"{path}: cannot be read ({reason or 'damaged'}); the next sync fetches it again"
        ) from None


@dataclass(frozen=True)
class _Reading:
    window: Manifest
    start: datetime
    end: datetime
    rank: tuple[int, datetime, timedelta, str]

    def is_after(self, other: _Reading) -> bool:
        return self.rank > other.rank and self.window.covers(other.window.scope)


def find_needless(windows: Iterable[Manifest]) -> list[Manifest]:
    """List the windows whose rows are all in later ones, to be removed all of them at once.

    What stands for one of them is kept, or is stood for itself.
    """
    ordered = sorted(windows, key=lambda w: w.start)
    needless = []
    for group in _group(ordered):
        if len(group) > 1:
            readings = list(chain.from_iterable(map(_list_readings, group)))
            needless += [w for w in group if _is_needless(w, readings)]
    return needless


def _group(windows: Sequence[Manifest]) -> Iterable[list[Manifest]]:
    """Cut windows in order of time where none reaches over the cut."""
    group: list[Manifest] = []
    reached: datetime | None = None
    for window in windows:
        if reached and window.start >= reached:
            yield group
            group, reached = [], None
        group.append(window)
        reached = max(reached or window.end, window.end)
    if group:
        yield group


def _list_readings(window: Manifest) -> list[_Reading]:
    # the longer window comes later: what was joined stands for what it was joined from
    last = (window.end - window.start, window.file)
    return [
        _Reading(window, part.start, part.end, (part.serial, part.read_at, *last))
        for part in list_readings(window)
    ]


def _is_needless(window: Manifest, readings: list[_Reading]) -> bool:
    return all(
        _reach(own, [r for r in readings if r.window is not window and r.is_after(own)])
        for own in readings
        if own.window is window
    )


def _reach(own: _Reading, later: list[_Reading]) -> bool:
    """Tell whether readings leave nothing of another one's span uncovered."""
    at = own.start
    for reading in sorted(later, key=lambda r: r.start):
        if reading.start > at:
            break
        at = max(at, reading.end)
    return at >= own.end
