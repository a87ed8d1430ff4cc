"""Mask ids, addresses and tokens: what a chat or a mailbox may show of a report.

The same name has the same mask everywhere, so a reader can match a message with the report on the
machine that made it: ``cli_a6cfee2e522c10f9`` is ``cli_a6cf…10f9``, 203.0.113.77 is
``203.0.113.x`` (its /24), an IPv6 address is its /48, any other app is ``app-`` and six digits of
the name's SHA-256. Ids of events, people and objects, tokens and mail addresses are gone.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator
from typing import Any, Final

from audit_analytics.inventory import shorten_id

_APP: Final = re.compile(r"(?<![A-Za-z0-9])cli_[0-9a-z]{8,}", re.IGNORECASE)
# It begins where a word begins: from every letter of a long word, the search would take minutes.
_MAIL: Final = re.compile(r"(?<![^\s@<>\"'`/])[^\s@<>\"'`/]+@[^\s@<>\"'`/]+")
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:/\d{1,3})?")
_IPV4: Final = re.compile(r"(?<![\d.])(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}(?:/(\d{1,2}))?(?!\d)")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{9,}")
_DIGITS: Final = re.compile(r"\d{9,}")
_GONE: Final = "[id]"

_APP_KEYS: Final = frozenset({"app_id", "apps", "new_apps", "vanished_apps", "own_app_id"})
_IP_KEYS: Final = frozenset({"ip", "ips"})
# Words of ours, never of the log: an app that calls itself "high" must not change a severity.
_OWN: Final = (
    "bucket config_hash detector detectors end_at end_local entity_type finding_id first_at "
    "finding_ids first_seen_at iso key kind last_at first_local last_local day method "
    "outcome policy_severity rarity rows schema_version severity since_week start_at "
    "start_local story_id suppressed_ids tactic tactics technique status tenant_zone tool "
    "versions week week_status"
)
_OWN_KEYS: Final = frozenset(_OWN.split())


class Masker:
    """Masks the names one report holds, wherever in a text they stand, and what looks like an id.

    >>> mask = Masker({"findings": [{"entity_type": "app", "entity": "backup bot"}]})
    >>> mask("cli_a6cfee2e522c10f9 came from 203.0.113.77 at 02:00:07")
    'cli_a6cf…10f9 came from 203.0.113.x at 02:00:07'
    >>> mask("backup bot read ou_7d8a6e6df7621556ce0d21922b676706ccs")
    'app-25dab8 read [id]'
    """

    def __init__(self, report: dict[str, Any]) -> None:
        # what is masked by its looks needs no search by name
        self._names = {
            name: masked
            for kind, name in _collect(report)
            if name and (masked := _mask_name(kind, name)) != _mask_looks(name)
        }
        # the longest first: one name may begin with another
        self._names |= _collect_labels(report)
        ordered = sorted(self._names, key=len, reverse=True)
        alternatives = "|".join(map(re.escape, ordered))
        # Chinese knows no spaces: only a letter of ASCII goes on with a word
        bounded = rf"(?<![A-Za-z0-9_])(?:{alternatives})(?![A-Za-z0-9_])"
        self._pattern = re.compile(bounded) if ordered else None
        # a name alone stands in fields of its own; within a text it would be any word
        self._names |= _collect_names(report)

    def __call__(self, text: str) -> str:
        """Mask a text."""
        if text in self._names:
            return self._names[text]
        if self._pattern:
            text = self._pattern.sub(lambda found: self._names[found[0]], text)
        return _mask_looks(text)


def mask_report(report: dict[str, Any]) -> dict[str, Any]:
    """Mask every text of a report, so that it can be rendered and sent.

    Its suppressions are replaced: with masked names in them they would suppress nothing.

    >>> mask_report({"top": {"ips": [{"name": "2001:db8:7:1::9", "calls_count": 3}]}})
    {'top': {'ips': [{'name': '2001:db8:7::/48', 'calls_count': 3}]}}
    """
    masked: dict[str, Any] = _mask_all(report, Masker(report))
    for finding in masked.get("findings", []):
        finding["suppression"] = (
            "# Ids are masked here. The entry is in the report on the machine that made it."
        )
    return masked


def _mask_all(value: Any, mask: Masker, key: str = "") -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value if key in _OWN_KEYS else _mask_text(value, mask, key)
    if isinstance(value, list):
        return [_mask_all(part, mask, key) for part in value]
    if isinstance(value, dict):
        if key in {"reject_reasons", "labels"}:
            return {mask(name): _mask_all(part, mask) for name, part in value.items()}
        if key in {"method", "tool", "versions"}:
            return value
        parts = {name: _mask_all(part, mask, name) for name, part in value.items()}
        if key == "verdict":  # what was decided is a word of ours; the report's verdict is a text
            parts["verdict"] = value["verdict"]
        return parts
    return value


def _mask_text(text: str, mask: Masker, key: str) -> str:
    # an object may be too short to be told by its looks
    return text and _GONE if key == "object_name" else mask(text)


def _collect(value: Any, key: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    """Yield (kind, name) for every app, address and event a report names."""
    if isinstance(value, str):
        if key in _APP_KEYS:
            yield "app", value
        elif key in _IP_KEYS:
            yield "ip", value
        elif key == "ids":
            yield "event", value
    elif isinstance(value, list):
        for part in value:
            yield from _collect(part, key)
    elif isinstance(value, dict):
        if value.get("entity_type") in {"app", "ip"} and isinstance(value.get("entity"), str):
            yield value["entity_type"], value["entity"]
        for name, part in value.items():
            is_name = name == "name" and key in _APP_KEYS | _IP_KEYS
            yield from _collect(part, key if is_name else name)


def _collect_labels(report: dict[str, Any]) -> dict[str, str]:
    """Return masks of what apps and people are called within texts: an app is its short id."""
    masks = {
        label: _mask_looks(entity)
        for entity, label in report.get("labels", {}).items()
        if label.endswith(f"({shorten_id(entity)})")
    }
    for row in _list_named(report):
        for text in (row.get("owner"), row.get("contact")):
            if text:
                masks[text] = _mask_name("person", text)
    return masks


def _collect_names(report: dict[str, Any]) -> dict[str, str]:
    return {
        name: _mask_looks(row["entity"])
        for row in _list_named(report)
        if row.get("entity_type") == "app" and (name := row.get("name"))
    }


def _list_named(report: dict[str, Any]) -> list[dict[str, Any]]:
    permissions = report.get("permissions") or {}
    findings = [*report.get("findings", []), *report.get("suppressed", [])]
    return [*findings, *permissions.get("rows", [])]


def _mask_name(kind: str, name: str) -> str:
    if kind == "event":
        return _GONE
    masked = _mask_looks(name)
    if kind == "app" and _APP.fullmatch(name):
        return masked
    if kind == "ip" and (_IPV4.fullmatch(name) or _IPV6.fullmatch(name)) and masked != name:
        return masked
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}-{digest[:6]}"


def _mask_looks(text: str) -> str:
    text = _MAIL.sub("[mail]", text)
    text = _IPV6.sub(_mask_ipv6, text)
    text = _IPV4.sub(_mask_ipv4, text)
    # app ids are cut first; what is left of them is too short to be a token
    text = _APP.sub(lambda found: shorten_id(found[0]), text)
    return _TOKEN.sub(_mask_token, text)


def _mask_token(found: re.Match[str]) -> str:
    token = found[0]
    # Sixteen characters with three digits among them: no word of the catalogue's APIs is like that.
    if len(token) >= 16 and sum(char.isdigit() for char in token) >= 3:
        return _GONE
    return _DIGITS.sub(_GONE, token)


def _mask_ipv4(found: re.Match[str]) -> str:
    if found[2] and int(found[2]) <= 24:
        return found[0]  # a network, and no narrower than the mask
    return f"{found[1]}.x"


def _mask_ipv6(found: re.Match[str]) -> str:
    text = found[0].rstrip(".")
    end = found[0][len(text) :]
    try:
        network = ipaddress.IPv6Interface(text).network
    except ValueError:
        return found[0]  # a time, for example
    if mapped := network.network_address.ipv4_mapped:
        return _IPV4.sub(_mask_ipv4, str(mapped)) + end
    wide = network if network.prefixlen <= 48 else network.supernet(new_prefix=48)
    return f"{wide}{end}"
