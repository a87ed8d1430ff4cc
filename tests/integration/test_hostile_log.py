"""Whoever writes the log must not stop the run, hide in it, or speak through it."""

import gzip
import json
import re
import tomllib

import pandas as pd
import pytest
from click.testing import CliRunner
from stand_ins import Flat

import audit_analytics as aa
from audit_analytics.cli.main import main
from audit_analytics.deliver._message import build_message
from audit_analytics.source import read_log, write_rejects

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2026-10-26T00:00Z")
END = pd.Timestamp("2026-11-15T16:00Z")
SECRET = "S3cretValue"  # noqa: S105 - planted

NAMES = [
    "<script>alert(1)</script>",
    "$\\foo$",
    "=cmd()|'/C calc'!A0",
    "evil\u202eexe.cod\u2066",
    "L" * 4096,
    "通讯录同步",
    "\x1b[31mred\x1b[0m\x07",
    "a\nb | c `tick` \"\"\" ''' \\",
    "[x](http://evil.example) <at id=all></at> @all **b**",
    "--><img src=x onerror=alert(1)> &amp; {{7*7}} {% raw %} %s %(x)s {x}",
]
ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


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


def analyze(rows, **options):
    return aa.analyze(rows, settings=aa.Settings(), detector=Flat(), **options)


@pytest.mark.parametrize("stray", ["2099-05-28T00:00Z", "2026-11-23T00:30Z", "2026-11-22T15:30Z"])
def test_a_stray_future_event_does_not_move_the_report(quiet, stray):
    report = analyze([*quiet, row("stray", pd.Timestamp(stray))], rules=[])
    assert report.data["week"]["iso"] == "2026-W46"
    assert report.data["coverage"]["week_status"] == "complete"


def test_an_ancient_event_does_not_make_a_gap_look_quiet(quiet):
    kept = [r for n, r in enumerate(quiet) if not len(quiet) - 60 <= n < len(quiet) - 40]
    for rows in (kept, [row("old", pd.Timestamp("2001-09-09T01:46:40Z")), *kept]):
        coverage = analyze(rows, rules=[]).data["coverage"]
        assert coverage["hours_covered_count"] == 148
        assert coverage["week_status"] == "gaps"


def test_rows_whose_ids_were_claimed_before_are_told(quiet):
    claimed = [row(f"q{n}", END - HOUR, api="DELETE/open-apis/im/v1/chats") for n in range(9)]
    report = analyze([*quiet, *claimed], rules=[])
    assert report.data["coverage"]["conflicting_duplicates_count"] == 9


def test_values_in_the_path_of_an_unknown_api_reach_no_output(quiet, tmp_path):
    segments = [
        f"bar&access_token={SECRET}",
        f"bar;token={SECRET}",
        f"password={SECRET}",
        f"Basic {SECRET}",
        f"ann.{SECRET}@corp.com",
        f"+861380013{SECRET}",
    ]
    calls = [
        row(f"x{n}", END - HOUR, api=f"GET/open-apis/foo/{segment}")
        for n, segment in enumerate(segments)
    ]
    report = analyze([*quiet, *calls])
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


def test_a_bad_parquet_file_costs_the_file_and_not_the_run(quiet, tmp_path):
    events = read_log(quiet).events
    events.to_parquet(tmp_path / "good.parquet")
    events.assign(payload_bytes="text").to_parquet(tmp_path / "bad.parquet")
    log = read_log(tmp_path)
    assert len(log.events) == len(quiet)
    assert (log.counts["rejects"], log.counts["unread_parts"]) == (len(quiet), 1)


@pytest.mark.parametrize("loss", ["a cut page", "one row in fifty", "a truncated gzip"])
def test_a_log_that_lost_rows_is_never_complete_nor_clean(quiet, tmp_path, loss):
    log = tmp_path / "log"
    log.mkdir()
    (log / "a.jsonl").write_text("\n".join(map(json.dumps, quiet)))
    page = json.dumps({"code": 0, "data": {"items": quiet[:50]}})
    more = {
        "a cut page": page[:-40].encode(),
        "one row in fifty": b'{"id": "x"}\n' * (len(quiet) // 50),
        "a truncated gzip": gzip.compress(page.encode())[:-20],
    }[loss]
    (log / "b").write_bytes(more)
    done = CliRunner().invoke(main, ["weekly", str(log), "--out", str(tmp_path / "out")])
    assert done.exit_code == 3
    assert "part of the log could not be read" in done.output
    folder = tmp_path / "out" / "2026-W46"
    report = json.loads((folder / "findings.json").read_text())
    assert report["coverage"]["hours_covered_count"] == 168
    assert report["coverage"]["week_status"] == "unread"
    assert not report["week"]["complete"]
    assert "could not be read" in report["verdict"]
    message = build_message(report)
    assert message.state != "clean"
    assert "complete" not in message.text().replace("INCOMPLETE", "").replace("incomplete", "")
    for name in ("report.html", "report.md"):
        assert "Every hour of the week has data" not in (folder / name).read_text()


def test_rejects_of_an_earlier_run_do_not_stand_beside_a_report_without_any(quiet, tmp_path):
    log, rejects = tmp_path / "log.jsonl", tmp_path / "out" / "2026-W46" / "rejects.jsonl"
    log.write_text("\n".join(map(json.dumps, quiet)))
    rejects.parent.mkdir(parents=True)
    rejects.write_text("{}\n")
    CliRunner().invoke(main, ["weekly", str(log), "--out", str(tmp_path / "out")])
    assert {path.name for path in rejects.parent.iterdir()} >= {"report.html", "findings.json"}
    assert not rejects.exists()


PLANTED = {
    "person": "Wang Xiaoming",
    "chinese": "\u738b\u5c0f\u660e",
    "phone": "13912345678",
    "mail": "ann.planted@corp.example",
    "document": "doxcnPlantedDocument77",
    "body": "the merger is signed on Friday",
}


def plant(number, at):
    """Return a call that carries all of them wherever a caller can write."""
    everything = json.dumps({"text": PLANTED, **PLANTED, "ids": [*PLANTED.values()]})
    detail = {
        "path": "/open-apis/contact/v3/users/" + "-".join(PLANTED.values()),
        "method": "GET",
        "query_param": everything,
        "payload": everything,
        "status_code": 404,
        "response": json.dumps({"code": 99992351, "msg": everything, "data": PLANTED}),
        **PLANTED,
    }
    return row(
        f"planted{number}",
        at,
        api="GET/open-apis/contact/v3/users/:user_id",
        app_id="cli_planted",
        log_detail=detail,
        **PLANTED,
    )


@pytest.mark.parametrize("keeps_texts", [False, True])
def test_what_people_wrote_reaches_no_file(quiet, tmp_path, monkeypatch, keeps_texts):
    monkeypatch.chdir(tmp_path)
    if keeps_texts:
        monkeypatch.setenv("AUDIT_ANALYTICS_REDACTION__REJECTS", "masked")
    calls = [plant(n, END - 5 * HOUR + n * pd.Timedelta(minutes=1)) for n in range(40)]
    broken = [{**calls[0], "event_time": value} for value in (None, "", "Wang Xiaoming", [], 7)]
    broken += [{**calls[0], "id": value} for value in (None, "", {"ann": PLANTED})]
    texts = [*map(json.dumps, (*quiet, *calls, *broken, [PLANTED], PLANTED["person"]))]
    texts += [texts[-8][:-300], json.dumps({"code": PLANTED["phone"], "msg": PLANTED["body"]})]
    texts += [json.dumps({"code": PLANTED["body"]}), PLANTED["body"], json.dumps(PLANTED)]
    (tmp_path / "log.jsonl").write_text("\n".join(texts))
    (tmp_path / "audit-analytics.toml").write_text("")
    done = CliRunner().invoke(main, ["weekly", "log.jsonl", "--out", "out", "--ocsf"])
    assert "Traceback" not in done.output
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"rejects.jsonl", "evidence.csv", "findings.json"}
    shown = {path.name: path.read_text(encoding="utf-8") for path in files}
    shown["terminal"] = done.output
    assert "cli_planted" in shown["findings.json"]
    rejects = [json.loads(line) for line in shown.pop("rejects.jsonl").splitlines()]
    assert len(rejects) == len(broken) + 7
    shown["rejects"] = json.dumps(rejects, ensure_ascii=False)
    if keeps_texts:
        assert PLANTED["mail"] not in shown.pop("rejects")
    for name, text in shown.items():
        for what, value in PLANTED.items():
            assert value not in text, (name, what)


def guess(name):
    """Forty ids tried in vain within an hour."""
    return [
        row(
            f"{NAMES.index(name)}-{n}",
            END - 5 * HOUR + n * pd.Timedelta(minutes=1),
            api="GET/open-apis/contact/v3/users/:user_id",
            app_id=name,
            ip="203.0.113.9",
            log_detail={
                "path": f"/open-apis/contact/v3/users/ou_{n:032x}",
                "method": "GET",
                "status_code": 404,
                "response": '{"code": 99992351, "msg": "not found"}',
            },
        )
        for n in range(40)
    ]


@pytest.fixture(scope="module")
def named(quiet):
    # with a past: so many newcomers would be a crowd, and counted
    past = [
        row(f"p{n}-{at}", at, app_id=name)
        for n, name in enumerate(NAMES)
        for at in pd.date_range(START + n * HOUR, END, freq="6h", inclusive="left")
    ]
    return analyze([*quiet, *past, *(r for name in NAMES for r in guess(name))])


def test_hostile_names_are_found_and_act_in_no_output(named, tmp_path):
    about = named.findings
    found = about[(about["entity_type"] == "app") & (about["entity"] != "cli_a")]
    assert len(found) == len(NAMES)
    texts = {path.name: path.read_text("utf-8") for path in named.write(tmp_path).values()}
    texts["notebook"] = named._repr_html_()
    texts["terminal"] = "\n".join([repr(named), *map(named.explain, found["rank"])])
    texts["message"] = build_message(named.data, raw_ids=True).text()
    for name, text in texts.items():
        assert not ACTIVE.search(text), name
    for name in ("report.html", "notebook"):
        assert not re.search(r"<(script|img|at)\b", texts[name]), name
    assert all(len(text) < 1_000_000 and "L" * 1000 not in text for text in texts.values())


def test_the_suppression_of_a_hostile_name_names_it_alone(named):
    for finding in named.data["findings"]:
        (entry,) = tomllib.loads(finding["suppression"])["suppress"]
        assert entry["entity"] == finding["entity"]
