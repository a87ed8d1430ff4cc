"""What of an event reaches the disk.

Payloads, query strings and answers are gone by the time a row is an event. What is left to look
at are the fields a caller writes freely: paths, API keys, names and addresses.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pandas as pd

from audit_analytics import schema
from audit_analytics.files import write_private
from audit_analytics.redact import MASK, hash_objects, hash_personal, mask_text
from audit_analytics.settings import RedactionSettings
from audit_analytics.store._failure import explains_failure
from audit_analytics.store._manifest import Manifest

_HOOK: Final = re.compile(r"(/hook(?:/v\d+)?/)[^/?#\s]+", re.IGNORECASE)
_PERSONAL: Final = re.compile(
    r"[\w.+-]{1,64}@[\w.-]{1,255}"  # an e-mail address
    r"|(?<![\w+-])(?:\+\d{7,15}|(?:86)?1[3-9]\d{9})(?![\w-])"  # a phone number
)
KEY_FILE: Final = ".key"
_STRICTNESS: Final = {"path": ("masked", "template"), "ip": ("full", "hashed")}


@dataclass(frozen=True)
class Redaction:
    """What is kept of the events of a store; the `key` of its hashes is never shown."""

    key: str = field(repr=False)
    path: str = "masked"  # ids in paths stay, personal values are hashed; or template: no id stays
    # or hashed: addresses can be compared, but no rule that knows a network will match them
    ip: str = "full"
    rejects: str = "counted"  # or masked: the text of unreadable items is kept, without secrets

    def describe(self) -> dict[str, str]:
        """Return what the manifest says: what is kept, and a fingerprint of the key."""
        fingerprint = hash_personal("fingerprint", self.key)[:8]
        return {"path": self.path, "ip": self.ip, "rejects": self.rejects, "key": fingerprint}

    def tightens(self, kept: dict[str, str]) -> bool:
        """Tell whether stored events, `kept` as their manifest says, can be redacted again to keep less.

        True if this keeps less of paths or addresses, and all it would add to them was kept.
        """
        own = self.describe()
        if kept.get("key") != own["key"]:
            return False  # two keys in one window would make its hashes of no use
        steps = [
            (_STRICTNESS[name].index(kept.get(name, "")), _STRICTNESS[name].index(own[name]))
            for name in _STRICTNESS
            if kept.get(name) in _STRICTNESS[name]
        ]
        return any(now > then for then, now in steps) and all(now >= then for then, now in steps)

    def apply(self, events: pd.DataFrame) -> pd.DataFrame:
        """Redact events, table ``schema.EVENTS``: the same rows, fit for the disk."""
        # An API outside the catalogue is named after its path; a catalogued one stays as it is.
        api = _map_words(events["api"], self.redact_path)
        columns: dict[str, pd.Series] = {"api": api, "object": self._hash_objects(events["object"])}
        for name in ("app_id", "method"):
            columns[name] = _map_words(events[name], mask_text)
        if self.path == "template":
            columns |= {
                "api_raw": api,
                "path": _map_words(api, lambda name: name[name.find("/") :]),
            }
        else:
            columns["api_raw"] = _map_words(events["api_raw"], self.redact_path)
            columns["path"] = _map_words(events["path"], self.redact_path)
        clean = mask_text if self.ip == "full" else self._hash_address
        for name in ("ip", "network"):
            columns[name] = _map_words(events[name], clean)
        return events.assign(**columns)

    def redact_path(self, path: str) -> str:
        """Take the query string, secrets and personal values out of a path or an API key.

        E-mail addresses and phone numbers become ``~`` and a hash.
        """
        path = path.partition("?")[0].partition("#")[0]
        if "%" in path:
            # Encoded twice, an address would pass for an id.
            path = unquote(unquote(path)).partition("?")[0]
        path = _HOOK.sub(rf"\1{MASK}", path)
        path = _PERSONAL.sub(lambda found: "~" + hash_personal(found[0], self.key)[:16], path)
        return mask_text(path)

    def _hash_objects(self, objects: pd.Series) -> pd.Series:
        # Their first hash has a public key, and one could try all phone numbers.
        rows = objects.notna()
        hashed = objects.copy()
        key = hash_personal("objects", self.key)[:16]
        hashed[rows] = hash_objects([str(value) for value in objects[rows].tolist()], key)
        return hashed

    def _hash_address(self, address: str) -> str:
        return address if address in schema.NO_PLACE else hash_personal(address, self.key)[:16]


def _map_words(column: pd.Series, function: Callable[[str], str]) -> pd.Series:
    words = column.astype("category")
    cleaned = [function(str(word)) for word in words.cat.categories]
    places = words.cat.codes.to_numpy()
    distinct = list(dict.fromkeys(cleaned))
    position = {word: place for place, word in enumerate(distinct)}
    codes = pd.Series([position[word] for word in cleaned], dtype="int32").to_numpy()
    index = pd.Index(distinct, dtype="str")
    return pd.Series(pd.Categorical.from_codes(codes[places], categories=index), index=column.index)


def read_redaction(settings: RedactionSettings, folder: Path) -> Redaction:
    """Return what the settings say is kept of the events of a store.

    Parameters
    ----------
    settings : RedactionSettings
        The settings.
    folder : pathlib.Path
        The store; its own key of the hashes is made where the settings have none.

    Returns
    -------
    Redaction
        The redaction; a key that can be neither read nor written is StoreUnusable.
    """
    secret = settings.read_secret("hash_key")
    key = secret.get_secret_value() if secret else _read_key(folder)
    return Redaction(key, settings.path, settings.ip, settings.rejects)


def _read_key(folder: Path) -> str:
    path = folder / KEY_FILE
    with explains_failure(folder):
        if not path.exists():
            write_private(path, secrets.token_hex(16).encode())
        return path.read_text(encoding="ascii")


def say_changes(windows: Sequence[Manifest], redaction: Redaction) -> str:
    """Say that a store was written with other settings until now.

    Parameters
    ----------
    windows : sequence of Manifest
        What is stored, in order of time.
    redaction : Redaction
        The settings as they are.

    Returns
    -------
    str
        What changed and what becomes of the older windows; empty once there is a newer window with
        these settings, so that it is said once.
    """
    now = redaction.describe()
    newest = max(windows, key=lambda w: (w.serial, w.read_at), default=None)
    if newest is None or not newest.redaction or newest.redaction == now:
        return ""
    then = newest.redaction
    changed = [
        f"{name} (was {then.get(name, '-')}, is {now[name]})"
        for name in now
        if then.get(name) != now[name]
    ]
    said = f"the redaction of this store changed: {', '.join(changed)}. "
    if redaction.tightens(then):
        return said + "Older windows keep what they have until: store compact"
    if then.get("key") != now["key"]:
        return said + (
            "Hashes of older windows cannot be compared with new ones, so their objects count apart; "
            "to have one key, set the old one again, or sync into a new store"
        )
    return said + "Older windows stay as they are: what was left out is not in them"
