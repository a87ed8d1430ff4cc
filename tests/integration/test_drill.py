import pandas as pd
import pytest
from click.testing import CliRunner

from audit_analytics.cli._drill import drill as command
from audit_analytics.dates.weeks import parse_week
from audit_analytics.drill import _grant_scopes, drill, render_drill
from audit_analytics.errors import ConfigError, DataIncompleteError
from audit_analytics.inventory import App, Grant, Inventory
from audit_analytics.pipeline import run_week
from audit_analytics.schema import EVENTS
from audit_analytics.settings import Settings
from audit_analytics.simulate import SCENARIOS, simulate_company
from audit_analytics.simulate._overlay import (
    group_attacks,
    lay_over,
    make_attacks,
    plan_attacks,
    profile_apps,
)
from audit_analytics.source import read_log

WEEK = parse_week("2026-W46", zone="Asia/Shanghai")
LOUD = ["id_enumeration", "permission_probing", "credential_stuffing"]
"""Attacks that a rule finds on any app."""


@pytest.fixture(scope="module")
def log():
    # so many that the five attacks on it fit into one run
    company = simulate_company(seed=5, apps=15, weeks=3, attacks=[])
    return read_log(list(company.items())).events


@pytest.fixture(scope="module")
def result(log):
    before = log.copy(deep=True)
    names = [*LOUD, "token_spike", "granted_collects"]
    table = drill(log, settings=Settings(), scenarios=names, sizes=[1.0])
    pd.testing.assert_frame_equal(log, before)
    return table


def attacks_on(log, names, *, size=1.0):
    targets = profile_apps(log, WEEK)
    plans = plan_attacks(names, targets, WEEK, end_at=WEEK.end_at)
    return make_attacks(plans.values(), log, size=size, end_at=WEEK.end_at)


def test_finds_loud_attacks_and_says_where_they_stand(result):
    assert result["scenario"].tolist() == [*LOUD, "token_spike", "granted_collects"]
    assert result["found"].all()
    assert result["rank"].ge(1).all()
    assert result["budget_needed"].le(10).all()
    said = ["rule:enumeration", "rule:probing", "rule:auth_failures", "TOK", "rule:granted"]
    assert result["detector"].tolist() == said
    assert result["hours_to_detect"].between(0, 24).all()
    assert result["start_at"].between(WEEK.start_at, WEEK.end_at).all()
    assert result["entity_type"].tolist() == ["app", "app", "ip", "app", "app"]


def test_attacks_only_what_was_quiet_before(log, result):
    report = run_week(log, week=WEEK.iso, settings=Settings())
    own = {finding["entity"] for finding in report.data["findings"]}
    assert own.isdisjoint(result["entity"])


def test_what_is_granted_first_is_granted_before_it_collects(log):
    (attack,) = attacks_on(log, ["granted_collects"])
    known = Inventory.of([App(app_id=attack.plan.target.app_id, grants=(Grant("im:chat"),))])
    app = _grant_scopes(known, [attack]).apps[attack.plan.target.app_id]
    assert app.granted_at("im:chat") < app.granted_at(app.grants[-1].scope) < attack.start_at
    assert known.apps[app.app_id].versions == ()


def test_same_seed_gives_the_same_attacks(log):
    first, again = (lay_over(log, attacks_on(log, LOUD)) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def test_command_prints_the_table_and_says_what_budget_a_miss_would_have_needed(
    log, result, tmp_path
):
    least = result["expected_per_week"].min() / 2
    config = tmp_path / "strict.toml"
    config.write_text(f"budget_per_week = {float(least)}\n")
    store = tmp_path / "store.parquet"
    log.to_parquet(store)
    before = store.read_bytes()
    options = ["--scenario", "token_spike", "--size", "1", "--csv", str(tmp_path / "t.csv")]
    done = CliRunner().invoke(command, [str(store), *options, "--config", str(config)])
    assert done.exit_code == 0, done.output
    assert "size 1: 0 of 1 found" in done.stdout
    assert store.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "store.parquet",
        "strict.toml",
        "t.csv",
    ]
    [missed] = pd.read_csv(tmp_path / "t.csv").to_dict("records")
    assert missed["scenario"] == "token_spike"
    assert not missed["found"]
    assert pd.isna(missed["rank"])
    assert pd.isna(missed["hours_to_detect"])
    assert missed["budget_needed"] > least
    assert missed["detector"] == "TOK"


def test_names_the_scenarios_no_app_fits(log):
    last = log.groupby("app_id", observed=True)["at"].max()
    alive = log[log["app_id"].isin(last.index[last > WEEK.start_at])]
    table = drill(alive, settings=Settings(), scenarios=["dormant_wakes"], sizes=[1.0, 0.5])
    assert table["found"].isna().all()
    assert table["note"].str.contains("no app").all()
    assert "dormant_wakes" in render_drill(table)


def test_hostile_calls_come_through_the_usual_path(log):
    names = [name for name in SCENARIOS if name != "silence"]
    attacks = attacks_on(log, names)
    attacked = lay_over(log, attacks)
    assert EVENTS.missing(attacked.columns) == []
    assert attacked["id"].is_unique
    hostile = attacked[attacked["id"].str.startswith("drill-")]
    assert len(hostile) == len(attacked) - len(log) == sum(len(a.rows) for a in attacks)
    assert hostile["at"].between(WEEK.start_at, WEEK.end_at).all()
    assert {"ok", "auth", "permission", "not_found"} <= set(hostile["outcome"])
    foreign = [set(hostile["network"][hostile["ip"].isin(a.foreign)]) for a in attacks if a.foreign]
    assert len(foreign) > 2
    assert sum(map(len, foreign)) == len(set().union(*foreign)), "attacks share a network"
    assert set().union(*foreign).isdisjoint(log["network"])


def test_silence_removes_calls_of_its_target_alone(log):
    attacks = attacks_on(log, ["silence"])
    assert attacks, "no app of the log calls every hour"
    attacked = lay_over(log, attacks)
    gone = log[~log["id"].isin(attacked["id"])]
    assert len(gone)
    assert set(gone["app_id"]) == {attacks[0].plan.target.app_id}
    assert gone["at"].max() - gone["at"].min() <= pd.Timedelta(hours=20)


def test_addresses_of_a_store_may_be_hashed(log):
    hashed = {ip: f"{position:016x}" for position, ip in enumerate(log["ip"].cat.categories)}
    stored = log.assign(ip=log["ip"].cat.rename_categories(hashed))
    attacked = lay_over(stored, attacks_on(stored, ["volume"]))
    hostile = attacked[attacked["id"].str.startswith("drill-")]
    own = stored[stored["app_id"] == hostile["app_id"].iloc[0]]
    assert set(hostile["ip"]) <= set(own["ip"])
    assert set(hostile["network"]) <= set(own["network"])


def test_no_run_attacks_an_app_twice(log):
    plans = [attack.plan for attack in attacks_on(log, list(SCENARIOS))] * 2
    groups = group_attacks(plans, at_most=4)
    assert sum(map(len, groups)) == len(plans)
    for group in groups:
        assert len({plan.target.app_id for plan in group}) == len(group) <= 4


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"scenarios": ["meteor"]}, ConfigError, "meteor.*stolen_credential"),
        ({"sizes": [0.0]}, ConfigError, "size"),
        ({"week": "2026-W44"}, DataIncompleteError, "before 2026-W44"),
        ({"week": "2027-W01"}, DataIncompleteError, "no calls in 2027-W01"),
    ],
)
def test_what_cannot_be_drilled_is_said(log, options, error, says):
    with pytest.raises(error, match=says):
        drill(log, settings=Settings(), **options)
    with pytest.raises(DataIncompleteError, match="no event"):
        drill(EVENTS.empty(), settings=Settings())


def test_names_from_the_log_do_not_reach_the_terminal_raw(result):
    odd = result.assign(entity="cli_\x1b[31mred\nline")
    odd.attrs = result.attrs
    shown = render_drill(odd)
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == len(render_drill(result).splitlines())


def test_every_scenario_can_be_named():
    (named,) = [option for option in command.params if option.name == "scenarios"]
    assert [named.type.convert(name, named, None) for name in SCENARIOS] == list(SCENARIOS)


def test_command_refuses_a_scenario_that_is_none(tmp_path):
    refused = CliRunner().invoke(command, [str(tmp_path), "--scenario", "meteor"])
    assert refused.exit_code == 2
    assert "'meteor' is not one of" in refused.stderr
