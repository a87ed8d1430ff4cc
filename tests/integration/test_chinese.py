"""A report in Chinese: nothing in it is left in English, nothing else is different, nothing acts."""

import copy
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import audit_analytics as aa
from audit_analytics.catalogue import load_catalogue
from audit_analytics.cli.main import main
from audit_analytics.deliver._message import build_card, build_message
from audit_analytics.detect import Detector, list_detectors
from audit_analytics.detect._attack import TECHNIQUES
from audit_analytics.detect._group import CountGroup
from audit_analytics.errors import ConfigError
from audit_analytics.language import _, use_language
from audit_analytics.report import Report, measure, render_html, tell_finding
from audit_analytics.report._escape import fill
from audit_analytics.report._html import render_notebook
from audit_analytics.report._markdown import render_markdown
from audit_analytics.report._names import CATEGORIES, name_category

sys.path.append(str(Path(__file__).parents[1] / "unit"))
import report_fixture

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
ALLOWED = [*(name for full in TECHNIQUES.values() for name in (full, full.split(": ")[-1]))]
"""What keeps its English name: techniques. APIs, ids and detectors are no words."""

WORDS = re.compile(r"[A-Za-z][a-z']+(?:[ ,;:]+[A-Za-z][a-z']*){2,}")
API = re.compile(r"\b(?:GET|POST|PUT|PATCH|DELETE) [\w/:.*-]+")


def find_english(text):
    for name in sorted(ALLOWED, key=len, reverse=True):
        text = text.replace(name, "")
    return WORDS.findall(API.sub("", text))


class Texts(HTMLParser):
    """Text nodes, labels and titles of a page, without code; and its elements."""

    def __init__(self, html):
        super().__init__()
        self.open, self.texts, self.elements, self.attributes = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, name) for name, _value in attrs]
        self.texts += [value for name, value in attrs if name in {"aria-label", "data-l", "title"}]
        if tag not in {"br", "wbr", "meta", "path", "rect", "use"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, _attrs):
        self.elements.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if not {"style", "code", "pre"} & set(self.open):
            self.texts.append(data)


@pytest.fixture(scope="module")
def chinese():
    return aa.analyze(SAMPLE, settings=aa.Settings(lang="zh"))


def be_incomplete(data):
    # what is missing is said of the week; each finding has a plot, which takes longest
    del data["findings"][1:]
    data["coverage"].update(week_status="gaps", hours_covered_count=150)


def list_outputs(report):
    data = report.data
    message = build_message(data)
    with use_language("zh"):
        stories = [
            tell_finding(f, data, rows=f["evidence"]["rows"], more_count=3)
            for f in data["findings"]
        ]
    markdown = re.sub(r"`[^`]*`|^    .*$", "", render_markdown(data), flags=re.MULTILINE)
    card = [part["text"]["content"] for part in build_card(message)["elements"] if "text" in part]
    return {
        "page": "\n".join(Texts(render_html(data)).texts),
        "notebook": "\n".join(Texts(render_notebook(data)).texts),
        "markdown": markdown,
        "mail": f"{message.title}\n{message.text()}",
        "card": "\n".join(card),
        "terminal": "\n".join([repr(report), *report.lines(), *report.notes()]),
        "stories": re.sub(r"^  .*audit-analytics .*$|^  .* = .*$", "", "\n".join(stories), flags=re.MULTILINE),
    }  # fmt: skip


@pytest.mark.parametrize(
    "spoil",
    [
        dict,
        lambda r: r["findings"].clear(),
        be_incomplete,
        lambda r: r["coverage"].update(week_status="empty", hours_covered_count=0),
    ],
    ids=["whole", "clean", "gaps", "empty"],
)
def test_no_english_sentence_is_left(chinese, spoil):
    data = copy.deepcopy(chinese.data)
    spoil(data)
    for name, text in list_outputs(Report(data, chinese.rejects)).items():
        assert not find_english(text), name
        assert not text or re.search(r"[\u4e00-\u9fff]", text), name


def test_an_english_sentence_would_be_noticed():
    assert find_english("共 15 项发现 (nothing stood out here)")
    assert not find_english("调用 GET contact/v3/users/:user_id, T1489 Service Stop")


def test_guidance_and_units_are_chinese_whatever_was_found():
    detectors = list_detectors(Detector)
    texts = [t for d in detectors for t in (d.title, d.method, *d.benign, *d.steps)]
    groups = [d for d in detectors if isinstance(d, CountGroup)]
    units = [unit for group in groups for unit in (*group.units.values(), group.short)]
    with use_language("zh"):
        for text in [*texts, *units]:
            assert re.search(r"[\u4e00-\u9fff]", _(text)), text


def test_every_category_of_the_catalogue_has_a_name():
    catalogue = load_catalogue(None)
    categories = {match.category for match in catalogue} | {"unknown"}
    assert {name_category(category) for category in categories} <= CATEGORIES


def test_only_the_words_differ(chinese, sample_report):
    zh, en = chinese.data, sample_report.data
    assert (zh["lang"], en["lang"]) == ("zh", "en")
    assert zh["run"] == en["run"]
    for name in ("coverage", "totals", "series", "changes", "charts"):
        assert zh[name] == en[name], name
    words = {
        "about",
        "title",
        "sentence",
        "unit",
        "known_benign",
        "next_steps",
        "reasons",
        "series",
    }

    def leave_out_words(finding):
        days = [day | {"text": ""} for day in finding["other_days"]]
        return {k: v for k, v in finding.items() if k not in words} | {"other_days": days}

    for ours, theirs in zip(zh["findings"], en["findings"], strict=True):
        assert leave_out_words(ours) == leave_out_words(theirs)


def test_each_report_speaks_its_own_language_whichever_was_written_before(chinese, sample_report):
    # one finding is enough: each has a plot, which takes longest
    zh, en = (r.data | {"findings": r.data["findings"][:1]} for r in (chinese, sample_report))
    before = render_html(zh), render_markdown(zh)
    english = render_html(en)
    assert (render_html(zh), render_markdown(zh)) == before
    assert '<html lang="zh-Hans">' in before[0]
    assert '<html lang="en">' in english
    assert 'class="aa-report" lang="zh-Hans"' in render_notebook(zh)


def make_rows():
    """Make three quiet weeks, and one app whose name is a template and that enumerates users."""
    start, end = pd.Timestamp("2026-10-26T00:00Z"), pd.Timestamp("2026-11-15T16:00Z")
    names = ["cli_a", "{entity.__class__}%(zone)s<b>"]
    rows = [
        {
            "id": f"{name}{n}",
            "event_time": int(at.timestamp()),
            "app_id": name,
            "api_key": "GET/open-apis/im/v1/chats",
            "ip": "10.0.0.1",
        }
        for name in names
        for n, at in enumerate(pd.date_range(start, end, freq="h", inclusive="left"))
    ]
    noon = int(pd.Timestamp("2026-11-11T04:00Z").timestamp())
    return rows + [
        {
            "id": f"p{n}",
            "event_time": noon,
            "app_id": names[1],
            "api_key": f"GET/open-apis/x/v1/{'abcdefghijkl'[n]}",
            "ip": "10.0.0.1",
            "log_detail": {"response": '{"code": 99991672}'},
        }
        for n in range(12)
    ]


def test_hostile_names_make_the_same_elements_in_both_languages():
    report = report_fixture.make_hostile_report()
    english, chinese = (Texts(render_html(report | {"lang": lang})) for lang in ("en", "zh"))
    assert set(chinese.elements) == set(english.elements)
    assert set(chinese.attributes) == set(english.attributes)
    assert not {"script", "img", "iframe"} & set(chinese.elements)


def test_the_command_line_writes_and_explains_in_chinese_and_a_name_stays_a_name(tmp_path):
    pd.DataFrame(make_rows()).to_json(tmp_path / "log.jsonl", orient="records", lines=True)
    out = str(tmp_path / "reports")
    done = CliRunner().invoke(
        main, ["weekly", str(tmp_path / "log.jsonl"), "--lang", "zh", "--out", out]
    )
    assert done.exit_code == 0, done.output
    assert "个不同接口被拒绝" in done.stdout
    assert "个事件" in done.stderr
    assert all(re.search("[\u4e00-\u9fff]", line) for line in done.stderr.splitlines())
    told = CliRunner().invoke(main, ["explain", "1", "--reports", out])
    assert "严重程度" in told.stdout
    assert "后续核查" in told.stdout
    told = CliRunner().invoke(main, ["explain", "1", "--reports", out, "--lang", "en"])
    assert "Severity" in told.stdout
    folder = tmp_path / "reports" / "2026-W46"
    findings = json.loads((folder / "findings.json").read_text())["findings"]
    assert any("{entity.__class__}%(zone)s<b>" in finding["sentence"] for finding in findings)
    page = (folder / "report.html").read_text()
    assert "{entity.__class__}%(zone)s&lt;b&gt;" in page
    assert "<b>" not in page


def test_an_unknown_language_is_refused(monkeypatch):
    monkeypatch.setenv("AUDIT_ANALYTICS_LANG", "fr")
    with pytest.raises(ConfigError, match="lang"):
        aa.analyze(make_rows()[:1])


def test_lines_of_a_terminal_break_between_chinese_characters():
    text = "应用 cli_a1 在本周调用敏感接口一百二十次（GET contact/v3/users/:user_id），预期为零。"  # noqa: RUF001
    lines = fill(text, 32, following="  ").split("\n")
    assert all(measure(line) <= 32 for line in lines)
    assert len(lines) > 3
    assert not any(line.strip().startswith(("，", "。", "）")) for line in lines)  # noqa: RUF001
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_ids_and_addresses_are_masked_in_chinese_sentences_too(chinese):
    data = copy.deepcopy(chinese.data)
    for finding in chinese.data["findings"]:  # a message tells five at most
        data["findings"] = [finding]
        message = build_message(data)
        # a network says no more than the masked address, 198.51.100.x
        assert not re.search(r"cli_[0-9a-f]{16}|\d+\.\d+\.\d+\.\d+(?![\d/])", message.text())
        assert "{" not in message.text()
