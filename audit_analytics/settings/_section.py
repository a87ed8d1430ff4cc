"""The sections of the settings: frozen, no unknown name, errors in our words; that of the delivery."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from audit_analytics.errors import ConfigError
from audit_analytics.settings._refusal import refuse


def read_secret(name: str, value: SecretStr | None, path: Path | None) -> SecretStr | None:
    """Return a secret from its own setting or from the file it is mounted as, less the last newline.

    None if neither is set. Both at once, an empty secret or a file that cannot be read is refused.

    Examples
    --------
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
