"""Read single fields of a call: its address and its answer."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final

import msgspec

from audit_analytics.source._wire import clean_text

_PLATFORM: Final = ipaddress.ip_network("fdbd::/16")


class _Answer(msgspec.Struct, gc=False):
    code: int | str | None = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)
# The value must have ended: of 99991672 cut in the middle nobody knows what it was.
_CODE: Final = re.compile(r"\s*:\s*(?:\"(-?\d{1,18})\"|(-?\d{1,18})(?=[\s,}]))")
# An open string runs to the end: were it to fail there, every quote in it would be tried anew.
_TOKEN: Final = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|[{}\[\]]", re.DOTALL)
_INTEGER: Final = re.compile(r"-?\d{1,18}")
_ADDRESS: Final = re.compile(r"[^\s,;]+")
_IPV4: Final = re.compile(
    r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}(?<!\n)", re.ASCII
)
_ADDRESSES_KEPT: Final = 65_536
_PORT: Final = re.compile(r"\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")


def read_code(response: str) -> int | None:
    """Read the business code of an answer whose JSON may be invalid or cut; None if it has none.

    Examples
    --------
    >>> read_code('{"code":99991663,"msg":"cut he')
    99991663
    """
    try:
        code = _ANSWER.decode(response).code
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return _find_code(response)
    if isinstance(code, str):
        return int(code) if _INTEGER.fullmatch(code) else None
    return code if code is not None and abs(code) < 10**18 else None


def _find_code(response: str) -> int | None:
    """Read the code of a cut answer: its own, not one of the data it brought, a caller's perhaps."""
    depth = 0
    for token in _TOKEN.finditer(response):
        if token[0] in ("{", "["):
            depth += 1
        elif token[0] in ("}", "]"):
            depth -= 1
            if depth == 0:
                break
        elif depth == 1 and token[0] == '"code"':
            found = _CODE.match(response, token.end())
            if found:
                return int(found[1] or found[2])
    return None


@lru_cache(_ADDRESSES_KEPT)
def read_address(text: str) -> str:
    """Normalise the first of one address or several, with or without port, zone or brackets.

    It is written as :mod:`ipaddress` does, an IPv4-mapped one as IPv4; what holds no address, such
    as the name of a service, stays as its first 64 characters.

    Examples
    --------
    >>> read_address("::ffff:203.0.113.9, 10.0.0.1"), read_address("[2001:DB8::1]:443")
    ('203.0.113.9', '2001:db8::1')
    """
    if _IPV4.fullmatch(text):
        return text
    for part in _ADDRESS.findall(text):
        port = _PORT.fullmatch(part)
        address = _parse_address((port[1] or port[2]) if port else part)
        if address:
            return str(getattr(address, "ipv4_mapped", None) or address)
    return clean_text(text.strip()[:64])


@lru_cache(_ADDRESSES_KEPT)
def find_network(ip: str) -> str:
    """Name the network of an address.

    Parameters
    ----------
    ip : str
        An address as :func:`read_address` returns it.

    Returns
    -------
    str
        The /24 of an IPv4 and the /48 of an IPv6 address, 'platform' for the platform's own
        fdbd::/16, and the text itself where it is no address.

    Examples
    --------
    >>> find_network("203.0.113.9"), find_network("2001:db8:1:2::3"), find_network("fdbd::1")
    ('203.0.113.0/24', '2001:db8:1::/48', 'platform')
    """
    address = _parse_address(ip)
    if address is None:
        return ip
    if address in _PLATFORM:
        return "platform"
    return str(
        ipaddress.ip_network(
            (int(address), 24) if address.version == 4 else (int(address), 48), strict=False
        )
    )


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
