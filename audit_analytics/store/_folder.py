"""A store on disk: one Parquet file a window, in a folder a day.

::

    STORE/day=2026-03-02/09-00-00.parquet    the window that begins at 09:00 UTC, with its manifest
    STORE/day=2026-03-02/09-00-00.1.parquet  another one from 09:00, which does not stand for it
    STORE/.damaged/                          notes of windows whose rows could not be read
    STORE/.partial/                          windows being written; removed by the next sync
    STORE/.rollup/                           hourly counts of the windows (see ``_rollups``)
    STORE/.lock  STORE/.key                  who is writing; key of the hashes

A window is stored when its file is there. A file is written beside, flushed to the disk and moved
into place, so that whatever happens there is the old window, the new one, or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from audit_analytics.errors import InputError
from audit_analytics.files import make_private, move_into_place
from audit_analytics.store._failure import (
    Notes,
    StoreUnusable,
    explains_failure,
    find_stale,
    is_noted,
    list_notes,
    read_once,
)
from audit_analytics.store._manifest import (
    LONGEST,
    Manifest,
    StoreTooNew,
    find_needless,
    read_start,
)

PARTIAL: Final = ".partial"

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Stored:
    """What a store holds."""

    manifests: list[Manifest] = field(default_factory=list)  # the windows in order of time
    damaged: list[str] = field(default_factory=list)  # files that cannot be read, with the reason


@dataclass(frozen=True)
class Store:
    """A store of windows; what cannot be written or removed is StoreUnusable.

    Parameters
    ----------
    folder : pathlib.Path
        Its folder.

    Examples
    --------
    >>> from datetime import UTC
    >>> from pathlib import Path
    >>> Store(Path("data/store")).path_of(datetime(2026, 3, 2, 9, tzinfo=UTC)).as_posix()
    'data/store/day=2026-03-02/09-00-00.parquet'
    """

    folder: Path

    def create(self) -> None:
        """Make the folder, for its owner only.

        Raises
        ------
        StoreUnusable
            It cannot be made.
        """
        with explains_failure(self.folder):
            # Parents made on the way would get the mode of the umask, so one at a time.
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            make_private(self.folder)
            make_private(self.folder / PARTIAL)

    def file_of(self, window: Manifest) -> Path:
        """Return the file of a window that is stored.

        Parameters
        ----------
        window : Manifest
            As :meth:`scan` returns it.

        Returns
        -------
        pathlib.Path
            Its file.
        """
        return self.path_of(window.start).with_name(window.file)

    def path_of(self, start: datetime) -> Path:
        """Return where a window that begins at some time is stored, unless another one is there.

        Parameters
        ----------
        start : datetime.datetime
            Its beginning, in UTC.

        Returns
        -------
        pathlib.Path
            Its file.
        """
        return self.folder / f"day={start:%Y-%m-%d}" / f"{start:%H-%M-%S}.parquet"

    def scan(self, start: datetime | None = None, end: datetime | None = None) -> Stored:
        """Read the manifests.

        Parameters
        ----------
        start, end : datetime.datetime, optional
            Only windows that overlap ``[start, end)``.

        Returns
        -------
        Stored
            The windows. One whose rows could not be read is among the damaged.

        Raises
        ------
        StoreTooNew
            A window was written by a later version.
        """
        stored = Stored()
        notes = list_notes(self.folder)
        # as long as a window can be, one that begins before the span may reach into it
        for at, path in list_files(self.folder, start - LONGEST if start else None, end):
            try:
                manifest = _read_sound(at, path, notes)
            except StoreTooNew:
                raise
            except InputError as error:
                if not start or at > start - _DAY:
                    stored.damaged.append(str(error))
                continue
            if not start or manifest.end > start:
                stored.manifests.append(manifest)
        return stored

    def repair(self, since: datetime | None = None) -> int:
        """Remove what a killed sync left behind. Hold the lock.

        Parameters
        ----------
        since : datetime.datetime, optional
            Look only at windows that end after this.

        Returns
        -------
        int
            Files removed: unfinished windows, windows that another one stands for, and notes of
            damage that is mended.

        Raises
        ------
        StoreUnusable
            They cannot be removed.
        """
        self.create()
        with explains_failure(self.folder):
            removed = [*(self.folder / PARTIAL).iterdir()]
            removed += map(self.file_of, find_needless(self.scan(since).manifests))
            notes = list_notes(self.folder)
            removed += find_stale(notes, [path for _, path in list_files(self.folder)])
            for path in removed:
                path.unlink()
        return len(removed)

    def remove_before(self, at: datetime) -> int:
        """Remove the windows that end before some time. Hold the lock.

        Parameters
        ----------
        at : datetime.datetime
            The time.

        Returns
        -------
        int
            Windows removed.

        Raises
        ------
        StoreUnusable
            They cannot be removed.
        """
        old = [manifest for manifest in self.scan(end=at).manifests if manifest.end <= at]
        with explains_failure(self.folder):
            for manifest in old:
                path = self.file_of(manifest)
                path.unlink()
                if not any(path.parent.iterdir()):
                    path.parent.rmdir()
        return len(old)

    def exists(self) -> bool:
        """Tell whether the folder is a store.

        Returns
        -------
        bool
            True if a sync made it.
        """
        return (self.folder / PARTIAL).is_dir()

    def check(self) -> None:
        """Check that the store can be read; StoreUnusable if there is no such folder, or no window.

        Raises
        ------
        StoreUnusable
            There is no such folder, or it holds no window.
        """
        if not self.folder.is_dir():
            raise StoreUnusable(
                f"{self.folder}: there is no store; fetch one with: sync --since 28d"
            )
        if not list_files(self.folder):
            raise StoreUnusable(
                f"{self.folder}: holds no window yet; fetch some with: sync --since 28d"
            )


def list_files(
    folder: Path, since: datetime | None = None, until: datetime | None = None
) -> list[tuple[datetime, Path]]:
    """List where the windows of a store begin and their files, in order of time.

    Those that begin in ``[since, until)``; the folders of other days are not read.
    """
    first = f"day={since.date()}" if since else "day="
    last = f"day={until.date()}" if until else "day=~"
    days = [day for day in folder.glob("day=*") if first <= day.name <= last]
    paths = (path for day in days for path in day.glob("*.parquet"))
    names = ((f"{path.parent.name}/{path.name}", path) for path in paths)
    return sorted(
        (start, path)
        for name, path in names
        if (start := read_start(name))
        and (not since or start >= since)
        and (not until or start < until)
    )


def put_window(
    store: Store,
    file: BinaryIO,
    beside: Path,
    manifest: Manifest,
    replaced: Sequence[Manifest] | None = None,
) -> Manifest:
    """Move a written window into place, and remove those it stands for; `file` is closed. Hold the lock.

    These are the windows `replaced`; if they are not given it was read just now, and stands for all of
    its span and scope, and for what cannot be read.
    """
    if replaced is None:
        gone = {*map(store.file_of, _find_replaced(store, manifest))}
        gone.update(_find_damaged(store.folder, manifest))
    else:
        gone = {*map(store.file_of, replaced)}
    plain = store.path_of(manifest.start)
    path, number = plain, 0
    while path not in gone and path.exists():
        number += 1
        path = plain.with_name(f"{plain.stem}.{number}.parquet")
    move_into_place(file, beside, path)
    # until this is done rows are there twice, which every reader knows to deal with
    for other in gone - {path}:
        other.unlink(missing_ok=True)
    return msgspec.structs.replace(manifest, file=path.name)


def _find_replaced(store: Store, manifest: Manifest) -> list[Manifest]:
    overlapping = store.scan(manifest.start, manifest.end).manifests
    if not overlapping:
        return []
    # what reaches beyond the window may be stood for by it and its neighbours together
    start = min(window.start for window in overlapping)
    end = max(window.end for window in overlapping)
    return find_needless([*store.scan(start, end).manifests, manifest])


def _find_damaged(folder: Path, manifest: Manifest) -> Iterator[Path]:
    notes = list_notes(folder)
    for at, path in list_files(folder, manifest.start, manifest.end):
        try:
            _read_sound(at, path, notes)
        except StoreTooNew:
            continue
        except InputError:
            yield path


def _read_sound(at: datetime, path: Path, notes: Notes) -> Manifest:
    manifest = read_once(path)
    if manifest.start != at:
        raise InputError(f"{path}: holds another window")
    if is_noted(path, notes):
        raise InputError(f"{path}: its rows cannot be read; the next sync fetches them again")
    return manifest
