"""Deliveries over real sockets: the stand-in's webhook and chats, and a mail server on loopback."""

import contextlib
import email
import email.policy
import json
import logging
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from report_fixture import make_gaps_report, make_hostile_report, make_report
from stand_ins import ScaledClock

from audit_analytics.cli.main import main
from audit_analytics.deliver import STATE_NAME, deliver_report
from audit_analytics.errors import ConfigError, InputError
from audit_analytics.feishu._transport import Answer
from audit_analytics.report._tables import render_json
from audit_analytics.settings import load_settings
from audit_analytics.simulate._loopback import Reply, json_reply
from audit_analytics.simulate._server import APP_ID, APP_SECRET, HOOK_SECRET, StandIn

RAW_ID, RAW_IP = "cli_a2f7c91e0b44d01c", "203.0.113.77"
CHAT = "oc_0a1b2c3d"
SMTP_PASSWORD = "mail-hunter2"  # noqa: S105 - planted


class FailingStandIn(StandIn):
    """One whose first deliveries meet faults, '' for none; those slow or cut are carried out."""

    def __init__(self, faults):
        super().__init__([])
        self._left = list(faults)

    def _deliver(self, accept):  # noqa: PLR0911 - one a fault
        match self._left.pop(0) if self._left else "":
            case "rate_limited":
                return self._rate_limited(1.0)
            case "server_error":
                return json_reply(500, {"code": 2200, "msg": "internal error"})
            case "html":
                return Reply(200, b"<html><title>Portal</title></html>", -1, {}, "text/html")
            case "redirect":
                return Reply(307, b"", -1, {"Location": self.hook_url})
            case "cut_body":
                return super()._deliver(accept)._replace(is_cut=True)
            case "slow":
                reply = super()._deliver(accept)
                self.clock.sleep(2)
                return reply
        return super()._deliver(accept)


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "2026-W47", make_report())


def write(path, report):
    """Write what a delivery reads; drawing the whole report would only take time."""
    path.mkdir(exist_ok=True)
    (path / "findings.json").write_text(render_json(report), encoding="utf-8")
    (path / "report.html").write_text(f"<html>{RAW_ID} {RAW_IP}</html>")
    return path


def settings_for(**deliver):
    return load_settings(overrides={"deliver": deliver})


def hook_settings(server, **more):
    return settings_for(webhook_url=server.hook_url, webhook_secret=HOOK_SECRET, **more)


def app_settings(server, **more):
    return load_settings(
        overrides={
            "app_id": APP_ID,
            "app_secret": APP_SECRET,
            "base_url": server.url,
            "deliver": {"receive_id": CHAT, **more},
        }
    )


def send(folder, settings, **how):
    waits = []
    (outcome,) = deliver_report(folder, settings, sleep=waits.append, timeout_seconds=10, **how)
    return outcome, waits


# --- the custom bot


def test_the_bot_sends_a_signed_card_and_masks_what_it_shows(folder):
    with StandIn([]) as server:
        outcome, _ = send(folder, hook_settings(server))
        (sent,) = server.inbox.delivered  # the stand-in checks the signature
    assert outcome.status == "sent"
    assert sent["msg_type"] == "interactive"
    card = json.dumps(sent, ensure_ascii=False)
    assert "cli_a2f7…d01c" in card
    assert RAW_ID not in card
    assert RAW_IP not in card


def test_raw_ids_are_shown_to_those_who_ask_for_them(folder):
    with StandIn([]) as server:
        send(folder, hook_settings(server, raw_ids=True))
        assert RAW_ID in json.dumps(server.inbox.delivered)


def test_a_link_to_the_report_goes_along(folder):
    with StandIn([]) as server:
        send(folder, hook_settings(server, report_url="https://reports.example/audit/"))
        (sent,) = server.inbox.delivered
    (actions,) = [one for one in sent["card"]["elements"] if one["tag"] == "action"]
    assert actions["actions"][0]["url"] == "https://reports.example/audit/2026-W47/report.html"


def test_an_unsigned_bot_works_too(folder):
    with StandIn([], hook_secret="") as server:
        outcome, _ = send(folder, settings_for(webhook_url=server.hook_url))
        assert "sign" not in server.inbox.delivered[0]
    assert outcome.status == "sent"


@pytest.mark.parametrize(
    ("options", "secret", "suffix", "says"),
    [
        ({}, "wrong", "", "code 19021"),
        ({"clock": ScaledClock(skew_seconds=7200)}, HOOK_SECRET, "", "this machine's clock"),
        ({"keyword": "nobody says this"}, HOOK_SECRET, "", "code 19024"),
        ({}, HOOK_SECRET, "x", "code 19001"),
    ],
    ids=["wrong secret", "wrong clock", "keyword", "unknown hook"],
)
def test_a_refusal_says_what_to_do_and_is_not_repeated(folder, options, secret, suffix, says):
    with StandIn([], **options) as server:
        settings = settings_for(webhook_url=server.hook_url + suffix, webhook_secret=secret)
        outcome, waits = send(folder, settings)
        assert len(server.requests) == 1
    assert outcome.status == "failed"
    assert says in outcome.detail
    assert waits == []
    assert not (folder / STATE_NAME).exists()


@pytest.mark.parametrize("fault", ["server_error", "rate_limited"])
def test_a_server_that_fails_or_asks_for_a_pause_is_asked_again(folder, fault):
    with FailingStandIn((fault, fault)) as server:
        outcome, waits = send(folder, hook_settings(server))
        assert len(server.inbox.delivered) == 1
    assert outcome.status == "sent"
    assert len(waits) == 2


def test_a_server_that_keeps_failing_is_given_up(folder):
    with FailingStandIn(("server_error",) * 9) as server:
        outcome, waits = send(folder, hook_settings(server))
        assert len(server.requests) == 4
    assert outcome.status == "failed"
    assert "HTTP 500" in outcome.detail
    assert len(waits) == 3


@pytest.mark.parametrize("fault", ["slow", "cut_body", "html"])
def test_a_card_that_may_have_arrived_is_not_sent_twice(folder, fault):
    with FailingStandIn((fault,)) as server:
        (outcome,) = deliver_report(
            folder, hook_settings(server), sleep=[].append, timeout_seconds=0.5
        )
        assert len(server.inbox.delivered) == (fault != "html")
    assert outcome.status == "failed"
    assert "may have arrived" in outcome.detail


def test_a_redirect_is_not_followed(folder):
    with FailingStandIn(("redirect",)) as server:
        outcome, _ = send(folder, hook_settings(server))
        assert server.inbox.delivered == []
        assert len(server.requests) == 1
    assert outcome.status == "failed"
    assert "redirect" in outcome.detail


def test_a_webhook_that_nobody_listens_at_is_tried_again_then_said(folder):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/hook/sekret-part"
        outcome, waits = send(folder, settings_for(webhook_url=url))
    assert outcome.status == "failed"
    assert "sekret-part" not in outcome.detail
    assert len(waits) == 3


def test_the_longest_report_fits_into_what_the_webhook_takes(tmp_path):
    report = make_hostile_report()
    for finding in report["findings"]:
        finding["sentence"] = "通\u202e\U000e0100" * 2000
    with StandIn([]) as server:
        outcome, _ = send(write(tmp_path / "2026-W47", report), hook_settings(server, raw_ids=True))
    assert outcome.status == "sent"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/sekret",
        "ftp://127.0.0.1/sekret",
        "sekret",
        "https://user:sekret@hooks.example/x",
        "https://hooks.example",
        "https://hooks.example/sekret part",
        "https://[sekret",
    ],
)
def test_a_webhook_that_is_none_is_refused_without_being_shown(folder, url):
    outcome, _ = send(folder, settings_for(webhook_url=url))
    assert outcome.status == "failed"
    assert "deliver.webhook_url" in outcome.detail
    assert "sekret" not in outcome.detail


# --- once


def test_the_same_week_is_sent_once(folder):
    with StandIn([]) as server:
        settings = hook_settings(server)
        assert [send(folder, settings)[0].status for _ in range(2)] == ["sent", "already sent"]
        assert send(folder, settings, again=True)[0].status == "sent"
        assert len(server.inbox.delivered) == 2
    assert server.hook_url.rsplit("/", 1)[1] not in (folder / STATE_NAME).read_text()


def test_a_week_whose_report_changed_is_sent_again(folder):
    with StandIn([]) as server:
        settings = hook_settings(server)
        send(folder, settings)
        write(folder, make_gaps_report())
        assert send(folder, settings)[0].status == "sent"


def test_another_group_gets_it_too(folder):
    with StandIn([]) as first, StandIn([]) as second:
        statuses = [send(folder, hook_settings(server))[0].status for server in (first, second)]
    assert statuses == ["sent", "sent"]


def test_a_damaged_record_is_said_and_again_mends_it(folder):
    (folder / STATE_NAME).write_text("{")
    with StandIn([]) as server:
        settings = hook_settings(server)
        outcome, _ = send(folder, settings)
        assert outcome.status == "failed"
        assert "--again" in outcome.detail
        assert server.inbox.delivered == []
        assert send(folder, settings, again=True)[0].status == "sent"
        assert send(folder, settings)[0].status == "already sent"


def test_a_record_that_cannot_be_read_stops_no_delivery_by_another_way(folder):
    (folder / STATE_NAME).mkdir()
    with StandIn([]) as server:
        settings = hook_settings(server, mail_to=("soc@example.com",), mail_from="a@example.com")
        outcomes = deliver_report(folder, settings, sleep=[].append, timeout_seconds=10)
    assert [outcome.status for outcome in outcomes] == ["failed", "failed"]
    assert all("--again" in outcome.detail for outcome in outcomes)


def test_two_deliveries_at_once_send_it_once(folder):
    """The second begins while the first is sending."""
    second = []

    def deliver_meanwhile(_seconds):
        second.extend(deliver_report(folder, settings, sleep=[].append, timeout_seconds=10))

    with FailingStandIn(("server_error",)) as server:
        settings = hook_settings(server)
        (first,) = deliver_report(folder, settings, sleep=deliver_meanwhile, timeout_seconds=10)
        assert len(server.inbox.delivered) == 1
    assert first.status == "sent"
    assert [outcome.status for outcome in second] == ["failed"]
    assert "by another process" in second[0].detail


def test_a_fault_in_one_way_does_not_stop_the_next(folder, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("sekret")

    with StandIn([]) as server:
        settings = load_settings(
            overrides={
                "app_id": APP_ID,
                "app_secret": APP_SECRET,
                "base_url": server.url,
                "deliver": {
                    "webhook_url": server.hook_url,
                    "webhook_secret": HOOK_SECRET,
                    "receive_id": CHAT,
                },
            }
        )
        monkeypatch.setattr("audit_analytics.deliver._bots.CustomBot.send", fail)
        outcomes = deliver_report(folder, settings, sleep=[].append, timeout_seconds=10)
    assert [outcome.status for outcome in outcomes] == ["failed", "sent"]
    assert "sekret" not in outcomes[0].detail


# --- the app itself


@pytest.mark.parametrize("data", [None, [], "x", {"file_key": None}], ids=str)
def test_an_upload_that_is_answered_without_a_key_is_a_failure(folder, monkeypatch, data):
    answer = Answer(200, 0, {"code": 0, "data": data}, b"", "-")
    monkeypatch.setattr("audit_analytics.deliver._bots.request", lambda *_, **__: answer)
    with StandIn([]) as server:
        outcome, _ = send(folder, app_settings(server, raw_ids=True))
    assert outcome.status == "failed"
    assert "no file key" in outcome.detail


def test_the_app_sends_a_card_and_the_masked_report_as_a_file(folder):
    with StandIn([]) as server:
        outcome, _ = send(folder, app_settings(server))
        card, file = server.inbox.delivered
        (html,) = server.inbox.uploads.values()
    assert outcome.status == "sent"
    assert (card["msg_type"], file["msg_type"]) == ("interactive", "file")
    assert card["receive_id"] == file["receive_id"] == CHAT
    assert json.loads(file["content"])["file_key"] in server.inbox.uploads
    assert "cli_a2f7…d01c".encode() in html
    for raw in (RAW_ID.encode(), RAW_IP.encode()):
        assert raw not in html
        assert raw not in json.dumps(server.inbox.delivered).encode()


def test_the_app_sends_the_report_as_it_is_if_raw_ids_are_asked_for(folder):
    with StandIn([]) as server:
        send(folder, app_settings(server, raw_ids=True))
        assert list(server.inbox.uploads.values()) == [(folder / "report.html").read_bytes()]


@pytest.mark.parametrize(
    "faults",
    [("slow",), ("", "slow"), ("", "cut_body"), ("rate_limited", "server_error"), ("", "", "html")],
    ids=str,
)
def test_an_unanswered_message_is_repeated_and_arrives_once(folder, faults):
    with FailingStandIn(faults) as server:
        (outcome,) = deliver_report(
            folder, app_settings(server, raw_ids=True), sleep=[].append, timeout_seconds=0.5
        )
        kinds = [message["msg_type"] for message in server.inbox.delivered]
    assert outcome.status == "sent"
    assert kinds == ["interactive", "file"]


def test_the_app_can_send_again_within_the_hour_of_its_message_names(folder):
    with StandIn([]) as server:
        for again in (False, True):
            send(folder, app_settings(server, raw_ids=True), again=again)
        assert len(server.inbox.delivered) == 4


def test_refused_credentials_are_said_without_the_secret(folder):
    with StandIn([], app_secret="another") as server:  # noqa: S106 - planted
        outcome, _ = send(folder, app_settings(server, raw_ids=True))
    assert outcome.status == "failed"
    assert "app secret is wrong" in outcome.detail
    assert APP_SECRET not in outcome.detail


# --- mail


class Postbox:
    """Keeps what arrives; answers `replies` first."""

    def __init__(self, *replies):
        self.mails, self.replies = [], list(replies)

    async def handle_DATA(self, server, session, envelope):  # noqa: ARG002, N802 - aiosmtpd's
        if self.replies:
            return self.replies.pop(0)
        content = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((envelope.rcpt_tos, content))
        return "250 OK"


@pytest.fixture
def serve_mail():
    running = []

    def start(handler, **options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
        controller.start()
        running.append(controller)
        return port

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return authority, path


def tls_context(authority, name="127.0.0.1"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def mail_settings(port, **more):
    return settings_for(
        mail_to=["soc@example.com", "ciso@example.com"],
        mail_from="audit@example.com",
        smtp_host="127.0.0.1",
        smtp_port=port,
        **more,
    )


def test_mail_brings_the_message_and_the_masked_report(folder, serve_mail):
    postbox = Postbox()
    outcome, _ = send(folder, mail_settings(serve_mail(postbox)))
    ((recipients, mail),) = postbox.mails
    assert outcome.status == "sent"
    assert recipients == ["soc@example.com", "ciso@example.com"]
    assert mail["Subject"] == "OpenAPI audit log, 2026-W47: 8 findings"
    text = mail.get_body(("plain",)).get_content()
    assert text.splitlines()[2].startswith("Log complete: 168 of 168 hours")
    (attachment,) = mail.iter_attachments()
    assert attachment.get_filename() == "report-2026-W47.html"
    html = attachment.get_content()
    assert "cli_a2f7…d01c" in html
    for raw in (RAW_ID, RAW_IP):
        assert raw not in html + text + str(mail["Subject"])


def test_mail_is_sent_over_starttls_with_a_login(folder, serve_mail, authority):
    issuer, ca_file = authority
    logins = []

    def check(server, session, envelope, mechanism, auth_data):  # noqa: ARG001 - aiosmtpd's
        logins.append((session.ssl is not None, auth_data.login, auth_data.password))
        return AuthResult(success=True)

    postbox = Postbox()
    port = serve_mail(
        postbox,
        tls_context=tls_context(issuer),
        require_starttls=True,
        auth_required=True,
        authenticator=check,
    )
    settings = mail_settings(
        port,
        raw_ids=True,
        smtp_security="starttls",
        smtp_ca_file=ca_file,
        smtp_user="audit",
        smtp_password=SMTP_PASSWORD,
    )
    outcome, _ = send(folder, settings)
    assert outcome.status == "sent", outcome.detail
    assert logins == [(True, b"audit", SMTP_PASSWORD.encode())]
    assert len(postbox.mails) == 1


def test_mail_is_sent_over_tls_from_the_first_byte(folder, serve_mail, authority):
    issuer, ca_file = authority
    postbox = Postbox()
    port = serve_mail(postbox, ssl_context=tls_context(issuer))
    settings = mail_settings(port, raw_ids=True, smtp_security="tls", smtp_ca_file=ca_file)
    outcome, _ = send(folder, settings)
    assert outcome.status == "sent", outcome.detail
    assert len(postbox.mails) == 1


@pytest.mark.parametrize("name", ["127.0.0.1", "mail.example"])
def test_a_certificate_that_is_not_the_servers_is_refused(folder, serve_mail, authority, name):
    issuer, ca_file = authority
    stranger = trustme.CA() if name == "127.0.0.1" else issuer
    postbox = Postbox()
    port = serve_mail(postbox, tls_context=tls_context(stranger, name), require_starttls=True)
    settings = mail_settings(port, raw_ids=True, smtp_security="starttls", smtp_ca_file=ca_file)
    outcome, waits = send(folder, settings)
    assert outcome.status == "failed"
    assert "no secure connection" in outcome.detail
    assert postbox.mails == waits == []


def test_a_server_without_starttls_gets_no_mail(folder, serve_mail):
    postbox = Postbox()
    settings = mail_settings(serve_mail(postbox), raw_ids=True, smtp_security="starttls")
    outcome, _ = send(folder, settings)
    assert outcome.status == "failed"
    assert "deliver.smtp_security" in outcome.detail
    assert postbox.mails == []


def test_a_password_does_not_travel_in_the_clear(folder):
    settings = settings_for(
        mail_to=["soc@example.com"],
        mail_from="audit@example.com",
        smtp_host="mail.example",
        smtp_security="plain",
        smtp_user="audit",
        smtp_password=SMTP_PASSWORD,
    )
    outcome, _ = send(folder, settings, dry_run=True)
    assert outcome.status == "failed"
    assert "never travels in the clear" in outcome.detail


def test_a_busy_mail_server_is_asked_again_and_a_refusal_is_not(folder, serve_mail):
    postbox = Postbox("451 busy", "451 busy")
    outcome, waits = send(folder, mail_settings(serve_mail(postbox), raw_ids=True))
    assert (outcome.status, len(waits), len(postbox.mails)) == ("sent", 2, 1)

    postbox = Postbox("554 you said hunter2")
    outcome, waits = send(folder, mail_settings(serve_mail(postbox), raw_ids=True), again=True)
    assert (outcome.status, waits) == ("failed", [])
    assert "554" in outcome.detail
    assert "hunter2" not in outcome.detail


# --- settings and commands


def test_one_way_out_that_fails_does_not_stop_the_others(folder, serve_mail):
    postbox = Postbox()
    with StandIn([]) as server:
        settings = load_settings(
            overrides={
                "deliver": {
                    **mail_settings(serve_mail(postbox)).deliver.model_dump(exclude_unset=True),
                    "webhook_url": server.hook_url,
                    "webhook_secret": "wrong",
                    "raw_ids": True,
                }
            }
        )
        outcomes = deliver_report(folder, settings, sleep=[].append)
    assert [(one.channel, one.status) for one in outcomes] == [("bot", "failed"), ("mail", "sent")]
    assert list(json.loads((folder / STATE_NAME).read_text())) == ["mail"]


def test_a_folder_without_a_report_and_settings_without_a_way_out(folder, tmp_path):
    with pytest.raises(InputError, match=r"findings\.json"):
        deliver_report(tmp_path, settings_for(receive_id=CHAT))
    with pytest.raises(ConfigError, match=r"deliver\.webhook_url"):
        deliver_report(folder, load_settings())
    for content in ("[]", "{", '{"findings": []}'):
        (folder / "findings.json").write_text(content)
        with pytest.raises(InputError, match="run weekly again"):
            deliver_report(folder, settings_for(receive_id=CHAT))


def run(*arguments, cwd, **environment):
    """Run a command in a process of its own, which shows what it logs and raises."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "audit_analytics", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), **environment},
        timeout=900,
    )


def invoke(*arguments, cwd, **environment):
    """Run a command here, where nothing has to be imported first."""
    with contextlib.chdir(cwd):
        return CliRunner().invoke(
            main, list(map(str, arguments)), env={"HOME": str(cwd), **environment}
        )


SECRETS = ("standin-hook", HOOK_SECRET + "-long", "standin-secret", SMTP_PASSWORD)


def secret_environment(server):
    return {
        "AUDIT_ANALYTICS_APP_ID": APP_ID,
        "AUDIT_ANALYTICS_APP_SECRET": APP_SECRET,
        "AUDIT_ANALYTICS_BASE_URL": server.url,
        "AUDIT_ANALYTICS_DELIVER__WEBHOOK_URL": server.hook_url,
        "AUDIT_ANALYTICS_DELIVER__WEBHOOK_SECRET": HOOK_SECRET + "-long",
        "AUDIT_ANALYTICS_DELIVER__RECEIVE_ID": CHAT,
        "AUDIT_ANALYTICS_DELIVER__MAIL_TO": '["soc@example.com"]',
        "AUDIT_ANALYTICS_DELIVER__MAIL_FROM": "audit@example.com",
        "AUDIT_ANALYTICS_DELIVER__SMTP_USER": "audit",
        "AUDIT_ANALYTICS_DELIVER__SMTP_PASSWORD": SMTP_PASSWORD,
    }


def test_a_dry_run_shows_everything_but_the_secrets_and_sends_nothing(folder):
    write(folder, make_hostile_report())
    with StandIn([]) as server:
        result = invoke("deliver", folder, "--dry-run", cwd=folder, **secret_environment(server))
        assert server.requests == []
    assert result.exit_code == 0, result.stderr
    for word in ("bot would send", "app would send", "mail would send", "****", "report-2026-W47"):
        assert word in result.stdout
    assert not any(secret in result.stdout + result.stderr for secret in SECRETS)
    assert all(char.isprintable() for char in result.stdout.replace("\n", ""))
    assert not (folder / STATE_NAME).exists()


def test_a_failed_delivery_shows_no_secret_even_with_its_traceback_and_its_log(folder, caplog):
    caplog.set_level(logging.DEBUG)
    with FailingStandIn(("server_error", "redirect")) as server:
        environment = secret_environment(server)
        result = run("deliver", folder, "--to", "bot", "-v", cwd=folder, **environment)
        settings = hook_settings(server)
        send(folder, settings)
    assert result.returncode == 4
    assert "bot: failed" in result.stderr
    assert not any(secret in result.stdout + result.stderr for secret in SECRETS)
    hook = server.hook_url.rsplit("/", 1)[1]
    ours = [record for record in caplog.records if not record.name.endswith("loopback")]
    assert any("urllib3" in record.name for record in ours)  # which would note the request
    assert not [record for record in ours if hook in record.getMessage()]
    assert hook not in repr(settings)


def test_the_command_says_what_it_sent(folder):
    with StandIn([], hook_secret="") as server:
        environment = {"AUDIT_ANALYTICS_DELIVER__WEBHOOK_URL": server.hook_url}
        first = invoke("deliver", folder, cwd=folder, **environment)
        second = invoke("deliver", folder, cwd=folder, **environment)
    assert (first.exit_code, first.stdout) == (0, "bot: sent\n")
    assert (second.exit_code, second.stdout) == (0, "bot: already sent\n")


def test_secrets_come_from_files_and_never_from_the_command_line(folder, tmp_path):
    with StandIn([]) as server:
        for name, value in (("url", server.hook_url), ("secret", HOOK_SECRET)):
            (tmp_path / name).write_text(value + "\n")
        result = invoke(
            "deliver",
            folder,
            cwd=folder,
            AUDIT_ANALYTICS_DELIVER__WEBHOOK_URL_FILE=str(tmp_path / "url"),
            AUDIT_ANALYTICS_DELIVER__WEBHOOK_SECRET_FILE=str(tmp_path / "secret"),
        )
        assert len(server.inbox.delivered) == 1
    assert result.exit_code == 0, result.stderr
    options = {name for option in main.commands["deliver"].params for name in option.opts}
    assert options == {"report", "--to", "--dry-run", "--again", "--config", "-v", "--verbose"}


@pytest.fixture(scope="module")
def short_log(tmp_path_factory):
    """A log of four weeks of one busy app, the last week whole."""
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    first = 1_792_339_200  # Sunday 18 October 2026, 16:00 UTC: Monday in Shanghai
    items = [
        {"id": str(n), "api_key": "GET/x", "app_id": "cli_a", "event_time": first + n * 1800}
        for n in range(4 * 7 * 48)
    ]
    path.write_text("\n".join(map(json.dumps, items)))
    return path


@pytest.mark.parametrize("secret", [HOOK_SECRET, "wrong"], ids=["delivered", "failed"])
def test_weekly_delivers_and_keeps_its_exit_code_whatever_comes_of_it(short_log, tmp_path, secret):
    with StandIn([]) as server:
        result = invoke(
            "weekly",
            short_log,
            "--out",
            tmp_path / "reports",
            "--deliver",
            cwd=tmp_path,
            AUDIT_ANALYTICS_DELIVER__WEBHOOK_URL=server.hook_url,
            AUDIT_ANALYTICS_DELIVER__WEBHOOK_SECRET=secret,
        )
        count = len(server.inbox.delivered)
    assert result.exit_code == 0, result.stderr
    assert len(list((tmp_path / "reports").glob("*/report.html"))) == 1
    assert result.stdout.count("\n") >= 2
    if secret == HOOK_SECRET:
        assert count == 1
        assert "Delivery by bot: sent" in result.stderr
    else:
        assert count == 0
        assert "Delivery failed, the report stands: bot: failed" in result.stderr


def test_weekly_tells_the_chat_when_the_log_does_not_cover_the_week(short_log, tmp_path):
    source = tmp_path / "gaps.jsonl"
    lines = short_log.read_text().splitlines()
    source.write_text("\n".join(lines[:-200] + lines[-150:]))
    with StandIn([], hook_secret="") as server:
        result = invoke(
            "weekly",
            source,
            "--out",
            tmp_path / "reports",
            "--deliver",
            cwd=tmp_path,
            AUDIT_ANALYTICS_DELIVER__WEBHOOK_URL=server.hook_url,
        )
        (sent,) = server.inbox.delivered
    assert result.exit_code == 3
    assert "data incomplete" in sent["card"]["header"]["title"]["content"]
    assert sent["card"]["elements"][0]["text"]["content"].startswith("DATA INCOMPLETE")


def test_weekly_with_a_broken_setup_still_writes_the_report(short_log, tmp_path):
    result = invoke("weekly", short_log, "--out", tmp_path / "reports", "--deliver", cwd=tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "Delivery failed" in result.stderr
    assert "deliver.webhook_url" in result.stderr
    assert list((tmp_path / "reports").glob("*/report.html"))
