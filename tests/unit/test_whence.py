"""A finding says where its calls came from, and whether anybody called from there before."""

import pytest
from tenant import DAY, FIRST, HOUR, WEEK, calls, make_events, quiet_tenant, spread
from test_engine import Distance

import audit_analytics as aa

STRANGE, OWN, OTHERS = "203.0.113.77", "10.0.0.1", "10.0.5.9"
AT = WEEK.start_at + 58 * HOUR
ELSEWHERE = [f"198.51.{n}.7" for n in range(7)]


def refuse(ip, count=240, app="cli_own", at=AT):
    """Lay calls of a route nobody knows, all of them refused."""
    return calls(app, spread(at, count), ip=ip, outcome="permission", api="GET/open-apis/x/v1/y")


def call_daily(app, begin=FIRST):
    """Let an app call once a day from one address before."""
    return calls(app, [begin + n * DAY for n in range((AT - begin) // DAY)], ip=OWN)


def tell_all(*parts, lang="en", begin=FIRST):
    """Return what is told, by app or address."""
    tenant = quiet_tenant()
    log = make_events(tenant[tenant["at"] >= begin], *parts)
    settings = aa.Settings(lang=lang)
    report = aa.analyze(log, week=WEEK.iso, settings=settings, detector=Distance())
    found = [(f["entity"], f["sentence"]) for f in report.data["findings"]]
    assert len(dict(found)) == len(found)
    return dict(found)


CALLED = {
    "cli_strange": (
        {STRANGE: 240},
        f"From {STRANGE}, where nobody in the tenant called from before",
    ),
    "cli_others": ({OTHERS: 240}, f"From {OTHERS}, new to this app but not to the tenant."),
    "cli_own": ({OWN: 240}, f"From {OWN}, as before."),
    "cli_part": (
        {OWN: 240, ELSEWHERE[5]: 80},
        f"80 of 320 calls came from {ELSEWHERE[5]}, where nobody in the tenant called from before",
    ),
    "cli_unknown": ({"": 240, ELSEWHERE[6]: 80}, ""),
    # most called from comes first, and three are named
    "cli_many": (
        {ip: 100 + n for n, ip in enumerate(ELSEWHERE[:5])},
        f"From {ELSEWHERE[4]}, {ELSEWHERE[3]}, {ELSEWHERE[2]} and 2 more, where nobody",
    ),
    # without a past it has no usual place
    "cli_new": ({OTHERS: 300}, f"From {OTHERS}, where other apps call from as well."),
}


@pytest.fixture(scope="module")
def told():
    """Return what is told of all of them, each of which called on a day of its own."""
    parts = [call_daily(app) for app in CALLED if app != "cli_new"]
    for day, (app, (counts, _)) in enumerate(CALLED.items(), start=-2):
        parts += [refuse(ip, count, app, AT + day * DAY) for ip, count in counts.items()]
    return tell_all(*parts)


@pytest.mark.parametrize("app", CALLED)
def test_where_the_calls_came_from(told, app):
    _, wanted = CALLED[app]
    assert wanted in told[app]
    if not wanted:
        assert "From" not in told[app]


def test_a_log_of_days_calls_no_address_new():
    begin = WEEK.start_at - 5 * DAY
    told = tell_all(call_daily("cli_own", begin), refuse(STRANGE, 200), begin=begin)
    assert f"From {STRANGE}." in told["cli_own"]


def test_an_address_is_told_to_be_new_or_nothing():
    tried = {"outcome": "auth", "api": "GET/open-apis/x/v1/y"}
    stuffing = [
        calls(f"cli_{a:02d}", spread(AT + n * DAY, 9), ip=ip, **tried)
        for a in range(9)
        for n, ip in enumerate((STRANGE, ELSEWHERE[0]))
    ]
    known = calls("cli_03", spread(AT - 14 * DAY, 3), ip=ELSEWHERE[0])
    found = tell_all(*stuffing, known)
    told = "Nobody in the tenant called from its network before this week."
    assert told in found[STRANGE]
    assert told not in found[ELSEWHERE[0]]


def test_it_speaks_chinese():
    told = tell_all(call_daily("cli_own"), refuse(STRANGE), lang="zh")
    assert f"来自 {STRANGE}" in told["cli_own"]


def test_networks_of_other_days_are_counted():
    many = [
        calls(f"cli_0{a}", [AT + a * DAY + n * HOUR / 60], ip=f"198.51.{10 * a + n}.7")
        for a in range(2)
        for n in range(4)
    ]
    early = [calls("cli_00", [AT - DAY], ip=f"203.0.{n}.7") for n in range(4)]
    found = tell_all(*many, *early)
    assert "On other days of the week it called from 4 more new networks." in found["cli_00"]
    assert "On other days" not in found["cli_01"]
