"""Dated snapshots of the apps: one Parquet file for each state that differed from the one before.

::

    STORE/.apps/2026-11-16T08-30-00.parquet   the apps as they were then
    STORE/.apps/asked                         when the platform was asked last
    STORE/.apps/.versions                     versions of apps read by a sync that is not over
"""

import io
import json
import os
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from audit_analytics.errors import InputError
from audit_analytics.files import make_private, write_private
from audit_analytics.inventory._app import App, Grant, Inventory, Version

FOLDER: Final = ".apps"
FORMAT: Final = b"1"

MOST_SNAPSHOTS: Final = 60
"""How many states of the apps are looked at; what changed before was told before."""

_NAME: Final = "%Y-%m-%dT%H-%M-%S.parquet"
_ASKED: Final = "asked"
_PART: Final = ".versions"
_TEXTS: Final = pa.list_(pa.string())
_AT: Final = pa.timestamp("us", tz="UTC")
_NESTED: Final = {
    "hosts": _TEXTS,
    "networks": _TEXTS,
    "grants": pa.list_(pa.struct({"scope": pa.string(), "level": pa.int8()})),
    "versions": pa.list_(
        pa.struct({"version": pa.string(), "published_at": _AT, "scopes": _TEXTS})
    ),
}
_SCHEMA: Final = pa.schema(
    [(name, _NESTED.get(name, pa.string())) for name in App.__dataclass_fields__]
)


def read_latest(folder: Path) -> Inventory:
    """Read the newest snapshot; an InputError if it cannot be.

    Parameters
    ----------
    folder : pathlib.Path
        The store or log folder.

    Returns
    -------
    Inventory
        As fetched last; empty if it never was.

    Raises
    ------
    InputError
        The newest snapshot cannot be read.
    """
    return _read(folder, _list_files(folder)[-1:])


def read_history(folder: Path) -> Inventory:
    """Read the newest snapshot, and those before it.

    Parameters
    ----------
    folder : pathlib.Path
        The store or log folder.

    Returns
    -------
    Inventory
        As :func:`read_latest`, with what was known before, :data:`MOST_SNAPSHOTS` at most.

    Raises
    ------
    InputError
        A snapshot cannot be read.
    """
    return _read(folder, _list_files(folder)[-MOST_SNAPSHOTS:])


def _read(folder: Path, files: list[Path]) -> Inventory:
    found: list[Inventory] = []
    asked_at = read_asked(folder)
    for file in reversed(files):
        one, asked_before = _read_file(file)
        found.append(replace(one, fetched_at=asked_at or one.taken_at))
        asked_at = asked_before
    return replace(found[0], before=tuple(reversed(found[1:]))) if found else Inventory()


def _read_file(file: Path) -> tuple[Inventory, datetime | None]:
    try:
        taken_at = datetime.strptime(file.name, _NAME).replace(tzinfo=UTC)
        table = pq.read_table(file, partitioning=None)
        metadata = table.schema.metadata
        if metadata.get(b"format") != FORMAT:
            raise InputError(f"{file}: was written by a later version of this package")
        apps = [
            App(
                **row
                | {
                    "hosts": tuple(row["hosts"]),
                    "networks": tuple(row["networks"]),
                    "grants": tuple(Grant(**grant) for grant in row["grants"]),
                    "versions": tuple(
                        Version(**one | {"scopes": tuple(one["scopes"])}) for one in row["versions"]
                    ),
                }
            )
            for row in table.to_pylist()
        ]
        missing = tuple(metadata.get(b"missing", b"").decode().splitlines())
        asked_before = _read_instant(metadata.get(b"asked_before", b"").decode())
    except (OSError, pa.ArrowException, TypeError, AttributeError, KeyError, ValueError) as error:
        raise InputError(
            f"{file}: cannot be read ({type(error).__name__}); remove it, and the snapshot "
            "before is used, or run: apps sync"
        ) from None
    return replace(Inventory.of(apps), missing=missing, taken_at=taken_at), asked_before


def write_snapshot(folder: Path, inventory: Inventory) -> bool:
    """Keep an inventory, unless it is what the newest snapshot holds, which stays whole in any case.

    Parameters
    ----------
    folder : pathlib.Path
        The store; its lock is held.
    inventory : Inventory
        As fetched; it says when.

    Returns
    -------
    bool
        Whether a snapshot was written.

    Raises
    ------
    OSError
        It cannot be written.
    """
    at = inventory.fetched_at or datetime.now(UTC)
    place = folder / FOLDER
    make_private(place)
    for draft in place.glob(".*.tmp"):
        draft.unlink()  # of one that was killed
    before = read_latest(folder)
    is_new = not before or (before.apps, before.missing) != (inventory.apps, inventory.missing)
    if is_new:
        asked = before.fetched_at.isoformat() if before.fetched_at else ""
        metadata = {b"format": FORMAT, b"missing": "\n".join(inventory.missing).encode()}
        metadata[b"asked_before"] = asked.encode()
        table = pa.Table.from_pylist(
            [asdict(app) for app in inventory.apps.values()], _SCHEMA.with_metadata(metadata)
        )
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        write_private(place / at.strftime(_NAME), buffer.getvalue())
    write_private(place / _ASKED, f"{at.isoformat()}\n".encode())
    (place / _PART).unlink(missing_ok=True)
    return is_new


def keep_versions(folder: Path, app: App) -> None:
    """Keep the versions of one app until a snapshot holds them: each costs a request.

    Parameters
    ----------
    folder : pathlib.Path
        The store; its lock is held.
    app : App
        The app with its versions.

    Raises
    ------
    OSError
        They cannot be written.
    """
    make_private(folder / FOLDER)
    rows = [[v.version, v.published_at.isoformat(), v.scopes] for v in app.versions]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with os.fdopen(os.open(folder / FOLDER / _PART, flags, 0o600), "w", encoding="ascii") as file:
        # a line that a kill cut off must not spoil the next one
        file.write("\n" + json.dumps([app.app_id, app.version_id, rows]) + "\n")


def read_kept_versions(folder: Path) -> dict[tuple[str, str], tuple[Version, ...]]:
    """Read the versions that a sync kept which did not come to its end.

    Parameters
    ----------
    folder : pathlib.Path
        The store.

    Returns
    -------
    dict of tuple of str to tuple of Version
        By app id and the id of the version in use; what cannot be read is left out.
    """
    try:
        lines = (folder / FOLDER / _PART).read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return {}
    kept = {}
    for line in filter(None, lines):
        try:
            app_id, version_id, rows = json.loads(line)
            kept[app_id, version_id] = tuple(
                Version(version, datetime.fromisoformat(at), tuple(scopes))
                for version, at, scopes in rows
            )
        except (ValueError, TypeError):
            continue
    return kept


def read_asked(folder: Path) -> datetime | None:
    """Return when the platform was asked last.

    Parameters
    ----------
    folder : pathlib.Path
        The store or log folder.

    Returns
    -------
    datetime.datetime or None
        UTC; None if it never was.
    """
    try:
        return _read_instant((folder / FOLDER / _ASKED).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _read_instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return at if at.tzinfo else None


def _list_files(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob("*T*.parquet"))
