"""The command line: reads options, calls the pipeline, prints. No logic of its own.

Exit codes: 0 done, 1 a finding at or above ``--fail-on``, 2 usage, 3 data incomplete, 4 remote.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

import audit_analytics
from audit_analytics.cli._apps import apps, catalogue
from audit_analytics.cli._common import (
    CONFIG,
    FOLDER,
    JSON,
    SCENARIO,
    VERBOSE,
    Sections,
    paint,
    reports_errors,
    say_damaged,
    screen_width,
)
from audit_analytics.cli._deliver import (
    deliver,
    deliver_after,
    open_report,
    schedule,
    weekly_of_tenants,
    write_index,
)
from audit_analytics.cli._drill import drill
from audit_analytics.cli._fetch import doctor, serve, status, sync
from audit_analytics.cli._findings import explain, findings, replay, suppress, verdict
from audit_analytics.cli._store import rollup, store
from audit_analytics.errors import DataIncompleteError
from audit_analytics.language import _, use_language

if TYPE_CHECKING:
    from audit_analytics.detect import Metric, Rule
    from audit_analytics.report import Report

EXIT_FOUND = 1
DAMAGED_SHOWN = 5


@click.group(cls=Sections, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(audit_analytics.__version__, prog_name="audit-analytics")
@click.option("--no-color", is_flag=True, help="No colours; NO_COLOR=1 does the same.")
@click.pass_context
def main(context: click.Context, *, no_color: bool) -> None:
    """Find what is unusual in a Feishu/Lark OpenAPI audit log.

    \b
    audit-analytics weekly data/sample     the last whole week, into reports/
    audit-analytics open                   the newest report in a browser
    audit-analytics explain 1              the whole story of its first finding

    \b
    Completion of commands, findings and scenarios, in ~/.bashrc (or zsh_source, fish_source):
    eval "$(_AUDIT_ANALYTICS_COMPLETE=bash_source audit-analytics)"
    """  # noqa: D301 - click wants the character
    # a run leaves few cycles behind, and looking for them takes one second in twenty
    gc.set_threshold(50_000, 20, 20)
    # Arrow's own allocator keeps what was freed: as fast, and up to a tenth more memory
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if no_color or os.environ.get("NO_COLOR"):
        context.color = False


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", type=FOLDER, default=Path("reports"), show_default=True, help="Folder.")
@click.option("--week", metavar="2026-W46", help="ISO week; the last complete one if not given.")
@click.option(
    "--since",
    metavar="2h",
    help="Tell only what went on since then: a span before the log's end, or an instant.",
)
@click.option(
    "--lang", type=click.Choice(["en", "zh"]), help="Language of the report (en if not set)."
)
@click.option("--budget", type=float, help="Alarms an ordinary week brings (10 if not set).")
@click.option(
    "--fail-on",
    type=click.Choice(["low", "medium", "high", "critical"]),
    help="Exit with 1 if there is a finding of this severity or above.",
)
@click.option(
    "--ocsf/--no-ocsf", default=None, help="Write findings.ocsf.jsonl; if it can be, unless set."
)
@click.option(
    "--deliver",
    "is_delivered",
    is_flag=True,
    help="Send it as the settings say; a failure leaves the exit code as it is.",
)
@click.option(
    "--detectors",
    "places",
    metavar="MODULE:NAME",
    multiple=True,
    help="Use a rule or metric of your own as well; may be repeated.",
)
@click.option(
    "--tenants",
    "is_tenants",
    is_flag=True,
    help="SOURCE holds one store or log folder a tenant: a process and a report folder each.",
)
@click.option(
    "--tenant-config",
    "tenant",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    hidden=True,  # what --tenants gives each of its runs
)
@JSON
@CONFIG
@reports_errors
def weekly(
    *,
    source: Path,
    out: Path,
    week: str | None,
    since: str | None,
    lang: str | None,
    budget: float | None,
    fail_on: str | None,
    ocsf: bool | None,
    is_delivered: bool,
    places: tuple[str, ...],
    is_tenants: bool,
    tenant: Path | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Write the report of one week of the log in SOURCE.

    SOURCE is a file or a folder: pages as the API answers them, JSON lines of pages or items,
    each also as .gz, or Parquet. Prints the path of the report and one line a finding. With
    --since, by cron every hour: the week in progress, and only what went on since then.
    With --tenants, once for every folder in SOURCE; exits with the worst code of theirs (2 before
    4, 3, 1 and 0).
    """
    from audit_analytics import schema
    from audit_analytics.intake import check_span
    from audit_analytics.pipeline import run_week
    from audit_analytics.report import check_ocsf, terminal
    from audit_analytics.settings import load_settings
    from audit_analytics.source import write_rejects

    if is_tenants and as_json:
        raise click.UsageError("--json and --tenants exclude each other.")
    if is_tenants:
        sys.exit(weekly_of_tenants(source, out, config))
    overrides = {"lang": lang, "budget_per_week": budget, "ocsf": ocsf}
    settings = load_settings(config, tenant=tenant, overrides=overrides)
    check_ocsf(required=settings.ocsf)
    check_span(week, since, zone=settings.tenant_zone)
    with use_language(settings.lang):
        click.echo(_("Reading {path} ...", path=source), err=True)
    previous = out if out.is_dir() else None
    rules, metrics = _load(places)
    report = run_week(
        source,
        week=week,
        since=since,
        settings=settings,
        rules=rules,
        metrics=metrics,
        previous=previous,
    )
    since_at = report.data["week"]["since_at"]
    name = "" if since_at is None else f"-since-{since_at.replace(':', '')}"
    folder = out / f"{report.data['week']['iso']}{name}"
    paths = report.write(folder, ocsf=settings.ocsf)
    rejects_path = folder / "rejects.jsonl"
    # those of an earlier run must not stand beside a report that has none
    rejects_path.unlink(missing_ok=True)
    if len(report.rejects):
        write_rejects(report.rejects, rejects_path)
    for note in [*report.count_rows(rejects_path), *report.notes()]:
        click.echo(note, err=True)
    with use_language(settings.lang):
        for reason in report.damaged[:DAMAGED_SHOWN]:
            click.echo(terminal(_("Damaged: {reason}", reason=reason)), err=True)
    write_index(out, settings)
    _show(report, paths["report.html"], as_json=as_json)
    if is_delivered:
        deliver_after(folder, settings, newest=week is None)
    _check_covered(source, report)
    severities = [finding["severity"] for finding in report.data["findings"]]
    if fail_on and any(
        schema.SEVERITIES.index(severity) >= schema.SEVERITIES.index(fail_on)
        for severity in severities
    ):
        sys.exit(EXIT_FOUND)


def _show(report: Report, path: Path, *, as_json: bool) -> None:

    if not as_json:
        click.echo(path)
        for line in report.lines(width=screen_width(), colour=paint):
            click.echo(line)
        return
    story = ("story_id", "rank", "severity", "status", "finding_ids", "sentence")
    finding = ("finding_id", "rank", "severity", "status", "title", "entity_type", "entity")
    more = ("sentence", "start_at", "end_at", "verdict")
    shown = {
        "report": str(path),
        "week": report.data["week"]["iso"],
        "coverage": report.data["coverage"]["week_status"],
        "stories": _pick(report.data["stories"], story),
        "findings": _pick(report.data["findings"], (*finding, *more)),
    }
    click.echo(json.dumps(shown, indent=2))


def _pick(rows: list[dict[str, object]], names: tuple[str, ...]) -> list[dict[str, object]]:
    return [{name: row[name] for name in names} for row in rows]


def _load(places: tuple[str, ...]) -> tuple[list[Rule], list[Metric]]:
    """Load the user's own detectors; their modules may lie in this folder."""
    from audit_analytics.detect import Metric, Rule, load_detector
    from audit_analytics.pipeline import list_rules

    if places:
        # at the end: a file here must not take the place of an installed module
        sys.path.append(str(Path.cwd()))
    found = [load_detector(place) for place in places]
    rules = [detector for detector in found if isinstance(detector, Rule)]
    metrics = [detector for detector in found if isinstance(detector, Metric)]
    return [*list_rules(), *rules], metrics


def _check_covered(source: Path, report: Report) -> None:
    coverage = report.data["coverage"]
    if coverage["week_status"] == "unread":
        raise DataIncompleteError(
            f"the report is written, but part of the log could not be read: "
            f"{coverage['rejects_count']:,} of {coverage['rows_read_count']:,} rows at least, as far "
            "as can be told. Why is in the rejects file; fetch or export that part again"
        )
    if coverage["week_status"] != "complete":
        hours = coverage["hours_expected_count"] - coverage["hours_covered_count"]
        raise DataIncompleteError(
            f"the report is written, but the log does not cover {report.data['week']['iso']}: "
            f"{hours} of {coverage['hours_expected_count']} hours have no event. Fetch the missing "
            "hours, or name a covered week with --week"
        )
    if report.damaged:
        raise DataIncompleteError(say_damaged(source, report.damaged))


@main.group(invoke_without_command=True)
@click.option("--out", type=FOLDER, help="Folder for the pages and labels.csv.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same bytes.")
@click.option("--apps", type=int, default=60, show_default=True, help="Number of apps.")
@click.option("--weeks", type=int, default=5, show_default=True, help="Weeks of log.")
@SCENARIO
@click.option("--size", type=float, default=1.0, show_default=True, help="Size of the attacks.")
@click.option(
    "--volume", type=float, default=1.0, show_default=True, help="Factor on honest calls."
)
@click.option("--harsh", is_flag=True, help="Three times the honest bursts and changes.")
@VERBOSE
@click.pass_context
def simulate(context: click.Context, /, **options: object) -> None:
    """Simulate a company's log with labelled attacks and write it as API pages."""
    if context.invoked_subcommand is None:
        if options["out"] is None:
            raise click.UsageError("Missing option '--out': the folder for the pages.")
        _write_company(**options)


@reports_errors
def _write_company(
    *,
    out: Path,
    seed: int,
    apps: int,
    weeks: int,
    scenarios: tuple[str, ...],
    size: float,
    volume: float,
    harsh: bool,
) -> None:
    from audit_analytics.simulate import ATTACKS, simulate_company, write_pages

    company = simulate_company(
        seed=seed,
        apps=apps,
        weeks=weeks,
        attacks=scenarios or ATTACKS,
        attack_size=size,
        volume=volume,
        harsh=harsh,
    )
    paths = write_pages(company, out)
    pages = [path for path in paths if path.name.endswith(".jsonl.gz")]
    beside = ", ".join(path.name for path in paths if path not in pages)
    click.echo(
        f"{len(company.calls):,} calls in {len(pages)} files, beside them {beside}", err=True
    )
    click.echo(out)


simulate.add_command(serve)
for _command in (
    apps,
    sync,
    status,
    doctor,
    drill,
    deliver,
    open_report,
    schedule,
    findings,
    explain,
    suppress,
    verdict,
    replay,
    rollup,
    store,
    catalogue,
):
    main.add_command(_command)
