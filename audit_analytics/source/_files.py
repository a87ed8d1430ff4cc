"""Read a log from files, folders, DataFrames or decoded pages.

What a file holds is found out from its content, not from its name: a page as the API answers
it, a list of items or of pages, one of them a line (JSONL), each also gzip-compressed; Parquet
of events or of items.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from audit_analytics.catalogue import Catalogue
from audit_analytics.errors import InputError
from audit_analytics.files import write_private
from audit_analytics.source._flatten import EventBuilder
from audit_analytics.source._frames import read_frame, read_objects
from audit_analytics.source._log import Log
from audit_analytics.source._parts import read_part, read_parts, split_files

_ASK: Final = "Give JSON or JSONL pages of the audit log (also .gz), Parquet, or a folder of them."
_NAMED: Final = 5
_BESIDE: Final = frozenset(
    (
        "apps.csv",
        "apps.json",
        "apps.json.gz",
        "apps.toml",
        "audit-analytics.toml",
        "company.json",
        "labels.csv",
        "readme.md",
        "rejects.jsonl",
        "suppressions.toml",
        "verdicts.toml",
    )
)

_log = logging.getLogger(__name__)


def read_log(
    source: str | Path | pd.DataFrame | dict[str, Any] | Sequence[str | Path | dict[str, Any]],
    *,
    catalogue: Catalogue | None = None,
    n_jobs: int | None = None,
    keeps_texts: bool = False,
) -> Log:
    """Read an audit log into the table of events.

    Parameters
    ----------
    source : path, sequence of paths, pandas.DataFrame, dict or sequence of dict
        Files or folders (searched recursively, through links too, in order of name; README, labels.csv, the apps' files, rejects and
        our own TOML files are left out, hidden files too, but these are named in the log and
        counted); a frame with the columns of ``schema.EVENTS`` or of the API's items; a page; or a list of
        items or pages.
    catalogue : Catalogue, optional
        The APIs and their sensitivity; as shipped unless given.
    n_jobs : int, optional
        Threads that read a large log, the result is the same with any number; by default one
        a core, at most 4.
    keeps_texts : bool, default False
        Whether rejects keep the row as found, with its secrets masked as well as can be; otherwise
        only the names and types of its fields.

    Returns
    -------
    Log
        Events sorted by (at, id), rejects, and counts with
        rows_read = events + duplicates + rejects.

    Raises
    ------
    InputError
        A path does not exist, a folder holds no file, or nothing in it can be read as a row.

    Examples
    --------
    >>> page = {"code": 0, "data": {"items": [{"id": "1", "event_time": 1700000000}]}}
    >>> read_log(page).counts["events"]
    1
    """
    builder = EventBuilder(catalogue, keeps_texts=keeps_texts)
    if isinstance(source, pd.DataFrame):
        read_frame(source, "DataFrame", builder)
        return builder.finish()
    if isinstance(source, dict):
        read_objects([source], builder)
        return builder.finish()
    parts = [source] if isinstance(source, str | Path) else list(source)
    if not all(isinstance(part, str | Path) for part in parts):
        read_objects(parts, builder)
        return builder.finish()
    paths = [Path(part) for part in parts if isinstance(part, str | Path)]
    files = [file for path in paths for file in _find_files(path, builder)]
    builder.notes["files"] = len(files)
    read = partial(read_part, catalogue=catalogue, keeps_texts=keeps_texts)
    for part, rows_before in read_parts(split_files(files), read, n_jobs):
        builder.absorb(part, rows_before=rows_before)
    log = builder.finish()
    if log.events.empty and len(log.rejects):
        first = log.rejects.iloc[0]
        raise InputError(
            f"{', '.join(map(str, paths))}: nothing could be read as a row of an audit log "
            f"({log.counts['rejects']:,} rejected; the first: {first['source']}, row {first['row']}: "
            f"{first['reason']}). {_ASK}"
        )
    return log


def holds_log(folder: Path) -> bool:
    """Tell whether a folder holds any file that would be read as a log; none is opened.

    Parameters
    ----------
    folder : pathlib.Path
        The folder; searched recursively.

    Returns
    -------
    bool
        True if there is such a file.
    """
    return any(
        not _is_hidden(file.relative_to(folder)) and not _is_beside(file.name)
        for file in _walk(folder)
    )


def write_rejects(rejects: pd.DataFrame, path: str | Path) -> None:
    """Write the rows that could not be read, one JSON object a line, for the file's owner alone.

    Parameters
    ----------
    rejects : pandas.DataFrame
        Table :data:`audit_analytics.schema.REJECTS`.
    path : str or pathlib.Path
        File to write; overwritten if it exists.
    """
    # escaped, so that a terminal that shows the file obeys nothing in it
    lines = [json.dumps(row, ensure_ascii=True) + "\n" for row in rejects.to_dict("records")]
    write_private(Path(path), "".join(lines).encode())


def _find_files(path: Path, builder: EventBuilder) -> list[tuple[Path, str]]:
    if path.is_file():
        return [(path, path.name)]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder. Check the path. {_ASK}")
    files = {file.relative_to(path): file for file in sorted(_walk(path))}
    hidden = [label for label in files if _is_hidden(label)]
    found = [
        (file, label.as_posix())
        for label, file in files.items()
        if label not in hidden and not _is_beside(label.name)
    ]
    if hidden:
        builder.notes["hidden_files"] += len(hidden)
        # as they would stand in a program: names are written by others too
        names = ", ".join(ascii(label.as_posix()[:200]) for label in hidden[:_NAMED])
        more = f" and {len(hidden) - _NAMED:,} more" if len(hidden) > _NAMED else ""
        _log.warning(
            "%s: %d hidden file(s) not read: %s%s. Give their path to have them read.",
            path,
            len(hidden),
            names,
            more,
        )
    if not found:
        raise InputError(f"{path}: the folder holds no log file. {_ASK}")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those in it, linked ones too, each folder once."""
    seen = {folder.resolve()}
    for here, folders, names in os.walk(folder, followlinks=True):
        linked = [(name, (Path(here) / name).resolve()) for name in sorted(folders)]
        # a link may lead back to where it stands
        folders[:] = [name for name, real in linked if real not in seen]
        seen.update(real for _, real in linked)
        for name in names:
            file = Path(here) / name
            # a link that leads nowhere is a file that cannot be read; pipes and sockets are none
            if file.is_file() or (file.is_symlink() and not file.exists()):
                yield file


def _is_hidden(label: Path) -> bool:
    return any(part.startswith(".") for part in label.parts)


def _is_beside(name: str) -> bool:
    # only what this program itself puts beside a log: any other name may hold rows
    return name.lower() in _BESIDE
