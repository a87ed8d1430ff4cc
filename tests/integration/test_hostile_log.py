"""Whoever writes the log must not stop the run, hide in it, or speak through it."""

import time

import pandas as pd
import pytest

import audit_analytics as aa
from audit_analytics.source import read_log, write_rejects
from audit_analytics.source.parameters import decode_parameters

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2026-10-26T00:00Z")
END = pd.Timestamp("2026-11-15T16:00Z")
SECRET = "S3cretValue"  # noqa: S105 - planted


def row(name, at, api="GET/open-apis/im/v1/chats", **more):
    return {
        "id": name,
        "event_time": int(at.timestamp()),
        "api_key": api,
        "app_id": "cli_a",
        **more,
    }


@pytest.fixture(scope="module")
def quiet():
    hours = pd.date_range(START, END, freq="h", inclusive="left")
    return [row(f"q{n}", at) for n, at in enumerate(hours)]


def analyze(rows):
    return aa.analyze(rows, settings=aa.Settings())


@pytest.mark.parametrize("stray", ["2099-05-28T00:00Z", "2026-11-23T00:30Z", "2026-11-22T15:30Z"])
def test_a_stray_future_event_does_not_move_the_report(quiet, stray):
    report = analyze([*quiet, row("stray", pd.Timestamp(stray))])
    assert report.data["week"]["iso"] == "2026-W46"
    assert report.data["coverage"]["week_status"] == "complete"


def test_an_ancient_event_does_not_make_a_gap_look_quiet(quiet):
    kept = [r for n, r in enumerate(quiet) if not len(quiet) - 60 <= n < len(quiet) - 40]
    for rows in (kept, [row("old", pd.Timestamp("2001-09-09T01:46:40Z")), *kept]):
        coverage = analyze(rows).data["coverage"]
        assert coverage["hours_covered_count"] == 148
        assert coverage["week_status"] == "gaps"


def test_rows_whose_ids_were_claimed_before_are_told(quiet):
    claimed = [row(f"q{n}", END - HOUR, api="DELETE/open-apis/im/v1/chats") for n in range(9)]
    report = analyze([*quiet, *claimed])
    assert report.data["coverage"]["conflicting_duplicates_count"] == 9


@pytest.mark.parametrize(
    "segment",
    [
        f"bar&access_token={SECRET}",
        f"bar;token={SECRET}",
        f"password={SECRET}",
        f"Basic {SECRET}",
        f"ann.{SECRET}@corp.com",
        f"+861380013{SECRET}",
    ],
)
def test_values_in_the_path_of_an_unknown_api_reach_no_output(quiet, tmp_path, segment):
    report = analyze([*quiet, row("x", END - HOUR, api=f"GET/open-apis/foo/{segment}")])
    for path in report.write(tmp_path).values():
        assert SECRET not in path.read_text(encoding="utf-8")
    assert SECRET not in report._repr_html_() + repr(report)


def test_reject_reasons_and_the_rejects_file_are_inert(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(
        f'{{"code": "{SECRET}"}}\n{{"id": "a\u202e\u009b", "event_time": null}}\n'
        '{"id": "1", "event_time": 1790000000}\n',
        encoding="utf-8",
    )
    log = read_log(path)
    assert sorted(log.rejects["reason"]) == ["error page", "no event_time"]
    write_rejects(log.rejects, tmp_path / "rejects.jsonl")
    assert (tmp_path / "rejects.jsonl").read_bytes().isascii()


def test_time_to_read_a_payload_grows_with_its_length_alone():
    def seconds(size):
        start = time.process_time()
        decode_parameters(["{" + '\\"' * size])
        return time.process_time() - start

    seconds(1000)
    # sixteen times the text: a quadratic reader would take 256 times as long
    assert seconds(160_000) < 100 * max(seconds(10_000), 1e-3)


def test_a_bad_parquet_file_costs_the_file_and_not_the_run(quiet, tmp_path):
    events = read_log(quiet).events
    events.to_parquet(tmp_path / "good.parquet")
    events.assign(payload_bytes="text").to_parquet(tmp_path / "bad.parquet")
    log = read_log(tmp_path)
    assert len(log.events) == len(quiet)
    assert log.counts["rejects"] == 1
