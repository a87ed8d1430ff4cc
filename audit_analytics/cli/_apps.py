"""The commands about apps and APIs: ``apps sync``, ``list`` and ``scopes``, and ``catalogue``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit_analytics.cli._common import STORE, takes_settings

if TYPE_CHECKING:
    import pandas as pd

    from audit_analytics.settings import Settings


@click.group()
def apps() -> None:
    """Know the apps: names, owners, permissions."""


@apps.command("sync")
@STORE
@click.option("--wait", metavar="10m", help="Wait this long for another sync of STORE.")
@takes_settings
def sync_apps(*, store: Path, wait: str | None, settings: Settings) -> None:
    """Fetch who the apps are into the folder STORE (data/store).

    The first time a request for each app and one for 50 apps, 100 a minute; then only for new
    versions. With sync.apps = true, sync does so once a day. Needs the scope admin:app.info:readonly.
    """
    from audit_analytics.dates.weeks import read_span
    from audit_analytics.sync import show_waits
    from audit_analytics.sync import sync_apps as fetch

    with show_waits():
        result = fetch(
            settings, store, wait_seconds=read_span(wait).total_seconds() if wait else 0.0
        )
    click.echo(result.describe(), err=True)


@apps.command("list")
@STORE
@click.option("--json", "as_json", is_flag=True, help="JSON with all that is known.")
@takes_settings
def list_apps(*, store: Path, as_json: bool, settings: Settings) -> None:
    """List the apps of the store or log folder STORE (data/store): id, status, name, owner."""
    from dataclasses import asdict

    import audit_analytics.apps
    from audit_analytics.report import json_text, terminal

    known = audit_analytics.apps.load(store, settings=settings).apps.values()
    if as_json:
        rows = [asdict(app) for app in known]
        click.echo(json_text(json.dumps(rows, indent=2, default=str, ensure_ascii=False)))
        return
    for app in known:
        owner = " ".join(filter(None, [app.owner, app.owner_status and f"({app.owner_status})"]))
        texts = [app.app_id, app.status or "-", app.name or "-", owner or "-", app.contact]
        click.echo("  ".join(terminal(text, 40) for text in texts).rstrip())


@apps.command("scopes")
@click.argument("app", required=False)
@click.option("--log", type=click.Path(path_type=Path), default=Path("data/store"))
@click.option("--all", "is_all", is_flag=True, help="Used and unknown permissions as well.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with all columns.")
@takes_settings
def show_scopes(
    *, app: str | None, log: Path, is_all: bool, as_csv: bool, settings: Settings
) -> None:
    """List the permissions nobody uses, by app, super-sensitive ones first, ready to paste.

    APP is an id or a name; all apps if not given. --log is the store or log folder (data/store).
    """
    import audit_analytics.apps
    from audit_analytics.errors import InputError
    from audit_analytics.report import write_table

    table = audit_analytics.apps.scopes(log, settings=settings)
    if table.empty:
        raise InputError(f"{log}: no app has a grant that is known; run: apps sync")
    if app:
        table = table[(table["app_id"] == app) | (table["name"] == app)]
        if table.empty:
            raise InputError(f"no app {app!r} with a grant; apps list names them")
    if not is_all:
        table = table[table["usage"] == "unused"]
    click.echo(write_table(table) if as_csv else _render(table), nl=not as_csv)


def _render(table: pd.DataFrame) -> str:
    from audit_analytics.inventory import label_app
    from audit_analytics.report import terminal

    lines: list[str] = []
    for _key, rows in table.groupby("app_id", sort=False):
        first: dict[str, Any] = rows.iloc[0].to_dict()
        head = label_app(first["app_id"], first["name"])
        lines.append(terminal(f"{head}, {first['owner']}" if first["owner"] else head))
        lines += [
            f"  {terminal(row.scope)}  {row.usage}  level {row.level or '?'}, "
            f"{row.severity or 'no API'}, {row.apis_count} API(s), {row.days_observed} days observed"
            + (f"; {terminal(row.narrower)} would do" if row.narrower else "")
            for row in rows.itertuples()
        ]
    return "\n".join(lines) or "No permission that nobody uses."


@click.command()
@click.argument("source", metavar="LOG", type=click.Path(path_type=Path))
@takes_settings
def catalogue(*, source: Path, settings: Settings) -> None:
    """Print a catalogue of the APIs of LOG that the catalogue does not know, to be edited.

    LOG is a store, a file or a folder. Write it to a file, correct the ratings, and name the file
    in the settings: catalogue = "my_apis.toml". Routes that were never there are left out.
    """
    from audit_analytics.catalogue import write_starter
    from audit_analytics.intake import count_log
    from audit_analytics.report import list_unknown_apis

    by_api = count_log(source, settings).calls.by_api
    used = list_unknown_apis(by_api)
    click.echo(write_starter(used), nl=False)
    calls = int(by_api["calls_count"].sum())
    click.echo(
        f"{len(used):,} APIs outside the catalogue, {sum(row.calls for row in used):,} of "
        f"{calls:,} calls",
        err=True,
    )
