"""Rules about stolen secrets: single writes, chains, refused addresses, this tool's own app."""

import inspect
from dataclasses import replace

import pandas as pd
import pytest
from tenant import (
    DAY,
    EXPORT,
    FIRST,
    HOUR,
    SEND,
    TOKEN,
    WEEK,
    build_input,
    calls,
    clock,
    hourly,
    local,
    make_events,
    spread,
)

from audit_analytics.detect import Rule, limit_hits, list_detectors, run_rules
from audit_analytics.detect.rules.auth_failures import find_auth_failures
from audit_analytics.detect.rules.chain import find_chain
from audit_analytics.detect.rules.error_burst import find_error_burst
from audit_analytics.detect.rules.first_sensitive import find_first_sensitive
from audit_analytics.detect.rules.high_impact_write import find_high_impact_write
from audit_analytics.detect.rules.mass_delete import find_mass_delete
from audit_analytics.detect.rules.outage import find_outage
from audit_analytics.detect.rules.own_app import find_own_misuse
from audit_analytics.detect.rules.probing import find_probing
from audit_analytics.detect.rules.refused_address import find_refused_address
from audit_analytics.errors import DataIncompleteError, InputError
from audit_analytics.findings import explain_hit

NOON = local("2026-11-11 12:00")
PAST = local("2026-11-03 12:00")
AWAY = "203.0.113.7"
ROLE = {
    "api": "POST/open-apis/contact/v3/functional_roles",
    "category": "role_grant",
    "severity": "critical",
}
CHATS = {"api": "GET/open-apis/im/v1/chats", "category": "chat_enum", "severity": "medium"}
MESSAGES = {"api": "GET/open-apis/im/v1/messages", "category": "message_read", "severity": "high"}
REPLY = {"api": SEND, "category": "message_send", "severity": "low"}
AUDIT = {
    "api": "GET/open-apis/admin/v1/audit_infos",
    "category": "audit_access",
    "severity": "high",
}


def run(rule, *parts, history=True, own_apps=(), **rules):
    start = FIRST if history else WEEK.start_at
    events = make_events(clock(start), *parts)
    return list(rule(build_input(events, own_apps=own_apps, **rules)))


def about(hits):
    return [(hit.entity, hit.observed, hit.alone) for hit in hits]


def old(app, **columns):
    """Make an app with a past."""
    return calls(app, hourly(FIRST, WEEK.end_at), **columns)


def test_one_write_of_high_impact_is_enough():
    member = {"api": "POST/open-apis/drive/v1/permissions/:token/members", "severity": "high"}
    hits = run(
        find_high_impact_write,
        calls("cli_a", [NOON], **ROLE),
        calls("cli_denied", [NOON], outcome="permission", **ROLE),
        calls("cli_known", [PAST, NOON], **ROLE),
        calls("cli_member", [NOON], category="drive_permission", **member),
        calls("cli_reads", [NOON], **{**ROLE, "api": "GET/open-apis/contact/v3/functional_roles"}),
    )
    assert about(hits) == [("cli_a", 1, True), ("cli_member", 1, True)]
    assert {hit.severity for hit in hits} == {"high"}
    assert run(find_high_impact_write, calls("cli_a", [NOON], **ROLE), history=False) == []


def test_a_change_of_a_kind_that_apps_take_to_every_week_is_no_finding_by_itself():
    share = {"category": "drive_permission", "severity": "high"}
    api = "POST/open-apis/drive/v1/permissions/:token/members"
    now = calls("cli_a", [NOON], api=api, **share), calls("cli_b", [NOON], **ROLE)
    others = [calls(f"cli_{n}", [PAST - n * 5 * DAY], api=api, **share) for n in range(3)]
    alone = {hit.entity: hit.alone for hit in run(find_high_impact_write, *now, *others)}
    assert alone == {"cli_a": False, "cli_b": True}
    rated = {hit.entity: hit.severity for hit in run(find_high_impact_write, *now, *others[:2])}
    assert rated == {"cli_a": "high", "cli_b": "high"}


@pytest.mark.parametrize("category", ["approval_action", "hr_write"])
def test_an_approval_by_api_is_told_where_no_app_was_ever_served_it(category):
    approve = {"category": category, "severity": "high"}
    approve["api"] = "POST/open-apis/approval/v4/tasks/approve"
    now, before = calls("cli_a", [NOON], **approve), calls("cli_flow", [PAST], **approve)
    assert [hit.severity for hit in run(find_high_impact_write, now)] == ["medium"]
    assert run(find_high_impact_write, now, before) == []


REMOVE = {
    "api": "DELETE/open-apis/drive/v1/files/:file_token",
    "category": "destructive",
    "severity": "medium",
}


def remove(app, number, at=NOON, **options):
    return calls(app, spread(at, number), **REMOVE, **options)


def test_the_first_mass_deletion_of_an_app_with_a_past_is_told():
    apps = ["cli_a", "cli_few", "cli_denied", "cli_across", "cli_always", "cli_more"]
    past = [calls(app, hourly(FIRST, FIRST + 2 * DAY)) for app in apps]
    hits = run(
        find_mass_delete,
        *past,
        remove("cli_a", 40),
        remove("cli_few", 29),
        remove("cli_denied", 40, outcome="permission"),
        remove("cli_new", 400),
        remove("cli_across", 40, NOON + HOUR / 2),
        *(remove("cli_always", 40, at) for at in (PAST, NOON)),
        *(remove("cli_more", n, at) for n, at in ((40, PAST), (121, NOON))),
    )
    assert {hit.entity: hit.observed for hit in hits} == {
        "cli_a": 40.0,
        "cli_across": 40.0,
        "cli_more": 121.0,
    }
    assert {hit.severity for hit in hits} == {"high"}
    said = {hit.entity: explain_hit(hit, "UTC") for hit in hits}
    assert "which it never did before" in said["cli_a"]
    assert "more than three times what it ever did" in said["cli_more"]


def test_where_some_app_cleans_up_every_week_a_clean_up_of_that_size_is_no_finding_by_itself():
    apps = [f"cli_{n}" for n in range(3)]
    past = [calls(app, hourly(FIRST, FIRST + 2 * DAY)) for app in ("cli_a", "cli_b", *apps)]
    cleaned = [remove(app, 100, PAST - n * 5 * DAY) for n, app in enumerate(apps)]
    hits = run(find_mass_delete, *past, *cleaned, remove("cli_a", 60), remove("cli_b", 300))
    assert {hit.entity: hit.alone for hit in hits} == {"cli_a": False, "cli_b": True}


def test_in_a_log_of_twelve_days_a_change_is_a_first_one_after_seven():
    start = WEEK.start_at - 5 * DAY
    log = make_events(
        clock(start),
        calls("cli_a", [start + 10 * DAY], **ROLE),
        calls("cli_early", [start + 6 * DAY], **ROLE),
        calls("cli_known", [start + 6 * DAY, start + 10 * DAY], **ROLE),
    )
    assert [hit.entity for hit in find_high_impact_write(build_input(log))] == ["cli_a"]


def test_shaping_the_organisation_is_told_where_nobody_does():
    department = {"category": "org_structure_write", "severity": "medium"}
    api = "DELETE/open-apis/contact/v3/departments/:department_id"
    write = calls("cli_a", [NOON], api=api, **department)
    hits = run(
        find_high_impact_write,
        write,
        calls("cli_denied", [NOON], api=f"{api}/denied", outcome="permission", **department),
        calls("cli_reads", [NOON], api="GET/open-apis/contact/v3/departments", **department),
    )
    assert [(hit.entity, hit.severity) for hit in hits] == [("cli_a", "medium")]
    other = calls("cli_hr", [PAST], api=api, **department)
    assert run(find_high_impact_write, write, other) == []
    # a tenant in which every week another app shapes it in a way of its own is growing
    growing = [
        calls(f"cli_{week}", [PAST - week * 7 * DAY], api=f"{api}/{week}", **department)
        for week in range(3)
    ]
    assert len(run(find_high_impact_write, write, *growing[:1])) == 1
    assert run(find_high_impact_write, write, *growing) == []
    assert len(run(find_high_impact_write, calls("cli_a", [NOON], **ROLE), *growing)) == 1


def test_one_more_api_of_a_kind_that_the_app_is_used_for_only_supports():
    pay = {"category": "payroll_read", "severity": "critical"}
    one, two = "GET/open-apis/payroll/v1/a", "GET/open-apis/payroll/v1/b"
    hits = run(
        find_first_sensitive,
        calls("cli_a", [NOON], api=two, **pay),
        calls("cli_pays", [PAST, NOON], api=one, **pay),
        calls("cli_pays", [NOON], api=two, **pay),
        calls("cli_tried", [PAST], api=one, outcome="permission", **pay),
        calls("cli_tried", [NOON], api=two, **pay),
    )
    assert about(hits) == [("cli_a", 1, True), ("cli_pays", 1, False), ("cli_tried", 1, True)]


def chain(app, *, order=(CHATS, MESSAGES, REPLY), at=NOON, every=HOUR, **columns):
    return [calls(app, [at + n * every], **{**step, **columns}) for n, step in enumerate(order)]


def test_a_chain_of_discovering_collecting_and_sending():
    hits = run(
        find_chain,
        *(old(f"cli_{name}") for name in ("a", "denied", "slow", "backwards", "usual", "partly")),
        *chain("cli_a"),
        *chain("cli_denied", outcome="permission"),
        *chain("cli_slow", every=13 * HOUR),
        *chain("cli_backwards", order=(REPLY, MESSAGES, CHATS)),
        # what an app did before is its job, with whatever APIs
        *chain("cli_usual", at=PAST, order=({**CHATS, "api": "GET/x"}, MESSAGES, REPLY)),
        *chain("cli_usual"),
        # one new API alone is a release
        *chain("cli_partly", at=PAST, every=30 * HOUR, order=(CHATS, REPLY)),
        *chain("cli_partly"),
        *chain("cli_young"),
    )
    assert about(hits) == [("cli_a", 3, True)]
    assert hits[0].facts["apis"] == [CHATS["api"], MESSAGES["api"], REPLY["api"]]
    assert (hits[0].facts["hours"], hits[0].facts["new_steps"]) == (2, 3)


def test_where_apps_begin_with_chains_every_week_one_only_supports():
    apps = [f"cli_{n}" for n in range(4)]
    begun = [chain(app, at=PAST - n * 3 * DAY) for n, app in enumerate(apps[1:])]

    def scene(*before):
        return [*(old(app) for app in apps), *chain(apps[0]), *(c for one in before for c in one)]

    assert about(run(find_chain, *scene(*begun[:2]))) == [("cli_0", 3, True)]
    assert about(run(find_chain, *scene(*begun))) == [("cli_0", 3, False)]


def test_from_a_new_network_one_new_api_makes_a_chain():
    def scene(ip):
        yield old("cli_a")
        yield from chain("cli_a", at=PAST, every=30 * HOUR, order=(CHATS, REPLY))
        yield from chain("cli_a", ip=ip)

    assert about(run(find_chain, *scene(AWAY))) == [("cli_a", 3, True)]
    assert run(find_chain, *scene("10.0.0.1")) == []


def test_a_new_api_counts_though_the_app_also_takes_an_old_one():
    later = {**CHATS, "api": "GET/open-apis/im/v1/chats/search"}
    hits = run(
        find_chain,
        old("cli_a"),
        calls("cli_a", [PAST], **REPLY),
        calls("cli_a", [PAST + 2 * DAY], **later),
        *chain("cli_a", order=(CHATS, later, MESSAGES, REPLY)),
    )
    assert hits[0].facts["apis"][0] == CHATS["api"]


def refused(app, at, ip, **columns):
    return calls(app, at, ip=ip, outcome="permission", response_code=99991401, **columns)


def token(app, at, ip, **columns):
    return calls(app, at, ip=ip, api=TOKEN, category="token_issuance", **columns)


def test_a_refused_address_after_a_token_was_obtained_there():
    later = [NOON + HOUR]
    hits = run(
        find_refused_address,
        *(old(f"cli_{name}") for name in ("a", "borrowed", "here", "scope", "failed")),
        token("cli_a", [NOON], AWAY),
        refused("cli_a", later, AWAY),
        refused("cli_borrowed", later, AWAY),  # the token was obtained elsewhere
        token("cli_here", [NOON], "10.0.0.1"),
        refused("cli_here", later, "10.0.0.1"),  # the allow list lacks the app's own address
        token("cli_scope", [NOON], AWAY),
        calls("cli_scope", later, ip=AWAY, outcome="permission"),  # refused for another reason
        token("cli_failed", [NOON], AWAY, outcome="auth"),
        refused("cli_failed", later, AWAY),
    )
    assert about(hits) == [
        ("cli_a", 1, True),
        ("cli_borrowed", 1, False),
        ("cli_failed", 1, False),
    ]
    assert hits[0].start_at == NOON


def test_own_app_is_told_when_it_calls_something_else_or_from_elsewhere():
    delivery = [PAST, NOON]
    own = [
        old("cli_own", **AUDIT),
        token("cli_own", [NOON], "10.0.0.1"),
        calls("cli_own", delivery, **REPLY),
    ]
    assert about(run(find_own_misuse, *own, own_apps=("cli_own",))) == [("cli_own", 1, False)]
    misused = [
        calls("cli_own", [NOON], api=EXPORT, category="doc_export", severity="high"),
        calls("cli_own", [NOON], ip=AWAY, **AUDIT),
    ]
    hits = run(find_own_misuse, *own, *misused, own_apps=("cli_own",))
    told = [hit for hit in hits if hit.alone]
    assert [hit.facts for hit in told] == [
        {"apis": [EXPORT], "networks": []},
        {"apis": [], "networks": ["203.0.113.0/24"]},
    ]
    assert {hit.severity for hit in told} == {"high"}
    assert run(find_own_misuse, *own, *misused) == []  # no app is known to be this tool


def test_a_new_own_app_has_no_network_that_it_was_not_seen_on():
    events = calls("cli_own", [NOON, NOON + DAY], ip=["10.0.0.1", AWAY], **AUDIT)
    assert run(find_own_misuse, events, own_apps=("cli_own",)) == []


def test_an_own_app_among_those_tried_counts():
    parts = [calls(f"cli_{n}", [NOON], ip=AWAY, outcome="auth") for n in range(5)]
    assert about(run(find_auth_failures, *parts, own_apps=("cli_0",))) == [(AWAY, 5, True)]


@pytest.mark.parametrize("network", ["203.0.113.{}", "2001:db8:7:{}::1"])
def test_an_address_a_try_is_one_finding_about_the_network_and_no_outage(network):
    # every app fails, as in an outage: but not where it lives
    apps = [f"cli_{n:02d}" for n in range(20)]
    tried = [
        calls(app, spread(NOON, 9), ip=network.format(n), outcome="auth")
        for n, app in enumerate(apps, 1)
    ]
    events = make_events(clock(), *(old(app) for app in apps), *tried)
    hits = run_rules(build_input(events))
    assert [(hit.detector, hit.entity_type, hit.observed) for hit in hits if hit.alone] == [
        ("rule:auth_failures", "network", 20),
        # nobody was served there, and yet it is a new place
    ]
    (hit,) = find_auth_failures(build_input(events))
    assert (hit.facts["addresses"], hit.facts["failures"]) == (20, 180)
    assert build_input(events).panel.counts["auth"].sum() == 0


def test_an_outage_is_no_stuffing_of_the_network_that_all_apps_live_on():
    apps = [f"cli_{n:02d}" for n in range(20)]
    failed = [
        calls(app, spread(NOON, 9), ip=f"10.0.0.{n}", outcome="auth") for n, app in enumerate(apps)
    ]
    data = build_input(make_events(*(old(app) for app in apps), *failed))
    assert find_auth_failures(data) == []
    assert [hit.facts["outcome"] for hit in find_outage(data)] == ["auth"]
    assert find_error_burst(data) == []


def test_failures_without_an_app_id_or_an_address():
    def fail(app, count, ip, at=NOON):
        return calls(app, spread(at, count), ip=ip, outcome="auth")

    assert about(run(find_auth_failures, fail("", 50, AWAY))) == [(AWAY, 50, True)]
    assert run(find_auth_failures, fail("", 49, AWAY)) == []
    mixed = [fail(f"cli_{n}", 1, AWAY) for n in range(4)]
    assert about(run(find_auth_failures, *mixed, fail("", 10, AWAY))) == [(AWAY, 4, True)]
    assert run(find_auth_failures, *mixed) == []
    blank = [fail(f"cli_{n}", 2, "") for n in range(5)]
    (hit,) = run(find_auth_failures, *blank)
    assert (hit.entity_type, hit.entity, hit.where["network"]) == ("network", "unknown", ("",))


def test_addresses_of_one_network_that_each_tried_enough_are_findings_of_their_own():
    tried = [
        calls(f"cli_{n}", [NOON], ip=ip, outcome="auth")
        for n in range(5)
        for ip in ("203.0.113.1", "203.0.113.2")
    ]
    assert [h.entity for h in run(find_auth_failures, *tried)] == ["203.0.113.1", "203.0.113.2"]


def probe(app):
    tried = [f"GET/open-apis/x/v1/{n}" for n in range(10)]
    return calls(app, spread(NOON, 10), api=tried, outcome="permission")


def test_of_a_rule_set_off_too_often_the_worst_are_told_and_the_rest_counted():
    forged = [probe(f"cli_forged_{n:02d}") for n in range(25)]
    data = build_input(make_events(clock(), *forged, old("cli_real"), probe("cli_real")))
    found = find_probing(data)
    everybody = {hit.entity for hit in found}
    hits = limit_hits(found, most=20, known=everybody)
    assert len(found) == 26
    assert len(hits) == 21
    assert hits[-1].facts == {"more": 6, "entity_type": "app", "entities": 6}
    assert len(hits[-1].where["app_id"]) == 6
    told = {hit.entity for hit in hits[:-1]}
    assert told.isdisjoint(hits[-1].where["app_id"])
    # what a crowd has in common is of the rule's severity once, in the row that counts it
    assert {hit.severity for hit in hits[:-1]} == {"medium"}
    assert hits[-1].severity == found[0].severity == "high"


def test_newcomers_are_a_crowd_long_before_and_take_no_place_of_an_app_with_a_past():
    forged = [probe(f"cli_forged_{n:02d}") for n in range(12)]
    data = build_input(make_events(clock(), *forged, old("cli_real"), probe("cli_real")))
    hits = limit_hits(find_probing(data), most=20, known={"cli_real"})
    assert [(hit.entity, hit.severity) for hit in hits] == [
        ("cli_real", "high"),
        *((f"cli_forged_{n:02d}", "medium") for n in range(3)),
        ("rule:probing/app", "high"),
    ]
    assert hits[-1].facts["more"] == 9


def test_point_2_supporting_hits_however_many_make_none_that_stands():
    data = build_input(make_events(clock(), probe("cli_a")))
    one = replace(find_probing(data)[0], alone=False)
    many = [replace(one, entity=f"cli_{n}") for n in range(430)]
    hits = limit_hits(many, most=20, known=set())
    assert (len(hits), hits[-1].facts["more"]) == (401, 30)
    assert not any(hit.alone for hit in hits)


def test_up_to_the_limit_everything_is_told():
    forged = [probe(f"cli_forged_{n:02d}") for n in range(3)]
    data = build_input(make_events(clock(), *forged))
    hits = limit_hits(find_probing(data), most=3, known=set())
    assert [hit.entity for hit in hits] == ["cli_forged_00", "cli_forged_01", "cli_forged_02"]


@pytest.mark.parametrize("rule", list_detectors(Rule), ids=lambda rule: rule.name)
def test_a_rule_takes_events_alone_and_says_how_in_its_docstring(rule):
    assert rule(make_events(probe("cli_a"))) == rule(build_input(make_events(probe("cli_a"))))
    assert "Examples\n--------" in inspect.getmodule(rule.find).__doc__


def test_a_rule_says_what_it_cannot_judge():
    with pytest.raises(DataIncompleteError, match="no events"):
        find_probing(make_events(probe("cli_a")).iloc[:0])
    with pytest.raises(InputError, match="lacks"):
        find_probing(pd.DataFrame({"at": pd.DatetimeIndex(["2026-11-11"], tz="UTC")}))
