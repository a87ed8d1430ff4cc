import pandas as pd
import pytest

from audit_analytics import schema

TABLES = [schema.EVENTS, schema.REJECTS, schema.CALLS_BY_API, schema.CALLS_BY_IP]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_an_empty_table_has_its_columns_and_dtypes(table):
    empty = table.empty()
    assert list(empty.columns) == table.names
    for column in table.columns:
        expected = "string" if column.dtype == "string" else column.dtype
        assert str(empty[column.name].dtype) == expected
        assert column.meaning


def test_coerce_orders_columns_and_drops_further_ones():
    frame = schema.REJECTS.empty().assign(extra=1)[["extra", "raw", "reason", "row", "source"]]
    assert list(schema.REJECTS.coerce(frame).columns) == schema.REJECTS.names


def test_coerce_names_every_missing_column():
    with pytest.raises(KeyError, match="reason, raw"):
        schema.REJECTS.coerce(pd.DataFrame({"source": [], "row": []}))


def test_instants_without_a_zone_are_taken_as_utc():
    frame = schema.EVENTS.empty().reindex([0])
    frame["at"] = pd.Series([pd.Timestamp("2026-11-09 00:00")])
    frame["payload_bytes"] = 0
    events = schema.EVENTS.coerce(frame)
    assert events["at"].iloc[0] == pd.Timestamp("2026-11-09T00:00Z")
    assert str(events["at"].dtype) == schema.AT
