"""Addresses of one network that did the same are one story, told of the worst of them.

A pool of addresses, honest or hostile, lies in one network; whoever has it can call from each. Told
address by address, one move of a vendor was nineteen findings of thirty-three.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from audit_analytics import schema
from audit_analytics.language import mark
from audit_analytics.source import find_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit_analytics.cases import Hit


def fold_neighbours(hits: Sequence[Hit]) -> list[Hit]:
    """Tell what several addresses of a network did of one of them, and count the others.

    Of the addresses of a network with a hit that stands alone, the worst one (by severity, then how
    rare it is, then how much was observed) keeps its hits. Those of the same detectors of the
    others are left out; one that does not stand alone follows, with ``neighbours`` in its facts:
    how many addresses they were, all named in `where`.

    Examples
    --------
    >>> from audit_analytics.cases import Hit
    >>> import pandas as pd
    >>> at = pd.Timestamp("2026-11-09", tz="UTC")
    >>> common = {"entity_type": "ip", "start_at": at, "end_at": at, "unit": "apps"}
    >>> hits = [
    ...     Hit(entity=ip, observed=n, detector="NEWAPPS", **common)
    ...     for n, ip in enumerate(["203.0.113.7", "203.0.113.9", "198.51.100.1"])
    ... ]
    >>> [(hit.entity, hit.alone, hit.where) for hit in fold_neighbours(hits)]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('203.0.113.9', True, {}), ('198.51.100.1', True, {}),
     ('203.0.113.9', False, {'ip': ('203.0.113.7',)})]
    """
    speaking: dict[str, dict[str, list[Hit]]] = {}
    for hit in hits:
        network = find_network(hit.entity) if hit.entity_type == "ip" and hit.alone else ""
        if network not in schema.NO_PLACE:
            speaking.setdefault(network, {}).setdefault(hit.entity, []).append(hit)
    left_out: set[int] = set()
    counted = []
    for addresses in speaking.values():
        worst = min(addresses, key=lambda ip: _rank(addresses[ip]))
        told = {hit.detector for hit in addresses.pop(worst)}
        alike = [hit for own in addresses.values() for hit in own if hit.detector in told]
        if alike:
            left_out |= {id(hit) for hit in alike}
            counted.append(_count(worst, alike))
    return [*(hit for hit in hits if id(hit) not in left_out), *counted]


def _rank(hits: Sequence[Hit]) -> tuple[int, float, float, str]:
    return (
        -max(schema.SEVERITIES.index(hit.severity or "none") for hit in hits),
        min(1.0 if hit.p is None else hit.p for hit in hits),
        -max(hit.observed for hit in hits),
        hits[0].entity,
    )


def _count(worst: str, alike: Sequence[Hit]) -> Hit:
    addresses = tuple(sorted({hit.entity for hit in alike}))
    return replace(
        alike[0],
        entity=worst,
        start_at=min(hit.start_at for hit in alike),
        end_at=max(hit.end_at for hit in alike),
        observed=float(len(addresses)),
        unit=mark("addresses"),
        p=None,
        severity=None,
        alone=False,
        facts={"neighbours": len(addresses)},
        where={"ip": addresses},
    )
