"""What changed about the apps as signals: grants, switched off apps, new ones, redirect hosts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tenant import FIRST, READ, WEEK, build_input, calls, clock, local, make_events, spread

from audit_analytics.catalogue import load_scopes
from audit_analytics.detect.rules.granted import find_granted
from audit_analytics.detect.rules.new_app import find_new_app
from audit_analytics.detect.rules.owner_left import find_owner_left
from audit_analytics.detect.rules.redirect_host import find_redirect_host
from audit_analytics.detect.rules.switched_off import find_switched_off
from audit_analytics.inventory import App, Grant, Inventory, Labels, Version
from audit_analytics.inventory._snapshots import read_history, write_snapshot
from audit_analytics.language import use_labels

NOON = local("2026-11-11 12:00")
DAY = timedelta(days=1)
LIST = "GET/open-apis/im/v1/messages"
LIST_SCOPE, OTHER_SCOPE = "im:message.history:readonly", "im:chat:readonly"
READS = {"api": LIST, "category": "message_read", "severity": "high"}


def app(*scopes, name="cli_a", **values):
    return App(app_id=name, grants=tuple(map(Grant, scopes)), **values)


def keep(tmp_path, *states):
    """Write snapshots, each (when, apps), and read them as a report does."""
    tmp_path.mkdir(exist_ok=True)
    for at, apps in states:
        write_snapshot(tmp_path, Inventory.of(apps, at.to_pydatetime()))
    return read_history(tmp_path)


def run(rule, inventory, *parts):
    data = build_input(make_events(clock(FIRST), *parts))
    hits = rule(replace(data, inventory=inventory))
    for hit in hits:
        rule.sentence(hit, hit.entity, WEEK.zone)
    return hits


def test_snapshots_know_since_when_and_until_when_they_were_true(tmp_path):
    for at, name in ((NOON, "x"), (NOON + DAY, "x"), (NOON + 2 * DAY, "y")):
        inventory = keep(tmp_path, (at, [app(name)]))
    times = [(s.taken_at, s.fetched_at) for s in inventory.snapshots]
    assert times == [(NOON, NOON + DAY), (NOON + 2 * DAY, NOON + 2 * DAY)]


def test_a_version_that_gains_a_scope_and_collects_within_days():
    def find(*, granted, used=NOON, count=30, outcome="ok", had=(), before=()):
        versions = (
            Version("1", NOON - 90 * DAY, (OTHER_SCOPE, *had)),
            Version("2", granted, (OTHER_SCOPE, *had, LIST_SCOPE)),
        )
        inventory = Inventory.of([app(OTHER_SCOPE, LIST_SCOPE, versions=versions)])
        parts = [calls("cli_a", spread(used, count), outcome=outcome, **READS), *before]
        return run(find_granted, inventory, *parts)

    [hit] = find(granted=NOON - DAY)
    assert (hit.entity, hit.alone, hit.observed, hit.severity) == ("cli_a", True, 30, "high")
    assert hit.facts["scopes"] == [LIST_SCOPE]
    assert hit.where["api"] == (LIST,)
    assert find(granted=NOON - 4 * DAY) == []
    assert find(granted=NOON + DAY) == []
    assert find(granted=NOON - DAY, outcome="permission") == []
    assert find(granted=NOON - DAY, used=NOON - 7 * DAY) == []
    assert [hit.alone for hit in find(granted=NOON - DAY, count=10)] == [False]
    wide = next(n for n, s in load_scopes().items() if LIST in s.apis and n != LIST_SCOPE)
    assert find(granted=NOON - DAY, had=(wide,)) == [], "it could do so before"
    earlier = calls("cli_a", spread(NOON - 10 * DAY, 1), **READS)
    assert find(granted=NOON - DAY, before=[earlier]) == [], "it did so before"


def test_a_grant_that_only_two_snapshots_tell_of(tmp_path):
    inventory = keep(
        tmp_path,
        (NOON - 9 * DAY, [app(OTHER_SCOPE)]),
        (NOON - 2 * DAY, [app(OTHER_SCOPE)]),
        (NOON - DAY, [app(OTHER_SCOPE, LIST_SCOPE)]),
    )
    mine = calls("cli_a", spread(NOON, 30), **READS)
    assert [hit.entity for hit in run(find_granted, inventory, mine)] == ["cli_a"]
    # it may have been granted at any time after it was last seen without
    early = calls("cli_a", spread(NOON - 1.5 * DAY, 30), **READS)
    assert len(run(find_granted, inventory, early)) == 1
    before = calls("cli_a", spread(NOON - 2.5 * DAY, 1), **READS)
    assert run(find_granted, inventory, mine, before) == []
    # the first look at an app tells of no grant
    assert run(find_granted, keep(tmp_path / "b", (NOON - DAY, [app(LIST_SCOPE)])), mine) == []


@pytest.mark.parametrize("status", ["off", "gone"])
def test_calls_of_an_app_that_is_off_or_gone(tmp_path, status):
    on, off = [app(status="on")], [app(status=status)]
    inventory = keep(tmp_path, (NOON - 20 * DAY, on), (NOON - DAY, off))
    mine = calls("cli_a", spread(NOON, 3))
    [hit] = run(find_switched_off, inventory, mine, calls("cli_a", spread(NOON - 3 * DAY, 50)))
    assert (hit.entity, hit.observed, hit.alone) == ("cli_a", 3, True)
    refused = calls("cli_a", spread(NOON, 3), outcome="auth")
    assert run(find_switched_off, inventory, refused) == []
    # on again: between the last look that found it off and that one nobody knows
    again = keep(tmp_path, (NOON + DAY, on))
    assert run(find_switched_off, again, mine) == []
    assert run(find_switched_off, Inventory.of(off), mine) == [], "since when is unknown"


def test_a_new_app_its_owner_and_what_it_did_first(tmp_path):
    first = Version("1", NOON - DAY, (LIST_SCOPE,))
    new = Inventory.of([app(LIST_SCOPE, versions=(first,), owner="Li Na")])
    mine = [calls("cli_a", spread(NOON, 2)), calls("cli_a", spread(NOON + DAY / 2, 2), **READS)]
    with use_labels(Labels(new)):
        [hit] = run(find_new_app, new, *mine)
        text = find_new_app.sentence(hit, "cli_a", WEEK.zone)
    assert "owner: Li Na" in text
    assert hit.alone
    assert hit.facts["apis"] == [READ, LIST]
    assert [hit.alone for hit in run(find_new_app, new, mine[0])] == [False]
    old = Inventory.of([app(versions=(replace(first, published_at=NOON - 40 * DAY),))])
    assert run(find_new_app, old, *mine) == [], "it slept"
    assert run(find_new_app, new, *mine, calls("cli_a", spread(NOON - 9 * DAY, 1))) == []
    seen = keep(
        tmp_path, (NOON - 9 * DAY, [app(name="cli_b")]), (NOON - DAY, [app(), app(name="cli_b")])
    )
    assert [hit.entity for hit in run(find_new_app, seen, *mine)] == ["cli_a"]
    only = keep(tmp_path / "b", (NOON - DAY, [app()]))
    assert run(find_new_app, only, *mine) == [], "the first look finds every app"


def test_a_redirect_host_of_a_domain_that_no_other_app_has(tmp_path):
    def look(*hosts):
        other = app(name="cli_b", hosts=("b.corp.com.cn",))
        return [app(hosts=("a.corp.com.cn",)), other], [app(hosts=("a.corp.com.cn", *hosts)), other]

    def find(name, *hosts, at=NOON):
        before, after = look(*hosts)
        inventory = keep(tmp_path / name, (at - DAY, before), (at, after))
        return run(find_redirect_host, inventory, calls("cli_a", spread(NOON - DAY / 2, 4)))

    [hit] = find("foreign", "login.evil.com.cn", "new.corp.com.cn")
    assert (hit.entity, hit.facts["hosts"], hit.alone) == ("cli_a", ["login.evil.com.cn"], True)
    assert find("own", "new.corp.com.cn") == []
    assert find("earlier", "login.evil.com.cn", at=NOON - 8 * DAY) == []


def test_an_app_that_goes_on_when_its_owner_has_left(tmp_path):
    def find(name, *statuses, at=NOON, **more):
        days = [at - (len(statuses) - 1 - n) * DAY for n in range(len(statuses))]
        states = [(day, [app(owner_status=s)]) for day, s in zip(days, statuses, strict=True)]
        inventory = keep(tmp_path / name, *states)
        return run(find_owner_left, inventory, calls("cli_a", spread(NOON + DAY / 2, 4), **more))

    [hit] = find("left", "", "resigned")
    assert (hit.entity, hit.observed, hit.severity) == ("cli_a", 4, "low")
    assert hit.facts["seen_at"] == NOON
    [hit] = find("sensitive", "", "exited", **READS)
    assert hit.severity == "medium"
    assert find("frozen", "", "frozen") == [], "an account that is frozen comes back"
    assert find("before", "resigned", "resigned") == [], "it was told when it happened"
    assert find("earlier", "", "resigned", at=NOON - 8 * DAY) == []
    assert find("later", "", "resigned", at=NOON + DAY) == [], "nothing was called since"
