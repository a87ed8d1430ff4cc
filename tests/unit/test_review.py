"""What becomes of a finding in the week after."""

import json
from datetime import date

import pandas as pd
import pytest
from tenant import (
    DAY,
    EXPORT,
    HOUR,
    WEEK,
    build_tenant,
    calls,
    keep,
    make_events,
    quiet_tenant,
    spread,
)
from test_engine import Distance

import audit_analytics as aa
from audit_analytics.deliver import deliver_report
from audit_analytics.errors import InputError
from audit_analytics.report import render_html, write_overview
from audit_analytics.report._markdown import render_markdown
from audit_analytics.review._past import read_past
from audit_analytics.review._reports import find_finding, read_report
from audit_analytics.review._suppression import Suppression, append_suppression
from audit_analytics.review._verdicts import append_verdict, judge_finding
from audit_analytics.rollup import rollup

LAST = WEEK.shifted(-1)
WHO = "cli_03"


def visit(week):
    """A few calls a day from a network nobody knows."""
    days = pd.date_range(week.start_at + DAY, periods=3, freq="D")
    return [calls(WHO, spread(day + 9 * HOUR, 4, over=8 * HOUR), ip="203.0.113.9") for day in days]


def burst(week):
    return calls("cli_06", spread(week.start_at + 60 * HOUR, 90), api=EXPORT, ip="10.0.6.1")


@pytest.fixture(scope="module")
def log():
    return make_events(quiet_tenant(weeks=6), *visit(LAST), *visit(WEEK), burst(LAST))


def analyze(log, week, previous=None, **files):
    settings = aa.Settings(**files)
    return aa.analyze(log, week=week.iso, settings=settings, detector=Distance(), previous=previous)


@pytest.fixture(scope="module")
def reports(log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    keep(analyze(log, LAST), folder / LAST.iso)
    return folder


def row_of(rows, entity=WHO):
    return next((row for row in rows if row["entity"] == entity), None)


@pytest.fixture(scope="module")
def found(reports):
    return row_of(read_report(reports / LAST.iso / "findings.json")["findings"])


def decide(found, outcome, path):
    values = {"note": "asked the owner", "owner": "ops", "created": date(2026, 11, 9)}
    append_verdict(path, judge_finding(found, outcome, week=LAST, **values))
    return path


def test_an_attack_that_goes_on_is_found_again_once_it_was_confirmed(log, reports, found, tmp_path):
    verdicts = decide(found, "true", tmp_path / "verdicts.toml")
    data = analyze(log, WEEK, reports, verdicts=verdicts).data
    again = row_of(data["findings"])
    assert again["detectors"][0] == "NEWNET"
    assert (again["status"], again["since_week"]) == ("continuing", LAST.iso)
    assert again["key"] == found["key"]
    assert again["finding_id"] != found["finding_id"]
    assert again["previous"]["verdict"]["verdict"] == "true"
    assert again["history_days"] == 28  # some hours are left out, no day of it
    json.dumps(data, allow_nan=False)


@pytest.fixture(scope="module")
def undecided(log, reports):
    return analyze(log, WEEK, reports).data


def test_an_attack_that_goes_on_is_found_again_if_nobody_decided(undecided, found):
    data = undecided
    again = row_of(data["findings"])
    assert again["detectors"][0] == "NEWNET"
    assert (again["status"], again["since_week"]) == ("continuing", LAST.iso)
    assert again["key"] == found["key"]
    assert row_of(data["resolved"]) is None


def test_what_was_found_harmless_has_become_usual(log, reports, found, tmp_path):
    verdicts = decide(found, "benign", tmp_path / "verdicts.toml")
    data = analyze(log, WEEK, reports, verdicts=verdicts).data
    assert row_of(data["findings"]) is None
    gone = row_of(data["resolved"])
    assert (gone["finding_id"], gone["verdict"]["verdict"]) == (found["finding_id"], "benign")


def test_a_verdict_is_shown_when_its_own_week_is_written_again(log, found, tmp_path):
    verdicts = decide(found, "true", tmp_path / "verdicts.toml")
    again = row_of(analyze(log, LAST, verdicts=verdicts).data["findings"])
    assert again["verdict"]["note"] == "asked the owner"
    assert {k: again[k] for k in ("observed", "rank", "p")} == {
        k: found[k] for k in ("observed", "rank", "p")
    }


def test_what_is_gone_is_resolved_and_what_was_not_there_is_new(undecided, reports):
    data = undecided
    last = read_report(reports / LAST.iso / "findings.json")
    keys = {row["key"] for row in last["findings"]}
    assert data["resolved"]
    assert all(row["rank"] >= 1 for row in data["resolved"])
    assert data["compared_with"]["status"] == "compared"
    for row in data["findings"]:
        assert (row["status"] == "continuing") is (row["key"] in keys)
    entities = [{r["entity"] for r in rows} for rows in (last["findings"], data["findings"])]
    assert {row["entity"] for row in data["resolved"]} == entities[0] - entities[1]


def test_what_is_suppressed_is_not_resolved_though_of_another_kind(log, reports, found, tmp_path):
    last = read_report(reports / LAST.iso / "findings.json")
    for row in last["findings"]:
        row["reasons"] = [row["reasons"][0] | {"detector": "rule:dormant", "scope": {}}]
    path = tmp_path / "suppressions.toml"
    suppress(path, entity=WHO)
    verdicts = decide(found, "true", tmp_path / "verdicts.toml")
    report = aa.Report(last, pd.DataFrame())
    data = analyze(log, WEEK, report, suppressions=path, verdicts=verdicts).data
    assert row_of(data["suppressed"])
    assert row_of(data["resolved"]) is None
    assert data["resolved"]


def test_nothing_is_called_new_without_a_report_of_the_week_before(reports):
    data = read_report(reports / LAST.iso / "findings.json")
    assert data["findings"]
    assert {row["status"] for row in data["findings"]} == {"unknown"}
    assert {row["since_week"] for row in data["findings"]} == {None}
    assert data["resolved"] == []
    assert data["compared_with"]["status"] == "absent"
    assert f"no report of {LAST.shifted(-1).iso}" in data["compared_with"]["text"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"week": {"iso": LAST.shifted(-1).iso}}, "absent"),
        ({"tenant_zone": "Europe/Berlin"}, "absent"),
        ({"coverage": {"week_status": "empty"}}, "empty"),
        ({}, "compared"),
    ],
)
def test_a_report_that_says_nothing_about_the_week_before_is_no_ground(reports, change, status):
    report = read_report(reports / LAST.iso / "findings.json") | change
    past = read_past(report, WEEK, weeks=4)
    assert past.status == status
    assert bool(past.findings) is (status == "compared")


def test_a_folder_a_file_and_a_report_say_the_same(reports):
    file = reports / LAST.iso / "findings.json"
    by_folder, by_file, by_dict = (
        read_past(previous, WEEK, weeks=4) for previous in (reports, file, read_report(file))
    )
    assert by_folder == by_file == by_dict


def suppress(path, until=date(2026, 12, 31), **scope):
    values = {"owner": "ops", "reason": "new office", "created": date(2026, 11, 9)}
    entry = Suppression(expires=until, **values, **scope)
    append_suppression(path, entry)
    return entry


def test_a_suppressed_finding_is_told_apart_and_does_not_become_usual(log, tmp_path):
    path = tmp_path / "suppressions.toml"
    entry = suppress(path, until=date(2026, 11, 8), networks=("203.0.113.0/24",))
    first = analyze(log, LAST, suppressions=path)
    hidden = row_of(first.data["suppressed"])
    assert row_of(first.data["findings"]) is None
    assert (hidden["status"], hidden["suppressed_by"]) == ("suppressed", [entry.suppression_id])
    assert "203.0.113.9" not in {row["ip"] for row in first.data["unusual_ips"]}
    assert WHO not in {row["name"] for row in first.data["quiet_apps"]["rows"]}
    assert any("is suppressed." in note for note in first.notes())
    assert "<li>Suppressed <strong>" in render_html(first.data)
    (told,) = first.data["suppressions"]
    assert (told["status"], told["hits_count"] >= 1) == ("active", True)
    assert told["is_new"]
    later = Suppression(expires=date(2026, 12, 31), entity="cli_new", owner="Eve", reason="hush")
    keep(first, tmp_path / "reports" / LAST.iso)
    append_suppression(path, later)
    data = analyze(log, WEEK, tmp_path / "reports", suppressions=path).data
    shown = row_of(data["findings"])  # the entry is over, and the network did not become usual
    assert (shown["status"], shown["since_week"]) == ("continuing", LAST.iso)
    assert shown["previous"]["suppressed"]
    told, new = data["suppressions"]
    assert (told["status"], told["hits_count"]) == ("expired", 0)
    assert (told["is_new"], new["is_new"]) == (False, True)
    notes = " ".join(aa.Report(data, pd.DataFrame()).notes())
    assert f"{new['suppression_id']} is new, Eve wrote it and it lasts until 2026-12-31" in notes
    assert f"{entry.suppression_id} expired on 2026-11-08 and covers nothing" in notes
    assert told["last_hit_at"] == first.data["suppressions"][0]["last_hit_at"]
    assert row_of(data["resolved"]) is None


def test_what_no_suppression_covers_stays_and_is_rated_alone(log, reports, tmp_path):
    path = tmp_path / "suppressions.toml"
    whole = row_of(read_report(reports / LAST.iso / "findings.json")["findings"], "cli_06")
    first = whole["detectors"][0]
    suppress(path, entity="cli_06", detectors=(first,))
    data = analyze(log, LAST, suppressions=path).data
    left = row_of(data["findings"], "cli_06")
    assert first not in left["detectors"]
    assert left["suppressed_by"]
    assert left["expected_per_week"] >= whole["expected_per_week"]
    assert row_of(data["suppressed"], "cli_06")["detectors"] == [first]
    notes = aa.Report(data, pd.DataFrame()).notes()
    assert "1 finding is suppressed in part." in notes
    assert not any("is suppressed." in note for note in notes)
    html, text = render_html(data), render_markdown(data)
    assert "Suppressed in part <strong>1</strong>" in html
    assert "<li>Suppressed <strong>" not in html
    assert "- Suppressed in part: 1\n" in text
    assert "- Suppressed: 1\n" not in text


def test_hours_left_out_teach_nothing_instead_of_teaching_silence(log):
    panel, *_ = build_tenant(log, rollup(log))
    hour = panel.grid.hours[30]
    hours = pd.DataFrame({"bucket_at": [hour, hour], "app_id": [WHO, "cli_unknown"]})
    before, after = panel.weights(0), panel.leave_out(hours).weights(0)
    place = panel.apps.get_loc(WHO), 30
    assert before[place] > 0
    assert after[place] == 0
    assert (before != after).sum() == 1


def test_the_weeks_before_are_counted_in_the_same_hours(found):
    assert [row["week"] for row in found["past_weeks"]][-1] == LAST.iso
    counts = [row["calls_count"] for row in found["past_weeks"]]
    assert counts[-1] == 4
    assert counts[:-1] == [0] * (len(counts) - 1) or None in counts


def test_findings_are_found_by_id_prefix_and_rank(reports, found):
    number = found["finding_id"]
    for text in (number, number[:8], number.removeprefix("f-")[:6], str(found["rank"])):
        report, row = find_finding(reports, text)
        assert row == found
        assert report["week"]["iso"] == LAST.iso


@pytest.mark.parametrize(
    ("text", "says"),
    [("f-ff", "too short"), ("zzzz", "none of the 1 reports"), ("999", "none of rank 999")],
)
def test_a_finding_that_is_not_there_says_so(reports, text, says):
    with pytest.raises(InputError, match=says):
        find_finding(reports, text)


def test_an_ambiguous_prefix_names_both(reports, found, tmp_path):
    report = read_report(reports / LAST.iso / "findings.json")
    other = {**found, "finding_id": found["finding_id"][:-1] + "x"}
    report["findings"].append(other)
    (tmp_path / LAST.iso).mkdir()
    (tmp_path / LAST.iso / "findings.json").write_text(json.dumps(report), encoding="utf-8")
    with pytest.raises(InputError, match=f"{found['finding_id']} or|or {found['finding_id']}"):
        find_finding(tmp_path, found["finding_id"][:8])


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        (("findings", 0, "reasons", 0, "observed"), "many", r"findings\[0\].reasons\[0\].observed"),
        (("findings", 0, "entity"), None, r"findings\[0\].entity"),
        (("week", "iso"), "../../etc", "week.iso"),
        (("schema_version",), "2.0", "schema_version"),
        (("lang",), "xx", "lang"),
        (("totals", "calls_count"), [], "totals.calls_count"),
        (("suppressed",), None, "suppressed"),
    ],
)
def test_one_model_says_what_is_wrong_with_a_report(reports, tmp_path, where, value, says):
    """Whoever opens it: review, the overview, a delivery."""
    report = read_report(reports / LAST.iso / "findings.json")
    spot = report
    for step in where[:-1]:
        spot = spot[step]
    spot[where[-1]] = value
    folder = tmp_path / LAST.iso
    folder.mkdir()
    (folder / "findings.json").write_text(json.dumps(report), encoding="utf-8")
    for read in (
        lambda: read_past(tmp_path, WEEK, weeks=4),
        lambda: deliver_report(folder, aa.Settings()),
    ):
        with pytest.raises(
            InputError, match=f"no report of this version.*{says}.*run weekly again"
        ):
            read()
    assert "is no report of this version" in write_overview(
        tmp_path, lang="en", zone="UTC"
    ).read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "says"),
    [("not json", "no JSON"), ("{}", "no report of this version"), ("[]", "no report of")],
)
def test_a_broken_report_is_named(tmp_path, text, says):
    (tmp_path / LAST.iso).mkdir()
    (tmp_path / LAST.iso / "findings.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says) as caught:
        read_past(tmp_path, WEEK, weeks=4)
    assert LAST.iso in str(caught.value)


def test_reports_in_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_past(tmp_path / "nowhere", WEEK, weeks=4)
    with pytest.raises(InputError, match="holds no report"):
        find_finding(tmp_path, "1")
