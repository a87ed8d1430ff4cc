"""Stories: findings that belong together, as one thing with one rank.

Two findings belong together if they share, within 72 hours, something that is rare for the tenant
(see :mod:`audit_analytics.findings._links`). A story needs two findings about different entities,
each with more to it than an app id without a past, for those anybody can make up. What stayed below
the budget, and what is suppressed, joins a story by the same links and never makes one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Case, EvidenceSource, Hit, name_entity
from audit_analytics.dates.buckets import format_local, format_utc
from audit_analytics.dates.weeks import Week
from audit_analytics.findings._explain import explain_hit
from audit_analytics.findings._finding import Finding
from audit_analytics.findings._follow_up import tell_status
from audit_analytics.findings._links import Links, Touch, is_near
from audit_analytics.findings._ranking import make_story_id
from audit_analytics.findings._timeline import list_steps
from audit_analytics.findings._watch import UNUSUAL
from audit_analytics.language import _, label_entity, ngettext
from audit_analytics.language.wording import format_span, list_names
from audit_analytics.review import PastReports, read_hits

MAX_WEAK: Final = 10


@dataclass(frozen=True, kw_only=True)
class Story:
    """Findings that belong together.

    Parameters
    ----------
    story_id, key : str
        A hash of its first finding, reported or suppressed; and the id of its first week.
    rank : int
        That of its first finding; the others follow it.
    severity : str
        That of its most severe finding; critical if two are high.
    title, sentence : str
        How many findings it is, and who did what, and when.
    start_at, end_at, start_local, end_local : str
        First and last call, ISO 8601 in UTC and on the tenant's clocks.
    finding_ids, suppressed_ids : list of str
        Its findings by rank, and suppressed ones that share what these do: context.
    apps, ips, tactics : list of str
        Who takes part and ATT&CK tactics, in the order of the steps.
    links : list of dict
        What its findings share: ``kind`` (``network``, ``app``, ``object``, ``grant``), ``name``,
        ``object_name`` (masked) and ``finding_ids``.
    steps : list of dict
        See :func:`audit_analytics.findings._timeline.list_steps`.
    more_calls_count : int
        Calls of steps that are not listed.
    weak : list of dict
        What stayed below the budget and shares what these do: entity, ``p`` and ``text``.
    status, since_week : str or None
        As of a finding; it goes on if one of its findings does.
    """

    story_id: str
    key: str
    rank: int
    severity: str
    title: str
    sentence: str
    start_at: str
    end_at: str
    start_local: str
    end_local: str
    finding_ids: list[str]
    suppressed_ids: list[str]
    apps: list[str]
    ips: list[str]
    tactics: list[str]
    links: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    more_calls_count: int
    weak: list[dict[str, Any]]
    status: str
    since_week: str | None


def build_stories(
    findings: Sequence[Finding],
    suppressed: Sequence[Finding],
    links: Links,
    *,
    cases: Sequence[Case],
    explain: Callable[[Case], Iterable[Hit]],
    evidence: EvidenceSource,
    with_past: Collection[str],
    past: PastReports,
    week: Week,
) -> tuple[list[Story], list[Finding]]:
    """Join findings to stories.

    Parameters
    ----------
    findings, suppressed : sequence of Finding
        What is reported, ranked, and what suppressions took out.
    links : Links
        What is rare for the tenant, and who touched it.
    cases : sequence of Case
        How unusual each assessed entity's week was.
    explain : callable
        Says what speaks for a case.
    evidence : EvidenceSource
        Where the rows are.
    with_past : collection of str
        Apps that are no newcomers.
    past : PastReports
        What earlier reports say.
    week : Week
        The report week.

    Returns
    -------
    stories, findings : list of Story and of Finding
        By rank, the findings ranked anew: a story stands before all else of its severity.
    """
    # one that is suppressed in part is both; what is told of it counts
    touches = {f.finding_id: _list_touches(f, links) for f in (*suppressed, *findings)}
    groups = [
        group
        for group in _join(findings, touches)
        if sum(_has_past(f, touches[f.finding_id], with_past) for f in group) > 1
    ]
    joined = {f.finding_id for group in groups for f in group}
    units = [*groups, *([f] for f in findings if f.finding_id not in joined)]
    units.sort(key=lambda unit: (-_grade(unit), len(unit) == 1, unit[0].rank))
    ranked = [
        replace(finding, rank=rank)
        for rank, finding in enumerate((f for unit in units for f in unit), start=1)
    ]
    entities = {(f.entity_type, f.entity) for f in (*findings, *suppressed)}
    quiet = sorted(
        (case for case in cases if case.p < UNUSUAL and name_entity(case) not in entities),
        key=lambda case: (case.p, name_entity(case)),
    )
    placed = iter(ranked)
    stories = []
    for unit in units:
        group = [next(placed) for _finding in unit]
        if len(group) == 1:
            continue
        shared = [touch for f in group for touch in touches[f.finding_id]]
        weak = [
            case
            for case in quiet
            if _share(links.list_touches(*name_entity(case), week.start_at, week.end_at), shared)
        ]
        # what shares an object or a grant alone is told by its reasons
        hits = links.list_calls(shared) + [
            hit
            for f in group
            if not any(touch.kind in {"network", "app"} for touch in touches[f.finding_id])
            for hit in read_hits(vars(f))
        ]
        context = [
            f
            for f in suppressed
            if f.finding_id not in joined and _share(touches[f.finding_id], shared)
        ]
        stories.append(
            _tell(
                group,
                context,
                [_tell_weak(case, explain(case), week.zone) for case in weak[:MAX_WEAK]],
                _name_links(group, touches),
                groups=evidence.fetch(
                    hits, start=week.start_at, end=week.end_at, rows_max=1
                ).groups,
                past=past,
                week=week,
            )
        )
    return stories, ranked


def _list_touches(finding: Finding, links: Links) -> list[Touch]:
    spans = [(reason["start_at"], reason["end_at"]) for reason in finding.reasons]
    starts, ends = zip(*spans, strict=True)
    return links.list_touches(
        finding.entity_type,
        finding.entity,
        pd.Timestamp(min(starts)),
        pd.Timestamp(max(ends)),
        finding_id=finding.finding_id,
    )


def _has_past(finding: Finding, touches: Sequence[Touch], with_past: Collection[str]) -> bool:
    if finding.entity_type == "app":
        return finding.entity in with_past
    return any(touch.kind == "app" and touch.name in with_past for touch in touches)


def _share(own: Iterable[Touch], other: Sequence[Touch]) -> bool:
    return any(is_near(one, another) for one in own for another in other)


def _join(
    findings: Sequence[Finding], touches: Mapping[str, Sequence[Touch]]
) -> list[list[Finding]]:
    """Join findings that share anything, directly or through others; each group by rank."""
    groups: list[list[Finding]] = []
    for finding in findings:
        own = touches[finding.finding_id]
        near = [group for group in groups if any(_share(own, touches[f.finding_id]) for f in group)]
        groups = [group for group in groups if group not in near]
        groups.append(sorted([finding, *(f for g in near for f in g)], key=lambda f: f.rank))
    return [group for group in groups if len(group) > 1]


def _tell_weak(case: Case, hits: Iterable[Hit], zone: str) -> dict[str, Any]:
    return {
        "entity_type": case.entity_type,
        "entity": case.entity,
        "p": float(f"{case.p:.4g}"),
        "text": next((explain_hit(hit, zone) for hit in hits), ""),
    }


def _grade(unit: Sequence[Finding]) -> int:
    """Return the severity of what belongs together."""
    found = [finding.severity for finding in unit]
    # a rare thing in common says more of each: either may be chance, not both
    least = "critical" if found.count("high") > 1 else "none"
    return max(map(schema.SEVERITIES.index, [*found, least]))


def _name_links(
    group: Sequence[Finding], touches: Mapping[str, Sequence[Touch]]
) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for finding in group:
        for touch in touches[finding.finding_id]:
            ids = found.setdefault(touch[:2], (touch.shown, []))[1]
            if finding.finding_id not in ids:
                ids.append(finding.finding_id)
    return [
        {"kind": kind, "finding_ids": ids}
        | {"name": "" if kind == "object" else shown}
        | {"object_name": shown if kind == "object" else ""}
        for (kind, _name), (shown, ids) in found.items()
        if len(ids) > 1
    ]


def _tell(
    group: list[Finding],
    context: list[Finding],
    weak: list[dict[str, Any]],
    shared: list[dict[str, Any]],
    *,
    groups: pd.DataFrame,
    past: PastReports,
    week: Week,
) -> Story:
    steps, more = list_steps(groups, week.zone)
    start = pd.Timestamp(min(row["start_at"] for row in steps or map(vars, group)))
    end = pd.Timestamp(max(row["end_at"] for row in steps or map(vars, group)))
    story_id = make_story_id(
        min((*group, *context), key=lambda f: (f.start_at, f.finding_id)).finding_id
    )
    before = _find_before(group, past)
    status, since = tell_status(before, past, week)
    return Story(
        story_id=story_id,
        key=before["key"] if before else story_id,
        rank=group[0].rank,
        severity=schema.SEVERITIES[_grade(group)],
        title=ngettext("Story of {n} finding", "Story of {n} findings", len(group)),
        sentence=_say(steps, start, end, week.zone),
        start_at=format_utc(start),
        end_at=format_utc(end),
        start_local=format_local(start, week.zone),
        end_local=format_local(end, week.zone),
        finding_ids=[finding.finding_id for finding in group],
        suppressed_ids=[finding.finding_id for finding in context],
        apps=_list_parts(steps, "app_id"),
        ips=_list_parts(steps, "ip"),
        tactics=_list_parts(steps, "tactic"),
        links=shared,
        steps=steps,
        more_calls_count=more,
        weak=weak,
        status=status,
        since_week=since,
    )


def _find_before(group: Sequence[Finding], past: PastReports) -> dict[str, Any] | None:
    """Find the story of the week before that one of the findings was part of."""
    last = past.last or {}
    own = {finding.key for finding in group}
    went_on = {row["finding_id"] for row in past.findings if row["key"] in own}
    stories: list[dict[str, Any]] = last.get("stories") or []
    return next((story for story in stories if went_on & {*story["finding_ids"]}), None)


def _list_parts(steps: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return list(dict.fromkeys(step[name] for step in steps if step[name]))


def _say(
    steps: Sequence[Mapping[str, Any]], start: pd.Timestamp, end: pd.Timestamp, zone: str
) -> str:
    apps = [label_entity(app, "app") for app in _list_parts(steps, "app_id")]
    ips = [label_entity(ip, "ip") for ip in _list_parts(steps, "ip")]
    return _(
        "{apps}, called from {places}, {span}: {tactics}; {ok} of {calls} calls succeeded.",
        apps=list_names(apps),
        places=list_names(ips),
        span=format_span(start, end, zone),
        tactics=_(", ").join(_(tactic) for tactic in _list_parts(steps, "tactic")),
        ok=sum(step["ok_count"] for step in steps),
        calls=sum(step["calls_count"] for step in steps),
    )
