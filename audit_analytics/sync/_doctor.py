"""Check that the log can be fetched, and measure what the platform's documents leave open."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from audit_analytics.catalogue import load_catalogue
from audit_analytics.errors import AuditAnalyticsError, ConfigError, RemoteError
from audit_analytics.feishu import (
    NO_APP_ID,
    REQUESTS_PER_PERIOD,
    AddressRefused,
    AuditLogClient,
    CredentialsRefused,
    QuotaExhausted,
    RateLimited,
    ScopeMissing,
    TokenRefused,
    WaitTooLong,
    WrongAddress,
    measure_reach,
    open_client,
)
from audit_analytics.language import _, mark, ngettext, say_number
from audit_analytics.report import pad
from audit_analytics.settings import Settings
from audit_analytics.sync._apps import check_scopes
from audit_analytics.sync._probe import describe_items, find_earliest, measure_ends, take_sample
from audit_analytics.sync._progress import flatten_items
from audit_analytics.sync._status import describe_store, name_remedy, say_gaps, summarise

ATTEMPTS: Final = 3
"""How often one request is tried; a doctor who retries for minutes is no help."""

LONGEST_WAIT_SECONDS: Final = 90.0
"""A longer pause is said instead of being waited out."""

_SKEW_WARN_SECONDS: Final = 5.0
_SKEW_FAIL_SECONDS: Final = 60.0
_ORDER: Final = ("reach", "clock", "address", "credentials", "scope", "quota", "log", "apps")

_CAUSES: Final[dict[type[RemoteError], str]] = {
    WrongAddress: "reach",
    AddressRefused: "address",
    CredentialsRefused: "credentials",
    TokenRefused: "credentials",
    ScopeMissing: "scope",
    QuotaExhausted: "quota",
    RateLimited: "quota",
    WaitTooLong: "quota",
}
"""Which check an error belongs to; any other one is about the log itself."""

_MARKS: Final = {"ok": mark("ok"), "warn": mark("WARN"), "fail": mark("FAIL"), "skipped": "-"}
_NAMES: Final = {
    "reach": mark("reach"),
    "clock": mark("clock"),
    "address": mark("address"),
    "credentials": mark("credentials"),
    "scope": mark("scope"),
    "quota": mark("quota"),
    "log": mark("log"),
    "apps": mark("apps"),
    "store": mark("store"),
}


def diagnose(
    settings: Settings,
    folder: Path | None = None,
    *,
    clock: Callable[[], float] = time.time,
    client: AuditLogClient | None = None,
) -> dict[str, Any]:
    """Check credentials, scope, clock, reach, quota and the store, and measure the log.

    Parameters
    ----------
    settings : Settings
        The settings to check.
    folder : pathlib.Path, optional
        The store; left out unless given.
    clock : callable, default time.time
        Returns seconds since the epoch.
    client : AuditLogClient, optional
        Made from the settings unless given.

    Returns
    -------
    dict
        JSON values: ``checks`` (each with name, state ``ok``, ``warn``, ``fail`` or ``skipped``,
        and detail), ``measured`` (None if the log could not be read) and ``is_healthy``. Some 30
        requests are sent; no value holds a secret or the content of a row.
    """
    checks = _Checks()
    now = datetime.fromtimestamp(clock(), UTC).replace(microsecond=0)
    measured = None
    if _check_reach(checks, settings, clock):
        try:
            with (
                nullcontext(client)
                if client
                else open_client(
                    settings, attempts=ATTEMPTS, longest_wait_seconds=LONGEST_WAIT_SECONDS
                ) as source
            ):
                measured = _measure(checks, settings, source, now)
        except ConfigError as error:
            checks.add("credentials", "fail", str(error))
    elif not settings.app_id:
        checks.add("credentials", "fail", NO_APP_ID)
    checks.complete()
    if folder is not None:
        _check_store(checks, folder, now, settings)
    return {
        "base_url": settings.base_url,
        "app_id": settings.app_id,
        "checked_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "is_healthy": all(check["state"] != "fail" for check in checks.rows),
        "checks": checks.rows,
        "measured": measured,
    }


def render_diagnosis(diagnosis: dict[str, Any]) -> str:
    """Write a diagnosis for people.

    Parameters
    ----------
    diagnosis : dict
        From :func:`diagnose`.

    Returns
    -------
    str
        Text of several lines, in the current language.
    """
    app = diagnosis["app_id"] or _("(none)")
    lines = [_("{url}, app {app_id}", url=diagnosis["base_url"], app_id=app), ""]
    for check in diagnosis["checks"]:
        # looked up before: a text within the call would be taken for one to translate
        mark_text, name = _MARKS[check["state"]], _NAMES[check["name"]]
        lines.append(f"  {pad(_(mark_text), 4)}  {pad(_(name), 12)} {check['detail']}")
    measured = diagnosis["measured"]
    if measured:
        text = _(
            "Measured on {rows} rows of {span}",
            rows=say_number(measured["rows_count"]),
            span=measured["window"],
        )
        lines += ["", text, ""]
        lines += [f"  {pad(name, 20)} {value}" for name, value in _list_measured(measured)]
    return "\n".join(lines)


class _Checks:
    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def add(self, name: str, state: str, detail: str) -> None:
        self.rows.append({"name": name, "state": state, "detail": detail})

    def fail(self, name: str, detail: str) -> None:
        """Add a failure, in place of what was found before."""
        self.rows = [row for row in self.rows if row["name"] != name]
        self.add(name, "fail", detail)

    def complete(self) -> None:
        """Name what could not be checked, and put all in order."""
        for name in set(_ORDER) - {row["name"] for row in self.rows}:
            self.add(name, "skipped", _("not checked, because of the failure"))
        self.rows.sort(key=lambda row: _ORDER.index(row["name"]))


def _check_reach(checks: _Checks, settings: Settings, clock: Callable[[], float]) -> bool:
    try:
        round_trip_seconds, ahead = measure_reach(settings.base_url, clock=clock)
    except AuditAnalyticsError as error:
        checks.add("reach", "fail", str(error))
        return False
    checks.add("reach", "ok", _("answers in {seconds} s", seconds=f"{round_trip_seconds:.2f}"))
    if ahead is None:
        checks.add("clock", "warn", _("the platform's answer has no date to compare with"))
        return True
    off = abs(ahead)
    if off < 1:
        checks.add("clock", "ok", _("agrees with the platform's to the second"))
    else:
        state = "fail" if off > _SKEW_FAIL_SECONDS else "warn" if off > _SKEW_WARN_SECONDS else "ok"
        seconds = say_number(round(off))
        text = (
            _("{seconds} s ahead of the platform's", seconds=seconds)
            if ahead > 0
            else _("{seconds} s behind the platform's", seconds=seconds)
        )
        if state != "ok":
            text = _("{text}; set it by NTP, or late rows are missed", text=text)
        checks.add("clock", state, text)
    return True


def _measure(
    checks: _Checks, settings: Settings, client: AuditLogClient, now: datetime
) -> dict[str, Any] | None:
    try:
        items, query = take_sample(client, now)
        checks.add("address", "ok", _("the app may be used from here"))
        checks.add("credentials", "ok", _("the app gets a token"))
        checks.add("scope", "ok", _("the app may read the audit log"))
        measured = None
        if query is None:
            text = _("28 days without a row: is this the right app and tenant?")
            checks.add("log", "warn", text)
        else:
            catalogue = load_catalogue(settings.catalogue)
            events = flatten_items(items, str(query), catalogue).events
            seconds = sorted(int(at.timestamp()) for at in events["at"])
            earliest, is_exact = find_earliest(client, now)
            ends = measure_ends(client, seconds[len(seconds) // 2]) if seconds else {}
            measured = {
                "window": str(query),
                "earliest_at": f"{earliest:%Y-%m-%dT%H:%M:%SZ}" if earliest else None,
                "earliest_is_exact": is_exact,
                "reaches_back_days": (now - earliest) // timedelta(days=1) if earliest else None,
                "newest_row_age_seconds": int(now.timestamp()) - seconds[-1] if seconds else None,
                "includes_start": ends.get("start"),
                "includes_end": ends.get("end"),
                **describe_items(items, catalogue),
            }
            checks.add("log", *_judge(measured))
    except RemoteError as error:
        # which window it was does not matter here
        detail = str(error).partition("page 1: ")[2] or str(error)
        checks.fail(_CAUSES.get(type(error), "log"), detail)
        return None
    checks.add("apps", *check_scopes(client))
    refused, sent = client.counts["rate_limited"], client.counts["requests"]
    text = _(
        "{limit} requests a minute; {refused} of {sent} requests were told to wait",
        limit=REQUESTS_PER_PERIOD,
        refused=refused,
        sent=sent,
    )
    if refused:
        text = _("{text}; is the app in use elsewhere?", text=text)
    checks.add("quota", "warn" if refused else "ok", text)
    return measured


def _judge(measured: dict[str, Any]) -> tuple[str, str]:
    poor = [n for n in ("event_time", "app_id", "ip") if measured["fill"][n] < 0.9]
    if poor:
        names = _(", ").join(poor)
        text = _("{names} is often empty, so part of the detection is blind", names=names)
        return "warn", text
    if measured["catalogued_share"] < 0.9:
        share = f"{1 - measured['catalogued_share']:.0%}"
        return "warn", _("{share} of the rows name an API outside the catalogue", share=share)
    return "ok", _("rows look as expected")


def _check_store(checks: _Checks, folder: Path, now: datetime, settings: Settings) -> None:
    settle = timedelta(minutes=settings.sync.settle_minutes)
    try:
        status = describe_store(folder, now, settle=settle)
    except AuditAnalyticsError as error:
        checks.add("store", "warn", str(error))
        return
    gaps, damaged = len(status["gaps"]), len(status["damaged"])
    state = "warn" if gaps or damaged else "ok"
    parts = [summarise(status)]
    if status["windows_count"]:
        parts.append(say_gaps(status) if gaps else _("Gaps: none"))
    if damaged:
        parts.append(ngettext("{n} damaged file", "{n} damaged files", damaged))
    if state == "warn":
        parts.append(_("Fetch them with: {command}", command=name_remedy(status)))
    checks.add("store", state, _("; ").join(parts))


def _list_measured(measured: dict[str, Any]) -> list[tuple[str, str]]:
    back = {"at": measured["earliest_at"], "days": measured["reaches_back_days"]}
    age = measured["newest_row_age_seconds"]
    return [
        (
            _("earliest row"),
            _("{at}, {days} days back", **back)
            if measured["earliest_is_exact"]
            else _("{at}, at least {days} days back", **back),
        ),
        (
            _("newest row"),
            _("unknown")
            if age is None
            else _("{seconds} s old (the delay is at most this)", seconds=say_number(age)),
        ),
        (_("order"), measured["order"]),
        (_("start is inclusive"), _say(measured["includes_start"])),
        (_("end is inclusive"), _say(measured["includes_end"])),
        (_("API in the catalogue"), f"{measured['catalogued_share']:.1%}"),
        *_list_shares(_("api_key is"), measured["api_key"]),
        *_list_shares(_("status_code is"), measured["status_code"]),
        *_list_shares(_("filled"), measured["fill"]),
    ]


def _list_shares(title: str, shares: dict[str, float]) -> list[tuple[str, str]]:
    titles = [title, *[""] * (len(shares) - 1)]
    return [
        (title, f"{share:6.1%} {what}")
        for title, (what, share) in zip(titles, shares.items(), strict=True)
    ]


def _say(answer: bool | None) -> str:  # noqa: FBT001 - the value to be shown
    return {True: _("yes"), False: _("no"), None: _("unknown")}[answer]
