"""What a sync tells while it runs, and what came of it: a bar, or JSON lines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import numpy as np
import pandas as pd
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from audit_analytics.catalogue import Catalogue
from audit_analytics.errors import AuditAnalyticsError, DataIncompleteError, InputError, RemoteError
from audit_analytics.source import Log, read_log
from audit_analytics.store import Manifest
from audit_analytics.sync._windows import Window


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a sync is."""

    window: str = ""  # the window this is about, as an ISO interval; '' if it is about none
    windows_count: int
    done_count: int = 0  # windows read, and windows that failed
    failed_count: int = 0
    rows_count: int = 0  # events stored so far
    requests_count: int = 0  # requests sent so far
    # at the full quota, judged by the windows read so far; None before the first one
    minutes_left: float | None = None


@dataclass
class SyncResult:
    """What came of a sync."""

    planned: list[Window]
    # what was stored; more than were planned if some had to be halved
    stored: list[Manifest] = field(default_factory=list)
    failed: dict[Window, str] = field(default_factory=dict)  # windows that failed, and why
    stopped: AuditAnalyticsError | None = None  # why the sync stopped before its end
    # windows that were due and are not stored, the failed ones among them
    missing: list[Window] = field(default_factory=list)
    removed_count: int = 0  # windows removed because of their age
    # windows that were read again because rows came later than expected, and how many had
    late: dict[Window, int] = field(default_factory=dict)
    clock: str = ""  # how this machine's clock disagrees with the platform's; empty if it does not
    is_open: bool = True  # whether it was to read up to now, whenever that is
    # what the client noticed; see :class:`~audit_analytics.feishu.AuditLogClient`
    counts: dict[str, int] = field(default_factory=dict)

    def summarise(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "planned_count": len(self.planned),
            "stored_count": len(self.planned) - len(self.missing),
            "rows_count": sum(manifest.rows_count for manifest in self.stored),
            "rejects_count": sum(manifest.rejects_count for manifest in self.stored),
            "removed_count": self.removed_count,
            "late": {str(window): number for window, number in self.late.items()},
            "clock": self.clock or None,
            "missing": [str(window) for window in self.missing],
            "failed": {str(window): reason for window, reason in self.failed.items()},
            "stopped": str(self.stopped) if self.stopped else None,
            "noticed": {name: number for name, number in sorted(self.counts.items()) if number},
        }

    def describe(self) -> str:
        """Return the result as one line, for people."""
        if not self.planned:
            return "Nothing is due: the store is up to date."
        about = self.summarise()
        removed = f", {about['removed_count']:,} old windows removed" if self.removed_count else ""
        rejects = f", {about['rejects_count']:,} unreadable" if about["rejects_count"] else ""
        return (
            f"{about['stored_count']:,} of {about['planned_count']:,} windows stored: "
            f"{about['rows_count']:,} events{rejects}, {self.counts.get('requests', 0):,} requests"
            f"{removed}{self._describe_late()}."
        )

    def _describe_late(self) -> str:
        if not self.late:
            return ""
        return (
            f"; {sum(self.late.values()):,} of them had come late, into {len(self.late):,} windows "
            "that were read before"
        )

    def find_error(self) -> AuditAnalyticsError | None:
        """Return what is missing and how to go on, as an error; None if nothing is amiss."""
        clock = f". Also, {self.clock}" if self.clock else ""
        if self.stopped is None and not self.missing:
            return DataIncompleteError(self.clock) if self.clock and self.is_open else None
        done = len(self.planned) - len(self.missing)
        state = (
            f"{done:,} of {len(self.planned):,} windows are stored, {len(self.missing):,} are missing"
            f"{_list_windows(self.missing)}; run the same command again to fetch them{clock}"
        )
        if self.stopped is None:
            # where not one window came, it is not the log that has a hole
            failed = DataIncompleteError if done else RemoteError
            return failed(f"{next(iter(self.failed.values()), 'stopped')}. {state}")
        kind = RemoteError if isinstance(self.stopped, RemoteError) else InputError
        return kind(f"{self.stopped}. {state}")


def _list_windows(windows: list[Window]) -> str:
    shown = ", ".join(map(str, windows[:5]))
    return f" ({shown}{', ...' if len(windows) > 5 else ''})" if windows else ""


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
        Takes each :class:`~audit_analytics.sync._progress.Progress`.
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
        left = progress.minutes_left
        shown = asdict(progress) | {"minutes_left": None if left is None else round(left, 1)}
        write_event("window", stream, **shown)


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


def flatten_items(
    items: list[Any], source: str, catalogue: Catalogue, *, keeps_texts: bool = False
) -> Log:
    """Flatten the items of a window, whatever they are; what is no object becomes a reject."""
    # A list of texts would be taken for paths.
    rows = [item if isinstance(item, dict) else {"item": item} for item in items]
    log = read_log(rows, catalogue=catalogue, keeps_texts=keeps_texts)
    for frame in (log.events, log.rejects):
        frame["source"] = pd.Categorical.from_codes(np.zeros(len(frame), int), pd.Index([source]))
    return log
