"""The command ``drill``: attack a copy of one's own log and see what is found."""

from __future__ import annotations

from pathlib import Path

import click

from audit_analytics.cli._common import CONFIG, SCENARIO, reports_errors


@click.command()
@click.argument("store", type=click.Path(path_type=Path), default=Path("data/store"))
@click.option("--week", metavar="2026-W46", help="ISO week; the last complete one if not given.")
@click.option("--budget", type=float, help="Alarms an ordinary week brings (10 if not set).")
@SCENARIO
@click.option(
    "--size", "sizes", type=float, multiple=True, help="Size of the attacks; 1, 0.5, 0.25."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same targets.")
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the table to this file.",
)
@CONFIG
@reports_errors
def drill(
    *,
    store: Path,
    week: str | None,
    budget: float | None,
    scenarios: tuple[str, ...],
    sizes: tuple[float, ...],
    seed: int,
    csv_path: Path | None,
    config: Path | None,
) -> None:
    """Attack a copy of the log in STORE (data/store) and show what the weekly run finds.

    Attacks of every kind are laid over the log in memory; STORE stays as it is. STORE may also be
    a file or a folder of pages, as for weekly.
    """
    from audit_analytics.dates.weeks import parse_week
    from audit_analytics.drill import drill as run_drill
    from audit_analytics.drill import render_drill
    from audit_analytics.files import write_private
    from audit_analytics.intake import load
    from audit_analytics.inventory import find_inventory
    from audit_analytics.report import csv_cell
    from audit_analytics.settings import load_settings

    settings = load_settings(config, overrides={"budget_per_week": budget})
    if week:
        parse_week(week, zone=settings.tenant_zone)  # before anything is read
    click.echo(f"Reading {store} ...", err=True)
    events = load(store, settings=settings)
    click.echo("Attacking a copy of it and judging each, which takes minutes ...", err=True)
    table = run_drill(
        events,
        settings=settings,
        inventory=find_inventory(store, settings.apps),
        scenarios=scenarios or None,
        sizes=sizes or (1.0, 0.5, 0.25),
        seed=seed,
        week=week,
    )
    if csv_path:
        escaped = table.assign(entity=table["entity"].map(csv_cell))
        write_private(csv_path, escaped.to_csv(index=False).encode())
        click.echo(f"Table: {csv_path}", err=True)
    click.echo(render_drill(table))
