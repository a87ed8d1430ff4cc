"""The weekly run: the one module that knows the order of the stages."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from audit_analytics.cases import Hit
from audit_analytics.dates.calendar import DaysOff
from audit_analytics.dates.weeks import Week
from audit_analytics.detect import (
    Detection,
    Limits,
    Metric,
    OutlierDetector,
    Reasons,
    Rule,
    RuleInput,
    choose_thresholds,
    detect_week,
    explain_case,
    find_hits,
    infer_days_off,
    lay_out,
    limit_days,
    list_known,
    list_parts,
    list_told,
    run_rules,
    use_detectors,
)
from audit_analytics.findings import (
    Finding,
    build_stories,
    build_watch,
    find_links,
    follow_up,
    merge_findings,
)
from audit_analytics.intake import CountedLog, choose_week, count_log
from audit_analytics.inventory import Inventory, Labels, Origins
from audit_analytics.language import use_labels, use_language
from audit_analytics.report import Report, ReportInput, build_report
from audit_analytics.review import Review, leave_out_calls, lower_known, part_hits, read_review
from audit_analytics.rollup import Rollup
from audit_analytics.settings import RuleSettings, Settings, settle

__all__ = ["analyze", "judge_week", "list_rules", "run_week"]


def run_week(
    source: Any,  # noqa: ANN401 - everything read_log takes
    *,
    week: str | None = None,
    settings: Settings | None = None,
    since: str | None = None,
    rules: Sequence[Rule] | Mapping[str, Any] | RuleSettings | None = None,
    metrics: Sequence[Metric] = (),
    detector: OutlierDetector | None = None,
    previous: str | Path | Report | None = None,
    **options: object,
) -> Report:
    """Find what is unusual in one week of an audit log, or in its last hours.

    Parameters
    ----------
    source : path, list of paths, pandas.DataFrame or list of dict
        The log: a file or folder of API pages, JSONL or Parquet, a frame of events, or pages.
    week : str, optional
        ISO week such as ``2026-W46``; the last complete week of the log if not given.
    settings : Settings, optional
        Settings; environment, TOML file and defaults if not given.
    since : str, optional
        Judge the week in progress, and tell only what went on after this: an instant in ISO 8601
        (in the tenant's zone if it names none), or a span such as ``2h`` before the log's end.
    rules : sequence of Rule, or mapping of str to Any, optional
        The rules that run; those of :func:`audit_analytics.rules` if not given. A mapping sets
        their thresholds, such as ``{"probing_apis": 20}``.
    metrics : sequence of Metric, default=()
        What else of an app is compared with its own past.
    detector : OutlierDetector, optional
        Any detector with ``fit`` and ``score_samples`` that takes the isolation forest's place.
    previous : path or Report, optional
        What was found before: the folder of the reports, one findings.json, or a report. Without
        it nothing is called new, and only verdicts keep an attack out of the history.
    **options : object
        Single settings by their names, such as ``budget_per_week`` (or ``budget``, as on the
        command line) or ``holidays=["2026-10-01"]``; they win over `settings`.

    Returns
    -------
    Report
        The findings with everything they rest on.

    Raises
    ------
    InputError
        The source is no audit log, or `previous` no report.
    DataIncompleteError
        The log holds no event at all, or none after `since`.
    ConfigError
        A setting, the week, `since`, a suppression or a verdict cannot be understood.
    """
    if isinstance(rules, Mapping | RuleSettings):
        options["rules"], rules = rules, None
    settings = settle(settings, options, where="analyze()", known=run_week.__kwdefaults__ or ())
    log = count_log(source, settings)
    if isinstance(previous, Report):
        past: Path | Mapping[str, Any] | None = previous.data
    else:
        past = Path(previous) if previous is not None else None
    known = list_known()
    groups = [found for found in known if not isinstance(found, Rule)]
    chosen = list_rules() if rules is None else rules
    labels = Labels(log.inventory, settings.networks, log.origins)
    with (
        use_language(settings.lang),
        use_labels(labels),
        use_detectors([*groups, *metrics, *chosen]),
    ):
        data = judge_week(
            log, week=week, settings=settings, since=since, detector=detector, previous=past
        )
        return Report(build_report(data), log.rejects, damaged=log.damaged, settings=settings)


def judge_week(
    log: CountedLog,
    *,
    week: str | None = None,
    settings: Settings,
    since: str | None = None,
    detector: OutlierDetector | None = None,
    previous: Path | Mapping[str, Any] | None = None,
) -> ReportInput:
    """Judge one week of a counted log: everything a report says, before it is put into words.

    Parameters
    ----------
    log : CountedLog
        The log as hourly counts.
    week : str, optional
        As for :func:`run_week`, like `since` and `detector`, with its errors.
    settings : Settings
        Settings.
    since : str, optional
        What is told.
    detector : OutlierDetector, optional
        What votes.
    previous : pathlib.Path or mapping, optional
        Folder of the earlier reports, one findings.json, or a report dict.

    Returns
    -------
    ReportInput
        What :func:`audit_analytics.report.build_report` takes.

    Raises
    ------
    DataIncompleteError
        The log holds no event at all, or none after `since`.
    ConfigError
        The week, `since`, a suppression or a verdict cannot be understood.
    InputError
        `previous` is no report.
    """
    report_week = choose_week(log, week, since, settings)
    review = read_review(settings, previous, report_week)
    # a report depends on nothing after its week, whenever it is written
    known = log.calls.until(report_week.end_at)
    calls, untaught = _leave_out(known, review, report_week)
    # this tool's own app reads the audit log all day, and has a rule of its own
    own, judged = calls.part(settings.own_apps())
    calendar = settings.find_days_off(_list_years(known.by_api["bucket_at"], report_week))
    days_off = infer_days_off(
        known.by_api, calendar, report_week, history_weeks=settings.history_weeks
    )
    detection = _detect(
        judged,
        known,
        report_week,
        settings,
        days_off,
        untaught=untaught,
        detector=detector,
        origins=log.origins,
    )
    grades = _grade_apis(judged)
    explain = partial(explain_case, detection, severity_of_api=grades)
    hits = _find_hits(
        detection,
        judged,
        own,
        report_week,
        settings,
        known=known,
        grades=grades,
        apps=log.inventory,
    )
    parted = part_hits(
        lower_known(hits, review.verdicts.values(), report_week),
        detection.cases,
        review.suppressions,
        zone=report_week.zone,
        budget=settings.budget_per_week,
        ordinary=detection.ordinary,
        most=choose_thresholds(settings.rules, Limits).findings_per_rule,
        known=_list_known(detection),
        every=hits,
    )
    life = follow_up(
        review,
        _merge(parted.told, detection, log, report_week, every=parted.split.kept),
        _merge(parted.hidden, detection, log, report_week),
        parted.split,
        by_api=log.calls.by_api,
        by_ip=log.calls.by_ip,
        week=report_week,
        weeks=settings.history_weeks,
    )
    every = [*life.suppressed, *life.findings]
    stories, findings = build_stories(
        life.findings,
        life.suppressed,
        find_links(every, judged.by_ip, log.evidence, log.inventory, week=report_week),
        cases=detection.cases,
        explain=explain,
        evidence=log.evidence,
        with_past=_list_known(detection),
        past=review.past,
        week=report_week,
    )
    return ReportInput(
        week=report_week,
        settings=settings,
        ingest=log.counts,
        reject_reasons=log.reject_reasons,
        calls=log.calls,
        detection=detection,
        hits=parted.told.hits,
        findings=findings,
        stories=stories,
        follow_up=life,
        days_off=days_off,
        inventory=log.inventory,
        origins=log.origins,
        permissions_before=(review.past.last or {}).get("permissions"),
        watch=build_watch(
            # part of a week says nothing about how unusual the week was
            detection.cases if report_week.since_at is None else (),
            {(f.entity_type, f.entity) for f in every}
            | {("ip", ip) for hit in parted.told.hits for ip in hit.where.get("ip", ())},
            review.past.watched,
            week=report_week.iso,
            zone=report_week.zone,
            parts=list_parts(detection),
            explain=explain,
        ),
    )


def _list_years(at: pd.Series, week: Week) -> set[int]:
    """List the years a log and its report week touch, on the tenant's clocks."""
    first = min([week.start_at, *([] if at.empty else [at.min()])])
    ends = (first.tz_convert(week.zone).year, week.end_at.tz_convert(week.zone).year)
    return set(range(ends[0], ends[1] + 1))


def _detect(
    calls: Rollup,
    every: Rollup,
    week: Week,
    settings: Settings,
    days_off: DaysOff,
    *,
    untaught: pd.DataFrame,
    detector: OutlierDetector | None,
    origins: Origins,
) -> Detection:
    panel, judged = lay_out(
        calls,
        every.by_api,
        week,
        thresholds=settings.rules,
        history_weeks=settings.history_weeks,
        holidays=days_off.holidays,
        working_days=days_off.working_days,
    )
    detection = detect_week(
        panel.leave_out(untaught),
        judged.by_api,
        judged.by_ip,
        every_ip=calls.by_ip,
        detector=detector,
        seed=settings.seed,
        since=week.since_at,
        places=origins.list_places(judged.by_ip["network"]),
    )
    return detection if week.since_at is None else limit_days(detection, week.since_at)


def _leave_out(calls: Rollup, review: Review, week: Week) -> tuple[Rollup, pd.DataFrame]:
    """Leave out what was confirmed or suppressed in earlier weeks: it must not become usual."""
    by_api, by_ip, hours = leave_out_calls(
        calls.by_api, calls.by_ip, review.untaught, zone=week.zone
    )
    return replace(calls, by_api=by_api, by_ip=by_ip), hours


def _grade_apis(calls: Rollup) -> dict[str, str]:
    severity = calls.by_api[["api", "severity"]].drop_duplicates("api").astype("str")
    return dict(zip(severity["api"], severity["severity"], strict=True))


def _find_hits(
    detection: Detection,
    judged: Rollup,
    own: Rollup,
    week: Week,
    settings: Settings,
    *,
    known: Rollup,
    grades: Mapping[str, str],
    apps: Inventory,
) -> list[Hit]:
    rules = RuleInput(
        panel=detection.panel,
        by_api=judged.by_api,
        by_ip=judged.by_ip,
        networks=detection.networks,
        apis=detection.apis,
        week=week,
        settings=settings.rules,
        deny_networks=settings.deny_networks,
        own_by_api=own.by_api,
        own_by_ip=own.by_ip,
        every_api=known.by_api,
        inventory=apps,
    )
    ruled = run_rules(rules)
    most = choose_thresholds(settings.rules, Limits).findings_per_rule
    told = list_told(ruled, most=most, known=_list_known(detection))
    budget = settings.budget_per_week
    hits = [*find_hits(detection, budget=budget, severity_of_api=grades, told=told), *ruled]
    return hits if week.since_at is None else [hit for hit in hits if hit.end_at > week.since_at]


def _merge(
    reasons: Reasons,
    detection: Detection,
    log: CountedLog,
    week: Week,
    *,
    every: Sequence[Hit] = (),
) -> list[Finding]:
    panel = detection.panel
    told = set(map(id, reasons.hits))
    return merge_findings(
        reasons.hits,
        reasons.cases,
        log.evidence,
        week=week,
        untold=reasons.untold,
        passed_over=[hit for hit in every if id(hit) not in told],
        calls=log.calls,
        with_past=_list_known(detection),
        history_days=dict(zip(panel.apps, panel.history_days(0).tolist(), strict=True)),
    )


def _list_known(detection: Detection) -> set[str]:
    """List the apps that are no newcomers: in a log that is young itself nobody is new."""
    return set(detection.panel.apps[detection.assessed | ~detection.newborns.born])


def list_rules() -> list[Rule]:
    """List the rules that run unless others are named.

    Returns
    -------
    list of Rule
        Those of this package and of installed ones.

    Examples
    --------
    >>> list_rules()[0].name
    'rule:own_app'
    """
    return [found for found in list_known() if isinstance(found, Rule)]


analyze = run_week
"""The name of :func:`run_week` in a notebook: ``aa.analyze("data/sample")``."""
