"""Who the apps are, from the stand-in to the store: paging, limits, refusals, changes, kills."""

from __future__ import annotations

import json
import multiprocessing
import random
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from stand_ins import ScaledClock

from audit_analytics.cli.main import main
from audit_analytics.errors import RemoteError
from audit_analytics.feishu._auth import Credentials, ScopeMissing
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.feishu._ratelimit import SharedLimiter
from audit_analytics.inventory._snapshots import read_asked, read_latest
from audit_analytics.settings import Settings
from audit_analytics.simulate._directory import APPS_PATH, PEOPLE_PATH, Directory
from audit_analytics.simulate._ledger import Faults
from audit_analytics.simulate._server import APP_ID, APP_SECRET, StandIn
from audit_analytics.sync._apps import check_scopes, is_due, sync_apps
from audit_analytics.sync._doctor import diagnose

NOON = 1_794_000_000
EMAIL, PHONE = "planted.owner@corp.example", "+86 138 0000 4711"
LISTED, VERSIONS, PEOPLE = (
    "admin:app.info:readonly",
    "application:application.app_version:readonly",
    "contact:contact.base:readonly",
)


def make_directory(count=3, **options):
    apps = [
        {
            "app_id": f"cli_{n:016x}",
            "app_name": f"App {n}",
            "owner": {"type": 2, "owner_id": f"ou_{n % 70}", "email": EMAIL, "phone": PHONE},
            "status": 1,
            "scene_type": 0,
            "redirect_urls": [f"https://a{n}.example.com/x", "no url", 7],
            "scopes": [{"scope": "im:chat:readonly", "level": 1}],
        }
        for n in range(count)
    ]
    people = [
        {"open_id": f"ou_{n}", "name": f"Owner {n}", "status": {"is_resigned": n == 1}}
        for n in range(70)
    ]
    directory = Directory(apps, people=people, **options)
    for app in apps:
        directory.publish(app["app_id"], NOON - 86400)
    return directory


@contextmanager
def client_of(server, folder, *, limit=1_000_000, **options):
    clock = server.clock
    limiters = [
        SharedLimiter(folder / name, limit=limit, clock=clock.time, sleep=clock.sleep)
        for name in ("quota", "slow")
    ]
    with AuditLogClient(
        Credentials(APP_ID, APP_SECRET),
        base_url=server.url,
        limiter=limiters[0],
        slow_limiter=limiters[1],
        clock=clock.time,
        sleep=clock.sleep,
        **options,
    ) as client:
        yield client


def fetch(server, tmp_path, *, at=NOON, **options):
    with client_of(server, tmp_path, **options) as client:
        return sync_apps(Settings(), tmp_path / "store", clock=lambda: at, client=client)


def paths(server):
    return [request.path for request in server.requests]


def test_apps_are_read_with_names_owners_grants_and_versions(tmp_path):
    with StandIn([], directory=make_directory()) as server:
        result = fetch(server, tmp_path)
    stored = read_latest(tmp_path / "store")
    assert stored.apps == result.inventory.apps
    assert stored.fetched_at == datetime.fromtimestamp(NOON, UTC)
    app = stored.apps["cli_0000000000000001"]
    assert (app.name, app.owner, app.owner_status, app.status) == (
        *("App 1", "Owner 1", "resigned"),
        "on",
    )
    assert app.hosts == ("a1.example.com",)
    assert app.grants[0].scope == "im:chat:readonly"
    assert app.granted_at("im:chat:readonly").timestamp() == NOON - 86400
    assert app.granted_at("never:granted") is None


def test_two_hundred_apps_cost_few_calls_and_no_limit_is_hit(tmp_path):
    directory = make_directory(200)
    with StandIn([], directory=directory, clock=ScaledClock(2000.0)) as server:
        fetch(server, tmp_path, limit=100)
        first = paths(server)
        assert first.count(APPS_PATH) == 4
        assert first.count(PEOPLE_PATH) == 2
        assert sum("app_versions" in path for path in first) == 200
        assert not [request for request in server.requests if request.status == 429]
        # the second time only what is new is asked for
        directory.apps["cli_0000000000000007"]["scopes"].append({"scope": "im:message", "level": 2})
        directory.publish("cli_0000000000000007", NOON)
        result = fetch(server, tmp_path, at=NOON + 60, limit=100)
        again = paths(server)[len(first) :]
        assert sum("app_versions" in path for path in again) == 1
    assert result.is_new
    granted = result.inventory.apps["cli_0000000000000007"].granted_at("im:message")
    assert granted.timestamp() == NOON


def test_a_first_sync_that_did_not_end_goes_on_where_it_was(tmp_path):
    directory = make_directory(30)
    asked = []
    with StandIn([], directory=directory) as server:
        with client_of(server, tmp_path) as client:
            listed = client.get

            def get(path, *args, **options):
                asked.append(path)
                if len(asked) == 18:
                    raise KeyboardInterrupt
                return listed(path, *args, **options)

            client.get = get
            with pytest.raises(KeyboardInterrupt):
                sync_apps(Settings(), tmp_path / "store", clock=lambda: NOON, client=client)
        assert not read_latest(tmp_path / "store"), "no half of a snapshot"
        kept = tmp_path / "store" / ".apps" / ".versions"
        assert kept.stat().st_mode & 0o777 == 0o600
        kept.write_text(kept.read_text() + '["cli_0000000000000003", "v", [["1.0')  # cut off
        before = len(server.requests)
        result = fetch(server, tmp_path)
        again = [path for path in paths(server)[before:] if "app_versions" in path]
    assert len(again) == 30 - 16
    assert all(app.versions for app in result.inventory.apps.values())
    assert not kept.exists()
    assert read_latest(tmp_path / "store").apps == result.inventory.apps


def test_what_did_not_change_is_not_written_again_and_what_did_is(tmp_path):
    directory = make_directory()
    folder = tmp_path / "store" / ".apps"
    with StandIn([], directory=directory) as server:
        assert fetch(server, tmp_path).is_new
        assert not fetch(server, tmp_path, at=NOON + 86400).is_new
        assert len(list(folder.glob("*.parquet"))) == 1
        assert read_asked(tmp_path / "store").timestamp() == NOON + 86400
        directory.apps["cli_0000000000000000"]["owner"] = {"type": 2, "owner_id": "ou_5"}
        del directory.apps["cli_0000000000000002"]
        assert fetch(server, tmp_path, at=NOON + 2 * 86400).is_new
    apps = read_latest(tmp_path / "store").apps
    assert apps["cli_0000000000000000"].owner == "Owner 5"
    # the log still names it
    assert (apps["cli_0000000000000002"].name, apps["cli_0000000000000002"].status) == (
        *("App 2", "gone"),
    )
    assert not is_due(tmp_path / "store", datetime.fromtimestamp(NOON + 2 * 86400 + 5, UTC))
    assert is_due(tmp_path / "store", datetime.fromtimestamp(NOON + 3 * 86400, UTC))


def test_a_missing_scope_is_one_sentence(tmp_path):
    directory = make_directory()
    with StandIn([], directory=directory) as server:
        directory.scopes -= {VERSIONS}
        result = fetch(server, tmp_path)
        assert [VERSIONS in text for text in result.inventory.missing] == [True]
        directory.scopes -= {PEOPLE}
        result = fetch(server, tmp_path, at=NOON + 60)
        assert len(result.inventory.missing) == 2
        assert result.inventory.apps["cli_0000000000000000"].owner == ""
        directory.scopes.clear()
        with pytest.raises(ScopeMissing, match=f"grant the app the scope {LISTED}") as caught:
            fetch(server, tmp_path, at=NOON + 120)
    assert "\n" not in str(caught.value)
    assert len(read_latest(tmp_path / "store").apps) == 3


@pytest.mark.parametrize(
    "script",
    [
        ("server_error", "rate_limited", "html"),
        ("token_refused", "", "token_refused"),
        ("", "html", "", "server_error", "rate_limited"),
    ],
)
def test_faults_are_outlasted(tmp_path, script):
    faults = Faults(script=script)
    with StandIn(
        [], directory=make_directory(), faults=faults, clock=ScaledClock(2000.0)
    ) as server:
        result = fetch(server, tmp_path)
    assert len(result.inventory.apps) == 3
    assert all(app.versions for app in result.inventory.apps.values())


def test_a_platform_that_fails_leaves_what_was_known(tmp_path):
    with StandIn([], directory=make_directory()) as server:
        fetch(server, tmp_path)
    faults = Faults(server_error=1.0)
    with (
        StandIn(
            [], directory=make_directory(5), faults=faults, clock=ScaledClock(2000.0)
        ) as server,
        pytest.raises(RemoteError),
    ):
        fetch(server, tmp_path, at=NOON + 60, attempts=3)
    assert len(read_latest(tmp_path / "store").apps) == 3


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 0},
        {"code": 0, "data": {"app_list": {"a": 1}}},
        {"code": 0, "data": {"app_list": [], "has_more": True}},
        {"code": 0, "data": {"app_list": [], "has_more": True, "page_token": "again"}},
    ],
)
def test_pages_that_lead_nowhere_are_an_error(tmp_path, answer):
    directory = make_directory()
    directory.answer = lambda *_: (200, answer)
    with StandIn([], directory=directory) as server, pytest.raises(RemoteError, match="apps: "):
        fetch(server, tmp_path)


def test_entries_of_any_shape_are_taken_as_they_are(tmp_path):
    directory = make_directory(1)
    odd = [
        None,
        {"app_name": "no id"},
        {"app_id": "../evil?x", "app_name": ["a"], "owner": 5, "scopes": [1, {"scope": None}]},
        {"app_id": "cli_x", "status": 17, "redirect_urls": "https://x", "scopes": {}},
    ]
    listed = directory.answer
    directory.answer = lambda path, query: (
        (200, {"code": 0, "data": {"app_list": odd}}) if path == APPS_PATH else listed(path, query)
    )
    with StandIn([], directory=directory) as server:
        result = fetch(server, tmp_path)
        assert not [path for path in paths(server) if "evil" in path]
    assert sorted(result.inventory.apps) == ["../evil?x", "cli_x"]
    assert read_latest(tmp_path / "store").apps == result.inventory.apps


def run_syncs(url, folder, number):
    directory_clock = iter(range(NOON + number, NOON + 10_000_000, 60))
    limiters = [SharedLimiter(folder / name, limit=10**6) for name in ("quota", "slow")]
    credentials = Credentials(APP_ID, APP_SECRET)
    with AuditLogClient(
        credentials, base_url=url, limiter=limiters[0], slow_limiter=limiters[1]
    ) as client:
        for at in directory_clock:
            sync_apps(Settings(), folder / "store", clock=lambda at=at: at, client=client)


def test_a_sync_that_is_killed_leaves_the_last_whole_snapshot(tmp_path):
    directory = make_directory(30)
    seen = []
    answer = directory.answer

    def change(path, query):
        # every list finds another owner: no two snapshots are the same
        if path == APPS_PATH and "page_token" not in query:
            number = len(seen)
            seen.append(number)
            for app in directory.apps.values():
                app["app_name"] = f"state {number}"
                app["online_version_id"] = f"v{number}" if number % 3 == 0 else "v"
        return answer(path, query)

    directory.answer = change
    context = multiprocessing.get_context("spawn")
    chance = random.Random(5)  # noqa: S311
    with StandIn([], directory=directory, limit=10**6) as server:
        directory._quotas = dict.fromkeys(directory._quotas, NoQuota())
        for number in range(2):
            child = context.Process(target=run_syncs, args=(server.url, tmp_path, number))
            child.start()
            until = len(server.requests) + chance.randint(40, 200)
            while len(server.requests) < until and child.is_alive():
                child.join(0.005)
            assert child.is_alive()
            child.kill()
            child.join()
            apps = read_latest(tmp_path / "store").apps
            assert len({app.name for app in apps.values()}) == 1
            assert len(apps) == 30
        fetch(server, tmp_path, at=NOON + 10_000_000)
    assert not list((tmp_path / "store" / ".apps").glob(".*"))
    assert {app.name for app in read_latest(tmp_path / "store").apps.values()} == {
        f"state {len(seen) - 1}"
    }


class NoQuota:
    def take(self, _now):
        return 0.0


def test_the_owners_mail_and_phone_are_in_no_file_but_the_inventory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    items = [
        {"id": f"i{n}", "api_key": "GET/open-apis/im/v1/chats", "app_id": f"cli_{n % 3:016x}"}
        | {"event_time": NOON - n * 600, "ip": "10.0.0.1"}
        for n in range(150)
    ]
    with StandIn(items, directory=make_directory()) as server:
        for name, value in {
            "BASE_URL": server.url,
            "APP_ID": APP_ID,
            "APP_SECRET": APP_SECRET,
        }.items():
            monkeypatch.setenv(f"AUDIT_ANALYTICS_{name}", value)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        monkeypatch.setenv("AUDIT_ANALYTICS_SYNC__APPS", "true")
        run = CliRunner().invoke
        since = datetime.fromtimestamp(NOON - 150 * 600, UTC).strftime("%Y-%m-%d")
        until = datetime.fromtimestamp(NOON, UTC).strftime("%Y-%m-%d")
        assert run(main, ["sync", "store", "--since", since, "--until", until]).exit_code == 0
        asked = len(server.requests)
        assert run(main, ["sync", "store", "--since", since, "--until", until]).exit_code == 0
        assert APPS_PATH not in paths(server)[asked:], "once a day"
        status = run(main, ["status", "store"]).stdout
        assert "Apps: as of 20" in status
        assert run(main, ["weekly", "store", "--out", "reports"]).exit_code in (0, 3)
        listed = json.loads(run(main, ["apps", "list", "store", "--json"]).stdout)
    assert listed[0]["email"] == EMAIL
    holding = [
        path.relative_to(tmp_path)
        for path in tmp_path.rglob("*")
        if path.is_file() and re.search(rf"{EMAIL}|{re.escape(PHONE)}".encode(), path.read_bytes())
    ]
    assert all(path.parts[:2] == ("store", ".apps") for path in holding)
    plain = Path("reports").rglob("*.*")
    assert not [p for p in plain if p.is_file() and EMAIL in p.read_text("utf-8", "replace")]
    assert (tmp_path / "store" / ".apps").stat().st_mode & 0o777 == 0o700


def test_doctor_says_which_scopes_are_missing(tmp_path):
    directory = make_directory()
    with StandIn([], directory=directory) as server, client_of(server, tmp_path) as client:
        assert check_scopes(client) == ("ok", "names, owners and grants of the apps can be read")
        directory.scopes -= {VERSIONS, PEOPLE}
        state, detail = check_scopes(client)
        assert state == "warn"
        assert VERSIONS in detail
        assert PEOPLE in detail
        directory.scopes.clear()
        assert LISTED in check_scopes(client)[1]
        settings = Settings(base_url=server.url, app_id=APP_ID, app_secret=APP_SECRET)
        checks = {c["name"]: c for c in diagnose(settings, client=client)["checks"]}
        assert checks["apps"]["state"] == "warn"
        assert diagnose(settings, client=client)["is_healthy"]
