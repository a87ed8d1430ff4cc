"""The commands that fetch: ``sync``, ``status``, ``doctor``, and ``serve`` to try them without credentials."""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit_analytics.cli._common import FOLDER, STORE, reports_errors, takes_settings

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from audit_analytics.settings import Settings
    from audit_analytics.simulate import Company

EXIT_INTERRUPTED = 130


@click.command()
@STORE
@click.option("--since", default="28d", show_default=True, help="Span such as 28d, or a date.")
@click.option("--until", help="Span or date where to end; now if not given.")
@click.option("--sensitive-only", is_flag=True, help="Only calls of critical and high APIs.")
@click.option("--keep", metavar="180d", help="Remove windows older than this afterwards.")
@click.option("--workers", type=click.IntRange(1, 32), help="Windows read at once (8 if not set).")
@click.option(
    "--wait", metavar="10m", help="Wait this long for another sync of STORE; else say who it is."
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: a line a window on stderr.",
)
@takes_settings
def sync(
    *,
    store: Path,
    since: str,
    until: str | None,
    sensitive_only: bool,
    keep: str | None,
    workers: int | None,
    wait: str | None,
    log_format: str,
    settings: Settings,
) -> None:
    """Fetch the log into the folder STORE (data/store): whatever is missing or not settled.

    Run it every few minutes. It can be stopped at any moment, and goes on where it was. App id and
    secret come from AUDIT_ANALYTICS_APP_ID and AUDIT_ANALYTICS_APP_SECRET (or _SECRET_FILE), or from
    the TOML file. Writes nothing outside a terminal unless something is wrong.
    """
    from datetime import UTC, datetime, timedelta

    from audit_analytics.dates.weeks import read_since, read_span
    from audit_analytics.errors import RemoteError
    from audit_analytics.report import terminal
    from audit_analytics.sync import (
        THREADS,
        is_due,
        show_progress,
        show_waits,
        sync_apps,
        write_event,
    )
    from audit_analytics.sync import sync as fetch

    if keep:
        days = max(read_span(keep) // timedelta(days=1), 1)
        settings = settings.model_copy(
            update={"sync": settings.sync.model_copy(update={"keep_days": days})}
        )
    now = datetime.now(UTC)
    try:
        with show_progress(log_format) as progress:
            result = fetch(
                settings,
                store,
                since=_read_beginning(since, now, settings.tenant_zone),
                until=read_since(until, now, zone=settings.tenant_zone) if until else None,
                sensitive_only=sensitive_only,
                workers=workers,
                wait_seconds=read_span(wait).total_seconds() if wait else 0.0,
                progress=progress,
            )
    except KeyboardInterrupt:
        click.echo("Stopped. What is stored stays; the same command goes on from there.", err=True)
        if any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
            # It hangs in the operating system, and Python would wait for it; nothing is half stored.
            sys.stderr.flush()
            os._exit(EXIT_INTERRUPTED)
        sys.exit(EXIT_INTERRUPTED)
    if settings.sync.apps and is_due(store, now):
        try:
            with show_waits():
                sync_apps(settings, store, wait_seconds=60.0)
        except RemoteError as refusal:
            # who the apps are is beside the point: the log is stored, and the old names stay
            click.echo(f"The apps were not fetched: {terminal(str(refusal))}", err=True)
    if log_format == "json":
        write_event("finished", **result.summarise())
    elif sys.stderr.isatty():
        click.echo(result.describe(), err=True)
    if error := result.find_error():
        raise error


@click.command()
@STORE
@click.option("--since", help="Leave out the days before this span or date.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@takes_settings
def status(*, store: Path, since: str | None, as_json: bool, settings: Settings) -> None:
    """Show what the folder STORE (data/store) covers, day by day in UTC."""
    from datetime import UTC, datetime, timedelta

    from audit_analytics.dates.weeks import read_since
    from audit_analytics.language import use_language
    from audit_analytics.sync import describe_store, render_status

    now = datetime.now(UTC)
    described = describe_store(
        store,
        now,
        since=read_since(since, now, zone=settings.tenant_zone) if since else None,
        settle=timedelta(minutes=settings.sync.settle_minutes),
    )
    with use_language(settings.lang):
        click.echo(json.dumps(described, indent=2) if as_json else render_status(described))


@click.command()
@click.argument("store", type=FOLDER, required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
@takes_settings
def doctor(*, store: Path | None, as_json: bool, settings: Settings) -> None:
    """Check credentials, scope, clock, network, quota and STORE, and measure the log.

    Sends some 30 requests. Exits with 4 if something has to be mended before a sync can work.
    """
    from audit_analytics.errors import RemoteError
    from audit_analytics.language import use_language
    from audit_analytics.report import terminal
    from audit_analytics.sync import diagnose, render_diagnosis, show_waits

    with show_waits(), use_language("en" if as_json else settings.lang):
        diagnosis = diagnose(settings, store)
        shown = json.dumps(diagnosis, indent=2) if as_json else render_diagnosis(diagnosis)
    for line in shown.splitlines():
        click.echo(line if as_json else terminal(line))
    if not diagnosis["is_healthy"]:
        sys.exit(RemoteError.exit_code)


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True), required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True)
@click.option("--limit", type=int, default=100, show_default=True, help="Requests a minute.")
@click.option("--latency", type=float, default=0.0, help="Seconds a request takes.")
@click.option("--fault", "faults", multiple=True, metavar="KIND=SHARE", help="Such as html=0.02.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the simulated company.")
@click.option("--apps", type=int, default=60, show_default=True, help="Its apps.")
@click.option("--weeks", type=int, default=5, show_default=True, help="Its weeks of log, to today.")
@reports_errors
def serve(
    *,
    source: Path | None,
    port: int,
    limit: int,
    latency: float,
    faults: tuple[str, ...],
    seed: int,
    apps: int,
    weeks: int,
) -> None:
    """Serve a log on this machine as the platform would, to try everything without credentials.

    SOURCE is a folder of pages as audit-analytics simulate writes them; without it a company is simulated whose
    log ends today.
    """
    from audit_analytics.feishu import PAGE_SIZE_MAX, REQUESTS_PER_PERIOD
    from audit_analytics.simulate import (
        APP_ID,
        APP_SECRET,
        HOOK_SECRET,
        KINDS,
        Faults,
        StandIn,
        make_directory,
        read_directory,
    )

    shares: dict[str, Any] = dict(_read_fault(text, KINDS) for text in faults)
    log: Path | list[dict[str, Any]]
    if source is None:
        company = _simulate_until_today(seed, apps, weeks)
        log, directory = list(company.items()), make_directory(company)
    else:
        log, directory = source, read_directory(source)
    with StandIn(
        log,
        directory=directory,
        port=port,
        limit=limit,
        latency_seconds=latency,
        faults=Faults(**shares),
    ) as server:
        rows = len(server.ledger.ids)
        # a window of an hour asks once at least, and whoever asks keeps to the platform's limit
        allowed = min(limit, REQUESTS_PER_PERIOD)
        minutes = (rows / PAGE_SIZE_MAX + weeks * 7 * 24) / allowed
        click.echo(
            f"Serving {rows:,} rows at {server.url} until Ctrl-C.\n"
            f"At {allowed} requests a minute a first sync takes about {minutes:.0f} minutes; "
            "for a short one serve a smaller company: --apps 10 --weeks 2. Try:\n\n"
            f"export AUDIT_ANALYTICS_BASE_URL={server.url}\n"
            f"export AUDIT_ANALYTICS_APP_ID={APP_ID}\n"
            f"export AUDIT_ANALYTICS_APP_SECRET={APP_SECRET}\n"
            f"export AUDIT_ANALYTICS_DELIVER__WEBHOOK_URL={server.hook_url}\n"
            f"export AUDIT_ANALYTICS_DELIVER__WEBHOOK_SECRET={HOOK_SECRET}\n"
            "audit-analytics doctor\n"
            f"audit-analytics sync --since {weeks * 7}d\n"
            "audit-analytics apps sync\n"
            "audit-analytics weekly data/store --deliver"
        )
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def _read_beginning(text: str, now: datetime, zone: str) -> datetime | timedelta:
    """Read a span as one: it counts back from whatever time it is when the sync begins."""
    from audit_analytics.dates.weeks import read_since, read_span
    from audit_analytics.errors import ConfigError

    try:
        return read_span(text)
    except ConfigError:
        return read_since(text, now, zone=zone)


def _read_fault(text: str, kinds: tuple[str, ...]) -> tuple[str, float]:
    kind, _, share = text.partition("=")
    try:
        if kind in kinds and 0 <= float(share) <= 1:
            return kind, float(share)
    except ValueError:
        pass
    raise click.BadParameter(f"{text!r}: give KIND=SHARE, a share of 0 to 1 of {', '.join(kinds)}")


def _simulate_until_today(seed: int, apps: int, weeks: int) -> Company:
    from datetime import datetime

    from audit_analytics.dates.buckets import load_zone
    from audit_analytics.simulate import ATTACKS, simulate_company

    zone = "Asia/Shanghai"
    end = datetime.now(load_zone(zone)).date()
    # an app can only wake from a sleep that is in the log
    attacks = [name for name in ATTACKS if weeks >= 5 or name != "dormant_wakes"]
    return simulate_company(
        seed=seed, apps=apps, weeks=weeks, end=end, tenant_zone=zone, attacks=attacks
    )
