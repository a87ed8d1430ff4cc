"""The command ``catalogue``: a first rating of the APIs a log holds and nobody knows."""

from __future__ import annotations

from pathlib import Path

import click

from audit_analytics.cli._common import CONFIG, VERBOSE, reports_errors


@click.command()
@click.argument("source", metavar="LOG", type=click.Path(path_type=Path))
@CONFIG
@VERBOSE
@reports_errors
def catalogue(*, source: Path, config: Path | None) -> None:
    """Print a catalogue of the APIs of LOG that the catalogue does not know, to be edited.

    LOG is a store, a file or a folder. Write it to a file, correct the ratings, and name the file
    in the settings: catalogue = "my_apis.toml". Routes that were never there are left out.
    """
    from audit_analytics.catalogue import write_starter
    from audit_analytics.intake import count_log
    from audit_analytics.report import list_unknown_apis
    from audit_analytics.settings import load_settings

    by_api = count_log(source, load_settings(config)).calls.by_api
    used = list_unknown_apis(by_api)
    click.echo(write_starter(used), nl=False)
    calls = int(by_api["calls_count"].sum())
    click.echo(
        f"{len(used):,} APIs outside the catalogue, {sum(row.calls for row in used):,} of "
        f"{calls:,} calls",
        err=True,
    )
