import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenant import EXPORT, READ, TOKEN, calls, local, make_events

from audit_analytics import features, schema
from audit_analytics.errors import InputError
from audit_analytics.rollup import rollup

START = local("2026-11-09 00:00")
FUNCTIONS = {
    "app_id": features.per_app,
    "ip": features.per_ip,
    "api": features.per_api,
}


def random_events(seed: int, size: int = 300, days: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    seconds = pd.to_timedelta(rng.integers(0, days * 86400, size), unit="s")
    return make_events(
        calls(
            "",
            START + seconds,
            app_id=rng.choice(["cli_a", "cli_b", "cli_c"], size),
            ip=rng.choice(["10.0.0.1", "10.0.1.1", "2001:db8::1"], size),
            api=rng.choice([READ, EXPORT], size),
            outcome=rng.choice(list(schema.OUTCOMES), size),
            object=rng.integers(0, 9, size),
        )
    )


@pytest.mark.parametrize("key", FUNCTIONS)
@pytest.mark.parametrize("bucket", ["15min", "1h", "6h", "1D"])
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 99))
def test_totals_are_kept_and_nothing_is_missing_since_the_first_call(key, bucket, seed):
    events = random_events(seed)
    table = FUNCTIONS[key](events, bucket=bucket, zone="Asia/Shanghai")
    totals = table.groupby(key, observed=True)["calls_count"].sum()
    expected = events[key].astype("str").value_counts()
    assert totals.to_dict() == expected.to_dict()
    outcomes = table[[f"{name}_count" for name in schema.OUTCOMES]].sum(axis=1)
    assert (outcomes == table["calls_count"]).all()
    end = table["bucket_at"].max()
    for _, rows in table.groupby(key, observed=True):
        steps = rows["bucket_at"].diff().dropna()
        assert (steps == pd.Timedelta(bucket)).all()
        assert rows["bucket_at"].max() == end
        assert rows["calls_count"].iloc[0] > 0
    assert table.notna().all(axis=None) or (table["calls_count"] == 0).any()
    assert (table["error_share"].isna() == (table["calls_count"] == 0)).all()
    assert not table.drop(columns="error_share").isna().any(axis=None)


@pytest.mark.parametrize("key", FUNCTIONS)
@pytest.mark.parametrize("bucket", ["1h", "1D"])
def test_a_rollup_gives_the_same_table_as_its_events(key, bucket):
    events = random_events(7)
    direct = FUNCTIONS[key](events, bucket=bucket)
    by_rollup = FUNCTIONS[key](rollup(events), bucket=bucket)
    distinct = ["objects_count", "ok_objects_count"] if bucket == "1D" else []
    pd.testing.assert_frame_equal(direct.drop(columns=distinct), by_rollup.drop(columns=distinct))
    for name in distinct:  # counted in each hour, then summed
        assert (by_rollup[name] >= direct[name]).all()


@pytest.mark.parametrize(
    ("bucket", "zone", "asked", "where"),
    [
        ("1D", "UTC", "1h", "UTC"),  # coarser
        ("1D", "UTC", "1D", "Asia/Shanghai"),  # days of another zone
        ("6h", "UTC", "1D", "Asia/Shanghai"),  # 16:00 lies within a bucket
        ("1h", "UTC", "1D", "Asia/Kolkata"),  # 18:30 lies within a bucket
    ],
)
def test_a_rollup_that_cannot_be_cut_is_refused(bucket, zone, asked, where):
    counted = rollup(random_events(3, size=900), bucket=bucket, zone=zone)
    for function in FUNCTIONS.values():
        with pytest.raises(InputError, match="cannot be cut"):
            function(counted, bucket=asked, zone=where)


@pytest.mark.parametrize("zone", ["America/New_York", "Africa/Cairo"])
def test_days_follow_the_clocks(zone):
    change = {"America/New_York": "2026-11-01", "Africa/Cairo": "2026-04-24"}[zone]
    noon = pd.date_range(pd.Timestamp(change) - pd.Timedelta(days=2), periods=5) + pd.Timedelta(
        "12h"
    )
    at = noon.tz_localize(zone).tz_convert("UTC")
    events = make_events(calls("cli_a", at), calls("cli_b", at[[0, 4]]))
    table = features.per_app(events, bucket="1D", zone=zone)
    assert len(table) == 10
    days = table["bucket_at"].dt.tz_convert(zone).dt.date.unique()
    assert list(days) == list(noon.date)
    assert table["calls_count"].tolist() == [1, 1, 1, 0, 1, 0, 1, 0, 1, 1]


def test_per_app_says_what_an_app_did():
    events = make_events(
        calls("cli_a", [START] * 3, ip=["10.0.0.1", "10.0.0.2", "10.0.1.1"]),
        calls("cli_a", [START], api=EXPORT, severity="high", outcome="permission"),
        calls("cli_a", [START], api=TOKEN, category="token_issuance"),
    )
    row = features.per_app(events).iloc[0]
    expected = {
        "calls_count": 5,
        "errors_count": 1,
        "apis_count": 3,
        "denied_apis_count": 1,
        "sensitive_count": 1,
        "token_count": 1,
        "ips_count": 3,
        "networks_count": 2,
    }
    assert row[list(expected)].to_dict() == expected
    assert row["error_share"] == pytest.approx(0.2)


def test_per_ip_and_per_api_count_apps():
    events = make_events(
        calls("cli_a", [START, START], outcome=["auth", "ok"]), calls("cli_b", [START])
    )
    by_ip, by_api = features.per_ip(events).iloc[0], features.per_api(events).iloc[0]
    assert (by_ip["apps_count"], by_ip["auth_failing_apps_count"]) == (2, 1)
    assert (by_api["apps_count"], by_api["failing_apps_count"]) == (2, 1)


def test_first_seen_orders_the_pairs():
    events = make_events(
        calls("cli_b", [START + pd.Timedelta("1h")], ip="10.0.0.9"),
        calls("cli_a", [START + pd.Timedelta("2h"), START + pd.Timedelta("9h")], ip="10.0.9.9"),
    )
    for source in (events, rollup(events)):
        pairs = features.first_seen(source)
        assert pairs["networks"]["network"].tolist() == ["10.0.0.0/24", "10.0.9.0/24"]
        assert pairs["networks"]["calls_count"].tolist() == [1, 2]
        assert pairs["apis"]["first_at"].tolist() == [
            START + pd.Timedelta("1h"),
            START + pd.Timedelta("2h"),
        ]


def test_a_table_that_would_not_fit_into_memory_is_refused(monkeypatch):
    monkeypatch.setattr(features.tables, "MAX_ROWS", 1000)
    events = random_events(1)
    with pytest.raises(InputError, match="wider bucket, or zero_fill=False"):
        features.per_app(events, bucket="1min")
    assert len(features.per_app(events, bucket="1min", zero_fill=False)) <= 300


@pytest.mark.parametrize("function", FUNCTIONS.values())
@pytest.mark.parametrize("bucket", ["15min", "1D"])
def test_no_events_give_no_rows_and_the_same_columns(function, bucket):
    empty = function(schema.EVENTS.empty(), bucket=bucket)
    full = function(random_events(1), bucket=bucket)
    assert len(empty) == 0
    assert empty.dtypes.to_dict().keys() == full.dtypes.to_dict().keys()
