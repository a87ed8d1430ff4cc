"""The watch list: what was a little unusual, week after week, and never enough for a finding.

The p-values of an entity over the last weeks are taken together (Fisher's method), those of its
weeks as a whole and those of each detector, and the least stand on a list. It is no alarm: it is in
no count, and nothing sends it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import scipy  # not scipy.special: who reads settings alone need not wait for it

from audit_analytics.cases import Case, Hit, name_entity
from audit_analytics.detect import Detector, find_detector, list_detectors
from audit_analytics.findings._explain import explain_hit
from audit_analytics.language import _, join_sentences

MAX_ROWS: Final = 10
MAX_KEPT: Final = 200
"""Cases kept for the weeks to come; the others were as usual."""

UNUSUAL: Final = 0.2
"""A week, or weeks taken together, that are more probable than this are no news."""

INDEPENDENT: Final = 3
"""As many independent chances to be unusual do an app's detectors give: of 204 simulated apps that
nobody attacked, the least of its detectors' p-values over four weeks was below 0.036 for a tenth."""


def build_watch(
    cases: Sequence[Case],
    told: Collection[tuple[str, str]],
    past: Mapping[str, Sequence[Sequence[Any]]],
    *,
    week: str,
    zone: str,
    parts: Mapping[str, Mapping[str, float]],
    explain: Callable[[Case], Iterable[Hit]],
) -> dict[str, Any]:
    """List what was a little unusual over the last weeks and is no finding.

    Parameters
    ----------
    cases : sequence of Case
        How unusual each assessed entity's week was.
    told : collection of (str, str)
        Entities with a finding, reported or suppressed.
    past : mapping of str to sequence
        ``cases`` of the watch lists of earlier reports, by ISO week.
    week, zone : str
        ISO week of the report, and IANA name of the tenant's zone.
    parts : mapping of str to mapping
        By app, how rare its week is to each detector that found it rarer than every other week.
    explain : callable
        Says what speaks for a case.

    Returns
    -------
    dict of str to Any
        ``rows``, the least probable first: entity, ``p`` of this week and of each ``weeks`` before
        it, ``combined_p`` of them together, whether it ``rose`` this week, and its ``text``; and
        ``cases`` for the reports to come.
    """
    quiet = [case for case in cases if name_entity(case) not in told]
    in_use = {found.name for found in list_detectors(Detector)}
    # what a detector said that is in use no more, this week can neither repeat nor tell
    earlier = {
        iso: {
            (kind, name): (p, {group: part for group, part in own.items() if group in in_use})
            for kind, name, p, own in rows
        }
        for iso, rows in past.items()
    }
    rows = []
    for case in quiet:
        entity, own = name_entity(case), _take_parts(case, parts)
        before = {iso: known[entity] for iso, known in sorted(earlier.items()) if entity in known}
        combined, detector, again = _combine(
            [(case.p, own), *before.values()], weeks_count=1 + len(earlier)
        )
        if combined < UNUSUAL:
            least = min((p for p, _parts in before.values()), default=1.0)
            weeks = [{"week": iso, "p": p} for iso, (p, _parts) in before.items()]
            rose = bool(earlier) and case.p < least
            rows.append((combined, case, weeks, rose, detector, again))
    rows.sort(key=lambda row: (row[0], row[1].p, name_entity(row[1])))
    return {
        "rows": [
            {
                "entity_type": case.entity_type,
                "entity": case.entity,
                "p": _round(case.p),
                "expected_per_week": _round(case.expected_per_week),
                "combined_p": _round(combined),
                "weeks": [*before, {"week": week, "p": _round(case.p)}],
                "rose": rose,
                "text": join_sentences(
                    [
                        *_tell(explain(case), detector, zone),
                        *_tell_again(detector, again, 1 + len(earlier)),
                    ]
                ),
            }
            for combined, case, before, rose, detector, again in rows[:MAX_ROWS]
        ],
        "cases": [
            [case.entity_type, case.entity, _round(case.p), _take_parts(case, parts)]
            for case in sorted(quiet, key=lambda case: (case.p, name_entity(case)))[:MAX_KEPT]
            if case.p < 1
        ],
    }


def _take_parts(case: Case, parts: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    known = parts.get(case.entity, {}) if case.entity_type == "app" else {}
    return {name: _round(p) for name, p in known.items()}


def _combine(
    weeks: Sequence[tuple[float, Mapping[str, float]]], *, weeks_count: int
) -> tuple[float, str, int]:
    """Return how probable weeks are together, which detector (or none) says so, and unusual weeks."""
    series = {"": [p for p, _parts in weeks]}
    for _p, parts in weeks:
        for name, p in parts.items():
            series.setdefault(name, []).append(p)
    found = []
    for name, values in series.items():
        # a week in which it was as usual counts as one: else a single bad week would do
        score = -2 * float(np.log(np.maximum(values, 1e-12)).sum())
        p = float(scipy.special.chdtrc(2 * weeks_count, score))
        again = sum(value < UNUSUAL for value in values)
        found.append((min(p * INDEPENDENT, 1.0) if name else p, name, again))
    return min(found)


def _tell(hits: Iterable[Hit], detector: str, zone: str) -> Iterator[str]:
    found = sorted(hits, key=lambda hit: hit.detector != detector)  # stable: else the first
    if found:
        yield explain_hit(found[0], zone)


def _tell_again(detector: str, again: int, weeks: int) -> Iterator[str]:
    """Say what it is that repeats, and how often."""
    if again > 1:
        title = _(find_detector(detector).title) if detector else _("A little unusual")
        yield _("{title} in {count} of {weeks} weeks.", title=title, count=again, weeks=weeks)


def _round(value: float) -> float:
    return float(f"{value:.4g}")
