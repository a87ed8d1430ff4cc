import pytest
from markupsafe import Markup
from stand_ins import Flat
from tenant import (
    DAY,
    READ,
    SEND,
    WEEK,
    calls,
    clock,
    hourly,
    local,
    make_events,
    quiet_tenant,
    spread,
)

import audit_analytics as aa
from audit_analytics.report import _html as html
from audit_analytics.report import _markdown as markdown

DELETE = "DELETE/open-apis/contact/v3/users/:user_id"


@pytest.fixture(scope="module")
def data():
    before = WEEK.shifted(-1)
    events = make_events(
        quiet_tenant(),
        clock(),
        calls("cli_gone", hourly(before.start_at, before.start_at + DAY), ip="10.9.9.9", api=SEND),
        calls("cli_new", spread(local("2026-11-12 09:00"), 30), ip="203.0.113.9", api=DELETE,
              severity="critical", outcome="permission"),
        calls("cli_busy", spread(before.start_at, 100, over=6 * DAY), ip="10.8.0.1", api=READ),
        calls("cli_busy", spread(WEEK.start_at, 900, over=6 * DAY), ip="10.8.0.1", api=READ),
    )  # fmt: skip
    return aa.analyze(events, settings=aa.Settings(), detector=Flat()).data


def test_new_is_what_the_log_never_had_and_vanished_what_only_last_week_had(data):
    new, gone = data["changes"]["new"], data["changes"]["vanished"]
    assert [row["name"] for row in new["apps"]["rows"]] == ["cli_new"]
    assert new["apis"]["rows"] == [
        {
            "name": DELETE,
            "at": "2026-11-12T01:00:00Z",
            "calls_count": 30,
            "apps_count": 1,
            "severity": "critical",
        }
    ]
    assert [row["name"] for row in new["networks"]["rows"]] == ["203.0.113.0/24"]
    assert [row["name"] for row in new["ips"]["rows"]] == ["203.0.113.9"]
    assert [(row["name"], row["calls_count"]) for row in gone["apps"]["rows"]] == [("cli_gone", 24)]
    assert [row["name"] for row in gone["ips"]["rows"]] == ["10.9.9.9"]
    assert gone["apis"] == {"count": 0, "rows": []}


def test_totals_and_movers_compare_with_the_week_before(data):
    totals = {row["name"]: row for row in data["changes"]["totals"]}
    assert totals["calls"]["count"] == data["totals"]["calls_count"]
    assert totals["calls"]["previous_count"] == data["totals"]["previous_week_calls_count"]
    assert totals["errors"]["count"] == data["totals"]["errors_count"]
    assert totals["permission"]["count"] >= 30
    assert "rate_limit" not in totals
    assert data["changes"]["movers"][0] == {
        "name": "cli_busy",
        "calls_count": 900,
        "previous_calls_count": 100,
    }


def test_quiet_apps_were_assessed_and_have_no_finding(data):
    quiet = {row["name"] for row in data["quiet_apps"]["rows"]}
    found = {finding["entity"] for finding in data["findings"]}
    assert quiet
    assert not quiet & (found | {"cli_new", "cli_gone"})
    assert data["quiet_apps"]["count"] == len(quiet)


def test_charts_count_errors_by_class_and_first_contacts_by_day(data):
    errors = data["charts"]["errors"]["classes"]
    assert sum(map(sum, errors.values())) == data["totals"]["errors_count"]
    assert max(errors["permission"]) >= 30
    networks = data["charts"]["networks"]
    day = dict(zip(networks["days"], networks["tenant"], strict=True))
    assert (len(day), day["2026-11-12"]) == (35, 1)


def test_the_tenants_expected_band_holds_its_expectation(data):
    series = data["series"]
    for low, expected, high in zip(series["low"], series["expected"], series["high"], strict=True):
        assert 0 <= low <= expected <= high


@pytest.mark.parametrize(
    ("module", "shown"),
    [(html, "a&lt;b&gt; 1,200 c&amp;d"), (markdown, "a\\<b\\> 1,200 c&d")],
)
def test_values_are_escaped_on_their_way_into_a_sentence(module, shown):
    template = module._environment().from_string(
        "{% trans name=name, n=n, ready=ready %}{{ name }} {{ n }} {{ ready }}{% endtrans %}"
    )
    ready = Markup("c&amp;d") if module is html else Markup("c&d")
    assert template.render(name="a<b>", n=1200, ready=ready) == shown
