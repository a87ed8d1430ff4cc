"""The columns of events: every field is read once per distinct value, rows carry codes.

Items are taken apart batch by batch, so that the cost of a row is a few dictionary look-ups.
Columns of several threads are joined in order.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from msgspec.structs import astuple
from numpy.typing import NDArray

from audit_analytics.catalogue import Catalogue, Match, classify, is_http_status
from audit_analytics.redact import hash_objects
from audit_analytics.schema import AT, EVENTS
from audit_analytics.source._blocks import FIELDS, Fields, measure_texts
from audit_analytics.source._parameters import ParameterReader, name_objects
from audit_analytics.source._vocabulary import (
    Codes,
    Vocabulary,
    categorise,
    encode,
    encode_pairs,
    hash_texts,
)
from audit_analytics.source._wire import (
    Detail,
    Item,
    clean_text,
    find_network,
    read_address,
    read_code,
)

_BATCH: Final = 4096
_NO_DETAIL: Final = Detail()
_FIELDS: Final = (*Item.__struct_fields__[:-1], *Detail.__struct_fields__)
_QUESTION_MARK: Final = ord("?")
_STRING: Final = pd.StringDtype("pyarrow")

_Answer = tuple[int | None, int | None]
_Names = tuple[str, ...]


@contextmanager
def pause_collector() -> Iterator[None]:
    """Keep the cycle collector from walking over many short-lived objects without cycles.

    >>> with pause_collector():
    ...     gc.isenabled()
    False
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Columns:
    """Collect items as columns of codes and build the table of events from them.

    >>> columns = Columns(Catalogue.default())
    >>> columns.add([Item(id="1", event_time=1700000000, api_key="GET/open-apis/im/v1/chats")], "a")
    >>> columns.build()[0]["api"].tolist()
    ['GET/open-apis/im/v1/chats']
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._waiting: dict[str, list[Any]] = {name: [] for name in _FIELDS}
        self._sources: list[int] = []
        self._batches: list[dict[str, Any]] = []
        self._source: Vocabulary[str, str] = Vocabulary(clean_text)
        self._app: Vocabulary[str | None, str] = Vocabulary(_clean_name)
        self._ip: Vocabulary[str | None, str] = Vocabulary(lambda raw: read_address(raw or ""))
        self._api_raw: Vocabulary[str | None, str] = Vocabulary(_clean_name)
        self._method: Vocabulary[str | None, str] = Vocabulary(lambda raw: _clean_name(raw).upper())
        self._match: Vocabulary[Codes, Match] = Vocabulary(self._match_api)
        self._code: Vocabulary[int | None, int | None] = Vocabulary(lambda code: code)
        # 0 says as little as an absent status.
        self._status: Vocabulary[int | None, int | None] = Vocabulary(lambda status: status or None)
        self._answer: Vocabulary[Codes, _Answer] = Vocabulary(self._join_answer)
        self._names: Vocabulary[_Names, _Names] = Vocabulary(lambda names: names)
        self._asked = ParameterReader(self._names, only_lists=False)
        # A single id in a payload is mostly a property of what is written.
        self._sent = ParameterReader(self._names, only_lists=True)
        self._keys: Vocabulary[Codes, str] = Vocabulary(self._join_names)
        self._vocabularies: dict[str, Vocabulary[Any, Any]] = {
            "app_id": self._app,
            "ip": self._ip,
            "match": self._match,
            "api_raw": self._api_raw,
            "method": self._method,
            "answer": self._answer,
            "payload_keys": self._keys,
            "source": self._source,
        }

    def add(self, items: list[Item], source: str) -> None:
        """Take in well-formed items of a file or page."""
        if not items:
            return
        # Taken apart while they are still in the processor's cache: this halves the cost of a row.
        *texts, details = zip(*map(astuple, items), strict=True)
        if None in details:
            details = tuple(detail or _NO_DETAIL for detail in details)
        texts += zip(*map(astuple, details), strict=True)
        for name, values in zip(_FIELDS, texts, strict=True):
            self._waiting[name] += values
        self._sources += [self._source[source]] * len(items)
        if len(self._sources) >= _BATCH:
            self._flush()

    def add_fields(self, fields: Fields, source: str) -> None:
        """Take in the fields of many items, as :func:`read_block` gives them."""
        self._flush()
        sources = np.full(len(fields["id"]), self._source[source], np.int32)
        self._batches.append(self._read_fields(fields, sources))

    def absorb(self, other: Columns) -> None:
        """Take in what other columns hold, after what is here; they are used up."""
        self._flush()
        other._flush()
        batches = other._batches
        for name, words in other._vocabularies.items():
            find_code = self._vocabularies[name].find_code
            code_of = np.array([find_code(value) for value in words.values_in_order], np.int32)
            for batch in batches:
                batch[name] = code_of[batch[name]]
        self._batches += batches

    def build(self) -> tuple[pd.DataFrame, bool]:
        """Build table ``schema.EVENTS`` in the order of reading; tell whether every id surely is unique."""
        self._flush()
        if not self._batches:
            return EVENTS.empty(), True
        hashes = np.sort(self._join("id_hash"))
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
        return pd.DataFrame(columns), bool((hashes[1:] != hashes[:-1]).all())

    def _flush(self) -> None:
        sources, self._sources = self._sources, []
        raw, self._waiting = self._waiting, {name: [] for name in _FIELDS}
        if sources:
            fields = {name: pa.array(values, FIELDS[name]) for name, values in raw.items()}
            self._batches.append(self._read_fields(fields, np.array(sources, np.int32)))

    @pause_collector()
    def _read_fields(self, fields: Fields, sources: NDArray[np.int32]) -> dict[str, Any]:
        ids = _clean_ids(fields["id"])
        api_raw = encode(self._api_raw, fields["api_key"])
        method = encode(self._method, fields["method"])
        paths, queries = fields["path"].fill_null(""), fields["query_param"]
        if not _is_plain(paths, but=_QUESTION_MARK):
            paths, queries = _split_paths(paths, queries)
        match = self._find_matches(api_raw, method, paths)
        asked, asked_names = self._asked.read(queries)
        sent, sent_names = self._sent.read(fields["payload"])
        templates = [found.template for found in self._match.values_in_order]
        named = name_objects(match, templates, paths, api_raw, self._api_raw.values_in_order)
        for names in (asked_names, sent_names):
            for row, name in names:
                named[row] = named.get(row, "") + name
        rows = np.array([*named], np.int64)
        objects = np.zeros(len(ids), np.int64)
        objects[rows] = hash_objects([*named.values()])
        unnamed = np.ones(len(ids), bool)
        unnamed[rows] = False
        return {
            "id": ids,
            "id_hash": hash_texts(ids),
            "at": fields["event_time"].to_numpy(),
            "app_id": encode(self._app, fields["app_id"]),
            "ip": encode(self._ip, fields["ip"]),
            "match": match,
            "api_raw": api_raw,
            "method": method,
            "path": paths,
            "answer": encode_pairs(
                self._answer,
                self._read_codes(fields["response"]),
                encode(self._status, fields["status_code"]),
            ),
            "object": objects,
            "unnamed": unnamed,
            "payload_keys": encode_pairs(self._keys, asked, sent),
            "payload_bytes": measure_texts(fields["payload"]).astype(np.int32),
            "source": sources,
        }

    def _match_api(self, codes: Codes) -> Match:
        api_raw = self._api_raw.values_in_order[codes[0]]
        return self._catalogue.match(api_raw, self._method.values_in_order[codes[1]])

    def _find_matches(
        self, api_raw: NDArray[np.int32], method: NDArray[np.int32], paths: pa.Array
    ) -> NDArray[np.int32]:
        match = encode_pairs(self._match, api_raw, method)
        found = self._match.values_in_order
        unknown = [code for code in np.unique(match).tolist() if not found[code].known]
        rows = np.flatnonzero(np.isin(match, unknown))
        for row, path in zip(rows.tolist(), paths.take(rows).to_pylist(), strict=True):
            if path:
                raw = self._api_raw.values_in_order[api_raw[row]]
                verb = self._method.values_in_order[method[row]]
                match[row] = self._match.find_code(self._catalogue.match(raw, verb, path))
        return match

    def _join_names(self, codes: Codes) -> str:
        names = self._names.values_in_order
        return ",".join(sorted({*names[codes[0]], *names[codes[1]]})[:32])

    def _join_answer(self, codes: Codes) -> _Answer:
        return self._code.values_in_order[codes[0]], self._status.values_in_order[codes[1]]

    def _read_codes(self, responses: pa.Array) -> NDArray[np.int32]:
        found = responses.dictionary_encode(null_encoding="encode")
        codes = [read_code(text or "") for text in found.dictionary.to_pylist()]
        return self._code.encode(codes, found.indices.to_numpy())

    def _join(self, name: str) -> NDArray[Any]:
        return np.concatenate([batch.pop(name) for batch in self._batches])

    def _join_arrow(self, name: str) -> pd.Series:
        joined = pa.chunked_array([batch.pop(name) for batch in self._batches])
        return pd.Series(pd.arrays.ArrowExtensionArray(joined))


def _split_paths(paths: pa.Array, queries: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the paths without query string, and the query of each call."""
    split = [clean_text(path).partition("?") for path in paths.to_pylist()]
    both = zip(queries.to_pylist(), split, strict=True)
    asked = [query or parts[2] for query, parts in both]
    return pa.array([parts[0] for parts in split], pa.large_string()), pa.array(
        asked, pa.large_string()
    )


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


def _is_plain(texts: pa.Array, but: int = -1) -> bool:
    """Tell whether every character is printable ASCII, and none is `but`."""
    characters = np.frombuffer(texts.buffers()[2] or b" ", np.uint8)
    if not len(characters):
        return True
    plain = characters.min() > 31 and characters.max() < 127
    return bool(plain and not (characters == but).any())
