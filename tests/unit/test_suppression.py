import tomllib
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenant import HOUR, READ, WEEK, ZONE, local

from audit_analytics.cases import Case, Hit
from audit_analytics.detect import choose_reasons
from audit_analytics.errors import ConfigError, InputError
from audit_analytics.findings._follow_up import tell_suppressions
from audit_analytics.review._parting import split_hits
from audit_analytics.review._suppression import (
    Suppression,
    append_suppression,
    draft_suppression,
    read_suppressions,
    suggest_suppression,
)
from audit_analytics.review._toml_file import _parse_entries

NOON = local("2026-11-11 12:00")
HIT = Hit(
    detector="NEWNET",
    kind="unusual_ip",
    entity_type="app",
    entity="cli_a",
    start_at=NOON,
    end_at=NOON + HOUR,
    observed=4.0,
    unit="calls",
    p=1e-4,
    where={"app_id": ("cli_a",), "network": ("203.0.113.0/24",)},
)
ENTRY = """
# agreed with the owner
[[suppress]]
entity_type = "app"
entity = "cli_a"
detectors = ["VOL", "unusual_ip"]
owner = "ops"
reason = "backfill"
created = 2026-11-09
expires = 2026-11-11
"""


def entry(**fields):
    given = {"entity": "cli_a", "owner": "ops", "reason": "x", "expires": date(2026, 12, 31)}
    return Suppression(**{**given, **fields})


def read(tmp_path, text):
    path = tmp_path / "suppressions.toml"
    path.write_text(text, encoding="utf-8")
    return read_suppressions(path)


def test_the_file_is_read(tmp_path):
    (found,) = read(tmp_path, ENTRY)
    assert (found.entity, found.detectors) == ("cli_a", ("VOL", "unusual_ip"))
    assert found.expires == date(2026, 11, 11)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ENTRY.replace("expires", "expire"), r"entry 1 .*'expire'; did you mean 'expires'"),
        (ENTRY.replace("[[suppress]]", "[[supress]]"), r"'supress'; entries begin with \[\[supp"),
        (ENTRY.replace("[[suppress]]", "[suppress]"), "no list of entries"),
        (ENTRY.replace('"VOL"', '"VOLL"'), "no detector 'VOLL'; did you mean 'VOL'"),
        (ENTRY.replace('owner = "ops"', 'owner = ""'), "entry 1 .*owner"),
        (ENTRY.replace('reason = "backfill"', ""), "entry 1 .*reason"),
        (ENTRY.replace("expires = 2026-11-11", ""), "entry 1 .*expires"),
        (ENTRY.replace("2026-11-11", '"soon"'), "entry 1 .*expires"),
        (ENTRY + 'networks = ["203.0.113"]', "entry 1 .*networks"),
        ('[[suppress]]\nowner = "o"\nreason = "r"\nexpires = 2026-11-11', "would hide all"),
        (ENTRY + ENTRY, "stands there twice"),
        ("[[suppress", "not valid TOML"),
        ("a = " + "[" * 9999, "nested too deeply"),
        ("a = " + "9" * 9999, "not valid TOML"),
    ],
)
def test_a_slip_names_the_entry_and_what_was_meant(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "suppressions.toml") in str(caught.value)


def test_a_missing_file_and_one_that_is_no_text_say_so(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_suppressions(tmp_path / "nowhere.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_suppressions(tmp_path / "b.toml")


@pytest.mark.parametrize(
    ("fields", "covered"),
    [
        ({}, True),
        ({"entity": "cli_b"}, False),
        ({"entity_type": "ip"}, False),
        ({"detectors": ("NEWNET",)}, True),
        ({"detectors": ("unusual_ip",)}, True),
        ({"detectors": ("VOL",)}, False),
        ({"networks": ("203.0.112.0/23",)}, True),
        ({"networks": ("203.0.113.7",)}, False),
        ({"networks": ("2001:db8::/32", "platform")}, False),
        ({"apis": (READ,)}, False),  # the hit does not say that it is about this API alone
        ({"entity": "", "networks": ("203.0.113.0/24",)}, True),
    ],
)
def test_an_entry_covers_what_lies_within_all_it_names(fields, covered):
    assert entry(**fields).covers(HIT) is covered


def test_an_entry_for_one_api_does_not_cover_a_hit_about_two():
    both = replace(HIT, where={"app_id": ("cli_a",), "api": (READ, "GET/x")})
    assert not entry(apis=(READ,)).covers(both)
    assert entry(apis=(READ, "GET/x")).covers(both)


def test_it_covers_its_last_day_on_the_tenants_clocks_and_no_longer():
    last = entry(expires=date(2026, 11, 11))
    hits = [replace(HIT, start_at=local(text)) for text in ("2026-11-11 23:59", "2026-11-12 00:00")]
    split = split_hits(hits, [last], zone=ZONE)
    assert split.suppressed == [(hits[0], last.suppression_id)]
    assert split.kept == [hits[1]]


def case(expected, p=1e-4):
    return Case(entity_type="app", entity="cli_a", p=p, expected_per_week=expected, q=0.1)


def left(hits, suppressions, cases, budget=10):
    kept = split_hits(hits, suppressions, zone=ZONE).kept
    return choose_reasons(kept, cases, every=hits, budget=budget)


def test_what_is_left_is_rated_by_what_is_left():
    volume = replace(HIT, detector="VOL", kind="volume", p=1e-3, where={"app_id": ("cli_a",)})
    found = left([HIT, volume], [entry(detectors=("NEWNET",))], [case(0.5)])
    assert found.hits == [volume]
    assert found.cases[0].expected_per_week == pytest.approx(5)
    # by itself it would not have been reported
    assert not left([HIT, volume], [entry(detectors=("NEWNET",))], [case(0.5)], budget=4).hits
    assert left([HIT, volume], [entry(detectors=("VOL",))], [case(0.5)]).cases == [case(0.5)]
    nothing, whole = left([HIT], [entry()], [case(0.5)]), left([HIT], [], [case(0.5)])
    assert (nothing.hits, nothing.cases) == ([], [])
    assert (whole.hits, whole.cases) == ([HIT], [case(0.5)])


def test_point_2_a_suppression_does_not_hide_a_reason_that_was_passed_over_for_those_it_names():
    names = ("NEWNET", "ERR", "SENS", "API", "VOL", "OBJ")
    hits = [replace(HIT, detector=name, p=1e-4 * 1.1**n) for n, name in enumerate(names)]
    whole = left(hits, [], [case(0.5)])
    assert [hit.detector for hit in whole.hits] == list(names[:4])
    assert whole.untold == {("app", "cli_a"): ["VOL", "OBJ"]}
    found = left(hits, [entry(detectors=names[:4])], [case(0.5)])
    assert [hit.detector for hit in found.hits] == ["VOL"]
    found = left(hits, [entry(detectors=names[:5])], [case(0.5)])
    assert [hit.detector for hit in found.hits] == ["OBJ"]
    # the ready-made entry names all that spoke, or the next would speak up
    text = suggest_suppression(whole.hits, whole.untold["app", "cli_a"], WEEK)
    assert tuple(tomllib.loads(text)["suppress"][0]["detectors"]) == names


def test_every_entry_tells_its_hits_and_when_it_last_hit():
    unused, used = entry(entity="cli_z"), entry(detectors=("NEWNET",))
    expired = entry(expires=date(2026, 11, 8))
    entries = [expired, used, unused]
    split = split_hits([HIT, replace(HIT, start_at=NOON - HOUR)], entries, zone=ZONE)
    before = [{"suppression_id": unused.suppression_id, "last_hit_at": "2026-11-01T00:00:00Z"}]
    rows = tell_suppressions(entries, split, week=WEEK, before=before)
    assert [row["status"] for row in rows] == ["expired", "active", "active"]
    assert [row["hits_count"] for row in rows] == [0, 2, 0]
    assert [row["is_new"] for row in rows] == [True, True, False], "whatever day it names"
    dated = [entry(), entry(created=date(2026, 11, 8)), entry(created=date(2026, 11, 9))]
    alone = tell_suppressions(dated, split, week=WEEK, before=None)
    assert [row["is_new"] for row in alone] == [False, False, True]
    assert [row["last_hit_at"] for row in rows] == [
        None,
        "2026-11-11T05:00:00Z",
        "2026-11-01T00:00:00Z",
    ]


NAMES = st.text(min_size=1, max_size=12) | st.sampled_from(
    ['"', "\n[[suppress]]\n", "'''", "\x00\x1f\x7f\x85", "\u2028", "😀", "\\u0000", "\u202e"]
)


@settings(max_examples=80, deadline=None)
@given(entity=NAMES, reason=NAMES, api=NAMES)
def test_an_entry_reads_back_as_it_was_written(entity, reason, api):
    written = entry(entity=entity, reason=reason, apis=(api,), created=date(2026, 11, 9))
    (found,) = _parse_entries(written.to_toml(), "suppress", Suppression, where="here")
    assert found == written
    assert found.suppression_id == written.suppression_id


def test_the_ready_made_entry_lacks_owner_and_reason_only():
    text = suggest_suppression([HIT], [], WEEK)
    values = tomllib.loads(text)["suppress"][0]
    assert (values["owner"], values["reason"]) == ("", "")
    found = Suppression.model_validate(values | {"owner": "o", "reason": "r"})
    assert found.covers(HIT)
    assert found.ends_at(ZONE) > WEEK.end_at


def test_adding_an_entry_keeps_what_people_wrote(tmp_path):
    path = tmp_path / "deep" / "suppressions.toml"
    append_suppression(path, entry())
    path.write_text(f"# reviewed on Monday\n{path.read_text()}", encoding="utf-8")
    append_suppression(path, entry(entity="cli_b"))
    assert path.read_text(encoding="utf-8").startswith("# reviewed on Monday\n")
    assert [e.entity for e in read_suppressions(path)] == ["cli_a", "cli_b"]
    assert [p.name for p in path.parent.iterdir()] == ["suppressions.toml"]


def test_a_broken_file_is_not_added_to(tmp_path):
    path = tmp_path / "suppressions.toml"
    path.write_text("[[suppress]]\nentty = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="entty"):
        append_suppression(path, entry())
    assert path.read_text(encoding="utf-8") == "[[suppress]]\nentty = 1\n"


FINDING = {
    "finding_id": "f-1",
    "entity_type": "app",
    "entity": "cli_a",
    "detectors": ["NEWNET"],
    "untold": ["OBJ"],
    "reasons": [{"scope": {"app_id": ["cli_a"], "network": ["203.0.113.0/24"]}}],
}


def draft(*parts, finding=FINDING):
    days = {"created": date(2026, 11, 9), "expires": date(2026, 12, 31)}
    return draft_suppression(finding, parts, owner="o", reason="r", **days)


def test_a_suppression_of_a_finding_is_as_wide_as_asked():
    assert draft("network").networks == ("203.0.113.0/24",)
    assert draft("network").entity == ""
    assert draft("entity").detectors == ()
    assert draft("entity", "detector").detectors == ("NEWNET", "OBJ")
    with pytest.raises(InputError, match="does not say which api"):
        draft("api")


@pytest.mark.parametrize(
    ("network", "says"), [("", "does not say which network"), ("5f3a9c0e1b2d4f60", "covered so")]
)
def test_point_4_a_finding_without_an_address_cannot_be_narrowed_to_its_network(network, says):
    found = FINDING | {"reasons": [{"scope": {"app_id": ["cli_a"], "network": [network]}}]}
    with pytest.raises(InputError, match=says):
        draft("network", finding=found)
    assert draft("entity", finding=found).entity == "cli_a"
