"""What every surprise group is: what a day is compared with, and how it is told.

A group scores days of one kind of entity; the engine calibrates the scores on past weeks
(:mod:`audit_analytics.detect._calibrate`) and joins them (:mod:`audit_analytics.detect._engine`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._baseline import expect_interval
from audit_analytics.detect._detector import Detector
from audit_analytics.detect._spans import require_excess
from audit_analytics.detect._surprise import score_counts
from audit_analytics.language import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from audit_analytics.cases import Case
    from audit_analytics.detect._engine import Detection
    from audit_analytics.detect._frame import WeekFrame
    from audit_analytics.detect._novelty import Novelty
    from audit_analytics.detect._panel import Panel
    from audit_analytics.detect._surprise import Surprise

MAX_DAY_HOURS: Final = 25
"""A day in which the clocks change has 23 or 25 hours."""

BUSY_SHARE: Final = 0.8
BUSY_HOURS: Final = 6
"""A day's count of which so much falls into a quarter of the day is said to be from then."""

COUNT_METHOD: Final = mark(
    "calls, calls of sensitive APIs and token requests against the app's own hours and days of the week (negative binomial)"
)
OBJECT_METHOD: Final = mark(
    "distinct objects, each counted once an hour, against the app's own past: hours and days, and added up over two and four days (negative binomial)"
)
PAIR_METHOD: Final = mark(
    "first contact of an app with a network or an API, weighed by how rare that is"
)
IP_METHOD: Final = mark(
    "addresses that serve new apps or fail to authenticate, against other addresses and days"
)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AppGroup(Detector):
    """A group that scores app-days.

    Parameters
    ----------
    short : str
        What it is about, as one of several ways in which a day is unusual.
    telling : int
        Which group speaks first when several are equally improbable: the more specific one has
        the smaller number.
    young : bool, default=False
        Whether apps without history are scored, too.
    supports : bool, default=False
        Whether it says less than any other group does: left out where another one is clear.
    """

    short: str
    telling: int
    young: bool = False
    supports: bool = False

    def explain(
        self, detection: Detection, app: int, day: int, severity_of_api: Mapping[str, str]
    ) -> Iterator[Hit]:
        """Make hits of a surprising day: `day` of the report week, of the app at position `app`."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CountGroup(AppGroup):
    """A group that compares counts with the app's own past.

    Parameters
    ----------
    units : mapping of int to str
        Unit of a count by the hours of its window: 1, 2, 24 and, over days, 48 and 96.
    scored : callable, optional
        ``scored(frame: WeekFrame) -> list of Surprise``, one a window; hours, two hours and days
        of `metric` if not given.
    labels : str, default=""
        What the label of a surprise is: an ``outcome``, an ``api``, or nothing.
    where : mapping of str to tuple of str
        Column of the event table to the values that make up what is counted.
    least : float, default=0.0
        How many more than expected are a surprise at all.
    """

    units: Mapping[int, str]
    scored: Callable[[WeekFrame], list[Surprise]] | None = None
    labels: Literal["", "outcome", "api"] = ""
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    least: float = 0.0

    def score(self, frame: WeekFrame) -> list[Surprise]:
        """Score a week: the most surprising bucket of each app and day, window by window."""
        if self.scored is not None:
            windows = self.scored(frame)
        else:
            windows = score_counts(frame, frame.panel.counts[self.metric])
        return [require_excess(seen, self.least) for seen in windows] if self.least else windows

    def _name_unit(self, hours: int) -> str:
        """Return the unit of a count over so many hours: English, translated where it is shown."""
        # a day in which the clocks change has 23 or 25 hours, one that is judged in part has fewer
        days = 24 * max(1, round(hours / 24))
        return self.units[hours if hours <= 2 and hours in self.units else days]

    def choose(self, panel: Panel) -> Mapping[str, tuple[str, ...]]:  # noqa: ARG002 - of metrics
        """Return which rows of the event table are counted: columns to their values."""
        return self.where

    def explain(
        self, detection: Detection, app: int, day: int, severity_of_api: Mapping[str, str]
    ) -> Iterator[Hit]:
        """Make the hit of a surprising day, about its most surprising bucket."""
        surprise, grid = detection.surprises[self.name], detection.panel.grid
        app_id = str(detection.panel.apps[app])
        mean, size = float(surprise.expected[app, day]), float(surprise.size[app, day])
        low, high = expect_interval(mean, size)
        first, hours = int(surprise.hour[app, day]), int(surprise.hours[app, day])
        label = str(surprise.label[app, day])
        kind, where = self.kind, {"app_id": (app_id,), **self.choose(detection.panel)}
        facts: dict[str, object] = {"label": label, "hours": hours, "metric": self.metric}
        if self.labels == "outcome":
            facts |= {"metric": label, "outcome": label}
            where["outcome"] = (label,)
        elif self.labels == "api":
            facts["narrow"] = label
            where["api"] = (label,)
            if severity_of_api.get(label) in schema.SENSITIVE:
                kind = "sensitive_api"
        if 2 < hours <= MAX_DAY_HOURS:
            panel = detection.panel.narrow_to_api(label) if "narrow" in facts else detection.panel
            counts = panel.counts[str(facts["metric"])][app]
            if busy := _find_busy_hours(counts[first : first + hours]):
                begun, ended = grid.hours[first + busy[0]], grid.ends[first + busy[1] - 1]
                facts["busy"] = begun, ended
        yield Hit(
            detector=self.name,
            kind=kind,
            entity_type="app",
            entity=app_id,
            start_at=grid.hours[first],
            end_at=grid.ends[first + hours - 1],
            observed=float(surprise.observed[app, day]),
            expected=mean,
            low=low,
            high=high,
            unit=self._name_unit(hours),
            p=float(detection.app_p[self.name][app, day]),
            facts=facts,
            where=where,
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PairGroup(AppGroup):
    """A group of new pairs; :mod:`audit_analytics.detect._novelty` scores them.

    Parameters
    ----------
    pairs : str
        ``networks`` or ``apis``: what an app meets for the first time.
    explained : callable
        ``explained(detection, app, day, severity_of_api) -> iterator of Hit``.
    """

    pairs: Literal["networks", "apis"]
    explained: Callable[[Detection, int, int, Mapping[str, str]], Iterator[Hit]]

    def explain(
        self, detection: Detection, app: int, day: int, severity_of_api: Mapping[str, str]
    ) -> Iterator[Hit]:
        """Make hits of a day with new pairs."""
        return self.explained(detection, app, day, severity_of_api)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class IpGroup(Detector):
    """A group that scores IP-days, against other addresses and days.

    Parameters
    ----------
    scored : callable
        ``scored(days: pandas.DataFrame) -> pandas.Series``, see
        :func:`audit_analytics.detect._ip_days.count_ip_days`.
    observed : str
        Column of these days that is told.
    unit : str
        Its unit.
    where : mapping of str to tuple of str
        Column of the event table to the values that make up what is counted.
    """

    scored: Callable[[pd.DataFrame], pd.Series]
    observed: str
    unit: str
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ApiGroup(Detector):
    """A group that scores API-days, against the API's own past.

    Parameters
    ----------
    scored : callable
        ``scored(frame: WeekFrame) -> list of Surprise`` over a panel of APIs, see
        :func:`audit_analytics.detect._api_days._build_api_panel`.
    explained : callable
        ``explained(detection, case) -> iterator of Hit``.
    """

    scored: Callable[[WeekFrame], list[Surprise]]
    explained: Callable[[Detection, Case], Iterator[Hit]]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MixtureGroup(Detector):
    """What speaks where an outlier detector over all surprises stands alone.

    Parameters
    ----------
    explained : callable
        ``explained(detection, app) -> Hit``.
    """

    explained: Callable[[Detection, int], Hit]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WeekGroup(Detector):
    """What speaks about the tenant's week as a whole.

    Parameters
    ----------
    explained : callable
        ``explained(detection, untold) -> iterator of Hit``; `untold` are the cases within the
        budget that are not told one by one, there being too many of them.
    """

    explained: Callable[[Detection, Sequence[Case]], Iterator[Hit]]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class BirthGroup(Detector):
    """What speaks of an app that is judged without a past of its own.

    Parameters
    ----------
    explained : callable
        ``explained(detection, app) -> Hit``.
    """

    explained: Callable[[Detection, int], Hit]


def new_pairs(novelty: Novelty, detection: Detection, app: int, day: int) -> pd.DataFrame:
    """Return the new pairs of an app on a day of the report week: rows of ``novelty.pairs``."""
    first_day, pairs = detection.panel.grid.days(0)[0], novelty.pairs
    return pairs[(pairs["app"] == app) & (pairs["day"] == first_day + day)]


def _find_busy_hours(counts: NDArray[np.float64]) -> tuple[int, int] | None:
    """Return the shortest stretch of a day that most of its count falls into, if it is a short one.

    First hour and the hour after the last: at most six hours that hold four fifths.

    >>> _find_busy_hours(np.array([0, 0, 5, 7, 1, 0, 0]))
    (2, 4)
    >>> _find_busy_hours(np.ones(24)) is None
    True
    """
    sums = np.r_[0.0, np.cumsum(counts)]
    for length in range(1, min(BUSY_HOURS, len(counts)) + 1):
        inside = sums[length:] - sums[:-length]
        if inside.max() >= BUSY_SHARE * sums[-1]:
            first = int(inside.argmax())
            return first, first + length
    return None
