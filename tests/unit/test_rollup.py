import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenant import EXPORT, READ, calls, local, make_events

from audit_analytics import schema
from audit_analytics.errors import InputError
from audit_analytics.rollup import rollup

module = importlib.import_module("audit_analytics.rollup")

ROWS = st.lists(
    st.tuples(
        st.integers(0, 3 * 3600),
        st.sampled_from(["cli_a", "cli_b", "", "Ω 'x'; --"]),
        st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1", "platform", ""]),
        st.sampled_from([READ, EXPORT, ""]),
        st.sampled_from(schema.OUTCOMES),
        st.sampled_from([None, 1, 2, -(2**63), 2**63 - 1]),
        st.sampled_from([0, 99991400, 99991401]),
    ),
    min_size=1,
    max_size=40,
)


def count_by_hand(events: pd.DataFrame, table: schema.Table) -> pd.DataFrame:
    keys = [name for name in table.names[: table.names.index("calls_count")] if name != "bucket_at"]
    rows = []
    bucket = events["at"].dt.floor("h").rename("bucket_at")
    texts = events.astype(dict.fromkeys(keys, "str"))
    for key, group in texts.groupby([bucket, *keys]):
        ok = group[group["outcome"] == "ok"]
        refused = int((group["response_code"] == 99991401).sum())
        counts = [int((group["outcome"] == name).sum()) for name in schema.OUTCOMES]
        distinct = [group["object"].nunique(), ok["object"].nunique()]
        rows.append(
            [*key, len(group), *counts, refused, *distinct, group["at"].min(), group["at"].max()]
        )
    return table.coerce(pd.DataFrame(rows, columns=table.names))


@settings(max_examples=8, deadline=None)
@given(rows=ROWS)
def test_counts_are_exact(rows):
    second, app, ip, api, outcome, thing, code = zip(*rows, strict=True)
    start = local("2026-11-09 00:00")
    events = make_events(
        calls(
            "",
            [start + pd.Timedelta(seconds=s) for s in second],
            app_id=list(app),
            ip=list(ip),
            api=list(api),
            outcome=list(outcome),
            object=pd.array(list(thing), dtype="Int64"),
            response_code=pd.array(list(code), dtype="Int64"),
        )
    )
    counted = rollup(events)
    for result, table in (
        (counted.by_api, schema.CALLS_BY_API),
        (counted.by_ip, schema.CALLS_BY_IP),
    ):
        expected = count_by_hand(events, table)
        keys = table.names[: table.names.index("calls_count")]
        as_text = [frame.astype(dict.fromkeys(keys, "str")) for frame in (result, expected)]
        pd.testing.assert_frame_equal(*as_text)


def test_the_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(1)
    at = local("2026-11-09 00:00") + pd.to_timedelta(rng.integers(0, 9999, 200), unit="s")
    events = make_events(calls("", at, app_id=rng.choice(["cli_b", "cli_a"], 200)))
    shuffled = events.sample(frac=1, random_state=1)
    for name in ("by_api", "by_ip"):
        first, second = (getattr(rollup(table), name) for table in (events, shuffled))
        pd.testing.assert_frame_equal(first, second)


def test_day_buckets_begin_at_the_tenants_midnight():
    events = make_events(calls("cli_a", [local("2026-11-09 00:00"), local("2026-11-09 23:59")]))
    assert len(rollup(events, bucket="1D", zone="UTC").by_api) == 2
    assert rollup(events, bucket="1D", zone="Asia/Shanghai").by_api["bucket_at"].tolist() == [
        local("2026-11-09 00:00")
    ]


def test_a_frame_that_is_no_event_table_is_refused_by_the_columns_it_lacks():
    with pytest.raises(InputError, match=r"lacks api, network.*load\(\)"):
        rollup(schema.EVENTS.empty().drop(columns=["network", "api"]))


def test_more_combinations_of_keys_than_one_number_holds_are_counted_alike(monkeypatch):
    assert module._pack({"a": 2**40, "b": 2**40, "c": 5}) == {
        "cell_0": {"a": 2**40},
        "cell_1": {"b": 2**40, "c": 5},
    }
    rng = np.random.default_rng(2)
    at = local("2026-11-09 00:00") + pd.to_timedelta(rng.integers(0, 9999, 300), unit="s")
    names = {name: rng.choice(["a", "b", ""], 300) for name in ("app_id", "ip", "api")}
    events = make_events(calls("", at, **names | {"ip": "10.0.0.1"}))
    plain = rollup(events)
    one_each = lambda sizes: {f"cell_{key}": {key: size} for key, size in sizes.items()}  # noqa: E731
    monkeypatch.setattr(module, "_pack", one_each)
    for name in ("by_api", "by_ip"):
        pd.testing.assert_frame_equal(getattr(plain, name), getattr(rollup(events), name))


def test_what_does_not_fit_into_memory_goes_to_a_folder_of_ones_own():
    spilled = []
    for _ in range(2):
        with module.connect_duckdb(threads=2) as connection:
            asked = "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
            [(limit, folder)] = connection.sql(asked).fetchall()
            assert limit == "953.6 MiB"
            connection.execute("SET memory_limit = '40MB'")
            many = "SELECT md5(range::VARCHAR) AS word FROM range(700000)"
            count = f"SELECT SUM(n) FROM (SELECT COUNT(*) AS n FROM ({many}) GROUP BY word)"  # noqa: S608
            assert connection.sql(count).fetchall() == [(700_000,)]
            spilled.append(Path(folder))
            assert spilled[-1].parent.stat().st_mode & 0o777 == 0o700
    assert len(set(spilled)) == 2
    assert not any(path.exists() for path in spilled)
