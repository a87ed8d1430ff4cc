"""What detectors hand to the findings: hits (one observation each) and cases (one entity each).

Detectors see hourly counts only. The rows behind a hit are fetched when a finding is written,
through an :class:`EvidenceSource`, from a frame or from a store.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import pandas as pd

__all__ = ["EVIDENCE_GROUPS", "RARITY", "Case", "Evidence", "EvidenceSource", "Hit", "find_covered"]


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One observation a detector wants to speak about.

    Parameters
    ----------
    entity_type, entity : str
        ``app``, ``ip``, ``network``, ``api`` or ``tenant``, and which one.
    start_at, end_at : pandas.Timestamp
        When, UTC, end excluded.
    observed : float
        What was counted, in `unit`.
    unit : str
        Unit of these numbers, English; translated where it is shown.
    detector : str
        Surprise group (``VOL``, ``ERR``, ...) or rule (``rule:probing``), which need not say its name.
    kind : str
        What it is, as the report groups it: ``unusual_ip``, ``error_burst``, ``sensitive_api``,
        ``new_api``, ``volume``, ``silence`` or ``mixture``; the detector's if empty.
    expected, low, high : float, optional
        Expected count and its 95 % interval; None for rules.
    p : float, optional
        Calibrated probability of something this extreme in this group; None for rules.
    unmatched : bool, default=False
        Nothing in the past of its group was like it: `p` cannot be less, however little past there is.
    severity : str, optional
        How bad it is by policy: ``low`` to ``critical``; None where rarity alone decides.
    alone : bool, default=True
        False if the hit only adds to a finding that stands on something else.
    facts : mapping
        Values that the wording of the reason needs.
    where : mapping of str to tuple of str
        Column of the event table to the values that make up the evidence.
    """

    entity_type: str
    entity: str
    start_at: pd.Timestamp
    end_at: pd.Timestamp
    observed: float
    unit: str
    detector: str = ""
    kind: str = ""
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    unmatched: bool = False
    severity: str | None = None
    alone: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


RARITY: Final = ((0.1, "critical"), (1.0, "high"), (5.0, "medium"), (float("inf"), "low"))
"""What an E below some limit is called."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """How unusual one entity's week was, all its surprises taken together.

    Parameters
    ----------
    entity_type, entity : str
        ``app`` or ``ip``, and which one.
    p : float
        Least probability over the days of the week, both voters joined.
    expected_per_week : float
        E: how many cases this extreme an ordinary week brings.
    q : float
        Benjamini-Hochberg q over all days tested; a note, never the gate.
    far : float, default=0.0
        -log10 p by the fitted tail, not cut off where the past tells no more: orders cases of one E.
    """

    entity_type: str
    entity: str
    p: float
    expected_per_week: float
    q: float
    far: float = 0.0

    @property
    def rarity(self) -> str:
        """Return how rare it is by E, in a word: ``critical`` to ``low``."""
        return next(name for limit, name in RARITY if self.expected_per_week < limit)


def name_entity(one: Hit | Case) -> tuple[str, str]:
    """Return whom a hit or a case is about.

    Parameters
    ----------
    one : Hit or Case
        Either.

    Returns
    -------
    tuple of str
        Entity type and entity.
    """
    return one.entity_type, one.entity


EVIDENCE_GROUPS: Final = (
    "quarter_at", "app_id", "ip", "network", "api", "category", "severity", "response_code",
    "outcome",
)  # fmt: skip
"""What the rows behind a finding are counted by; a quarter of an hour lies within an hour and a day
of every zone."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The rows behind the hits of one entity: a few of them, and counts of all.

    Parameters
    ----------
    rows : pandas.DataFrame
        Rows of table :data:`audit_analytics.schema.EVENTS`: those in the time of the first hit
        first; of these what succeeded, then the most sensitive, then by time.
    groups : pandas.DataFrame
        One row per combination of ``EVIDENCE_GROUPS`` with ``calls_count``, ``first_at`` and
        ``last_at``; every row of the log that belongs to any of the hits is counted once.
    objects_count, ok_objects_count : int
        Distinct objects in the rows of the hits, and in those that succeeded.
    """

    rows: pd.DataFrame
    groups: pd.DataFrame
    objects_count: int = 0
    ok_objects_count: int = 0

    @property
    def calls_count(self) -> int:
        """Return how many rows of the log were counted, each once."""
        return int(self.groups["calls_count"].sum())


def find_covered(hits: Sequence[Hit], groups: pd.DataFrame) -> pd.Series:
    """Tell which counts belong to any of some hits.

    Parameters
    ----------
    hits : sequence of Hit
        What detectors found.
    groups : pandas.DataFrame
        Counts by :data:`EVIDENCE_GROUPS`.

    Returns
    -------
    pandas.Series of bool
        True where calls of a group lie in the time of a hit and hold what it names; an id or an
        object narrows nothing.
    """
    covered = np.zeros(len(groups), "bool")
    # arrays: a finding has some dozen rows, and a Series would take longer to make than to compare
    first, last = groups["first_at"].array, groups["last_at"].array
    for hit in hits:
        mine = np.asarray((last >= hit.start_at) & (first < hit.end_at))
        for column, values in hit.where.items():
            if column in groups:
                mine &= groups[column].isin(values).to_numpy()
        covered |= mine
    return pd.Series(covered, groups.index)


class EvidenceSource(Protocol):
    """Where the rows behind hits can be fetched."""

    def fetch(
        self,
        hits: Sequence[Hit],
        *,
        start: pd.Timestamp,
        end: pd.Timestamp,
        rows_max: int,
        beside: Sequence[Hit] = (),
    ) -> Evidence:
        """Fetch the rows behind the hits of one entity.

        Parameters
        ----------
        hits : sequence of Hit
            The hits; the rows in the time of the first one are shown first.
        start, end : pandas.Timestamp
            Only rows in ``[start, end)``.
        rows_max : int
            How many rows to return; all are counted.
        beside : sequence of Hit, default=()
            Hits whose rows are counted as well, and not shown.

        Returns
        -------
        Evidence
            Rows and counts.
        """
        ...

    def fetch_shared(
        self,
        apps: Collection[str],
        *,
        start: pd.Timestamp,
        end: pd.Timestamp,
        apps_max: int,
        objects_max: int,
        rows_max: int,
    ) -> pd.DataFrame:
        """Fetch the calls of objects that some apps share with each other and few others.

        Parameters
        ----------
        apps : collection of str
            Two of them, or more, opened the object.
        start, end : pandas.Timestamp
            Only rows in ``[start, end)``.
        apps_max, objects_max, rows_max : int
            How many apps may have opened it in all, how many objects to return of the same apps, and how
            many rows.

        Returns
        -------
        pandas.DataFrame
            Rows of table :data:`audit_analytics.schema.EVENTS` that succeeded, of any app, by time.
        """
        ...
