import csv
import gzip
import hashlib
import ipaddress
import json
from collections import Counter
from datetime import date
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_analytics.errors import ConfigError
from audit_analytics.simulate import SCENARIOS, simulate_company, write_pages
from audit_analytics.simulate._rows import COLUMNS
from audit_analytics.simulate._targets import Target
from audit_analytics.source import read_log

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
MOST_SAMPLE_BYTES = 6_000_000

TARGET = Target(
    app_id="cli_a1",
    apis=("GET/open-apis/docx/v1/documents/:document_id", "POST/open-apis/im/v1/messages"),
    shares=(0.25, 0.75),
    ips=("10.0.0.1", "10.0.0.2"),
    calls_per_hour=12.0,
    hours_share=0.4,
    rhythm=(0.0,) * 8 + (5.0,) * 160,
    last=1_800_000_000,
    peers=tuple(f"cli_a{n}" for n in range(20)),
    objects_count=12,
)


@pytest.fixture(scope="module")
def company():
    return simulate_company(seed=7)


@pytest.fixture(scope="module")
def items(company):
    return list(company.items())


def read_pages(path):
    content = gzip.decompress(path.read_bytes())
    return [json.loads(line) for line in content.splitlines()]


def digest(path):
    content = path.read_bytes()
    return hashlib.sha256(gzip.decompress(content) if path.suffix == ".gz" else content).hexdigest()


def hours_of(calls, zone="Asia/Shanghai"):
    return pd.to_datetime(calls["time"], unit="s", utc=True).dt.tz_convert(zone).dt


def test_sample_is_what_the_defaults_write_and_stays_small(company, tmp_path):
    write_pages(company, tmp_path)
    fresh = {path.name: digest(path) for path in tmp_path.iterdir()}
    committed = {path.name: digest(path) for path in SAMPLE.iterdir()}
    assert committed == fresh, "data/sample is stale: write simulate_company(seed=7) there again"
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < MOST_SAMPLE_BYTES


def test_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path):
    written = {}
    for name, seed in (("one", 3), ("again", 3), ("other", 4)):
        small = simulate_company(seed=seed, apps=10, weeks=2)
        paths = write_pages(small, tmp_path / name)
        written[name] = {path.name: path.read_bytes() for path in paths}
    assert written["one"] == written["again"]
    assert written["one"].keys() == written["other"].keys()
    assert written["one"]["2026-11-10.jsonl.gz"] != written["other"]["2026-11-10.jsonl.gz"]


def test_one_app_more_changes_no_other_app():
    few, more = (simulate_company(seed=5, apps=n, weeks=1, attacks=[]) for n in (10, 11))
    known = {app.app_id for app in few.apps}
    columns = ["time", "app_id", "api", "ip", "object", "code"]
    tables = []
    for tenant in (few, more):
        calls = tenant.calls.loc[tenant.calls["app_id"].isin(known), columns]
        tables.append(sorted(map(tuple, calls.astype(str).to_numpy())))
    assert tables[0] == tables[1]
    assert len(more.calls) > len(few.calls)


def test_every_item_has_the_shape_of_the_log(items, company):
    undated = 0
    ids = set()
    for item in items:
        keys = {"id", "api_key", "event_time", "app_id", "ip", "log_detail"}
        undated += "event_time" not in item
        assert item.keys() | {"event_time"} == keys
        assert item["id"].isdigit()
        assert len(item["id"]) == 19
        assert len(item["app_id"]) == 20
        assert item["app_id"].startswith("cli_")
        detail = item["log_detail"]
        assert detail.keys() == {
            "path", "method", "query_param", "payload", "status_code", "response",
        }  # fmt: skip
        assert "/:" not in detail["path"]
        assert item["api_key"].startswith(detail["method"] + "/")
        assert isinstance(detail["status_code"], int)
        for text in (detail["query_param"], detail["payload"]):
            assert text == "" or isinstance(json.loads(text), dict)
        if item["ip"]:
            ipaddress.ip_address(item["ip"].split(",")[0])
        ids.add(item["id"])
    assert len(ids) == len(items) == len(company.calls)
    assert undated == 3


def test_noise_of_a_real_log_is_there(items):
    spelled = Counter()
    cut = 0
    for item in items:
        spelled["colon"] += "/:" in item["api_key"]
        spelled["brace"] += "/{" in item["api_key"]
        spelled["platform"] += item["ip"].startswith("fdbd:")
        spelled["no_status"] += item["log_detail"]["status_code"] == 0
        spelled["no_address"] += item["ip"] == ""
        spelled["proxied"] += "," in item["ip"]
        cut += not item["log_detail"]["response"].endswith("}")
    assert all(spelled.values()), spelled
    assert 0 < cut < len(items) / 100


def test_no_secret_is_in_the_log(items):
    tokens = [
        json.loads(i["log_detail"]["payload"]) for i in items if "tenant_access" in i["api_key"]
    ]
    assert tokens
    assert {payload["app_secret"] for payload in tokens} == {"example-not-a-secret"}


def test_log_covers_the_weeks_it_should(company):
    at = pd.to_datetime(company.calls["time"], unit="s", utc=True)
    assert at.is_monotonic_increasing
    assert pd.Timestamp("2026-10-11T16:00Z") <= at.min() < pd.Timestamp("2026-10-11T17:00Z")
    assert pd.Timestamp("2026-11-15T15:00Z") <= at.max() < pd.Timestamp("2026-11-15T16:00Z")
    assert not at.dt.floor("h").drop_duplicates().diff().gt(pd.Timedelta(hours=1)).any()


def test_office_apps_sleep_at_night_and_on_days_off_and_cron_keeps_its_minute(company):
    honest = company.calls[company.calls["attack"] < 0]
    kinds = honest["app_id"].map({app.app_id: app.role.kind for app in company.apps})
    office = honest[kinds == "office"]
    local = hours_of(office)
    assert (local.hour < 6).mean() < 0.05
    per_day = office.groupby(local.date).size()
    working = per_day[[day.weekday() < 5 and day != date(2026, 10, 23) for day in per_day.index]]
    assert per_day[date(2026, 10, 23)] < working.mean() / 3
    assert per_day[[day.weekday() >= 5 for day in per_day.index]].mean() < working.mean() / 3
    flat = hours_of(honest[kinds == "flat"])
    assert (flat.hour < 6).mean() > 0.12
    backup = next(a for a in company.apps if a.role.name == "doc-backup")
    starts = honest[(honest["app_id"] == backup.app_id) & honest["api"].str.contains("/auth/")]
    assert hours_of(starts).minute.value_counts(normalize=True).iloc[0] > 0.9


def test_volumes_of_apps_have_a_heavy_tail(company):
    per_app = company.calls["app_id"].value_counts()
    assert per_app.iloc[:6].sum() > 0.3 * per_app.sum()
    assert (per_app < 200).sum() >= 4


def test_outage_hits_many_apps_in_the_history_and_nothing_else_does(company):
    outage = company.incidents[company.incidents["kind"] == "outage"].iloc[0]
    calls = company.calls.assign(at=pd.to_datetime(company.calls["time"], unit="s", utc=True))
    failed = calls[calls["code"] == 1780001]
    inside = failed[failed["at"].between(outage["start_at"], outage["end_at"])]
    assert inside["app_id"].nunique() >= 15
    assert outage["end_at"] < pd.Timestamp("2026-11-08T16:00Z")
    others = failed[~failed["id"].isin(inside["id"])]
    assert others.groupby(others["at"].dt.floor("h"))["app_id"].nunique().max() < 10


def test_labels_point_at_rows_that_lie_in_the_items(company, items):
    by_id = {item["id"]: item for item in items}
    assert company.labels["scenario"].nunique() == 6
    for number, label in enumerate(company.labels.itertuples()):
        rows = [by_id[str(i)] for i in company.calls.loc[company.calls["attack"] == number, "id"]]
        times = pd.to_datetime([row["event_time"] for row in rows], unit="s", utc=True)
        assert len(rows) == label.rows_count > 0
        assert times.min() == label.start_at
        assert times.max() < label.end_at
        assert label.start_at >= pd.Timestamp("2026-11-08T16:00Z")
        if label.entity_type == "app":
            assert {row["app_id"] for row in rows} == {label.entity}
        else:
            assert {row["ip"].split(",")[0] for row in rows} <= {label.entity, ""}
            assert len({row["app_id"] for row in rows}) >= 5


def test_dormant_app_had_slept_for_a_month(company):
    label = company.labels.set_index("scenario").loc["dormant_wakes"]
    own = company.calls[
        (company.calls["app_id"] == label["entity"]) & (company.calls["attack"] < 0)
    ]
    last = pd.Timestamp(own["time"].max(), unit="s", tz="UTC")
    assert label["start_at"] - last > pd.Timedelta(days=30)


def test_every_scenario_can_be_laid_over_one_tenant():
    tenant = simulate_company(seed=1, apps=40, attacks=list(SCENARIOS), harsh=True)
    counted = tenant.calls["attack"].value_counts().reindex(range(len(SCENARIOS)), fill_value=0)
    assert tenant.labels["scenario"].tolist() == list(SCENARIOS)
    assert tenant.labels["rows_count"].tolist() == counted.tolist()
    apps = tenant.labels.loc[tenant.labels["entity_type"] == "app", "entity"]
    assert apps.is_unique
    silent = tenant.labels.set_index("scenario").loc["silence"]
    at = pd.to_datetime(tenant.calls["time"], unit="s", utc=True)
    own = tenant.calls["app_id"] == silent["entity"]
    assert silent["end_at"] - silent["start_at"] == pd.Timedelta(hours=20)
    assert not (own & at.between(silent["start_at"], silent["end_at"], inclusive="left")).any()
    assert (own & (at < silent["start_at"])).any()


def test_harsh_tenant_has_more_incidents(company):
    harsh = simulate_company(seed=7, harsh=True, attacks=[])
    assert len(harsh.incidents) > 2 * len(company.incidents)
    assert harsh.labels.empty


def test_half_size_attacks_are_about_half(company):
    half = simulate_company(seed=7, attack_size=0.5)
    shares = half.labels["rows_count"] / company.labels["rows_count"]
    assert shares.between(0.3, 0.75).all()


@given(
    name=st.sampled_from(sorted(SCENARIOS)),
    seed=st.integers(0, 2**32),
    size=st.floats(0.05, 5),
    start=st.integers(1_700_000_000, 1_900_000_000),
)
def test_an_attack_is_a_pure_function_that_stays_in_its_window(name, seed, size, start):
    scenario = SCENARIOS[name]
    rows, again = (
        scenario.inject(np.random.default_rng(seed), TARGET, start, size) for _ in range(2)
    )
    pd.testing.assert_frame_equal(rows, again)
    assert set(COLUMNS) <= set(rows.columns)
    assert rows["time"].between(start, start + 3600 * scenario.hours).all()
    assert set(rows["app_id"]) <= {*TARGET.peers}
    assert scenario.removes or len(rows) >= 1


def test_growth_comes_when_the_app_calls_anyway():
    start = 1_800_000_000
    rows = SCENARIOS["growth"].inject(np.random.default_rng(1), TARGET, start, 1.0)
    hours = rows["time"].to_numpy() // 3600
    usual = np.array(TARGET.rhythm)[(start // 3600 + np.arange(160)) % 168]
    assert len(rows) == pytest.approx(usual.sum(), rel=0.1)
    # the first hour is cut where it starts
    assert (np.array(TARGET.rhythm)[hours[hours > start // 3600] % 168] > 0).all()
    assert set(rows["api"]) <= set(TARGET.apis)


def test_every_api_is_one_the_catalogue_knows():
    text = (files("audit_analytics.catalogue") / "apis.csv").read_text(encoding="utf-8")
    known = {row["method"] + row["path"] for row in csv.DictReader(text.splitlines())}
    tenant = simulate_company(seed=1, apps=44, attacks=list(SCENARIOS), harsh=True)
    assert set(tenant.calls["api"].cat.categories) <= known


def test_pages_read_back_as_every_row_once(tmp_path, monkeypatch):
    monkeypatch.setattr("audit_analytics.simulate._pages._OVERLAP_EVERY", 2)
    small = simulate_company(seed=2, apps=12, weeks=2)
    paths = write_pages(small, tmp_path)
    pages = [page for path in paths if ".jsonl" in path.name for page in read_pages(path)]
    rows = [item for page in pages for item in page["data"]["items"]]
    assert {page["code"] for page in pages} == {0}
    assert all(len(page["data"]["items"]) <= 100 for page in pages)
    assert all(page["data"]["has_more"] == ("page_token" in page["data"]) for page in pages)
    assert {row["id"] for row in rows} == {str(i) for i in small.calls["id"]}
    assert len(rows) > len(small.calls), "some pages overlap"
    log = read_log(tmp_path)
    assert len(log.events) == len(small.calls) - 3
    assert set(log.events["app_id"]) == set(small.calls["app_id"])


def test_files_are_days_of_the_tenants_zone(tmp_path):
    small = simulate_company(
        apps=10, weeks=1, attacks=[], end=date(2026, 11, 1), tenant_zone="America/New_York"
    )
    days = [p.name for p in write_pages(small, tmp_path) if ".jsonl" in p.name]
    expected = ["10-26", "10-27", "10-28", "10-29", "10-30", "10-31", "11-01"]
    assert days == [f"2026-{day}.jsonl.gz" for day in expected]
    pages = read_pages(tmp_path / days[-1])
    times = [i.get("event_time") for page in pages for i in page["data"]["items"]]
    local = hours_of(pd.DataFrame({"time": [t for t in times if t]}), "America/New_York")
    assert set(local.date) == {date(2026, 11, 1)}


def test_description_says_how_the_tenant_was_made(tmp_path):
    small = simulate_company(seed=9, apps=10, weeks=2, attacks=["beacon"])
    write_pages(small, tmp_path)
    about = json.loads((tmp_path / "company.json").read_text())
    assert about["settings"]["seed"] == 9
    assert about["calls_count"] == len(small.calls)
    labels = pd.read_csv(tmp_path / "labels.csv")
    assert labels["scenario"].tolist() == ["beacon"]
    assert labels["start_at"].str.endswith("Z").all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"seed": -1}, "seed"),
        ({"apps": 3}, "apps"),
        ({"weeks": 0}, "weeks"),
        ({"attack_size": 0}, "attack_size"),
        ({"volume": float("nan")}, "volume"),
        ({"tenant_zone": "Mars/Base"}, "tenant_zone"),
        ({"attacks": ["beacon", "becon"]}, "becon"),
        ({"apps": 10, "weeks": 1, "attacks": ["dormant_wakes"]}, "dormant_wakes"),
    ],
)
def test_a_wrong_argument_is_named(arguments, named):
    with pytest.raises(ConfigError, match=named):
        simulate_company(**({"apps": 10, "weeks": 2} | arguments))


def test_a_wrong_output_is_named(tmp_path):
    small = simulate_company(apps=10, weeks=1, attacks=[])
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        write_pages(small, taken)
