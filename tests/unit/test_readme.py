"""What the README tells people to type is what the program understands."""

import re
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from audit_analytics.cli.main import main
from audit_analytics.detect import list_known
from audit_analytics.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = "".join(path.read_text(encoding="utf-8") for path in PAGES)
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXTS, re.DOTALL | re.MULTILINE)


def setting_names(model, above=""):
    for name, field in model.model_fields.items():
        yield above + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_names(field.annotation, f"{above}{name}__")


def test_every_variable_it_names_is_a_setting():
    named = set(re.findall(rf"\b{PREFIX}([A-Z_]*[A-Z])", TEXTS))
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


def test_its_links_lead_somewhere():
    for path in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).is_file(), (path.name, link)


def test_it_is_short():
    assert len(README.splitlines()) <= 200
