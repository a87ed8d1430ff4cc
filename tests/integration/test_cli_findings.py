"""The commands about findings, on the report of the sample log."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit_analytics.cli.main import main
from audit_analytics.review._suppression import read_suppressions
from audit_analytics.review._verdicts import read_verdicts

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


@pytest.fixture
def folder(sample_reports, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sample_reports, tmp_path / "reports")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def read_finding(folder, rank=1):
    [path] = (folder / "reports").glob("*/findings.json")
    return next(f for f in json.loads(path.read_text())["findings"] if f["rank"] == rank)


def test_explain_tells_everything_at_80_columns(folder):
    finding = read_finding(folder)
    result = run("explain", "1")
    assert result.exit_code == 0, result.output
    words = " ".join(result.stdout.split())
    assert finding["sentence"] in words
    assert "Who and what, what succeeded first " in words
    assert "calls of the first reason in the same hours, 2026-W42: " in words
    for reason in finding["reasons"]:
        assert f"{reason['detector']}, " in words
        assert f": {reason['text']}" in words
    for step in finding["next_steps"]:
        assert step in words
    assert f"{finding['history_days']} days of history" in words
    assert all(evidence_id in words for evidence_id in finding["evidence"]["ids"])
    assert all(f"{t['id']} {t['name']} (version 17.1)" in words for t in finding["attack"])
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_explain_reads_the_calls_from_the_log(folder):
    finding = read_finding(folder)
    count = len(finding["evidence"]["ids"]) + finding["evidence"]["more_count"]
    result = run("explain", finding["finding_id"], "--log", SAMPLE, "--rows", count - 1)
    assert result.exit_code == 0, result.output
    assert "and 1 more call\n" in result.stdout
    assert result.stdout.count(finding["evidence"]["rows"][0]["ip"]) > 20


@pytest.mark.usefixtures("folder")
def test_a_log_without_the_calls_exits_with_three():
    item = {"id": "1", "api_key": "GET/x", "event_time": 1_790_000_000}
    Path("other.jsonl").write_text(json.dumps(item))
    result = run("explain", "1", "--log", "other.jsonl")
    assert result.exit_code == 3
    assert "holds none of the calls" in result.stderr


def test_a_hostile_name_cannot_act_in_the_terminal(folder):
    [path] = (folder / "reports").glob("*/findings.json")
    report = json.loads(path.read_text())
    evil = "\x1b[31m\u202egpj\r\n" + "A" * 4096
    for finding in report["findings"]:
        for key in ("entity", "sentence", "title", "unit", "suppression"):
            finding[key] = evil
        for reason in finding["reasons"]:
            reason |= {"text": evil, "scope": {"app_id": [evil], "api": [evil]}}
        for rows in finding["contributors"].values():
            for row in rows:
                row["name"] = evil
        for row in finding["evidence"]["rows"]:
            row |= {"id": evil, "ip": evil, "api": evil, "app_id": evil}
    path.write_text(json.dumps(report))
    outputs = [
        run("explain", "1"),
        run("suppress", "1", "--reason", "x", "--until", "2999-01-01", "--scope", "api"),
        run("verdict", "1", "true"),
        run("replay"),
    ]
    for result in outputs:
        assert result.exit_code == 0, result.output
        assert not set(result.output) & {"\x1b", "\u202e", "\r"}
        assert max(map(len, result.output.splitlines())) < 4096
    assert read_suppressions(Path("suppressions.toml"))[0].apis == (evil,)
    assert next(iter(read_verdicts(Path("verdicts.toml")).values())).entity == evil


def test_suppress_writes_what_replay_and_the_next_run_read(folder):
    finding = read_finding(folder, 2)
    command = ("suppress", "2", "--reason", "release 4.2", "--until", "2999-12-31")
    result = run(*command, "--owner", "ops@example.com")
    assert result.exit_code == 0, result.output
    (entry,) = read_suppressions(Path("suppressions.toml"))
    assert (entry.entity, entry.owner) == (finding["entity"], "ops@example.com")
    assert entry.finding == finding["finding_id"]
    assert entry.suppression_id in result.stdout
    replayed = run("replay")
    assert replayed.exit_code == 0, replayed.output
    assert f"{finding['finding_id']}  {finding['severity']}  hidden" in replayed.stdout
    assert "would have hidden 1 finding\n" in replayed.stdout
    assert run(*command, "--owner", "ops@example.com").exit_code == 2  # it stands there already


def test_replay_tries_an_entry_before_it_is_written(folder):
    finding = read_finding(folder)
    result = run("replay", "1", "--scope", "entity")
    assert result.exit_code == 0, result.output
    assert finding["finding_id"] in result.stdout
    assert "would have hidden 1 finding\n" in result.stdout
    assert not Path("suppressions.toml").exists()


def test_a_suppression_that_leaves_a_reason_says_so(folder):
    finding = next(
        read_finding(folder, rank)
        for rank in range(1, 16)
        if sum("api" in r["scope"] for r in read_finding(folder, rank)["reasons"])
        not in {0, len(read_finding(folder, rank)["reasons"])}
    )
    result = run(
        "suppress",
        finding["finding_id"],
        "--reason",
        "x",
        "--until",
        "2999-01-01",
        "--scope",
        "api",
    )
    assert result.exit_code == 0, result.output
    assert f"of the {len(finding['reasons'])} reasons" in result.stderr


def test_verdict_is_kept_beside_the_config(folder):
    Path("etc").mkdir()
    Path("etc/own.toml").write_text("seed = 1\n")
    result = run("verdict", "1", "benign", "--note", "it was us", "--config", "etc/own.toml")
    assert result.exit_code == 0, result.output
    (verdict,) = read_verdicts(Path("etc/verdicts.toml")).values()
    assert (verdict.verdict, verdict.note) == ("benign", "it was us")
    assert verdict.finding == read_finding(folder)["finding_id"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("explain", "nowhere"), "in none of the 1 reports"),
        (("explain", "1", "--reports", "nowhere"), "no such folder"),
        (("suppress", "1", "--reason", "x", "--until", "soon"), "is no day"),
        (("suppress", "1", "--reason", "x", "--until", "2001-01-01"), "is over"),
        (("suppress", "1", "--reason", " ", "--until", "2999-01-01"), "say why"),
        (("replay",), "no suppressions.toml"),
        (("verdict", "1", "perhaps"), "perhaps"),
    ],
)
def test_a_wrong_use_is_one_clear_paragraph(arguments, says):
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
