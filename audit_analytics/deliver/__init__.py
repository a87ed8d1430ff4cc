"""Deliver: a written report leaves the house, by a custom bot, by the app itself or by mail.

In comes a report's folder, out go messages; no report is made or changed here.

A way out is used if it is set up in the settings (:class:`~audit_analytics.settings.DeliverSettings`).
Everything that leaves has its ids and addresses masked (:mod:`audit_analytics.deliver._mask`) unless
``deliver.raw_ids`` is set. One way out that fails does not keep the others from being tried.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from audit_analytics.deliver._bots import AppBot, CustomBot
from audit_analytics.deliver._channel import Outcome, Parcel
from audit_analytics.deliver._mail import Mail
from audit_analytics.deliver._message import build_message, find_overdue
from audit_analytics.errors import (
    AuditAnalyticsError,
    ConfigError,
    DataIncompleteError,
    InputError,
    RemoteError,
)
from audit_analytics.feishu import Credentials
from audit_analytics.files import lock_folder, write_private
from audit_analytics.report import json_text
from audit_analytics.review import REPORT_FILE, read_report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from audit_analytics.settings import Settings

    Channel = CustomBot | AppBot | Mail

__all__ = ["deliver_report", "find_overdue"]

CHANNELS: Final = ("bot", "app", "mail")
"""The ways out: custom bot, the app itself, mail."""

STATE_NAME: Final = "delivered.json"
"""Beside the report: channel to the hash of what was sent last, so that nothing is sent twice."""


def deliver_report(
    folder: Path,
    settings: Settings,
    *,
    channels: Sequence[str] = (),
    dry_run: bool = False,
    again: bool = False,
    overdue: str = "",
    **options: Any,  # noqa: ANN401 - clock, sleep and timeouts, for tests
) -> list[Outcome]:
    """Send the report in a folder by every way that is set up.

    Parameters
    ----------
    folder : pathlib.Path
        What ``weekly`` wrote, such as ``reports/2026-W46``.
    settings : Settings
        Where to send it.
    channels : sequence of str, optional
        Those of :data:`CHANNELS` to use; all that are set up if not given.
    dry_run : bool, default=False
        Whether nothing is sent, and the outcomes hold what would be.
    again : bool, default=False
        Whether a report is sent though the same was sent before.
    overdue : str, default=''
        A later ISO week that is over and that the log does not cover.
    **options
        Further parameters of the channels, such as ``sleep``.

    Returns
    -------
    list of Outcome
        One for each way out. A failure is an outcome, not an exception.

    Raises
    ------
    ConfigError
        No way out is set up, or one of `channels` is not.
    InputError
        The folder holds no report.
    """
    report = read_report(folder / REPORT_FILE)
    sought = channels or [name for name in CHANNELS if _is_set_up(name, settings)]
    if not sought:
        raise ConfigError(
            "no delivery is set up: set deliver.webhook_url (custom bot), deliver.receive_id (the "
            "app itself) or deliver.mail_to in the TOML file or the environment"
        )
    raw_ids = settings.deliver.raw_ids
    message = build_message(
        report, raw_ids=raw_ids, report_url=settings.deliver.report_url, overdue=overdue
    )
    parcel = Parcel(folder=folder, report=report, message=message, raw_ids=raw_ids, again=again)
    if dry_run:
        return [_deliver(name, parcel, settings, dry_run=True, **options) for name in sought]
    with lock_folder(folder, wait=False) as is_alone:
        if not is_alone:
            error = DataIncompleteError(
                f"{folder}: is being delivered by another process; when it has ended, look what "
                "it sent before you deliver again"
            )
            return [
                Outcome(channel=name, status="failed", detail=str(error), error=error)
                for name in sought
            ]
        return [_deliver(name, parcel, settings, dry_run=False, **options) for name in sought]


def _deliver(
    name: str,
    parcel: Parcel,
    settings: Settings,
    *,
    dry_run: bool,
    **options: Any,  # noqa: ANN401 - those of the channels
) -> Outcome:
    try:
        channel = _MAKERS[name](settings, **options)
        if dry_run:
            return Outcome(
                channel=name, status="dry run", detail=json_text(channel.preview(parcel))
            )
        delivered = {} if parcel.again else _read_state(parcel.folder)
        fingerprint = parcel.digest(channel.target, has_file=channel.has_file)
        if delivered.get(name) == fingerprint:
            return Outcome(channel=name, status="already sent")
        channel.send(parcel)
    except AuditAnalyticsError as error:
        return Outcome(channel=name, status="failed", detail=str(error), error=error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other ways out are tried
        # its text may hold what must not be shown
        detail = (
            f"a fault of this program ({type(error).__name__}); whether it was sent is not known"
        )
        return Outcome(channel=name, status="failed", detail=detail, error=RemoteError(detail))
    return _remember(parcel.folder, name, fingerprint)


def _remember(folder: Path, name: str, fingerprint: str) -> Outcome:
    try:
        text = json.dumps(_read_or_forget(folder) | {name: fingerprint}, sort_keys=True, indent=1)
        write_private(folder / STATE_NAME, f"{text}\n".encode())
    except OSError as error:
        detail = (
            f"sent, but that cannot be noted in {folder} ({error.strerror}): the next delivery "
            "sends it once more"
        )
        return Outcome(channel=name, status="failed", detail=detail, error=ConfigError(detail))
    return Outcome(channel=name, status="sent")


def _read_state(folder: Path) -> dict[str, str]:
    path = folder / STATE_NAME
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise InputError(
            f"{path}: cannot be read, so whether the week was delivered is not known; remove the "
            "file, or use --again"
        )
    return content


def _read_or_forget(folder: Path) -> dict[str, str]:
    try:
        return _read_state(folder)
    except AuditAnalyticsError:
        return {}  # damaged, and --again was said


def _is_set_up(name: str, settings: Settings) -> bool:
    deliver = settings.deliver
    return {
        "bot": deliver.webhook_url is not None or deliver.webhook_url_file is not None,
        "app": bool(deliver.receive_id),
        "mail": bool(deliver.mail_to),
    }[name]


def _make_bot(settings: Settings, **options: Any) -> Channel:  # noqa: ANN401
    url = settings.deliver.read_secret("webhook_url")
    if url is None:
        raise ConfigError("setting deliver.webhook_url: is missing; set it or its _file")
    return CustomBot(url, settings.deliver.read_secret("webhook_secret"), **options)


def _make_app(settings: Settings, **options: Any) -> Channel:  # noqa: ANN401
    deliver = settings.deliver
    if not re.fullmatch(r"[^\s\x00-\x1f]+", deliver.receive_id):
        raise ConfigError("setting deliver.receive_id: is missing or has white space in it; set it")
    return AppBot(
        Credentials(settings.app_id, settings.read_app_secret().get_secret_value()),
        base_url=settings.base_url,
        receive_id=deliver.receive_id,
        receive_id_type=deliver.receive_id_type,
        **options,
    )


def _make_mail(settings: Settings, **options: Any) -> Channel:  # noqa: ANN401
    deliver = settings.deliver
    if not deliver.mail_to:
        raise ConfigError("setting deliver.mail_to: is missing; say whom the mail goes to")
    return Mail(
        deliver.mail_from,
        deliver.mail_to,
        host=deliver.smtp_host,
        port=deliver.smtp_port,
        security=deliver.smtp_security,
        ca_file=deliver.smtp_ca_file,
        user=deliver.smtp_user,
        password=deliver.read_secret("smtp_password"),
        **options,
    )


_MAKERS: Final[dict[str, Callable[..., Channel]]] = {
    "bot": _make_bot,
    "app": _make_app,
    "mail": _make_mail,
}
