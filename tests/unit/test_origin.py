"""Where addresses are from: read from any supplier's file, said beside them, no news at home."""

from __future__ import annotations

import json
import socket

import pytest
from mmdb import write_mmdb
from stand_ins import Flat
from tenant import FIRST, WEEK, calls, clock, hourly, local, make_events, spread

import audit_analytics as aa
from audit_analytics.deliver._message import build_message
from audit_analytics.errors import ConfigError
from audit_analytics.inventory import Labels, Origins
from audit_analytics.report import render_html
from audit_analytics.report._markdown import render_markdown
from audit_analytics.settings import Settings

NOON = local("2026-11-11 12:00")
SHANGHAI = {"as_name": "Alpha Cloud", "cloud_region": "sh-1", "country_code": "CN", "hosting": True}
ELSEWHERE = {"as_name": "Beta Hosting", "country_code": "NL", "hosting": True}


def test_what_suppliers_call_it_is_found(tmp_path):
    path = write_mmdb(
        tmp_path / "x.mmdb",
        {
            "192.0.2.0/24": {"autonomous_system_number": 64500}
            | {"autonomous_system_organization": "Alpha  Cloud\n"},
            "198.51.100.0/25": {
                "traits": {"isp": "Beta", "is_anonymous_vpn": True},
                "registered_country": {"iso_code": "NL"},
                "country": {"iso_code": "DE"},
                "subdivisions": [{"iso_code": "NH"}],
            },
            "203.0.113.0/24": {"is_tor_exit_node": True, "country": "CN", "as_name": "x" * 500},
            "2001:db8::/32": SHANGHAI,
            "198.51.100.128/25": {"as_name": 5, "country": {"geoname_id": 1}, "city": []},
        },
    )
    origins = Origins(path)
    found = {
        ip: str(origins.find(ip)) if origins.find(ip) else ""
        for ip in ("192.0.2.7", "198.51.100.7", "203.0.113.7", "2001:db8::7", "198.51.100.200")
    }
    assert found["192.0.2.7"] == "Alpha Cloud"
    assert found["198.51.100.7"] == "Beta, VPN, NH, NL"
    assert found["203.0.113.7"].endswith("…, Tor, CN")
    assert found["2001:db8::7"] == "Alpha Cloud, hosting, sh-1, CN"
    assert found["198.51.100.200"] == ""
    for unknown in ("10.0.0.1", "", "platform", "3f2a", "198.51.100.0/24", "0.0.0.0/0"):
        assert origins.find(unknown) is None, unknown
    assert origins.find("198.51.100.0/25").country == "NL"
    labels = Labels(None, {"192.0.2.0/28": "office"}, origins)
    assert labels.of("ip", "192.0.2.7") == "192.0.2.7 (office)", "named networks come first"
    assert labels.of("ip", "192.0.2.77") == "192.0.2.77 (Alpha Cloud)"
    assert not Origins()


def test_a_file_nobody_can_read_is_refused(tmp_path):
    bad = tmp_path / "bad.mmdb"
    for content in (b"", b"no database", b"\xab\xcd\xefMaxMind.com"):
        bad.write_bytes(content)
        with pytest.raises(ConfigError, match="origin_file"):
            aa.analyze([], origin_file=bad)
    with pytest.raises(ConfigError, match="origin_file"):
        Origins(tmp_path / "none.mmdb")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("origin")
    usual = [calls("cli_a", hourly(FIRST, WEEK.end_at), ip="198.51.100.9")]
    usual += [calls(f"cli_{n}", hourly(FIRST, WEEK.end_at), ip=f"10.0.{n}.1") for n in range(8)]
    # a job that is moved within its cloud, and a secret that is used elsewhere
    moves = [
        calls("cli_a", spread(NOON, 20), ip="192.0.2.9"),
        calls("cli_3", spread(NOON, 20), ip="203.0.113.9"),
    ]
    path = write_mmdb(
        folder / "asn.mmdb",
        {"198.51.100.0/24": SHANGHAI, "192.0.2.0/24": SHANGHAI, "203.0.113.0/24": ELSEWHERE},
    )
    events = make_events(clock(), *usual, *moves)

    def refuse(*_args, **_options):
        raise AssertionError("no network call")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        settings = Settings(budget_per_week=1000, origin_file=path)
        return aa.analyze(events, settings=settings, week=WEEK.iso, detector=Flat())


def test_every_output_says_where_an_address_is_from(report, tmp_path):
    label = "203.0.113.9 (Beta Hosting, hosting, NL)"
    [stolen] = [f for f in report.data["findings"] if f["entity"] == "cli_3"]
    assert "203.0.113.0/24 (Beta Hosting, hosting, NL)" in stolen["sentence"]
    texts = {name: path.read_text() for name, path in report.write(tmp_path / "out").items()}
    assert label in texts["evidence.csv"]
    assert json.loads(texts["findings.json"])["labels"]["203.0.113.9"] == label
    page, brief = render_html(report.data), render_markdown(report.data)
    told = report.finding(stolen["rank"])
    for text in (page, brief, *report.lines(), told.explain(), build_message(report.data).text()):
        assert "Beta Hosting, hosting, NL" in " ".join(text.split()) or text in report.lines()
    assert "Beta Hosting" in "".join(report.lines())
    assert label in page
    assert label in " ".join(told.explain().split())
    said = "Where addresses are from: Test-ASN of 20"
    assert said in page
    assert said in brief
    assert "(Tests, CC0)" in report.data["origins"]["text"]
    assert any(said in note for note in report.notes())


def test_a_move_within_the_provider_and_region_of_an_app_is_no_foreign_network(report):
    def news(app):
        found = [f for f in report.data["findings"] if f["entity"] == app]
        return [r for f in found for r in f["reasons"] if "net" in r["detector"].lower()]

    assert [reason["detector"] for reason in news("cli_3")] == ["NEWNET", "rule:new_network"]
    assert [reason["detector"] for reason in news("cli_a")] == ["NEWNET"]
    assert "of the provider and region it uses anyway" in news("cli_a")[0]["text"]
