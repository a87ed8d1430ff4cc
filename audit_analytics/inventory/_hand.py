"""Apps as people know them: ``apps.csv`` or ``apps.toml``, kept and reviewed by hand."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from audit_analytics.errors import ConfigError
from audit_analytics.inventory._app import App
from audit_analytics.review import read_entries
from audit_analytics.settings import check_network, name_nearest, refuse

if TYPE_CHECKING:
    from pathlib import Path

FILES: Final = ("apps.toml", "apps.csv")
"""What is looked for in a log folder."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    app_id: str
    name: str = ""
    owner: str = ""
    contact: str = ""
    purpose: str = ""
    networks: tuple[str, ...] = ()

    @field_validator("app_id")
    @classmethod
    def _check_id(cls, app_id: str) -> str:
        if not app_id.strip():
            raise ValueError("is empty; give the app's id, cli_...")
        return app_id.strip()

    @field_validator("networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value.split() if isinstance(value, str) else value

    @field_validator("networks")
    @classmethod
    def _check_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            check_network(network)
        return networks


def read_by_hand(path: Path) -> list[App]:
    """Read what people wrote of the apps: ``.csv`` with a header row, or TOML with ``[[app]]`` tables.

    Fields are app_id, name, owner, contact, purpose and networks (several by spaces, or a list);
    all but app_id may be left out. What cannot be understood is a ConfigError.
    """
    if path.suffix.lower() == ".csv":
        entries = _read_csv(path)
    else:
        entries = read_entries(path, "app", _Entry)
    return [App(**entry.model_dump()) for entry in entries]


def _read_csv(path: Path) -> list[_Entry]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
        names = reader.fieldnames or []
        rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or f"no CSV in UTF-8: {error}"
        raise ConfigError(f"{path}: cannot be read ({reason}); check the path") from None
    known = list(_Entry.model_fields)
    for name in names:
        if name not in known:
            raise ConfigError(f"{path}: unknown column {name!r}; {name_nearest(name, known)}")
    entries = []
    for line, row in rows:
        if "" in row:
            raise ConfigError(f"{path}, line {line}: more values than columns; quote the commas")
        try:
            entries.append(_Entry(**{k: v for k, v in row.items() if v is not None}))
        except ValidationError as error:
            raise ConfigError(f"{path}, line {line}: {refuse(error, _Entry)}") from None
    return entries
