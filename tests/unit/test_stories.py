"""Findings that share what is rare for the tenant are one story; nothing else is."""

import csv
import io
import json
import re
from dataclasses import asdict, replace

import jsonschema
import pandas as pd
import pytest
import report_fixture as fixture
from click.testing import CliRunner
from stand_ins import Flat
from tenant import (
    DAY,
    EXPORT,
    HOUR,
    READ,
    TOKEN,
    WEEK,
    ZONE,
    calls,
    local,
    make_events,
    quiet_tenant,
    spread,
)

import audit_analytics as aa
from audit_analytics.cases import Case, Hit
from audit_analytics.cli.main import main
from audit_analytics.deliver._mask import mask_report
from audit_analytics.deliver._message import build_message
from audit_analytics.findings import FrameEvidence, build_stories, find_links, merge_findings
from audit_analytics.findings._links import WINDOW
from audit_analytics.findings._timeline import name_technique
from audit_analytics.inventory import App, Grant, Inventory, Version
from audit_analytics.report import Report, list_findings, render_html, tell_story
from audit_analytics.report._html import render_notebook
from audit_analytics.report._markdown import render_markdown
from audit_analytics.report._ocsf import render_ocsf
from audit_analytics.report._tables import render_csv
from audit_analytics.review._past import PastReports
from audit_analytics.rollup import rollup

NOON = local("2026-11-10 12:00")
X, Y, HOME = "203.0.113.9", "198.51.100.7", "10.0.0.1"
ABSENT = PastReports(last=None, status="absent", week=WEEK.shifted(-1).iso)
APPS = [f"cli_{n:02}" for n in range(12)]
USUAL = [
    calls(app, [WEEK.start_at - 20 * DAY, WEEK.start_at - DAY, WEEK.start_at + HOUR])
    for app in APPS
]
STOLEN = [
    calls("cli_00", spread(NOON, 20), ip=X, outcome="permission", api=EXPORT),
    calls("cli_00", spread(NOON + 2 * HOUR, 9), ip=X, category="directory_bulk_read"),
    calls("cli_01", spread(NOON + 9 * HOUR, 6), ip=X, api=TOKEN, category="token_issuance"),
    calls("cli_01", spread(NOON + 20 * HOUR, 30), ip=Y, api=EXPORT, category="doc_export"),
]


def hit(entity, at=NOON, *, kind="app", severity="high", hours=3):
    column = {"app": "app_id", "ip": "ip"}[kind]
    return Hit(
        detector="rule:probing",
        kind="error_burst",
        entity_type=kind,
        entity=entity,
        start_at=at,
        end_at=at + hours * HOUR,
        observed=12.0,
        unit="distinct denied APIs in an hour",
        severity=severity,
        facts={"apis": [READ, EXPORT], "missing": 0},
        where={column: (entity,)},
    )


TWO = [hit("cli_00"), hit("cli_01", NOON + 20 * HOUR, severity="medium")]


def build(parts, hits, *, suppressed=(), past=ABSENT, cases=(), inventory=None, with_past=None):
    events = make_events(*USUAL, *parts)
    evidence = FrameEvidence(events)
    merge = {"week": WEEK, "history_days": {}}
    findings = merge_findings(list(hits), [], evidence, **merge)
    hidden = merge_findings(list(suppressed), [], evidence, **merge)
    links = find_links(
        [*hidden, *findings],
        rollup(events, zone=ZONE).by_ip,
        evidence,
        inventory or Inventory(),
        week=WEEK,
    )
    return build_stories(
        findings,
        [replace(finding, status="suppressed") for finding in hidden],
        links,
        cases=cases,
        explain=lambda case: [hit(case.entity)],
        evidence=evidence,
        with_past=APPS if with_past is None else with_past,
        past=past,
        week=WEEK,
    )


def test_two_apps_and_a_foreign_address_are_one_story_in_order():
    (story,), findings = build(STOLEN, TWO)
    assert story.finding_ids == [finding.finding_id for finding in findings]
    assert (story.apps, story.ips) == (["cli_00", "cli_01"], [X, Y])
    assert story.tactics == ["Discovery", "Credential Access", "Exfiltration"]
    assert [(s["app_id"], s["ip"], s["calls_count"], s["ok_count"]) for s in story.steps] == [
        ("cli_00", X, 20, 0),
        ("cli_00", X, 9, 9),
        ("cli_01", X, 6, 6),
        ("cli_01", Y, 30, 30),
    ]
    assert [link["kind"] for link in story.links] == ["network"]
    assert "45 of 65 calls succeeded" in story.sentence


@pytest.mark.parametrize(
    ("parts", "hits"),
    [
        ([], TWO),  # nothing shared but what everybody uses
        (STOLEN[:2], TWO),  # one of them alone was there
        ([p.assign(outcome="auth") for p in STOLEN], TWO),  # what was refused touches nothing
        ([p.assign(ip=HOME) for p in STOLEN], TWO),  # at home
        ([*STOLEN, *(calls(app, spread(NOON, 2), ip=X) for app in APPS)], TWO),  # all moved there
        (
            [*STOLEN, *(calls(a, [WEEK.start_at - DAY], ip=X) for a in APPS[4:6])],
            TWO,
        ),  # two had used it before
        (
            [STOLEN[1], calls("cli_01", [NOON + 2 * HOUR + WINDOW + 2 * HOUR], ip=X)],
            [TWO[0], hit("cli_01", NOON + 2 * HOUR + WINDOW + 2 * HOUR)],
        ),  # too far apart
        (STOLEN, TWO[:1]),  # one finding is no story
    ],
    ids=["usual", "one", "refused", "home", "many", "known", "late", "single"],
)
def test_what_is_common_refused_or_far_joins_nothing(parts, hits):
    stories, findings = build(parts, hits)
    assert stories == []
    assert [finding.rank for finding in findings] == list(range(1, len(hits) + 1))


def test_apps_that_anybody_can_make_up_make_no_story():
    assert build(STOLEN, TWO, with_past=["cli_00"])[0] == []


def test_a_story_stands_before_all_else_of_its_severity_and_ranks_stay_whole():
    others = [hit("cli_05", severity="critical"), hit("cli_06"), hit("cli_07", severity="low")]
    (story,), findings = build(STOLEN, [*TWO, *others])
    assert [finding.rank for finding in findings] == [1, 2, 3, 4, 5]
    names = [finding.entity for finding in findings]
    assert names == ["cli_05", "cli_00", "cli_01", "cli_06", "cli_07"]
    assert (story.rank, story.severity) == (2, "high")


def test_two_high_findings_that_belong_together_stand_before_a_critical_one():
    two = [hit("cli_00"), hit("cli_01", NOON + 20 * HOUR)]
    (story,), findings = build(STOLEN, [*two, hit("cli_05", severity="critical")])
    assert (story.rank, story.severity) == (1, "critical")
    assert [finding.severity for finding in findings] == ["high", "high", "critical"]


def test_weak_signals_and_what_is_suppressed_join_and_never_make_one():
    weak = [
        Case(entity_type="app", entity=app, p=p, expected_per_week=20, q=1)
        for app, p in (("cli_02", 0.1), ("cli_03", 0.1), ("cli_04", 0.9))
    ]
    there = [calls(app, spread(NOON, 2), ip=X) for app in ("cli_02", "cli_04")]
    assert build([*STOLEN, *there[:1]], TWO[:1], cases=weak, suppressed=TWO[1:])[0] == []
    hits = [*TWO, hit(X, kind="ip")]
    (story,), _ = build([*STOLEN[:3], *there[:1]], hits[::2], cases=weak, suppressed=hits[1:2])
    assert [row["entity"] for row in story.weak] == ["cli_02"]
    assert len(story.suppressed_ids) == 1
    # its id does not change with what people suppress
    (all_told,), _ = build([*STOLEN[:3], *there[:1]], hits)
    assert all_told.story_id == story.story_id


def opens(app, times=None, number=7):
    return calls(app, spread(NOON, 3) if times is None else times, object=number)


LATER = [NOON + 9 * HOUR, NOON + 10 * HOUR]
BUSY = [calls(app, spread(NOON, 60), severity="critical") for app in APPS[:2]]
"""More sensitive calls than evidence shows, so that the object is in none of the rows shown."""


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        ([*BUSY, opens("cli_00"), opens("cli_01")], True),
        ([opens(app) for app in APPS], False),  # many open it
        ([opens("cli_00"), opens("cli_01", [NOON - 25 * HOUR, NOON])], False),  # a habit
        (
            [*(opens(app, [at], n) for app in APPS[:2] for n, at in enumerate([NOON, *LATER]))],
            False,
        ),  # they share more besides
        ([opens("cli_00"), opens("cli_01", [NOON + 9 * HOUR])], False),  # not what it is about
        (
            [opens("cli_00", [NOON] * 300, range(300)), opens("cli_01")],
            False,
        ),  # all objects, not one
        ([opens("cli_00"), opens("cli_01").assign(outcome="permission")], False),
    ],
    ids=["beyond the rows shown", "many", "habit", "common work", "beside", "sweep", "refused"],
)
def test_a_rare_object_that_two_opened_joins_them(parts, joined):
    stories, _ = build(parts, [hit("cli_00"), hit("cli_01")])
    links = [(link["kind"], link["object_name"]) for story in stories for link in story.links]
    assert links == ([("object", "…")] if joined else [])


def test_what_is_suppressed_and_what_is_weak_join_by_their_object():
    weak = [Case(entity_type="app", entity="cli_03", p=0.1, expected_per_week=20, q=1)]
    there = [*STOLEN, *(opens(app) for app in ("cli_01", "cli_03"))]
    assert build(there, TWO, cases=weak)[0][0].weak == []
    at_the_same_time = [TWO[0], hit("cli_01")]
    (story,), _ = build([*there, opens("cli_00")], at_the_same_time, cases=weak)
    assert [row["entity"] for row in story.weak] == ["cli_03"]
    (story,), _ = build(
        [*there, opens("cli_00")], at_the_same_time, suppressed=[hit("cli_03")], cases=weak
    )
    assert len(story.suppressed_ids) == 1
    assert story.weak == []


def test_a_scope_that_two_apps_were_granted_together_joins_them():
    def app(name, at):
        version = Version(version="2", published_at=at.to_pydatetime(), scopes=("payroll:read",))
        return App(app_id=name, grants=(Grant("payroll:read"),), versions=(version,))

    fresh = Inventory.of([app("cli_00", NOON - HOUR), app("cli_01", NOON - 2 * HOUR)])
    (story,), _ = build([], TWO, inventory=fresh)
    assert [(link["kind"], link["name"]) for link in story.links] == [("grant", "payroll:read")]
    old = Inventory.of([app("cli_00", NOON - 30 * DAY), app("cli_01", NOON - 2 * HOUR)])
    assert build([], TWO, inventory=old)[0] == []


def test_a_story_goes_on_if_one_of_its_findings_does():
    (first,), findings = build(STOLEN, TWO)
    rows = [asdict(finding) for finding in findings]
    last = {"findings": rows[1:], "suppressed": [], "stories": [asdict(first) | {"key": "s-1"}]}
    past = PastReports(last=last, status="compared", week=WEEK.shifted(-1).iso)
    (story,), _ = build(STOLEN, TWO, past=past)
    assert (story.status, story.key, story.since_week) == ("continuing", "s-1", past.week)
    nothing = PastReports(last=last | {"stories": []}, status="compared", week=past.week)
    (story,), _ = build(STOLEN, TWO, past=nothing)
    assert (story.status, story.key, story.since_week) == ("new", story.story_id, WEEK.iso)


@pytest.mark.parametrize(
    ("category", "outcome", "technique"),
    [
        ("token_issuance", "auth", "T1110.004"),
        ("doc_export", "permission", "T1069.003"),
        ("drive_permission", "ok", "T1098.003"),
        ("drive_permission_read", "ok", "T1530"),
        ("other", "server", ""),
    ],
)
def test_a_step_names_what_its_calls_show(category, outcome, technique):
    assert name_technique(category, "none", outcome) == technique


def test_every_output_tells_a_story_once_with_its_findings_inside():
    report = fixture.make_story_report()
    page = render_html(report)
    card = page[page.index('<details class="card story') :]
    inside = card[: card.index("f-000000000003")]
    assert [inside.count(f'id="f-00000000000{n}"') for n in (1, 2)] == [1, 1]
    assert page.count("Two apps and one address.") == 3  # list, card, weak signal
    assert page.count("<details") == page.count("</details>")
    markdown = render_markdown(report)
    assert markdown.count("### 1\N{EN DASH}2. Story of 2 findings") == 1
    assert render_notebook(report).count("Two apps and one address.") == 1
    lines = list_findings(report)
    assert "1 to 2 are one story" in lines[0]
    assert len(lines) == len(report["findings"]) + 1
    rows = csv.DictReader(io.StringIO(render_csv(report), newline=""))
    assert [row["story_id"] for row in rows][:3] == ["s-00000000000a", "s-00000000000a", ""]
    events = [json.loads(line) for line in render_ocsf(report).splitlines()]
    related = [
        [e["uid"] for e in event["finding_info"].get("related_events", [])] for event in events
    ]
    assert related[0] == ["f-000000000002", "f-00000000aaaa"]
    assert related[2] == []
    assert "not scored" not in tell_story(report["stories"][0])


def test_a_message_has_one_line_for_a_story_and_counts_its_findings():
    report = fixture.make_story_report()
    message = build_message(report)
    assert message.lines[0].sentence.startswith("Story of 2 findings: ")
    told = sum(line.findings_count for line in message.lines)
    assert (told, message.more_count) == (6, len(report["findings"]) - 6)
    masked = json.dumps(mask_report(report)["stories"])
    assert report["findings"][0]["entity"] not in masked
    assert "203.0.113.77" not in masked


def test_hostile_names_in_a_story_stay_inert():
    report = fixture.make_hostile_report()
    shown = "\n".join([*list_findings(report), *map(tell_story, report["stories"])])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", shown)


def test_a_report_has_its_stories_as_a_table_and_fits_the_schema(findings_schema):
    report = fixture.make_story_report()
    jsonschema.validate(report, findings_schema)
    table = Report(report, pd.DataFrame()).stories
    assert table["story_id"].tolist() == ["s-00000000000a"] * 2
    assert str(table["at"].dtype) == "datetime64[us, UTC]"
    assert Report(fixture.make_report(), pd.DataFrame()).stories.empty


def test_explain_tells_a_story_by_its_id(tmp_path, monkeypatch):
    Report(fixture.make_story_report(), pd.DataFrame()).write(tmp_path / "reports" / "2026-W47")
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(main, ["explain", "s-00000000000a"])
    assert told.exit_code == 0, told.output
    assert "The steps of the story" in told.stdout
    shown = CliRunner().invoke(main, ["explain", "s-0000", "--json"])
    assert json.loads(shown.stdout)["finding_ids"] == ["f-000000000001", "f-000000000002"]
    missed = CliRunner().invoke(main, ["explain", "s-ffff"])
    assert missed.exit_code == 2
    assert "in no report" in missed.stderr


def test_what_is_open_names_the_story_while_any_of_its_findings_is(tmp_path, monkeypatch):
    Report(fixture.make_story_report(), pd.DataFrame()).write(tmp_path / "reports" / "2026-W47")
    monkeypatch.chdir(tmp_path)
    decided = CliRunner().invoke(main, ["verdict", "1", "benign", "--note", "backfill"])
    assert decided.exit_code == 0, decided.output
    shown = CliRunner().invoke(main, ["findings"]).stdout.splitlines()
    assert ["1 to 2 are one story" in line for line in shown].count(True) == 1
    assert "s-00000000000a" in shown[0]
    assert "f-000000000002" in "".join(shown)
    assert "f-000000000001" not in "".join(shown)
    rows = json.loads(CliRunner().invoke(main, ["findings", "--json"]).stdout)
    assert rows[0]["story_id"] == "s-00000000000a"


def test_the_verdict_leads_with_the_story_of_the_first_finding():
    log = make_events(quiet_tenant(), *STOLEN)
    data = aa.analyze(log, week=WEEK.iso, settings=aa.Settings(), detector=Flat()).data
    (story,) = data["stories"]
    assert data["findings"][0]["finding_id"] in story["finding_ids"]
    assert data["verdict"].endswith(f"Look at this one first: {story['sentence']}")
