"""The command ``open``, and the overview that every run writes anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_analytics.cli._common import FOLDER, VERBOSE, reports_errors

if TYPE_CHECKING:
    from audit_analytics.settings import Settings


@click.command("open")
@click.argument("folder", type=FOLDER, default=Path("reports"))
@click.option("--index", "is_index", is_flag=True, help="The overview of all reports instead.")
@click.option("--print", "is_printed", is_flag=True, help="Print its path, and open nothing.")
@VERBOSE
@reports_errors
def open_report(*, folder: Path, is_index: bool, is_printed: bool) -> None:
    """Show the newest report of FOLDER (reports) in the browser."""
    from audit_analytics.errors import InputError
    from audit_analytics.review.reports import list_reports

    path = folder / "index.html"
    if not is_index:
        found = [place.with_name("report.html") for place in list_reports(folder)]
        path = next((place for place in found if place.is_file()), path)
    if not path.is_file():
        raise InputError(f"{folder}: holds no report; write one with: audit-analytics weekly")
    click.echo(path)
    if not is_printed:
        click.launch(path.resolve().as_uri())


def write_index(out: Path, settings: Settings, failed: dict[str, str] | None = None) -> None:
    """Write the overview; a fault in it leaves the reports as they are.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the reports.
    settings : Settings
        Language, zone, and where the verdicts are.
    failed : dict of str to str, optional
        Tenants without a report of this run, and why.
    """
    from audit_analytics.report import terminal, write_overview
    from audit_analytics.review.verdicts import read_verdicts

    try:
        write_overview(
            out,
            lang=settings.lang,
            zone=settings.tenant_zone,
            verdicts=read_verdicts(settings.verdicts) if settings.verdicts else {},
            failed=failed,
        )
    except OSError as error:
        click.echo(terminal(f"The overview could not be written: {error}"), err=True)
