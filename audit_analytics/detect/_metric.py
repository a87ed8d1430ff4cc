"""A surprise group of the user's own: calls of some APIs, compared with the app's own past.

The hourly counts of every API are kept anyway, in a report from a store as well, so a metric
costs nothing to add later: no event is read again, and every week of history knows it at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from audit_analytics import schema
from audit_analytics.detect._detector import Detector
from audit_analytics.detect._detectors import list_detectors
from audit_analytics.detect._group import COUNT_METHOD, CountGroup
from audit_analytics.detect._tables import find_places
from audit_analytics.errors import ConfigError
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_expected, say_times, say_when

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from audit_analytics.cases import Hit
    from audit_analytics.detect._panel import Panel

COLUMNS: Final = ("api", "category", "severity", "outcome")
"""Columns of the event table that a metric may choose by."""


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Metric(CountGroup):
    """Calls of an app that are counted, baselined, calibrated and explained like all calls.

    Parameters
    ----------
    name : str
        Its name; the detector is called ``metric:`` and the name.
    where : mapping of str to sequence of str, or callable
        Column (``api``, ``category``, ``severity`` or ``outcome``) to the values that count; an
        API may hold ``*``. Or a function from the rows of
        :data:`audit_analytics.schema.CALLS_BY_API` to a mask: calls of which APIs count.
    title : str
        Short name of a finding, such as ``Exports``.
    **more
        Further parameters of :class:`Detector`: ``kind``, ``techniques``, ``benign``, ``steps``.

    Raises
    ------
    ConfigError
        `where` names another column, or nothing at all.

    Examples
    --------
    >>> Metric("exports", where={"api": ["*/drive/v1/export_tasks*"]}, title="Exports")
    <Metric metric:exports: Exports>
    """

    chosen: Mapping[str, tuple[str, ...]] | Callable[[pd.DataFrame], pd.Series]

    def __init__(
        self,
        name: str,
        *,
        where: Mapping[str, Sequence[str]] | Callable[[pd.DataFrame], pd.Series],
        title: str,
        **more: Any,  # noqa: ANN401 - those of Detector
    ) -> None:
        chosen: Mapping[str, tuple[str, ...]] | Callable[[pd.DataFrame], pd.Series]
        if callable(where):
            chosen = where
        else:
            values = {k: [v] if isinstance(v, str) else v for k, v in where.items()}
            chosen = {key: tuple(value) for key, value in values.items()}
            if not chosen or set(chosen) - set(COLUMNS):
                raise ConfigError(
                    f"metric {name!a}: where takes {', '.join(COLUMNS)} (of an event table), not "
                    f"{', '.join(sorted(set(chosen) - set(COLUMNS))) or 'nothing'}"
                )
        object.__setattr__(self, "chosen", chosen)
        super().__init__(
            name=f"metric:{name}",
            title=title,
            short=title,
            kind=more.pop("kind", "volume"),
            method=COUNT_METHOD,
            sentence=more.pop("sentence", _say),
            metric=f"metric:{name}",
            units={
                1: mark("calls of this metric in an hour"),
                2: mark("calls of this metric in two hours"),
                24: mark("calls of this metric in a day"),
            },
            telling=0,
            **more,
        )

    def count(self, by_api: pd.DataFrame) -> pd.Series:
        """Count the calls of each row of the rollup.

        Parameters
        ----------
        by_api : pandas.DataFrame
            Table :data:`audit_analytics.schema.CALLS_BY_API`.

        Returns
        -------
        pandas.Series of int of shape (n_rows,)
            Calls that count.
        """
        calls = by_api["calls_count"]
        if callable(self.chosen):
            return calls.where(self.chosen(by_api).astype(bool), 0)
        chosen = dict(self.chosen)
        if outcomes := chosen.pop("outcome", ()):
            calls = by_api[[f"{name}_count" for name in schema.OUTCOMES if name in outcomes]].sum(
                axis=1
            )
        for column, patterns in chosen.items():
            names = by_api[column].astype("str")
            fitting = {
                name
                for name in names.unique()
                if any(fnmatchcase(name, pattern) for pattern in patterns)
            }
            calls = calls.where(names.isin(fitting), 0)
        return calls

    def choose(self, panel: Panel) -> Mapping[str, tuple[str, ...]]:
        """Return which rows of the event table count: columns to their values."""
        named = {} if callable(self.chosen) else dict(self.chosen)
        return named | {"api": panel.metric_apis[self.metric]}


def _say(hit: Hit, who: str, zone: str) -> str:
    title = next(d.title for d in list_detectors(Detector) if d.name == hit.detector)
    return _(
        "{entity}: {title} {times} {when}; {expected}.",
        entity=who,
        title=title,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


def add_metrics(panel: Panel, by_api: pd.DataFrame) -> Panel:
    """Count the metrics in use: one more entry in ``counts`` for each."""
    metrics = list_detectors(Metric)
    if not metrics:
        return panel
    app = find_places(by_api["app_id"], panel.apps)
    hour = panel.grid.hours.get_indexer(by_api["bucket_at"])
    inside = (app >= 0) & (hour >= 0)
    counts, apis = dict(panel.counts), {}
    for metric in metrics:
        calls = metric.count(by_api)
        counts[metric.metric] = np.zeros((len(panel.apps), len(panel.grid.hours)))
        np.add.at(
            counts[metric.metric], (app[inside], hour[inside]), calls.to_numpy(dtype=float)[inside]
        )
        apis[metric.metric] = tuple(sorted(by_api["api"][calls > 0].astype("str").unique()))
    return replace(panel, counts=counts, metric_apis=apis)
