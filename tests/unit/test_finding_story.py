"""What a finding tells: what got through, on which day, in which order, to which objects."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenant import DAY, EXPORT, FIRST, HOUR, READ, TOKEN, WEEK, ZONE, calls, local, make_events
from tenant import spread as over_time

from audit_analytics.cases import Hit, find_covered
from audit_analytics.findings import FrameEvidence, merge_findings
from audit_analytics.findings._timeline import MAX_STEPS, build_timeline, list_seen
from audit_analytics.rollup import rollup
from audit_analytics.schema import OUTCOMES

NOON = local("2026-11-12 14:00")
MINUTE = pd.Timedelta(minutes=1)
DENIED = [f"GET/open-apis/x/v1/secret{n}" for n in range(20)]


def hit(where, start=NOON, end=NOON + HOUR, **more):
    given = {
        "entity_type": "app",
        "entity": "cli_a",
        "detector": "rule:probing",
        "severity": "high",
    }
    facts = {"apis": DENIED[:3], "missing": 0}
    values = {"observed": 20.0, "unit": "distinct APIs", "facts": facts} | given | more
    return Hit(start_at=start, end_at=end, where=where, **values)


def merge(hits, events, **more):
    (finding,) = merge_findings(
        hits, [], FrameEvidence(events), week=WEEK, history_days={}, calls=rollup(events), **more
    )
    return finding


PROBE = hit({"app_id": ("cli_a",), "outcome": ("permission", "not_found")})
BEFORE = calls("cli_a", [FIRST, FIRST + DAY], api=READ, ip="10.0.0.7")
ATTEMPTS = calls(
    "cli_a", over_time(NOON, 20), api=DENIED, ip="10.0.0.7", outcome="permission", severity="high"
)
GOT = calls("cli_a", [NOON + 30 * MINUTE], api=EXPORT, ip="10.0.0.7", severity="critical")


def test_every_api_that_succeeded_is_named_and_of_the_others_a_few():
    opened = [f"GET/open-apis/x/v1/open{n}" for n in range(9)]
    worked = calls("cli_a", over_time(NOON, 9), api=opened, severity="high")
    everything = hit({"app_id": ("cli_a",)})
    found = merge([everything], make_events(BEFORE, ATTEMPTS, worked)).contributors["apis"]
    assert {row["name"] for row in found} == {*opened}
    found = merge([everything], make_events(BEFORE, ATTEMPTS)).contributors["apis"]
    assert len(found) == 5


def test_what_got_through_is_said_and_shown_before_what_was_denied():
    usual = calls("cli_a", [NOON + MINUTE], api=READ, ip="10.0.0.7")  # as ever, and no part of it
    elsewhere = calls("cli_a", [NOON + 2 * MINUTE], api=EXPORT, ip="10.9.0.1")  # another address
    events = make_events(BEFORE, ATTEMPTS, GOT, usual, elsewhere)
    finding = merge([PROBE], events)
    assert finding.sentence.endswith("1 of 21 got through: POST drive/v1/export_tasks (1).")
    assert finding.contributors["apis"][0]["name"] == EXPORT
    assert finding.contributors["codes"][0]["name"] == "0 (ok)"
    assert finding.evidence["rows"][0]["api"] == EXPORT
    assert len(finding.evidence["ids"]) + finding.evidence["more_count"] == 21
    assert finding.through == [
        {"start_at": "2026-11-12T06:00:00Z", "end_at": "2026-11-12T07:00:00Z"}
        | {"scope": {"app_id": ["cli_a"], "outcome": ["ok"], "api": [EXPORT], "ip": ["10.0.0.7"]}}
    ]
    assert merge([PROBE], make_events(BEFORE, ATTEMPTS)).sentence.endswith(
        "None of the 20 calls succeeded."
    )


def test_an_address_is_followed_to_the_end_of_the_week():
    tries = [
        calls(f"cli_{n}", over_time(NOON, 9), ip="203.0.113.9", api=TOKEN, outcome="auth")
        for n in range(12)
    ]
    later = calls("cli_3", [NOON + 2 * DAY], ip="203.0.113.9", api=EXPORT, severity="critical")
    asked = hit(
        {"ip": ("203.0.113.9",), "outcome": ("auth",)},
        entity_type="ip",
        entity="203.0.113.9",
        detector="rule:auth_failures",
        facts={
            "apps": [f"cli_{n}" for n in range(12)],
            "nameless": 0,
            "addresses": 1,
            "failures": 108,
        },
    )
    finding = merge([asked], make_events(BEFORE, *tries, later))
    assert "1 of 109 got through" in finding.sentence
    apps = finding.contributors["apps"]
    assert len(apps) == 12  # all of them
    assert apps[0]["name"] == "cli_3"
    assert [row["succeeded"] for row in apps if row["succeeded"]] == [[EXPORT]]
    assert finding.end_local.startswith("2026-11-12 14:")
    assert finding.timeline["last_local"].startswith("2026-11-14 14:")


def test_another_day_is_told_apart_with_its_date():
    monday, sunday = local("2026-11-09 02:00"), local("2026-11-15 03:42")
    events = make_events(
        BEFORE,
        calls("cli_a", over_time(monday, 99), api=READ),
        calls("cli_a", over_time(sunday, 40), api=EXPORT, severity="critical"),
    )
    volume = {"detector": "VOL", "severity": None, "p": 0.001, "expected": 2.0, "high": 6.0}
    volume |= {"facts": {"label": "", "hours": 24}}
    first = hit({"app_id": ("cli_a",)}, local("2026-11-15"), local("2026-11-16"), **volume)
    other = hit({"app_id": ("cli_a",)}, local("2026-11-09"), local("2026-11-10"), **volume)
    finding = merge([first, other], events)
    assert [row["name"] for row in finding.contributors["apis"]] == [EXPORT]
    (day,) = finding.other_days
    assert (day["day"], day["calls_count"]) == ("2026-11-09", 99)
    assert [row["name"] for row in day["contributors"]["apis"]] == [READ]
    # the time is that of the activity, and no midnight
    assert (finding.start_local, finding.end_local) == ("2026-11-15 03:42", "2026-11-15 04:40")
    assert [step["start_local"][:10] for step in finding.timeline["steps"]] == [
        "2026-11-09",
        "2026-11-15",
    ]
    assert finding.reasons[1]["start_local"] == "2026-11-09 00:00"


def test_what_stayed_below_the_budget_is_a_step_and_no_evidence():
    beside = calls("cli_a", [NOON + 5 * MINUTE] * 3, api=READ, ip="10.0.0.7")
    below = hit({"app_id": ("cli_a",), "api": (READ,)}, detector="API")
    finding = merge([PROBE], make_events(BEFORE, ATTEMPTS, beside), passed_over=[below])
    (step,) = [step for step in finding.timeline["steps"] if not step["told"]]
    assert (step["api"], step["calls_count"]) == (READ, 3)
    assert READ not in {row["api"] for row in finding.evidence["rows"]}
    assert len(finding.evidence["ids"]) + finding.evidence["more_count"] == 20


def test_objects_are_counted_and_shown_masked_what_succeeded_first():
    ids = [f"ou_{n:012x}" for n in range(30)]
    rows = calls(
        "cli_a",
        over_time(NOON, 30),
        ip="10.0.0.7",
        outcome=["not_found"] * 29 + ["ok"],
        object=list(range(30)),
    )
    events = make_events(BEFORE, rows)
    paths = [f"/open-apis/contact/v3/users/{name}" for name in ["ou_old"] * 2 + ids]
    events = events.assign(path=pd.array(paths, dtype=events["path"].dtype))
    finding = merge([PROBE], events)
    assert (finding.objects["count"], finding.objects["ok_count"]) == (30, 1)
    assert finding.objects["shown"][0] == {
        "object_name": "ou_0…01d",
        "api": READ,
        "outcome": "ok",
        "local": finding.evidence["rows"][0]["local"],
    }
    assert finding.evidence["rows"][0]["object_name"] == ids[-1]
    text = str({k: v for k, v in vars(finding).items() if k != "evidence"})
    assert not [name for name in ids if name in text]


@pytest.mark.parametrize(
    ("technique", "outcome", "category", "api", "seen"),
    [
        ("T1499", "ok", "", READ, False),  # thirteen calls an hour are no denial of service
        ("T1499", "rate_limit", "", READ, True),
        ("T1530", "permission", "doc_export", EXPORT, False),  # nothing was taken
        ("T1530", "ok", "doc_export", EXPORT, True),
        ("T1110.004", "permission", "", TOKEN, False),
        ("T1110.004", "auth", "", TOKEN, True),
        ("T1489", "ok", "", READ, True),  # needs nothing
    ],
)
def test_a_technique_is_named_only_where_it_follows(technique, outcome, category, api, seen):
    row = {"api": api, "category": category, "severity": "high", "outcome": outcome}
    groups = pd.DataFrame([row | {"calls_count": 13}])
    assert list_seen([technique, technique], groups) == ([technique] if seen else [])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 6 * 24 * 60),
            st.sampled_from(["10.0.0.1", "10.0.0.2", "198.51.100.7"]),
            st.sampled_from([READ, EXPORT, TOKEN, *DENIED]),
            st.sampled_from(OUTCOMES),
            st.sampled_from(["none", "high", "critical", "unknown"]),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_the_steps_are_all_calls_in_order(rows):
    minutes, ips, apis, outcomes, grades = zip(*rows, strict=True)
    at = [WEEK.start_at + n * MINUTE for n in minutes]
    events = make_events(
        calls("cli_a", at, ip=ips, api=apis, outcome=outcomes, severity=grades),
    )
    asked = hit({"app_id": ("cli_a",)}, WEEK.start_at, WEEK.end_at)
    groups = (
        FrameEvidence(events)
        .fetch([asked], start=WEEK.start_at, end=WEEK.end_at, rows_max=5)
        .groups
    )
    told = find_covered([asked], groups)
    timeline = build_timeline(groups, told, ZONE)
    steps = timeline["steps"]
    assert len(steps) <= MAX_STEPS
    assert sum(s["calls_count"] for s in steps) + timeline["more_calls_count"] == len(rows)
    assert timeline["calls_count"] == len(rows)
    assert timeline["ok_count"] == sum(how == "ok" for *_, how, _ in rows)
    assert [s["start_at"] for s in steps] == sorted(s["start_at"] for s in steps)
    for step in steps:
        mine = events[events["at"].between(step["start_at"], step["end_at"])]
        for name in ("ip", "api", "outcome"):
            if step[name] is not None:
                mine = mine[mine[name] == step[name]]
        assert len(mine) >= step["calls_count"]


def test_a_crowd_is_one_step_and_its_rows_carry_no_other_names():
    events = make_events(
        *(calls(f"cli_{n}", [NOON + n * MINUTE], outcome="auth") for n in range(90))
    )
    asked = hit({"outcome": ("auth",)})
    span = {"start": WEEK.start_at, "end": WEEK.end_at, "rows_max": 5}
    found = FrameEvidence(events).fetch([asked], **span)
    told = find_covered([asked], found.groups)
    steps = build_timeline(found.groups, told, ZONE)["steps"]
    assert [step["apps_count"] for step in steps] == [60]
    # a row carries no name but its own
    assert set(found.rows["app_id"].cat.categories) == set(found.rows["app_id"])
