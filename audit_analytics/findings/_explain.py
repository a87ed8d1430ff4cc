"""Say a hit in one sentence, the way a person would.

Each detector has its whole sentences: see :mod:`audit_analytics.language` for why nothing is glued.
"""

from typing import Any

import pandas as pd

from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import format_local
from audit_analytics.dates.weeks import Week
from audit_analytics.detect import find_detector
from audit_analytics.language import _, label_entity, ngettext
from audit_analytics.language.wording import show_api
from audit_analytics.review import scope_of_hit
from audit_analytics.source import find_network


def explain_hit(hit: Hit, zone: str) -> str:
    """Say who did what, when, and what was expected.

    Parameters
    ----------
    hit : Hit
        What a detector found.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    str
        One sentence.
    """
    if "more" in hit.facts:
        return _count_more(hit)
    if "neighbours" in hit.facts:
        return ngettext(
            "{n} more address of {network} did the same.",
            "{n} more addresses of {network} did the same.",
            hit.facts["neighbours"],
            network=label_entity(find_network(hit.entity), "network"),
        )
    return find_detector(hit.detector).sentence(hit, _name_entity(hit), zone)


def _name_entity(hit: Hit) -> str:
    if hit.entity_type == "tenant":
        return _("The platform")
    if (hit.entity_type, hit.entity) == ("network", "unknown"):
        return _("A place without an address")
    if hit.entity_type == "api":
        return show_api(hit.entity)
    return label_entity(hit.entity, hit.entity_type)


def _count_more(hit: Hit) -> str:
    """Say how many hits of a rule are not told one by one."""
    count, what = hit.facts["more"], hit.facts["entity_type"]
    if what == "app":
        return ngettext(
            "{n} more app set off the same rule; it is counted here, not told.",
            "{n} more apps set off the same rule; they are counted here, not told one by one.",
            count,
        )
    if what == "ip":
        return ngettext(
            "{n} more address set off the same rule; it is counted here, not told.",
            "{n} more addresses set off the same rule; they are counted here, not told one by one.",
            count,
        )
    if what == "network":
        return ngettext(
            "{n} more network set off the same rule; it is counted here, not told.",
            "{n} more networks set off the same rule; they are counted here, not told one by one.",
            count,
        )
    return ngettext(
        "The same rule was set off {n} more time; it is counted here, not told.",
        "The same rule was set off {n} more times; they are counted here, not told one by one.",
        count,
    )


def give_reason(hit: Hit, week: Week) -> dict[str, Any]:
    """Write a reason as the report holds it: plain values, and the calls it is about."""
    return {
        "detector": hit.detector,
        "kind": hit.kind,
        "alone": hit.alone,
        "text": explain_hit(hit, week.zone),
        "observed": hit.observed,
        "expected": round_digits(hit.expected),
        "low": hit.low,
        "high": hit.high,
        "unit": _(hit.unit),
        "p": round_digits(hit.p),
        "start_local": format_local(hit.start_at, week.zone),
        "end_local": format_local(hit.end_at, week.zone),
        **scope_of_hit(hit).to_dict(),
    }


def round_digits(value: float | None) -> float | None:
    """Keep four digits: the rest is noise, and differs between machines.

    >>> round_digits(0.123456)
    0.1235
    """
    return None if value is None or pd.isna(value) else float(f"{value:.4g}")
