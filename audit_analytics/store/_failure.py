"""What a store says when the file system refuses, and its notes of windows that cannot be read.

A note holds for the file it was made of, and for none that takes its place.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from audit_analytics.errors import InputError
from audit_analytics.files import make_private, write_private
from audit_analytics.store._manifest import Manifest, read_manifest


class StoreUnusable(InputError):  # noqa: N818 - reads as what happened
    """The store cannot be read or written."""


@contextmanager
def explains_failure(folder: Path) -> Iterator[None]:
    """Turn errors of the file system into a StoreUnusable that says what to do.

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


DAMAGED: Final = ".damaged"

Notes = dict[str, "Path"]


def note_damage(folder: Path, path: Path) -> None:
    """Note that the rows of a file cannot be read; nothing is noted in a store that is read only."""
    try:
        make_private(folder / DAMAGED)
        write_private(folder / DAMAGED / _name(path), _stamp(path).encode())
    except OSError:
        return  # whoever reads says so, and verify will find it


def list_notes(folder: Path) -> Notes:
    """List the notes of a store, by the name of their files."""
    return {note.name: note for note in (folder / DAMAGED).glob("*")}


def is_noted(path: Path, notes: Notes) -> bool:
    """Tell whether the rows of a file could not be read, and it is still the same file."""
    note = notes.get(_name(path))
    if note is None:
        return False
    try:
        return note.read_text(encoding="ascii") == _stamp(path)
    except (OSError, UnicodeDecodeError):
        return False


def find_stale(notes: Notes, paths: Iterable[Path]) -> list[Path]:
    """List the notes that hold for no file any more."""
    kept = {_name(path) for path in paths if is_noted(path, notes)}
    return [note for name, note in notes.items() if name not in kept]


def read_once(path: Path) -> Manifest:
    """Read a manifest, with the name of its file, once as long as the file is the same."""
    try:
        stamp = _stamp(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return _read_stamped(path, stamp)


@functools.lru_cache(maxsize=2**16)
def _read_stamped(path: Path, stamp: str) -> Manifest:  # noqa: ARG001 - what the file was then
    return msgspec.structs.replace(read_manifest(path), file=path.name)


def _name(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def _stamp(path: Path) -> str:
    about = path.stat()
    return f"{about.st_ino} {about.st_mtime_ns} {about.st_size}"
