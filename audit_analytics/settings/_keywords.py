"""Settings by keyword: ``analyze(log, budget=5)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from audit_analytics.errors import ConfigError
from audit_analytics.settings._loading import check_names, load_settings
from audit_analytics.settings._model import Settings
from audit_analytics.settings._refusal import name_nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

SHORT: Final = {"budget": "budget_per_week"}
"""What the command line calls a setting, and its name."""


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
        if name not in SHORT and name not in Settings.model_fields:
            hint = name_nearest(name, [*SHORT, *known, *Settings.model_fields])
            raise ConfigError(f"{where}: unknown setting {name!r}; {hint}")
    for short, name in SHORT.items():
        if short in given and name in given:
            raise ConfigError(f"{where}: {short} and {name} are one setting; give one of them")
    named = {SHORT.get(name, name): _unfold(v) for name, v in given.items() if v is not None}
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
