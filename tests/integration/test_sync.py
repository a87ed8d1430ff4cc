# ruff: noqa: SIM117 - a server, and then a client of it, are two steps
from __future__ import annotations

import json
import logging
import multiprocessing
import random
import threading
import traceback
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from stand_ins import OddLedger, OddServer, ScaledClock, Trickled

from audit_analytics.catalogue import Catalogue
from audit_analytics.cli import _fetch as cli_fetch
from audit_analytics.errors import ConfigError, DataIncompleteError, RemoteError
from audit_analytics.feishu._auth import Credentials
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.feishu._pages import split_filters
from audit_analytics.feishu._ratelimit import SharedLimiter
from audit_analytics.settings import Settings
from audit_analytics.simulate._ledger import KINDS, Faults
from audit_analytics.simulate._loopback import json_reply
from audit_analytics.simulate._server import APP_ID, APP_SECRET, TOKEN_PATH, StandIn
from audit_analytics.source import read_log
from audit_analytics.store import Store, StoreLocked, StoreUnusable, lock_store, read_store
from audit_analytics.store._folder import list_files
from audit_analytics.sync import sync
from audit_analytics.sync._doctor import diagnose, render_diagnosis
from audit_analytics.sync._progress import Progress, show_progress
from audit_analytics.sync._status import describe_store, render_status

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + 3 * HOUR
UNLIMITED = 100_000
FAST = 2000.0
THREE_HOURS = {"window_minutes": 180}
USER_API = "GET/open-apis/contact/v3/users/:user_id"
SECRET_API = "POST/open-apis/admin/v1/password/reset"  # noqa: S105


def make_items(count, *, start=NOON - 6 * HOUR, end=NOON, api=USER_API, name="id"):
    first, length = int(start.timestamp()), (end - start).total_seconds()
    return [
        {
            "id": f"{name}-{n}",
            "api_key": api,
            "app_id": f"cli_{n % 3}",
            "ip": "203.0.113.9",
            "event_time": first + int(n * length / count),
            "log_detail": {"method": "GET", "path": "/open-apis/contact/v3/users/ou_1"},
        }
        for n in range(count)
    ]


class SetClock:
    """A clock that stands where it was put."""

    def __init__(self, at):
        self.at = at

    def time(self):
        return self.at.timestamp()

    def sleep(self, seconds):
        pass


@contextmanager
def client_of(url, clock, folder, **options):
    limiter = SharedLimiter(folder / "quota", limit=UNLIMITED)
    with AuditLogClient(
        Credentials(APP_ID, APP_SECRET),
        base_url=url,
        limiter=limiter,
        sleep=clock.sleep,
        **options,
    ) as client:
        yield client


def fetch(client, folder, *, now=LATER, since=NOON - 6 * HOUR, settings=None, **options):
    return sync(
        settings or Settings(),
        folder,
        since=since,
        until=options.pop("until", NOON),
        clock=now.timestamp,
        client=client,
        **options,
    )


def stored_ids(folder):
    """Every id as often as it stands on the disk."""
    return Counter(
        name
        for path in folder.glob("day=*/*.parquet")
        for name in pq.read_table(path)["id"].to_pylist()
    )


def once(items):
    return Counter(item["id"] for item in items)


def test_a_sync_stores_the_log_once_and_the_next_has_nothing_to_do(tmp_path):
    items = make_items(1500)
    folder = tmp_path / "store"
    seen = []
    with (
        StandIn(items, limit=UNLIMITED) as server,
        client_of(server.url, server.clock, tmp_path) as client,
    ):
        result = fetch(client, folder, progress=seen.append)
        asked = len(server.requests)
        again = fetch(client, folder)
        assert len(server.requests) == asked
    assert stored_ids(folder) == once(items)
    assert (len(result.planned), result.missing, result.find_error()) == (6, [], None)
    assert result.describe() == "6 of 6 windows stored: 1,500 events, 18 requests."
    assert again.describe() == "Nothing is due: the store is up to date."
    assert (seen[-1].done_count, seen[-1].rows_count, seen[-1].requests_count) == (6, 1500, 18)
    assert seen[-1].minutes_left == 0
    assert read_log(folder).counts["events"] == 1500


def test_everything_is_stored_once_whatever_goes_wrong(tmp_path):
    items = make_items(3000)
    faults = Faults(seed=3, slow_seconds=1, **dict.fromkeys(KINDS, 0.02))
    with StandIn(items, limit=UNLIMITED, faults=faults, clock=ScaledClock(FAST)) as server:
        with client_of(server.url, server.clock, tmp_path, attempts=20) as client:
            result = fetch(client, tmp_path / "store")
            assert result.find_error() is None
            assert client.counts["retries"] > 0
    assert stored_ids(tmp_path / "store") == once(items) == Counter(server.served_ids)


def test_a_window_with_too_many_pages_is_halved(tmp_path):
    items = make_items(2000, start=NOON - HOUR)
    folder = tmp_path / "store"
    with StandIn(items, limit=UNLIMITED) as server:
        with client_of(server.url, server.clock, tmp_path, max_pages=6) as client:
            result = fetch(client, folder, since=NOON - HOUR)
            halves = [start for start, _ in list_files(folder)]
            assert fetch(client, folder, since=NOON - HOUR).planned == []
    assert (len(result.planned), len(result.stored), len(halves)) == (1, 4, 4)
    assert stored_ids(folder) == once(items)
    assert describe_store(folder, LATER)["gaps"] == []


def test_pages_that_break_again_and_again_are_read_in_halves(tmp_path):
    items = make_items(1000, start=NOON - HOUR)
    faults = Faults(script=("", "page_token_expired") * 3)
    with StandIn(items, limit=UNLIMITED, faults=faults) as server:
        with client_of(server.url, server.clock, tmp_path) as client:
            result = fetch(client, tmp_path / "store", since=NOON - HOUR)
    assert len(result.stored) == 2
    assert stored_ids(tmp_path / "store") == once(items)


# Refusals


@contextmanager
def scripted(answer_log):
    """Answer the log as told, given the time asked for; an answer of None is an empty page."""

    def answer(path, _headers, body):
        if path == TOKEN_PATH:
            token = {"code": 0, "tenant_access_token": "t-planted-token", "expire": 7200}
            return json_reply(200, token)
        start = datetime.fromtimestamp(json.loads(body)["start_time"] + 1, UTC)
        data = {"items": [], "has_more": False}
        return answer_log(start) or json_reply(200, {"code": 0, "data": data})

    with OddServer(("127.0.0.1", 0), answer) as server:
        yield server


def test_the_failure_of_a_window_does_not_lose_the_others(tmp_path):
    broken = NOON - 2 * HOUR
    is_broken = True
    failure = json_reply(500, {"code": 1780001, "msg": "busy"})
    with scripted(lambda start: failure if is_broken and start == broken else None) as server:
        with client_of(server.url, SetClock(NOON), tmp_path, attempts=2) as client:
            result = fetch(client, tmp_path / "store", workers=2)
            is_broken = False
            again = fetch(client, tmp_path / "store")
    error = result.find_error()
    assert isinstance(error, DataIncompleteError)
    assert (
        "5 of 6 windows are stored, 1 are missing (2026-03-02T10:00:00Z/2026-03-02T11:00:00Z)"
        in str(error)
    )
    assert "1780001" in str(error)
    assert [str(window) for window in again.planned] == [
        "2026-03-02T10:00:00Z/2026-03-02T11:00:00Z"
    ]
    assert again.find_error() is None


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (99991403, "quota .* is spent"),
        (99991672, "grant the app the scope"),
        (99991401, "allow-list"),
    ],
)
def test_what_would_fail_every_window_stops_the_sync(tmp_path, code, word):
    asked = []

    def answer(start):
        asked.append(start)
        return json_reply(400, {"code": code, "msg": "no"}) if len(asked) > 3 else None

    with scripted(answer) as server, client_of(server.url, SetClock(NOON), tmp_path) as client:
        result = fetch(client, tmp_path / "store", since=NOON - 10 * DAY, workers=1)
        assert len(asked) < 20
        with pytest.raises(RemoteError, match=f"{word}.*3 of 240 windows are stored.*same command"):
            raise result.find_error()
        stored = [start for start, _ in list_files(tmp_path / "store")]
    assert stored == [NOON - 3 * HOUR, NOON - 2 * HOUR, NOON - HOUR], "the newest come first"


def test_a_platform_that_is_down_is_not_asked_for_every_window(tmp_path):
    asked = []

    def answer(start):
        asked.append(start)
        return json_reply(500, {"code": 1780001, "msg": "busy"})

    with scripted(answer) as server:
        with client_of(server.url, SetClock(NOON), tmp_path, attempts=1) as client:
            result = fetch(client, tmp_path / "store", since=NOON - 10 * DAY, workers=2)
    assert len(asked) < 20
    assert "windows in a row failed" in str(result.find_error())
    assert len(result.missing) == 240


def test_where_not_one_window_came_the_platform_is_at_fault_and_not_the_log(tmp_path):
    def answer(_start):
        return json_reply(500, {"code": 1780001, "msg": "busy"})

    with scripted(answer) as server:
        with client_of(server.url, SetClock(NOON), tmp_path, attempts=1) as client:
            error = fetch(client, tmp_path / "store", since=NOON - 2 * HOUR).find_error()
    assert isinstance(error, RemoteError)
    assert "0 of 2 windows are stored" in str(error)


def test_a_range_the_platform_refuses_ends_in_a_few_requests(tmp_path):
    asked = []

    def answer(start):
        asked.append(start)
        return json_reply(400, {"code": 1780103, "msg": "no"}) if start < NOON - HOUR else None

    with scripted(answer) as server, client_of(server.url, SetClock(NOON), tmp_path) as client:
        result = fetch(client, tmp_path / "store", since=NOON - 2 * HOUR)
    assert len(result.failed) == 1
    assert len(asked) < 10


# Time


def test_late_rows_are_found_when_the_hour_is_read_again(tmp_path):
    start = NOON - HOUR
    items = make_items(400, start=start)
    ledger = OddLedger(items, late_share=0.3, late_seconds=1500)
    clock = SetClock(start)
    folder = tmp_path / "store"
    found = []
    with (
        StandIn(ledger, limit=UNLIMITED) as server,
        client_of(server.url, clock, tmp_path) as client,
    ):
        server.clock = clock
        while clock.at < NOON + 2 * HOUR:
            clock.at += timedelta(minutes=7)
            fetch(client, folder, now=clock.at, since=start)
            assert set(stored_ids(folder).values()) <= {1}
            found.append(stored_ids(folder).total())
    assert found == sorted(found)
    assert stored_ids(folder) == once(items)
    assert [m.end for m in Store(folder).scan().manifests] == [NOON]


def test_old_windows_are_removed_when_asked(tmp_path):
    items = make_items(300, start=NOON - 2 * DAY)
    folder = tmp_path / "store"
    with (
        StandIn(items, limit=UNLIMITED) as server,
        client_of(server.url, server.clock, tmp_path) as client,
    ):
        # the day that is kept begins where a window of three hours does
        fetch(client, folder, since=NOON - 2 * DAY, settings=Settings(sync=THREE_HOURS))
        one_day = Settings(sync={"keep_days": 1, **THREE_HOURS})
        result = fetch(client, folder, since=LATER - DAY / 2, settings=one_day)
        with pytest.raises(ConfigError, match="begin later, or keep more"):
            fetch(client, folder, since=NOON - 5 * DAY, settings=one_day)
    assert result.removed_count == 9
    assert list_files(folder)[0][0] == LATER - DAY


# Scope


def test_a_filter_reads_less_and_never_replaces_more(tmp_path):
    plain = make_items(600)
    wanted = make_items(60, api=SECRET_API, name="sensitive")
    assert SECRET_API in Catalogue.default().sensitive_apis()
    folder = tmp_path / "store"
    with StandIn([*plain, *wanted], limit=UNLIMITED) as server:
        with client_of(server.url, server.clock, tmp_path) as client:
            fetch(client, folder, sensitive_only=True)
            assert stored_ids(folder) == once(wanted)
            shown = render_status(describe_store(folder, LATER))
            assert "sensitive only" in shown
            assert "ssssss" in shown
            fetch(client, folder, since=NOON - 3 * HOUR, now=NOON)
            assert len(stored_ids(folder)) == 330 + 30
            fetch(client, folder, sensitive_only=True, now=NOON + 20 * DAY)
            assert len(stored_ids(folder)) == 330 + 30
            fetch(client, folder, now=NOON + 20 * DAY)
    assert stored_ids(folder) == once([*plain, *wanted])


def test_a_platform_that_ignores_the_filter_doubles_nothing(tmp_path):
    items = make_items(300, start=NOON - HOUR)
    rows = [
        item for item in items if datetime.fromtimestamp(item["event_time"], UTC) >= NOON - HOUR
    ]
    everything = json_reply(200, {"code": 0, "data": {"items": rows, "has_more": False}})
    with scripted(lambda _: everything) as server:
        with client_of(server.url, SetClock(NOON), tmp_path) as client:
            result = fetch(client, tmp_path / "store", since=NOON - HOUR, sensitive_only=True)
    assert result.counts["requests"] == len(split_filters(Catalogue.default().sensitive_apis()))
    assert stored_ids(tmp_path / "store") == once(items)


# Rows that are none


def test_rows_that_cannot_be_read_are_counted_and_the_others_stored(tmp_path):
    odd = [
        None,
        7,
        "/etc/passwd",
        {"id": ""},
        {"id": "no-time"},
        {"id": 2**70, "event_time": "soon"},
    ]
    at = int((NOON - HOUR).timestamp())
    hidden = {"id": "kept", "event_time": at, "log_detail": {"path": "/open-apis/x\ud800"}}
    page = {
        "code": 0,
        "data": {"items": [*odd, hidden, *make_items(3, start=NOON - HOUR)], "has_more": False},
    }
    with scripted(lambda _: json_reply(200, page)) as server:
        with client_of(server.url, SetClock(NOON), tmp_path) as client:
            result = fetch(client, tmp_path / "store", since=NOON - HOUR)
    (manifest,) = result.stored
    assert (manifest.rows_count, manifest.rejects_count) == (4, 6)
    assert manifest.reject_reasons["no event_time"] == 1
    assert stored_ids(tmp_path / "store")["kept"] == 1


# Two at once, and being killed


def test_a_second_sync_waits_or_says_who_is_first(tmp_path):
    folder = tmp_path / "store"
    Store(folder).create()
    with StandIn(make_items(10)) as server, client_of(server.url, server.clock, tmp_path) as client:
        with lock_store(folder), pytest.raises(StoreLocked, match="process"):
            fetch(client, folder)
        assert server.requests == []
        assert fetch(client, folder, wait_seconds=5).missing == []


def sync_in_child(url, clock, folder, now):
    with client_of(url, clock, folder, attempts=20) as client:
        result = fetch(client, folder / "store", now=now)
        raise SystemExit(1 if result.missing else 0)


def test_two_processes_at_once_store_everything_once(tmp_path):
    items = make_items(3000)
    spawn = multiprocessing.get_context("spawn")
    with StandIn(items, limit=UNLIMITED, latency_seconds=0.02, clock=ScaledClock()) as server:
        args = (server.url, server.clock, tmp_path, LATER)
        children = [spawn.Process(target=sync_in_child, args=args) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
    # The second found the store locked, or came when the first was done.
    assert 0 in [child.exitcode for child in children]
    assert stored_ids(tmp_path / "store") == once(items)


def test_a_sync_that_is_killed_loses_and_doubles_nothing(tmp_path):
    items = make_items(3000)
    ids = once(items)
    faults = Faults(slow_seconds=1, **dict.fromkeys(KINDS, 0.01))
    chance = random.Random(5)  # noqa: S311 - repeatable
    spawn = multiprocessing.get_context("spawn")
    folder = tmp_path / "store"
    with StandIn(
        items, limit=UNLIMITED, faults=faults, clock=ScaledClock(200), latency_seconds=6
    ) as server:
        for number in range(3):
            args = (server.url, server.clock, tmp_path, LATER + number * HOUR)
            child = spawn.Process(target=sync_in_child, args=args)
            asked = len(server.requests)
            child.start()
            # Some moment between the first request and the end.
            moment = asked + chance.randrange(2, 30)
            while child.is_alive() and len(server.requests) < moment:
                child.join(0.005)
            child.kill()
            child.join()
            if folder.is_dir():
                assert set(stored_ids(folder)) <= set(ids)
        with client_of(server.url, server.clock, tmp_path, attempts=20) as client:
            # Threads revoke each other's tokens, so a window may have to wait for the next sync.
            results = [fetch(client, folder, now=LATER + DAY) for _ in range(5)]
    assert results[-1].find_error() is None
    assert stored_ids(folder) == ids
    assert not list((folder / ".partial").iterdir())


# Doctor and the command line


@pytest.mark.parametrize(
    ("ledger_options", "order", "start", "end"),
    [
        ({}, "oldest first", True, True),
        ({"is_descending": True, "includes_end": False}, "newest first", True, False),
        ({"includes_start": False}, "oldest first", False, True),
    ],
)
def test_the_doctor_measures_what_the_documents_leave_open(
    tmp_path, ledger_options, order, start, end
):
    since = NOON - 40 * DAY
    items = make_items(2000, start=since)
    clock = SetClock(NOON)
    with StandIn(OddLedger(items, **ledger_options), limit=UNLIMITED) as server:
        server.clock, server._server.clock = clock, clock.time
        with client_of(server.url, clock, tmp_path) as client:
            settings = Settings(base_url=server.url, app_id=APP_ID)
            diagnosis = diagnose(settings, clock=clock.time, client=client)
            assert len(server.requests) < 50
    measured = diagnosis["measured"]
    assert diagnosis["is_healthy"]
    assert measured["order"] == order
    assert (measured["includes_start"], measured["includes_end"]) == (start, end)
    assert abs(datetime.fromisoformat(measured["earliest_at"]) - since) <= HOUR
    assert measured["newest_row_age_seconds"] == 1728
    assert measured["fill"]["ip"] == 1
    assert measured["fill"]["log_detail.payload"] == 0
    assert measured["api_key"] == {"method and path, :placeholders": 1.0}
    json.dumps(diagnosis)


@pytest.mark.parametrize(("skew", "state"), [(0, "ok"), (20, "warn"), (-300, "fail")])
def test_the_doctor_sees_a_clock_that_is_wrong(tmp_path, skew, state):
    wrong = SetClock(NOON + timedelta(seconds=skew))
    with StandIn(make_items(5, start=NOON - HOUR), limit=UNLIMITED) as server:
        server.clock = SetClock(NOON)
        server._server.clock = server.clock.time
        with client_of(server.url, wrong, tmp_path) as client:
            settings = Settings(base_url=server.url)
            diagnosis = diagnose(settings, clock=wrong.time, client=client)
    (clock,) = [check for check in diagnosis["checks"] if check["name"] == "clock"]
    assert clock["state"] == state
    assert diagnosis["is_healthy"] == (state != "fail")


@pytest.mark.parametrize(
    ("code", "name"), [(99991672, "scope"), (99991403, "quota"), (99991663, "credentials")]
)
def test_the_doctor_names_what_is_refused(tmp_path, code, name):
    with scripted(lambda _: json_reply(400, {"code": code, "msg": "no"})) as server:
        with client_of(server.url, SetClock(NOON), tmp_path) as client:
            diagnosis = diagnose(Settings(base_url=server.url), tmp_path / "none", client=client)
    states = {check["name"]: check["state"] for check in diagnosis["checks"]}
    assert states[name] == "fail"
    assert (states["log"], states["store"]) == ("skipped", "warn")
    assert str(code) in render_diagnosis(diagnosis)


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Run commands as cron would, against a stand-in whose log ends now."""
    now = datetime.now(UTC).replace(microsecond=0)
    items = make_items(500, start=now - 5 * HOUR, end=now - HOUR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with StandIn(items, limit=UNLIMITED) as server:
        monkeypatch.setenv("AUDIT_ANALYTICS_BASE_URL", server.url)
        monkeypatch.setenv("AUDIT_ANALYTICS_APP_ID", APP_ID)
        monkeypatch.setenv("AUDIT_ANALYTICS_APP_SECRET", APP_SECRET)
        yield lambda command, *args: CliRunner().invoke(getattr(cli_fetch, command), args)


def test_cron_hears_nothing_when_all_is_well(shell, tmp_path):
    done = shell("sync", "--since", "6h")
    assert (done.exit_code, done.output) == (0, "")
    assert stored_ids(tmp_path / "data" / "store").total() == 500
    again = shell("sync", "--since", "6h")
    assert (again.exit_code, again.output) == (0, "")


def test_a_machine_gets_json_lines(shell):
    done = shell("sync", "--since", "6h", "--log-format", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["event"] for line in lines} == {"window", "finished"}
    assert lines[-1]["rows_count"] == 500
    assert lines[-2]["done_count"] == lines[-2]["windows_count"] == lines[-1]["planned_count"]


def test_people_get_a_bar():
    class Terminal(StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    with show_progress("text", stream) as progress:
        progress(
            Progress(
                windows_count=10,
                done_count=3,
                rows_count=1200,
                requests_count=12,
                minutes_left=95,
                window="w",
            )
        )
        logging.getLogger("audit_analytics.sync").warning("window w is read again")
    assert (
        "3/10 windows, 1,200 rows, 12 requests, about 1.6 h left at the quota" in stream.getvalue()
    )


def test_status_and_doctor_speak_to_people_and_machines(shell):
    assert shell("status").exit_code == 2
    shell("sync", "--since", "6h")
    text, as_json = shell("status"), json.loads(shell("status", "--json").stdout)
    assert "Gaps: none" in text.stdout
    assert sum(day["events_count"] for day in as_json["days"]) == as_json["events_count"] == 500
    doctor = shell("doctor", "data/store")
    assert doctor.exit_code == 0
    assert "FAIL" not in doctor.stdout
    assert json.loads(shell("doctor", "--json").stdout)["is_healthy"]


@pytest.mark.parametrize("command", ["sync", "doctor"])
def test_a_wrong_secret_exits_with_four_and_is_not_shown(shell, monkeypatch, command):
    monkeypatch.setenv("AUDIT_ANALYTICS_APP_SECRET", "hunter2-env")
    done = shell(command)
    assert done.exit_code == 4
    assert "10015" in done.output
    assert "hunter2" not in done.output


def test_an_option_that_makes_no_sense_exits_with_two(shell):
    for args in (["--since", "soon"], ["--since", "28d", "--keep", "1d"], ["--wait", "long"]):
        assert shell("sync", *args).exit_code == 2
    assert shell("serve", "--fault", "html=2").exit_code == 2


# Secrets

PLANTED = (
    "hunter2-env",
    "hunter2-payload",
    "hunter2-query",
    "hunter2-answer",
    "hunter2-path",
    "hunter2-key",
)


@pytest.mark.parametrize("kind", ["success", "refused", "html", "server", "quota"])
def test_no_planted_secret_is_found_anywhere(tmp_path, caplog, kind):
    row = {
        **make_items(1, start=NOON - HOUR)[0],
        "api_key": "POST/open-apis/x?app_ticket=hunter2-query",
        "log_detail": {
            "method": "POST",
            "path": "/open-apis/bot/v2/hook/hunter2-path",
            "query_param": '{"note":"hunter2-query","access_token":"hunter2-query"}',
            "payload": '{"app_secret":"hunter2-payload","text":"hunter2-payload"}',
            "response": '{"code":1,"msg":"hunter2-answer"}',
        },
    }
    unreadable = {"id": "", "payload": "hunter2-payload"}
    echo = "secret hunter2-env, hunter2-answer, t-planted-token"
    answers = {
        "success": json_reply(
            200, {"code": 0, "msg": echo, "data": {"items": [row, unreadable], "has_more": False}}
        ),
        "refused": json_reply(400, {"code": 99991672, "msg": echo}),
        "quota": json_reply(400, {"code": 99991403, "msg": echo}),
        "server": json_reply(500, {"code": 1780001, "msg": echo}),
        "html": json_reply(200, {"code": 0})._replace(body=f"<html>{echo}".encode()),
    }
    settings = Settings(
        app_id=APP_ID,
        app_secret="hunter2-env",  # noqa: S106
        redaction={"hash_key": "hunter2-key"},
    )
    folder = tmp_path / "store"
    shown = [repr(settings), json.dumps(settings.public())]
    with caplog.at_level(logging.DEBUG), scripted(lambda _: answers[kind]) as server:
        settings = settings.model_copy(update={"base_url": server.url})
        limiter = SharedLimiter(tmp_path / "quota", limit=UNLIMITED)
        with AuditLogClient(
            Credentials(APP_ID, "hunter2-env"),
            base_url=server.url,
            limiter=limiter,
            sleep=SetClock(NOON).sleep,
            attempts=2,
        ) as client:
            result = fetch(client, folder, since=NOON - HOUR, settings=settings)
            shown += [repr(result), json.dumps(result.summarise()), result.describe()]
            if error := result.find_error():
                shown += [repr(error), *traceback.format_exception(error)]
            diagnosis = diagnose(settings, folder, clock=SetClock(LATER).time, client=client)
            shown += [json.dumps(diagnosis), render_diagnosis(diagnosis)]
    if kind == "success":
        status = describe_store(folder, LATER)
        shown += [json.dumps(status), render_status(status), read_store(folder).to_csv()]
        assert status["events_count"] == 1
    shown += [f"{record.getMessage()} {record.args!r}" for record in caplog.records]
    on_disk = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(shown) > 6
    assert on_disk
    for secret in (*PLANTED, "t-planted-token"):
        assert not [text for text in shown if secret in text]
        assert not [content for content in on_disk if secret.encode() in content]


# What is wrong is said


def test_what_came_hours_late_is_found_within_a_day_and_said(tmp_path):
    items = make_items(600)
    ledger = OddLedger(items, late_share=0.05, late_seconds=5 * 3600)
    clock = SetClock(NOON + 2 * HOUR)
    folder = tmp_path / "store"
    with (
        StandIn(ledger, limit=UNLIMITED) as server,
        client_of(server.url, clock, tmp_path) as client,
    ):
        server.clock = clock
        fetch(client, folder, now=clock.at, until=None)
        early = stored_ids(folder).total()
        clock.at = NOON + 20 * HOUR
        quiet = fetch(client, folder, now=clock.at, until=None)
        clock.at = NOON + 27 * HOUR
        found = fetch(client, folder, now=clock.at, until=None)
        asked = len(server.requests)
        clock.at += timedelta(minutes=1)
        fetch(client, folder, now=clock.at, until=None)
        assert len(server.requests) - asked <= 2
    assert early < 600
    assert quiet.late == {}
    assert sum(found.late.values()) == 600 - early
    assert "had come late" in found.describe()
    assert stored_ids(folder) == once(items)


def test_a_window_that_is_stored_counts_whatever_fails_after_it(tmp_path, monkeypatch):
    def fail(*_):
        raise StoreUnusable("no space left")

    monkeypatch.setattr("audit_analytics.store.Rollups.refresh_window", fail)
    with StandIn(make_items(60), limit=UNLIMITED) as server:
        with client_of(server.url, server.clock, tmp_path) as client:
            result = fetch(client, tmp_path / "store", workers=1)
    stored = len([start for start, _ in list_files(tmp_path / "store")])
    assert stored >= 1
    assert f"{stored} of 6 windows are stored" in str(result.find_error())


def test_the_first_interrupt_ends_a_sync_whose_answers_trickle(tmp_path):
    trickling = Trickled(json_reply(200, {"code": 0})._replace(body=b"a" * 10**6), 0.05)

    with scripted(lambda start: trickling if start < NOON - HOUR else None) as server:
        with client_of(server.url, SetClock(NOON), tmp_path) as client:
            with pytest.raises(KeyboardInterrupt):
                fetch(client, tmp_path / "store", workers=4, progress=Interrupting())
    assert not [t for t in threading.enumerate() if t.name.startswith("window")]


class Interrupting:
    """Interrupts the main thread when the first window is done."""

    def __call__(self, progress):
        if progress.window:
            raise KeyboardInterrupt


def test_a_sync_may_begin_where_keeping_ends(shell):
    assert shell("sync", "--since", "1d", "--keep", "1d").exit_code == 0
    assert shell("sync", "--since", "2d", "--keep", "1d").exit_code == 2


def test_status_and_doctor_survive_a_store_without_a_whole_window(shell, tmp_path):
    shell("sync", "--since", "6h")
    for path in (tmp_path / "data" / "store").glob("day=*/*.parquet"):
        path.write_bytes(b"PAR1 no more")
    status = shell("status")
    assert (status.exit_code, status.exception) == (0, None)
    assert "sync --since 28d" in status.stdout
    doctor = shell("doctor", "data/store")
    assert "Gaps" not in doctor.stdout
    assert "No window can be read; " in doctor.stdout
    assert doctor.exit_code == 0


ODD_ROWS = [
    {"event_time": int(NOON.timestamp()) * 1000 - 60_000},
    {"event_time": "soon", "api_key": 7, "log_detail": [1]},
    {"event_time": 10**30, "ip": {"a": 1}},
    {"event_time": True, "log_detail": {"path": "\ud800\x01", "method": None}},
]


def test_the_doctor_reads_whatever_a_sync_reads(tmp_path):
    good = make_items(5, start=NOON - HOUR)
    rows = [None, 7, "x", *({"id": f"odd{n}", **row} for n, row in enumerate(ODD_ROWS)), *good]
    reply = json_reply(200, {"code": 0, "data": {"items": rows, "has_more": False}})
    reply = reply._replace(body=reply.body.replace(b"cli_1", b"cli\xff\x01"))
    with scripted(lambda _: reply) as server:
        with client_of(server.url, SetClock(NOON), tmp_path) as client:
            settings = Settings(base_url=server.url)
            diagnosis = diagnose(settings, clock=SetClock(NOON).time, client=client)
    assert diagnosis["measured"]["newest_row_age_seconds"] >= 0
    render_diagnosis(diagnosis)


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (302, -1, "reach"),
        (404, None, "reach"),
        (400, 99991401, "address"),
        (400, 99991663, "credentials"),
        (400, 99991672, "scope"),
        (400, 99991403, "quota"),
        (200, None, "log"),
    ],
)
def test_the_doctor_names_causes_apart(tmp_path, status, code, name):
    reply = json_reply(status, {"code": code})
    with scripted(lambda _: reply) as server:
        with client_of(server.url, SetClock(NOON), tmp_path, attempts=1) as client:
            diagnosis = diagnose(Settings(base_url=server.url), client=client)
    failed = [check["name"] for check in diagnosis["checks"] if check["state"] == "fail"]
    assert failed == [name]


def test_rows_too_long_for_a_page_of_a_hundred_come_in_smaller_pages(tmp_path):
    """Legal payloads of 150 KB, escaped twice, come to more than an answer may have."""
    items, asked = make_items(50), []
    long = "\\u4e2d" * 120_000  # 720 KB on the wire

    def answer(path, _headers, body):
        if path == TOKEN_PATH:
            return json_reply(200, {"code": 0, "tenant_access_token": "t", "expire": 7200})
        query = json.loads(body)
        asked.append(query["page_size"])
        begin = int(query.get("page_token", 0))
        found = [i for i in items if query["start_time"] <= i["event_time"] <= query["end_time"]]
        shown = found[begin : begin + query["page_size"]]
        for item in shown:
            item["log_detail"]["payload"] = long
        more = begin + len(shown) < len(found)
        token = {"page_token": str(begin + len(shown))} if more else {}
        return json_reply(200, {"code": 0, "data": {"items": shown, "has_more": more, **token}})

    with (
        OddServer(("127.0.0.1", 0), answer) as server,
        client_of(server.url, SetClock(LATER), tmp_path) as client,
    ):
        settings = Settings(sync={"window_minutes": 360})
        result = fetch(client, tmp_path / "store", settings=settings)
    assert not result.find_error()
    assert stored_ids(tmp_path / "store") == once(items)
    assert asked == [100, *[10] * 5]


def test_other_windows_under_a_store_are_said_once_and_what_is_not_settled_is_read_again(
    tmp_path, caplog
):
    items = make_items(240)
    with StandIn(items, limit=UNLIMITED, clock=ScaledClock(FAST)) as server:
        with client_of(server.url, SetClock(LATER), tmp_path) as client:
            now = NOON + HOUR + timedelta(minutes=1)
            fetch(client, tmp_path / "store", now=now)
            before = len(server.requests)
            changed = Settings(sync={"window_minutes": 30, "settle_minutes": 150})
            end = NOON + 3 * HOUR
            fetch(client, tmp_path / "store", now=end, until=end, settings=changed)
            after = len(server.requests)
            fetch(client, tmp_path / "store", now=end, until=end, settings=changed)
    said = [r.getMessage() for r in caplog.records if "windows of this store changed" in r.message]
    assert len(said) == 1
    assert "window_minutes (was 60, is 30), settle_minutes (was 10, is 150)" in said[0]
    # the last hour was read 61 minutes after its end, the one before 121
    assert "; 2 that were read sooner than 150 minutes after their end are read again" in said[0]
    assert stored_ids(tmp_path / "store") == once(items)
    assert after > before
    lengths = Counter(m.end - m.start for m in Store(tmp_path / "store").scan().manifests)
    assert lengths == {HOUR: 6, HOUR / 2: 6}
