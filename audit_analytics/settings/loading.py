"""Read the settings: command line over environment over TOML file over defaults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)

from audit_analytics.errors import ConfigError
from audit_analytics.settings.model import PREFIX, Settings
from audit_analytics.settings.refusal import name_nearest

DEFAULT_FILE: Final = Path("audit-analytics.toml")
REVIEWED: Final = ("suppressions", "verdicts")
"""Settings that name files of data people review; read where they lie beside the config file."""


def load_settings(
    path: Path | None = None, *, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Read the settings of a run.

    Parameters
    ----------
    path : pathlib.Path, optional
        TOML file; ``audit-analytics.toml`` in the current folder if there is one.
    overrides : mapping, optional
        Values from the command line; ``None`` values are left out.

    Returns
    -------
    Settings
        The settings.

    Raises
    ------
    ConfigError
        The file cannot be read, a name is unknown, or a value is out of range.
    """
    if path is None and DEFAULT_FILE.is_file():
        path = DEFAULT_FILE
    from_file = _read_toml(path) if path else {}
    for name in REVIEWED:
        beside = find_beside(path, name)
        if name not in from_file and beside.is_file():
            from_file[name] = beside
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    check_names(from_file, Settings, where=str(path))
    check_names(given, Settings, where="overrides")
    _check_environment()

    class _WithFile(Settings):
        @classmethod
        def settings_customise_sources(  # type: ignore[override]  # always called by name
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            **_: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, from_file)

    return _WithFile(**given)


def find_beside(config: Path | None, name: str) -> Path:
    """Return where a file of reviewed data lies unless a setting names another place.

    Parameters
    ----------
    config : pathlib.Path or None
        The config file, if there is one.
    name : str
        ``suppressions`` or ``verdicts``.

    Returns
    -------
    pathlib.Path
        Beside the config file, or in the current folder.

    Examples
    --------
    >>> find_beside(Path("etc/audit-analytics.toml"), "verdicts").as_posix()
    'etc/verdicts.toml'
    """
    return (config.parent if config else Path()) / f"{name}.toml"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {path}: cannot be read ({error}); check the path") from None
    except ConfigError as error:
        raise ConfigError(f"config file {path}: is not valid TOML ({error})") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML that anybody may have written.

    Parameters
    ----------
    text : str
        TOML.

    Returns
    -------
    dict of str to Any
        Its content.

    Raises
    ------
    ConfigError
        It is not valid, or nested or numbered beyond all reason.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError("nested too deeply") from None
    except ValueError as error:
        raise ConfigError(str(error)) from None


def check_names(values: Mapping[str, Any], model: type[BaseModel], *, where: str) -> None:
    """Refuse names that no setting has.

    Parameters
    ----------
    values : mapping of str to Any
        Values by name; those of a section are a mapping of their own.
    model : type
        The settings, or the section.
    where : str
        Where the names stand, for an error.

    Raises
    ------
    ConfigError
        A name is unknown; the nearest known one is named.
    """
    for name, value in values.items():
        field = model.model_fields.get(name)
        if field is None:
            hint = name_nearest(str(name), model.model_fields)
            raise ConfigError(f"{where}: unknown setting {name!r}; {hint}")
        if isinstance(value, Mapping):
            nested = field.annotation
            if not (isinstance(nested, type) and issubclass(nested, BaseModel)):
                raise ConfigError(f"{where}: setting {name!r} has no parts; give it one value")
            check_names(value, nested, where=f"{where} [{name}]")


def _check_environment() -> None:
    for variable in os.environ:
        if variable.startswith(PREFIX):
            head, _, rest = variable.removeprefix(PREFIX).lower().partition("__")
            check_names({head: {rest: ""} if rest else ""}, Settings, where="environment")
