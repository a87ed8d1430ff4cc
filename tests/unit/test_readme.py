"""What the README tells people to type is what the program understands."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from audit_analytics.cli.main import main
from audit_analytics.detect import list_known
from audit_analytics.settings import PREFIX, Settings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
UNITS = [text for kind, text in BLOCKS if kind == "ini"]
SYSTEMD = shutil.which("systemd-analyze")


def setting_names(model, above=""):
    for name, field in model.model_fields.items():
        yield above + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_names(field.annotation, f"{above}{name}__")


def test_every_variable_it_names_is_a_setting():
    named = set(re.findall(rf"\b{PREFIX}([A-Z_]*[A-Z])", README))
    assert named
    assert {name.lower() for name in named} <= set(setting_names(Settings))


def calls():
    for _, text in BLOCKS:
        yield from re.findall(r"audit-analytics ([a-z][^\n#&>]*)", text)


@pytest.mark.parametrize("call", sorted(set(calls())))
def test_every_command_it_shows_takes_its_options(call):
    command, words = main, call.split()
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert command is not main, f"no such command: {call}"
    known = {name for param in command.params for name in [*param.opts, *param.secondary_opts]}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known


QUESTIONS = {
    "Unusual IPs": {"unusual_ip"},
    "Error bursts": {"error_burst"},
    "Sensitive APIs": {"sensitive_api", "new_api"},
    "Besides": {"volume", "silence", "mixture"},
}


def test_its_table_of_findings_is_the_list_of_detectors():
    for question, kinds in QUESTIONS.items():
        titles = dict.fromkeys(found.title for found in list_known() if found.kind in kinds)
        assert f"| {question} | {'; '.join(titles)} |" in README.splitlines()


@pytest.mark.skipif(not SYSTEMD, reason="no systemd on this machine")
@pytest.mark.skipif(not UNITS, reason="the README shows no units")
def test_its_units_are_understood_by_systemd(tmp_path):
    paths = []
    for text in UNITS:
        path = tmp_path / f"audit-analytics.{'timer' if '[Timer]' in text else 'service'}"
        # the program is not installed there
        path.write_text(re.sub(r"(ExecStart=-?)\S+", r"\1/bin/true", text), encoding="utf-8")
        paths.append(path)
    result = subprocess.run(
        [SYSTEMD, "verify", *paths], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
