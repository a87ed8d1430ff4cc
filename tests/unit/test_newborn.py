"""Apps without a past of their own, in the sample log and in logs that are young themselves."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tenant import (
    DAY,
    FIRST,
    HOUR,
    WEEK,
    build_tenant,
    calls,
    local,
    make_events,
    quiet_tenant,
    spread,
)
from test_engine import Distance

from audit_analytics import load
from audit_analytics.detect import _newborn as newborn
from audit_analytics.detect import detect_week
from audit_analytics.detect._first_days import METRICS
from audit_analytics.detect._newborn import Newborns
from audit_analytics.detect.groups.birth import _choose_number
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.rollup import rollup
from audit_analytics.settings import Settings
from audit_analytics.source._log import concat_events, drop_duplicates

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
START = int(pd.Timestamp("2026-11-11T02:00:00Z").timestamp())
YOUNG = "cli_young00000000"
NIGHTLY_READER = "cli_a6330af0aebad9d5"
CHATS = "GET/open-apis/im/v1/chats"
USERS = "GET/open-apis/contact/v3/users/:user_id"
BENIGN_ROWS = 8


def call(number, at, api, *, path=None, status=200, code=0):
    return {
        "id": f"young{number}",
        "event_time": int(at),
        "app_id": YOUNG,
        "api_key": api,
        "ip": "198.18.5.10",
        "log_detail": {
            "path": path or "/" + api.split("/", 1)[1],
            "status_code": status,
            "response": f'{{"code": {code}}}',
        },
    }


def deny(number, at):
    path = "/open-apis/contact/v3/users/ou_1"
    return call(number, at, USERS, path=path, status=403, code=99991672)


BIRTHS = {
    "1,033 answered calls in 6 minutes": [
        call(n, START + n * 360 / 1033, CHATS) for n in range(1033)
    ],
    "300 denials of one API in 8 minutes": [deny(n, START + n * 1.6) for n in range(300)],
    "12,000 denials in 4 days": [deny(n, START - 86400 + n * 28.8) for n in range(12_000)],
    "950 failing calls every 275 s": [
        call(n, START - 86400 + n * 275, CHATS, status=404, code=1) for n in range(950)
    ],
    "2,000 routes that do not exist in 7 minutes": [
        call(n, START + n * 0.21, f"GET/open-apis/x/v1/route{n}", status=404) for n in range(2000)
    ],
}


def is_benign(entity):
    return entity not in {*pd.read_csv(SAMPLE / "labels.csv")["entity"], NIGHTLY_READER}


def judge(events, *strangers):
    found = judge_week(count_log(events, Settings()), settings=Settings()).findings
    benign = [f for f in found if is_benign(f.entity) and f.entity not in strangers]
    return {f.entity: f for f in found}, len(benign)


@pytest.mark.benchmark
@pytest.mark.parametrize("name", BIRTHS)
def test_whatever_a_new_app_does_on_its_first_day_is_found(sample_events, name):
    events = drop_duplicates(concat_events([sample_events, load(BIRTHS[name])]))[0]
    found, benign = judge(events, YOUNG)
    assert found[YOUNG].expected_per_week < 1
    assert "BIRTH" in found[YOUNG].detectors
    assert NIGHTLY_READER in found
    assert benign <= BENIGN_ROWS


def test_five_new_apps_at_once_are_found_whatever_each_does(sample_events):
    apps = {f"cli_young{n}": rows for n, rows in enumerate(BIRTHS.values())}
    born = [
        load([{**row, "id": f"{app}{row['id']}", "app_id": app} for row in rows])
        for app, rows in apps.items()
    ]
    found, benign = judge(drop_duplicates(concat_events([sample_events, *born]))[0], *apps)
    for app in apps:
        assert found[app].expected_per_week < 1
        assert "BIRTH" in found[app].detectors
    assert NIGHTLY_READER in found
    assert benign <= BENIGN_ROWS


def test_a_new_app_that_reads_staff_records_at_night_is_found(sample_report):
    found = sample_report.findings.set_index("entity")["sentence"]
    assert found[NIGHTLY_READER].startswith(
        "A new app's first days: People analytics (cli_a633…d9d5) called sensitive APIs 37 times, "
        "at hours when few apps call, on Tue 10 Nov; new apps here come to 0 to 13."
    )
    assert sum(map(is_benign, found.index)) <= BENIGN_ROWS


@cache
def tenant(start, *, apps=16, scale=1.0):
    """Make apps of different size that call all day."""
    rng = np.random.default_rng(3)
    parts = []
    for n in range(apps):
        mean = scale * np.exp(rng.normal(1.0, 0.7))
        hours = pd.date_range(start, WEEK.end_at, freq="h", inclusive="left")
        number = rng.poisson(mean, len(hours))
        at = hours.repeat(number) + pd.to_timedelta(rng.integers(0, 3600, number.sum()), unit="s")
        parts.append(calls(f"cli_{n:02d}", at, ip=f"10.0.{n}.1"))
    return parts


def detect(*parts):
    """Judge the apps; no rule runs, and nothing is told."""
    events = make_events(*parts)
    return detect_week(*build_tenant(events, rollup(events)), detector=Distance())


def test_where_new_apps_begin_with_an_import_an_import_is_no_news():
    def born(app, at, count):
        own = calls(app, spread(at, count), ip="10.0.1.1")
        return own, calls(app, spread(at + HOUR, 60, over=2 * DAY), ip="10.0.1.1")

    now = born("cli_now", local("2026-11-11 10:00"), 400)
    before = [
        part
        for n in range(12)
        for part in born(f"cli_born{n:02d}", FIRST + (9 + n) * DAY + 10 * HOUR, 400)
    ]

    def rate(*parts):
        found = detect(*tenant(FIRST), *parts)
        return next(c.p for c in found.cases if c.entity == "cli_now")

    assert rate(*now, *before) > 5 * rate(*now)


def test_no_number_without_support_is_unusual():
    at = local("2026-11-11 10:00")
    tiny = calls("cli_now", spread(at, 4), outcome="permission"), calls("cli_now", spread(at, 18))
    detection = detect(*tenant(FIRST), *tiny)
    newborns = detection.newborns
    app = detection.panel.apps.get_loc("cli_now")
    assert newborns.tested[app].any()
    assert min(newborns.p[name][app].min() for name in METRICS) > 0.05


def fail_half_the_time(outcome):
    """Make an app of some days of which half the calls fail, among others."""
    at = [local(f"2026-11-{day} 09:00") for day in (11, 12, 13)]
    answered = [calls("cli_now", spread(day, 50, over=8 * HOUR)) for day in at]
    failed = [calls("cli_now", spread(day, 60, over=8 * HOUR), outcome=outcome) for day in at[1:]]
    return [*tenant(FIRST, scale=2.0), *answered, *failed]


def test_a_young_app_that_fails_half_the_time_is_told_for_its_errors():
    _, found = find_birth(*fail_half_the_time("permission"))
    assert [f.detectors[0] for f in found] == ["BIRTH"]
    assert found[0].kind == "error_burst"
    assert found[0].expected_per_week < 1


@pytest.mark.parametrize("outcome", ["param", "other"])
def test_whatever_the_platform_answers_a_young_app_that_fails_half_the_time_is_unusual(outcome):
    found = detect(*fail_half_the_time(outcome))
    [case] = [case for case in found.cases if case.entity == "cli_now"]
    assert case.expected_per_week < 1
    app = found.panel.apps.get_loc("cli_now")
    assert found.newborns.p["errors_day"][app].min() < 0.01


def number_of(**seen):
    """Which number is told, of count and p-value by name."""
    one = {"expected", "low", "high"}
    table = {name: np.array([[seen.get(name, (0, 1.0))[0]]], dtype=float) for name in METRICS}
    p = {name: np.array([[seen.get(name, (0, 1.0))[1]]]) for name in METRICS}
    one_hour = {name: np.ones((1, 1), int) for name in METRICS}
    true = np.ones((1, 1), dtype=bool)
    counted = {"this_week": ~true[0], "births_past": 0, "weeks_past": 3, "apps_count": 1}
    found = Newborns(
        true,
        p,
        table,
        **dict.fromkeys(one, table),
        start=one_hour,
        hours=one_hour,
        parted=False,
        far=table["apis"],
        born=true[0],
        **counted,
    )
    return _choose_number(found, 0)


def test_a_young_app_is_told_by_what_its_unusual_calls_were():
    # some tokens among a thousand calls are not what went on
    assert number_of(token=(53, 7e-6), calls_hour=(1000, 4e-4)) == "calls_hour"
    assert number_of(token=(73, 1e-5), calls_hour=(78, 4e-3)) == "token"
    assert number_of(errors_hour=(300, 3e-4), calls_hour=(300, 2e-4)) == "errors_hour"
    # failing APIs are no news where failures are not
    assert number_of(failed_apis=(6, 3e-4), sensitive_quiet=(120, 2e-4)) == "sensitive_quiet"
    assert number_of(failed_apis=(22, 3e-6), errors_day=(35, 3e-4)) == "failed_apis"
    assert number_of(calls_day=(90, 0.04)) == "calls_day"


def find_birth(*parts):
    log = count_log(make_events(*parts), Settings())
    data = judge_week(log, settings=Settings(), detector=Distance())
    found = [f for f in data.findings if f.entity == "cli_now"]
    return data.detection, found


def test_where_hardly_an_app_is_born_a_birth_is_told_and_where_many_are_it_is_not():
    # a dozen calls of a harmless API, from the network of another app: only being new is unusual
    now = calls("cli_now", spread(local("2026-11-11 14:00"), 12), ip="10.0.1.1")
    detection, [finding] = find_birth(*tenant(FIRST), now)
    assert finding.detectors == ["BIRTH"]
    assert "is new here: its first call was made on Wed 11 Nov at 14:00" in finding.sentence
    assert "0 new apps came in the 3 weeks before" in finding.sentence
    assert detection.newborns.this_week.sum() == 1
    # none in three weeks, one now, and one in one week more for the doubt
    assert detection.newborns.units == pytest.approx(2 / 5)
    before = [
        calls(f"cli_born{n:02d}", spread(FIRST + (8 + n) * DAY, 60, over=6 * DAY), ip="10.0.1.1")
        for n in range(12)
    ]
    detection, found = find_birth(*tenant(FIRST), now, *before)
    assert detection.newborns.births_past == 12
    # not the one there is, but those that such a week may bring
    assert detection.newborns.units == pytest.approx(14 / 5)
    assert not found
    # young apps are judged as such and for their networks: one case each, in the place of the less
    expected = [case.expected_per_week for case in detection.cases]
    assert expected == sorted(expected)


@pytest.mark.parametrize(("days", "power"), [(3, 0.75), (28, 1.0)])
def test_where_no_birth_could_be_seen_the_stand_ins_know_less(monkeypatch, days, power):
    now = calls("cli_now", spread(local("2026-11-11 14:00"), 900), ip="10.0.1.1")
    log = [*tenant(WEEK.start_at - days * DAY, apps=24), now]

    def rate():
        detection = detect(*log)
        app = detection.panel.apps.get_loc("cli_now")
        return detection.newborns.p["joint"][app].min()

    told = rate()
    monkeypatch.setattr(newborn, "UNBORN", 1.0)
    assert told == pytest.approx(rate() ** power)
    assert told < 0.1


def test_in_a_week_of_many_births_each_is_less_of_a_case():
    born = [
        calls(f"cli_born{n:02d}", spread(local("2026-11-10 10:00"), 12), ip="10.0.1.1")
        for n in range(24)
    ]
    few, many = (detect(*tenant(FIRST), *born[:n]).newborns.units for n in (2, 24))
    assert few == pytest.approx(3 / 5)
    # neither the 5 of a usual week, in which these count as any other, nor all of them
    assert many == pytest.approx(np.sqrt(25 / 5 * 24))


def test_a_new_app_on_a_network_of_its_own_is_unusual_where_the_others_share_theirs():
    def rate(ip):
        shared = [part.assign(ip="10.0.1.1") for part in tenant(FIRST)]
        now = calls("cli_now", spread(local("2026-11-11 14:00"), 12), ip=ip)
        return detect(*shared, now).newborns.p["alone"].min()

    assert rate("203.0.113.7") < 0.01
    assert rate("10.0.1.1") == 1.0


def test_a_network_tells_more_of_a_new_app_than_a_number_where_nobody_else_calls_from_there():
    """One app born this week calls 300 times, and some calls come from one more network."""

    def begin(ip):
        return find_birth(
            quiet_tenant(),
            calls("cli_now", spread(WEEK.start_at + 3 * DAY + 2 * HOUR, 30, over=DAY)),
            calls("cli_now", spread(WEEK.start_at + 4 * DAY + 6 * HOUR, 300)),
            calls("cli_now", spread(WEEK.start_at + 5 * DAY + 6 * HOUR, 20), ip=ip),
        )

    _, (strange,) = begin("203.0.113.9")
    assert strange.detectors[0] == "NEWNET"
    _, (shared,) = begin("10.0.4.1")
    assert shared.detectors[0] == "BIRTH"
