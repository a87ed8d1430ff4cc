"""Read the settings: keywords or command line over environment over TOML file over defaults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, get_origin

from pydantic import BaseModel
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from audit_analytics.errors import ConfigError
from audit_analytics.settings._model import PREFIX, Settings
from audit_analytics.settings._section import name_nearest

DEFAULT_FILE: Final = Path("audit-analytics.toml")
REVIEWED: Final = ("apps", "suppressions", "verdicts")
"""Settings that name files of data people review; read where they lie beside the config file."""

TENANT_SETS: Final = (
    "tenant_zone",
    "budget_per_week",
    "lang",
    "history_weeks",
    "calendar",
    "holidays",
    "working_days",
    "own_app_id",
    "deny_networks",
    "networks",
    "seed",
    "rules",
)
"""What a tenant's own file may set: how its log is judged, no secret, no address and no file."""


def load_settings(
    path: Path | None = None,
    *,
    tenant: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read the settings of a run.

    Parameters
    ----------
    path : pathlib.Path, optional
        TOML file; ``audit-analytics.toml`` in the current folder if there is one.
    tenant : pathlib.Path, optional
        A tenant's own TOML file, which goes before `path` and may set :data:`TENANT_SETS` only:
        whoever writes it is not whoever runs the program.
    overrides : mapping, optional
        Values from the command line; ``None`` values are left out.

    Returns
    -------
    Settings
        The settings.

    Raises
    ------
    ConfigError
        The file cannot be read, a name is unknown, a value is out of range, or a tenant's file
        sets what is the operator's.
    """
    if path is None and DEFAULT_FILE.is_file():
        path = DEFAULT_FILE
    from_file = _read_toml(path) if path else {}
    for name in REVIEWED:
        beside = find_beside(path, name)
        if name not in from_file and beside.is_file():
            from_file[name] = beside
    if tenant:
        check_names(from_file, Settings, where=str(path))
        rules = from_file.get("rules", {})
        from_file |= _read_tenant(tenant)
        from_file["rules"] = rules | from_file.get("rules", {})
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
        ``apps``, ``suppressions`` or ``verdicts``.

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


def _read_tenant(path: Path) -> dict[str, Any]:
    """Read a tenant's file, and what is reviewed beside it; a link could lead to a secret."""
    _refuse_link(path)
    values = _read_toml(path)
    check_names(values, Settings, where=str(path))
    for name, value in values.items():
        if name not in TENANT_SETS:
            full = f"{name}.{next(iter(value))}" if isinstance(value, dict) and value else name
            raise ConfigError(
                f"{path}: setting {full!r} is the operator's: set it in the common file or the "
                f"environment. A tenant's file may set {', '.join(TENANT_SETS)}"
            )
    for name in REVIEWED:
        beside = find_beside(path, name)
        _refuse_link(beside)
        if beside.is_file():
            values[name] = beside
    return values


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise ConfigError(f"{path}: is a link; a tenant's files must lie in its own folder")


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
        TOML. What is not valid, or nested beyond all reason, is a ConfigError.

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
    """Refuse names that no setting has, and name the nearest one that is known."""
    for name, value in values.items():
        field = model.model_fields.get(name)
        if field is None:
            hint = name_nearest(str(name), model.model_fields)
            raise ConfigError(f"{where}: unknown setting {name!r}; {hint}")
        if isinstance(value, Mapping):
            nested = field.annotation
            if get_origin(nested) is dict:
                continue
            if not (isinstance(nested, type) and issubclass(nested, BaseModel)):
                raise ConfigError(f"{where}: setting {name!r} has no parts; give it one value")
            check_names(value, nested, where=f"{where} [{name}]")


def _check_environment() -> None:
    for variable in os.environ:
        if variable.startswith(PREFIX):
            head, _, rest = variable.removeprefix(PREFIX).lower().partition("__")
            check_names({head: {rest: ""} if rest else ""}, Settings, where="environment")


def settle(
    settings: Settings | None, given: Mapping[str, Any], *, where: str, known: Iterable[str] = ()
) -> Settings:
    """Put settings given by keyword over the others.

    Parameters
    ----------
    settings : Settings or None
        Settings; environment, TOML file and defaults if None.
    given : mapping of str to Any
        Values by the names of the settings, or ``budget``; a section is a mapping of its own.
        ``None`` values are left out.
    where : str
        What they were given to, for an error.
    known : iterable of str
        Further keywords of that function, which may have been meant.

    Returns
    -------
    Settings
        The settings.

    Raises
    ------
    ConfigError
        A name is unknown, or a value is out of range.

    Examples
    --------
    >>> settle(Settings(seed=3), {"budget": 5, "rules": {"probing_apis": 20}}, where="analyze").seed
    3
    """
    if settings is not None and not isinstance(settings, Settings):
        raise ConfigError(
            f"{where}: settings cannot be {type(settings).__name__}; give aa.Settings, or each "
            f"setting by its own name, such as budget=5"
        )
    for name in given:
        if name != "budget" and name not in Settings.model_fields:
            hint = name_nearest(name, ["budget", *known, *Settings.model_fields])
            raise ConfigError(f"{where}: unknown setting {name!r}; {hint}")
    if {"budget", "budget_per_week"} <= given.keys():
        raise ConfigError(f"{where}: budget and budget_per_week are one setting; give one of them")
    named = {name: _unfold(v) for name, v in given.items() if v is not None}
    if "budget" in named:
        named["budget_per_week"] = named.pop("budget")
    check_names(named, Settings, where=where)
    if settings is None:
        return load_settings(overrides=named)
    return _Given(**_merge(settings.model_dump(), named)) if named else settings


class _Given(Settings):
    """Settings that are what was given: the environment has had its say."""

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # always called by name
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        **_: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _unfold(value: object) -> object:
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value


def _merge(old: dict[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        known = old.get(name)
        both = isinstance(value, Mapping) and isinstance(known, dict)
        merged[name] = _merge(known, value) if both else value  # type: ignore[arg-type]
    return merged
