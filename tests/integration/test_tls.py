"""What TLS refuses cannot heal, and is asked for once; a connection that broke is tried again."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from audit_analytics.feishu._answers import Unavailable, WrongAddress
from audit_analytics.feishu._auth import Credentials
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.feishu._pages import Query
from audit_analytics.feishu._ratelimit import SharedLimiter
from audit_analytics.simulate._loopback import LoopbackServer, json_reply
from audit_analytics.simulate._server import TOKEN_PATH

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = Query(NINE, NINE + timedelta(hours=1))
SECRET = "s3cr3t-of-the-app"  # noqa: S105 - planted


class Clock:
    """Stands still but for those who sleep on it."""

    def __init__(self):
        self.at = NINE.timestamp()
        self.slept = []

    def time(self):
        return self.at

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += seconds


class CountingServer(LoopbackServer):
    """Counts who knocks, and slams the door on the first `slams` of them."""

    knocks = slams = 0

    def get_request(self):
        connection, address = super().get_request()
        self.knocks += 1
        if self.slams:
            self.slams -= 1
            connection.close()
            raise OSError
        return connection, address


def answer(path, _headers, _body):
    if path == TOKEN_PATH:
        return json_reply(200, {"code": 0, "tenant_access_token": "t", "expire": 7200})
    return json_reply(200, {"code": 0, "data": {"items": [], "has_more": False}})


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    for name in ("HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextmanager
def serving(certificate=None, slams=0):
    server = CountingServer(("127.0.0.1", 0), answer, NINE.timestamp)
    server.slams = slams
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with server:
        yield server


def read(server, clock, folder):
    limiter = SharedLimiter(folder / "quota", clock=clock.time, sleep=clock.sleep)
    with AuditLogClient(
        Credentials("cli_1", SECRET),
        base_url=server.url.replace("http:", "https:"),
        limiter=limiter,
        clock=clock.time,
        sleep=clock.sleep,
    ) as client:
        return list(client.iter_pages(HOUR))


@pytest.mark.parametrize("fault", ["self-signed", "another name", "expired", "no TLS at all"])
def test_what_tls_refuses_is_asked_for_once_and_named(tmp_path, monkeypatch, fault):
    authority = trustme.CA()
    name = "example.org" if fault == "another name" else "127.0.0.1"
    ends = datetime(2020, 1, 1, tzinfo=UTC) if fault == "expired" else None
    certificate = authority.issue_cert(name, not_after=ends)
    if fault != "self-signed":
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    clock = Clock()
    served = serving(None if fault == "no TLS at all" else certificate)
    with served as server, pytest.raises(WrongAddress) as caught:
        read(server, clock, tmp_path)
    assert "not a safe one to the platform" in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert clock.slept == []
    assert server.knocks <= 1  # a handshake that fails is no connection, but for plain text


def test_a_certificate_of_the_named_bundle_is_trusted(tmp_path, monkeypatch):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with serving(authority.issue_cert("127.0.0.1")) as server:
        assert len(read(server, Clock(), tmp_path)) == 1


def test_a_connection_that_broke_in_the_handshake_is_tried_again(tmp_path):
    clock = Clock()
    with serving(slams=100) as server, pytest.raises(Unavailable):
        read(server, clock, tmp_path)
    assert server.knocks == 8
    assert len(clock.slept) == 7
