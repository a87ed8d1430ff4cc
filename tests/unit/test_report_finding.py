"""report.finding(1) shows itself, and leads to its rows, its steps, its plot and its decisions."""

import copy
import csv
import io
import pickle
import re
from datetime import date, datetime

import matplotlib as mpl
import pandas as pd
import pytest
import report_fixture as fixture
from test_report_files import Page

import audit_analytics as aa
from audit_analytics.errors import ConfigError, InputError
from audit_analytics.report import Report
from audit_analytics.report._tables import COLUMNS, render_csv
from audit_analytics.review._suppression import read_suppressions
from audit_analytics.review._verdicts import read_verdicts

CONTROL = "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]"
REJECTS = pd.DataFrame()


@pytest.fixture
def report():
    return Report(fixture.make_report(), REJECTS)


@pytest.fixture
def hostile():
    return Report(fixture.make_hostile_report(), REJECTS)


def test_everything_the_json_says_is_an_attribute(report):
    for row in report.data["findings"]:
        finding = report.finding(row["rank"])
        for name, value in row.items():
            if name not in {"evidence", "timeline"}:
                assert getattr(finding, name) is value
            assert name in dir(finding)
        assert finding.data is row
    with pytest.raises(AttributeError, match=r"a finding has no 'entty'; it has .*entity"):
        _ = report.finding(1).entty


def test_a_copy_is_the_same_finding(report):
    finding = report.finding(1)
    for other in (copy.copy(finding), copy.deepcopy(finding), pickle.loads(pickle.dumps(finding))):  # noqa: S301 - our own
        assert other.data == finding.data
        assert repr(other) == repr(finding)


def test_a_suppressed_finding_is_found_by_its_id(report):
    row = report.data["findings"].pop(3)
    row |= {"status": "suppressed", "suppressed_by": ["s-1"], "series": None}
    report.data["suppressed"].append(row)
    assert "suppressed" in repr(report.finding(row["finding_id"])).splitlines()[0]
    with pytest.raises(InputError, match="has no finding"):
        report.finding(row["rank"])


def test_the_repr_tells_what_it_is_and_what_to_do_in_a_few_lines(report):
    finding = report.finding(1)
    lines = repr(finding).splitlines()
    words = " ".join(" ".join(lines).split())
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"{finding.finding_id}, rank 1 of week")
    for part in (finding.entity, finding.sentence, finding.severity, finding.next_steps[0]):
        assert part in words
    assert "E an ordinary week brings 0.02 as rare as this" in words
    assert finding.next_steps[1] not in words
    by_rule = next(f for f in report.data["findings"] if f["rarity"] is None)
    assert "not scored: a rule found it" in repr(report.finding(by_rule["rank"]))


def test_it_speaks_the_language_of_the_report(report):
    report.data["lang"] = "zh"
    finding = report.finding(1)
    assert "严重程度" in repr(finding)
    assert "证据" in finding._repr_html_()
    assert 'lang="zh' in finding._repr_html_()


@pytest.mark.parametrize("make", [fixture.make_report, fixture.make_hostile_report])
def test_the_card_is_that_of_the_page_inert_and_scoped(make):
    report = Report(make(), REJECTS)
    for row in report.data["findings"]:
        fragment = report.finding(row["rank"])._repr_html_()
        page = Page(fragment)
        assert not page.errors
        assert not page.open
        assert not {tag for tag, _ in page.elements} & {"script", "img", "iframe", "link", "a"}
        assert not [n for _, attributes in page.elements for n in attributes if n.startswith("on")]
        assert ("article", row["finding_id"]) in [(t, a.get("id")) for t, a in page.elements]
        assert ("figure" in {tag for tag, _ in page.elements}) == bool(row["series"])
        assert not re.search(CONTROL, fragment)
        rows = row["evidence"]["rows"]
        total = len(row["evidence"]["ids"]) + row["evidence"]["more_count"]
        assert (f"{len(rows)} of {total:,} shown." in page.words) == (total > len(rows))
        style = fragment[fragment.index("<style>") + 7 : fragment.index("</style>")]
        # all rules but a few for the card itself are nested in one
        depth, outside = 0, ""
        for piece in re.split("([{}])", style):
            depth += {"{": 1, "}": -1}.get(piece, 0)
            outside += piece if depth == 0 and piece not in "{}" else ""
        assert depth == 0
        assert set(re.findall(r"\.[\w-]+", outside)) == {".aa-card", ".finding"}
        assert all(one.strip().startswith(".aa-card") for one in outside.split("\n") if one.strip())
        assert ":root" not in style
        assert "--paper" in style


def test_hostile_texts_reach_no_terminal(hostile):
    for row in hostile.data["findings"]:
        shown = repr(hostile.finding(row["rank"]))
        assert not re.search(CONTROL, shown)


def test_the_evidence_has_proper_dtypes(report):
    finding = report.finding(1)
    evidence = finding.evidence
    assert len(evidence) == len(finding.data["evidence"]["rows"])
    assert set(evidence["id"]) == set(finding.data["evidence"]["ids"])
    assert str(evidence["at"].dtype) == "datetime64[us, UTC]"
    assert evidence["at"].is_monotonic_increasing
    assert (str(evidence["http_status"].dtype), str(evidence["response_code"].dtype)) == (
        "Int16",
        "Int64",
    )
    assert evidence.attrs == {"more_count": finding.data["evidence"]["more_count"]}
    finding.data["evidence"]["rows"].clear()
    empty = report.finding(1).evidence
    assert empty.dtypes.to_dict() == evidence.dtypes.to_dict()


def test_the_timeline_is_the_steps_in_order(report):
    steps = report.finding(1).timeline()
    assert steps["at"].is_monotonic_increasing
    assert str(steps["end_at"].dtype) == "datetime64[us, UTC]"
    assert steps["outcome"].tolist() == ["permission", "ok"]
    assert steps["told"].tolist() == [True, False]
    assert steps["apis_count"].tolist() == [37, 1]
    assert steps["api"].isna().tolist() == [True, False]
    report.data["findings"][0]["timeline"]["steps"] = []
    empty = report.finding(1).timeline()
    assert empty.empty
    assert empty.dtypes.to_dict() == steps.dtypes.to_dict()


def test_the_plot_is_that_of_its_card(report):
    ax = aa.plots.new_axes(430, 160)
    finding = report.finding(1)
    assert finding.plot(ax=ax) is ax
    assert ax.get_title(loc="left") == "Refused calls an hour (Asia/Shanghai)"
    (observed,) = [line for line in ax.lines if line.get_linewidth() == 1.3]
    assert observed.get_ydata().tolist() == finding.series["observed"]
    with mpl.rc_context({"backend": "agg"}):
        made = finding.plot()
        mpl.pyplot.close(made.figure)
    finding.data["series"] = None
    with pytest.raises(InputError, match="no series to plot; its rows are in"):
        finding.plot()


def test_the_table_of_findings_has_every_column_of_the_csv(report):
    table = report.findings
    assert list(table.columns) == list(COLUMNS)
    written = list(csv.DictReader(io.StringIO(render_csv(report.data), newline="")))
    for name in ("finding_id", "sentence", "start_local", "unit"):
        assert table[name].tolist() == [row[name] for row in written]
    assert [" ".join(ids) for ids in table["attack"]] == [row["attack"] for row in written]
    empty = Report(report.data | {"findings": []}, REJECTS).findings
    kept = [name for name in COLUMNS if str(table[name].dtype) not in {"object", "str"}]
    assert {"observed", "p", "rank", "start_at"} <= set(kept)
    assert empty[kept].dtypes.to_dict() == table[kept].dtypes.to_dict()


# Decisions


@pytest.fixture
def decided(sample_report, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return sample_report


def test_a_suppression_is_the_entry_the_command_line_writes(decided, tmp_path):
    made = decided.suppress(2, reason=" release 4.2 ", until=date(2999, 12, 31), owner="soc")
    (entry,) = read_suppressions(tmp_path / "suppressions.toml")
    assert made.entry == entry
    finding = decided.finding(2)
    assert (entry.entity, entry.finding) == (finding.entity, finding.finding_id)
    assert (entry.reason, entry.owner, entry.apis) == ("release 4.2", "soc", ())
    assert repr(made).startswith(f"suppressions.toml: {entry.suppression_id} added")
    assert "  expires = 2999-12-31" in repr(made).splitlines()
    with pytest.raises(ConfigError, match="holds this entry already"):
        decided.suppress(2, reason="release 4.2", until="2999-12-31", owner="soc")
    with pytest.raises(ConfigError, match="unknown part 'apis'; did you mean 'api'"):
        decided.suppress(2, reason="x", until="2999-12-31", scope=["apis"])
    narrow = decided.suppress(2, reason="x", until=datetime(2999, 12, 31), scope="api")  # noqa: DTZ001
    assert narrow.entry.apis
    assert narrow.entry.entity == ""


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"until": "soon"}, ConfigError, "until: 'soon' is no day; write it like 2026-12-31"),
        ({"until": 7}, ConfigError, "until: 7 is no day"),
        ({"until": "2001-01-01"}, ConfigError, "until: 2001-01-01 is over"),
        ({"reason": " "}, ConfigError, "reason: is empty; say why"),
        ({"which": 99}, InputError, "has no finding 99"),
    ],
)
def test_a_wrong_suppression_writes_nothing(decided, tmp_path, given, error, says):
    values = {"which": 1, "reason": "x", "until": "2999-12-31"} | given
    with pytest.raises(error, match=says):
        decided.suppress(values.pop("which"), **values)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("confirmed", "kept"), [(True, "true"), (False, "benign")])
def test_a_verdict_is_the_entry_the_command_line_writes(decided, tmp_path, confirmed, kept):
    made = decided.verdict(1, confirmed, note="asked the owner", owner="soc")
    finding = decided.finding(1)
    entry = read_verdicts(tmp_path / "verdicts.toml")[finding.finding_id]
    assert made.entry == entry
    assert (entry.verdict, entry.note, entry.owner) == (kept, "asked the owner", "soc")
    said = {"true": "confirmed", "benign": "harmless"}[kept]
    assert f"{finding.finding_id} is {said}; its calls" in repr(made)
    assert entry.calls
    with pytest.raises(ConfigError, match="give True if it was confirmed, False if"):
        decided.verdict(1, "true")


def test_the_files_are_those_the_settings_name(decided, tmp_path):
    settings = aa.Settings(suppressions=tmp_path / "etc" / "own.toml", verdicts=tmp_path / "v.toml")
    report = Report(decided.data, decided.rejects, settings=settings)
    report.suppress(1, reason="x", until="2999-12-31", owner="soc")
    report.verdict(1, False, owner="soc")
    assert read_suppressions(tmp_path / "etc" / "own.toml")
    assert read_verdicts(tmp_path / "v.toml")
    report.verdict(1, True, owner="soc", path=tmp_path / "other.toml")
    assert read_verdicts(tmp_path / "other.toml")
    (tmp_path / "audit-analytics.toml").write_text('verdicts = "kept.toml"\n')
    Report(decided.data, decided.rejects).verdict(1, True, owner="soc")
    assert read_verdicts(tmp_path / "kept.toml")


def test_hostile_names_reach_the_screen_as_text(hostile, tmp_path):
    for row in hostile.data["findings"]:
        if "\ud83d" in row["entity"]:
            continue  # half a pair is in no text that Arrow holds, so in no finding of a log
        row.setdefault("untold", [])
        made = hostile.suppress(
            row["rank"],
            reason="x",
            until="2999-12-31",
            owner="soc",
            path=tmp_path / f"{row['rank']}.toml",
        )
        assert not re.search(CONTROL, repr(made))
