"""What people decided and earlier reports say, brought to bear on this week's findings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from audit_analytics.findings.history import (
    PastReports,
    count_past_weeks,
    list_resolved,
    place_findings,
    read_past,
)
from audit_analytics.findings.partition import SplitHits, list_suppressions
from audit_analytics.findings.scope import index_calls
from audit_analytics.findings.suppression import Suppression, read_suppressions
from audit_analytics.findings.verdicts import Verdict, list_confirmed, read_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from audit_analytics.config import Settings
    from audit_analytics.findings.finding import Finding
    from audit_analytics.findings.scope import Scope
    from audit_analytics.weeks import Week


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """What becomes of findings from week to week.

    Parameters
    ----------
    findings : list of Finding
        This week's, each placed against the week before.
    suppressed : list of Finding
        What suppressions took out of the report.
    resolved : list of dict
        Last week's findings that are no longer there.
    suppressions : list of dict
        What each suppression did.
    compared_with : dict
        Which report it was compared with: ``week``, ``status`` and ``text``.
    """

    findings: list[Finding]
    suppressed: list[Finding] = field(default_factory=list)
    resolved: list[dict[str, Any]] = field(default_factory=list)
    suppressions: list[dict[str, Any]] = field(default_factory=list)
    compared_with: dict[str, Any] = field(default_factory=dict)


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
    """

    past: PastReports
    suppressions: list[Suppression]
    verdicts: dict[str, Verdict]

    def list_untaught(self, week: Week) -> list[Scope]:
        """List the calls of earlier weeks that must not become what is usual.

        Parameters
        ----------
        week : Week
            The report week.

        Returns
        -------
        list of Scope
            Calls of confirmed findings, of those that were suppressed when they were found, and
            of those about a foreign network or an address on which nobody has decided.
        """
        confirmed = list_confirmed(list(self.verdicts.values()), week)
        return [*confirmed, *self.past.suppressed, *self.past.list_undecided(self.verdicts)]

    def follow_up(
        self,
        findings: Sequence[Finding],
        suppressed: Sequence[Finding],
        split: SplitHits,
        *,
        by_api: pd.DataFrame,
        by_ip: pd.DataFrame,
        week: Week,
        weeks: int,
    ) -> FollowUp:
        """Say what became of last week's findings, and since when this week's are there.

        Parameters
        ----------
        findings, suppressed : sequence of Finding
            What is reported, and what suppressions took out.
        split : SplitHits
            The hits behind both.
        by_api, by_ip : pandas.DataFrame
            The hourly rollup of the whole log, ordered by ``bucket_at``.
        week : Week
            The report week.
        weeks : int
            Weeks of history.

        Returns
        -------
        FollowUp
            A week without a single call resolves nothing, nor does a part of one.
        """
        by = {
            (hit.entity_type, hit.entity): sorted(
                {
                    number
                    for other, number in split.suppressed
                    if (other.entity_type, other.entity) == (hit.entity_type, hit.entity)
                }
            )
            for hit, _ in split.suppressed
        }

        calls = index_calls(by_api), index_calls(by_ip)

        def complete(found: Sequence[Finding]) -> list[Finding]:
            placed = place_findings(found, self.past, week=week, verdicts=self.verdicts)
            return [
                replace(
                    finding,
                    past_weeks=count_past_weeks(finding, *calls, week=week, weeks=weeks),
                    suppressed_by=by.get((finding.entity_type, finding.entity), []),
                )
                for finding in placed
            ]

        first, last = by_api["bucket_at"].searchsorted([week.hours[0], week.end_at])
        before = self.past.last["suppressions"] if self.past.last else []
        return FollowUp(
            findings=complete(findings),
            suppressed=[replace(f, status="suppressed") for f in complete(suppressed)],
            resolved=(
                list_resolved(self.past, findings, suppressed, self.verdicts)
                if first < last and week.since_at is None
                else []
            ),
            suppressions=list_suppressions(self.suppressions, split, week=week, before=before),
            compared_with=self.past.to_dict(),
        )


def read_review(
    settings: Settings, previous: Path | Mapping[str, Any] | None, week: Week
) -> Review:
    """Read suppressions, verdicts and earlier reports.

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
        What is not there is empty.

    Raises
    ------
    ConfigError
        A file cannot be read or understood.
    InputError
        An earlier report cannot be read.
    """
    return Review(
        past=read_past(previous, week, weeks=settings.history_weeks),
        suppressions=read_suppressions(settings.suppressions) if settings.suppressions else [],
        verdicts=read_verdicts(settings.verdicts) if settings.verdicts else {},
    )
