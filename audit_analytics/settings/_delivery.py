"""Settings of the delivery: where reports are sent and with which secrets."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations at run time
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from audit_analytics.settings._section import Section

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
