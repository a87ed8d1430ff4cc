import numpy as np
import pandas as pd
import pytest
from tenant import (
    DAY,
    EXPORT,
    FIRST,
    HOUR,
    READ,
    SEND,
    WEEK,
    build_tenant,
    calls,
    local,
    make_events,
    quiet_tenant,
    spread,
)

from audit_analytics.detect import detect_week, find_hits
from audit_analytics.detect._api_days import _build_api_panel, judge_api_days
from audit_analytics.rollup import rollup

NOON = local("2026-11-11 12:00")
APPS = [f"cli_{a:02d}" for a in range(12)]
OTHER = "GET/open-apis/calendar/v4/calendars"


def polls(app, number, *, api=READ, start=FIRST):
    """Let an app call an API four times an hour, a few of them in vain."""
    at = pd.date_range(start, WEEK.end_at, freq="15min", inclusive="left")
    rng = np.random.default_rng(number)
    outcome = rng.choice(["ok", "server"], size=len(at), p=[0.99, 0.01])
    return calls(app, at, ip=f"10.0.{number}.1", api=api, outcome=outcome)


@pytest.fixture(scope="module")
def quiet():
    # half of the apps rely on READ: were it all of them, its failure would be the platform's
    every = [polls(app, number) for number, app in enumerate(APPS[:6])]
    further = [polls(app, number, api=OTHER) for number, app in enumerate(APPS)]
    return [quiet_tenant(), *every, *further]


def fail(parts, apps, *, apis=(READ,), outcome="server"):
    """Let every call of these apps to these APIs fail between 12 and 13 o'clock."""
    table = pd.concat([part.astype({"object": "Int64"}) for part in parts], ignore_index=True)
    then = (table["at"] >= NOON) & (table["at"] < NOON + HOUR)
    hit = then & table["app_id"].isin(apps) & table["api"].isin(apis)
    return table.assign(outcome=table["outcome"].mask(hit, outcome))


class Distance:
    """Stands in for the forest, which is not what is tested: it is faster."""

    def fit(self, X):  # noqa: N803
        self.center = X.mean(axis=0)

    def score_samples(self, X):  # noqa: N803
        return -np.linalg.norm(X - self.center, axis=1)


def detect(*parts):
    events = make_events(*parts)
    panel, by_api, by_ip = build_tenant(events, rollup(events))
    return detect_week(panel, by_api, by_ip, detector=Distance())


def hits_of(found):
    """What is unusual at noon; on other days the budget has room for chance."""
    hits = find_hits(found, budget=10.0, severity_of_api={})
    return [hit for hit in hits if hit.start_at <= NOON < hit.end_at]


def test_an_api_that_fails_for_everybody_is_one_case_about_the_api(quiet):
    found = detect(fail(quiet, APPS[:6]))
    hits = [hit for hit in hits_of(found) if hit.detector in {"ERR", "APIERR"}]
    assert [(hit.entity, hit.detector) for hit in hits] == [(READ, "APIERR")]
    hit = hits[0]
    assert hit.start_at <= NOON < hit.end_at
    # 6 x 4 at least, less the calls of the app that is hit worst
    assert 5 * 4 <= hit.observed <= 5 * 4 + 60
    assert hit.facts["label"] == "server"
    assert 6 <= hit.facts["apps"] <= 9
    assert hit.where == {"api": (READ,), "outcome": ("server",)}


def test_errors_of_one_app_are_that_apps_own(quiet):
    found = detect(fail(quiet, APPS[:1], apis=(READ, OTHER), outcome="auth"))
    assert [hit.entity for hit in hits_of(found) if hit.detector == "ERR"] == [APPS[0]]
    assert "APIERR" not in {hit.detector for hit in hits_of(found)}


def test_an_api_speaks_with_support_only_and_never_beyond_what_counting_can_tell(quiet):
    def judge(parts):
        events = make_events(parts)
        panel, _, _ = build_tenant(events, rollup(events))
        found = judge_api_days(panel)
        day = panel.grid.day[panel.grid.hours.get_loc(NOON)] - panel.grid.days(0)[0]
        return found, found.panel.apps.get_loc(READ), day

    found, api, day = judge(fail(quiet, APPS[:6]))
    past = len(found.panel.apps) * 7 * 4
    assert found.surprises["APIERR"].score[api, day] > 0
    assert found.p["joint"].min() >= 1 / (past + 1)
    few, api, day = judge(fail(quiet, APPS[:3]))
    assert few.surprises["APIERR"].score[api, day] == 0


def test_the_app_that_is_hit_worst_is_left_out():
    events = make_events(
        *(
            calls(app, spread(NOON, 10 * (a + 1)), outcome="server")
            for a, app in enumerate(APPS[:6])
        ),
        calls("cli_far", spread(FIRST, 3, over=DAY), api=SEND),
    )
    panel, _, _ = build_tenant(events, rollup(events))
    apis = _build_api_panel(panel)
    assert apis.apps.tolist() == [READ]  # one app alone makes no API that is shared
    hour = panel.grid.hours.get_loc(NOON)
    assert apis.counts["calls"][0, hour] == 10 + 20 + 30 + 40 + 50 + 60
    assert apis.counts["server"][0, hour] == 10 + 20 + 30 + 40 + 50


def test_an_outage_of_the_platform_is_not_one_of_every_api(quiet):
    found = detect(fail(quiet, APPS, apis=(READ, SEND, OTHER, EXPORT)))
    assert [hit for hit in hits_of(found) if hit.detector in {"ERR", "APIERR"}] == []


def test_without_history_no_api_is_judged():
    start = WEEK.start_at - 6 * DAY
    events = make_events(*(polls(app, n, start=start) for n, app in enumerate(APPS)))
    panel, _, _ = build_tenant(events, rollup(events))
    found = judge_api_days(panel)
    assert found.panel.apps.tolist() == [READ]
    assert not found.tested.any()
    assert (found.p["joint"] == 1).all()
