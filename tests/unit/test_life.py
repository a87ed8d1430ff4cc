"""The life of findings: what verdicts and suppressions decide, and nothing else."""

from dataclasses import replace
from datetime import date
from functools import cache

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from tenant import DAY, EXPORT, HOUR, WEEK, calls, keep, make_events, quiet_tenant, spread
from test_engine import Distance

import audit_analytics as aa
from audit_analytics.cases import name_entity
from audit_analytics.dates.weeks import parse_week
from audit_analytics.detect import list_known
from audit_analytics.findings import Finding
from audit_analytics.findings._follow_up import _list_resolved, _place_findings
from audit_analytics.review import part_hits
from audit_analytics.review._past import PastReports, list_undecided
from audit_analytics.review._reports import read_report
from audit_analytics.review._scope import read_scope
from audit_analytics.review._suppression import Suppression, append_suppression
from audit_analytics.review._verdicts import append_verdict, judge_finding
from audit_analytics.schema import SEVERITIES

ABROAD = "198.51.100.7"
ELSEWHERE = "203.0.113.9"


def analyze(log, week, previous=None, **files):
    settings = aa.Settings(**files)
    return aa.analyze(log, week=week.iso, settings=settings, detector=Distance(), previous=previous)


def decide(path, found, outcome, week):
    values = {"note": "", "owner": "ops", "created": date(2026, 11, 9)}
    append_verdict(path, judge_finding(found, outcome, week=week, **values))


def about(rows, entity):
    return [row for row in rows if row["entity"] == entity]


def visit(week, apps, ip):
    """Some calls a day from one address that nobody knows."""
    days = pd.date_range(week.start_at + DAY, periods=3, freq="D")
    return [calls(a, spread(d + 9 * HOUR, 6, over=8 * HOUR), ip=ip) for a in apps for d in days]


SIX = [f"cli_{n:02d}" for n in range(6)]
WEEKS = [WEEK.shifted(-2), WEEK.shifted(-1), WEEK]


@pytest.fixture(scope="module")
def attack(tmp_path_factory):
    """Six apps call from one foreign address in three weeks; the reports of the first two."""
    parts = [part for week in WEEKS for part in visit(week, SIX, ABROAD)]
    log = make_events(quiet_tenant(weeks=8), *parts)
    folder = tmp_path_factory.mktemp("reports")
    for week in WEEKS[:2]:
        keep(analyze(log, week, folder), folder / week.iso)
    return log, folder


def find_address(folder, week):
    return about(read(folder, week)["findings"], ABROAD)[0]


def read(folder, week):
    return read_report(folder / week.iso / "findings.json")


def test_point_1_a_confirmed_attack_does_not_become_usual_in_its_next_week(attack, tmp_path):
    # nor does one that nobody decided about: tests/unit/test_review.py
    log, folder = attack
    verdicts = tmp_path / "verdicts.toml"
    decide(verdicts, find_address(folder, WEEKS[0]), "true", WEEKS[0])
    data = analyze(log, WEEK, folder, verdicts=verdicts).data
    [found] = about(data["findings"], ABROAD)
    assert found["status"] == "continuing"
    assert about(data["resolved"], ABROAD) == []


def test_point_1_a_benign_verdict_is_about_its_own_network_and_no_other(tmp_path):
    # the app is on one foreign network, found harmless, and a week later on another one as well
    log = make_events(
        quiet_tenant(weeks=8),
        *visit(WEEKS[0], SIX[:1], ABROAD),
        *visit(WEEKS[1], SIX[:1], ELSEWHERE),
        *visit(WEEK, SIX[:1], ELSEWHERE),
    )
    for week in WEEKS[:2]:
        keep(analyze(log, week, tmp_path), tmp_path / week.iso)
    verdicts = tmp_path / "verdicts.toml"
    decide(verdicts, about(read(tmp_path, WEEKS[0])["findings"], SIX[0])[0], "benign", WEEKS[0])
    [found] = about(analyze(log, WEEK, tmp_path, verdicts=verdicts).data["findings"], SIX[0])
    assert "rule:new_network" in found["detectors"]


PLACES = ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24")


@limits(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.sets(st.sampled_from(PLACES), min_size=1)),
        max_size=4,
    ),
    given_verdicts=st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sets(st.sampled_from(PLACES), min_size=1),
            st.integers(42, 45),
            st.sampled_from(["true", "benign"]),
        ),
        max_size=4,
    ),
)
def test_point_1_a_verdict_that_it_was_an_attack_never_teaches_more_than_none(rows, given_verdicts):
    def scope(app, place):
        where = {"app_id": [app], "network": [place]}
        return {"start_at": WEEK.start_at, "end_at": WEEK.end_at, "scope": where}

    places = [("app", app, read_scope(scope(app, place))) for app, names in rows for place in names]
    past = PastReports(last=None, status="absent", week="2026-W45", places=places)
    verdicts = {}
    for number, (app, names, week, outcome) in enumerate(given_verdicts):
        found = {
            "entity_type": "app",
            "entity": app,
            "finding_id": f"f-{number}",
            "observed": 1,
            "reasons": [
                {"detector": "NEWNET", "observed": 1, **scope(app, name)} for name in names
            ],
        }
        then = parse_week(f"2026-W{week}", zone=WEEK.zone)
        values = {"note": "", "owner": "", "created": date(2026, 11, 9)}
        verdicts[f"f-{number}"] = judge_finding(found, outcome, week=WEEK, **values).model_copy(
            update={"week": then.iso}
        )
    benign = {number: v for number, v in verdicts.items() if v.verdict == "benign"}
    untaught = list_undecided(past, verdicts)
    for scope_ in list_undecided(past, benign):
        assert scope_ in untaught
    for _, app, one in places:
        named = [
            v for v in benign.values() if v.entity == app and one.where["network"][0] in str(v)
        ]
        assert one in untaught or named
    assert list_undecided(past, {}) == [one for *_, one in places]


# 2: suppressions


@cache
def noisy_tenant():
    """A quiet tenant in which five things happen that speak for themselves, and many denials."""
    at = WEEK.start_at + 60 * HOUR
    denied = [
        calls("cli_07", spread(at, 40 + n), ip=f"198.51.{n}.7", outcome="permission")
        for n in range(8)
    ]
    return make_events(
        quiet_tenant(weeks=5),
        calls(
            "cli_06", spread(at, 300), api=EXPORT, ip="10.0.6.1", severity="high", object=range(300)
        ),
        calls("cli_03", spread(at, 60, over=6 * HOUR), ip=ELSEWHERE),
        calls("cli_05", spread(at, 80), ip="10.0.5.1", outcome="permission"),
        *[calls(f"cli_{n:02d}", spread(at, 12), ip=ABROAD, outcome="auth") for n in range(8, 12)],
        *denied,
    )


RULES = {"findings_per_rule": 3, "auth_failure_apps": 3}
DENIED = ("198.51.0.0/16",)


def judge(suppressions=None):
    settings = aa.Settings(rules=RULES, deny_networks=DENIED, suppressions=suppressions)
    log = noisy_tenant()
    return aa.analyze(log, week=WEEK.iso, settings=settings, detector=Distance()).data


@pytest.fixture(scope="module")
def judged():
    """The report on the noisy tenant, and all its hits and cases as the weekly run parts them."""
    given = []

    def keep(hits, cases, _, **values):
        given.append((hits, cases, values))
        return part_hits(hits, cases, _, **values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("audit_analytics.pipeline.part_hits", keep)
        return judge(), given[0]


def test_point_2_a_suppressed_hit_does_not_use_up_the_findings_of_its_rule(judged, tmp_path):
    path = tmp_path / "suppressions.toml"
    plain = about_rule(judged[0])
    assert [row["entity_type"] for row in plain] == ["ip"] * 3 + ["tenant"]
    loudest = [row["entity"] for row in plain[:3]]
    for entity in loudest:
        suppress(path, entity=entity)
    data = judge(path)
    left = about_rule(data)
    assert len(left) == 4
    assert not {row["entity"] for row in left} & set(loudest)
    assert {row["entity"] for row in data["suppressed"]} >= set(loudest)


def about_rule(data):
    rows = [row for row in data["findings"] if "rule:denied_network" in row["detectors"]]
    return sorted(rows, key=lambda row: (row["entity_type"] == "tenant", row["rank"]))


def suppress(path, **scope):
    values = {"owner": "ops", "reason": "x", "expires": date(2026, 12, 31)}
    append_suppression(path, Suppression(**values, **scope))


ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "entity": st.sampled_from(["cli_03", "cli_05", "cli_06", "cli_07", "198.51.0.7", ABROAD]),
        "detectors": st.lists(
            st.sampled_from([*(one.name for one in list_known()), "volume", "unusual_ip"]),
            max_size=6,
            unique=True,
        ).map(tuple),
        "networks": st.lists(
            st.sampled_from(["198.51.0.0/22", "203.0.113.0/24", ABROAD]), max_size=2, unique=True
        ).map(tuple),
        "apis": st.sampled_from([(), (EXPORT,)]),
    },
).filter(lambda entry: any(entry.values()))


@limits(max_examples=300, deadline=None)
@given(
    entries=st.lists(ENTRIES, max_size=4),
    loudest=st.sets(st.integers(0, 40), min_size=1, max_size=12),
)
def test_point_2_suppressing_never_hides_what_it_does_not_name(judged, entries, loudest):
    hits, cases, values = judged[1]
    # any of what is told without them: that is what people suppress
    shown = part_hits(hits, cases, [], **values).told.hits
    named = [hit for n, hit in enumerate(shown) if n in loudest and hit.entity_type != "tenant"]
    entries += [{"entity": hit.entity, "detectors": (hit.detector,)} for hit in named]
    wanted = {"owner": "ops", "reason": "x", "expires": date(2026, 12, 31)}
    made = [Suppression(**wanted, **entry) for entry in entries]
    plain, some = part_hits(hits, cases, [], **values), part_hits(hits, cases, made, **values)
    covered = [hit for hit in hits if any(entry.covers(hit) for entry in made)]
    touched = {name_entity(hit) for hit in covered}
    told, rated = group(some.told.hits), {name_entity(case): case for case in some.told.cases}
    for entity, own in group(plain.told.hits).items():
        if entity[0] != "tenant" and entity not in touched:
            assert list(map(as_told, told[entity])) == list(map(as_told, own))
            # what is left of a crowd may be none any more, and is then rated as what it is
            for here, before in zip(told[entity], own, strict=True):
                assert here == before or ("crowd" in before.facts and "crowd" not in here.facts)
                assert rate(here) >= rate(before)
    for case in cases:
        entity = name_entity(case)
        surprises = [hit for hit in hits if hit.p is not None and name_entity(hit) == entity]
        left = [hit for hit in surprises if not any(hit is other for other in covered)]
        assert (entity in rated) is bool(left or not surprises)
        if not left:
            continue
        factor = min(hit.p for hit in left) / min(hit.p for hit in surprises)
        if case.expected_per_week * factor < values["budget"] and case.p * factor < 0.05:
            assert any(hit.p is not None for hit in told[entity])
    # and what it does name is told nowhere
    assert not any(hit is other for hit in covered for own in told.values() for other in own)
    # what is told is what would be if nothing of it had been found: it takes no place from others
    gone = {id(hit) for hit in covered}
    kept = [hit for hit in hits if id(hit) not in gone]
    # its cases are rated by what is left already
    alone = part_hits(kept, some.told.cases, [], **values | {"every": None})
    assert [hit for hit in alone.told.hits if not any(e.covers(hit) for e in made)] == (
        some.told.hits
    )


def as_told(hit):
    """Return a hit without what being one of a crowd makes of it."""
    facts = {name: value for name, value in hit.facts.items() if name != "crowd"}
    return replace(hit, severity=None, facts=facts)


def rate(hit):
    return SEVERITIES.index(hit.severity or "none")


def group(hits):
    own = {}
    for hit in hits:
        own.setdefault(name_entity(hit), []).append(hit)
    return own


# 3: what a person follows


def change(row, *detectors, **scope):
    first = row["reasons"][0]
    where = {"app_id": [row["entity"]], **scope}
    reasons = [
        first | {"detector": name, "kind": "volume", "alone": True, "scope": where}
        for name in detectors
    ]
    return row | {"reasons": reasons, "detectors": list(detectors), "untold": [], "key": "k-before"}


def follow(before, after):
    past = PastReports(
        last={"findings": [before], "suppressed": []}, status="compared", week=WEEK.shifted(-1).iso
    )
    placed = _place_findings([after], past, week=WEEK, verdicts={})[0]
    return placed, _list_resolved(past, [after], [], {})


def test_point_3_another_first_reason_is_no_end_and_no_beginning(judged):
    [row] = about(judged[0]["findings"], "cli_06")
    after = Finding(**{name: row[name] for name in Finding.__dataclass_fields__})
    now = after.detectors[0]
    same = [
        change(row, "SLOW", now),  # it spoke last
        change(row, "SLOW") | {"untold": [now]},  # it spoke, and was not told
        change(row, "NEWAPI", api=[EXPORT]),  # about the same API
    ]
    named = replace(after, reasons=[after.reasons[0] | {"scope": {"api": [EXPORT]}}])
    for before in same:
        placed, resolved = follow(before, named)
        assert (placed.status, placed.key, resolved) == ("continuing", "k-before", [])
    placed, resolved = follow(change(row, "rule:dormant"), named)
    # another thing: it begins anew, and says what was before; no entity is told twice on a page
    assert (placed.status, placed.key) == ("new", after.key)
    assert placed.previous["finding_id"] == row["finding_id"]
    assert resolved == []
    placed, resolved = follow(change(row, now) | {"entity": "cli_01"}, named)
    assert placed.status == "new"
    assert [gone["entity"] for gone in resolved] == ["cli_01"]
