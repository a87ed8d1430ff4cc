"""What people decided and earlier reports say, before the week is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audit_analytics.review._past import PastReports, read_past
from audit_analytics.review.suppression import Suppression, read_suppressions
from audit_analytics.review.verdicts import Verdict, list_confirmed, read_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from audit_analytics.dates.weeks import Week
    from audit_analytics.review.scope import Scope
    from audit_analytics.settings import Settings


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
