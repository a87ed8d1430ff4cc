"""The report as an object: shows itself in a notebook, writes itself to files."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from audit_analytics.errors import ConfigError, InputError
from audit_analytics.files import write_together
from audit_analytics.language import _, ngettext, say_number, use_language
from audit_analytics.report._decision import Decision, decide_finding, suppress_finding
from audit_analytics.report._escape import terminal
from audit_analytics.report._finding import Finding
from audit_analytics.report._listing import list_findings, say_notes
from audit_analytics.report._ocsf import FILE_NAME as OCSF_NAME
from audit_analytics.report._ocsf import check_ocsf, render_ocsf
from audit_analytics.report._tables import (
    EVIDENCE_COLUMNS,
    render_csv,
    render_evidence,
    render_json,
    tabulate_evidence,
    tabulate_findings,
    tabulate_stories,
)
from audit_analytics.review import name_stories
from audit_analytics.settings import Settings, find_beside, load_settings


class Report:
    """The findings of one week, with everything they rest on; parameters are attributes, too.

    Parameters
    ----------
    data : dict of str to Any
        The report dict, as ``findings.schema.json`` describes it.
    rejects : pandas.DataFrame
        Table :data:`audit_analytics.schema.REJECTS`.
    damaged : sequence of str, optional
        Files of the log that could not be read, with the reason.
    settings : Settings, optional
        What it was made with; they name the files of suppressions and verdicts.
    """

    def __init__(
        self,
        data: dict[str, Any],
        rejects: pd.DataFrame,
        *,
        damaged: Sequence[str] = (),
        settings: Settings | None = None,
    ) -> None:
        self.data = data
        self.rejects = rejects
        self.damaged = list(dict.fromkeys(damaged))
        self.settings = settings

    @cached_property
    def findings(self) -> pd.DataFrame:
        """Return the findings as a table: a row each by rank, with the columns of findings.csv.

        ``start_at`` and ``end_at`` are datetime64[us, UTC], ``detectors`` and ``attack`` (ids) lists.
        """
        return tabulate_findings(name_stories(self.data))

    @cached_property
    def stories(self) -> pd.DataFrame:
        """Return the findings that belong together, a row for each step of a story.

        ``at`` and ``end_at``, its first and last call, are datetime64[us, UTC].
        """
        return tabulate_stories(self.data.get("stories", []))

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """Return the log entries behind the findings, by rank and time, up to 20 each.

        ``at`` is datetime64[us, UTC], ``local`` text in the tenant's zone.
        """
        rows = [
            row | {"finding_id": finding["finding_id"], "rank": finding["rank"]}
            for finding in self.data["findings"]
            for row in finding["evidence"]["rows"]
        ]
        return tabulate_evidence(rows, EVIDENCE_COLUMNS)

    def finding(self, which: int | str) -> Finding:
        """Return one finding, which shows itself.

        Parameters
        ----------
        which : int or str
            Its rank, or its id; by its id a suppressed one is found, too.

        Returns
        -------
        Finding
            The finding, with all that findings.json says of it.

        Raises
        ------
        InputError
            The report has no such finding.
        """
        findings = self.data["findings"]
        for row in findings:
            if which in (row["rank"], row["finding_id"]):
                return Finding(row, self.data)
        for row in self.data["suppressed"]:
            if which == row["finding_id"]:
                return Finding(row, self.data)
        raise InputError(
            f"the report of {self.data['week']['iso']} has no finding {which!r}; it has "
            f"{len(findings):,}: name a rank or an id of report.findings"
        )

    def explain(self, which: int | str) -> str:
        """Tell the whole story of one finding.

        Parameters
        ----------
        which : int or str
            Its rank or its id, as for :meth:`finding`.

        Returns
        -------
        str
            Lines to print, safe for a terminal, in the report's language.

        Raises
        ------
        InputError
            The report has no such finding.
        """
        return self.finding(which).explain()

    def suppress(
        self,
        which: int | str,
        *,
        reason: str,
        until: str | date,
        owner: str | None = None,
        scope: Sequence[str] = (),
        path: str | Path | None = None,
    ) -> Decision:
        """Keep what a finding is about out of the reports to come, until a day.

        Adds the entry that ``audit-analytics suppress`` adds to the same file.

        Parameters
        ----------
        which : int or str
            Rank or id of the finding.
        reason : str
            Why it is expected.
        until : str or datetime.date
            Last day it covers, such as ``2026-12-31``.
        owner : str, optional
            Who answers for it; your login name if not given.
        scope : sequence of str, default=()
            What it is limited to: some of ``entity``, ``detector``, ``api`` and ``network``; the
            first two if none is given.
        path : str or pathlib.Path, optional
            The file; the one the settings name, else ``suppressions.toml`` in the current folder.

        Returns
        -------
        Decision
            What was written, and where.

        Raises
        ------
        InputError, ConfigError, OSError
            There is no such finding, or it does not say which APIs or networks it is about; a value or
            the file cannot be understood, or holds the entry already; or it cannot be written.
        """
        return suppress_finding(
            self.finding(which).data,
            self._find_file("suppressions", path),
            reason=reason,
            until=until,
            zone=self.data["tenant_zone"],
            owner=owner,
            parts=(scope,) if isinstance(scope, str) else scope,
        )

    def verdict(
        self,
        which: int | str,
        confirmed: bool,  # noqa: FBT001 - report.verdict(1, True) reads as it is said
        *,
        note: str = "",
        owner: str | None = None,
        path: str | Path | None = None,
    ) -> Decision:
        """Keep what a finding turned out to be.

        Adds the entry that ``audit-analytics verdict`` adds to the same file. The calls of a
        confirmed finding leave the history, so that the attack does not become usual.

        Parameters
        ----------
        which : int or str
            Rank or id of the finding.
        confirmed : bool
            True if it was confirmed, False if it was harmless.
        note, owner : str, optional
            What was found out, and who decided it; your login name if not given.
        path : str or pathlib.Path, optional
            The file; the one the settings name, else ``verdicts.toml`` in the current folder.

        Returns
        -------
        Decision
            What was written, and where.

        Raises
        ------
        InputError, ConfigError, OSError
            There is no such finding, a value or the file cannot be understood, or it cannot be written.
        """
        if not isinstance(confirmed, bool):
            raise ConfigError(
                f"verdict: cannot be {confirmed!r}; give True if it was confirmed, False if it was "
                "harmless"
            )
        return decide_finding(
            self.finding(which).data,
            self._find_file("verdicts", path),
            verdict="true" if confirmed else "benign",
            week=self.data["week"]["iso"],
            zone=self.data["tenant_zone"],
            note=note,
            owner=owner,
        )

    def _find_file(self, name: str, path: str | Path | None) -> Path:
        if path is not None:
            return Path(path)
        settings = self.settings or load_settings()
        return getattr(settings, name) or find_beside(None, name)

    def write(self, out_dir: str | Path, *, ocsf: bool | None = None) -> dict[str, Path]:
        """Write the report in every format; the same report gives the same bytes.

        Only their owner may read the files: they tell who called what from where.

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
        OSError, ConfigError
            They cannot be written, and an old report is whole; or the extra is not installed.
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

    def lines(
        self, *, width: int | None = None, colour: Callable[[str, str], str] | None = None
    ) -> list[str]:
        """Return one line per finding, safe to print to a terminal.

        Parameters
        ----------
        width : int, optional
            Columns to break at, what follows indented; none if not given.
        colour : callable, optional
            ``colour(text, code)`` marks a text for a severity or for ``new``.

        Returns
        -------
        list of str
            Rank, id, severity, marks and sentence; the verdict if there is no finding.
        """
        if not self.data["findings"]:
            return [terminal(self.data["verdict"])]
        with use_language(self.data["lang"]):
            return list_findings(self.data, width, colour)

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
            What the week was compared with, what is resolved or suppressed, and the like.
        """
        with use_language(self.data["lang"]):
            return [terminal(note) for note in say_notes(self.data)]

    def _repr_html_(self) -> str:
        from audit_analytics.report._html import render_notebook  # noqa: PLC0415 - loads matplotlib

        return render_notebook(self.data)


def write_report(
    report: dict[str, Any], out_dir: Path, *, ocsf: bool | None = None
) -> dict[str, Path]:
    """Write a report: see :meth:`Report.write`."""
    # importing a report stays cheap
    from audit_analytics.report._html import render_html  # noqa: PLC0415
    from audit_analytics.report._markdown import render_markdown  # noqa: PLC0415

    texts = {
        "report.html": render_html(report),
        "report.md": render_markdown(report),
        "findings.json": render_json(report),
        "findings.csv": render_csv(report),
        "evidence.csv": render_evidence(report),
    }
    if check_ocsf(required=ocsf):
        texts[OCSF_NAME] = render_ocsf(report)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_together(out_dir, {name: text.encode() for name, text in texts.items()})
    if OCSF_NAME not in texts:
        # one of before would tell of another run
        (out_dir / OCSF_NAME).unlink(missing_ok=True)
    return {name: out_dir / name for name in texts}
