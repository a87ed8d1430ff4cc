from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from audit_analytics.errors import ConfigError, RemoteError
from audit_analytics.feishu._auth import TOKEN_CODES, Credentials, CredentialsRefused, TenantToken
from audit_analytics.feishu._transport import check_base_url, open_session, request
from audit_analytics.simulate._loopback import LoopbackServer, Reply, json_reply
from audit_analytics.simulate._server import APP_ID, APP_SECRET, LOG_PATH, TOKEN_PATH, StandIn

CREDENTIALS = Credentials(APP_ID, APP_SECRET)
GOOD_TOKEN = {"code": 0, "msg": "ok", "tenant_access_token": "t-good", "expire": 7200}


class FakeClock:
    def __init__(self, now=1.7e9):
        self.now = now

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@contextmanager
def scripted(answer):
    """Serve answer(path, headers, body) -> Reply on loopback; yields the base URL."""
    with LoopbackServer(("127.0.0.1", 0), answer) as server:
        yield server.url


def post(session, url, body, **how):
    return request(session, "POST", url, json=body, **how)


def token_at(url, session, credentials=CREDENTIALS, clock=None):
    clock = clock or FakeClock()
    return TenantToken(credentials, base_url=url, session=session, clock=clock.time)


def count_paths(server):
    paths = [served.path for served in server.requests]
    return paths.count(TOKEN_PATH), paths.count(LOG_PATH)


@pytest.mark.parametrize("show", [repr, str, "{}".format, lambda c: f"{[c]} {c!r:>80}"])
def test_credentials_never_show_their_secret(show):
    assert "hunter2" not in show(Credentials("cli_a1", "hunter2"))
    with open_session("http://127.0.0.1:1") as session:
        token = token_at("http://127.0.0.1:1", session, Credentials("cli_a1", "hunter2"))
        assert "hunter2" not in show(token)


@pytest.mark.parametrize("pair", [("", "hunter2"), ("cli_a1", ""), ("cli_a1", "hunter2\n")])
def test_unusable_credentials_are_refused_without_being_shown(pair):
    with pytest.raises(ConfigError, match="credentials") as caught:
        Credentials(*pair)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://open.feishu.cn",
        "ftp://open.feishu.cn",
        "open.feishu.cn",
        "https://user:hunter2@open.feishu.cn",
        "https://open.feishu.cn?x=1",
        "https://[broken",
        "https://open.feishu.cn:port",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "",
    ],
)
def test_a_token_is_never_sent_to_an_unsafe_address(url):
    with pytest.raises(ConfigError, match="base URL") as caught:
        check_base_url(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://open.feishu.cn", "http://127.0.0.1:80", "http://[::1]:8"])
def test_safe_addresses_are_taken(url):
    assert check_base_url(url + "/") == url


def test_one_token_serves_many_threads():
    with StandIn([]) as server, open_session(server.url) as session:
        token = token_at(server.url, session)

        def ask(_):
            return post(session, server.url + LOG_PATH, {}, auth=token, timeout_seconds=5).code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(40))) == {0}
        assert count_paths(server) == (1, 40)


@pytest.mark.parametrize(("later_seconds", "fetches"), [(6500, 1), (6700, 2)])
def test_the_token_is_renewed_under_ten_minutes_left(later_seconds, fetches):
    clock = FakeClock()
    with StandIn([]) as server, open_session(server.url) as session:
        token = token_at(server.url, session, clock=clock)
        post(session, server.url + LOG_PATH, {}, auth=token, timeout_seconds=5)
        clock.sleep(later_seconds)
        post(session, server.url + LOG_PATH, {}, auth=token, timeout_seconds=5)
        assert count_paths(server) == (fetches, 2)


def test_a_revoked_token_is_dropped_and_the_request_replayed():
    with StandIn([{"id": "1", "api_key": "GET/x", "event_time": 5}]) as server:
        with open_session(server.url) as session:
            token = token_at(server.url, session)
            for _ in range(2):
                body = {"page_size": 10, "start_time": 1, "end_time": 9}
                url = server.url + LOG_PATH
                answer = post(session, url, body, auth=token, timeout_seconds=5)
                assert answer.content["data"]["items"][0]["id"] == "1"
                server.revoke_tokens()
        assert count_paths(server) == (2, 3)


@pytest.mark.parametrize("code", sorted(TOKEN_CODES))
def test_a_request_is_replayed_only_once(code):
    asked = []

    def answer(path, headers, _body):
        asked.append((path, headers.get("authorization")))
        if path == TOKEN_PATH:
            return json_reply(200, {**GOOD_TOKEN, "tenant_access_token": f"t-{len(asked)}"})
        return json_reply(400, {"code": code, "msg": "no"})

    with scripted(answer) as url, open_session(url) as session:
        token = token_at(url, session)
        assert post(session, url + "/x", {}, auth=token, timeout_seconds=5).code == code
    assert asked == [
        (TOKEN_PATH, None),
        ("/x", "Bearer t-1"),
        (TOKEN_PATH, None),
        ("/x", "Bearer t-3"),
    ]


@pytest.mark.parametrize(
    ("code", "step"),
    [
        (10003, "app id"),
        (10014, "enable it"),
        (10015, "secret is wrong"),
        (4242, "look the code up"),
    ],
)
def test_a_refusal_with_http_200_says_what_to_do_next(code, step):
    def answer(*_):
        return json_reply(200, {"code": code, "msg": f"bad secret {APP_SECRET}"})

    with (
        scripted(answer) as url,
        open_session(url) as session,
        pytest.raises(CredentialsRefused, match=step) as caught,
    ):
        post(session, url + "/x", {}, auth=token_at(url, session), timeout_seconds=5)
    assert str(code) in str(caught.value)
    assert "log id" in str(caught.value)
    assert APP_SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("app_id", "app_secret", "code"), [("cli_other", APP_SECRET, 10014), (APP_ID, "wrong", 10015)]
)
def test_the_stand_in_knows_its_credentials(app_id, app_secret, code):
    with StandIn([]) as server, open_session(server.url) as session:
        token = token_at(server.url, session, Credentials(app_id, app_secret))
        with pytest.raises(CredentialsRefused, match=str(code)):
            post(session, server.url + LOG_PATH, {}, auth=token, timeout_seconds=5)


@pytest.mark.parametrize("token", [None, 7, "t-é"])
def test_an_answer_without_a_usable_token_is_a_failure(token):
    def answer(*_):
        return json_reply(200, {**GOOD_TOKEN, "tenant_access_token": token})

    with (
        scripted(answer) as url,
        open_session(url) as session,
        pytest.raises(CredentialsRefused, match="no token in it"),
    ):
        post(session, url + "/x", {}, auth=token_at(url, session), timeout_seconds=5)


def test_redirects_are_not_followed():
    followed = []

    def elsewhere(path, *_):
        followed.append(path)
        return json_reply(200, GOOD_TOKEN)

    with scripted(elsewhere) as other_url:

        def answer(*_):
            return Reply(307, b"", -1, {"Location": other_url + "/stolen"})

        with (
            scripted(answer) as url,
            open_session(url) as session,
            pytest.raises(RemoteError, match="redirect"),
        ):
            post(session, url + "/x", {}, auth=token_at(url, session), timeout_seconds=5)
    assert followed == []


def test_proxies_and_netrc_stay_out_of_loopback(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ann password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    seen = []

    def answer(path, headers, body):
        seen.append((path, headers.get("authorization"), json.loads(body)))
        return json_reply(200, GOOD_TOKEN)

    with scripted(answer) as url, open_session(url) as session:
        post(session, url + "/x", {"a": 1}, auth=token_at(url, session), timeout_seconds=5)
    secrets = {"app_id": APP_ID, "app_secret": APP_SECRET}
    assert seen == [(TOKEN_PATH, None, secrets), ("/x", "Bearer t-good", {"a": 1})]


def test_proxies_and_certificates_of_the_environment_count_on_https():
    with open_session("https://open.feishu.cn") as session:
        assert session.trust_env


def test_a_body_is_sent_as_the_platform_asks_for_it():
    asked = []

    def answer(_path, headers, _body):
        asked.append(headers)
        return json_reply(200, GOOD_TOKEN)

    with scripted(answer) as url, open_session(url) as session:
        post(session, url, {}, timeout_seconds=5)
    assert asked[0]["content-type"] == "application/json; charset=utf-8"
