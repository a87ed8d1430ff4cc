"""What a delivery says: coverage first, nothing raw, nothing that acts."""

import copy
import csv
import ipaddress
import json
import re
from datetime import UTC, datetime
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_fixture import (
    HOSTILE,
    make_empty_report,
    make_gaps_report,
    make_hostile_report,
    make_large_report,
    make_report,
)

from audit_analytics.deliver._mask import Masker, mask_report
from audit_analytics.deliver._message import (
    CARD_BYTES_MAX,
    MAX_FINDINGS,
    build_card,
    build_message,
    find_overdue,
)
from audit_analytics.report import inert, render_html


def make_clean_report():
    report = make_report()
    report["findings"] = []
    return report


def texts_of(card, tag):
    """Return every text of a card that has this tag."""
    if isinstance(card, dict):
        own = [card["content"]] if card.get("tag") == tag else []
        return own + [text for part in card.values() for text in texts_of(part, tag)]
    if isinstance(card, list):
        return [text for part in card for text in texts_of(part, tag)]
    return []


def test_a_clean_week_is_a_heartbeat():
    message = build_message(make_clean_report())
    assert message.state == "clean"
    assert message.title == "OpenAPI audit log, 2026-W47: clean, the log is complete"
    assert message.coverage.startswith("Log complete: 168 of 168 hours")
    assert build_card(message)["header"]["template"] == "green"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r["coverage"].update(week_status="gaps", hours_covered_count=157),
        lambda r: r["coverage"].update(week_status="empty", hours_covered_count=0),
        lambda r: r["coverage"].update(rejects_count=r["coverage"]["rows_read_count"] // 50),
        lambda r: r["assessed"].update(apps_count=0),
    ],
    ids=["gaps", "empty", "many rejects", "nobody assessed"],
)
def test_nothing_is_clean_over_missing_data(spoil):
    report = make_clean_report()
    spoil(report)
    message = build_message(report)
    said = message.text() + json.dumps(build_card(message))
    assert message.state in {"incomplete", "empty"}
    assert "clean" not in said
    assert build_card(message)["header"]["template"] != "green"


@pytest.mark.parametrize("make", [make_gaps_report, make_empty_report])
def test_missing_hours_are_said_before_anything_else(make):
    message = build_message(make())
    assert message.coverage.startswith("DATA INCOMPLETE")
    elements = build_card(message)["elements"]
    assert elements[0]["text"]["content"] == message.coverage
    assert message.text().splitlines()[2] == message.coverage


def test_findings_in_a_week_with_gaps_carry_the_warning_in_the_title():
    report = make_report()
    report["coverage"] |= {"week_status": "gaps", "hours_covered_count": 157}
    message = build_message(report)
    assert message.title.endswith("8 findings, data incomplete")
    assert message.coverage.startswith("DATA INCOMPLETE: 11 of 168 hours")


def test_a_week_that_was_never_fetched_is_missed():
    now = datetime(2026, 12, 7, 1, tzinfo=UTC)
    overdue = find_overdue("2026-W47", now, "Asia/Shanghai")
    message = build_message(make_clean_report(), overdue=overdue)
    assert overdue == "2026-W49"
    assert message.state == "incomplete"
    assert "2026-W49 is over too" in message.coverage


def test_the_week_is_over_when_the_tenants_clocks_say_so():
    late_sunday = datetime(2026, 11, 22, 17, tzinfo=UTC)  # Monday 01:00 in Shanghai
    assert find_overdue("2026-W46", late_sunday, "Asia/Shanghai") == "2026-W47"
    assert find_overdue("2026-W46", late_sunday, "Europe/Berlin") == ""
    assert find_overdue("2026-W53", datetime(2027, 1, 11, tzinfo=UTC), "UTC") == "2027-W01"


def test_at_most_five_findings_and_how_many_more():
    message = build_message(make_large_report(50))
    assert len(message.lines) == MAX_FINDINGS == 5
    assert message.more_count == 45
    assert "50 findings" in message.counts
    card = build_card(message)
    assert len(texts_of(card, "lark_md")) == 5
    assert "... and 45 more in the report" in texts_of(card, "plain_text")


@given(st.lists(st.text(max_size=5000), min_size=1, max_size=8))
def test_a_card_fits_whatever_the_log_holds(sentences):
    report = make_report()
    report["findings"] = [
        {"entity_type": "app", "entity": text, "sentence": text, "severity": "high"}
        for text in sentences
    ]
    for raw_ids in (False, True):
        message = build_message(report, raw_ids=raw_ids)
        card = build_card(message)
        assert len(json.dumps(card).encode()) <= CARD_BYTES_MAX
        shown = len(texts_of(card, "lark_md"))
        assert shown == min(len(sentences), 5) or f"and {len(sentences) - shown} more" in str(card)


def test_a_card_of_the_longest_escapes_drops_findings_and_says_so():
    report = make_large_report(5)
    for finding in report["findings"]:
        finding["sentence"] = "\U000e0100" * 600
    card = build_card(build_message(report, raw_ids=True))
    assert len(json.dumps(card).encode()) <= CARD_BYTES_MAX


@pytest.mark.parametrize("raw_ids", [False, True])
def test_hostile_names_neither_mention_link_nor_format(raw_ids):
    report = make_hostile_report()
    report["findings"][0]["sentence"] = (
        '<at id=all></at> <at user_id="ou_1">x</at> @all **b** [x](https://evil.example) \u202e'
    )
    card = build_card(build_message(report, raw_ids=raw_ids))
    own_words = re.compile(r"[◆▲■●○?] \*\*(CRITICAL|HIGH|MEDIUM|LOW|NONE|UNKNOWN)\*\*")
    assert all(own_words.fullmatch(text) for text in texts_of(card, "lark_md"))
    for text in texts_of(card, "plain_text"):
        assert text.isprintable()
        assert not re.search(r"[<>@]|://|www\.|\.example", text)


@given(st.text())
def test_inert_text_stays_inert(text):
    said = inert(text)
    assert said.isprintable() or set(said) & {"\u00a0", "\u202f", "\u3000"}
    assert not re.search(r"[<>@]|://", said)


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        ("cli_a6cfee2e522c10f9", "cli_a6cf…10f9"),
        ("from 203.0.113.77, 198.51.100.9.", "from 203.0.113.x, 198.51.100.x."),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.113.64/26", "203.0.113.x"),
        ("2001:db8:7:1::9.", "2001:db8:7::/48."),
        ("::ffff:203.0.113.7", "203.0.113.x"),
        ("ou_7d8a6e6df7621556ce0d21922b676706ccs", "[id]"),
        ("t-g1044qeGEDXTB6NDJOGV4JQCYDGHRBARFTGT1234", "[id]"),
        ("call +86 13800138000", "call +86 [id]"),
        ("ann@corp.example", "[mail]"),
        ("between 02:00 and 05:00 on Tue 10 Nov", "between 02:00 and 05:00 on Tue 10 Nov"),
        ("at 2026-11-16T18:00:07Z", "at 2026-11-16T18:00:07Z"),
        ("4,312 calls; 0 to 6 were expected", "4,312 calls; 0 to 6 were expected"),
    ],
)
def test_ids_and_addresses_are_masked_by_their_looks(raw, masked):
    assert Masker({})(raw) == masked


def test_no_api_of_the_catalogue_is_taken_for_an_id():
    text = resources.files("audit_analytics.catalogue").joinpath("apis.csv").read_text("utf-8")
    apis = [" ".join(row.values()) for row in csv.DictReader(text.splitlines())]
    mask = Masker({})
    assert len(apis) > 1000
    assert [api for api in apis if mask(api) != api] == []


def test_a_name_that_looks_like_nothing_is_masked_alike_everywhere():
    report = make_report()
    report["findings"][0] |= {
        "entity": "通讯录助手",
        "sentence": "通讯录助手 called, as 通讯录助手.",
    }
    line = build_message(report).lines[0].sentence
    assert re.fullmatch(r"(app-[0-9a-f]{6}) called, as \1\.", line)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_survives(address):
    assert str(address) not in Masker({})(f"seen from {address}, {address}:443 and ({address}).")


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_keeps_its_first_48_bits_at_most(address):
    said = Masker({})(f"seen from {address} twice").split()[2]
    if said.endswith(".x"):  # it stood for an IPv4 address
        return
    network = ipaddress.ip_network(said)
    assert network.prefixlen == 48
    assert address in network


def test_a_masked_report_is_drawn_without_a_raw_name(sample_report):
    raw = sample_report.data
    names = {finding["entity"] for finding in raw["findings"]}
    names |= {row["app_id"] for f in raw["findings"] for row in f["evidence"]["rows"]}
    names |= {row["ip"] for f in raw["findings"] for row in f["evidence"]["rows"]}
    names |= {name for f in raw["findings"] for name in f["evidence"]["ids"]}
    names |= {row["name"] for key in ("apps", "ips") for row in raw["top"][key]}
    before = copy.deepcopy(raw)
    objects = {row["object_name"] for f in raw["findings"] for row in f["evidence"]["rows"]}
    names |= {part for name in objects for part in name.split("/") if part}
    masked = mask_report(raw)
    html = render_html(masked)
    assert raw == before
    assert len(names) > 50
    # whole names: 203.0.113.1 may begin another number
    assert names & {word.strip(".:") for word in re.split(r"[^\w.:-]", html)} == set()
    assert all("report on the machine" in f["suppression"] for f in masked["findings"])


@pytest.mark.parametrize("name", ["high", "app", "entity", "ok", "findings", "name", "2026-W47"])
def test_an_app_that_bears_a_word_of_ours_changes_nothing_else(name):
    report = make_report()
    report["findings"][0] |= {"entity": name}
    masked = mask_report(report)
    assert masked["findings"][1]["severity"] == report["findings"][1]["severity"]
    assert masked["week"] == report["week"]
    assert masked.keys() == report.keys()
    assert masked["findings"][0].keys() == report["findings"][0].keys()


def test_a_hostile_report_can_be_masked_and_drawn():
    report = make_hostile_report()
    del report["findings"][4:]
    report["findings"][0]["entity"] = "high"
    report["findings"][1]["entity"] = "true"
    masked = mask_report(report)
    html = render_html(masked)
    assert "confirmed on 2026-11-17" in html
    assert HOSTILE["script"] not in html
