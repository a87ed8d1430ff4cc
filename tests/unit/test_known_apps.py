"""What a report says of an app's owner, and what it must not."""

from dataclasses import replace

import pandas as pd
import pytest
from stand_ins import Flat
from tenant import FIRST, WEEK, calls, clock, hourly, local, make_events, spread

from audit_analytics.deliver._mask import mask_report
from audit_analytics.deliver._message import build_card, build_message
from audit_analytics.intake import count_log
from audit_analytics.inventory import App, Inventory, Labels
from audit_analytics.language import use_labels
from audit_analytics.pipeline import judge_week
from audit_analytics.report import Report, build_report, render_html
from audit_analytics.settings import Settings

NOON = local("2026-11-11 12:00")
MAIL, PHONE = "hr.owner@corp.example", "+8613800138000"
KEPT = {"kind": "custom", "email": MAIL, "phone": PHONE}
APPS = [
    App(app_id="cli_1", name="HR export", owner="Li Na", owner_id="ou_1", **KEPT),
    App(
        app_id="cli_2",
        name="Payroll",
        owner="Wu Fang",
        owner_id="ou_2",
        owner_status="resigned",
        **KEPT,
    ),
    App(app_id="cli_3", name="Nobody's", **KEPT),
]


@pytest.fixture(scope="module")
def report():
    usual = [calls(f"cli_{n}", hourly(FIRST, WEEK.end_at), ip=f"10.0.{n}.1") for n in range(5)]
    moved = [calls(f"cli_{n}", spread(NOON, 20), ip=f"203.0.113.{n}") for n in (1, 2, 3)]
    settings = Settings(budget_per_week=1000)
    log = count_log(make_events(clock(), *usual, *moved), settings)
    log = replace(log, inventory=Inventory.of(APPS))
    with use_labels(Labels(log.inventory, {}, log.origins)):
        judged = judge_week(log, settings=settings, week=WEEK.iso, detector=Flat())
        data = build_report(judged)
    return Report(data, pd.DataFrame(), settings=settings)


def test_an_owner_who_left_and_none_at_all_are_told(report):
    told = {f["entity"]: report.finding(f["rank"]).explain() for f in report.data["findings"]}
    left, nobody = "Its owner has left the company.", "Nobody is named as its owner."
    assert [left in told[f"cli_{n}"] for n in (1, 2, 3)] == [False, True, False]
    assert [nobody in told[f"cli_{n}"] for n in (1, 2, 3)] == [False, False, True]
    page = render_html(report.data)
    assert left in page
    assert nobody in page


def test_the_owners_mail_and_phone_are_in_no_output(report, tmp_path):
    texts = [path.read_text() for path in report.write(tmp_path / "out").values()]
    texts += [path.read_text() for path in (tmp_path / "out").iterdir()]
    texts += [report.finding(f["rank"]).explain() for f in report.data["findings"]]
    for data in (report.data, mask_report(report.data)):
        message = build_message(data)
        texts += [message.text(), repr(build_card(message))]
    texts += [*report.lines(), report._repr_html_(), report.findings.to_csv()]
    assert any("Li Na" in text for text in texts)
    assert not [text for text in texts if MAIL in text or PHONE in text or PHONE[3:] in text]
