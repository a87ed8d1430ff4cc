"""What every command shares: common options, and errors as one paragraph with an exit code."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_analytics.errors import AuditAnalyticsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXIT_BROKEN_PIPE = 141
"""As a shell says of what SIGPIPE ended."""

FOLDER = click.Path(file_okay=False, path_type=Path)
CONFIG = click.option(
    "--config",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="TOML file with settings; audit-analytics.toml in this folder if there is one.",
)
VERBOSE = click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")


def reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors raised on purpose into one paragraph on stderr and their exit code.

    Parameters
    ----------
    command : callable
        The body of a command; ``verbose`` is taken from its options.

    Returns
    -------
    callable
        The body with errors reported.
    """

    @functools.wraps(command)
    def run(*, verbose: bool, **options: object) -> None:
        try:
            command(**options)
        except BrokenPipeError:
            # whoever reads along has seen enough; Python would complain once more at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(EXIT_BROKEN_PIPE)
        except (AuditAnalyticsError, OSError) as error:
            if verbose:
                raise
            from audit_analytics.report.escape import terminal

            click.echo(f"audit-analytics: {terminal(str(error))}", err=True)
            sys.exit(getattr(error, "exit_code", 2))

    return run


def say_damaged(folder: Path, damaged: Sequence[str]) -> str:
    """Say that a part of a log was left out, and what to do.

    Parameters
    ----------
    folder : pathlib.Path
        The log.
    damaged : sequence of str
        The files that could not be read.

    Returns
    -------
    str
        For an error: what came out rests on less than the log holds.

    Examples
    --------
    >>> say_damaged(Path("data/store"), ["one"])
    'data/store: what is written rests on less than the log, 1 file of it cannot be read; run: sync'
    """
    files = "1 file" if len(damaged) == 1 else f"{len(damaged):,} files"
    return (
        f"{folder}: what is written rests on less than the log, {files} of it cannot be read; "
        "run: sync"
    )
