"""The files that `schedule` prints are understood by what is to run them."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from audit_analytics.cli._deliver import _render_schedule
from audit_analytics.cli.main import main

SYSTEMD = shutil.which("systemd-analyze")
PATHS = {"store": Path("data/my store"), "out": Path("100%/re'ports")}


def render(kind, zone="Asia/Shanghai", **more):
    return _render_schedule(kind, zone=zone, **{**PATHS, **more})


def test_every_command_in_them_is_one_of_this_program():
    texts = [text for kind in ("cron", "systemd", "ci") for text in render(kind)]
    shown = r"(?:ExecStart=-?|&& |run: )\S+ (sync|weekly) ([^\n>]*)"
    calls = re.findall(shown, "\n".join(texts))
    assert len(calls) >= 6
    for name, options in calls:
        command = main.commands[name]
        assert isinstance(command, click.Command)
        known = {opt for param in command.params for opt in param.opts}
        assert {word for word in options.split() if word.startswith("--")} <= known


def test_paths_are_words_of_a_crontab():
    (text,) = render("cron", config=Path("my conf.toml"))
    lines = [line for line in text.splitlines() if re.match(r"[*\d]", line)]
    assert len(lines) == 2
    assert "CRON_TZ=Asia/Shanghai" in text
    for line in lines:
        command = line.split(maxsplit=5)[5]
        assert not re.search(r"(?<!\\)%", command)  # it would end the command there
        words = shlex.split(command.replace(r"\%", "%"))
        assert words[:2] == ["cd", str(Path.cwd())]
        assert "data/my store" in words
        assert words[words.index("--config") + 1] == "my conf.toml"
    assert "100%/re'ports" in shlex.split(lines[1].split(maxsplit=5)[5].replace(r"\%", "%"))


@pytest.mark.skipif(not SYSTEMD, reason="no systemd on this machine")
def test_the_units_are_understood_by_systemd(tmp_path):
    paths = []
    for text, name in zip(render("systemd"), ("service", "timer"), strict=True):
        path = tmp_path / f"audit-analytics.{name}"
        # the program is not installed there
        path.write_text(re.sub(r"(ExecStart=-?)\S+", r"\1/bin/true", text), encoding="utf-8")
        paths.append(path)
    done = subprocess.run([SYSTEMD, "verify", *paths], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("zone", "when"),
    [("Asia/Shanghai", "30 23 * * 0"), ("UTC", "30 7 * * 1"), ("America/New_York", "30 12 * * 1")],
)
def test_a_workflow_runs_on_monday_on_the_tenants_clocks(zone, when):
    (text,) = render("ci", zone)
    assert f'    - cron: "{when}" # UTC' in text
    assert "APP_SECRET: ${{ secrets.AUDIT_APP_SECRET }}\n" in text
    # spaces alone, two a level
    assert not re.search(r"(?m)^(  )* \S|\t|\{\{\{|\}\}\}", text)


def test_the_command_prints_them_with_the_tenants_zone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audit-analytics.toml").write_text('tenant_zone = "Europe/Berlin"\n')
    result = CliRunner().invoke(main, ["schedule", "systemd"])
    assert result.exit_code == 0, result.output
    assert "OnCalendar=Mon *-*-* 07:30:00 Europe/Berlin" in result.output
