"""Read and extend the TOML files in which people keep suppressions and verdicts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from audit_analytics.errors import ConfigError
from audit_analytics.files import lock_folder, write_private
from audit_analytics.settings import name_nearest, parse_toml, refuse

Entry = TypeVar("Entry", bound=BaseModel)


def quote_toml(text: str) -> str:
    r"""Write a text as a TOML string, whatever it holds.

    >>> print(quote_toml('two\nlines, "quoted"'))
    "two\nlines, \"quoted\""
    """
    # a JSON string is a TOML string but for two things: TOML knows no surrogate pairs, no raw DEL
    quoted = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    # half a surrogate pair is no character, and neither TOML nor UTF-8 can hold it
    return quoted.encode("utf-8", "replace").decode()


def read_entries(path: Path, table: str, model: type[Entry]) -> list[Entry]:
    """Read every entry of a file; a ConfigError if it, a name or a value cannot be understood.

    Parameters
    ----------
    path : pathlib.Path
        TOML file.
    table : str
        Name of the array of tables, the only one the file may hold.
    model : type
        What an entry is.

    Returns
    -------
    list of BaseModel
        The entries, in order.

    Raises
    ------
    ConfigError
        The file cannot be read, a name in it is unknown, or a value cannot be understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"{path}: cannot be read ({reason}); check the path") from None
    return _parse_entries(text, table, model, where=str(path))


def _parse_entries(text: str, table: str, model: type[Entry], *, where: str) -> list[Entry]:
    """Read every entry of a text that may hold no other table; errors call it `where`."""
    try:
        content = parse_toml(text)
    except ConfigError as error:
        raise ConfigError(f"{where}: is not valid TOML ({error})") from None
    for name in content:
        if name != table:
            raise ConfigError(f"{where}: unknown name {name!r}; entries begin with [[{table}]]")
    rows = content.get(table, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{where}: {table} is no list of entries; begin each with [[{table}]]")
    return [
        _read_entry(row, model, where=f"{where}: entry {place} of [[{table}]]")
        for place, row in enumerate(rows, start=1)
    ]


def _read_entry(row: Mapping[str, Any], model: type[Entry], *, where: str) -> Entry:
    for name in row:
        if name not in model.model_fields:
            raise ConfigError(
                f"{where}: unknown name {name!r}; {name_nearest(name, model.model_fields)}"
            )
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise ConfigError(f"{where}: {refuse(error, model)}") from None


def append_entry(path: Path, entry: str, table: str, model: type[Entry]) -> None:
    """Add an entry at the end of a file, or make it; nothing is written that could not be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # two commands at once would each write the file without the other's entry
    with lock_folder(path.parent, wait=True):
        old = ""
        if path.exists():
            read_entries(path, table, model)
            old = path.read_text(encoding="utf-8").rstrip("\n") + "\n\n"
        text = f"{old}{entry}\n"
        _parse_entries(text, table, model, where=str(path))
        write_private(path, text.encode())
