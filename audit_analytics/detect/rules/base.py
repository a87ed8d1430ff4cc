"""What every rule is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from audit_analytics.detect.grid import MIN_HISTORY_DAYS

if TYPE_CHECKING:
    from audit_analytics.buckets import Week
    from audit_analytics.config import RuleSettings
    from audit_analytics.detect.novelty import Novelty
    from audit_analytics.detect.panel import Panel

HOUR: Final = pd.Timedelta(hours=1)
DAY: Final = pd.Timedelta(days=1)
SECOND: Final = pd.Timedelta(seconds=1)


@dataclass(frozen=True)
class RuleInput:
    """What a rule may look at.

    Parameters
    ----------
    panel : Panel
        Hourly counts of the apps.
    by_api, by_ip : pandas.DataFrame
        The hourly rollup over the whole log, this tool's own app left out.
    networks, apis : Novelty
        New pairs of apps with networks and APIs.
    week : Week
        The report week.
    settings : RuleSettings
        Thresholds.
    deny_networks : tuple of str
        Networks that are always reported.
    """

    panel: Panel
    by_api: pd.DataFrame
    by_ip: pd.DataFrame
    networks: Novelty
    apis: Novelty
    week: Week
    settings: RuleSettings
    deny_networks: tuple[str, ...] = ()

    @property
    def has_history(self) -> bool:
        """Return whether the log goes back far enough for anything to be called new.

        Returns
        -------
        bool
            The log begins seven days or more before the report week.
        """
        history = self.week.start_at - self.by_api["first_at"].min()
        return bool(history >= MIN_HISTORY_DAYS * DAY)

    def in_week(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a rollup table that lie in the report week.

        Parameters
        ----------
        table : pandas.DataFrame
            A rollup table.

        Returns
        -------
        pandas.DataFrame
            Its rows of the week.
        """
        at = table["bucket_at"]
        return table[(at >= self.week.hours[0]) & (at < self.week.end_at)]

    def before_week(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a rollup table that lie before the report week.

        Parameters
        ----------
        table : pandas.DataFrame
            A rollup table.

        Returns
        -------
        pandas.DataFrame
            Its earlier rows.
        """
        return table[table["bucket_at"] < self.week.hours[0]]

    def new_pairs(self, novelty: Novelty) -> pd.DataFrame:
        """Return the new pairs of the report week with the app's id.

        Parameters
        ----------
        novelty : Novelty
            New pairs.

        Returns
        -------
        pandas.DataFrame
            As `novelty.pairs`, with ``app_id``.
        """
        pairs = novelty.pairs[novelty.pairs["day"].isin(self.panel.grid.days(0))]
        return pairs.assign(app_id=self.panel.apps[pairs["app"]])
