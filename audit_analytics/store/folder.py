"""A store on disk: one Parquet file a window, in a folder a day.

::

    STORE/day=2026-03-02/09-00-00.parquet    the window that begins at 09:00 UTC, with its manifest
    STORE/.partial/                          windows being written; removed by the next sync
    STORE/.rollup/                           hourly counts of the windows (see ``rollups``)
    STORE/.lock  STORE/.key                  who is writing; key of the hashes

A window is stored when its file is there. A file is written beside, flushed to the disk and moved
into place, so that whatever happens there is the old window, the new one, or none.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from audit_analytics.errors import InputError
from audit_analytics.store.manifest import Manifest, StoreTooNew, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

PARTIAL: Final = ".partial"
KEY_FILE: Final = ".key"

_NAME: Final = re.compile(r"day=(\d{4}-\d\d-\d\d)/(\d\d-\d\d-\d\d)\.parquet")


class StoreUnusable(InputError):  # noqa: N818 - reads as what happened
    """The store cannot be read or written."""


@dataclass(frozen=True)
class Stored:
    """What a store holds.

    Parameters
    ----------
    manifests : list of Manifest
        The windows in order of time.
    damaged : list of str
        Files that cannot be read, with the reason.
    """

    manifests: list[Manifest] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Store:
    """A store of windows.

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

    def path_of(self, start: datetime) -> Path:
        """Return where the window that begins at some time is stored.

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

    def list_starts(self) -> list[datetime]:
        """List where the stored windows begin.

        Returns
        -------
        list of datetime.datetime
            In order, UTC.
        """
        names = (
            path.relative_to(self.folder).as_posix() for path in self.folder.glob("day=*/*.parquet")
        )
        return sorted(start for name in names if (start := _read_name(name)))

    def scan(self, start: datetime | None = None, end: datetime | None = None) -> Stored:
        """Read the manifests.

        Parameters
        ----------
        start, end : datetime.datetime, optional
            Only windows that overlap ``[start, end)``.

        Returns
        -------
        Stored
            The windows.

        Raises
        ------
        StoreTooNew
            A window was written by a later version.
        """
        stored = Stored()
        starts = self.list_starts()
        for position, at in enumerate(starts):
            following = starts[position + 1] if position + 1 < len(starts) else None
            # A window ends where the next begins at the latest, or overlaps it and is repaired.
            if (end and at >= end) or (start and following and following <= start):
                continue
            try:
                manifest = read_manifest(self.path_of(at))
            except StoreTooNew:
                raise
            except InputError as error:
                stored.damaged.append(str(error))
                continue
            if manifest.start != at:
                stored.damaged.append(f"{self.path_of(at)}: holds another window")
            elif not start or manifest.end > start:
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
            Files removed: unfinished windows, and windows that lie wholly in another.

        Raises
        ------
        StoreUnusable
            They cannot be removed.
        """
        self.create()
        with explains_failure(self.folder):
            removed = [*(self.folder / PARTIAL).iterdir()]
            reached = None
            for manifest in self.scan(since).manifests:
                if reached and manifest.end <= reached:
                    removed.append(self.path_of(manifest.start))
                reached = max(reached or manifest.end, manifest.end)
            for path in removed:
                path.unlink()
        return len(removed)

    def remove_within(self, start: datetime, end: datetime) -> None:
        """Remove the windows that begin after `start` and before `end`.

        Parameters
        ----------
        start, end : datetime.datetime
            The span, both excluded.
        """
        for at in self.list_starts():
            if start < at < end:
                self.path_of(at).unlink(missing_ok=True)

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
                path = self.path_of(manifest.start)
                path.unlink()
                if not any(path.parent.iterdir()):
                    path.parent.rmdir()
        return len(old)

    def read_key(self) -> str:
        """Return the key of the store's hashes; made when it is first asked for.

        Returns
        -------
        str
            32 random hexadecimal digits.

        Raises
        ------
        StoreUnusable
            It can be neither read nor written.
        """
        path = self.folder / KEY_FILE
        with explains_failure(self.folder):
            if not path.exists():
                beside = self.folder / PARTIAL / f"key-{secrets.token_hex(4)}"
                with open_private(beside) as file:
                    file.write(secrets.token_hex(16).encode())
                    move_into_place(file, beside, path)
            return path.read_text(encoding="ascii")

    def exists(self) -> bool:
        """Tell whether the folder is a store.

        Returns
        -------
        bool
            True if a sync made it.
        """
        return (self.folder / PARTIAL).is_dir()

    def check(self) -> None:
        """Check that the store can be read.

        Raises
        ------
        StoreUnusable
            There is no such folder, or it holds no window.
        """
        if not self.folder.is_dir():
            raise StoreUnusable(
                f"{self.folder}: there is no store; fetch one with: sync --since 28d"
            )
        if not self.list_starts():
            raise StoreUnusable(
                f"{self.folder}: holds no window yet; fetch some with: sync --since 28d"
            )


def _read_name(name: str) -> datetime | None:
    found = _NAME.fullmatch(name)
    try:
        return (
            datetime.strptime(f"{found[1]}{found[2]}", "%Y-%m-%d%H-%M-%S").replace(tzinfo=UTC)
            if found
            else None
        )
    except ValueError:
        # shaped like a day, and there is no such day
        return None


@contextmanager
def explains_failure(folder: Path) -> Iterator[None]:
    """Turn errors of the file system into one that says what to do.

    Parameters
    ----------
    folder : pathlib.Path
        The store.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    StoreUnusable
        The block failed to read or write.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreUnusable(
            f"{folder}: cannot write to the store ({reason}); what is stored stays readable. Make "
            "room or correct the permissions, then run the same command again"
        ) from error


def open_private(path: Path) -> BinaryIO:
    """Create a file that only its owner can read.

    Parameters
    ----------
    path : pathlib.Path
        The file; it must not exist.

    Returns
    -------
    file object
        Open for writing bytes.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def make_private(folder: Path) -> None:
    """Make a folder for its owner only, if it is not there.

    Parameters
    ----------
    folder : pathlib.Path
        The folder; its parent must exist.
    """
    folder.mkdir(mode=0o700, exist_ok=True)


def move_into_place(file: BinaryIO, beside: Path, path: Path) -> None:
    """Let a written file take its name, once all of it is on the disk.

    Parameters
    ----------
    file : file object
        Open for writing; closed here.
    beside : pathlib.Path
        Where it is.
    path : pathlib.Path
        What it shall be called; a file of that name is replaced.
    """
    file.flush()
    os.fsync(file.fileno())
    file.close()
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _flush_folder(path.parent.parent)
    beside.replace(path)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Write a folder's entries to the disk; without it a power cut may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
