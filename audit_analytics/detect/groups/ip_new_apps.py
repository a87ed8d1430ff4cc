"""Surprise group NEWAPPS of an IP-day: new pairs times apps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_analytics.detect._group import IP_METHOD, IpGroup
from audit_analytics.detect._guidance import (
    SHARED_BENIGN,
    SHARED_STEPS,
    SHARED_TECHNIQUES,
    SHARED_TITLE,
)
from audit_analytics.detect._ip_days import MIN_APPS
from audit_analytics.language import _, mark, say_number
from audit_analytics.language.wording import say_apps, say_when

if TYPE_CHECKING:
    import pandas as pd

    from audit_analytics.cases import Hit


def _score(days: pd.DataFrame) -> pd.Series:
    # one app that is new on an address is that app's own news, and NEWNET tells it
    new_apps = days["new_apps_count"].where(days["new_apps_count"] >= MIN_APPS, 0)
    return (new_apps * days["apps_count"]).astype(float)


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} served {apps} {when}, {new} of them for the first time.",
        entity=who,
        apps=say_apps(hit.facts["apps"]),
        when=say_when(hit, zone),
        new=say_number(hit.observed),
    )


NEWAPPS = IpGroup(
    name="NEWAPPS",
    title=SHARED_TITLE,
    kind="unusual_ip",
    method=IP_METHOD,
    sentence=_say,
    techniques=SHARED_TECHNIQUES,
    benign=SHARED_BENIGN,
    steps=SHARED_STEPS,
    unit=mark("apps new on this address in a day"),
    observed="new_apps_count",
    scored=_score,
)
