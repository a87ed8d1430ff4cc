"""What ``weekly --tenants`` does: the same command once a tenant, printed under its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from audit_analytics.cli.overview import write_index

if TYPE_CHECKING:
    from pathlib import Path

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
