"""The commands about findings: ``explain``, ``suppress``, ``verdict`` and ``replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from audit_analytics.cli.common import CONFIG, FOLDER, VERBOSE, reports_errors, say_damaged

FINDING = click.argument("finding")
REPORTS = click.option(
    "--reports",
    type=FOLDER,
    default=Path("reports"),
    show_default=True,
    help="Folder of the weekly reports.",
)
SCOPE = click.option(
    "--scope",
    "parts",
    type=click.Choice(["entity", "detector", "api", "network"]),
    multiple=True,
    help="What it is limited to; entity and detector if not given.",
)
OWNER = click.option("--owner", help="Who answers for it; your login name if not given.")


@click.command()
@FINDING
@REPORTS
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    help="Log or store to read the calls from; else the report's own evidence is shown.",
)
@click.option(
    "--rows", type=click.IntRange(1), default=50, show_default=True, help="Calls to show of --log."
)
@click.option(
    "--lang",
    type=click.Choice(["en", "zh"]),
    help="Language of the labels; the report's own, which its sentences have, if not given.",
)
@CONFIG
@VERBOSE
@reports_errors
def explain(
    *,
    finding: str,
    reports: Path,
    log: Path | None,
    rows: int,
    lang: str | None,
    config: Path | None,
) -> None:
    """Tell the whole story of a FINDING, with its evidence.

    FINDING is an id, its first four or more characters, or the rank in the latest report.
    """
    from audit_analytics.report.names import speak_as
    from audit_analytics.report.story import tell_finding
    from audit_analytics.review.reports import find_finding

    report, found = find_finding(reports, finding)
    shown, more = found["evidence"]["rows"], found["evidence"]["more_count"]
    if log is not None:
        shown, more = _fetch_rows(log, report, found, rows, config)
    with speak_as(report | ({"lang": lang} if lang else {})):
        click.echo(
            tell_finding(found, report, rows=shown, more_count=more, with_objects=log is not None)
        )


def _fetch_rows(
    log: Path, report: dict[str, Any], found: dict[str, Any], rows: int, config: Path | None
) -> tuple[list[dict[str, Any]], int]:
    from audit_analytics.dates.weeks import parse_week
    from audit_analytics.errors import DataIncompleteError
    from audit_analytics.findings.finding import show_event
    from audit_analytics.intake import count_log
    from audit_analytics.report.escape import terminal
    from audit_analytics.review.reports import read_hits, read_through
    from audit_analytics.settings import load_settings

    click.echo(f"Reading {log} ...", err=True)
    counted = count_log(log, load_settings(config))
    source = counted.evidence
    zone = report["tenant_zone"]
    week = parse_week(report["week"]["iso"], zone=zone)
    evidence = source.fetch(
        [*read_hits(found), *read_through(found)],
        start=week.start_at,
        end=week.end_at,
        rows_max=rows,
    )
    if evidence.rows.empty and found["evidence"]["ids"]:
        raise DataIncompleteError(
            f"{log}: holds none of the calls of {found['finding_id']}; name the log or store that "
            f"covers {week.iso}"
        )
    if counted.damaged:
        click.echo(terminal(say_damaged(log, counted.damaged)), err=True)
    shown = [show_event(row, zone) for _, row in evidence.rows.iterrows()]
    return shown, evidence.calls_count - len(shown)


@click.command()
@FINDING
@click.option("--reason", required=True, help="Why it is expected.")
@click.option("--until", required=True, metavar="2026-12-31", help="Last day it covers.")
@OWNER
@SCOPE
@REPORTS
@CONFIG
@VERBOSE
@reports_errors
def suppress(
    *,
    finding: str,
    reason: str,
    until: str,
    owner: str | None,
    parts: tuple[str, ...],
    reports: Path,
    config: Path | None,
) -> None:
    """Keep what a FINDING is about out of the reports until a day.

    Adds a reviewed entry to suppressions.toml. FINDING is an id, its first four or more
    characters, or the rank in the latest report.
    """
    from audit_analytics.report.decision import suppress_finding
    from audit_analytics.review.reports import find_finding
    from audit_analytics.settings import find_beside, load_settings

    settings = load_settings(config)
    _, found = find_finding(reports, finding)
    made = suppress_finding(
        found,
        settings.suppressions or find_beside(config, "suppressions"),
        reason=reason,
        until=until,
        zone=settings.tenant_zone,
        owner=owner,
        parts=parts,
    )
    click.echo(made.text)
    if made.warning:
        click.echo(made.warning, err=True)


@click.command()
@FINDING
@click.argument("outcome", metavar="true|benign", type=click.Choice(["true", "benign"]))
@click.option("--note", default="", help="What was found out.")
@OWNER
@REPORTS
@CONFIG
@VERBOSE
@reports_errors
def verdict(
    *,
    finding: str,
    outcome: str,
    note: str,
    owner: str | None,
    reports: Path,
    config: Path | None,
) -> None:
    """Keep what a FINDING turned out to be: true, or benign.

    The calls of a true finding leave the history, so that the attack does not become usual; those
    of a benign one stay. Kept in verdicts.toml. FINDING is an id, its first four or more
    characters, or the rank in the latest report.
    """
    from audit_analytics.report.decision import decide_finding
    from audit_analytics.review.reports import find_finding
    from audit_analytics.settings import find_beside, load_settings

    settings = load_settings(config)
    report, found = find_finding(reports, finding)
    made = decide_finding(
        found,
        settings.verdicts or find_beside(config, "verdicts"),
        confirmed=outcome == "true",
        week=report["week"]["iso"],
        zone=report["tenant_zone"],
        note=note,
        owner=owner,
    )
    click.echo(made.text)


@click.command()
@click.argument("finding", required=False)
@SCOPE
@REPORTS
@CONFIG
@VERBOSE
@reports_errors
def replay(
    *, finding: str | None, parts: tuple[str, ...], reports: Path, config: Path | None
) -> None:
    """Show what suppressions would have hidden in the reports so far.

    Without FINDING every entry of suppressions.toml is tried, whether it has expired or not; with
    it the entry that suppress would write.
    """
    from audit_analytics.errors import ConfigError
    from audit_analytics.report.decision import today_in
    from audit_analytics.report.story import tell_replay
    from audit_analytics.review.partition import replay_suppression
    from audit_analytics.review.reports import find_finding, list_reports, read_report
    from audit_analytics.review.suppression import draft_suppression, read_suppressions
    from audit_analytics.settings import load_settings

    settings = load_settings(config)
    if finding is not None:
        today = today_in(settings.tenant_zone)
        _, found = find_finding(reports, finding)
        chosen = parts or ("entity", "detector")
        entries = [
            draft_suppression(
                found, chosen, owner="-", reason="not written yet", created=today, expires=today
            )
        ]
    elif settings.suppressions is None:
        raise ConfigError(
            "there is no suppressions.toml; name a finding to try, or write one with: "
            "audit-analytics suppress"
        )
    else:
        entries = read_suppressions(settings.suppressions)
    told = [read_report(path) for path in reversed(list_reports(reports))]
    many = "report" if len(told) == 1 else "reports"
    click.echo(f"{len(told)} {many} in {reports}", err=True)
    for entry in entries:
        rows = []
        for report in told:
            shown = {row["finding_id"]: row for row in report["suppressed"]}
            shown |= {row["finding_id"]: row for row in report["findings"]}
            for row in shown.values():
                count, hidden = replay_suppression(entry, row)
                if count:
                    rows.append((report["week"]["iso"], row, count, hidden))
        values = entry.model_dump(mode="json") | {"suppression_id": entry.suppression_id}
        click.echo(tell_replay(values, rows))
