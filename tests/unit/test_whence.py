"""A finding says where its calls came from, and whether anybody called from there before."""

import pytest
from tenant import DAY, FIRST, HOUR, WEEK, calls, make_events, quiet_tenant, spread
from test_engine import Distance

import audit_analytics as aa

STRANGE, OWN, OTHERS = "203.0.113.77", "10.0.0.1", "10.0.5.9"
AT = WEEK.start_at + 58 * HOUR


def refuse(ip, count=240, app="cli_own"):
    """Lay calls of a route nobody knows, all of them refused."""
    return calls(app, spread(AT, count), ip=ip, outcome="permission", api="GET/open-apis/x/v1/y")


def tell(*parts, lang="en", begin=FIRST, app="cli_own"):
    """Return what is told of an app that called once a day from one address before."""
    tenant = quiet_tenant()
    own = calls("cli_own", [begin + n * DAY for n in range((AT - begin) // DAY)], ip=OWN)
    log = make_events(tenant[tenant["at"] >= begin], own, *parts)
    settings = aa.Settings(lang=lang)
    report = aa.analyze(log, week=WEEK.iso, settings=settings, detector=Distance())
    (found,) = [f["sentence"] for f in report.data["findings"] if f["entity"] == app]
    return found


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([refuse(STRANGE)], f"From {STRANGE}, where nobody in the tenant called from before"),
        ([refuse(OTHERS)], f"From {OTHERS}, new to this app but not to the tenant."),
        ([refuse(OWN)], f"From {OWN}, as before."),
        (
            [refuse(OWN, 240), refuse(STRANGE, 80)],
            f"80 of 320 calls came from {STRANGE}, where nobody in the tenant called from before",
        ),
        ([refuse("", 240), refuse(STRANGE, 80)], ""),
    ],
)
def test_where_the_calls_came_from(parts, told):
    sentence = tell(*parts)
    assert told in sentence
    if not told:
        assert "From" not in sentence


def test_most_called_from_comes_first_and_three_are_named():
    ips = [f"198.51.{n}.7" for n in range(5)]
    parts = [refuse(ip, 100 + n) for n, ip in enumerate(ips)]
    assert f"From {ips[4]}, {ips[3]}, {ips[2]} and 2 more, where nobody" in tell(*parts)


def test_an_app_without_a_past_has_no_usual_place():
    sentence = tell(refuse(OTHERS, 300, app="cli_new"), app="cli_new")
    assert f"From {OTHERS}, where other apps call from as well." in sentence


def test_a_log_of_days_calls_no_address_new():
    assert f"From {STRANGE}." in tell(refuse(STRANGE, 200), begin=WEEK.start_at - 5 * DAY)


def test_an_address_is_told_to_be_new_or_nothing():
    tried = {"outcome": "auth", "api": "GET/open-apis/x/v1/y"}
    stuffing = [calls(f"cli_{a:02d}", spread(AT, 9), ip=STRANGE, **tried) for a in range(9)]
    told = "Nobody in the tenant called from its network before this week."
    assert told in tell(*stuffing, app=STRANGE)
    known = calls("cli_03", spread(AT - 14 * DAY, 3), ip=STRANGE)
    assert told not in tell(*stuffing, known, app=STRANGE)


def test_it_speaks_chinese():
    assert f"来自 {STRANGE}" in tell(refuse(STRANGE), lang="zh")


def test_networks_of_other_days_are_counted():
    many = [calls("cli_00", [AT + n * HOUR / 60], ip=f"198.51.{n}.7") for n in range(4)]
    early = [calls("cli_00", [AT - DAY], ip=f"203.0.{n}.7") for n in range(4)]
    told = "On other days of the week it called from 4 more new networks."
    assert told in tell(*many, *early, app="cli_00")
    assert "On other days" not in tell(*many, app="cli_00")
