"""A finding: one entity's week, explained, with the evidence and what to do about it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Case, EvidenceSource, Hit, find_covered, name_entity
from audit_analytics.dates.buckets import format_local, format_utc
from audit_analytics.dates.weeks import Week
from audit_analytics.detect import ATTACK_VERSION, TECHNIQUES, find_detector, say_steps
from audit_analytics.findings._contributors import Beside, list_contributors, say_success
from audit_analytics.findings._evidence import list_objects, show_event
from audit_analytics.findings._explain import explain_hit, give_reason, round_digits
from audit_analytics.findings._ranking import (
    find_severity,
    list_threads,
    make_id,
    make_key,
    order_reasons,
    rank_findings,
)
from audit_analytics.findings._timeline import build_timeline, find_activity, list_seen
from audit_analytics.findings._whence import Whence
from audit_analytics.language import _, join_sentences
from audit_analytics.review import scope_of_hit, suggest_suppression
from audit_analytics.rollup import Rollup

MAX_EVIDENCE: Final = 20
MIN_EXPECTED: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One entity's week that is worth a person's time.

    Parameters
    ----------
    finding_id, key : str
        A hash of entity and week; and one of entity and topic, the same as long as it goes on.
    rank : int
        From 1, the most severe first.
    entity_type, entity : str
        ``app``, ``ip``, ``network``, ``api`` or ``tenant``, and which one.
    kind : str
        As :class:`audit_analytics.cases.Hit` has it.
    title, sentence : str
        What it is, in short and as a person would say it, and what succeeded.
    start_at, end_at, start_local, end_local : str
        From the first call of the first reason to the last, ISO 8601 in UTC and on the tenant's
        clocks; the hours it is about where there was no call.
    observed, expected, expected_low, expected_high : float or None
        Count in `unit`, its expectation and 95 % interval.
    unit : str
        Unit of the counts.
    ratio : float or None
        observed / expected, None where nothing was expected.
    history_days : int
        Days of history behind the expectation.
    rarity : str or None
        From E: ``critical`` < 0.1, ``high`` < 1, ``medium`` < 5, ``low``; None for rules.
    p, expected_per_week, q : float or None
        Calibrated probability, E and Benjamini-Hochberg q of the case.
    policy_severity, severity : str
        How sensitive the APIs in the evidence are; the higher of rarity and the rules' severity.
    detectors : list of str
        What spoke, the first first.
    reasons : list of dict
        One entry per hit: detector, text and numbers.
    contributors : dict
        Top ``apis``, ``ips`` and ``codes`` on the days of the first reason, what succeeded first;
        of what is no app all ``apps``, with the APIs each ``succeeded`` with.
    timeline : dict
        First and last call and the steps between, of all reasons and what stayed below the budget.
    objects : dict
        How many were called (``count``), with success (``ok_count``), and some, masked (``shown``).
    evidence : dict
        ``ids`` (20 at most), ``more_count`` and ``rows``.
    attack : list of dict
        ATT&CK techniques: id, name, version.
    known_benign, next_steps : list of str
        Guidance.
    suppression : str
        A ready-made entry, TOML.
    status : str
        Against the week before: ``new``, ``continuing``, ``suppressed``, or ``unknown`` without one.
    since_week : str or None
        ISO week of the first report that had it; None where that is not known.
    previous, verdict : dict or None
        The finding about the same entity in the report of the week before; what a person decided.
    past_weeks : list of dict
        The calls it is about in the same hours of the weeks before and, last, of this one.
    suppressed_by, untold : list of str
        Ids of the suppressions that took reasons from it; detectors whose reasons say less.
    other_days, through : list of dict
        Contributors of the reasons about other days; scopes of what got through beside failures.
    """

    finding_id: str
    key: str
    rank: int
    entity_type: str
    entity: str
    kind: str
    title: str
    sentence: str
    start_at: str
    end_at: str
    start_local: str
    end_local: str
    observed: float
    expected: float | None
    expected_low: float | None
    expected_high: float | None
    unit: str
    ratio: float | None
    history_days: int
    rarity: str | None
    p: float | None
    expected_per_week: float | None
    q: float | None
    policy_severity: str
    severity: str
    detectors: list[str]
    reasons: list[dict[str, Any]]
    contributors: dict[str, list[dict[str, Any]]]
    timeline: dict[str, Any]
    objects: dict[str, Any]
    evidence: dict[str, Any]
    attack: list[dict[str, str]]
    known_benign: list[str]
    next_steps: list[str]
    suppression: str
    status: str = "unknown"
    since_week: str | None = None
    previous: dict[str, Any] | None = None
    verdict: dict[str, Any] | None = None
    past_weeks: list[dict[str, Any]] = field(default_factory=list)
    suppressed_by: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    other_days: list[dict[str, Any]] = field(default_factory=list)
    through: list[dict[str, Any]] = field(default_factory=list)


def merge_findings(
    hits: list[Hit],
    cases: list[Case],
    evidence: EvidenceSource,
    *,
    week: Week,
    history_days: dict[str, int],
    untold: Mapping[tuple[str, str], list[str]] | None = None,
    passed_over: Sequence[Hit] = (),
    calls: Rollup | None = None,
    with_past: Collection[str] | None = None,
) -> list[Finding]:
    """Merge hits into one finding per entity, explained and ranked.

    Parameters
    ----------
    hits, cases : list of Hit and of Case
        From the engine and the rules; and how unusual each assessed entity's week was.
    evidence : EvidenceSource
        Where the rows behind the hits are.
    week : Week
        The report week.
    history_days : dict of str to int
        Days of history per app.
    untold : mapping of tuple of str to list of str, optional
        By entity, the detectors that spoke as well.
    passed_over : sequence of Hit, default=()
        What stayed below the budget, or says less than the reasons told.
    calls : Rollup, optional
        The hourly counts of the log, to find what got through beside the failures.
    with_past : collection of str, optional
        Apps that are no newcomers; all if not given.

    Returns
    -------
    list of Finding
        Ranked. Entities with supporting hits alone make no finding.
    """
    rated = {name_entity(case): case for case in cases}
    more = untold or {}
    below: dict[tuple[str, str], list[Hit]] = {}
    for hit in passed_over:
        below.setdefault(name_entity(hit), []).append(hit)
    through = Beside(calls, week) if calls is not None else None
    whence = Whence(calls.by_ip, week) if calls is not None else None
    grouped: dict[tuple[str, str], list[Hit]] = {}
    for hit in hits:
        grouped.setdefault(name_entity(hit), []).append(hit)
    findings = [
        _merge(
            order_reasons(own, rated.get(entity)),
            rated.get(entity),
            evidence,
            week=week,
            history_days=history_days.get(entity[1], 0),
            untold=more.get(entity, []),
            through=through.find_through(own) if through else [],
            whence=whence,
            below=below.get(entity, []),
        )
        for entity, own in grouped.items()
        if any(hit.alone for hit in own)
    ]
    crowd = {
        entity
        for entity, own in grouped.items()
        if all("crowd" in hit.facts or "more" in hit.facts for hit in own if hit.alone)
    }
    return rank_findings(findings, rated, crowd=crowd, with_past=with_past)


def _merge(
    hits: list[Hit],
    case: Case | None,
    source: EvidenceSource,
    *,
    week: Week,
    history_days: int,
    untold: list[str],
    through: list[Hit],
    whence: Whence | None,
    below: list[Hit],
) -> Finding:
    first = hits[0]
    # a case outside the budget is known, but did not speak
    ordinary = case is not None and all(hit.p is None for hit in hits)
    case = None if ordinary else case
    rarity = case.rarity if case else None
    severity = find_severity(hits, rarity or "low", ordinary=ordinary)
    evidence = source.fetch(
        [*hits, *through], start=week.start_at, end=week.end_at, rows_max=MAX_EVIDENCE, beside=below
    )
    groups = evidence.groups
    told = find_covered([*hits, *through], groups)
    about = groups[
        find_covered([first, *(t for t in through if t.detector == first.detector)], groups)
    ]
    days = _list_days(groups["quarter_at"], week.zone)
    main = told & days.isin(_list_days(about["quarter_at"], week.zone).unique())
    counted = groups[main] if main.any() else groups[told]
    begun = [hit.start_at for hit in hits if find_detector(hit.detector).begins]
    start, end = find_activity(first, groups, begun)
    is_told = not about.empty and "more" not in first.facts
    success = say_success(about) if is_told else ""
    place = whence.say(first, about) if is_told and whence else ""
    guidance = find_detector(first.detector)
    reasons = [give_reason(hit, week) for hit in hits]
    headline = [explain_hit(h, week.zone) for h in hits if h is first or "neighbours" in h.facts]
    detectors = list(dict.fromkeys(hit.detector for hit in hits))
    techniques = list_seen(
        (t for name in _telling(detectors) for t in find_detector(name).techniques), groups[told]
    )
    rows = [show_event(row, week.zone) for row in evidence.rows.to_dict("records")]
    with_apps = first.entity_type != "app"
    app_id = "" if with_apps else first.entity
    return Finding(
        finding_id=make_id(first.entity_type, first.entity, week.iso),
        key=make_key(first.entity_type, first.entity, list_threads(reasons, untold)),
        rank=0,
        entity_type=first.entity_type,
        entity=first.entity,
        kind=first.kind,
        title=_(guidance.title),
        sentence=join_sentences(filter(None, [*headline, place, success])),
        start_at=format_utc(start),
        end_at=format_utc(end),
        start_local=format_local(start, week.zone),
        end_local=format_local(end, week.zone),
        observed=first.observed,
        expected=round_digits(first.expected),
        expected_low=first.low,
        expected_high=first.high,
        unit=_(first.unit),
        ratio=_ratio(first),
        history_days=history_days,
        rarity=rarity,
        p=round_digits(case.p) if case else None,
        expected_per_week=round_digits(case.expected_per_week) if case else None,
        q=round_digits(case.q) if case else None,
        policy_severity=_policy_severity(groups[told]),
        severity=severity,
        detectors=detectors,
        reasons=reasons,
        contributors=list_contributors(counted, with_apps=with_apps),
        other_days=[
            {
                "day": f"{day:%Y-%m-%d}",
                "calls_count": int(own["calls_count"].sum()),
                "text": say_success(own),
            }
            | {"contributors": list_contributors(own, with_apps=with_apps)}
            for day, own in groups[told & ~main].groupby(days)
        ]
        if main.any()
        else [],
        timeline=build_timeline(groups, told, week.zone),
        objects={
            "count": evidence.objects_count,
            "ok_count": evidence.ok_objects_count,
            "shown": list_objects(rows),
        },
        evidence={
            "ids": [row["id"] for row in rows],
            "more_count": int(groups.loc[told, "calls_count"].sum()) - len(rows),
            "rows": rows,
        },
        through=[scope_of_hit(hit).to_dict() for hit in through],
        attack=[{"id": t, "name": TECHNIQUES[t], "version": ATTACK_VERSION} for t in techniques],
        known_benign=[_(text) for text in guidance.benign],
        # a defect is mended, not stopped
        next_steps=say_steps(guidance.steps, app_id, stop=first.kind != "silence" and techniques),
        suppression=suggest_suppression(hits, untold, week),
        untold=untold,
    )


def _telling(detectors: list[str]) -> list[str]:
    """Return what names the techniques: the first reason, and rules, which know what they saw."""
    return [name for name in detectors if name == detectors[0] or name.startswith("rule:")]


def _ratio(hit: Hit) -> float | None:
    """Return observed / expected, but not where next to nothing was expected."""
    known = hit.expected is not None and hit.expected >= MIN_EXPECTED
    return round_digits(hit.observed / hit.expected) if known and hit.expected else None


def _policy_severity(groups: pd.DataFrame) -> str:
    found = set(groups["severity"])
    known = [severity for severity in schema.SEVERITIES if severity in found]
    return known[-1] if known else "unknown"


def _list_days(at: pd.Series, zone: str) -> pd.Series:
    return at.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
