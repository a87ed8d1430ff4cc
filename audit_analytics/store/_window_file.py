"""Read the rows of one window: every page checked, and every failure said and noted."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from audit_analytics.errors import InputError
from audit_analytics.store._manifest import MANIFEST_KEY, SCHEMA, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audit_analytics.store._folder import Store


_ROWS_ALONE: Final = 100_000
"""A window of so few rows is read by one thread."""


class WindowUnreadable(InputError):  # noqa: N818 - reads as what happened
    """The rows of a window cannot be read; the next sync fetches them again."""


class WindowGone(WindowUnreadable):
    """Another process replaced the window: its rows are elsewhere in the store by now."""


def read_window(
    store: Store, window: Manifest, columns: Sequence[str] | None = None, words: Sequence[str] = ()
) -> pa.Table:
    """Read the rows of a window, some columns of it as dictionaries (`words`).

    WindowGone if the file is not that of this window any more; WindowUnreadable if it is damaged,
    which is noted for the next sync, or cannot be read now.
    """
    with _open(store, window, words) as parquet:
        # handing the columns of a small window to threads takes longer than to read them
        use_threads = window.rows_count > _ROWS_ALONE
        return parquet.read(
            columns=None if columns is None else list(columns), use_threads=use_threads
        )


def check_window(store: Store, window: Manifest) -> None:
    """Read every page of a window, and keep none; it fails as :func:`read_window` does."""
    with _open(store, window, ()) as parquet:
        for _ in parquet.iter_batches(columns=SCHEMA.names):
            pass


@contextmanager
def _open(store: Store, window: Manifest, words: Sequence[str]) -> Iterator[pq.ParquetFile]:
    path = store.file_of(window)
    try:
        with path.open("rb") as file:
            parquet = pq.ParquetFile(
                file, read_dictionary=list(words), page_checksum_verification=True
            )
            note = (parquet.metadata.metadata or {}).get(MANIFEST_KEY, b"")
            if not _is_same(note, window):
                raise WindowGone(f"{path}: was replaced while it was read")
            missing = set(SCHEMA.names) - set(parquet.schema.names)
            if missing:
                raise pa.ArrowInvalid("columns are missing")
            yield parquet
    except FileNotFoundError:
        raise WindowGone(f"{path}: was replaced while it was read") from None
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # the mode, or too many open files: nothing that reading it anew would mend
            reason = error.strerror
            raise WindowUnreadable(f"{path}: cannot be read ({reason})") from None
        store.note_damage(window)
        raise WindowUnreadable(
            f"{path}: its rows cannot be read; the next sync fetches them again"
        ) from None


def _is_same(note: bytes, window: Manifest) -> bool:
    try:
        found = msgspec.json.decode(note, type=Manifest)
    except msgspec.MsgspecError:
        return False
    return bool(found == msgspec.structs.replace(window, file=found.file))
