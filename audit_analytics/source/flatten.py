"""Flatten logged items into the table of events; no row is lost.

Columns are built batch by batch and every field is read once per distinct value, so that the
cost of a row is a few dictionary look-ups.
"""

from __future__ import annotations

import gc
import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from audit_analytics.catalogue import Catalogue, Match, classify, is_http_status
from audit_analytics.catalogue.apis import is_placeholder, split_key
from audit_analytics.errors import InputError
from audit_analytics.redact import hash_objects, mask_text
from audit_analytics.schema import AT, EVENTS, OUTCOMES, REJECTS
from audit_analytics.source.fields import find_network, read_address, read_code
from audit_analytics.source.log import Log, concat_events, drop_duplicates
from audit_analytics.source.parameters import ParameterReader
from audit_analytics.source.vocabulary import (
    Codes,
    Vocabulary,
    categorise,
    encode_pairs,
)
from audit_analytics.source.wire import Detail, Item, clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = ["EventBuilder", "Log"]

_BATCH: Final = 4096
_RAW_MAX: Final = 4096
_NO_DETAIL: Final = Detail()
_RAW: Final = (
    *("id", "event_time", "api_key", "app_id", "ip", "path", "method"),
    *("query_param", "payload", "status_code", "response", "source"),
)
_STRING: Final = pd.StringDtype("pyarrow")

_TEMPLATED: Final = re.compile("/[:{<]").search

_Answer = tuple[int | None, int | None]
_Names = tuple[str, ...]


class EventBuilder:
    """Collect items and build the table of events from them.

    Parameters
    ----------
    catalogue : Catalogue, optional
        The APIs and their sensitivity; as shipped unless given.
    progress : callable, optional
        Called with the number of rows read since the last call.

    Examples
    --------
    >>> builder = EventBuilder()
    >>> builder.add([Item(id="1", event_time=1700000000, api_key="GET/open-apis/im/v1/chats")], "a")
    >>> builder.finish().events[["api", "outcome"]].iloc[0].tolist()
    ['GET/open-apis/im/v1/chats', 'unknown']
    """

    def __init__(
        self,
        catalogue: Catalogue | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self.notes: Counter[str] = Counter()
        self._catalogue = catalogue or Catalogue.default()
        self._progress = progress
        self._rows_read = 0
        self._waiting: dict[str, list[Any]] = {name: [] for name in _RAW}
        self._rejects: list[tuple[str, int, str, str]] = []
        self._batches: list[dict[str, Any]] = []
        self._frames: list[pd.DataFrame] = []
        self._source: Vocabulary[str, str] = Vocabulary(clean_text)
        self._app: Vocabulary[str | None, str] = Vocabulary(_clean_name)
        self._ip: Vocabulary[str | None, str] = Vocabulary(lambda raw: read_address(raw or ""))
        self._api_raw: Vocabulary[str | None, str] = Vocabulary(_clean_name)
        self._method: Vocabulary[str | None, str] = Vocabulary(lambda raw: _clean_name(raw).upper())
        self._match: Vocabulary[Codes, Match] = Vocabulary(self._match_api)
        self._answer: Vocabulary[_Answer, _Answer] = Vocabulary(lambda answer: answer)
        self._names: Vocabulary[_Names, _Names] = Vocabulary(lambda names: names)
        self._asked = ParameterReader(self._names, only_lists=False)
        # A single id in a payload is mostly a property of what is written.
        self._sent = ParameterReader(self._names, only_lists=True)
        self._keys: Vocabulary[Codes, str] = Vocabulary(self._join_names)

    def add(self, items: list[Item], source: str) -> None:
        """Take in well-formed items.

        Parameters
        ----------
        items : list of Item
            The items, in order.
        source : str
            File or page they were read from.
        """
        # Taken apart while they are still in the processor's cache: this halves the cost of a row.
        details = [item.log_detail or _NO_DETAIL for item in items]
        waiting = self._waiting
        waiting["id"] += [item.id for item in items]
        waiting["event_time"] += [item.event_time for item in items]
        waiting["api_key"] += [self._api_raw[item.api_key] for item in items]
        waiting["app_id"] += [self._app[item.app_id] for item in items]
        waiting["ip"] += [self._ip[item.ip] for item in items]
        waiting["path"] += [detail.path for detail in details]
        waiting["method"] += [self._method[detail.method] for detail in details]
        waiting["query_param"] += [detail.query_param for detail in details]
        waiting["payload"] += [detail.payload for detail in details]
        waiting["status_code"] += [detail.status_code for detail in details]
        waiting["response"] += [detail.response for detail in details]
        waiting["source"] += [self._source[source]] * len(items)
        self._count(len(items))
        if len(waiting["id"]) >= _BATCH:
            self._flush()

    def add_events(self, events: pd.DataFrame) -> None:
        """Take in a frame that already is a table of events.

        Parameters
        ----------
        events : pandas.DataFrame
            A frame with the columns of ``schema.EVENTS``.

        Raises
        ------
        InputError
            A column holds values that are not of its type.
        """
        try:
            table = EVENTS.coerce(events)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"the frame of events does not fit the table ({type(error).__name__}). "
                "See schema.EVENTS for the dtype of every column."
            ) from None
        odd = sorted(set(table["outcome"].cat.categories) - set(OUTCOMES))
        if odd:
            raise InputError(
                f"column outcome holds {odd[:3]}; allowed are {', '.join(OUTCOMES)}. Map them first."
            )
        for reason, lost in (("no id", table["id"].isna()), ("no event_time", table["at"].isna())):
            for row in np.flatnonzero(lost.to_numpy(bool)).tolist():
                self.reject(str(table["source"].iloc[row]), row + 1, reason, "")
            table = table.loc[~lost]
        self._frames.append(table)
        self._count(len(table))

    def reject(self, source: str, row: int, reason: str, raw: bytes | str) -> None:
        """Take in a row that cannot be read.

        Parameters
        ----------
        source : str
            File or page it was found in.
        row : int
            Line, or position of the item, from 1.
        reason : str
            Why it cannot be read.
        raw : bytes or str
            The row as found; secrets are masked here.
        """
        head = raw[:_RAW_MAX]
        text = head if isinstance(head, str) else head.decode("utf-8", "replace")
        text = text.encode("utf-8", "replace").decode("utf-8")
        self._rejects.append((clean_text(source), row, reason, mask_text(text)[:_RAW_MAX]))
        self._count(1)

    def finish(self) -> Log:
        """Build the tables from everything taken in.

        Returns
        -------
        Log
            Events sorted by (at, id) without duplicates, rejects and counts.
        """
        self._flush()
        frames = [self._build_events(), *self._frames]
        events, duplicates, conflicts = drop_duplicates(concat_events(frames))
        rejects = REJECTS.coerce(pd.DataFrame(self._rejects, columns=REJECTS.names))
        counts = {
            "rows_read": self._rows_read,
            "events": len(events),
            "duplicates": duplicates,
            "rejects": len(rejects),
            "conflicting_duplicates": conflicts,
            **{name: number for name, number in sorted(self.notes.items()) if number},
        }
        return Log(events, rejects, counts)

    def _count(self, rows: int) -> None:
        self._rows_read += rows
        if self._progress:
            self._progress(rows)

    def _flush(self) -> None:
        raw, self._waiting = self._waiting, {name: [] for name in _RAW}
        if raw["id"]:
            with _collector_paused():
                self._batches.append(self._read_columns(raw))

    def _read_columns(self, raw: dict[str, list[Any]]) -> dict[str, Any]:
        rows = len(raw["id"])
        ids = pa.array(raw["id"], pa.large_string())
        api_raw = np.array(raw["api_key"], np.int32)
        method = np.array(raw["method"], np.int32)
        paths, queries = _split_paths(raw["path"], raw["query_param"])
        match = self._find_matches(api_raw, method, paths)
        payloads = [payload or "" for payload in raw["payload"]]
        asked, asked_names = self._asked.read(queries)
        sent, sent_names = self._sent.read(payloads)
        named = self._name_objects(match, paths, api_raw)
        for names in (asked_names, sent_names):
            for row, name in names:
                named[row] = named.get(row, "") + name
        objects = np.zeros(rows, np.int64)
        objects[list(named)] = hash_objects(list(named.values()))
        unnamed = np.ones(rows, bool)
        unnamed[list(named)] = False
        return {
            "id": _clean_ids(ids),
            "at": np.array(raw["event_time"], np.int64),
            "app_id": np.array(raw["app_id"], np.int32),
            "ip": np.array(raw["ip"], np.int32),
            "match": match,
            "api_raw": api_raw,
            "method": method,
            "path": pa.array(paths, pa.large_string()),
            "answer": self._read_answers(raw["response"], raw["status_code"]),
            "object": objects,
            "unnamed": unnamed,
            "payload_keys": encode_pairs(self._keys, asked, sent),
            "payload_bytes": np.array([*map(_count_bytes, payloads)], np.int32),
            "source": np.array(raw["source"], np.int32),
        }

    def _match_api(self, codes: Codes) -> Match:
        api_raw = self._api_raw.values_in_order[codes[0]]
        return self._catalogue.match(api_raw, self._method.values_in_order[codes[1]])

    def _find_matches(
        self, api_raw: NDArray[np.int32], method: NDArray[np.int32], paths: list[str]
    ) -> NDArray[np.int32]:
        match = encode_pairs(self._match, api_raw, method)
        found = self._match.values_in_order
        unknown = [code for code in np.unique(match).tolist() if not found[code].known]
        for row in np.flatnonzero(np.isin(match, unknown)).tolist():
            if path := paths[row]:
                raw = self._api_raw.values_in_order[api_raw[row]]
                verb = self._method.values_in_order[method[row]]
                match[row] = self._match.find_code(self._catalogue.match(raw, verb, path))
        return match

    def _name_objects(
        self, match: NDArray[np.int32], paths: list[str], api_raw: NDArray[np.int32]
    ) -> dict[int, str]:
        """Return the concrete path of the rows whose API has placeholders."""
        found = self._match.values_in_order
        slashes = {
            code: len(found[code].template)
            for code in np.unique(match).tolist()
            if any(map(is_placeholder, found[code].template))
        }
        if not slashes:
            return {}
        rows = np.flatnonzero(np.isin(match, list(slashes))).tolist()
        depth = [slashes[code] for code in match[rows].tolist()]
        named = {
            row: paths[row]
            for row, slash in zip(rows, depth, strict=True)
            if paths[row].count("/") == slash and not _TEMPLATED(paths[row])
        }
        for row, slash in zip(rows, depth, strict=True):
            if row in named:
                continue
            # The path disagrees with the API, or is a template itself: the key may be concrete.
            for text in (paths[row], self._api_raw.values_in_order[api_raw[row]]):
                segments = split_key(text)[1]
                if len(segments) == slash and not any(map(is_placeholder, segments)):
                    named[row] = "/".join(("", *segments))
                    break
        return named

    def _join_names(self, codes: Codes) -> str:
        names = self._names.values_in_order
        return ",".join(sorted({*names[codes[0]], *names[codes[1]]})[:32])

    def _read_answers(
        self, texts: list[str | None], status_codes: list[int | None]
    ) -> NDArray[np.int32]:
        code_of = {text: read_code(text or "") for text in dict.fromkeys(texts)}
        # 0 says as little as an absent status.
        pairs = [(code_of[t], s or None) for t, s in zip(texts, status_codes, strict=True)]
        return np.array([self._answer[pair] for pair in pairs], np.int32)

    def _build_events(self) -> pd.DataFrame:
        if not self._batches:
            return EVENTS.empty()
        matches = self._match.values_in_order
        ips = self._ip.values_in_order
        answers = self._answer.values_in_order
        match, ip, answer = self._join("match"), self._join("ip"), self._join("answer")
        columns: dict[str, Any] = {
            "id": self._join_arrow("id").astype(_STRING),
            "at": pd.Series(self._join("at") * 1_000_000)
            .astype("datetime64[us]")
            .dt.tz_localize("UTC")
            .astype(AT),
            "app_id": categorise(self._join("app_id"), self._app.values_in_order),
            "ip": categorise(ip, ips),
            "network": categorise(ip, [find_network(address) for address in ips]),
            "api": categorise(match, [m.api for m in matches]),
            "api_raw": categorise(self._join("api_raw"), self._api_raw.values_in_order),
            "method": categorise(self._join("method"), self._method.values_in_order),
            "path": self._join_arrow("path").astype(_STRING),
            "http_status": _spread([_keep_status(s) for _, s in answers], "Int16", answer),
            "response_code": _spread([_keep_code(*pair) for pair in answers], "Int64", answer),
            "outcome": categorise(answer, [classify(*pair) for pair in answers]),
            "category": categorise(match, [m.category for m in matches]),
            "severity": categorise(match, [m.severity for m in matches]),
            "object": pd.arrays.IntegerArray(self._join("object"), self._join("unnamed")),
            "payload_keys": categorise(self._join("payload_keys"), self._keys.values_in_order),
            "payload_bytes": self._join("payload_bytes"),
            "source": categorise(self._join("source"), self._source.values_in_order),
        }
        self._batches.clear()
        return pd.DataFrame(columns)

    def _join(self, name: str) -> NDArray[Any]:
        return np.concatenate([batch.pop(name) for batch in self._batches])

    def _join_arrow(self, name: str) -> pd.Series:
        joined = pa.chunked_array([batch.pop(name) for batch in self._batches])
        return pd.Series(pd.arrays.ArrowExtensionArray(joined))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the cycle collector from walking over a batch of short-lived objects."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _split_paths(
    raw_paths: list[str | None], raw_queries: list[str | None]
) -> tuple[list[str], list[str]]:
    """Return the paths without query string, and the query of each call."""
    paths = [path or "" for path in raw_paths]
    queries = [query or "" for query in raw_queries]
    together = "".join(paths)
    if together.isascii() and together.isprintable() and "?" not in together:
        return paths, queries
    split = [clean_text(path).partition("?") for path in paths]
    queries = [query or parts[2] for query, parts in zip(queries, split, strict=True)]
    return [parts[0] for parts in split], queries


def _count_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _spread(values: list[int | None], dtype: str, places: NDArray[np.int32]) -> pd.Series:
    return pd.Series(values, dtype=dtype).take(places).reset_index(drop=True)


def _keep_status(status: int | None) -> int | None:
    return status if status is not None and is_http_status(status) else None


def _keep_code(code: int | None, status: int | None) -> int | None:
    return status if code is None and status and not is_http_status(status) else code


def _clean_name(raw: str | None) -> str:
    return clean_text((raw or "").strip())


def _clean_ids(ids: pa.Array) -> pa.Array:
    if _is_plain(ids):
        return ids
    return pa.array(map(clean_text, ids.to_pylist()), pa.large_string())


def _is_plain(texts: pa.Array) -> bool:
    """Tell whether every character is printable ASCII."""
    characters = np.frombuffer(texts.buffers()[2] or b" ", np.uint8)
    return not len(characters) or bool(characters.min() > 31 and characters.max() < 127)
