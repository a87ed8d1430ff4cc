from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenant import HOUR, WEEK, local

from audit_analytics.errors import ConfigError
from audit_analytics.review._toml_file import _parse_entries
from audit_analytics.review._verdicts import (
    Verdict,
    _write_entry,
    append_verdict,
    judge_finding,
    list_confirmed,
    read_verdicts,
)

LAST = WEEK.shifted(-1)
START = LAST.start_at + 30 * HOUR
REASON = {
    "detector": "NEWNET",
    "observed": 63.0,
    "start_at": START.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "end_at": (START + 24 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "scope": {"app_id": ["cli_a"], "network": ["203.0.113.0/24"]},
}
FINDING = {
    "finding_id": "f-000000000001",
    "entity_type": "app",
    "entity": "cli_a",
    "reasons": [REASON, REASON | {"detector": "rule:new_network"}],
}


def judge(outcome="true", note="", finding=FINDING):
    values = {"week": LAST, "owner": "ops", "created": date(2026, 11, 9)}
    return judge_finding(finding, outcome, note=note, **values)


def test_the_last_verdict_on_a_finding_counts(tmp_path):
    path = tmp_path / "verdicts.toml"
    append_verdict(path, judge("true"))
    append_verdict(path, judge("benign", note="it was us"))
    found = read_verdicts(path)
    assert found["f-000000000001"].told == {
        "verdict": "benign",
        "note": "it was us",
        "owner": "ops",
        "created": "2026-11-09",
    }
    assert path.read_text(encoding="utf-8").count("[[verdict]]") == 2


def test_confirmed_calls_leave_the_weeks_after_theirs_only():
    (scope,) = list_confirmed([judge("true")], WEEK)  # two reasons about the same calls
    assert (scope.start_at, scope.end_at) == (START, LAST.end_at)
    assert scope.where == {"app_id": ("cli_a",), "network": ("203.0.113.0/24",)}
    assert list_confirmed([judge("benign")], WEEK) == []
    assert list_confirmed([judge("true")], LAST) == []


def test_a_slip_in_the_file_says_where(tmp_path):
    path = tmp_path / "verdicts.toml"
    path.write_text(_write_entry(judge()).replace('"true"', '"perhaps"'), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"verdicts\.toml: entry 1 .*verdict"):
        read_verdicts(path)
    path.write_text(_write_entry(judge()).replace("2026-W45", "2026-W99"), encoding="utf-8")
    with pytest.raises(ConfigError, match="2026-W99"):
        list_confirmed(list(read_verdicts(path).values()), WEEK)


@settings(max_examples=60, deadline=None)
@given(name=st.text(min_size=1, max_size=12), note=st.text(max_size=12))
def test_a_verdict_reads_back_as_it_was_written(name, note):
    reason = REASON | {"scope": {"app_id": [name], "api": [name, "GET/x"]}}
    written = judge(note=note, finding=FINDING | {"entity": name, "reasons": [reason]})
    assert _parse_entries(_write_entry(written), "verdict", Verdict, where="here") == [written]


def test_a_reason_after_the_weeks_end_is_no_call_of_the_week():
    late = REASON | {"start_at": "2026-11-08T16:00:00Z", "end_at": "2026-11-09T16:00:00Z"}
    assert judge(finding=FINDING | {"reasons": [late]}).calls == ()
    assert local("2026-11-09 00:00") == LAST.end_at
