"""Earlier reports and what people decided, before the week is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audit_analytics.dates.weeks import Week
from audit_analytics.language import _
from audit_analytics.review._reports import list_reports, read_report
from audit_analytics.review._scope import Scope, cover_reason, read_scope
from audit_analytics.review._suppression import Suppression, read_suppressions
from audit_analytics.review._verdicts import Verdict, list_confirmed, read_verdicts
from audit_analytics.settings import Settings


@dataclass(frozen=True, kw_only=True)
class PastReports:
    """What earlier reports say.

    Parameters
    ----------
    last : dict of str to Any or None
        The report of the week before, if there is one.
    status : str
        ``compared``, ``absent`` (no report of the week before) or ``empty`` (its log was).
    week : str
        ISO week of the week before.
    suppressed : list of Scope
        Calls of earlier findings that were suppressed.
    places : list of tuple of str, str and Scope
        Entity type and entity of every earlier finding in which a rule names a network or an
        address, and its calls, one place each. A known network has no rule, and apps often move there.
    watched : dict of str to list
        By ISO week, what was a little unusual and no finding.
    told, budgets : list
        Ids of all scored findings of the earlier weeks, and the alarm budget of each week.
    """

    last: dict[str, Any] | None
    status: str
    week: str
    suppressed: list[Scope] = field(default_factory=list)
    places: list[tuple[str, str, Scope]] = field(default_factory=list)
    watched: dict[str, list[list[Any]]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    budgets: list[float] = field(default_factory=list)

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Last week's findings as its report has them; one suppressed in part comes last as it was shown."""
        return [*self.last["suppressed"], *self.last["findings"]] if self.last else []

    @property
    def compared_with(self) -> dict[str, Any]:
        """What the report says about the comparison: ``week``, ``status`` and ``text``."""
        texts = {
            "compared": _("Compared with the report of {week}.", week=self.week),
            "absent": _(
                "There is no report of {week} to compare with: which findings are new cannot be "
                "said.",
                week=self.week,
            ),
            "empty": _(
                "The log of {week} was empty: which findings are new cannot be said.",
                week=self.week,
            ),
        }
        return {"week": self.week, "status": self.status, "text": texts[self.status]}


def read_past(previous: Path | Mapping[str, Any] | None, week: Week, *, weeks: int) -> PastReports:
    """Read the reports of the weeks before out of a folder, one findings.json, or a report dict."""
    names = [week.shifted(-back).iso for back in range(1, weeks + 1)]
    if previous is None:
        reports = []
    elif isinstance(previous, Path) and not previous.is_file():
        reports = [read_report(p) for p in list_reports(previous) if p.parent.name in names]
    else:
        reports = [read_report(previous) if isinstance(previous, Path) else dict(previous)]
    known = {r["week"]["iso"]: r for r in reports if r["tenant_zone"] == week.zone}
    last = known.get(names[0])
    if last is not None and last["coverage"]["week_status"] == "empty":
        last, status = None, "empty"
    else:
        status = "absent" if last is None else "compared"
    told = [
        (week.shifted(-back), known[name])
        for back, name in enumerate(names, start=1)
        if name in known
    ]
    return PastReports(
        last=last,
        status=status,
        week=names[0],
        told=[
            row["finding_id"]
            for _then, report in told
            for row in report["findings"]
            if row["expected_per_week"] is not None
        ],
        budgets=[float(report["budget_per_week"]) for _then, report in told],
        watched={then.iso: report["watch"]["cases"] for then, report in told},
        suppressed=[
            scope
            for then, report in told
            for row in report["suppressed"]
            for scope in _cover_finding(row, then)
        ],
        places=[
            (row["entity_type"], row["entity"], place)
            for then, report in told
            for row in report["findings"]
            for scope in _cover_finding(row, then, rules_only=True)
            for place in _list_places(scope)
        ],
    )


def list_undecided(past: PastReports, verdicts: Mapping[str, Verdict]) -> list[Scope]:
    """List the calls from new places that nobody found harmless, of whatever week.

    Were they taught, an intruder who keeps quiet would count as resolved in his second week, for
    the place is new only once. A verdict decides about its own entity and the places it names.
    """
    known: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in sorted(verdicts.values(), key=lambda entry: entry.week):
        known.setdefault((verdict.entity_type, verdict.entity), []).append(verdict)
    undecided = []
    for entity_type, entity, scope in past.places:
        about = [v.verdict for v in known.get((entity_type, entity), []) if _is_about(v, scope)]
        if about[-1:] != ["benign"]:
            undecided.append(scope)
    return undecided


def _is_about(verdict: Verdict, scope: Scope) -> bool:
    """Tell whether calls of an entity lie within the names of those a verdict on it is about."""
    return any(scope.within(read_scope(calls.model_dump())) for calls in verdict.calls)


def _list_places(scope: Scope) -> list[Scope]:
    """Return the scope once for each network or address it names."""
    column = "network" if "network" in scope.where else "ip"
    names = scope.where.get(column, ())
    return [replace(scope, where={**scope.where, column: (name,)}) for name in names]


def _cover_finding(row: Mapping[str, Any], week: Week, *, rules_only: bool = False) -> list[Scope]:
    """Return all calls of its week that belong to a finding, or to the rules among its reasons."""
    scopes = [
        cover_reason(reason, until=week.end_at)
        for reason in row["reasons"]
        if not rules_only or reason["detector"].startswith("rule:")
    ]
    return [scope for scope in scopes if scope.start_at < scope.end_at]


@dataclass(frozen=True, kw_only=True)
class Review:
    """Everything that is known about findings before the week is judged.

    Parameters
    ----------
    past : PastReports
        What earlier reports say.
    suppressions : list of Suppression
        The suppression file.
    verdicts : dict of str to Verdict
        The last verdict on each finding, by its id.
    untaught : list of Scope
        Calls that must not become what is usual: confirmed, suppressed, or from new places and
        undecided.
    """

    past: PastReports
    suppressions: list[Suppression]
    verdicts: dict[str, Verdict]
    untaught: list[Scope] = field(default_factory=list)


def read_review(
    settings: Settings, previous: Path | Mapping[str, Any] | None, week: Week
) -> Review:
    """Read suppressions, verdicts and earlier reports; what is not there is empty.

    Parameters
    ----------
    settings : Settings
        Name the files.
    previous : pathlib.Path or mapping, optional
        Folder of the reports, one findings.json, or a report dict.
    week : Week
        The report week.

    Returns
    -------
    Review
        All of it; a ConfigError or an InputError if one cannot be understood.

    Raises
    ------
    ConfigError
        A file cannot be read or understood.
    InputError
        An earlier report cannot be read.
    """
    past = read_past(previous, week, weeks=settings.history_weeks)
    verdicts = read_verdicts(settings.verdicts) if settings.verdicts else {}
    confirmed = list_confirmed(list(verdicts.values()), week)
    return Review(
        past=past,
        suppressions=read_suppressions(settings.suppressions) if settings.suppressions else [],
        verdicts=verdicts,
        untaught=[*confirmed, *past.suppressed, *list_undecided(past, verdicts)],
    )
