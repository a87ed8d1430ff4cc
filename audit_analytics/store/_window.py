"""Read and write one window: every page checked; beside the store, then in by one rename."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from audit_analytics.errors import InputError
from audit_analytics.files import open_private
from audit_analytics.redact import hash_objects
from audit_analytics.store._failure import explains_failure, note_damage
from audit_analytics.store._folder import PARTIAL, Store, put_window
from audit_analytics.store._manifest import MANIFEST_KEY, REJECTS_KEY, SCHEMA, Manifest
from audit_analytics.store._redaction import Redaction

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

    WindowGone if the file is another one by now, WindowUnreadable if it cannot be read; damage is noted.
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
        note_damage(store.folder, path)
        raise WindowUnreadable(
            f"{path}: its rows cannot be read; the next sync fetches them again"
        ) from None


def _is_same(note: bytes, window: Manifest) -> bool:
    try:
        found = msgspec.json.decode(note, type=Manifest)
    except msgspec.MsgspecError:
        return False
    return bool(found == msgspec.structs.replace(window, file=found.file))


REJECTS_MAX: Final = 100
"""How many rejected items a window keeps; all of them are counted."""


class WindowWriter:
    """Writes a window; without :meth:`commit` nothing of it stays. StoreUnusable if the disk is full.

    Parameters
    ----------
    store : Store
        Where to.
    draft : Manifest
        Range, time of reading, scope and version; the rest is filled in by :meth:`commit`.
    redaction : Redaction
        What is kept; applied before anything is written.

    Raises
    ------
    StoreUnusable
        The store cannot be written.
    """

    def __init__(self, store: Store, draft: Manifest, redaction: Redaction) -> None:
        self._store = store
        self._draft = draft
        self._redaction = redaction
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._rejects: list[dict[str, Any]] = []
        self._seen: NDArray[np.int64] = np.empty(0, np.int64)
        self._times: list[pd.Timestamp] = []
        name = f"{draft.start:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        self._beside = store.folder / PARTIAL / name

    def __enter__(self) -> Self:
        with explains_failure(self._store.folder):
            self._file = open_private(self._beside)
            self._parquet = pq.ParquetWriter(
                self._file, SCHEMA, compression="zstd", write_page_checksum=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._file.closed:
            return
        try:
            self._parquet.close()
            self._file.close()
        except OSError:
            # The disk is full, which the block has said already.
            pass
        finally:
            self._beside.unlink(missing_ok=True)

    def add(
        self, events: pd.DataFrame, rejects: pd.DataFrame | None = None, *, pages: int = 0
    ) -> int:
        """Write a batch.

        Parameters
        ----------
        events : pandas.DataFrame
            Table ``schema.EVENTS``; rows whose id came before in the window are left out.
        rejects : pandas.DataFrame, optional
            Table ``schema.REJECTS``.
        pages : int, default 0
            Pages the batch came in.

        Returns
        -------
        int
            Rows written.

        Raises
        ------
        StoreUnusable
            The disk is full, or something else is wrong with it.
        """
        new = events[self._find_new(events["id"])]
        if len(new):
            rows = pa.Table.from_pandas(
                self._redaction.apply(new), schema=SCHEMA, preserve_index=False
            )
            with explains_failure(self._store.folder):
                self._parquet.write_table(rows)
            self._times += [new["at"].min(), new["at"].max()]
        if rejects is not None and len(rejects):
            self._keep_rejects(rejects)
        self._counts["rows"] += len(new)
        self._counts["duplicates"] += len(events) - len(new)
        self._counts["pages"] += pages
        return len(new)

    def commit(self) -> Manifest:
        """Put the window into the store, in place of those it stands for.

        Returns
        -------
        Manifest
            Its manifest.

        Raises
        ------
        StoreUnusable
            The disk is full, or something else is wrong with it.
        """
        store = self._store
        overlapping = store.scan(self._draft.start, self._draft.end).manifests
        manifest = msgspec.structs.replace(
            self._draft,
            rows_count=self._counts["rows"],
            duplicates_count=self._counts["duplicates"],
            pages_count=self._counts["pages"],
            rejects_count=self._reasons.total(),
            reject_reasons=dict(self._reasons.most_common(REJECTS_MAX)),
            first_at=min(self._times).to_pydatetime() if self._times else None,
            last_at=max(self._times).to_pydatetime() if self._times else None,
            redaction=self._redaction.describe(),
            # higher than that of every window it overlaps: the lock is held
            serial=1 + max((window.serial for window in overlapping), default=0),
        )
        footer = {
            MANIFEST_KEY: msgspec.json.encode(manifest),
            REJECTS_KEY: msgspec.json.encode(self._rejects),
        }
        with explains_failure(store.folder):
            self._parquet.add_key_value_metadata(footer)
            self._parquet.close()
            return put_window(store, self._file, self._beside, manifest)

    def _find_new(self, ids: pd.Series) -> NDArray[np.bool_]:
        """Tell which ids the window does not hold yet: 8 bytes an id, however dense the hour.

        At 600,000 rows the odds that two of their 64-bit hashes are the same are 1 to 100 million.
        """
        hashes = hash_objects(ids.tolist())
        place = np.searchsorted(self._seen, hashes)
        place[place == len(self._seen)] = 0
        is_new = np.ones(len(hashes), bool) if not len(self._seen) else self._seen[place] != hashes
        is_new &= ~pd.Series(hashes).duplicated().to_numpy()
        self._seen = np.sort(np.concatenate((self._seen, hashes[is_new])))
        return np.asarray(is_new, bool)

    def _keep_rejects(self, rejects: pd.DataFrame) -> None:
        self._reasons.update(rejects["reason"].astype("str").tolist())
        kept = rejects.head(REJECTS_MAX - len(self._rejects))
        if self._redaction.rejects == "counted":
            kept = kept.assign(raw="")
        self._rejects += kept.astype({"source": "str", "reason": "str"}).to_dict("records")
