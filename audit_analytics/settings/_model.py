"""Settings: command line over environment over TOML file over defaults.

Environment variables begin with ``AUDIT_ANALYTICS_`` (nested keys with ``__``), for example
``AUDIT_ANALYTICS_RULES__ENUMERATION_OBJECTS=50``. An unknown name anywhere is an error that
names the nearest known one: a misspelt threshold must not be ignored in silence.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_origin

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from audit_analytics.dates.buckets import load_zone
from audit_analytics.dates.calendar import DaysOff, check_country, find_days_off
from audit_analytics.errors import ConfigError
from audit_analytics.settings._section import (
    DeliverSettings,
    Section,
    allow,
    check_network,
    read_secret,
    refuse,
)
from audit_analytics.settings._thresholds import RuleSettings

PREFIX: Final = "AUDIT_ANALYTICS_"

Networks = TypeVar("Networks", tuple[str, ...], dict[str, str])


class SyncSettings(Section):
    """How the log is fetched; see :mod:`audit_analytics.sync`."""

    section = "sync"

    window_minutes: int = Field(60, ge=1, le=1440, description="length of a window; divides a day")
    settle_minutes: int = Field(10, ge=0, description="until a row is assumed to show in the log")
    reread_minutes: int = Field(60, ge=0, description="after a window's end, when it is read again")
    keep_days: int | None = Field(None, ge=1, description="age at which stored windows are removed")
    workers: int = Field(8, ge=1, le=32, description="windows read at once")
    apps: bool = Field(False, description="whether the apps are fetched as well, once a day")

    @field_validator("window_minutes")
    @classmethod
    def _check_window(cls, minutes: int) -> int:
        if 1440 % minutes:
            raise ValueError(
                f"cannot be {minutes}; a day has to be a whole number of windows, such as 15, 60 "
                "or 240"
            )
        return minutes


class RedactionSettings(Section):
    """What of a log is kept; payloads, query strings and answers never are.

    ``path = "masked"`` stores paths with the ids in them, as a frame of events holds them: only
    e-mail addresses, phone numbers and what looks like a secret are hashed or masked.
    ``"template"`` stores the template of the API alone, and a keyed hash of the object beside it.
    ``rejects = "masked"`` keeps the text of rows that could not be read, in stores and in
    ``rejects.jsonl``; ``"counted"`` keeps the names and types of their fields at most.
    """

    section = "redaction"

    path: Literal["masked", "template"] = Field("masked", description="paths with or without ids")
    ip: Literal["full", "hashed"] = Field("full", description="addresses as they are or hashed")
    rejects: Literal["counted", "masked"] = Field(
        "counted", description="whether the masked text of unreadable rows is kept"
    )
    hash_key: SecretStr | None = Field(None, description="key of the hashes; else one per store")
    hash_key_file: Path | None = Field(None, description="file that holds the key of the hashes")


class Settings(BaseSettings):
    """Everything a user can set.

    Fields and their descriptions: ``Settings.model_fields``. Values passed to the constructor
    take precedence over the environment; unknown names are refused.

    >>> Settings().budget_per_week
    10.0
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    tenant_zone: str = Field("Asia/Shanghai", description="IANA zone of the tenant")
    budget_per_week: float = Field(
        10.0, gt=0, le=1000, description="alarms an ordinary week brings"
    )
    lang: Literal["en", "zh"] = Field("en", description="language of the report")
    history_weeks: int = Field(
        # a past week is judged by the other ones: of one alone nobody could say what is usual
        4,
        ge=2,
        le=8,
        description="weeks of history behind a baseline",
    )
    holidays: frozenset[date] = Field(frozenset(), description="weekdays that are days off")
    working_days: frozenset[date] = Field(frozenset(), description="weekend days that are worked")
    calendar: str = Field("", description="country whose holidays are days off, such as CN")
    own_app_id: str = Field("", description="app id of this tool: listed, but never judged")
    deny_networks: tuple[str, ...] = Field((), description="networks that are always reported")
    catalogue: Path | None = Field(None, description="TOML file with own patterns and severities")
    apps: Path | None = Field(None, description="CSV or TOML file of what people know of the apps")
    networks: dict[str, str] = Field({}, description="names of the company's networks")
    origin_file: Path | None = Field(
        None, description="file in MaxMind's format that tells where addresses are from"
    )
    suppressions: Path | None = Field(None, description="TOML file of what is expected")
    verdicts: Path | None = Field(None, description="TOML file of what findings turned out to be")
    seed: int = Field(0, ge=0, description="random_state of the isolation forest")
    n_jobs: int | None = Field(
        None, ge=1, le=64, description="threads that read a large log; one a core, at most 4"
    )
    rules: RuleSettings = RuleSettings()
    app_id: str = Field("", description="app that reads the audit log, cli_...")
    app_secret: SecretStr | None = Field(None, description="its secret")
    app_secret_file: Path | None = Field(None, description="file that holds the secret")
    base_url: str = Field("https://open.feishu.cn", description="platform to fetch from")
    sync: SyncSettings = SyncSettings()
    redaction: RedactionSettings = RedactionSettings()
    deliver: DeliverSettings = DeliverSettings()
    ocsf: bool | None = Field(
        None, description="whether findings.ocsf.jsonl is written; if it can be, unless set"
    )

    @field_validator("tenant_zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        load_zone(zone)
        return zone

    @field_validator("calendar")
    @classmethod
    def _check_calendar(cls, country: str) -> str:
        if country:
            check_country(country)
        return country

    @field_validator("deny_networks", "networks")
    @classmethod
    def _check_networks(cls, networks: Networks) -> Networks:
        for network in networks:
            check_network(network)
        return networks

    if not TYPE_CHECKING:  # the fields' own types stand in the signature a checker sees

        def __init__(self, **values: Any) -> None:  # noqa: ANN401 - of every type a field has
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise ConfigError(f"setting {refuse(error, type(self))}") from None
            except SettingsError:
                raise ConfigError(f"environment: {_tell_broken(type(self))}") from None

    def find_days_off(self, years: Collection[int]) -> DaysOff:
        """Find the exceptions from the working week: the calendar's, and those that are set.

        Parameters
        ----------
        years : collection of int
            The years asked about.

        Returns
        -------
        DaysOff
            The days. A country the calendar's package does not know is a ConfigError.

        Raises
        ------
        ConfigError
            The calendar's package is not installed, or does not know the country.
        """
        return find_days_off(
            self.calendar, years, holidays=self.holidays, working_days=self.working_days
        )

    def own_apps(self) -> set[str]:
        """Return the apps that are this tool: it reads the audit log all day.

        Returns
        -------
        set of str
            App ids that are listed, but never judged.
        """
        return {self.own_app_id, self.app_id} - {""}

    def public(self) -> dict[str, Any]:
        """Return the settings as plain values for the run record.

        Returns
        -------
        dict of str to Any
            JSON values, sorted; paths by their name only. What changes no result is left out: what
            concerns fetching and delivery alone, with it every secret, the number of processes, and
            the language, which the report names itself.
        """
        values = self.model_dump(mode="json", exclude={"n_jobs", *_FILES, *_AROUND})
        values["own_app_id"] = ", ".join(sorted(self.own_apps()))
        for name in _FILES:
            path = getattr(self, name)
            values[name] = path.name if path else None
        values["holidays"] = sorted(values["holidays"])
        values["working_days"] = sorted(values["working_days"])
        values["rules"] = dict(sorted(values["rules"].items()))
        for name in _UNSAID:
            if not values[name]:
                del values[name]
        return dict(sorted(values.items()))

    def digest(self) -> str:
        """Return a short hash of the settings; equal settings have equal hashes.

        Returns
        -------
        str
            12 hexadecimal digits.
        """
        text = json.dumps(self.public(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def read_app_secret(self) -> SecretStr:
        """Return the app's secret, from its own setting or from the file it is mounted as.

        Returns
        -------
        pydantic.SecretStr
            The secret; its repr does not show it. None, two or an unreadable one is a ConfigError.

        Raises
        ------
        ConfigError
            None is set, both are set, or the file cannot be read.
        """
        found = read_secret("app_secret", self.app_secret, self.app_secret_file)
        if found is None:
            raise ConfigError(
                f"no app secret: set {PREFIX}APP_SECRET, or {PREFIX}APP_SECRET_FILE to a file that "
                "holds it"
            )
        return found


def _tell_broken(model: type[BaseModel]) -> str:
    """Say which variable of the environment holds a list or a table nobody can read."""
    for variable, value in os.environ.items():
        owner, field = model, None
        for name in variable.lower().removeprefix(PREFIX.lower()).split("__"):
            field = owner.model_fields.get(name)
            kind = field.annotation if field else None
            owner = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else BaseModel
        if field and (owner is not BaseModel or get_origin(field.annotation) in {tuple, frozenset}):
            try:
                json.loads(value)
            except ValueError:
                written = '["...", "..."]' if owner is BaseModel else '{"...": ...}'
                return f"{variable} is no JSON; give {allow(field)}, written like '{written}'"
    return f'a list in {PREFIX}... is no JSON; write it like \'["...", "..."]\''


_FILES: Final = ("apps", "catalogue", "origin_file", "suppressions", "verdicts")
_UNSAID: Final = ("apps", "calendar", "networks", "origin_file")
_AROUND: Final = frozenset(
    (
        "app_id",
        "app_secret",
        "app_secret_file",
        "base_url",
        "sync",
        "redaction",
        "deliver",
        "ocsf",
        "lang",
    )
)
