"""What commands share: options, errors as one paragraph with an exit code, lines for a terminal."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_analytics.errors import AuditAnalyticsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

EXIT_BROKEN_PIPE = 141
"""As a shell says of what SIGPIPE ended."""

_COLOURS = {"critical": "red", "high": "yellow", "medium": "blue", "low": None}

FOLDER = click.Path(file_okay=False, path_type=Path)
STORE = click.argument("store", type=FOLDER, default=Path("data/store"))
CONFIG = click.option(
    "--config",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="TOML file with settings; audit-analytics.toml in this folder if there is one.",
)


class _Scenario(click.ParamType):  # type: ignore[type-arg]  # it takes none in older click
    """A kind of attack; they are looked up when one is named, for that loads the simulator."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return self._choice().convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return self._choice().shell_complete(ctx, param, incomplete)

    @staticmethod
    def _choice() -> click.Choice[str]:
        from audit_analytics.simulate import SCENARIOS

        return click.Choice(list(SCENARIOS))


SCENARIO = click.option(
    "--scenario",
    "--attack",
    "scenarios",
    type=_Scenario(),
    multiple=True,
    metavar="NAME",
    help="Kind of attack, such as off_hours_export; may be repeated.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
VERBOSE = click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")


SECTIONS = {
    "Report": ("weekly", "open", "deliver", "schedule"),
    "Findings": ("findings", "explain", "verdict", "suppress", "replay"),
    "Fetch": ("doctor", "sync", "status", "apps"),
    "Store": ("store", "rollup"),
    "Try": ("simulate", "drill"),
}
"""Where the help lists each command; what is in none is listed last."""


class Sections(click.Group):
    """A group whose help lists its commands by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, a section each."""
        sections = dict(SECTIONS)
        known = {name for names in sections.values() for name in names}
        sections["Other"] = tuple(name for name in self.list_commands(ctx) if name not in known)
        width = max(map(len, self.commands), default=0)
        for title, names in sections.items():
            here = [(name, self.commands[name]) for name in names if name in self.commands]
            if here:
                limit = formatter.width - 6 - width
                rows = [(name, command.get_short_help_str(limit)) for name, command in here]
                with formatter.section(title):
                    formatter.write_dl(rows)


def reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors raised on purpose into one paragraph on stderr and their exit code."""

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
            from audit_analytics.report import terminal

            click.echo(f"audit-analytics: {terminal(str(error))}", err=True)
            sys.exit(getattr(error, "exit_code", 2))

    return VERBOSE(run)


def takes_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its `settings`, read from what ``--config`` names, and report its errors."""

    @functools.wraps(command)
    def run(*, config: Path | None, **options: object) -> None:
        from audit_analytics.settings import load_settings

        command(settings=load_settings(config), **options)

    return CONFIG(reports_errors(run))


def say_damaged(folder: Path, damaged: Sequence[str]) -> str:
    """Say that what came out rests on less than the log holds, and what to do.

    >>> say_damaged(Path("data/store"), ["one"])
    'data/store: what is written rests on less than the log, 1 file of it cannot be read; run: sync'
    """
    files = "1 file" if len(damaged) == 1 else f"{len(damaged):,} files"
    return (
        f"{folder}: what is written rests on less than the log, {files} of it cannot be read; "
        "run: sync"
    )


def screen_width() -> int | None:
    """Return how many columns to break lines at; None where nobody looks, to ease searching."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def paint(text: str, code: str) -> str:
    """Give a text the colour of a severity; bold what is new. ``click.echo`` removes it for files."""
    return click.style(text, fg=_COLOURS.get(code), bold=code in {"critical", "new"})
