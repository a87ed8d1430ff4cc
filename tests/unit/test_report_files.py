import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
import report_fixture as fixture

from audit_analytics import plots, report
from audit_analytics.language import use_language
from audit_analytics.report import _html as page
from audit_analytics.report import _markdown as markdown
from audit_analytics.report import render_html
from audit_analytics.report._html import LIMIT_BYTES, render_notebook
from audit_analytics.report._markdown import render_markdown
from audit_analytics.report._result import write_report
from audit_analytics.report._tables import (
    COLUMNS,
    EVIDENCE_COLUMNS,
    render_csv,
    render_evidence,
    render_json,
)

REPORTS = {
    "complete": fixture.make_report,
    "gaps": fixture.make_gaps_report,
    "empty": fixture.make_empty_report,
    "large": fixture.make_large_report,
    "hostile": fixture.make_hostile_report,
}
FILES = {"report.md", "findings.csv", "evidence.csv", "findings.json"}
VOID = {"wbr", "meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.open, self.errors = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.errors.append(tag)

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return re.sub(r"\s+", " ", "".join(self.text))


@pytest.fixture(scope="module")
def pages():
    return {name: render_html(make()) for name, make in REPORTS.items()}


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_is_whole_small_and_asks_for_nothing(pages, name):
    html = pages[name]
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert not page.errors
    assert not page.open
    assert len(html.encode()) <= LIMIT_BYTES
    assert not {tag for tag, _ in page.elements} & {
        "script", "img", "link", "iframe", "object", "embed", "form", "base", "a:href",
    }  # fmt: skip
    for tag, attributes in page.elements:
        for key, value in attributes.items():
            assert not key.startswith("on"), (tag, key)
            if key in {"href", "src", "xlink:href", "action"}:
                assert value.startswith("#") or value in FILES, (tag, key, value)
            for target in re.findall(r"url\(([^)]*)\)", value or ""):
                assert target.startswith("#"), (tag, key, value)
    style = html[html.index("<style>") : html.index("</style>")]
    assert "@import" not in style
    assert "http" not in style
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv"))
    sheet = html[html.index("<style>") + 7 : html.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not [tag for tag, attributes in page.elements if "style" in attributes]


@pytest.mark.parametrize("name", REPORTS)
def test_ids_are_unique_and_every_link_has_its_target(pages, name):
    elements = Page(pages[name]).elements
    ids = [a["id"] for _, a in elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = {a[k] for _, a in elements for k in ("href", "xlink:href") if k in a} - FILES
    targets = {link[1:] for link in links}
    targets |= set(re.findall(r"url\(#([^)]*)\)", pages[name]))
    assert targets <= set(ids)


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_can_be_read_without_sight_or_mouse(pages, name):
    page = Page(pages[name])
    elements = page.elements
    tags = [tag for tag, _ in elements]
    assert dict(elements)["html"]["lang"] == "en"
    assert tags.count("main") == tags.count("h1") == tags.count("nav") == 1
    assert tags.count("table") == tags.count("caption")
    assert all("scope" in a for t, a in elements if t == "th")
    assert all(a["aria-label"] for t, a in elements if a.get("role") in {"img", "region"})
    assert all(a["tabindex"] == "0" for t, a in elements if a.get("role") == "region")
    first_link = next(a for t, a in elements if t == "a")
    assert first_link == {"class": "skip", "href": "#main"}


def test_findings_come_first_and_what_the_log_lacks_before_them(pages):
    order = ["verdict", "findings", "ips", "bursts", "sensitive"]
    order += ["changes", "quiet", "arrivals", "coverage", "method", "run"]
    for name in ("complete", "gaps"):
        if name == "gaps":
            order.insert(0, order.pop(order.index("coverage")))
        places = [re.search(f'<(section|div) id="{part}"', pages[name]).start() for part in order]
        assert places == sorted(places), name
    head = Page(pages["complete"].split("<nav")[0]).words
    assert "Complete: 168 of 168 hours have events" in head
    assert "Read this first" not in head


def test_filters_and_accordions_need_no_script(pages):
    html = pages["complete"]
    elements = Page(html).elements
    radios = [a for _, a in elements if a.get("type") == "radio"]
    assert {a["name"] for a in radios} >= {"severity", "status"}
    ids = {a["id"] for a in radios if "id" in a}
    for name in ids:  # each hides the rows and cards that are not of it
        assert f"#{name}:checked" in html
    rows = [
        a["class"].split() for _, a in elements if a.get("class", "").startswith(("row ", "card "))
    ]
    findings = fixture.make_report()["findings"]
    assert len(rows) == 2 * len(findings)
    assert all({"row", f"s-{f['severity']}"} <= set(row) for f, row in zip(findings, rows))  # noqa: B905
    cards = [a for t, a in elements if t == "details" and "card" in a.get("class", "")]
    assert {a["name"] for a in cards} == {"finding"}
    assert not [a for t, a in elements if "card" in a.get("class", "") and "open" in a]


def test_a_finding_has_an_anchor_and_commands_to_copy(pages):
    for finding in fixture.make_report()["findings"]:
        name = finding["finding_id"]
        assert f'<a href="#{name}">' in pages["complete"]
        assert f'<article class="finding {finding["severity"]}" id="{name}"' in pages["complete"]
        for command in (
            f"explain {name}", f"verdict {name} true", f"verdict {name} benign",
            f"suppress {name} --until 2027-02-16 --reason WHY",
        ):  # fmt: skip
            assert f"<code>audit-analytics {command}</code>" in pages["complete"]


def test_an_ordinary_week_is_a_short_text():
    text = render_markdown(fixture.make_report())
    assert len(text.encode()) < 8000
    assert "[report.html](report.html)" in text


def test_no_findings_and_no_data_cannot_be_confused(pages):
    quiet = fixture.make_report()
    quiet["findings"] = []
    states = {state: pages[state] for state in ("gaps", "empty")} | {"complete": render_html(quiet)}
    words = {state: Page(html).words for state, html in states.items()}
    assert "Every hour of the week has data, and nothing in it stood out." in words["complete"]
    assert "the hours without data were not assessed" in words["gaps"]
    assert "157 of 168 hours have events" in words["gaps"]
    assert "because there was no data to look at" in words["empty"]
    assert "an empty log is not a quiet week" in words["empty"]
    for state, html in states.items():
        assert f'<div class="state {state}">' in html
        assert (html.index('<div class="state') < html.index("<nav")) == (state != "complete")
    texts = {state: render_markdown(REPORTS[state]()) for state in ("gaps", "empty")}
    assert "○ No data" in texts["empty"]
    assert "◐ Gaps" in texts["gaps"]


def test_a_finding_says_what_an_analyst_needs(pages):
    words = Page(pages["complete"]).words
    for text in (
        "an ordinary week brings 0.02 as rare as this", "◆Critical", "▲High", "a rule found it",
        "1 in 83,000", "133 \N{MULTIPLICATION SIGN}", "0 to 9.4", "28 days", "T1078.004", "(v17.1)", "Known harmless causes",
        "An ordinary week brings about 10 scored findings; those of rules come on top.",
        "What to check next", "It is expected, until a day", "1,320 log entries",
        "What happened, in order", "calls: 24, of which 12 succeeded", "37 APIs",
        "3 more calls are not listed", "Another reason, 2026-11-19", "ou_0…001", "1 with success",
        "Apps, with what each succeeded in",
        "247,796 events + 312 duplicates + 4 rejects", "1.2 %", "first use",
    ):  # fmt: skip
        assert text in words, text


def make_small_report():
    """Make it with the first finding alone: each has a plot, which takes longest."""
    report = fixture.make_report()
    return report | {"findings": report["findings"][:1]}


def test_a_line_ends_where_a_reader_expects_it():
    report = make_small_report()
    sentence = "11月15日周日 <b>x called GET contact/v3/users/find_by_department twice"
    report["findings"][0]["sentence"] = sentence
    text = render_html(report)
    broken = "contact/<wbr>v3/<wbr>users/<wbr>find_<wbr>by_<wbr>department twice"
    date = '<span class="one">11月15日周日</span>'
    assert f"{date} &lt;b&gt;x called GET {broken}" in text


def test_one_of_a_kind_is_no_plural():
    report = make_small_report()
    report["findings"][0] |= {"observed": 1, "unit": "networks in an hour"}
    for text in (render_html(report), render_markdown(report)):
        assert "networks in an hour: 1" in text
        assert "1 networks" not in text


def test_rejects_and_duplicates_add_up_in_the_page():
    coverage = fixture.make_report()["coverage"]
    parts = ("events_count", "duplicates_count", "rejects_count")
    assert coverage["rows_read_count"] == sum(coverage[part] for part in parts)


def test_a_finding_is_told_in_the_order_it_is_read(pages):
    article = pages["complete"].split("<article", 2)[1]
    order = [
        "sentence",
        "What happened",
        "small-plot",
        "Who and what",
        "Objects, what",
        "Evidence:",
    ]
    order += ["What to check next", "Commands"]
    places = [article.index(word) for word in order]
    assert places == sorted(places)


def test_with_many_findings_the_page_says_what_it_leaves_out(pages):
    html, words = pages["large"], Page(pages["large"]).words
    told = re.search(
        r"(\d+) of 200 findings are told below, (\d+) with a plot, (\d+) with contributors, "
        r"reasons and at most (\d+) evidence rows",
        words,
    )
    cards, drawn, full, rows = (int(number) for number in told.groups())
    assert html.count("<article") == cards
    assert html.count('<figure class="plot long small-plot">') == drawn >= 10
    assert html.count("<td><code>7573") == full * rows
    assert cards >= 40
    assert html.count('<tr id="row-f-') == 200
    assert "evidence.csv lists 20 under f-000000000001" in words


def test_a_page_that_shows_all_findings_leaves_out_nothing(pages):
    assert "told below" not in Page(pages["complete"]).words


def test_what_changed_says_how_much_and_by_whom(pages):
    words = Page(pages["complete"]).words
    for text in (
        "permission62012\N{MULTIPLICATION SIGN}52", "9,000310\N{MULTIPLICATION SIGN}29", "APIs1880new", "Apps6162",
        "50 apps were compared with their past", "Apps 1 new, 2 vanished",
        "+ newDELETE contact/v3/users/:user_id◆Critical1412026-11-17 11:10",
        "\N{MINUS SIGN} vanishedcli_a12ffe0091d2c3b4",
    ):  # fmt: skip
        assert text in words, text


def test_a_finding_with_a_life_shows_it():
    report = fixture.make_report()
    for finding in report["findings"]:
        finding |= {"status": "continuing", "since_week": "2026-W45"}
    report["findings"][1] |= {"status": "new", "since_week": "2026-W47"}
    report["resolved"] = [{"title": "Error burst", "entity": "cli_<b>", "severity": "low"}]
    report["suppressions"] = [
        {"entity": "cli_x", "owner": "ops", "reason": "known job", "is_new": True}
        | {"suppression_id": "s-0000cafe", "expires": "2026-12-31"}
    ]
    html = render_html(report)
    words = Page(html).words
    for text in (
        "since week 2026-W45",
        "New 1",
        "Continuing ",
        "cli_<b>",
        "known job",
        "cli_x New",
    ):
        assert text in words, text
    assert "<b>" not in html
    text = render_markdown(report)
    for part in ("· New ·", "since week 2026-W45", "`cli_<b>`"):
        assert part in text, part


def test_what_a_person_decided_stands_at_the_finding():
    report = make_small_report()
    report["findings"][0]["verdict"] = {
        "verdict": "benign",
        "note": "asked <i>Li</i>",
        "owner": "ops",
        "created": "2026-11-24",
    }
    html = render_html(report)
    assert "Verdict harmless on 2026-11-24 asked <i>Li</i>" in Page(html).words
    assert "<i>Li" not in html
    text = render_markdown(report)
    assert "- Verdict: **harmless on 2026-11-24** · asked \\<i\\>Li\\</i\\>\n" in text


def test_hostile_names_are_text_and_nothing_else(pages):
    page = Page(pages["hostile"])
    assert "<script>alert(1)</script>" in page.words
    assert "onerror=alert(1)" in page.words
    assert r"invoice\u202efdp.exe\u2066x\u200b" in page.words
    assert r"\x1b[31mred" in page.words
    assert r"half\ud83d" in page.words
    assert r"bot$\foo$" in page.words
    assert "通讯录助手" in page.words
    assert "4,096 characters" in page.words
    assert max(map(len, page.text)) < 700
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", pages["hostile"])  # fmt: skip


def test_a_call_without_an_app_is_named_as_such():
    report = fixture.make_report()
    report["findings"] = [fixture.make_finding(1, "")]
    assert "App (empty)" in Page(render_html(report)).words
    assert "`(empty)`" in render_markdown(report)


def test_the_notebook_fragment_is_inert_and_scoped():
    for make in REPORTS.values():
        fragment = render_notebook(make())
        page = Page(fragment)
        assert not page.errors
        assert not page.open
        assert not {tag for tag, _ in page.elements} & {"script", "img", "iframe", "link", "a"}
        style = fragment[fragment.index("<style>") + 7 : fragment.index("</style>")]
        selectors = re.findall(r"(?:^|\})\s*([^{}]+)\{", style)
        assert selectors
        assert all(
            one.strip().startswith(".aa-report") for group in selectors for one in group.split(",")
        )


def test_hostile_names_cannot_break_the_markdown():
    text = render_markdown(fixture.make_hostile_report())
    assert len(re.findall(r"(?m)^### \d+\. ", text)) == len(fixture.HOSTILE)
    assert len(re.findall(r"(?m)^#", text)) == len(fixture.HOSTILE) + 2 + len(fixture.HOSTILE) // 2
    text = text.replace("[report.html](report.html)", "")
    outside_code = re.sub(r"(`+).*?(?<!`)\1(?!`)", "", text)
    outside_code = "\n".join(x for x in outside_code.splitlines() if not x.startswith("    "))
    assert not re.search(r"(?<!\\)<[a-z/]", outside_code)
    assert not re.search(r"(?<!\\)\]\(", outside_code)
    assert "://" not in outside_code
    assert "@" not in outside_code
    assert "\x1b" not in text
    assert "\u202e" not in text


# what is large has the fields of what is complete
@pytest.mark.parametrize("name", sorted(REPORTS.keys() - {"large"}))
def test_json_fits_the_published_schema_and_round_trips(name, findings_schema):
    report = REPORTS[name]()
    text = render_json(report)
    jsonschema.validate(json.loads(text), findings_schema, jsonschema.Draft202012Validator)
    assert json.loads(text) == report
    assert text.endswith("}\n")
    assert text == render_json(json.loads(text))


def test_the_schema_is_valid_and_refuses_strangers(findings_schema):
    jsonschema.Draft202012Validator.check_schema(findings_schema)
    report = fixture.make_report()
    report["findings"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(report, findings_schema)
    report = fixture.make_report()
    del report["coverage"]["week_status"]
    with pytest.raises(jsonschema.ValidationError, match="week_status"):
        jsonschema.validate(report, findings_schema)


def test_json_refuses_nan():
    with pytest.raises(ValueError, match="JSON"):
        render_json({"p": float("nan")})


def test_golden_json_of_one_finding():
    finding = fixture.make_finding(4, "cli_a9\u202e", rarity=None)
    for key in (
        "about", "contributors", "evidence", "reasons", "series", "known_benign", "next_steps",
        "timeline", "objects", "other_days",
    ):  # fmt: skip
        del finding[key]
    assert render_json(finding) == GOLDEN


def test_csv_has_a_row_a_finding_and_runs_nothing():
    report = fixture.make_hostile_report()
    text = render_csv(report)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == len(report["findings"])
    assert [row["rank"] for row in rows] == [str(f["rank"]) for f in report["findings"]]
    for row in rows:
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert rows[3]["entity"] == "'=cmd()"
    assert text.count("\r\n") == len(rows) + 1


def test_evidence_csv_has_a_row_a_log_entry_and_runs_nothing():
    report = fixture.make_hostile_report()
    rows = list(csv.DictReader(io.StringIO(render_evidence(report), newline="")))
    assert list(rows[0]) == list(EVIDENCE_COLUMNS)
    assert len(rows) == sum(len(f["evidence"]["rows"]) for f in report["findings"])
    assert {row["finding_id"] for row in rows} == {f["finding_id"] for f in report["findings"]}
    for row in rows:
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_same_report_same_bytes(tmp_path):
    for name in ("one", "two"):
        hostile = fixture.make_hostile_report()
        del hostile["findings"][4:]
        write_report(hostile, tmp_path / name)
    for file in ("report.html", *FILES):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_write_report_makes_the_folder_and_leaves_no_drafts(tmp_path):
    paths = write_report(fixture.make_gaps_report(), tmp_path / "new" / "folder", ocsf=False)
    assert sorted(paths) == [
        "evidence.csv", "findings.csv", "findings.json", "report.html", "report.md",
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == sorted(paths)
    assert all(path.read_bytes() for path in paths.values())


def test_a_report_that_cannot_be_written_leaves_the_old_one_whole(tmp_path):
    write_report(fixture.make_gaps_report(), tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    broken = fixture.make_gaps_report()
    broken["totals"]["calls_count"] = float("inf")
    with pytest.raises((ValueError, OverflowError)):
        write_report(broken, tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, two):
    light, dark = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_colour_has_enough_contrast(scheme):
    css = (Path(report.__file__).parent / "templates" / "report.css.j2").read_text("utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    colours = {f"plot-{name}": value for name, value in plots.COLOURS.items()}
    colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[0]))
    if scheme == "dark":
        colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[1]))
        assert {f"plot-{name}" for name in plots.COLOURS} <= set(
            re.findall(r"--(plot-\w+):", blocks[1])
        )
    texts = (
        "ink", "muted", "accent", "critical", "high", "medium", "low", "none", "unknown",
        "plot-ink", "plot-muted",
    )  # fmt: skip
    pairs = [(text, "paper") for text in texts]
    pairs += [("warn", "warn-bg"), ("void", "void-bg"), ("covered", "good-bg"), ("ink", "sunk")]
    pairs += [("muted", "warn-bg"), ("muted", "void-bg"), ("muted", "good-bg")]
    pairs += [("plot-onmark", "plot-mark")]
    low = {pair: _contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}
    for line in ("plot-calls", "plot-errors", "plot-expected"):
        assert _contrast(colours[line], colours["paper"]) >= 3


GOLDEN = r"""{
 "attack": [
  {
   "id": "T1078.004",
   "name": "Cloud Accounts",
   "version": "17.1"
  },
  {
   "id": "T1087.004",
   "name": "Cloud Account Discovery",
   "version": "17.1"
  }
 ],
 "contact": "#payroll",
 "detectors": [
  "ERR",
  "API",
  "rule:permission_probing"
 ],
 "end_at": "2026-11-16T02:00:00Z",
 "end_local": "2026-11-16 08:59",
 "entity": "cli_a9\u202e",
 "entity_type": "app",
 "expected": null,
 "expected_high": null,
 "expected_low": null,
 "expected_per_week": null,
 "finding_id": "f-000000000004",
 "history_days": 28,
 "key": "k-000000000004",
 "kind": "error_burst",
 "name": "Payroll bot",
 "observed": 404,
 "owner": "Li Na",
 "p": null,
 "past_weeks": [
  {
   "calls_count": null,
   "week": "2026-W45"
  },
  {
   "calls_count": 3,
   "week": "2026-W46"
  },
  {
   "calls_count": 1320,
   "week": "2026-W47"
  }
 ],
 "policy_severity": "high",
 "previous": null,
 "q": null,
 "rank": 4,
 "rarity": null,
 "ratio": null,
 "sentence": "App cli_a9\u202e was refused 404 times in two hours where its history makes about 3 likely; 38 different APIs were tried, which it had never called before.",
 "severity": "medium",
 "since_week": "2026-W47",
 "start_at": "2026-11-16T00:00:00Z",
 "start_local": "2026-11-16 08:00",
 "status": "new",
 "suppressed_by": [],
 "suppression": "[[suppress]]\ndetector = \"ERR\"\nentity = \"cli_a9\u202e\"\nowner = \"\"\nreason = \"\"\nexpires = 2027-02-16\n",
 "through": [],
 "title": "Error burst (permission)",
 "unit": "refused calls in an hour",
 "untold": [],
 "verdict": null
}
"""


@pytest.mark.parametrize("module", [page, markdown])
def test_a_word_of_a_template_is_of_the_language_it_is_rendered_in(module):
    with use_language("zh"):
        template = module._environment().from_string('{{ "suppressed"|named }}')
        assert template.render() == "已抑制"
    assert template.render() == "Suppressed"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_markdown_of_an_ordinary_week_is_short_and_names_every_finding(sample_report, lang):
    report = sample_report.data | {"lang": lang}
    text = render_markdown(report)
    assert len(text.encode()) <= 8000
    assert [int(n) for n in re.findall(r"(?m)^### (\d+)\. ", text)] == [
        finding["rank"] for finding in report["findings"]
    ]
    assert report["findings"][5]["finding_id"] in text
    assert text.count("(report.html)") == 2
