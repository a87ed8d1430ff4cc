"""The commands about findings: ``findings``, ``explain``, ``suppress``, ``verdict``, ``replay``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from audit_analytics.cli._common import (
    CONFIG,
    FOLDER,
    JSON,
    paint,
    reports_errors,
    say_damaged,
    screen_width,
    takes_settings,
)
from audit_analytics.language import _, ngettext, use_language

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from audit_analytics.settings import Settings


def _complete(
    context: click.Context, _argument: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the findings of the latest report to a shell."""
    from click.shell_completion import CompletionItem

    from audit_analytics.errors import AuditAnalyticsError
    from audit_analytics.review import list_reports, read_report

    try:
        paths = list_reports(Path(context.params.get("reports") or "reports"))
        rows = read_report(paths[0])["findings"] if paths else []
    except (AuditAnalyticsError, OSError):
        return []
    return [
        CompletionItem(row["finding_id"], help=f"{row['rank']} {row['title']}")
        for row in rows
        if row["finding_id"].startswith(incomplete)
    ]


FINDING = click.argument("finding", shell_complete=_complete)
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
@REPORTS
@click.option("--all", "is_all", is_flag=True, help="Also those that were found harmless.")
@click.option("--watch", "is_watch", is_flag=True, help="The watch list of the latest report.")
@JSON
@takes_settings
def findings(
    *, reports: Path, is_all: bool, is_watch: bool, as_json: bool, settings: Settings
) -> None:
    """List the findings that are open: of the latest report, and those confirmed before.

    A finding is open until it is found harmless, or confirmed and then closed.
    """
    from audit_analytics.report import list_findings, tell_watched
    from audit_analytics.review import list_open, list_reports, read_report, read_verdicts

    report = next(map(read_report, list_reports(reports)), None)
    if is_watch:
        shown = report["watch"]["rows"] if report else []
        with use_language(settings.lang):
            lines = json.dumps(shown, indent=2) if as_json else "\n".join(map(tell_watched, shown))
            click.echo(lines or _("Nothing is on the watch list."))
        return
    verdicts = read_verdicts(settings.verdicts) if settings.verdicts else {}
    rows = list_open(reports, verdicts, is_all=is_all)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    with use_language(settings.lang):
        newest = {row["finding_id"] for row in report["findings"]} if report else set()
        # a rank is one of the latest report; a story is told where any of its findings is open
        told = {
            "findings": [
                row if row["finding_id"] in newest else row | {"rank": ""} for row in rows
            ],
            "stories": report.get("stories", []) if report else [],
        }
        for line in list_findings(told, screen_width(), paint):
            click.echo(line)
        if not rows:
            click.echo(_("Nothing is open."))


@click.command()
@FINDING
@REPORTS
@JSON
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
@reports_errors
def explain(
    *,
    finding: str,
    reports: Path,
    as_json: bool,
    log: Path | None,
    rows: int,
    lang: str | None,
    config: Path | None,
) -> None:
    """Tell the whole story of a FINDING, with its evidence.

    FINDING is an id, its first four or more characters, or the rank in the latest report; or the
    id of a story.
    """
    from audit_analytics.report import speak_as, tell_finding, tell_story
    from audit_analytics.review import find_finding, find_story

    if finding.startswith("s-"):
        report, story = find_story(reports, finding)
        with speak_as(report | ({"lang": lang} if lang else {})):
            click.echo(json.dumps(story, indent=2) if as_json else tell_story(story))
        return
    report, found = find_finding(reports, finding)
    shown, more = found["evidence"]["rows"], found["evidence"]["more_count"]
    said = report | ({"lang": lang} if lang else {})
    if log is not None:
        with use_language(said["lang"]):
            shown, more = _fetch_rows(log, report, found, rows, config)
    if as_json:
        evidence = {"ids": [row["id"] for row in shown], "rows": shown, "more_count": more}
        click.echo(json.dumps(found | {"evidence": evidence}, indent=2))
        return
    with speak_as(said):
        click.echo(
            tell_finding(found, report, rows=shown, more_count=more, with_objects=log is not None)
        )


def _fetch_rows(
    log: Path, report: dict[str, Any], found: dict[str, Any], rows: int, config: Path | None
) -> tuple[list[dict[str, Any]], int]:
    from audit_analytics.dates.weeks import parse_week
    from audit_analytics.errors import DataIncompleteError
    from audit_analytics.findings import show_event
    from audit_analytics.intake import count_log
    from audit_analytics.report import terminal
    from audit_analytics.review import read_hits, read_through
    from audit_analytics.settings import load_settings

    click.echo(_("Reading {path} ...", path=log), err=True)
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
    shown = [show_event(row, zone) for row in evidence.rows.to_dict("records")]
    return shown, evidence.calls_count - len(shown)


@click.command()
@FINDING
@click.option("--reason", required=True, help="Why it is expected.")
@click.option("--until", required=True, metavar="2026-12-31", help="Last day it covers.")
@OWNER
@SCOPE
@REPORTS
@CONFIG
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
    from audit_analytics.report import suppress_finding
    from audit_analytics.review import find_finding
    from audit_analytics.settings import find_beside, load_settings

    settings = load_settings(config)
    _report, found = find_finding(reports, finding)
    with use_language(settings.lang):
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
@click.argument("outcome", type=click.Choice(["true", "benign", "closed"]))
@click.option("--note", default="", help="What was found out.")
@OWNER
@REPORTS
@CONFIG
@reports_errors
def verdict(
    *,
    finding: str,
    outcome: Literal["true", "benign", "closed"],
    note: str,
    owner: str | None,
    reports: Path,
    config: Path | None,
) -> None:
    """Keep what a FINDING turned out to be: true, benign, or true and closed.

    The calls of a true finding leave the history, so that the attack does not become usual, and it
    stays open until it is closed. Those of a benign one stay, and what is like it counts less from
    then on. Kept in verdicts.toml. FINDING is an id, its first four or more
    characters, or the rank in the latest report.
    """
    from audit_analytics.report import decide_finding
    from audit_analytics.review import find_finding
    from audit_analytics.settings import find_beside, load_settings

    settings = load_settings(config)
    report, found = find_finding(reports, finding)
    with use_language(settings.lang):
        made = decide_finding(
            found,
            settings.verdicts or find_beside(config, "verdicts"),
            verdict=outcome,
            week=report["week"]["iso"],
            zone=report["tenant_zone"],
            note=note,
            owner=owner,
        )
    click.echo(made.text)


@click.command()
@click.argument("finding", required=False, shell_complete=_complete)
@SCOPE
@REPORTS
@JSON
@takes_settings
def replay(
    *, finding: str | None, parts: tuple[str, ...], reports: Path, as_json: bool, settings: Settings
) -> None:
    """Show what suppressions would have hidden in the reports so far.

    Without FINDING every entry of suppressions.toml is tried, whether it has expired or not; with
    it the entry that suppress would write.
    """
    from audit_analytics.errors import ConfigError
    from audit_analytics.report import tell_replay, today_in
    from audit_analytics.review import (
        draft_suppression,
        find_finding,
        list_reports,
        read_report,
        read_suppressions,
        replay_suppression,
    )

    if finding is not None:
        today = today_in(settings.tenant_zone)
        _report, found = find_finding(reports, finding)
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
    with use_language(settings.lang):
        text = ngettext(
            "{n} report in {folder}", "{n} reports in {folder}", len(told), folder=reports
        )
        click.echo(text, err=True)
    tried = []
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
        if as_json:
            hits = [
                {"week": week, "finding_id": row["finding_id"], "covered": count, "hidden": hidden}
                for week, row, count, hidden in rows
            ]
            tried.append(values | {"findings": hits})
        else:
            with use_language(settings.lang):
                click.echo(tell_replay(values, rows))
    if as_json:
        click.echo(json.dumps(tried, indent=2))
