"""Write files so that whatever happens there is the old one or the new one, for their owner alone.

A file is written beside its place, flushed to the disk and moved there. What this program writes
tells who called what from where, so nobody but its owner may read it.
"""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "flush",
    "lock_folder",
    "make_private",
    "move_into_place",
    "open_private",
    "write_private",
    "write_together",
]


def write_private(path: Path, content: bytes) -> None:
    """Write a file, in place of one that may be there and stays as it was if that fails.

    Parameters
    ----------
    path : pathlib.Path
        The file; its folder must exist.
    content : bytes
        What it shall hold.

    Raises
    ------
    OSError
        It cannot be written; an older file stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "secret.json"
    ...     write_private(path, b"{}")
    ...     oct(path.stat().st_mode & 0o777), [file.name for file in path.parent.iterdir()]
    ('0o600', ['secret.json'])
    """
    write_together(path.parent, {path.name: content})


def write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files that belong together: none takes its place before all of them are on the disk.

    Parameters
    ----------
    folder : pathlib.Path
        Their folder; it must exist.
    contents : mapping of str to bytes
        What each file shall hold, by its name; if one cannot be written, all stay as they were.

    Raises
    ------
    OSError
        One of them cannot be written; older files stay as they were.
    """
    beside = {name: folder / f".{name}.{secrets.token_hex(4)}.tmp" for name in contents}
    with ExitStack() as stack:
        for name, content in contents.items():
            file = stack.enter_context(open_private(beside[name]))
            stack.callback(beside[name].unlink, missing_ok=True)
            file.write(content)
            flush(file)
        for name, draft in beside.items():
            draft.replace(folder / name)
    _flush_folder(folder)


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
    beside, path : pathlib.Path
        Where it is, and what it shall be called; a file of that name is replaced.
    """
    flush(file)
    file.close()
    if not path.parent.is_dir():
        make_private(path.parent)
        _flush_folder(path.parent.parent)
    beside.replace(path)
    _flush_folder(path.parent)


def flush(file: BinaryIO) -> None:
    """Write to the disk what was written to a file.

    Parameters
    ----------
    file : file object
        Open for writing.
    """
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Write a folder's entries to the disk; without it a power cut may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def lock_folder(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a folder against others that lock it; the kernel gives it back however we end.

    Parameters
    ----------
    folder : pathlib.Path
        The folder; no file is made in it.
    wait : bool
        Whether to wait for whoever holds it.

    Yields
    ------
    bool
        Whether it is held until the block ends; False only without waiting.
    """
    import fcntl  # noqa: PLC0415 - not on every system, and only writers need it

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
