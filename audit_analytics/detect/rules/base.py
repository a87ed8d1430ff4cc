"""What every rule is given, and how a rule is called."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.dates.weeks import Week, choose_report_week, parse_week
from audit_analytics.detect.grid import MIN_HISTORY_DAYS, build_grid
from audit_analytics.detect.novelty import Novelty, find_new_apis, find_new_networks
from audit_analytics.detect.panel import COUNTS, Panel, build_panel
from audit_analytics.detect.stuffing import set_aside_stuffing
from audit_analytics.errors import DataIncompleteError
from audit_analytics.rollup import rollup
from audit_analytics.settings import RuleSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from audit_analytics.cases import Hit

HOUR: Final = pd.Timedelta(hours=1)
DAY: Final = pd.Timedelta(days=1)
SECOND: Final = pd.Timedelta(seconds=1)

NO_PLACE: Final = ("", "platform")
"""Networks that say nothing about who calls: no address, and the platform's own."""


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
    own_by_api, own_by_ip : pandas.DataFrame
        The rollup of this tool's own app; empty unless it is known which app that is.
    """

    panel: Panel
    by_api: pd.DataFrame
    by_ip: pd.DataFrame
    networks: Novelty
    apis: Novelty
    week: Week
    settings: RuleSettings
    deny_networks: tuple[str, ...] = ()
    own_by_api: pd.DataFrame = field(default_factory=schema.CALLS_BY_API.empty)
    own_by_ip: pd.DataFrame = field(default_factory=schema.CALLS_BY_IP.empty)

    @classmethod
    def from_events(
        cls,
        events: pd.DataFrame,
        *,
        week: str | None = None,
        settings: RuleSettings | None = None,
        zone: str = "Asia/Shanghai",
        history_weeks: int = 4,
        deny_networks: tuple[str, ...] = (),
        own_apps: Collection[str] = (),
    ) -> RuleInput:
        """Make the input of a rule from a table of events, for a notebook.

        Parameters
        ----------
        events : pandas.DataFrame of shape (n_events, 18)
            Table :data:`audit_analytics.schema.EVENTS`.
        week : str, optional
            ISO week such as ``2026-W46``; the last complete week of the log if not given.
        settings : RuleSettings, optional
            Thresholds; the defaults if not given.
        zone : str, default="Asia/Shanghai"
            IANA zone of the tenant.
        history_weeks : int, default=4
            Weeks of history before the week.
        deny_networks : tuple of str, default=()
            Networks that are always reported.
        own_apps : collection of str, default=()
            App ids of this tool.

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
        if events.empty:
            raise DataIncompleteError("no events: a rule needs at least one; load a log first")
        settings = settings or RuleSettings()
        chosen = (
            parse_week(week, zone=zone) if week else choose_report_week(events["at"], zone=zone)
        )
        calls = rollup(events)
        own = [table["app_id"].isin(own_apps) for table in (calls.by_api, calls.by_ip)]
        by_api, by_ip = calls.by_api[~own[0]], calls.by_ip[~own[1]]
        judged_api, judged_ip = set_aside_stuffing(
            by_api, by_ip, apps=settings.auth_failure_apps, calls=settings.auth_failure_calls
        )
        grid = build_grid(
            chosen,
            history_weeks=history_weeks,
            first_at=events["at"].min(),
            last_at=events["at"].max(),
            calls_at=calls.by_api["bucket_at"],
        )
        panel = build_panel(_count_apps(judged_api), judged_api, grid)
        return cls(
            panel=panel,
            by_api=by_api,
            by_ip=by_ip,
            networks=find_new_networks(panel, judged_ip),
            apis=find_new_apis(panel, judged_api),
            week=chosen,
            settings=settings,
            deny_networks=deny_networks,
            own_by_api=calls.by_api[own[0]],
            own_by_ip=calls.by_ip[own[1]],
        )

    @property
    def every_ip(self) -> pd.DataFrame:
        """Return the rollup by address with this tool's own app.

        Returns
        -------
        pandas.DataFrame
            Table :data:`audit_analytics.schema.CALLS_BY_IP`: whoever calls from a hostile
            address is told, whichever app it calls as.
        """
        if self.own_by_ip.empty:
            return self.by_ip
        names = dict.fromkeys(("app_id", "ip", "network"), "str")
        parts = [self.by_ip.astype(names), self.own_by_ip.astype(names)]
        return pd.concat(parts, ignore_index=True)

    @property
    def has_history(self) -> bool:
        """Return whether the log goes back far enough for anything to be called new.

        Returns
        -------
        bool
            The log begins seven days or more before the report week.
        """
        return self.is_known_since(self.by_api["first_at"].min())

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


_SECTIONS: Final = """
Parameters
----------
data : RuleInput or pandas.DataFrame
    The tenant and the week, or a table of events to be judged with the default settings.

Returns
-------
list of Hit
    One per entity; ``facts`` holds numbers and names, no prose.
"""


def rule(
    find: Callable[[RuleInput], Iterator[Hit]],
) -> Callable[[RuleInput | pd.DataFrame], list[Hit]]:
    """Make a rule of a function: events do as well as a RuleInput, and its hits are a list.

    Parameters
    ----------
    find : callable
        ``find(data: RuleInput) -> iterator of Hit``, with a docstring of summary and examples.

    Returns
    -------
    callable
        The rule; its docstring says what all rules take and return.
    """

    @functools.wraps(find)
    def run(data: RuleInput | pd.DataFrame) -> list[Hit]:
        return list(find(data if isinstance(data, RuleInput) else RuleInput.from_events(data)))

    summary, _, examples = inspect.cleandoc(find.__doc__ or "").partition("\nExamples\n")
    del run.__wrapped__  # it yields its hits; what it has become returns them
    parts = [summary, _SECTIONS, f"Examples\n{examples}" if examples else ""]
    run.__doc__ = "\n\n".join(part.strip() for part in parts).rstrip()
    return run


def top_rows(table: pd.DataFrame, keys: list[str], column: str) -> pd.DataFrame:
    """Return the row with the largest value of each group, the earliest among equals.

    Parameters
    ----------
    table : pandas.DataFrame
        A table with ``bucket_at``.
    keys : list of str
        Columns that name the group.
    column : str
        Column of the values.

    Returns
    -------
    pandas.DataFrame
        One row per group, in the order of the keys.

    Examples
    --------
    >>> table = pd.DataFrame({"app_id": ["a", "a"], "bucket_at": [0, 1], "n": [2, 3]})
    >>> top_rows(table, ["app_id"], "n")["bucket_at"].tolist()
    [1]
    """
    ranked = table.sort_values([column, "bucket_at"], ascending=[False, True], kind="stable")
    return ranked.drop_duplicates(keys).sort_values(keys, kind="stable")


def gather(rows: pd.DataFrame, keys: list[str], column: str) -> dict[Any, list[str]]:
    """Return the distinct names of a column, group by group, in the order of the rows.

    In a log with many forged names this costs a small part of what grouping the rows and asking
    each group for its names does.

    Parameters
    ----------
    rows : pandas.DataFrame
        A table.
    keys : list of str
        Columns that name the group.
    column : str
        Column of the names.

    Returns
    -------
    dict of tuple or str to list of str
        By the values of `keys`: a tuple, or the value itself if there is one key.

    Examples
    --------
    >>> gather(pd.DataFrame({"app_id": ["a", "a"], "api": ["y", "x"]}), ["app_id"], "api")
    {'a': ['y', 'x']}
    """
    names: dict[Any, dict[str, None]] = {}
    values = [rows[key].tolist() for key in keys]
    groups = values[0] if len(keys) == 1 else zip(*values, strict=True)
    for group, name in zip(groups, rows[column].tolist(), strict=True):
        names.setdefault(group, {})[str(name)] = None
    return {group: list(found) for group, found in names.items()}


def is_known(table: pd.DataFrame, known: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Return which rows have a combination of names that another table has.

    Parameters
    ----------
    table, known : pandas.DataFrame
        Tables with the columns `keys`.
    keys : list of str
        Columns that have to agree.

    Returns
    -------
    pandas.Series of bool of shape (n_rows,)
        With the index of `table`.
    """
    # most of the past is about other names
    near = known[known[keys[-1]].isin(table[keys[-1]].unique())]
    seen = pd.MultiIndex.from_frame(near[keys].drop_duplicates().astype("str"))
    rows = pd.MultiIndex.from_frame(table[keys].astype("str"))
    return pd.Series(rows.isin(seen), index=table.index)


def _count_apps(by_api: pd.DataFrame) -> pd.DataFrame:
    """Count what the panel holds per app and hour."""
    calls = by_api["calls_count"]
    table = by_api.assign(
        sensitive_count=calls.where(by_api["severity"].isin(schema.SENSITIVE), 0),
        token_count=calls.where(by_api["category"] == "token_issuance", 0),
    )
    keys = ["bucket_at", "app_id"]
    sums = table.groupby(keys, observed=True)[[f"{name}_count" for name in COUNTS]].sum()
    return sums.reset_index()
