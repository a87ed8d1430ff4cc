"""What a sync tells while it runs, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from audit_analytics.errors import AuditAnalyticsError, DataIncompleteError, InputError, RemoteError

if TYPE_CHECKING:
    from audit_analytics.store import Manifest
    from audit_analytics.sync._windows import Window


@dataclass(frozen=True)
class Progress:
    """How far a sync is."""

    windows_count: int
    done_count: int = 0  # windows read, and windows that failed
    failed_count: int = 0
    rows_count: int = 0  # events stored so far
    requests_count: int = 0  # requests sent so far
    # at the full quota, judged by the windows read so far; None before the first one
    minutes_left: float | None = None
    window: str = ""  # the window this is about, as an ISO interval; '' if it is about none


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
    # what the client noticed; see :class:`~audit_analytics.feishu.client.AuditLogClient`
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
        """Return what is to be reported where the sync is not complete; None if nothing is amiss.

        It says which windows are missing and how to go on, or that nobody knows where the log ends
        because the clocks disagree.
        """
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
