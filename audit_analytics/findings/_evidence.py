"""The rows behind hits in a table of events, and how a report shows them and what they name."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit_analytics.cases import EVIDENCE_GROUPS, Evidence, EvidenceSource, Hit
from audit_analytics.dates.buckets import format_utc
from audit_analytics.schema import rank_severity


@dataclass(frozen=True, eq=False)
class FrameEvidence(EvidenceSource):
    """Fetches the rows behind hits from a frame.

    Parameters
    ----------
    events : pandas.DataFrame
        Table :data:`audit_analytics.schema.EVENTS`, in order of time and id.
    """

    events: pd.DataFrame

    def fetch(
        self,
        hits: Sequence[Hit],
        *,
        start: pd.Timestamp,
        end: pd.Timestamp,
        rows_max: int,
        beside: Sequence[Hit] = (),
    ) -> Evidence:
        """Fetch the rows behind the hits of one entity."""
        own = self._find_any(hits, start, end)
        every = self._find_any([*hits, *beside], start, end) if beside else own
        objects, outcomes = (self.events[name].iloc[own] for name in ("object", "outcome"))
        return Evidence(
            rows=self._put_first(own, hits[0], rows_max),
            groups=self._count(every),
            objects_count=objects.nunique(),
            ok_objects_count=objects[outcomes == "ok"].nunique(),
        )

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
        """Fetch the calls of objects that some apps share with each other and few others."""
        first, last = self.events["at"].searchsorted([start, end])
        rows = self.events.iloc[first:last]
        rows = rows[(rows["outcome"] == "ok") & rows["object"].notna()]
        mine = rows.loc[rows["app_id"].isin(apps), ["object", "app_id"]].drop_duplicates()
        rows = rows[rows["object"].isin(mine.loc[mine["object"].duplicated(), "object"])]
        users = (
            rows["app_id"].astype("str").groupby(rows["object"]).agg(lambda own: (*sorted({*own}),))
        )
        users = users[users.map(len) <= apps_max].sort_index()
        chosen = users.groupby(users).head(objects_max).index
        return rows[rows["object"].isin(chosen)].sort_values(["at", "id"])[:rows_max]

    def _count(self, places: NDArray[np.intp]) -> pd.DataFrame:
        at = self.events["at"].array[places]
        rows = self.events[list(EVIDENCE_GROUPS[1:])].iloc[places]
        rows = rows.assign(quarter_at=at.floor("15min"))[list(EVIDENCE_GROUPS)]
        keys = np.array([_number(rows[name]) for name in rows])
        # stable, and rows are in order of time: so is each group from its first call to its last
        order = np.lexsort(keys[::-1])
        keys = keys[:, order]
        begins = np.append([True], (keys[:, 1:] != keys[:, :-1]).any(axis=0))[: len(order)]
        first = np.flatnonzero(begins)
        after = np.append(first, len(order))[1:]
        groups = rows.iloc[order[first]].reset_index(drop=True)
        return groups.assign(
            calls_count=after - first, first_at=at[order[first]], last_at=at[order[after - 1]]
        )

    def _put_first(self, places: NDArray[np.intp], first: Hit, rows_max: int) -> pd.DataFrame:
        """Return what to look at first: the time of the first hit, successes, what is sensitive."""
        at, outcome, severity = (
            self.events[name].iloc[places] for name in ("at", "outcome", "severity")
        )
        beside = (at < first.start_at) | (at >= first.end_at)
        # stable: what is alike otherwise stays in order of time
        order = np.lexsort([-rank_severity(severity), outcome != "ok", beside])
        shown = places[order[:rows_max]]
        # texts are taken from the part of the log they lie in: from all of it takes longer
        begin, end = (shown.min(), shown.max() + 1) if len(shown) else (0, 0)
        chosen = self.events.iloc[begin:end].iloc[shown - begin]
        # a crowd's names by the ten thousand would be carried along by every one of its rows
        words = chosen.select_dtypes("category")
        return chosen.assign(**{c: words[c].cat.remove_unused_categories() for c in words})

    def _find_any(
        self, hits: Sequence[Hit], start: pd.Timestamp, end: pd.Timestamp
    ) -> NDArray[np.intp]:
        places = [np.empty(0, "intp"), *(self._find(hit, start, end) for hit in hits)]
        return np.unique(np.concatenate(places))

    def _find(self, hit: Hit, start: pd.Timestamp, end: pd.Timestamp) -> NDArray[np.intp]:
        # a hit's time is cut out by bisection: comparing every row of the log would take longest
        edges = [max(hit.start_at, start), min(hit.end_at, end)]
        first, last = self.events["at"].searchsorted(edges)
        mask = np.ones(max(last - first, 0), "bool")
        for column, values in hit.where.items():
            mask &= np.asarray(self.events[column].array[first:last].isin(values))
        return np.flatnonzero(mask) + int(first)


def _number(words: pd.Series) -> NDArray[np.int64]:
    """Give each row the place of its word or number in their order, what is missing last."""
    if isinstance(words.dtype, pd.CategoricalDtype):
        codes = words.cat.codes.to_numpy("int64")
        return np.where(codes < 0, len(words.cat.categories), codes)
    return np.asarray(pd.factorize(words, sort=True, use_na_sentinel=False)[0])


MAX_OBJECTS: Final = 8
HIDDEN: Final = "…"
_ID: Final = re.compile(r"(?!\d{8,15}$)[A-Za-z0-9_-]{1,80}")
"""Letters, digits and dashes; a number of eight to fifteen digits may be a telephone's."""

LONG: Final = 12
SHORT: Final = 6


def show_event(row: Mapping[Any, Any], zone: str) -> dict[str, Any]:
    """Write an event as evidence.

    Parameters
    ----------
    row : mapping
        A row of table :data:`audit_analytics.schema.EVENTS`.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    dict of str to Any
        Plain values; ``local`` is on the tenant's clocks.
    """
    return {
        "id": str(row["id"]),
        "at": format_utc(row["at"]),
        "local": row["at"].tz_convert(zone).strftime("%Y-%m-%d %H:%M:%S"),
        "app_id": str(row["app_id"]),
        "ip": str(row["ip"]),
        "api": str(row["api"]),
        "http_status": None if pd.isna(row["http_status"]) else int(row["http_status"]),
        "response_code": None if pd.isna(row["response_code"]) else int(row["response_code"]),
        "outcome": str(row["outcome"]),
        "object_name": name_of_row(row),
    }


def name_of_row(row: Mapping[Any, Any]) -> str:
    """Return the object a row of the log names."""
    # where the catalogue does not know an API, its placeholders are guesses: any word, any secret
    if pd.isna(row["path"]) or row["category"] == "unknown":
        return ""
    return name_object(str(row["path"]), str(row["api"]))


def list_objects(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """List the objects that calls named, as :func:`show_event` writes them: the last ones, masked."""
    found = {
        (row["object_name"], row["api"], row["outcome"]): row["local"] for row in reversed(rows)
    }
    return [
        {"object_name": mask_object(name), "api": api, "outcome": outcome, "local": local}
        for (name, api, outcome), local in reversed(found.items())
        if name
    ][:MAX_OBJECTS]


def name_object(path: str, api: str) -> str:
    """Return the ids in a path, where its API has placeholders; what looks like no id is hidden.

    >>> name_object("/open-apis/contact/v3/users/ou_77", "GET/open-apis/contact/v3/users/:user_id")
    'ou_77'
    >>> name_object("/x/ann@corp.com/8613800138000", "GET/x/:user_mailbox_id/:id")
    '…/…'
    >>> name_object("/open-apis/contact/v3/users/:user_id", "GET/open-apis/contact/v3/users/:user_id")
    ''
    """
    pairs = zip_longest(path.strip("/").split("/"), api.partition("/")[2].split("/"), fillvalue="")
    found = [part for part, name in pairs if name.startswith(":") and not part.startswith(":")]
    return "/".join(part if _ID.fullmatch(part) else HIDDEN for part in found if part)


def mask_object(name: str) -> str:
    """Write an object so that two can be told apart, and neither can be opened.

    >>> mask_object("ou_7d8a6e6df7621556"), mask_object("b24d52e5"), mask_object("7071")
    ('ou_7…556', 'b2…e5', '…')
    """
    return "/".join(_mask(part) for part in name.split("/"))


def _mask(part: str) -> str:
    if len(part) >= LONG:
        return f"{part[:4]}…{part[-3:]}"
    return f"{part[:2]}…{part[-2:]}" if len(part) >= SHORT else "…"
