"""Mail: the message as plain text, the report as an attachment."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import time
from email.message import EmailMessage
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from audit_analytics.deliver._channel import Parcel, send_with_retries
from audit_analytics.errors import ConfigError, RemoteError
from audit_analytics.feishu import Unanswered, Unavailable, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydantic import SecretStr


PORTS: Final = {"starttls": 587, "tls": 465, "plain": 25}


class Mail:
    """Sends by a mail server: starttls (port 587), tls (465) or, if asked for or on loopback, plain (25).

    `ca_file` is a PEM file of the authority that signed the server's certificate.
    """

    has_file = True

    def __init__(
        self,
        sender: str,
        recipients: tuple[str, ...],
        *,
        host: str,
        port: int | None = None,
        security: str | None = None,
        ca_file: Path | None = None,
        user: str = "",
        password: SecretStr | None = None,
        sleep: Callable[[float], None] = time.sleep,
        timeout_seconds: float = 60.0,
    ) -> None:
        self._security = security or ("plain" if is_loopback(host) else "starttls")
        if not sender:
            raise ConfigError("setting deliver.mail_from: is empty; say whom the mail comes from")
        if user and password is None:
            raise ConfigError(
                "setting deliver.smtp_password: is missing; set it or deliver.smtp_password_file"
            )
        if user and self._security == "plain" and not is_loopback(host):
            raise ConfigError(
                "setting deliver.smtp_security: a password never travels in the clear; use starttls "
                "or tls, or leave deliver.smtp_user out"
            )
        self._context = None if self._security == "plain" else _open_context(ca_file)
        self._sender = sender
        self._recipients = recipients
        self._host = host
        self._port = port or PORTS[self._security]
        self._user = user
        self._password = password
        self._sleep = sleep
        self._timeout_seconds = timeout_seconds

    @property
    def target(self) -> str:
        """Return where it sends to."""
        return f"{self._host} {' '.join(sorted(self._recipients))}"

    def preview(self, parcel: Parcel) -> str:
        """Return what would be sent: server, headers, text, the attachment's name and size; no secret."""
        mail = self._write(parcel)
        return (
            f"SMTP {self._host}:{self._port} ({self._security})\n"
            f"From: {mail['From']}\nTo: {mail['To']}\nSubject: {mail['Subject']}\n\n"
            f"{parcel.message.text()}\n"
            f"Attachment: {parcel.file_name}, {len(parcel.html):,} bytes"
        )

    def send(self, parcel: Parcel) -> None:
        """Send the mail."""
        mail = self._write(parcel)
        send_with_retries(
            lambda: self._send_once(mail),
            what=f"mail by {self._host}",
            sleep=self._sleep,
            may_repeat=False,
        )

    def _write(self, parcel: Parcel) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._recipients)
        mail["Subject"] = parcel.message.title
        mail["Date"] = formatdate()
        # The same report has the same id: a mailbox can tell a repetition.
        domain = self._sender.rpartition("@")[2]
        mail["Message-ID"] = f"<{parcel.digest(self.target, has_file=True)}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(parcel.message.text())
        mail.add_attachment(
            parcel.html,
            maintype="text",
            subtype="html",
            filename=parcel.file_name,
            params={"charset": "utf-8"},
        )
        return mail

    def _send_once(self, mail: EmailMessage) -> None:
        where = f"mail server {self._host}:{self._port}"
        server = None
        try:
            # What the server writes is not repeated: it may echo what it was given.
            server = self._open()
            refused = server.send_message(mail, self._sender, self._recipients)
        except smtplib.SMTPNotSupportedError:
            raise RemoteError(
                f"{where}: offers no {self._security} or no login; see deliver.smtp_security"
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            raise RemoteError(
                f"{where}: refuses the login (code {error.smtp_code}); check deliver.smtp_user and "
                "its password"
            ) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise _judge(f"{where}: refuses every recipient", max(codes, default=0)) from None
        except smtplib.SMTPResponseException as error:
            raise _judge(f"{where}: refuses the mail", error.smtp_code) from None
        except ssl.SSLError as error:
            raise RemoteError(
                f"{where}: no secure connection ({error.reason}); check deliver.smtp_security and "
                "deliver.smtp_ca_file"
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            # Before the connection stands, nothing can have been sent.
            kind = Unavailable if server is None else Unanswered
            raise kind(
                f"{where}: no answer ({type(error).__name__}); check host and port"
            ) from None
        finally:
            if server is not None:
                _leave(server)
        if refused:
            raise RemoteError(
                f"{where}: {len(refused)} of {len(self._recipients)} recipients refused; the others "
                "have the mail"
            )

    def _open(self) -> smtplib.SMTP:
        server: smtplib.SMTP
        if self._security == "tls":
            server = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout_seconds, context=self._context
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout_seconds)
        try:
            if self._security == "starttls":
                server.starttls(context=self._context)
            if self._user and self._password:
                server.login(self._user, self._password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def _leave(server: smtplib.SMTP) -> None:
    # What is sent is sent, whether or not the server answers the farewell.
    with contextlib.suppress(OSError, smtplib.SMTPException):
        server.quit()
    server.close()


def _judge(text: str, code: int) -> RemoteError:
    """Return the error for a reply: by SMTP, 4xx passes and 5xx stays."""
    passes = 400 <= code < 500
    kind = Unavailable if passes else RemoteError
    return kind(f"{text} (code {code}); {'try later' if passes else 'check the addresses'}")


def _open_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError):
        raise ConfigError(
            f"setting deliver.smtp_ca_file: {ca_file} is no readable PEM file; check the path"
        ) from None
