"""An hourly run: the same code as the weekly one, telling only what went on since an instant."""

import jsonschema
import pandas as pd
import pytest
from stand_ins import Flat

import audit_analytics as aa
from audit_analytics.errors import ConfigError, DataIncompleteError
from audit_analytics.report import render_html
from audit_analytics.report._markdown import render_markdown

SUNDAY = "2026-11-15"


@pytest.fixture(scope="module")
def running(sample_events):
    """Return the sample up to Sunday noon, with one stray event of the far future."""
    events = sample_events[
        sample_events["at"] < pd.Timestamp(f"{SUNDAY}T12:00", tz="Asia/Shanghai")
    ]
    stray = events.tail(1).assign(id="stray", at=pd.Timestamp("2099-01-01", tz="UTC"))
    return pd.concat([events, stray], ignore_index=True).astype(events.dtypes.to_dict())


@pytest.fixture(scope="module")
def few(running):
    """Return it of a few apps, one of which exports at night."""
    apps = [*running["app_id"].value_counts().index[10:18], "cli_a6cfee2e522c10f9"]
    return running[running["app_id"].isin(apps)].reset_index(drop=True)


@pytest.fixture(scope="module")
def hourly_report(running, sample_report):
    last = sample_report.data | {"week": sample_report.data["week"] | {"iso": "2026-W45"}}
    return aa.analyze(running, since=SUNDAY, previous=aa.Report(last, pd.DataFrame()))


@pytest.fixture(scope="module")
def hourly(hourly_report):
    return hourly_report.data


def test_the_week_in_progress_is_judged_and_its_rest_is_no_gap(hourly, findings_schema):
    week, coverage = hourly["week"], hourly["coverage"]
    assert (week["iso"], week["since_at"]) == ("2026-W46", "2026-11-14T16:00:00Z")
    assert not week["complete"]
    assert coverage["week_status"] == "complete"
    assert coverage["hours_covered_count"] == coverage["hours_expected_count"] == 12
    assert all(gap["end_at"] <= "2026-11-15T04:00:00Z" for gap in coverage["gaps"])
    jsonschema.validate(hourly, findings_schema)


def test_only_what_went_on_since_then_is_told_with_the_same_numbers(hourly, sample_report):
    whole = {finding["finding_id"]: finding for finding in sample_report.data["findings"]}
    assert hourly["findings"]
    for finding in hourly["findings"]:
        assert finding["end_at"] > "2026-11-14T16:00:00Z"
        assert finding["start_at"] < "2026-11-15T04:00:00Z"
    attack = hourly["findings"][0]
    # which of two buckets is rarer hangs on the days after it; what is said of a bucket does not
    said, later = (
        {(r["detector"], r["start_at"], r["end_at"]): r["observed"] for r in found["reasons"]}
        for found in (attack, whole[attack["finding_id"]])
    )
    assert {"SENS", "NEWAPI"} <= {detector for detector, *_span in {*said} & {*later}}
    assert all(said[bucket] == later[bucket] for bucket in {*said} & {*later})
    assert len(hourly["findings"]) < len(whole) / 2


def test_the_tables_count_only_the_hours_since_then(few):
    since = f"{SUNDAY}T04:00"  # amid an export that began at 03:42
    data = aa.analyze(few, since=since, detector=Flat()).data
    late = few[few["at"] >= pd.Timestamp(f"{SUNDAY}T04:00", tz="Asia/Shanghai")]
    assert data["sensitive_usage"]
    for row in data["sensitive_usage"]:
        own = late[(late["app_id"] == row["app_id"]) & (late["api"] == row["api"])]
        assert row["calls_count"] == len(own[own["id"] != "stray"]) > 0
    assert "Only the hours since 2026-11-15 04:00 are counted." in render_html(data)
    assert "only what went on since 2026-11-15 04:00" in render_markdown(data)


def test_a_part_of_a_week_resolves_nothing(hourly_report, hourly, sample_report):
    assert hourly["compared_with"]["status"] == "compared"
    assert len(sample_report.data["findings"]) > len(hourly["findings"])
    assert hourly["resolved"] == []
    assert "resolved" not in " ".join(hourly_report.notes())


def test_a_quiet_verdict_counts_the_apps_that_were_assessed(few):
    settings = aa.Settings(budget_per_week=1e-9)
    data = aa.analyze(few, since="1h", settings=settings, detector=Flat()).data
    assert data["findings"] == []
    count = data["assessed"]["apps_count"]
    assert data["verdict"].startswith(f"Nothing stood out in the {count} apps that were assessed.")


def test_since_reads_well(hourly_report, running):
    assert "12 of 12 hours" in hourly_report._repr_html_()
    with pytest.raises(ConfigError, match="exclude each other"):
        aa.analyze(running, week="2026-W46", since="2h")
    with pytest.raises(DataIncompleteError, match="holds nothing after"):
        aa.analyze(running, since="2026-11-15T12:00")
    with pytest.raises(ConfigError, match="neither a span"):
        aa.analyze(running, since="yesterday")
