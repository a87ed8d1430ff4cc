"""Who the apps are by hand and by page, what they are called, and what they use of their grants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import audit_analytics as aa
from audit_analytics.catalogue import Catalogue, load_scopes
from audit_analytics.detect._grid import find_whole_days
from audit_analytics.errors import ConfigError, InputError
from audit_analytics.inventory import (
    App,
    Grant,
    Inventory,
    Labels,
    Version,
    find_inventory,
    judge_scopes,
    list_unexplained,
)
from audit_analytics.inventory._snapshots import read_history, read_latest, write_snapshot
from audit_analytics.inventory._wire import read_app, read_versions
from audit_analytics.rollup import rollup
from audit_analytics.settings import Settings
from audit_analytics.simulate import simulate_company, write_pages
from audit_analytics.simulate._directory import _plant_grants, make_directory
from audit_analytics.source import read_log

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
BOT = App(app_id="cli_ab6a7673f1baad15", name="HR export bot", owner="Li Na", contact="#hr")
TEXTS = st.text(max_size=12)
APPS = st.builds(
    App,
    app_id=st.text(min_size=1, max_size=8),
    name=TEXTS,
    owner=TEXTS,
    hosts=st.lists(TEXTS, max_size=2).map(tuple),
    grants=st.lists(st.builds(Grant, TEXTS, st.integers(0, 3)), max_size=2).map(tuple),
    versions=st.lists(
        st.builds(Version, TEXTS, st.just(NOON), st.lists(TEXTS, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
)


# By hand


def test_what_people_wrote_wins_over_the_platform(tmp_path):
    write_snapshot_of(tmp_path, App(app_id="cli_1", name="old", owner="gone", status="on"))
    (tmp_path / "apps.csv").write_text(
        "app_id,name,owner,contact,networks\n"
        'cli_1,"Payroll, new",,#pay,10.1.0.0/16 10.2.0.0/16\ncli_2,Other,,,\n'
    )
    apps = find_inventory(tmp_path).apps
    assert (apps["cli_1"].name, apps["cli_1"].owner, apps["cli_1"].status) == (
        *("Payroll, new", "gone"),
        "on",
    )
    assert apps["cli_1"].networks == ("10.1.0.0/16", "10.2.0.0/16")
    assert apps["cli_2"].name == "Other"
    own = tmp_path / "own.toml"
    own.write_text('[[app]]\napp_id = "cli_1"\nowner = "Li Na"\nnetworks = ["10.3.0.0/16"]\n')
    assert find_inventory(tmp_path, own).apps["cli_1"].owner == "Li Na"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("app_id,nmae\ncli_1,x\n", "unknown column 'nmae'; did you mean 'name'"),
        ("name\nx\n", "app_id"),
        ("app_id\n\ncli_1,extra\n", "more values than columns"),
        ("app_id,networks\ncli_1,office\n", "cannot be 'office'"),
        ("app_id\n  \n", "is empty"),
        (b"app_id\n\xff\n", "no CSV in UTF-8"),
    ],
)
def test_a_file_nobody_can_read_is_refused_with_its_place(tmp_path, text, says):
    path = tmp_path / "apps.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=r"apps\.csv") as caught:
        find_inventory(tmp_path)
    assert says in str(caught.value)


def test_pages_beside_a_log_are_an_inventory_and_no_log(tmp_path):
    company = simulate_company(seed=1, apps=10, weeks=1, attacks=[])
    write_pages(company, tmp_path)
    apps = find_inventory(tmp_path).apps
    assert len(apps) == 10
    assert all(app.name and app.owner for app in apps.values())
    assert read_log(tmp_path).counts["rejects"] == 3  # those without a time
    (tmp_path / "apps.json.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="holds no pages"):
        find_inventory(tmp_path)


# Snapshots


def write_snapshot_of(folder, *apps, at=NOON):
    return write_snapshot(folder, Inventory.of(apps, at))


@given(apps=st.lists(APPS, max_size=3))
def test_a_snapshot_comes_back_as_it_was(apps, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    inventory = Inventory.of(apps, NOON)
    write_snapshot(folder, inventory)
    assert read_latest(folder) == inventory
    assert not write_snapshot(folder, inventory) or not apps


def test_a_snapshot_that_is_damaged_says_so(tmp_path):
    write_snapshot_of(tmp_path, BOT)
    (file,) = (tmp_path / ".apps").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read"):
        read_latest(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "app_id",
                    "app_name",
                    "owner",
                    "name",
                    "scopes",
                    "scope",
                    "level",
                    "status",
                    "redirect_urls",
                    "publish_time",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(row=json_values)
def test_any_answer_is_read_or_left_out(row, tmp_path_factory):
    app = read_app(row)
    versions = read_versions([row])
    if app:
        folder = tmp_path_factory.mktemp("store")
        write_snapshot_of(folder, app)
        assert read_latest(folder).apps == {app.app_id: app}
    assert isinstance(versions, tuple)


# Labels


@pytest.mark.parametrize(
    "name",
    ["cli_a6cfee2e522c10f9", "two\nlines", "x" * 500, "\u202egnp.exe", "<script>", "  ", "=cmd()"],
)
def test_a_label_is_one_line_and_no_name_passes_for_another_app(name):
    evil = App(app_id="cli_0000000000000bad", name=name)
    label = Labels(Inventory.of([evil])).of("app", evil.app_id)
    assert label.endswith("cli_0000…0bad)") or label == evil.app_id
    assert "cli_a6cf" not in label
    assert "\n" not in label
    assert len(label) < 60


def test_the_narrowest_named_network_names_an_address():
    labels = Labels(None, {"10.0.0.0/8": "company", "10.1.0.0/16": "Shanghai", "fd00::/8": "six"})
    assert labels.of("ip", "10.1.2.3") == "10.1.2.3 (Shanghai)"
    assert labels.of("network", "10.2.3.0/24") == "10.2.3.0/24 (company)"
    assert labels.of("ip", "fd00::1") == "fd00::1 (six)"
    assert labels.of("ip", "no address") == "no address"
    assert labels.of("network", "0.0.0.0/0") == "0.0.0.0/0"
    with pytest.raises(ConfigError, match="office"):
        Settings(networks={"office": "Shanghai"})


# Granted against used


def judge(grants, calls, *, days=28, versions=()):
    app = App(
        app_id="cli_1",
        name="x",
        grants=tuple(Grant(scope, 1) for scope in grants),
        versions=tuple(versions),
    )
    hours = pd.date_range("2026-10-01", periods=max(len(calls), 1), freq="h", tz="UTC")
    events = pd.DataFrame(
        [
            {"id": str(n), "event_time": int(at.timestamp()), "app_id": "cli_1", "api_key": api}
            | {"log_detail": {"response": f'{{"code":{code}}}', "status_code": 200}}
            for n, (at, (api, code)) in enumerate(zip(hours, calls, strict=False))
        ]
    )
    items = events.to_dict("records") or [{"id": "0", "event_time": 1, "api_key": "GET/x"}]
    by_api = rollup(read_log(items).events).by_api
    starts = pd.date_range("2026-10-01", periods=days, freq="D", tz="UTC")
    table = judge_scopes(by_api, Inventory.of([app]), starts, Catalogue.default())
    return table.set_index("scope")


LIST, CREATE = "GET/open-apis/im/v1/chats", "POST/open-apis/im/v1/chats"


def scopes_of(api):
    known = load_scopes()
    return sorted((n for n, s in known.items() if api in s.apis), key=lambda n: len(known[n].apis))


def test_used_perhaps_unused_unknown():
    narrow, *_, wide = scopes_of(LIST)
    idle = "payroll:payment_activity:read"
    table = judge([narrow, idle], [(LIST, 0)])
    assert table["usage"].to_dict() == {narrow: "used", idle: "unused"}
    assert table.loc[narrow, "last_used_at"] == pd.Timestamp("2026-10-01", tz="UTC")
    assert table.loc[idle, "severity"] == "critical"
    both = judge([narrow, wide], [(LIST, 0)])
    assert set(both["usage"]) == {"perhaps"}
    assert both.loc[wide, "narrower"] == narrow
    refused = judge([idle, narrow], [(LIST, 230002)])
    assert refused.loc[narrow, "usage"] in {"unused", "unknown"}
    assert judge(["nobody:knows:this"], []).iloc[0]["usage"] == "unknown"


def test_calls_that_no_grant_explains_are_listed_where_nothing_else_may_explain_them(tmp_path):
    narrow = scopes_of(LIST)[0]
    at = datetime(2026, 10, 1, 12, tzinfo=UTC)
    items = [
        {"id": api, "event_time": int(at.timestamp()), "app_id": "cli_1", "api_key": api}
        | {"log_detail": {"response": '{"code":0}', "status_code": 200}}
        for api in (LIST, CREATE, "GET/open-apis/nobody/knows")
    ]
    by_api = rollup(read_log(items).events).by_api

    def unexplained(*looks):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for hours, scopes in looks:
            app = App(app_id="cli_1", grants=tuple(map(Grant, scopes)))
            write_snapshot_of(folder, app, at=at + timedelta(hours=hours))
        return list_unexplained(by_api, read_history(folder))["api"].tolist()

    assert unexplained((-1, [narrow]), (1, [narrow])) == [CREATE]
    assert unexplained((-1, [narrow])) == [], "the apps were read before the call"
    assert unexplained((1, [narrow])) == [], "it may have been withdrawn since"
    assert unexplained((-2, ["im:chat"]), (-1, [narrow]), (1, [narrow])) == [], "it had it once"
    assert unexplained((-1, [narrow, "no:such"]), (1, [narrow])) == [], "who knows what that opens"
    assert list_unexplained(by_api, Inventory.of([BOT])).empty


def test_nothing_is_unused_on_less_than_28_days_or_if_it_serves_more():
    idle = "payroll:payment_activity:read"
    assert judge([idle], [], days=27).iloc[0]["why"] == "days"
    late = [
        Version("1", datetime(2026, 9, 1, tzinfo=UTC), ()),
        Version("2", datetime(2026, 10, 10, tzinfo=UTC), (idle,)),
    ]
    found = judge([idle], [], days=30, versions=late).iloc[0]
    assert (found["usage"], found["days_observed"]) == ("unknown", 21)
    silent = [name for name, scope in load_scopes().items() if scope.serves]
    assert len(silent) == 34 + 96 + 319 + 31 + 6
    assert set(judge(silent, [])["usage"]) == {"unknown"}


def test_the_map_covers_the_catalogue():
    opened = set().union(*(scope.apis for scope in load_scopes().values()))
    assert len(opened) >= 1620
    assert opened <= {match.api for match in Catalogue.default()}


def test_days_with_a_gap_are_not_complete():
    hours = pd.date_range("2026-10-01T16:00", "2026-10-06T15:00", freq="h", tz="UTC")
    calls_at = pd.Series(hours.repeat(30))
    assert len(find_whole_days(calls_at, zone="Asia/Shanghai")) == 5
    lost = calls_at[~calls_at.between("2026-10-03T20:00Z", "2026-10-03T22:00Z")]
    assert len(find_whole_days(lost, zone="Asia/Shanghai")) == 4
    assert len(find_whole_days(lost[3:], zone="Asia/Shanghai")) == 4
    assert len(find_whole_days(calls_at[60:], zone="Asia/Shanghai")) == 4
    assert find_whole_days(calls_at[:0], zone="Asia/Shanghai").empty


def rate(seed, apps):
    company = simulate_company(seed=seed, apps=apps, weeks=5)
    directory, planted = make_directory(company), _plant_grants(company)
    inventory = Inventory.of(
        replace_versions(read_app(row), directory) for row in directory.apps.values()
    )
    table = aa.apps.scopes(list(company.items()), inventory)
    both = planted.merge(table, on=["app_id", "scope"], how="left", validate="1:1")
    said, true = both["usage"] == "unused", both["planted"] == "unused"
    silent = both["planted"].isin(["events", "fields", "recent"])
    return int((said & true).sum()), int(said.sum()), int(true.sum()), int((said & silent).sum())


def replace_versions(app, directory):
    return replace(app, versions=read_versions(directory.versions[app.app_id]))


def test_planted_permissions_are_told_and_no_other():
    hit, said, true, silent = rate(3, 20)
    assert true >= 20
    assert hit / said >= 0.95
    assert hit / true >= 0.95
    assert silent == 0
