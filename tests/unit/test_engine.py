import copy
import json

import numpy as np
import pytest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM
from tenant import (
    DAY,
    FIRST,
    HOUR,
    READ,
    SEND,
    WEEK,
    build_tenant,
    calls,
    clock,
    hourly,
    local,
    make_events,
    quiet_tenant,
    spread,
)

import audit_analytics as aa
from audit_analytics.detect import detect_week
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.rollup import rollup

NOON = local("2026-11-11 12:00")
INJECTED = [
    calls("cli_02", spread(NOON, 200), api=SEND, ip="10.0.2.1"),
    calls("cli_05", spread(NOON, 60), ip="203.0.113.9"),
    calls("cli_08", spread(NOON, 60), ip="10.0.8.1", outcome="permission"),
    # an app that guesses the parameters of an API fails like one that guesses its objects
    calls("cli_10", spread(NOON, 30), ip="10.0.10.1", outcome="param"),
]
LOUD = {"cli_02", "cli_05", "cli_08", "cli_10"}


class Distance:
    """Stands in for the forest where the forest is not what is tested: it is faster."""

    def __len__(self):
        raise AttributeError("not fitted")  # as scikit-learn's ensembles do

    def fit(self, X):  # noqa: N803
        self.center = X.mean(axis=0)

    def score_samples(self, X):  # noqa: N803
        return -np.linalg.norm(X - self.center, axis=1)


def analyse(events, **settings):
    settings = aa.Settings(**settings)
    return aa.analyze(events, week=WEEK.iso, settings=settings, detector=Distance()).data


def cases_of(events, detector=None):
    return detect_week(*build_tenant(events, rollup(events)), detector=detector)


@pytest.fixture(scope="module")
def injected_events():
    return make_events(quiet_tenant(), *INJECTED)


@pytest.fixture(scope="module")
def injected(injected_events):
    return analyse(injected_events)


@pytest.mark.parametrize("every", [1, 24])
def test_a_tenant_of_machines_that_call_like_clocks_has_no_findings(every):
    hours = hourly(FIRST, WEEK.end_at)[::every]
    machines = [calls(f"cli_{n:02d}", hours) for n in range(12)]
    quiet = judge_week(count_log(make_events(*machines), aa.Settings()), settings=aa.Settings())
    assert quiet.findings == []
    wild = calls("cli_03", spread(NOON, 140))
    assert [*aa.analyze(make_events(*machines, wild)).findings["entity"]] == ["cli_03"]


def test_what_was_injected_comes_first_and_seldom_happens_by_chance(injected):
    first = injected["findings"][: len(LOUD)]
    assert {finding["entity"] for finding in first} == LOUD
    assert all(finding["expected_per_week"] < 1 for finding in first)
    detectors = {finding["entity"]: set(finding["detectors"]) for finding in first}
    assert "VOL" in detectors["cli_02"]
    assert "NEWNET" in detectors["cli_05"]
    assert "ERR" in detectors["cli_08"]
    assert "ERR" in detectors["cli_10"]
    assert all("on Wed 11 Nov" in finding["sentence"] for finding in first)


def test_quiet_weeks_bring_few_cases():
    detections = [cases_of(make_events(quiet_tenant(seed=seed))) for seed in (1, 2)]
    limits = [
        sum(case.expected_per_week < limit for case in found.cases)
        for limit in (1, 5)
        for found in detections
    ]
    assert sum(limits[:2]) <= 5  # 2 are expected
    assert sum(limits[2:]) <= 20  # 10 are expected
    assert all(found.assessed.all() for found in detections)


def test_the_same_input_gives_the_same_report_in_any_order_of_rows(injected_events, injected):
    shuffled = analyse(injected_events.sample(frac=1, random_state=3))
    assert json.dumps(shuffled, sort_keys=True) == json.dumps(injected, sort_keys=True)


def assert_numbers(value):
    if isinstance(value, dict):
        for each in value.values():
            assert_numbers(each)
    elif isinstance(value, list):
        for each in value:
            assert_numbers(each)
    else:
        assert value is None or isinstance(value, (str, bool, int, float)), type(value)
        assert not isinstance(value, float) or np.isfinite(value)


def test_a_report_holds_plain_finite_values_only(injected):
    assert_numbers(injected)
    assert copy.deepcopy(injected) == injected


def test_a_few_apps_and_days_are_not_compared_and_that_is_said():
    events = make_events(quiet_tenant(apps=4))
    events = events[events["at"] >= WEEK.start_at - 6 * DAY].reset_index(drop=True)
    report = analyse(events)
    assert report["assessed"]["apps_count"] == 0
    assert report["assessed"]["not_assessed_count"] == 4
    assert all("7 are needed" in row["reason"] for row in report["assessed"]["not_assessed"])
    assert report["findings"] == []
    assert "No app has enough history" in report["verdict"]
    assert report["series"]["expected"] == [None] * 168


def test_apps_of_one_week_alone_are_compared_with_each_other():
    tried = [f"GET/open-apis/x/v1/{i}" for i in range(12)]
    probe = calls("cli_03", spread(NOON, 12), api=tried, outcome="permission")
    report = analyse(make_events(quiet_tenant(apps=8, weeks=1), probe))
    assert [(f["entity"], f["detectors"]) for f in report["findings"]] == [
        ("cli_03", ["rule:probing", "BIRTH"])
    ]
    finding = report["findings"][0]
    # the farthest of eight and the twelve that were left out, and no more can be said
    assert (finding["p"], finding["rarity"], finding["severity"]) == (0.05, "high", "high")
    assert_numbers(report)


def test_one_event_gives_a_report():
    report = analyse(make_events(calls("cli_a", [NOON])))
    assert report["findings"] == []
    assert report["totals"]["calls_count"] == 1
    assert report["coverage"]["week_status"] == "gaps"
    assert report["coverage"]["hours_covered_count"] == 1
    assert_numbers(report)


@pytest.mark.parametrize("week", ["2026-W20", "2027-W20"])
def test_a_week_outside_the_log_is_no_data_rather_than_no_findings(week):
    settings = aa.Settings()
    data = aa.analyze(make_events(clock()), week=week, settings=settings).data
    assert data["coverage"]["week_status"] == "empty"
    assert data["verdict"].startswith("No data")
    assert data["findings"] == []


def test_a_gap_in_the_week_is_shown_and_brings_no_finding():
    tenant = quiet_tenant(apps=5)
    start = local("2026-11-10 08:00")
    gone = (tenant["at"] >= start) & (tenant["at"] < start + 10 * HOUR)
    report = analyse(
        make_events(
            tenant[~gone], clock().loc[lambda t: ~t["at"].between(start, start + 10 * HOUR)]
        )
    )
    gaps = report["coverage"]["gaps"]
    assert [(gap["start_local"], gap["hours_count"]) for gap in gaps] == [("2026-11-10 08:00", 10)]
    assert report["coverage"]["week_status"] == "gaps"
    assert "10 of 168 hours are missing" in report["verdict"]
    assert not [f for f in report["findings"] if "rule:silence" in f["detectors"]]
    assert report["series"]["missing"] == list(range(32, 42))


def test_a_tenant_of_one_ordinary_app_brings_no_finding():
    report = analyse(make_events(quiet_tenant(apps=1, seed=4)))
    assert [f for f in report["findings"] if f["expected_per_week"] > 1] == []


def test_the_own_app_is_listed_but_neither_judged_nor_learnt_from():
    audit = {"category": "audit_access", "severity": "high", "api": "GET/open-apis/audit"}
    own = calls("cli_own", spread(NOON, 500, over=4 * HOUR), ip="203.0.113.50", **audit)
    parts = [quiet_tenant(apps=3), own]
    judged = cases_of(make_events(*parts), Distance())
    assert "cli_own" in {case.entity for case in judged.cases if case.expected_per_week < 5}
    spared = analyse(make_events(*parts), own_app_id="cli_own")
    assert "cli_own" not in json.dumps(spared["findings"])
    assert [row["reason"] for row in spared["assessed"]["not_assessed"]] == ["this tool's own app"]
    alone = analyse(make_events(parts[0]))
    for mine, theirs in zip(spared["findings"], alone["findings"], strict=True):
        assert mine["entity"] == theirs["entity"]
        assert mine["expected_per_week"] == theirs["expected_per_week"]


def test_a_young_app_on_a_network_foreign_to_the_tenant_is_reported():
    born = WEEK.start_at - 3 * DAY
    own = calls("cli_young", spread(born, 60, over=WEEK.end_at - born), ip="10.0.1.1")
    moves = [calls(f"cli_{a:02d}", [NOON - (5 + a) * DAY], ip=f"10.9.{a}.1") for a in range(8)]
    abroad = calls("cli_young", spread(NOON, 80), ip="203.0.113.9")
    report = analyse(make_events(quiet_tenant(), own, *moves, abroad))
    found = [f for f in report["findings"] if f["entity"] == "cli_young"]
    assert [f["detectors"][0] for f in found] == ["NEWNET"]
    assert (
        "called from 203.0.113.0/24, where nobody in the tenant has called"
        in (found[0]["sentence"])
    )
    assert found[0]["expected_per_week"] < 5
    # what it usually does is still unknown, but it is compared with the first days of others
    assert report["assessed"]["not_assessed"] == []


@pytest.mark.parametrize(("outcome", "count"), [("ok", 80), ("permission", 40)])
def test_an_attack_that_was_running_last_week_is_found(outcome, count):
    nights = [local(f"2026-11-{day:02d} 03:00") for day in (4, 5, 6, 9, 10, 11)]
    attack = [
        calls("cli_03", spread(night, count), api=SEND, ip="10.0.3.1", outcome=outcome, object=1)
        for night in nights
    ]
    first = analyse(make_events(quiet_tenant(), *attack))["findings"][0]
    assert first["entity"] == "cli_03"
    # its own nights of last week are part of the past of this small tenant: 3 days of 364
    assert first["expected_per_week"] < 2


@pytest.mark.parametrize("detector", [LocalOutlierFactor(novelty=True), OneClassSVM(nu=0.05)])
def test_any_scikit_learn_detector_may_vote(injected_events, detector):
    cases = cases_of(injected_events, detector).cases
    first = sorted(cases, key=lambda case: case.expected_per_week)[: len(LOUD)]
    assert {case.entity for case in first} == LOUD


def test_an_outage_of_the_platform_is_one_finding():
    at = local("2026-11-11 14:00")
    fails = [
        calls(f"cli_{a:02d}", spread(at, 30), ip=f"10.0.{a}.1", outcome="server", object=range(30))
        for a in range(12)
    ]
    report = analyse(make_events(quiet_tenant(), *fails))
    about = [f for f in report["findings"] if "server errors" in json.dumps(f["reasons"])]
    assert [f["entity"] for f in about] == ["platform"]
    assert about[0]["sentence"].startswith("The platform answered ")
    assert not [f for f in report["findings"] if "rule:enumeration" in f["detectors"]]


def forge(count, at, **columns):
    """Make a call of each of many apps that nobody ever saw."""
    return [calls(f"cli_x{n:04d}", [at], **columns) for n in range(count)]


def test_forged_apps_and_addresses_do_not_make_every_true_case_look_like_chance(injected):
    forged = [
        *forge(400, WEEK.start_at + HOUR),
        *(
            calls(f"cli_{n % 2:02d}", spread(NOON, 3), ip=f"10.9.{n}.9", outcome="auth")
            for n in range(200)
        ),
    ]
    flooded = analyse(make_events(quiet_tenant(), *INJECTED, *forged))
    usual = {f["entity"]: f["expected_per_week"] for f in injected["findings"]}
    found = {f["entity"]: f["expected_per_week"] for f in flooded["findings"]}
    for app in LOUD:
        assert found[app] < 4 * usual[app]


def test_forged_apps_that_fail_do_not_pass_for_an_outage():
    at = local("2026-11-11 14:00")
    attack = calls("cli_03", spread(at, 60), api=READ, ip="10.0.3.1", outcome="permission")
    cover = forge(80, at, api=READ, ip="198.51.100.9", outcome="permission")
    report = analyse(make_events(quiet_tenant(), attack, *cover))
    found = {f["entity"]: set(f["detectors"]) for f in report["findings"]}
    assert "ERR" in found["cli_03"]
    assert "platform" not in found


def test_credential_stuffing_is_one_finding_about_the_address():
    at = local("2026-11-11 02:00")
    tries = [
        calls(f"cli_{a:02d}", spread(at, 6), ip="203.0.113.9", outcome="auth") for a in range(12)
    ]
    report = analyse(make_events(quiet_tenant(), *tries))
    about = [
        f for f in report["findings"] if "203.0.113" in json.dumps(f["reasons"] + [f["entity"]])
    ]
    assert [(f["entity_type"], f["entity"]) for f in about] == [("ip", "203.0.113.9")]
    assert "failed 72 times to authenticate as 12 apps" in about[0]["sentence"]
    errors = [f["entity"] for f in report["findings"] if "authenticat" in json.dumps(f["reasons"])]
    assert errors == ["203.0.113.9"]


@pytest.mark.parametrize(
    ("zone", "week", "hours"),
    [("America/New_York", "2026-W44", 169), ("Asia/Kolkata", "2026-W45", 168)],
)
def test_a_tenant_whose_clocks_change_or_are_half_an_hour_off_is_reported(zone, week, hours):
    settings = aa.Settings(tenant_zone=zone)
    events = make_events(quiet_tenant(apps=3))
    report = aa.analyze(events, week=week, settings=settings, detector=Distance()).data
    assert len(report["series"]["calls"]) == len(report["series"]["expected"]) == hours
    assert report["coverage"]["hours_expected_count"] == hours
    assert report["week"]["start_local"].endswith("00:00")
    assert report["week"]["end_local"].endswith("00:00")
    assert_numbers(report)
