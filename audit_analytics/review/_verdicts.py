"""Verdicts: what a person found out about a finding, kept in a TOML file.

A confirmed finding (``true``) leaves the history: its calls must not become what is usual, or the
second week of an attack would pass for normal; it is open until a later verdict says ``closed``.
The calls of a harmless one (``benign``) stay and teach (see :mod:`audit_analytics.review._parting`).
A verdict carries all it needs to know about the calls, so that old reports may be thrown away. Of
several on one finding the last one counts.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from audit_analytics.dates.weeks import Week, parse_week
from audit_analytics.review._scope import Scope, cover_reason, read_scope
from audit_analytics.review._toml_file import append_entry, quote_toml, read_entries

TABLE: Final = "verdict"


class VerdictCalls(BaseModel):
    """Calls a verdict is about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start_at: AwareDatetime = Field(description="from when, UTC")
    end_at: AwareDatetime = Field(description="to when, UTC, the end excluded")
    scope: dict[str, tuple[str, ...]] = Field(description="column of the events to its values")
    detector: str = Field("", description="what spoke of them")
    observed: float = Field(0.0, description="how many it counted, in its unit")


class Verdict(BaseModel):
    """One entry of the verdict file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    finding: str = Field(min_length=1, description="id of the finding")
    verdict: Literal["true", "benign", "closed"] = Field(
        description="confirmed; harmless; or confirmed, and dealt with"
    )
    note: str = Field("", description="what was found out")
    owner: str = Field("", description="who decided it")
    created: date = Field(description="day it was decided")
    week: str = Field(description="ISO week of the finding")
    entity_type: str = Field(description="app, ip, network, api or tenant")
    entity: str = Field(description="which one")
    calls: tuple[VerdictCalls, ...] = Field((), description="the calls it is about")

    @property
    def told(self) -> dict[str, Any]:
        """What a report says of the verdict: ``verdict``, ``note``, ``owner`` and ``created``."""
        return self.model_dump(mode="json", include={"verdict", "note", "owner", "created"})


def _write_entry(verdict: Verdict) -> str:
    """Write the entry as it stands in the file, whatever the names are."""
    names = ("finding", "verdict", "note", "owner", "week", "entity_type", "entity")
    lines = [f"[[{TABLE}]]", f"created = {verdict.created.isoformat()}"]
    lines += [f"{name} = {quote_toml(getattr(verdict, name))}" for name in names]
    for calls in verdict.calls:
        columns = ", ".join(
            f"{quote_toml(column)} = [{', '.join(map(quote_toml, values))}]"
            for column, values in calls.scope.items()
        )
        lines += [
            "",
            f"[[{TABLE}.calls]]",
            f"start_at = {_write_instant(calls.start_at)}",
            f"end_at = {_write_instant(calls.end_at)}",
            f"scope = {{ {columns} }}",
            f"detector = {quote_toml(calls.detector)}",
            f"observed = {calls.observed!r}",
        ]
    return "\n".join(lines)


def _write_instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def judge_finding(
    finding: Mapping[str, Any],
    verdict: Literal["true", "benign", "closed"],
    *,
    week: Week,
    note: str,
    owner: str,
    created: date,
) -> Verdict:
    """Make a verdict on a finding, with the calls that belong to its reasons.

    Parameters
    ----------
    finding : mapping of str to Any
        The finding as it stands in findings.json.
    verdict : {'true', 'benign', 'closed'}
        Confirmed; harmless; or confirmed, and dealt with.
    week : Week
        The week of its report.
    note, owner : str
        What was found out, and by whom.
    created : datetime.date
        Today on the tenant's clocks.

    Returns
    -------
    Verdict
        The entry.
    """
    covered = [(cover_reason(reason, until=week.end_at), reason) for reason in finding["reasons"]]
    calls = [
        scope.to_dict() | {"detector": reason["detector"], "observed": float(reason["observed"])}
        for scope, reason in covered
        if scope.start_at < scope.end_at
    ]
    return Verdict.model_validate(
        {name: finding[name] for name in ("entity_type", "entity")}
        | {"finding": finding["finding_id"], "verdict": verdict, "note": note, "owner": owner}
        | {"created": created, "week": week.iso}
        | {"calls": [entry for n, entry in enumerate(calls) if entry not in calls[:n]]}
    )


def read_verdicts(path: Path) -> dict[str, Verdict]:
    """Read a verdict file; a ConfigError if it cannot be understood.

    Parameters
    ----------
    path : pathlib.Path
        TOML file of ``[[verdict]]`` entries.

    Returns
    -------
    dict of str to Verdict
        The last verdict on each finding, by its id.

    Raises
    ------
    ConfigError
        The file cannot be read, a name in it is unknown, or a value cannot be understood.
    """
    return {entry.finding: entry for entry in read_entries(path, TABLE, Verdict)}


def append_verdict(path: Path, verdict: Verdict) -> None:
    """Add a verdict to the file, or raise a ConfigError if what stands there cannot be understood.

    Parameters
    ----------
    path : pathlib.Path
        TOML file; made if it does not exist.
    verdict : Verdict
        What was decided.

    Raises
    ------
    ConfigError
        The file cannot be understood; it stays as it is.
    OSError
        The file cannot be written.
    """
    append_entry(path, _write_entry(verdict), TABLE, Verdict)


def list_confirmed(verdicts: Sequence[Verdict], week: Week) -> list[Scope]:
    """List the calls before the report week that confirmed findings are about, of the last `verdicts`."""
    found = [
        read_scope(calls.model_dump())
        for entry in verdicts
        if entry.verdict != "benign"
        and parse_week(entry.week, zone=week.zone).end_at <= week.start_at
        for calls in entry.calls
    ]
    # several reasons may be about the same calls
    return [scope for place, scope in enumerate(found) if scope not in found[:place]]
