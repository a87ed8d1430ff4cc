"""How wide the terminal is, and how a severity looks in it."""

from __future__ import annotations

import shutil
import sys

import click

_COLOURS = {"critical": "red", "high": "yellow", "medium": "blue", "low": None}


def screen_width() -> int | None:
    """Return how many columns to break lines at.

    Returns
    -------
    int or None
        None where nobody looks: a line a finding is easier to search.
    """
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def paint(text: str, code: str) -> str:
    """Give a text the colour of a severity; bold what is new.

    Parameters
    ----------
    text : str
        What is printed.
    code : str
        A severity, or ``new``.

    Returns
    -------
    str
        With the marks that ``click.echo`` takes away where there is no terminal.
    """
    return click.style(text, fg=_COLOURS.get(code), bold=code in {"critical", "new"})
