"""What follows a report: ``deliver``, ``open``, the overview, ``--tenants``, and ``schedule``."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from audit_analytics.cli._common import CONFIG, FOLDER, reports_errors, takes_settings

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
@takes_settings
def deliver(
    *, report: Path, channels: tuple[str, ...], dry_run: bool, again: bool, settings: Settings
) -> None:
    """Send the report in the folder REPORT (such as reports/2026-W46).

    By a custom bot, by the app itself or by mail, as the settings say. Ids and addresses are masked
    unless deliver.raw_ids is set. Exits with 4 if a way out failed.
    """
    from audit_analytics.deliver import deliver_report
    from audit_analytics.report import terminal

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

    `newest` says that it is meant to be the last week's, so that a week without data is missed.
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


@click.command("open")
@click.argument("folder", type=FOLDER, default=Path("reports"))
@click.option("--index", "is_index", is_flag=True, help="The overview of all reports instead.")
@click.option("--print", "is_printed", is_flag=True, help="Print its path, and open nothing.")
@reports_errors
def open_report(*, folder: Path, is_index: bool, is_printed: bool) -> None:
    """Show the newest report of FOLDER (reports) in the browser."""
    from audit_analytics.errors import InputError
    from audit_analytics.review import list_reports

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

    `failed` are the tenants without a report of this run, and why.
    """
    from audit_analytics.report import terminal, write_overview
    from audit_analytics.review import read_verdicts

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


_SET_PER_TENANT: Final = ("is_tenants", "out", "config", "tenant")
REPORTED: Final = (0, 1, 3)
"""Exit codes of runs that wrote a report."""

_LINE_LIMIT: Final = 10_000


def weekly_of_tenants(folder: Path, out: Path, config: Path | None) -> int:
    """Run the current command on every tenant in a folder, and print what it prints.

    The worst exit code of theirs is returned.
    """
    from audit_analytics.settings import load_settings

    settings = load_settings(config)  # before anything heavy is loaded

    from audit_analytics.report import terminal
    from audit_analytics.source import count_cores
    from audit_analytics.tenants import choose_exit_code, list_tenants, run_tenants

    tenants = list_tenants(folder, out)
    for note in tenants.left_out:
        click.echo(f"Left out: {terminal(note)}", err=True)
    options = _repeat_options(click.get_current_context())
    n_jobs = settings.n_jobs or count_cores()
    runs = []
    for run in run_tenants(tenants.folders, out, config=config, options=options, n_jobs=n_jobs):
        runs.append(run)
        name = terminal(run.name)
        for note in run.notes:
            click.echo(f"{name}: {terminal(note, _LINE_LIMIT)}", err=True)
        click.echo(name)
        for line in run.lines or [f"no report (exit code {run.exit_code})"]:
            click.echo(f"  {terminal(line, _LINE_LIMIT)}")
    failed = {
        run.name: " ".join(run.notes[-1:]) or f"exit code {run.exit_code}"
        for run in runs
        if run.exit_code not in REPORTED
    }
    out.mkdir(parents=True, exist_ok=True)
    write_index(out, settings, failed)
    other = [f"{terminal(run.name)} with {run.exit_code}" for run in runs if run.exit_code]
    click.echo(
        f"{len(runs) - len(other):,} of {len(runs):,} tenants ended with exit code 0"
        + (f"; {', '.join(other)}" if other else ""),
        err=True,
    )
    return choose_exit_code(runs)


def _repeat_options(context: click.Context) -> list[str]:
    """Write down the options given on the command line; secrets never are among them."""
    repeated = []
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not given or name in _SET_PER_TENANT or not isinstance(option, click.Option):
            continue
        value = context.params[name]
        if option.is_flag:
            repeated.append((option.opts if value else option.secondary_opts)[-1])
        else:
            repeated.append(f"{option.opts[-1]}={value}")
    return repeated


@click.command()
@click.argument("kind", type=click.Choice(["cron", "systemd", "ci"]))
@click.option("--store", type=click.Path(path_type=Path), default=Path("data/store"))
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports"))
@CONFIG
@reports_errors
def schedule(*, kind: str, store: Path, out: Path, config: Path | None) -> None:
    """Print the files that write and deliver the report every Monday at 07:30.

    With the paths of this machine and the tenant's zone; for systemd a service and its timer.
    """
    from audit_analytics.settings import load_settings

    zone = load_settings(config).tenant_zone
    for text in _render_schedule(kind, zone=zone, store=store, out=out, config=config):
        click.echo(text)


def _render_schedule(
    kind: str, *, zone: str, store: Path, out: Path, config: Path | None = None
) -> list[str]:
    """Write the files of a schedule: ``cron``, ``systemd`` or ``ci``."""
    program = shutil.which("audit-analytics") or str(Path(sys.argv[0]).resolve())
    if kind == "ci":
        return [_read_schedule("audit.yml").format(zone=zone, **_in_utc(zone))]
    if kind == "systemd":
        # a space ends a word there, and % begins a specifier
        quoted = program.replace("%", "%%").replace(" ", "\\x20")
        return [
            _read_schedule(f"audit-analytics.{part}").format(program=quoted, zone=zone)
            for part in ("service", "timer")
        ]
    values = {"folder": Path.cwd(), "program": program, "store": store, "out": out}
    # cron ends a command at a %
    words = {name: shlex.quote(str(value)).replace("%", r"\%") for name, value in values.items()}
    given = f" --config {shlex.quote(str(config))}".replace("%", r"\%") if config else ""
    return [_read_schedule("crontab.txt").format(zone=zone, config=given, **words)]


def _read_schedule(name: str) -> str:
    return (files("audit_analytics.cli") / "schedules" / name).read_text(encoding="utf-8")


def _in_utc(zone: str) -> dict[str, int]:
    """Return when Monday 07:30 is in UTC, on a Monday in January; cron counts from Sunday."""
    from datetime import UTC, datetime

    from audit_analytics.dates.buckets import load_zone

    at = datetime(2026, 1, 5, 7, 30, tzinfo=load_zone(zone)).astimezone(UTC)
    return {"minute": at.minute, "hour": at.hour, "weekday": at.isoweekday() % 7}
