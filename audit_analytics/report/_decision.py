"""What a person decides about a finding, written into the file that keeps it."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal

from audit_analytics.dates.buckets import load_zone
from audit_analytics.dates.weeks import parse_week
from audit_analytics.errors import ConfigError
from audit_analytics.language import _, mark
from audit_analytics.report._escape import terminal
from audit_analytics.report._names import DECISIONS
from audit_analytics.review import (
    PARTS,
    Suppression,
    Verdict,
    append_suppression,
    append_verdict,
    draft_suppression,
    judge_finding,
    replay_suppression,
)
from audit_analytics.settings import name_nearest

WIDE: Final = ("entity", "detector")
"""What a suppression is limited to unless somebody says otherwise."""

_EFFECTS: Final = {
    "true": mark(
        "its calls leave the history of the weeks to come, and it is open until it is closed"
    ),
    "benign": mark(
        "its calls stay in the history of the weeks to come, and what is like it counts less"
    ),
    "closed": mark("it was confirmed and dealt with; its calls stay out of the history"),
}


@dataclass(frozen=True, kw_only=True)
class Decision:
    """An entry that was written; its text says what and where."""

    path: Path
    entry: Suppression | Verdict
    text: str  # what was done, safe for a terminal
    warning: str = ""  # what it does not do

    def __repr__(self) -> str:
        return "\n".join(filter(None, [self.text, self.warning]))


def suppress_finding(
    finding: Mapping[str, Any],
    path: Path,
    *,
    reason: str,
    until: str | date,
    zone: str,
    owner: str | None = None,
    parts: Sequence[str] = (),
) -> Decision:
    """Keep what a finding is about out of the reports until a day.

    Parameters
    ----------
    finding : mapping of str to Any
        The finding as it stands in findings.json.
    path : pathlib.Path
        The suppression file; made if it does not exist.
    reason : str
        Why it is expected.
    until : str or datetime.date
        Last day it covers, such as ``2026-12-31``.
    zone : str
        IANA name of the tenant's zone, on whose clocks days end.
    owner : str, optional
        Who answers for it; the login name if not given.
    parts : sequence of str, default=()
        What it is limited to, some of ``PARTS``; ``entity`` and ``detector`` if none is given.

    Returns
    -------
    Decision
        What was written; errors are those of :meth:`Report.suppress`.

    Raises
    ------
    ConfigError
        The reason is empty, the day is over or none, a part is unknown, the account has no login
        name, or the file cannot be understood or holds the entry already; it stays as it is.
    InputError
        The finding does not say which APIs or networks it is about.
    OSError
        The file cannot be written.
    """
    today, last = today_in(zone), _read_day(until)
    if last < today:
        raise ConfigError(f"until: {last} is over; name today or a later day")
    for part in parts:
        if part not in PARTS:
            raise ConfigError(f"scope: unknown part {part!r}; {name_nearest(str(part), PARTS)}")
    if not reason.strip():
        raise ConfigError("reason: is empty; say why, for whoever reviews it")
    entry = draft_suppression(
        finding,
        parts or WIDE,
        owner=owner or _login_name(),
        reason=reason.strip(),
        created=today,
        expires=last,
    )
    append_suppression(path, entry)
    count, hidden = replay_suppression(entry, finding)
    head = _(
        "{path}: {suppression_id} added, from the next weekly report on:",
        path=path,
        suppression_id=entry.suppression_id,
    )
    lines = [head]
    lines += [f"  {line}" for line in entry.to_toml().splitlines()]
    warning = _(
        "It covers {count} of the {all} reasons of {finding_id}; what is left is still reported.",
        count=count,
        all=len(finding["reasons"]),
        finding_id=finding["finding_id"],
    )
    return Decision(
        path=path,
        entry=entry,
        text="\n".join(map(terminal, lines)),
        warning="" if hidden else warning,
    )


def decide_finding(
    finding: Mapping[str, Any],
    path: Path,
    *,
    verdict: Literal["true", "benign", "closed"],
    week: str,
    zone: str,
    note: str = "",
    owner: str | None = None,
) -> Decision:
    """Keep what a finding turned out to be.

    Parameters
    ----------
    finding : mapping of str to Any
        The finding as it stands in findings.json.
    path : pathlib.Path
        The verdict file; made if it does not exist.
    verdict : {'true', 'benign', 'closed'}
        An attack or a fault, whose calls must not become usual; harmless; or confirmed and dealt with.
    week, zone : str
        ISO week of its report, and IANA name of the tenant's zone.
    note, owner : str, optional
        What was found out, and who decided it; the login name if not given.

    Returns
    -------
    Decision
        What was written; errors are those of :meth:`Report.verdict`.

    Raises
    ------
    ConfigError
        The account has no login name, or the file cannot be understood; it stays as it is.
    OSError
        The file cannot be written.
    """
    entry = judge_finding(
        finding,
        verdict,
        week=parse_week(week, zone=zone),
        note=note,
        owner=owner or _login_name(),
        created=today_in(zone),
    )
    append_verdict(path, entry)
    text = _(
        "{path}: {finding_id} is {decision}; {effect}",
        path=path,
        finding_id=finding["finding_id"],
        decision=_(DECISIONS[entry.verdict]),
        effect=_(_EFFECTS[verdict]),
    )
    lines = [text, finding["sentence"]]
    return Decision(path=path, entry=entry, text="\n".join(map(terminal, lines)))


def today_in(zone: str) -> date:
    """Return the day it is on the clocks of a zone.

    Parameters
    ----------
    zone : str
        IANA name.

    Returns
    -------
    datetime.date
        Today.
    """
    return datetime.now(load_zone(zone)).date()


def _read_day(until: str | date) -> date:
    if isinstance(until, date):
        return until.date() if isinstance(until, datetime) else until
    try:
        return date.fromisoformat(until)
    except (TypeError, ValueError):
        raise ConfigError(f"until: {until!r} is no day; write it like 2026-12-31") from None


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise ConfigError("owner: give it, since this account has no login name") from None
