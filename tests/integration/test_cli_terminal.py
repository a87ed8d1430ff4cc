"""What the terminal shows: checked before anything is read, in colour or not, as JSON, in Chinese."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit_analytics.cli.main import main
from audit_analytics.language import use_language
from audit_analytics.report import _ocsf as ocsf
from audit_analytics.report import measure
from audit_analytics.report._listing import list_finding
from audit_analytics.sync._doctor import render_diagnosis
from audit_analytics.sync._status import render_status

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
HAN = re.compile("[\u4e00-\u9fff]")


def run(*arguments, **options):
    return CliRunner().invoke(main, list(map(str, arguments)), **options)


@pytest.fixture
def folder(sample_reports, tmp_path, monkeypatch):
    shutil.copytree(sample_reports, tmp_path / "reports")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["weekly", SAMPLE, "--week", "2026-W60"], "2026-W60"),
        (["weekly", SAMPLE, "--since", "foo"], "foo"),
        (["weekly", SAMPLE, "--ocsf"], "audit-analytics[ocsf]"),
        (["weekly", SAMPLE, "--lang", "fr"], "fr"),
        (["drill", SAMPLE, "--scenario", "foo"], "stolen_credential"),
        (["drill", SAMPLE, "--week", "2026-W60"], "2026-W60"),
        (["simulate", "--out", "x", "--scenario", "foo"], "foo"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_read(monkeypatch, tmp_path, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ocsf, "find_spec", lambda _name: None)
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert "Reading" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_colours_are_for_those_who_want_them():
    assert "\x1b[31m" in run("findings", color=True).stdout
    plain = run("--no-color", "findings", color=True).stdout
    assert "\x1b" not in plain
    assert run("findings", color=True, env={"NO_COLOR": "1"}).stdout == plain
    assert run("findings").stdout == plain


@pytest.mark.parametrize("width", [62, 80, 120])
def test_lines_break_at_the_width_with_an_indent(sample_report, width):
    for row in sample_report.data["findings"]:
        first, *rest = list_finding(row, width).splitlines()
        assert row["finding_id"] in first
        assert all(line.startswith(" " * 31) for line in rest)
        # a route is one word, and may be longer
        assert all(measure(line) <= width or len(line.split()) == 1 for line in rest)


def test_the_commands_about_findings_speak_json(folder):
    listed = json.loads(run("findings", "--json").stdout)
    assert [row["rank"] for row in listed] == list(range(1, len(listed) + 1))
    told = json.loads(run("explain", "1", "--json").stdout)
    assert told["finding_id"] == listed[0]["finding_id"]
    assert told["evidence"]["rows"]
    (tried,) = json.loads(run("replay", "1", "--json").stdout)
    assert tried["findings"][0]["finding_id"] == told["finding_id"]
    assert json.loads(run("findings", "--watch", "--json").stdout) is not None
    assert folder.is_dir()


@pytest.mark.usefixtures("folder")
def test_commands_speak_the_language_of_the_settings():
    Path("audit-analytics.toml").write_text('lang = "zh"\n', encoding="utf-8")
    for arguments in (
        ["replay", "1"],
        ["verdict", "1", "benign", "--owner", "me"],
        ["suppress", "2", "--reason", "x", "--until", "2999-01-01", "--owner", "me"],
        ["explain", "1", "--lang", "zh"],
    ):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert HAN.search(result.output), arguments


def test_status_and_doctor_speak_chinese():
    now = f"{datetime(2026, 11, 16, tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}"
    day = {
        "day": "2026-11-15",
        "events_count": 1200,
        "rejects_count": 2,
        "covered_share": 0.5,
        "unsettled_count": 0,
        "sensitive_only_count": 1,
        "is_open": True,
        "hours": "#" * 24,
    }
    status = {
        "windows_count": 24,
        "events_count": 1200,
        "size_bytes": 5e6,
        "covered_from": now,
        "covered_until": now,
        "gaps": [{"start": now, "end": now}],
        "gap_hours": 1.5,
        "damaged": ["x.parquet"],
        "apps_asked_at": now,
        "days": [day],
    }
    diagnosis = {
        "base_url": "https://open.feishu.cn",
        "app_id": "",
        "checks": [{"name": "clock", "state": "ok", "detail": "."}],
        "measured": None,
    }
    english = render_status(status)
    assert "Gaps: 1.5 h in 1 span\n" in english
    with use_language("zh"):
        chinese = render_status(status)
        assert "时钟" in render_diagnosis(diagnosis)
    said = chinese.replace("2026-11-15", "")
    assert not re.search(r"\b(events|windows|Gaps|Damaged|covered|notes|unreadable)\b", said)
    assert len(chinese.splitlines()) == len(english.splitlines())
    heads = [text.splitlines()[2] for text in (english, chinese)]
    assert measure(heads[0]) - measure(heads[1]) == measure("notes") - measure("备注")
