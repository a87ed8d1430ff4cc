"""Surprise group AUTHAPPS of an IP-day: apps with authentication failures."""

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
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_apps, say_when

if TYPE_CHECKING:
    import pandas as pd

    from audit_analytics.cases import Hit


def _score(days: pd.DataFrame) -> pd.Series:
    # what one app alone fails at is that app's own news, and ERR tells it
    apps = days["failing_apps_count"]
    return apps.where(apps >= MIN_APPS, 0).astype(float)


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} saw {apps} fail to authenticate {when}.",
        entity=who,
        apps=say_apps(hit.observed),
        when=say_when(hit, zone),
    )


AUTHAPPS = IpGroup(
    name="AUTHAPPS",
    title=SHARED_TITLE,
    kind="unusual_ip",
    method=IP_METHOD,
    sentence=_say,
    techniques=SHARED_TECHNIQUES,
    benign=SHARED_BENIGN,
    steps=SHARED_STEPS,
    unit=mark("apps failing to authenticate in a day"),
    observed="failing_apps_count",
    scored=_score,
    where={"outcome": ("auth",)},
)
