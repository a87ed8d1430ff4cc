"""What the sections of the settings share: frozen, no unknown name, refusals in our words.

Secrets come from a setting of their own or from a file, never from the command line.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from datetime import date, datetime
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, get_args, get_origin
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from audit_analytics.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic.fields import FieldInfo


def read_secret(name: str, value: SecretStr | None, path: Path | None) -> SecretStr | None:
    """Return a secret from its own setting or from the file it is mounted as, less the last newline.

    None if neither is set. Both at once, an empty secret or a file that cannot be read is refused.

    >>> read_secret("app_secret", SecretStr("hunter2"), None)
    SecretStr('**********')
    """
    if value is not None and path is not None:
        raise ConfigError(f"setting {name}: is given itself and as a file; keep one of them")
    if path is not None:
        try:
            value = SecretStr(path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise ConfigError(
                f"setting {name}_file: {path} cannot be read ({reason}); check the path and its mode"
            ) from None
    if value is not None and not value.get_secret_value():
        raise ConfigError(f"setting {name}: is empty; set it, or leave it out")
    return value


class Section(BaseModel):
    """A part of the settings with a name of its own; a wrong value is a ConfigError."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    section: ClassVar[str] = ""
    hides_values: ClassVar[bool] = False

    if not TYPE_CHECKING:  # the fields' own types stand in the signature a checker sees

        def __init__(self, **values: Any) -> None:  # noqa: ANN401 - of every type a field has
            try:
                super().__init__(**values)
            except ValidationError as error:
                text = refuse(error, type(self), section=self.section)
                raise ConfigError(f"setting {text}") from None

    def read_secret(self, name: str) -> SecretStr | None:
        """Return a secret, from its own setting or from the file it is mounted as."""
        full = f"{self.section}.{name}"
        return read_secret(full, getattr(self, name), getattr(self, f"{name}_file"))


def check_network(network: str) -> None:
    """Refuse what is no network and no address.

    Parameters
    ----------
    network : str
        As somebody wrote it.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> check_network("203.0.113.0/24")
    """
    try:
        ipaddress.ip_network(network, strict=False)
    except ValueError:
        raise ValueError(
            f"cannot be {network!r}; give networks or addresses such as 203.0.113.0/24"
        ) from None


_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"\x00-\x1f]+@[^\s@<>,;:\"\x00-\x1f]+")


class DeliverSettings(Section):
    """Where reports are sent; see :mod:`audit_analytics.deliver`. What is set is what is used."""

    section = "deliver"
    hides_values = True

    raw_ids: bool = Field(
        False, description="whether ids and addresses are sent as they are, not masked"
    )
    report_url: str = Field("", description="where the reports' folder can be read in a browser")
    webhook_url: SecretStr | None = Field(None, description="custom bot's webhook; a secret")
    webhook_url_file: Path | None = Field(None, description="file that holds the webhook's URL")
    webhook_secret: SecretStr | None = Field(None, description="signs what the custom bot sends")
    webhook_secret_file: Path | None = Field(None, description="file that holds that secret")
    receive_id: str = Field("", description="chat or person the app itself sends to")
    receive_id_type: Literal["chat_id", "open_id", "user_id", "union_id", "email"] = Field(
        "chat_id", description="what receive_id is"
    )
    mail_to: tuple[str, ...] = Field((), description="addresses the mail goes to")
    mail_from: str = Field("", description="address the mail comes from")
    smtp_host: str = Field("localhost", description="mail server")
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="its port; 587, with tls 465, with plain 25"
    )
    smtp_security: Literal["starttls", "tls", "plain"] | None = Field(
        None, description="starttls if not given, plain on a loopback address"
    )
    smtp_ca_file: Path | None = Field(None, description="PEM file of the server's own authority")
    smtp_user: str = Field("", description="name to log in with, if any")
    smtp_password: SecretStr | None = Field(None, description="its password")
    smtp_password_file: Path | None = Field(None, description="file that holds the password")

    @field_validator("report_url")
    @classmethod
    def _check_report_url(cls, url: str) -> str:
        parts = urlsplit(url)
        is_web = parts.scheme in {"https", "http"} and bool(parts.hostname)
        if url and (not is_web or "@" in parts.netloc or parts.query or parts.fragment):
            raise ValueError("give an https or http address without a user and a query")
        return url.rstrip("/")

    @field_validator("mail_to", "mail_from")
    @classmethod
    def _check_addresses(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        addresses = (given,) if isinstance(given, str) and given else given
        if not all(_ADDRESS.fullmatch(address) for address in addresses):
            raise ValueError("give addresses such as soc@example.com, without a name")
        return given


_DAY: Final = "2026-10-01"
_INSTANT: Final = f"{_DAY}T08:00:00Z"
_PLAIN: Final[dict[object, tuple[str, str]]] = {
    bool: ("true or false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    SecretStr: ("a text", "texts"),
    Path: ("a path", "paths"),
    date: (f"a day such as {_DAY}", f"days such as {_DAY}"),
    datetime: (f"an instant such as {_INSTANT}", f"instants such as {_INSTANT}"),
}
"""What a type is called, and several of it."""

_SHOWN: Final = 80
"""Characters of a value that are shown."""


def refuse(error: ValidationError, model: type[BaseModel], *, section: str = "") -> str:
    """Say why a model refused its values; of several reasons the first.

    Parameters
    ----------
    error : pydantic.ValidationError
        What the model raised.
    model : type
        The model.
    section : str, default=""
        Name of the settings the model is a part of.

    Returns
    -------
    str
        Name of the value, what was given (unless it may be a secret) and what is allowed.

    Examples
    --------
    >>> class Model(BaseModel):
    ...     weeks: int
    >>> try:
    ...     Model(weeks="many")
    ... except ValidationError as error:
    ...     refuse(error, Model)
    "weeks: cannot be 'many'; give a whole number"
    """
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    owner, field = _find(model, path)
    name = ".".join([*filter(None, [section]), *path])
    if first["type"] == "extra_forbidden":
        text = f"is unknown; {name_nearest(path[-1], owner.model_fields)}"
    elif first["type"] == "value_error":  # a validator of ours
        text = str(first["ctx"]["error"])
    elif first["type"] == "missing":
        text = f"is missing; give {allow(field)}"
    elif field is None:
        text = "cannot be understood"
    # of a section with secrets no value is shown: they lie beside what is none
    elif getattr(owner, "hides_values", False) or _holds_secret(field.annotation):
        text = f"give {allow(field)}"
    else:
        text = f"cannot be {_show(first['input'])}; give {allow(field)}"
    return f"{name}: {text}" if name else text


def name_nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant.

    Parameters
    ----------
    name : str
        An unknown name.
    known : iterable of str
        Names that exist.

    Returns
    -------
    str
        A clause for an error.

    Examples
    --------
    >>> name_nearest("expire", ["reason", "expires"])
    "did you mean 'expires'?"
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]!r}?" if near else f"known names: {', '.join(known)}"


def allow(field: FieldInfo | None) -> str:
    """Say what a field takes: a noun with its bounds, such as "one of 'en', 'zh'".

    >>> class Model(BaseModel):
    ...     lang: Literal["en", "zh"]
    >>> allow(Model.model_fields["lang"])
    "one of 'en', 'zh'"
    """
    if field is None:
        return "another value"
    kind = _strip_none(field.annotation)
    return _allow_several(kind, get_args(kind)) or _name(kind) + _bound(field.metadata)


def _allow_several(kind: Any, inner: Sequence[Any]) -> str:  # noqa: ANN401 - an annotation
    origin = get_origin(kind)
    if origin is Literal:
        return f"one of {', '.join(map(repr, inner))}"
    if origin in {tuple, frozenset}:
        return f"a list of {_name(inner[0], several=True)}"
    if origin is dict:
        return f"a table of lists of {_name(get_args(inner[1])[0], several=True)}"
    return f"a table of some of: {', '.join(kind.model_fields)}" if _is_model(kind) else ""


def _bound(metadata: Sequence[object]) -> str:
    if any(getattr(bound, "min_length", 0) for bound in metadata):
        return " that is not empty"
    low = next((b for b in metadata if isinstance(b, Ge | Gt)), None)
    high = next((b for b in metadata if isinstance(b, Le | Lt)), None)
    if isinstance(low, Ge) and isinstance(high, Le):
        return f" from {low.ge} to {high.le}"
    texts = []
    if low is not None:
        texts.append(f"of at least {low.ge}" if isinstance(low, Ge) else f"above {low.gt}")
    if high is not None:
        texts.append(f"at most {high.le}" if isinstance(high, Le) else f"below {high.lt}")
    return f" {', '.join(texts)}" if texts else ""


def _name(kind: object, *, several: bool = False) -> str:
    if _is_model(kind):
        return "tables" if several else "a table"
    # pydantic's own kinds of instants, such as AwareDatetime, are no datetime
    return _PLAIN.get(kind, _PLAIN[datetime])[several]


def _find(model: type[BaseModel], path: Sequence[str]) -> tuple[type[BaseModel], FieldInfo | None]:
    """Return the field a path leads to, and the model that has it; places in a list are passed."""
    field: FieldInfo | None = None
    for part in path:
        if part in model.model_fields:
            field = model.model_fields[part]
            kind = _strip_none(field.annotation)
            inner = next((a for a in (kind, *get_args(kind)) if _is_model(a)), None)
            if inner is not None and part != path[-1]:
                model = inner
        elif not part.isdigit():
            return model, None if field is None or _is_model(field.annotation) else field
    return model, field


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _strip_none(kind: Any) -> Any:  # noqa: ANN401 - an annotation
    parts = [part for part in get_args(kind) if part is not NoneType]
    return parts[0] if NoneType in get_args(kind) and len(parts) == 1 else kind


def _holds_secret(kind: object) -> bool:
    if _is_model(kind):
        return any(_holds_secret(field.annotation) for field in kind.model_fields.values())  # type: ignore[attr-defined]
    return kind is SecretStr or any(map(_holds_secret, get_args(kind)))


def _show(value: object) -> str:
    text = str(value) if isinstance(value, date | Path) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
