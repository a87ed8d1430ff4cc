"""The report as an object: shows itself in a notebook, writes itself to files."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from audit_analytics.errors import InputError
from audit_analytics.language import _, ngettext, say_number, use_language
from audit_analytics.report import write_report
from audit_analytics.report.columns import pad
from audit_analytics.report.csv_file import EVIDENCE_COLUMNS
from audit_analytics.report.escape import terminal
from audit_analytics.report.names import say_code
from audit_analytics.report.story import tell_finding

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS = [
    "rank",
    "severity",
    "entity_type",
    "entity",
    "kind",
    "title",
    "sentence",
    "start_at",
    "end_at",
    "observed",
    "expected",
    "expected_per_week",
    "policy_severity",
    "detectors",
    "finding_id",
]


class Report:
    """The findings of one week, with everything they rest on.

    Parameters
    ----------
    data : dict of str to Any
        The report dict, as ``findings.schema.json`` describes it.
    rejects : pandas.DataFrame
        Table :data:`audit_analytics.schema.REJECTS`.
    damaged : sequence of str, optional
        Files of the log that could not be read, with the reason.

    Attributes
    ----------
    data : dict of str to Any
        The report dict.
    rejects : pandas.DataFrame
        Rows of the log that could not be read.
    damaged : list of str
        Files of the log that could not be read, with the reason.
    """

    def __init__(
        self, data: dict[str, Any], rejects: pd.DataFrame, *, damaged: Sequence[str] = ()
    ) -> None:
        self.data = data
        self.rejects = rejects
        self.damaged = list(dict.fromkeys(damaged))

    @cached_property
    def findings(self) -> pd.DataFrame:
        """Return the findings as a table.

        Returns
        -------
        pandas.DataFrame
            One row per finding by rank; ``start_at`` and ``end_at`` are datetime64[us, UTC].
        """
        table = pd.DataFrame(self.data["findings"], columns=_COLUMNS)
        for name in ("start_at", "end_at"):
            table[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[us, UTC]")
        return table

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """Return the log entries behind the findings, up to 20 each.

        Returns
        -------
        pandas.DataFrame
            One row per finding and log entry, by rank and time; ``id`` is that of
            :data:`audit_analytics.schema.EVENTS`, ``at`` is datetime64[us, UTC], ``local`` text in
            the tenant's zone.
        """
        rows = [
            row | {"finding_id": finding["finding_id"], "rank": finding["rank"]}
            for finding in self.data["findings"]
            for row in finding["evidence"]["rows"]
        ]
        table = pd.DataFrame(rows, columns=list(EVIDENCE_COLUMNS))
        table["at"] = pd.to_datetime(table["at"], utc=True).astype("datetime64[us, UTC]")
        return table

    def finding(self, which: int | str) -> dict[str, Any]:
        """Return everything about one finding.

        Parameters
        ----------
        which : int or str
            Its rank, or its id.

        Returns
        -------
        dict of str to Any
            The finding, as ``findings.schema.json`` describes it.

        Raises
        ------
        InputError
            The report has no such finding.
        """
        for row in self.data["findings"]:
            if which in (row["rank"], row["finding_id"]):
                found: dict[str, Any] = row
                return found
        count = len(self.data["findings"])
        raise InputError(
            f"the report of {self.data['week']['iso']} has no finding {which!r}; it has "
            f"{count:,}: name a rank or an id of report.findings"
        )

    def explain(self, which: int | str) -> str:
        """Tell the whole story of one finding.

        Parameters
        ----------
        which : int or str
            Its rank, or its id.

        Returns
        -------
        str
            Lines to print, safe for a terminal, in the report's language.

        Raises
        ------
        InputError
            The report has no such finding.
        """
        found = self.finding(which)
        shown, more = found["evidence"]["rows"], found["evidence"]["more_count"]
        with use_language(self.data["lang"]):
            return tell_finding(found, self.data, rows=shown, more_count=more)

    def write(self, out_dir: str | Path, *, ocsf: bool | None = None) -> dict[str, Path]:
        """Write the report in every format.

        Parameters
        ----------
        out_dir : str or pathlib.Path
            Folder; made if it does not exist.
        ocsf : bool, optional
            Whether findings.ocsf.jsonl is written; if the extra ``ocsf`` is installed, unless
            given.

        Returns
        -------
        dict of str to pathlib.Path
            Path of each file by its name.

        Raises
        ------
        OSError
            The folder or a file cannot be written.
        ConfigError
            `ocsf` is asked for, and its extra is not installed.
        """
        return write_report(self.data, Path(out_dir), ocsf=ocsf)

    def __repr__(self) -> str:
        week, coverage = self.data["week"], self.data["coverage"]
        with use_language(self.data["lang"]):
            lines = [
                _(
                    "Report of {week} ({start} to {end}, {zone})",
                    week=week["iso"],
                    start=week["start_local"],
                    end=week["end_local"],
                    zone=self.data["tenant_zone"],
                ),
                ngettext(
                    "{n} event, {covered} of {hours} hours covered",
                    "{n} events, {covered} of {hours} hours covered",
                    coverage["week_events_count"],
                    covered=say_number(coverage["hours_covered_count"]),
                    hours=say_number(coverage["hours_expected_count"]),
                ),
            ]
        return "\n".join([*lines, *self.lines()])

    def lines(self) -> list[str]:
        """Return one line per finding, safe to print to a terminal.

        Returns
        -------
        list of str
            Rank, severity and sentence; the verdict if there is no finding.
        """
        if not self.data["findings"]:
            return [terminal(self.data["verdict"])]
        with use_language(self.data["lang"]):
            return [
                f"{finding['rank']:>3}  {pad(say_code(finding['severity']), 8)}  "
                f"{terminal(finding['sentence'])}"
                for finding in self.data["findings"]
            ]

    def count_rows(self, rejects_path: Path) -> list[str]:
        """Say how many rows were read and what became of them, safe to print to a terminal.

        Parameters
        ----------
        rejects_path : pathlib.Path
            Where the rejected rows are written.

        Returns
        -------
        list of str
            A line, and one more if rows were rejected.
        """
        coverage = self.data["coverage"]
        with use_language(self.data["lang"]):
            lines = [
                _(
                    "{rows} rows read: {events} events, {duplicates} duplicates, {rejects} rejected.",
                    rows=say_number(coverage["rows_read_count"]),
                    events=say_number(coverage["events_count"]),
                    duplicates=say_number(coverage["duplicates_count"]),
                    rejects=say_number(coverage["rejects_count"]),
                )
            ]
            if len(self.rejects):
                lines.append(_("Rejected rows and why: {path}", path=rejects_path))
        return [terminal(line) for line in lines]

    def notes(self) -> list[str]:
        """Return what to know beside the findings, safe to print to a terminal.

        Returns
        -------
        list of str
            What the week was compared with, what is resolved or suppressed, and suppressions
            that have expired.
        """
        with use_language(self.data["lang"]):
            return [terminal(note) for note in self._say_notes()]

    def _say_notes(self) -> list[str]:
        data = self.data
        notes = [data["compared_with"]["text"]]
        shown = {finding["finding_id"] for finding in data["findings"]}
        in_part = sum(finding["finding_id"] in shown for finding in data["suppressed"])
        resolved, suppressed = len(data["resolved"]), len(data["suppressed"]) - in_part
        if resolved:
            text = ngettext(
                "{n} finding of {week} is resolved.",
                "{n} findings of {week} are resolved.",
                resolved,
                week=data["compared_with"]["week"],
            )
            notes.append(text)
        if suppressed:
            notes.append(
                ngettext("{n} finding is suppressed.", "{n} findings are suppressed.", suppressed)
            )
        if in_part:
            notes.append(
                ngettext(
                    "{n} finding is suppressed in part.",
                    "{n} findings are suppressed in part.",
                    in_part,
                )
            )
        notes += [
            _(
                "The suppression {suppression_id} expired on {day} and covers nothing since: {reason}",
                suppression_id=entry["suppression_id"],
                day=entry["expires"],
                reason=entry["reason"],
            )
            for entry in data["suppressions"]
            if entry["status"] == "expired"
        ]
        return notes

    def _repr_html_(self) -> str:
        from audit_analytics.report.html import render_notebook  # noqa: PLC0415 - loads matplotlib

        return render_notebook(self.data)
