"""Calls as arrays of codes, and the one step from there to the table of events."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_network

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from audit_analytics.schema import AT, EVENTS, OUTCOMES

CODE = {name: code for code, name in enumerate(OUTCOMES)}
ANSWERS = {
    "ok": (200, 0),
    "auth": (400, 99991663),
    "permission": (400, 99991672),
    "not_found": (404, 99991201),
    "rate_limit": (429, 99991400),
    "param": (400, 99992402),
    "server": (500, 1780001),
    "other": (400, 1),
    "unknown": (0, -1),
}
NOTHING = -1
"""The object of a call that names none, and the attack an honest call belongs to."""


@dataclass
class Names:
    """Strings by number, each number given once."""

    texts: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)

    def code(self, text: str) -> int:
        if text not in self.codes:
            self.codes[text] = len(self.texts)
            self.texts.append(text)
        return self.codes[text]

    def code_all(self, texts: list[str]) -> np.ndarray:
        return np.array([self.code(text) for text in texts], dtype=np.int32)


@dataclass
class Calls:
    """Calls, one value each in every array; words are numbers of :class:`Names`."""

    time: np.ndarray
    app: np.ndarray
    api: np.ndarray
    ip: np.ndarray
    outcome: np.ndarray
    object: np.ndarray
    attack: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    def take(self, which: np.ndarray) -> Calls:
        return Calls(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def fail(self, which: np.ndarray, outcome: str) -> Calls:
        return replace(self, outcome=np.where(which, CODE[outcome], self.outcome))


def make_calls(
    time: np.ndarray, app: object, api: object, ip: object, obj: object = NOTHING
) -> Calls:
    """Make answered calls; whatever is one number is the same for all."""
    time = np.floor(np.asarray(time, dtype=float)).astype(np.int64)

    def spread(value: object, kind: type) -> np.ndarray:
        return np.broadcast_to(np.asarray(value, dtype=kind), len(time))

    return Calls(
        time=time,
        app=spread(app, np.int32),
        api=spread(api, np.int32),
        ip=spread(ip, np.int32),
        outcome=spread(CODE["ok"], np.int8),
        object=spread(obj, np.int64),
        attack=spread(NOTHING, np.int16),
    )


def join_calls(parts: list[Calls]) -> Calls:
    return Calls(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Calls)}
    )


def network_of(ip: str) -> str:
    """Return the network as the table of events names it."""
    if not ip:
        return ""
    if ip.startswith("fdbd:"):
        return "platform"
    return str(ip_network(f"{ip}/{48 if ':' in ip else 24}", strict=False))


def mix_bits(numbers: np.ndarray) -> np.ndarray:
    """Return numbers that look drawn (splitmix64), positive, the same for the same number."""
    with np.errstate(over="ignore"):
        z = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(2)).astype(np.int64)


def build_events(
    calls: Calls,
    *,
    apps: list[str],
    apis: pd.DataFrame,
    ips: list[str],
    with_objects: bool = True,
) -> pd.DataFrame:
    """Return the calls as table ``schema.EVENTS``, in order of time.

    ``apis`` has a row an API: api, category, severity. An object shows only where the path has a
    placeholder for it.
    """
    calls = calls.take(np.argsort(calls.time, kind="stable"))
    texts = apis["api"].tolist()
    named = np.array([":" in text for text in texts])
    seen = named[calls.api] & (calls.object != NOTHING)
    if not with_objects:
        seen[:] = False
    status = np.array([ANSWERS[name][0] for name in OUTCOMES])[calls.outcome]
    code = np.array([ANSWERS[name][1] for name in OUTCOMES])[calls.outcome]
    obj = mix_bits(calls.object)
    number = pa.array(np.arange(len(calls)).astype(np.int64))
    ids = pc.binary_join_element_wise("call", pc.cast(number, pa.string()), "-")
    api = pd.Categorical.from_codes(calls.api, texts)
    frame = pd.DataFrame(
        {
            "id": pd.Series(ids, dtype=pd.StringDtype("pyarrow")),
            "at": pd.to_datetime(calls.time, unit="s", utc=True).astype(AT),
            "app_id": pd.Categorical.from_codes(calls.app, apps),
            "ip": pd.Categorical.from_codes(calls.ip, ips),
            "network": _translate(calls.ip, [network_of(ip) for ip in ips]),
            "api": api,
            "api_raw": api,
            "method": _translate(calls.api, [text.split("/", 1)[0] for text in texts]),
            "path": _write_paths(calls, texts, obj, seen),
            "http_status": pd.array(np.where(status, status, 1), dtype="Int16"),
            "response_code": pd.array(code, dtype="Int64"),
            "outcome": pd.Categorical.from_codes(calls.outcome, list(OUTCOMES)),
            "category": _translate(calls.api, apis["category"].tolist()),
            "severity": _translate(calls.api, apis["severity"].tolist()),
            "object": pd.arrays.IntegerArray(obj, ~seen),
            "payload_keys": _translate(np.zeros(len(calls), dtype=np.int32), [""]),
            "payload_bytes": np.zeros(len(calls), dtype=np.int32),
            "source": _translate(np.zeros(len(calls), dtype=np.int32), ["world"]),
        }
    )
    frame.loc[status == 0, ["http_status", "response_code"]] = pd.NA
    return EVENTS.coerce(frame)


def _translate(codes: np.ndarray, texts: list[str]) -> pd.Categorical:
    words = Names()
    return pd.Categorical.from_codes(words.code_all(texts)[codes], words.texts)


def _write_paths(calls: Calls, texts: list[str], obj: np.ndarray, seen: np.ndarray) -> pd.Series:
    """Write the path as logged: the object in the place of the first placeholder."""
    before, after = [], []
    for text in texts:
        path = "/" + text.split("/", 1)[1]
        head, mark, tail = path.partition("/:")
        before.append(head + "/" if mark else path)
        after.append(f"/{tail.partition('/')[2]}" if mark and "/" in tail else "")
    which = pa.array(calls.api)
    named = np.where(seen, obj, 0)
    middle = pc.if_else(pa.array(seen), pc.cast(pa.array(named), pa.string()), "")
    paths = pc.binary_join_element_wise(
        pa.array(before).take(which), middle, pa.array(after).take(which), ""
    )
    return pd.Series(paths, dtype=pd.StringDtype("pyarrow"))
