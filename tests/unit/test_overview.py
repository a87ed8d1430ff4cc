"""reports/index.html: every report of a folder, the broken ones told plainly, nothing that acts."""

import json
import re
from datetime import date
from pathlib import Path

import pytest
import report_fixture as fixture
from click.testing import CliRunner
from test_report_files import Page

from audit_analytics.cli.main import main
from audit_analytics.report import write_overview
from audit_analytics.report._tables import render_json
from audit_analytics.review._reports import find_finding, list_open, list_reports
from audit_analytics.review._verdicts import Verdict, append_verdict

CONTROL = "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]"


def decide(finding, verdict):
    return Verdict(
        finding=finding,
        verdict=verdict,
        created=date(2026, 11, 24),
        week="2026-W46",
        entity_type="app",
        entity="cli_x",
    )


def keep(folder, iso, name=None, *, make=fixture.make_report, prefix="0"):
    report = make()
    report["week"]["iso"] = iso
    for row in report["findings"]:
        row["finding_id"] = f"f-{prefix}{row['finding_id'][3:]}"
        row["verdict"] = None
    path = folder / (name or iso)
    path.mkdir(parents=True)
    (path / "findings.json").write_text(render_json(report), encoding="utf-8")
    return report


@pytest.fixture
def reports(tmp_path):
    keep(tmp_path, "2026-W45", prefix="a")
    keep(tmp_path, "2026-W46", prefix="b", make=fixture.make_gaps_report)
    keep(tmp_path, "2026-W47", prefix="c")
    return tmp_path


def read(folder, **options):
    page = Page(
        write_overview(folder, lang="en", zone="Asia/Shanghai", **options).read_text("utf-8")
    )
    assert not page.errors
    assert not page.open
    assert not {tag for tag, _ in page.elements} & {"script", "img", "iframe", "link", "form"}
    return page


def test_weeks_stand_with_their_findings_and_links(reports):
    page = read(reports)
    links = [a["href"] for tag, a in page.elements if tag == "a"]
    assert [link for link in links if re.fullmatch(r"2026-W4\d/report.html", link)][3:] == [
        "2026-W47/report.html",
        "2026-W46/report.html",
        "2026-W45/report.html",
    ]
    for text in ("Gaps", "Complete", "247,796", "Asia/Shanghai"):
        assert text in page.words or text == "247,796"
    first = fixture.make_report()["findings"][0]
    assert f"2026-W47/report.html#f-c{first['finding_id'][3:]}" in links


def test_what_is_open_is_the_latest_reports_and_what_was_confirmed(reports):
    ids = [f["finding_id"][3:] for f in fixture.make_report()["findings"]]
    verdicts = {
        f"f-a{ids[2]}": decide(f"f-a{ids[2]}", "true"),
        f"f-c{ids[0]}": decide(f"f-c{ids[0]}", "benign"),
    }
    links = [a.get("href", "") for _, a in read(reports, verdicts=verdicts).elements]
    shown = {link.partition("#")[2] for link in links if "#f-" in link}
    assert shown == {f"f-c{name}" for name in ids[1:]} | {f"f-a{ids[2]}"}
    assert {row["finding_id"] for row in list_open(reports, verdicts)} == shown
    everything = list_open(reports, verdicts, is_all=True)
    assert f"f-c{ids[0]}" in {row["finding_id"] for row in everything}


def test_a_rank_is_one_of_the_latest_report(reports, monkeypatch):
    monkeypatch.chdir(reports)
    name = fixture.make_report()["findings"][0]["finding_id"][3:]
    append_verdict(Path("verdicts.toml"), decide(f"f-a{name}", "true"))
    lines = CliRunner().invoke(main, ["findings", "--reports", str(reports)]).output.splitlines()
    own = {
        line.split("f-")[1].split()[0]: line.partition("f-")[0] for line in lines if "f-" in line
    }
    assert own[f"c{name}"].strip() == "1"
    assert not own[f"a{name}"].strip()


def test_an_app_stands_with_its_name_and_owner(tmp_path):
    report = fixture.make_report()
    entity = report["findings"][0]["entity"]
    report["findings"][0]["owner"] = "Li <Na>"
    report["labels"] = {entity: "HR export (cli_\N{HORIZONTAL ELLIPSIS}1)"}
    path = tmp_path / "2026-W47" / "findings.json"
    path.parent.mkdir()
    path.write_text(render_json(report), encoding="utf-8")
    words = read(tmp_path).words
    assert "HR export (cli_\N{HORIZONTAL ELLIPSIS}1)" in words
    assert "Li <Na>" in words


def test_a_broken_report_is_told_and_hides_no_other(reports):
    (reports / "2026-W46" / "findings.json").write_text("{")
    page = read(reports)
    assert "This report cannot be read:" in page.words
    assert "is no JSON" in page.words
    assert "2026-W45/report.html" in {a.get("href") for _, a in page.elements}
    (reports / "2026-W47" / "findings.json").write_text(json.dumps({"findings": 3}))
    assert read(reports).words.count("This report cannot be read:") == 2


def test_tenants_stand_on_one_page_those_without_a_report_too(tmp_path_factory):
    root = tmp_path_factory.mktemp("tenants")
    keep(root / "acme <b>", "2026-W47")
    keep(root / "zeta", "2026-W47", make=fixture.make_hostile_report)
    page = read(root, failed={"omega": "data/omega: no event\x1b[31m"})
    assert "acme <b>" in page.words
    assert r"No report of the last run: data/omega: no event\x1b[31m" in page.words
    links = [a.get("href", "") for _, a in page.elements]
    assert "acme%20%3Cb%3E/index.html" in links
    assert "acme%20%3Cb%3E/2026-W47/report.html" in links


def test_names_of_a_hostile_log_are_text(tmp_path):
    keep(tmp_path, "2026-W47", make=fixture.make_hostile_report)
    text = write_overview(tmp_path, lang="zh", zone="Asia/Shanghai").read_text("utf-8")
    assert 'lang="zh' in text
    assert not re.search(CONTROL, text)
    assert "<script>alert(1)</script>" in Page(text).words
    assert all(not name.startswith("on") for _, a in Page(text).elements for name in a)


def test_an_empty_folder_says_so(tmp_path):
    assert "There is no report here yet." in read(tmp_path).words


def test_the_latest_report_is_the_latest_of_either_kind(reports):
    since = "2026-W47-since-2026-11-18T020000Z"
    keep(reports, "2026-W47", since, prefix="d")
    later = "2026-W48-since-2026-11-24T020000Z"
    keep(reports, "2026-W48", later, prefix="e")
    names = [path.parent.name for path in list_reports(reports)]
    assert names == [later, "2026-W47", since, "2026-W46", "2026-W45"]
    report, finding = find_finding(reports, "1")
    assert (report["week"]["iso"], finding["finding_id"][:3]) == ("2026-W48", "f-e")
    wanted = f"f-d{fixture.make_report()['findings'][0]['finding_id'][3:]}"
    assert find_finding(reports, wanted)[1]["finding_id"] == wanted
