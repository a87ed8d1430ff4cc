"""Surprise group AUTHFAIL of an IP-day: authentication failures."""

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
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import say_calls, say_when

if TYPE_CHECKING:
    import pandas as pd

    from audit_analytics.cases import Hit


def _score(days: pd.DataFrame) -> pd.Series:
    # what one app alone fails at is that app's own news, and ERR tells it
    return days["auth_count"].where(days["failing_apps_count"] >= MIN_APPS, 0).astype(float)


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} brought {failures} in {calls} {when}.",
        entity=who,
        failures=ngettext(
            "{n} authentication failure", "{n} authentication failures", hit.observed
        ),
        calls=say_calls(hit.facts["calls"]),
        when=say_when(hit, zone),
    )


AUTHFAIL = IpGroup(
    name="AUTHFAIL",
    title=SHARED_TITLE,
    kind="unusual_ip",
    method=IP_METHOD,
    sentence=_say,
    techniques=SHARED_TECHNIQUES,
    benign=SHARED_BENIGN,
    steps=SHARED_STEPS,
    unit=mark("authentication failures in a day"),
    observed="auth_count",
    scored=_score,
    where={"outcome": ("auth",)},
)
