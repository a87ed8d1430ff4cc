"""An app's name and owner stand in every output, masked where it leaves, inert whatever they are."""

from __future__ import annotations

import json
import re

import pytest
from stand_ins import Flat

import audit_analytics as aa
from audit_analytics.deliver._mask import Masker, mask_report
from audit_analytics.deliver._message import build_card, build_message
from audit_analytics.inventory import App, Inventory, Labels
from audit_analytics.report import render_html
from audit_analytics.report._markdown import render_markdown
from audit_analytics.simulate import simulate_company, write_pages

EVIL = "<b>@all</b> [x](http://evil.example) `|` \u202egnp"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    attacks = ["id_enumeration", "stolen_credential"]
    write_pages(simulate_company(seed=7, apps=14, weeks=5, attacks=attacks), folder)
    return folder


@pytest.fixture(scope="module")
def report(log):
    return aa.analyze(log, networks={"0.0.0.0/0": "branch Wuhan"}, detector=Flat())


@pytest.fixture(scope="module")
def nameless(log):
    return aa.analyze(aa.load(log), detector=Flat())


@pytest.fixture(scope="module")
def strange(log, report, tmp_path_factory):
    """Return a week later's report: apps were named by a stranger, and lost a permission."""
    hand = tmp_path_factory.mktemp("hand") / "apps.toml"
    quoted = json.dumps(EVIL)
    hand.write_text(
        "".join(
            f'[[app]]\napp_id = "{i}"\nname = {quoted}\nowner = {quoted}\ncontact = {quoted}\n'
            for i in aa.apps.load(log).apps
        )
    )
    before = json.loads(json.dumps(report.data))
    rows = before["permissions"]["rows"]
    gone = {"app_id": rows[0]["app_id"], "scope": "im:chat", "owner": "", "severity": "low"}
    rows.append({**rows[0], **gone})
    before["week"]["iso"] = "2026-W45"
    before = aa.Report(before, report.rejects)
    return aa.analyze(log, apps=hand, previous=before, detector=Flat())


def test_every_output_names_app_and_owner(report, log, tmp_path):
    apps = aa.apps.load(log).apps
    found = [f for f in report.data["findings"] if f["entity_type"] == "app"]
    assert len(found) >= 2
    paths = report.write(tmp_path / "out")
    texts = {name: path.read_text() for name, path in paths.items()}
    del texts["evidence.csv"]  # rows of the log
    if "findings.ocsf.jsonl" in texts:
        del texts["findings.ocsf.jsonl"]
        names = [
            resource["name"]
            for line in paths["findings.ocsf.jsonl"].read_text().splitlines()
            for resource in json.loads(line)["resources"]
        ]
        assert names
        assert all("(cli_" in name for name in names)
    labels = Labels(aa.apps.load(log))
    for finding in found:
        app = apps[finding["entity"]]
        label = labels.of("app", app.app_id)
        assert app.name in label
        assert label in finding["sentence"]
        assert (finding["name"], finding["owner"]) == (app.name, app.owner)
        for name, text in texts.items():
            assert label in text, name
            assert app.owner in text, name
        told = report.finding(finding["rank"])
        assert label in report.lines()[finding["rank"] - 1]
        for text in (told.explain(), told._repr_html_(), repr(told)):
            assert app.name in text
        assert app.owner in told.explain()
        assert not [step for step in finding["next_steps"] if "the app's owner" in step]
        assert finding["entity"] in told.explain(), "whoever acts needs the id"
        grants = f"Granted permissions: {len(app.grants)}"
        for text in (finding["about"][0], " ".join(told.explain().split()), told._repr_html_()):
            assert grants in text, "what it could do stands beside what it did"
    assert any(f"Ask {finding['owner']}" in " ".join(finding["next_steps"]) for finding in found)
    stolen = max(found, key=lambda finding: len(finding["attack"]))
    call = f"PUT /open-apis/application/v6/applications/{stolen['entity']}/management"
    told = report.finding(stolen["rank"])
    assert call in "".join(told.explain().split()).replace("PUT", "PUT ")
    assert call in told._repr_html_().replace("<wbr>", "")
    assert call.replace(stolen["entity"], "APP_ID") in texts["report.md"]
    assert list(report.findings["name"][:1])
    raw = build_message(report.data, raw_ids=True).text()
    assert found[0]["name"] in raw
    assert f"Owner: {found[0]['owner']}" in raw


def test_what_leaves_is_masked(report, log):
    apps = aa.apps.load(log).apps.values()
    contacted = json.loads(json.dumps(report.data))
    for finding in contacted["findings"]:
        finding["contact"] = "Building 7"
    masked = mask_report(contacted)
    texts = [
        json.dumps(masked, ensure_ascii=False),
        render_html(masked),
        render_markdown(masked),
        build_message(contacted).text(),
        json.dumps(build_card(build_message(contacted)), ensure_ascii=False),
    ]
    for text in texts:
        assert "cli_" in text
        assert "Building 7" not in text
        for app in apps:
            assert f"{app.name} (" not in text
            assert not re.search(rf"(?<!\w){re.escape(app.owner)}(?!\w)", text)
            assert app.app_id not in text
    mask = Masker({"findings": [{"owner": "李娜", "entity_type": "app", "entity": "cli_1"}]})
    assert "李娜" not in mask("请询问李娜是否")


def test_a_named_network_stands_beside_its_addresses(report):
    reasons = json.dumps([finding["reasons"] for finding in report.data["findings"]])
    assert "/24 (branch Wuhan)" in reasons
    assert any(label.endswith(" (branch Wuhan)") for label in report.data["labels"].values())
    assert "branch Wuhan" in render_html(report.data)


def test_without_an_inventory_nothing_but_one_sentence_is_said(nameless, report):
    data = nameless.data
    sentence = data["inventory"]["text"]
    assert "audit-analytics apps sync" in sentence
    assert (data["labels"], data["permissions"]) == ({}, None)
    assert {(f["name"], f["owner"], *f["about"]) for f in data["findings"]} == {("", "")}
    assert render_markdown(data).count(sentence) == 1
    page = render_html(data)
    assert page.count(sentence) == 1
    assert "ermission nobody" not in page
    ids = [[f[k] for k in ("finding_id", "severity", "p", "key")] for f in data["findings"]]
    assert ids == [
        [f[k] for k in ("finding_id", "severity", "p", "key")] for f in report.data["findings"]
    ], "a name is no reason"
    assert "apps" not in data["run"]["config"]
    assert "networks" not in data["run"]["config"]


def test_names_of_strangers_are_inert(log, strange):
    assert EVIL[:10] in strange.data["findings"][0]["name"]
    page, text = render_html(strange.data), render_markdown(strange.data)
    assert "<b>@all" not in page
    assert "\u202e" not in page + text + "\n".join(strange.lines())
    assert "<b>@all" not in text.replace("\\", "").replace("`", "") or "\\<b" in text
    message = build_message(strange.data, raw_ids=True).text()
    assert "@all" not in message
    assert "http://" not in message
    assert strange.data["findings"][0]["entity"] in aa.apps.load(log).apps


def test_a_permission_that_is_used_or_withdrawn_disappears_and_the_report_says_so(report, strange):
    rows = report.data["permissions"]["rows"]
    assert rows
    assert rows[0]["level"] == max(row["level"] for row in rows)
    resolved = strange.data["permissions"]["resolved"]
    assert [(row["scope"], row["how"]) for row in resolved] == [("im:chat", "withdrawn")]
    assert "im:chat was withdrawn" in render_html(strange.data).replace("<code>", "")


def test_labels_of_an_app_with_no_name_are_its_id():
    assert Labels(Inventory.of([App(app_id="cli_1")])).of("app", "cli_1") == "cli_1"
