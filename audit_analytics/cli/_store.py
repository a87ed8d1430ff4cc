"""The commands that keep a store in order: ``rollup``, ``store verify`` and ``store compact``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_analytics.cli._common import FOLDER, takes_settings

if TYPE_CHECKING:
    from audit_analytics.settings import Settings

STORE = click.argument("folder", metavar="[STORE]", type=FOLDER, default=Path("data/store"))


@click.command()
@STORE
@click.option(
    "--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb", show_default=True
)
@click.option("--master", metavar="local[2]", help="Master of Spark; spark-submit's if not given.")
@takes_settings
def rollup(*, folder: Path, engine: str, master: str | None, settings: Settings) -> None:
    """Count the events of the folder STORE (data/store) hour by hour, where that is not done yet.

    sync does so for what it fetches, and weekly for what it meets; this does it for a store that
    was copied or made by an earlier version, or after the catalogue changed.
    """
    from audit_analytics.catalogue import load_catalogue
    from audit_analytics.errors import DataIncompleteError
    from audit_analytics.store import Rollups, Store

    store = Store(folder)
    store.check()
    catalogue, zone = load_catalogue(settings.catalogue), settings.tenant_zone
    rollups = Rollups(store, catalogue, zone=zone)
    if engine == "spark":
        from audit_analytics.store import SparkEngine

        rollups = Rollups(store, catalogue, SparkEngine(master), zone)
    hours_count = days_count = 0
    damaged: list[str] = []
    windows = store.scan().manifests
    for day in rollups.refresh(windows):
        days_count += 1
        hours_count += len(day.counted)
        damaged += [store.path_of(start).relative_to(folder).as_posix() for start in day.damaged]
        if day.counted:
            click.echo(f"{day.day}: {len(day.counted)} hours counted", err=True)
    click.echo(f"{hours_count:,} hours of {days_count:,} days counted; the others were up to date")
    if damaged:
        raise DataIncompleteError(
            f"{len(damaged)} windows cannot be read, {damaged[0]} for one; store verify names "
            "them: remove them and run: sync"
        )


@click.group()
def store() -> None:
    """Check a store, or join its small files."""


@store.command()
@STORE
@takes_settings
def verify(*, folder: Path, settings: Settings) -> None:
    """Read every row of STORE (data/store) and compare it with what its manifests say.

    Prints one line for everything that is wrong, and exits with 3 if there is any.
    """
    from audit_analytics.catalogue import load_catalogue
    from audit_analytics.errors import DataIncompleteError
    from audit_analytics.report import terminal
    from audit_analytics.store import Rollups, Store, verify_store

    catalogue = load_catalogue(settings.catalogue)
    found = verify_store(Rollups(Store(folder), catalogue, zone=settings.tenant_zone))
    for problem in found.problems:
        click.echo(terminal(problem))
    click.echo(
        f"{found.windows_count:,} windows, {found.rows_count:,} rows and the counts of "
        f"{found.hours_count:,} hours checked",
        err=True,
    )
    if found.problems:
        count = len(found.problems)
        wrong = "1 thing is" if count == 1 else f"{count:,} things are"
        raise DataIncompleteError(f"{folder}: {wrong} wrong, see above")


@store.command()
@STORE
@click.option("--wait", metavar="10m", help="Wait this long for a sync of STORE to end.")
@takes_settings
def compact(*, folder: Path, wait: str | None, settings: Settings) -> None:
    """Join the small files of STORE (data/store), days that ended two days ago and older.

    Rows stay as they are, unless the settings redact more than when they were stored: then they are
    redacted again. It can be stopped at any moment.
    """
    from datetime import UTC, datetime, timedelta

    from audit_analytics.dates.weeks import read_span
    from audit_analytics.store import Store, compact_store, lock_store, read_redaction

    chosen = Store(folder)
    chosen.check()
    with lock_store(folder, wait_seconds=read_span(wait).total_seconds() if wait else 0.0):
        done = compact_store(
            chosen,
            datetime.now(UTC),
            redaction=read_redaction(settings.redaction, folder),
            reread=timedelta(
                minutes=max(settings.sync.settle_minutes, settings.sync.reread_minutes)
            ),
        )
    click.echo(
        f"{done.before_count:,} files are {done.after_count:,} now; {done.rows_count:,} rows written"
    )
