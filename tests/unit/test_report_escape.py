import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_fixture import HOSTILE

from audit_analytics.report import _escape as escape

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)


@given(ANYTHING)
def test_no_invisible_or_steering_character_gets_through(text):
    for shown in (escape.visible(text), escape.terminal(text), escape.csv_cell(text)):
        assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(c) for c in shown}
        shown.encode("utf-8")


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\u202eb", r"a\u202eb"),
        ("a\u2066b\u2069", r"a\u2066b\u2069"),
        ("a\u200eb", r"a\u200eb"),
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
        ("a\ud800b", r"a\ud800b"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\u3164", r"\u3164"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_steering_characters_become_visible_escapes(hostile, shown):
    assert escape.visible(hostile) == shown


def test_names_in_any_script_stay_as_they_are():
    for name in ("通讯录助手", "Zoë's bot", "日本語\u3000名", "قارئ", "emoji 🚀"):
        assert escape.visible(name) == name


def test_a_4_kb_name_is_cut_in_the_middle_and_says_its_length():
    cut = escape.clean("a" * 4095 + "z")
    assert len(cut) < 140
    assert "4,096 characters" in cut
    assert cut.startswith("a")
    assert cut.endswith("z")


@given(ANYTHING, st.integers(1, 50))
def test_cutting_never_makes_a_text_longer(text, limit):
    assert len(escape._shorten(text, limit)) <= len(text)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d"])
def test_formulas_are_disarmed_in_csv(start):
    assert escape.csv_cell(f"{start}cmd()").startswith("'")


def test_plain_cells_are_left_alone():
    assert escape.csv_cell("GET/open-apis/im/v1/chats") == "GET/open-apis/im/v1/chats"


@given(st.dictionaries(ANYTHING, ANYTHING, max_size=3))
def test_json_keeps_every_value_and_hides_nothing(document):
    text = escape.json_text(json.dumps(document, ensure_ascii=False, indent=1))
    assert json.loads(text) == json.loads(json.dumps(document))
    assert all(c == "\n" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"} for c in text)


def _render_markdown_text(escaped):
    """Undo backslash escapes and code spans the way CommonMark does, for texts without either."""
    return escaped.replace("`@`", "@").replace("\\", "")


@pytest.mark.parametrize("name", ["script", "math", "chinese", "formula"])
def test_escaped_markdown_reads_as_the_original(name):
    text = HOSTILE[name].replace("\\", "")
    assert _render_markdown_text(escape.markdown(text)) == text


def test_markdown_text_holds_no_live_markup():
    shown = escape.markdown(HOSTILE["link"])
    assert "](" not in shown.replace("\\](", "")
    assert "://" not in shown.replace("`://`", "")
    assert "www." not in shown
    assert "a@evil" not in shown
    assert "|" not in escape.markdown("a|b").replace("\\|", "")
    assert escape.markdown("# no heading").startswith("\\#")
    assert escape.markdown("1. no list") == "1\\. no list"
    assert escape.markdown("- no list").startswith("\\-")
    assert escape.markdown("_x_ snake_case") == "\\_x\\_ snake_case"


@given(st.text("`a|\\ ", min_size=1, max_size=30))
def test_no_backtick_ends_a_code_span(name):
    span = escape.markdown_code(name)
    fence = span[: len(span) - len(span.lstrip("`"))]
    inner = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert fence not in {run for run in inner.replace("\\", " ").split() if set(run) == {"`"}}
    assert inner.replace("\\|", "").count("|") == 0


def test_csv_round_trips_quotes_and_commas():
    buffer = io.StringIO()
    csv.writer(buffer).writerow([escape.csv_cell('a,"b"'), escape.csv_cell("c\nd")])
    assert next(csv.reader([buffer.getvalue()])) == ['a,"b"', "c\\nd"]
