"""What every rule is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.dates.weeks import Week, choose_report_week, find_begin, parse_week
from audit_analytics.detect._detector import T, Thresholds, choose_thresholds
from audit_analytics.detect._grid import MIN_HISTORY_DAYS
from audit_analytics.detect._novelty import Novelty, find_new_apis, find_new_networks
from audit_analytics.detect._tables import DAY, SECOND, cut, gather
from audit_analytics.errors import DataIncompleteError
from audit_analytics.language import mark
from audit_analytics.rollup import rollup

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import date

    from audit_analytics.detect._panel import Panel
    from audit_analytics.inventory import Inventory

MOST_A_WEEK: Final = 0.5
"""What ordinary weeks bring more often than every other one is no news in this one."""


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
    settings : Thresholds
        Thresholds of all rules; a rule asks for its own with :meth:`thresholds`.
    deny_networks : tuple of str
        Networks that are always reported.
    own_by_api, own_by_ip : pandas.DataFrame
        The rollup of this tool's own app; empty unless it is known which app that is.
    every_api : pandas.DataFrame, optional
        As `by_api`, with the calls that reviewers left out of what is usual.
    inventory : Inventory, optional
        Who the apps are, and what changed about them.
    """

    panel: Panel
    by_api: pd.DataFrame
    by_ip: pd.DataFrame
    networks: Novelty
    apis: Novelty
    week: Week
    settings: Thresholds
    deny_networks: tuple[str, ...] = ()
    own_by_api: pd.DataFrame = field(default_factory=schema.CALLS_BY_API.empty)
    own_by_ip: pd.DataFrame = field(default_factory=schema.CALLS_BY_IP.empty)
    every_api: pd.DataFrame | None = None
    inventory: Inventory | None = None

    @classmethod
    def from_events(
        cls,
        events: pd.DataFrame,
        *,
        week: str | None = None,
        settings: Thresholds | None = None,
        zone: str = "Asia/Shanghai",
        history_weeks: int = 4,
        deny_networks: tuple[str, ...] = (),
        own_apps: Collection[str] = (),
        holidays: Collection[date] = (),
        working_days: Collection[date] = (),
        inventory: Inventory | None = None,
    ) -> RuleInput:
        """Make the input of a rule from a table of events, for a notebook.

        Parameters
        ----------
        events : pandas.DataFrame of shape (n_events, 18)
            Table :data:`audit_analytics.schema.EVENTS`.
        week : str, optional
            ISO week such as ``2026-W46``; the last complete week of the log if not given.
        settings : Thresholds, optional
            Thresholds; the defaults if not given.
        zone : str, default="Asia/Shanghai"
            IANA zone of the tenant.
        history_weeks : int, default=4
            Weeks of history before the week.
        deny_networks : tuple of str, default=()
            Networks that are always reported.
        own_apps : collection of str, default=()
            App ids of this tool.
        holidays, working_days : collection of date, default=()
            Exceptions from the working week.
        inventory : Inventory, optional
            Who the apps are.

        Returns
        -------
        RuleInput
            As the weekly run makes it.

        Raises
        ------
        DataIncompleteError
            There is no event at all.
        InputError
            The frame is no table of events.
        """
        # it counts the metrics in use, and the list of these holds the rules
        from audit_analytics.detect._layout import lay_out  # noqa: PLC0415

        if events.empty:
            raise DataIncompleteError("no events: a rule needs at least one; load a log first")
        settings = settings or Thresholds()
        chosen = (
            parse_week(week, zone=zone) if week else choose_report_week(events["at"], zone=zone)
        )
        known = rollup(events, zone=zone).until(chosen.end_at)
        own, calls = known.part(own_apps)
        panel, judged = lay_out(
            calls,
            known.by_api,
            chosen,
            thresholds=settings,
            history_weeks=history_weeks,
            holidays=holidays,
            working_days=working_days,
        )
        return cls(
            panel=panel,
            by_api=calls.by_api,
            by_ip=calls.by_ip,
            networks=find_new_networks(panel, judged.by_ip),
            apis=find_new_apis(panel, judged.by_api),
            week=chosen,
            settings=settings,
            deny_networks=deny_networks,
            own_by_api=own.by_api,
            own_by_ip=own.by_ip,
            inventory=inventory,
        )

    def thresholds(self, model: type[T]) -> T:
        """Return the thresholds of one rule.

        Parameters
        ----------
        model : type of Thresholds
            The rule's own class.

        Returns
        -------
        Thresholds
            An instance of it: what the user set, or the defaults where the settings do not know
            the rule.
        """
        return choose_thresholds(self.settings, model)

    def hits(
        self, rows: pd.DataFrame, *, by: str = "app_id", unit: str = mark("calls in the week")
    ) -> Iterator[Hit]:
        """Make one hit per entity of rows of a rollup table.

        Parameters
        ----------
        rows : pandas.DataFrame
            Rows of :attr:`by_api` or :attr:`by_ip`.
        by : str, default="app_id"
            Whom the hits are about: ``app_id``, ``ip``, ``network`` or ``api``.
        unit : str, default="calls in the week"
            Unit of what was observed: the calls of the rows.

        Yields
        ------
        Hit
            From the first call to the last. Its evidence are the calls of the entity to the APIs
            of its rows, or those that `by` alone picks.
        """
        apis = gather(rows, [by], "api") if by == "app_id" and "api" in rows else {}
        sums = rows.groupby(by, observed=True).agg(
            first_at=("first_at", "min"), last_at=("last_at", "max"), calls=("calls_count", "sum")
        )
        for row in sums.itertuples():
            entity = str(row.Index)
            named = {"api": tuple(sorted(apis[row.Index]))} if row.Index in apis else {}
            yield Hit(
                entity_type=by.removesuffix("_id"),
                entity=entity,
                start_at=row.first_at,
                end_at=row.last_at + SECOND,
                observed=float(row.calls),
                unit=unit,
                facts={key + "s": list(names) for key, names in named.items()},
                where={by: (entity,), **named},
            )

    @property
    def every_ip(self) -> pd.DataFrame:
        """Return the rollup by address with this tool's own app.

        Whoever calls from a hostile address is told, whichever app it calls as.
        """
        if self.own_by_ip.empty:
            return self.by_ip
        names = dict.fromkeys(("app_id", "ip", "network"), "str")
        parts = [self.by_ip.astype(names), self.own_by_ip.astype(names)]
        return pd.concat(parts, ignore_index=True)

    @property
    def has_history(self) -> bool:
        """Return whether the log goes back far enough for anything to be called new.

        It begins seven days or more before the report week.
        """
        return self.is_known_since(self.begun_at)

    @cached_property
    def begun_at(self) -> pd.Timestamp:
        """Return when the log begins, UTC; see :func:`audit_analytics.dates.weeks.find_begin`."""
        return find_begin(self.by_api["bucket_at"], zone=self.week.zone)

    @property
    def settled_at(self) -> pd.Timestamp:
        """Return when the log's first week is over, UTC: until then everything is new."""
        return self.begun_at + MIN_HISTORY_DAYS * DAY

    def split_known(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Split the calls by API where something may begin to be called new.

        That is where the report week begins; in a log that is younger, a week after its own begin.

        Returns
        -------
        known, fresh : pandas.DataFrame
            Rows of `by_api` before that instant, and those of the report week from it on.
        """
        known_at = max(self.week.start_at, self.settled_at)
        known = cut(self.by_api, "bucket_at", end=known_at)
        return known, self.in_week(cut(self.by_api, "bucket_at", known_at))

    def is_seldom(self, earlier: int, most_a_week: float = MOST_A_WEEK) -> bool:
        """Return whether ordinary weeks hardly bring what a rule found.

        Parameters
        ----------
        earlier : int
            How many there were in the history.
        most_a_week : float, default=0.5
            How many a week of it may hold.

        Returns
        -------
        bool
            Where it is not so, it is how this tenant lives.
        """
        return bool(earlier <= most_a_week * len(self.panel.grid.weeks))

    def list_earlier(self, found: pd.DataFrame, column: str) -> pd.Series:
        """List how large what a rule looks for was in ordinary weeks, for :meth:`is_seldom`.

        Parameters
        ----------
        found : pandas.DataFrame
            ``app_id``, ``bucket_at``, ``week`` and the size, over the whole log; its first week,
            in which everything is new, says nothing.
        column : str
            The size.

        Returns
        -------
        pandas.Series
            By app and week, the largest.
        """
        before = found[(found["week"] < 0) & (found["bucket_at"] >= self.settled_at)]
        return before.groupby(["app_id", "week"], observed=True)[column].max()

    @property
    def last_seen(self) -> pd.Series:
        """Return by app id when it called for the last time before the report week, UTC.

        Apps that never called before are left out.
        """
        past = self.before_week(self.all_calls)
        return past.groupby("app_id", observed=True)["last_at"].max()

    @property
    def all_calls(self) -> pd.DataFrame:
        """Return all that was called, whether it teaches anything or not.

        `every_api`, or `by_api` where nothing was left out.
        """
        return self.by_api if self.every_api is None else self.every_api

    def is_known_since(self, first_at: pd.Timestamp) -> bool:
        """Return whether something was first seen long enough before the report week.

        Parameters
        ----------
        first_at : pandas.Timestamp
            When it was first seen, UTC; NaT if never.

        Returns
        -------
        bool
            Seven days or more before.
        """
        return bool(self.week.start_at - first_at >= MIN_HISTORY_DAYS * DAY)

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
        return cut(table, "bucket_at", self.week.start_at, self.week.end_at)

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
        return cut(table, "bucket_at", end=self.week.start_at)

    def new_pairs(self, novelty: Novelty, since: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return the new pairs of the report week with the app's id.

        Parameters
        ----------
        novelty : Novelty
            New pairs.
        since : pandas.Timestamp, optional
            From this instant on, UTC; from the report week's first day if not given.

        Returns
        -------
        pandas.DataFrame
            As `novelty.pairs`, with ``app_id``.
        """
        pairs = novelty.pairs
        if since is None:
            pairs = pairs[pairs["day"].isin(self.panel.grid.days(0))]
        else:
            pairs = pairs[pairs["first_at"] >= since]
        return pairs.assign(app_id=self.panel.apps[pairs["app"]])
