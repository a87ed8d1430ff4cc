"""The command ``deliver``, and what ``weekly --deliver`` does after the report is written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_analytics.cli._common import CONFIG, VERBOSE, reports_errors

if TYPE_CHECKING:
    from audit_analytics.settings import Settings


@click.command()
@click.argument("report", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--to",
    "channels",
    type=click.Choice(["bot", "app", "mail"]),
    multiple=True,
    help="Only this way; all that are set up if not given.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option("--again", is_flag=True, help="Send it though the same was sent before.")
@CONFIG
@VERBOSE
@reports_errors
def deliver(
    *, report: Path, channels: tuple[str, ...], dry_run: bool, again: bool, config: Path | None
) -> None:
    """Send the report in the folder REPORT (such as reports/2026-W46).

    By a custom bot, by the app itself or by mail, as the settings say. Ids and addresses are masked
    unless deliver.raw_ids is set. Exits with 4 if a way out failed.
    """
    from audit_analytics.deliver import deliver_report
    from audit_analytics.report import terminal
    from audit_analytics.settings import load_settings

    settings = load_settings(config)
    outcomes = deliver_report(report, settings, channels=channels, dry_run=dry_run, again=again)
    for outcome in outcomes:
        if dry_run and outcome.error is None:
            click.echo(f"{outcome.channel} would send:")
            for line in outcome.detail.splitlines():
                click.echo(f"  {terminal(line, 10_000)}")
        else:
            click.echo(terminal(str(outcome)), err=outcome.error is not None)
    if errors := [outcome.error for outcome in outcomes if outcome.error]:
        sys.exit(errors[0].exit_code)


def deliver_after(folder: Path, settings: Settings, *, newest: bool) -> None:
    """Send the report that was just written; whatever happens, the detection is done.

    Parameters
    ----------
    folder : pathlib.Path
        The report's folder.
    settings : Settings
        Where to send it.
    newest : bool
        Whether the report is meant to be the last week's, so that a week without data is missed.
    """
    from datetime import UTC, datetime

    from audit_analytics.deliver import deliver_report, find_overdue
    from audit_analytics.report import terminal

    try:
        overdue = find_overdue(folder.name, datetime.now(UTC), settings.tenant_zone)
        outcomes = deliver_report(folder, settings, overdue=overdue if newest else "")
    except Exception as error:  # noqa: BLE001 - a fault in the delivery must not undo the detection
        click.echo(terminal(f"Delivery failed: {error}"), err=True)
        return
    for outcome in outcomes:
        word = "Delivery failed, the report stands: " if outcome.error else "Delivery by "
        click.echo(terminal(f"{word}{outcome}"), err=True)
