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
    from collections.abc import Callable

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
