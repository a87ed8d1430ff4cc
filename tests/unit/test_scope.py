import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenant import EXPORT, HOUR, READ, WEEK, ZONE, calls, local, make_events, spread

from audit_analytics.cases import Hit
from audit_analytics.review._scope import (
    MAX_NAMES,
    Scope,
    cover_reason,
    index_calls,
    leave_out_calls,
    read_scope,
    scope_of_hit,
    shift_scope,
)
from audit_analytics.rollup import rollup

NOON = local("2026-11-11 12:00")
EVENTS = make_events(
    calls("cli_a", spread(NOON, 6), ip="203.0.113.9", api=EXPORT, severity="high"),
    calls("cli_a", spread(NOON, 4)),
    calls("cli_a", spread(NOON, 3), outcome="auth"),
    calls("cli_a", spread(NOON + 2 * HOUR, 5), ip="203.0.113.9"),
    calls("cli_b", spread(NOON, 7), outcome="auth", ip="203.0.113.9"),
)
CALLS = rollup(EVENTS)


def scope(start=NOON, hours=1, **where):
    where = {
        column: (value,) if isinstance(value, str) else value for column, value in where.items()
    }
    return Scope(start_at=start, end_at=start + hours * HOUR, where=where)


def leave_out(*scopes):
    return leave_out_calls(CALLS.by_api, CALLS.by_ip, scopes, zone=ZONE)


def total(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    return int(table["calls_count"].sum())


def test_a_network_leaves_with_all_the_app_did_in_those_hours():
    by_api, by_ip, hours = leave_out(scope(app_id="cli_a", network="203.0.113.0/24"))
    assert total(by_ip, app_id="cli_a", bucket_at=NOON) == 7  # from its usual address
    assert total(by_api, app_id="cli_a", bucket_at=NOON) == 0  # which API it was, nobody can say
    assert total(by_ip, app_id="cli_a", bucket_at=NOON + 2 * HOUR) == 5
    assert total(by_ip, app_id="cli_b") == 7
    assert hours.to_dict("records") == [{"bucket_at": NOON, "app_id": "cli_a"}]


def test_errors_of_one_class_leave_and_the_rest_stays():
    by_api, by_ip, _ = leave_out(scope(app_id="cli_a", outcome="auth"))
    assert total(by_api, app_id="cli_a", bucket_at=NOON) == 10
    assert total(by_ip, app_id="cli_a", bucket_at=NOON) == 10
    assert by_api.loc[by_api["app_id"] == "cli_a", "auth_count"].sum() == 0


def test_an_address_leaves_with_the_failures_of_every_app_it_tried():
    by_api, by_ip, hours = leave_out(scope(ip="203.0.113.9", outcome="auth"))
    assert total(by_ip, app_id="cli_b") == total(by_api, app_id="cli_b") == 0
    assert total(by_api, app_id="cli_a", bucket_at=NOON) == 13  # its own failures came from home
    assert set(hours["app_id"]) == {"cli_b"}


def test_an_app_alone_leaves_whole_and_its_silent_hours_teach_nothing_either():
    by_api, by_ip, hours = leave_out(scope(app_id="cli_a", hours=3))
    assert total(by_api, app_id="cli_a") == total(by_ip, app_id="cli_a") == 0
    assert list(hours["bucket_at"].sort_values()) == [NOON, NOON + HOUR, NOON + 2 * HOUR]


def test_nothing_to_leave_out_changes_nothing():
    for scopes in ([], [scope(app_id="cli_x", api=READ)], [scope(start=NOON - 9 * HOUR, ip="::1")]):
        by_api, by_ip, hours = leave_out(*scopes)
        assert by_api is CALLS.by_api
        assert by_ip is CALLS.by_ip
        assert hours.empty


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(["cli_a", "cli_b"]),
            st.sampled_from([READ, EXPORT]),
            st.sampled_from(["10.0.0.1", "203.0.113.9"]),
            st.sampled_from(["ok", "auth"]),
        ),
        min_size=1,
        max_size=25,
    ),
    where=st.fixed_dictionaries(
        {},
        optional={
            "app_id": st.just(("cli_a",)),
            "api": st.just((EXPORT,)),
            "ip": st.just(("203.0.113.9",)),
            "outcome": st.just(("auth",)),
        },
    ).filter(bool),
    start=st.integers(0, 4),
)
def test_no_call_of_a_scope_is_left_and_none_of_another_hour_or_app_is_lost(rows, where, start):
    hours, apps, apis, ips, outcomes = map(list, zip(*rows, strict=True))
    at = [NOON + hour * HOUR for hour in hours]
    events = make_events(calls("", at, app_id=apps, api=apis, ip=ips, outcome=outcomes))
    counted = rollup(events)
    taken = Scope(start_at=NOON + start * HOUR, end_at=NOON + (start + 2) * HOUR, where=where)
    by_api, by_ip, hours = leave_out_calls(counted.by_api, counted.by_ip, [taken], zone=ZONE)
    inside = events[(events["at"] >= taken.start_at) & (events["at"] < taken.end_at)]
    for column, values in where.items():
        inside = inside[inside[column].isin(values)]
    assert index_calls(counted.by_api, zone=ZONE).count(taken) >= len(inside)
    assert index_calls(counted.by_ip, zone=ZONE).count(taken) >= len(inside)
    pairs = set(zip(inside["at"].dt.floor("h"), inside["app_id"].astype("str"), strict=True))
    # an app that called the API from elsewhere and something else from there loses more than that
    lost = set(zip(hours["bucket_at"], hours["app_id"], strict=True))
    assert pairs <= lost
    assert all(taken.start_at <= at < taken.end_at for at, _ in lost)
    assert {app for _, app in lost} <= set(where.get("app_id", ("cli_a", "cli_b")))
    for table, columns in ((by_api, ("app_id", "api")), (by_ip, ("app_id", "ip"))):
        left = {
            (bucket, *map(str, values))
            for bucket, *values in table[["bucket_at", *columns]].itertuples(index=False)
            if (bucket, str(values[0])) in pairs
        }
        if "outcome" not in where:
            gone = inside[list(columns)].astype("str").itertuples(index=False)
            at = inside["at"].dt.floor("h")
            assert not left & {(a, *g) for a, g in zip(at, gone, strict=True)}
        kept = table.merge(
            pd.DataFrame(sorted(lost), columns=["bucket_at", "app_id"]).astype({"bucket_at": table["bucket_at"].dtype}),
            how="left", on=["bucket_at", "app_id"], indicator=True,
        )  # fmt: skip
        others = events[
            [p not in lost for p in zip(events["at"].dt.floor("h"), events["app_id"].astype("str"), strict=True)]
        ]  # fmt: skip
        assert kept.loc[kept["_merge"] == "left_only", "calls_count"].sum() == len(others)


def test_what_is_new_belongs_to_the_finding_until_its_week_ends():
    reason = scope(app_id="cli_a", network="203.0.113.0/24").to_dict()
    end = WEEK.end_at
    assert cover_reason(reason | {"detector": "NEWNET"}, until=end).end_at == end
    busy = scope(app_id="cli_a").to_dict()
    assert cover_reason(busy | {"detector": "VOL"}, until=end).end_at == NOON + HOUR
    assert cover_reason(busy | {"detector": "VOL"}, until=NOON).end_at == NOON


def test_a_scope_survives_the_report_and_very_many_names_widen_it():
    hit = Hit(
        detector="NEWAPI",
        kind="new_api",
        entity_type="app",
        entity="cli_a",
        start_at=NOON,
        end_at=NOON + HOUR,
        observed=1.0,
        unit="APIs",
        where={"app_id": ("cli_a",), "api": (READ, EXPORT)},
    )
    assert read_scope(scope_of_hit(hit).to_dict()) == scope_of_hit(hit)
    many = Hit(**{**hit.__dict__, "where": {"app_id": ("cli_a",), "api": ("x",) * (MAX_NAMES + 1)}})
    assert scope_of_hit(many).where == {"app_id": ("cli_a",)}


def test_weeks_are_shifted_on_the_tenants_clocks():
    week = WEEK.__class__(WEEK.iso, WEEK.start_at, WEEK.end_at, "Europe/Berlin")
    noon = pd.Timestamp("2026-10-28T11:00Z")  # noon in winter
    shifted = shift_scope(Scope(start_at=noon, end_at=noon + HOUR, where={}), week, -1)
    assert shifted.start_at == pd.Timestamp("2026-10-21T10:00Z")  # noon in summer


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({"app_id": "cli_a"}, 13),
        ({"app_id": "cli_a", "api": EXPORT}, 6),
        ({"network": "203.0.113.0/24"}, 13),
        ({"app_id": "cli_a", "outcome": "auth"}, 3),
    ],
)
def test_calls_of_a_scope_are_counted_from_the_rollup(where, count):
    table = CALLS.by_ip if "network" in where else CALLS.by_api
    assert index_calls(table, zone=ZONE).count(scope(**where)) == count
