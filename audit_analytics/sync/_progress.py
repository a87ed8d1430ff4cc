"""Show how far a sync is: a bar for people, JSON lines for machines, nothing in cron."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audit_analytics.sync._result import Progress

_BAR: Final = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} windows{postfix}"


@contextmanager
def show_progress(
    log_format: str = "text", stream: TextIO | None = None
) -> Iterator[Callable[[Progress], None]]:
    """Show progress and log records while the block runs.

    Parameters
    ----------
    log_format : {'text', 'json'}, default 'text'
        ``text`` draws a bar on a terminal and writes nothing but errors elsewhere; ``json`` writes a
        line a window and a line a log record.
    stream : file object, optional
        Where to; stderr unless given.

    Yields
    ------
    callable
        Takes each :class:`~audit_analytics.sync._result.Progress`.
    """
    stream = stream or sys.stderr
    is_terminal = stream.isatty()
    handler = logging.StreamHandler(stream)
    package = logging.getLogger("audit_analytics")
    level = package.level
    if log_format == "json":
        handler.setFormatter(_JsonFormatter())
        package.setLevel(logging.INFO)
    else:
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        # Retries are the platform's everyday; cron mails every line.
        package.setLevel(logging.WARNING if is_terminal else logging.ERROR)
    package.addHandler(handler)
    try:
        if log_format == "json":
            yield lambda progress: _write_line(stream, progress)
        elif is_terminal:
            with _draw_bar(stream, package) as draw:
                yield draw
        else:
            yield lambda _: None
    finally:
        package.removeHandler(handler)
        package.setLevel(level)


@contextmanager
def show_waits() -> Iterator[None]:
    """Say on stderr what is waited for while the block runs.

    Yields
    ------
    None
        Nothing.
    """
    handler = logging.StreamHandler(sys.stderr)
    limiter = logging.getLogger("audit_analytics.feishu")
    level = limiter.level
    # a full minute is INFO, because a sync waits a part of every minute
    handler.addFilter(lambda record: "waiting" in record.getMessage())
    limiter.addHandler(handler)
    limiter.setLevel(logging.INFO)
    try:
        yield
    finally:
        limiter.removeHandler(handler)
        limiter.setLevel(level)


def write_event(event: str, stream: TextIO | None = None, **values: Any) -> None:  # noqa: ANN401 - JSON values
    """Write one JSON line.

    Parameters
    ----------
    event : str
        What happened.
    stream : file object, optional
        Where to; stderr unless given.
    **values
        JSON values.
    """
    line = {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "event": event, **values}
    print(json.dumps(line), file=stream or sys.stderr, flush=True)


def _write_line(stream: TextIO, progress: Progress) -> None:
    if progress.window:
        write_event(
            "window",
            stream,
            window=progress.window,
            windows_count=progress.windows_count,
            done_count=progress.done_count,
            failed_count=progress.failed_count,
            rows_count=progress.rows_count,
            requests_count=progress.requests_count,
            minutes_left=None if progress.minutes_left is None else round(progress.minutes_left, 1),
        )


@contextmanager
def _draw_bar(stream: TextIO, package: logging.Logger) -> Iterator[Callable[[Progress], None]]:
    with (
        logging_redirect_tqdm(loggers=[package]),
        tqdm(total=0, file=stream, desc="Fetching", bar_format=_BAR, leave=False) as bar,
    ):

        def draw(progress: Progress) -> None:
            bar.total = progress.windows_count
            left = progress.minutes_left
            shown = "" if left is None else f", about {_show_minutes(left)} left at the quota"
            bar.set_postfix_str(
                f"{progress.rows_count:,} rows, {progress.requests_count:,} requests{shown}",
                refresh=False,
            )
            bar.n = progress.done_count
            # At most ten times a second, as tqdm does by itself.
            bar.update(0)
            if progress.window:
                bar.refresh()

        yield draw


def _show_minutes(minutes: float) -> str:
    if minutes >= 90:
        return f"{minutes / 60:.1f} h"
    return f"{minutes:.0f} min" if minutes >= 1 else "1 min"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "event": "log",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(line)
