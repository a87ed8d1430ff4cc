"""The weekly report on a store is that on its events, read from the counts it keeps."""

import os
from datetime import timedelta

import pandas as pd
import pytest
from stand_ins import Flat
from tenant import EXPORT, HOUR, WEEK, calls, clock, local, make_events, quiet_tenant, spread

import audit_analytics as aa
from audit_analytics.cases import Hit
from audit_analytics.catalogue import Catalogue
from audit_analytics.findings import FrameEvidence
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.report import build_report
from audit_analytics.store import (
    Manifest,
    Store,
    StoreEvidence,
    WindowWriter,
    lock_store,
    read_store,
)
from audit_analytics.store._redaction import Redaction

NIGHT = local("2026-11-11 02:00")
DAY = timedelta(days=1)
SHIPPED = Catalogue.default()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    attacks = [
        calls("cli_02", spread(NIGHT, 60), ip="10.0.2.1", outcome="not_found"),
        calls("cli_05", spread(NIGHT, 80), ip="203.0.113.9"),
        calls("cli_07", spread(NIGHT, 40, over=30 * HOUR), ip="2001:db8::7", api=EXPORT),
        calls("", spread(NIGHT, 5), ip="", api=""),
    ]
    events = make_events(quiet_tenant(), clock(), *attacks)
    names = {api: SHIPPED.match(api) for api in events["api"].cat.categories}
    for column in ("category", "severity"):
        said = {api: getattr(match, column) for api, match in names.items()}
        events[column] = events["api"].astype("str").map(said).astype("category")
    store = Store(tmp_path_factory.mktemp("tenant") / "store")
    store.create()
    for day, rows in events.groupby(events["at"].dt.floor("D")):
        start = day.to_pydatetime()
        draft = Manifest(
            start=start, end=start + DAY, read_at=start + 2 * DAY, catalogue=SHIPPED.digest()
        )
        with WindowWriter(store, draft, Redaction("key")) as writer:
            writer.add(rows)
            writer.commit()
    return store


@pytest.fixture(scope="module")
def events(store):
    return read_store(store.folder)


def report_on(source):
    settings = aa.Settings()
    data = judge_week(count_log(source, settings), settings=settings, detector=Flat())
    return build_report(data)


@pytest.fixture(scope="module")
def plain(events):
    return report_on(events)


def test_the_report_on_a_store_is_the_report_on_its_events(store, plain):
    first, again = (report_on(store.folder) for _ in range(2))
    assert len(plain["findings"]) >= 3
    assert first == again
    assert first == plain


def test_the_report_is_made_while_a_sync_runs_and_without_the_events_of_history(store, plain):
    count_log(store.folder, aa.Settings())  # what is not counted
    hidden = [store.path_of(m.start) for m in store.scan(end=WEEK.start_at - DAY).manifests]
    whole = {path: path.read_bytes() for path in hidden}
    for path, content in whole.items():
        # the footer alone is left: whoever reads a row of history fails
        size = int.from_bytes(content[-8:-4], "little") + 8
        path.write_bytes(b"PAR1" + bytes(len(content) - size - 4) + content[-size:])
    try:
        with lock_store(store.folder):
            assert report_on(store.folder) == plain
    finally:
        for path, content in whole.items():
            path.write_bytes(content)


def hit(where, start=NIGHT, end=NIGHT + HOUR):
    return Hit(
        detector="VOL",
        kind="volume",
        entity_type="app",
        entity="cli_02",
        start_at=start,
        end_at=end,
        observed=1.0,
        unit="calls",
        where=where,
    )


QUERIES = {
    "one app": [hit({"app_id": ("cli_02",)})],
    "several hits": [
        hit({"app_id": ("cli_02",), "outcome": ("not_found",)}),
        hit({"app_id": ("cli_02",)}, NIGHT - 9 * HOUR, NIGHT + 2 * HOUR),
    ],
    "over days": [hit({"api": (EXPORT,)}, NIGHT - 50 * HOUR, NIGHT + 50 * HOUR)],
    "few rows on the first day": [hit({"ip": ("2001:db8::7",)}, NIGHT, NIGHT + 40 * HOUR)],
    "severity": [hit({"app_id": ("cli_07",), "severity": ("high", "critical")})],
    "empty strings": [hit({"app_id": ("",), "ip": ("",)})],
    "whole tenant": [hit({})],
    "nothing": [hit({"app_id": ("'; DROP VIEW events; --",)})],
    "from within an hour": [
        hit({"app_id": ("cli_02",)}, NIGHT - 9.7 * HOUR, NIGHT - 9.4 * HOUR),
        hit({"app_id": ("cli_02",)}, NIGHT - 30 * HOUR, NIGHT + 30 * HOUR),
    ],
    "ids": [hit({"id": tuple(f"{i:019d}" for i in range(0, 30_000, 7))}, NIGHT - 30 * HOUR)],
    "beyond the week": [hit({"app_id": ("cli_clock",)}, WEEK.end_at - HOUR, WEEK.end_at + HOUR)],
    "before the log": [hit({}, NIGHT - 9999 * HOUR, NIGHT - 9998 * HOUR)],
}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("catalogue", ["as matched", "another"])
def test_evidence_of_a_store_is_that_of_a_frame(store, events, name, catalogue):
    severities = {} if catalogue == "as matched" else {"GET/open-apis/audit": "low"}
    source = StoreEvidence(store, store.scan().manifests, Catalogue(severities=severities))
    span = {"start": WEEK.start_at - 40 * HOUR, "end": WEEK.end_at, "rows_max": 20}
    found = source.fetch(QUERIES[name], **span)
    expected = FrameEvidence(events).fetch(QUERIES[name], **span)
    assert found.rows["id"].tolist() == expected.rows["id"].tolist()
    assert found.calls_count == expected.calls_count
    assert (found.calls_count == 0) == (name in {"nothing", "before the log"})
    tables = [
        evidence.groups.astype("str").sort_values(evidence.groups.columns.tolist()).to_numpy()
        for evidence in (found, expected)
    ]
    assert tables[0].tolist() == tables[1].tolist()
    plain = [evidence.rows.astype("str").to_numpy().tolist() for evidence in (found, expected)]
    assert plain[0] == plain[1]
    counts = [(e.objects_count, e.ok_objects_count) for e in (found, expected)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("apps_max", "objects_max", "count"), [(99, 99, 30), (99, 4, 12), (2, 99, 0)]
)
def test_shared_objects_of_a_store_are_those_of_a_frame(
    store, events, apps_max, objects_max, count
):
    asked = {"apps": ["cli_02", "cli_03"], "start": WEEK.start_at, "end": WEEK.end_at}
    found, expected = (
        source.fetch_shared(**asked, apps_max=apps_max, objects_max=objects_max, rows_max=500)
        for source in (StoreEvidence(store, store.scan().manifests, SHIPPED), FrameEvidence(events))
    )
    assert found["id"].tolist() == expected["id"].tolist()
    assert found["object"].nunique() == count


def test_objects_are_found_by_the_number_that_the_store_gives_them(store, events):
    source = StoreEvidence(store, store.scan().manifests, SHIPPED)
    numbers = tuple(int(number) for number in events["object"].dropna().unique()[:9])
    asked = [hit({"object": numbers}, WEEK.start_at, WEEK.end_at)]
    span = {"start": WEEK.start_at, "end": WEEK.end_at, "rows_max": 500}
    rows = source.fetch(asked, **span).rows
    assert set(rows["object"]) == set(numbers)
    assert rows["id"].tolist() == FrameEvidence(events).fetch(asked, **span).rows["id"].tolist()


def test_what_stands_beside_is_counted_and_not_shown(store, events):
    asked = [hit({"app_id": ("cli_02",), "outcome": ("not_found",)})]
    beside = [hit({"app_id": ("cli_03",)}, NIGHT - 9 * HOUR, NIGHT + 2 * HOUR)]
    span = {"start": WEEK.start_at, "end": WEEK.end_at, "rows_max": 20}
    for source in (FrameEvidence(events), StoreEvidence(store, store.scan().manifests, SHIPPED)):
        found = source.fetch(asked, beside=beside, **span)
        assert set(found.rows["app_id"]) <= {"cli_02"}
        assert set(found.groups["app_id"]) == {"cli_02", "cli_03"}


def test_evidence_of_a_damaged_window_is_left_out_and_the_rest_is_there(store, events):
    path = store.path_of(local("2026-11-11 08:00").to_pydatetime())
    whole = path.read_bytes()
    windows = store.scan().manifests
    asked = [hit({"api": (EXPORT,)}, NIGHT - 50 * HOUR, NIGHT + 50 * HOUR)]
    span = {"start": WEEK.start_at, "end": WEEK.end_at, "rows_max": 20}
    try:
        os.truncate(path, 100)
        found = StoreEvidence(store, windows, SHIPPED).fetch(asked, **span)
    finally:
        path.write_bytes(whole)
    day = pd.Timestamp("2026-11-11", tz="UTC")
    rest = events[(events["at"] < day) | (events["at"] >= day + DAY)]
    expected = FrameEvidence(rest.reset_index(drop=True)).fetch(asked, **span)
    assert found.calls_count == expected.calls_count
    assert found.rows["id"].tolist() == expected.rows["id"].tolist()
