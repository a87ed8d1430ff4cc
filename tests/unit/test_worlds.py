import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit_analytics.intake import count_log
from audit_analytics.schema import EVENTS
from audit_analytics.settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from detection_scoring import RIGHT, grade
from worlds.build import make_worlds
from worlds.campaign import SCENARIOS
from worlds.recipes import FAMILIES, RECIPES
from worlds.resampled import find_real_logs, make_resampled

WEEK = pd.Timedelta(days=7)
ROOM_FOR_ALL = ("small-3", "small-5", "small-12", "infant-10", "young")
"""Worlds with room for all their attacks; of the others a part of the apps has to do."""


@cache
def worlds(name, seed=100):
    recipe = RECIPES[name]
    if name == "young":
        recipe = replace(recipe, apps=100)
    elif name not in ROOM_FOR_ALL:
        recipe = replace(recipe, apps=30, per_day=30)
    return make_worlds(recipe, seed, [0.0, 1.0])


@pytest.mark.parametrize("name", RECIPES)
def test_a_world_is_a_table_of_events_with_its_attacks_in_the_last_week(name):
    clean, attacked = worlds(name)
    assert list(attacked.events.columns) == EVENTS.names
    assert attacked.events["id"].is_unique
    assert attacked.events["at"].is_monotonic_increasing
    end = attacked.events["at"].max().ceil("h")
    days = (end - attacked.events["at"].min()) / pd.Timedelta(days=1)
    assert days <= RECIPES[name].days + 0.05
    assert clean.labels.empty
    assert len(clean.events) + attacked.labels["rows_count"].sum() == len(attacked.events)
    assert (attacked.labels["start_at"] >= end - WEEK - pd.Timedelta(hours=1)).all()
    assert attacked.labels["entity"].is_unique
    assert set(attacked.labels["scenario"]) <= set(RIGHT)


@pytest.mark.parametrize("name", RECIPES)
def test_labels_refer_to_events_that_are_there(name):
    _, attacked = worlds(name)
    events = attacked.events
    for label in attacked.labels.itertuples():
        inside = (events["at"] >= label.start_at) & (events["at"] < label.end_at)
        inside &= events["app_id"].isin(label.touched)
        inside &= events["ip"].isin(label.ip.split() or [""])
        assert inside.sum() >= label.rows_count > 0
        entity = "ip" if label.entity_type == "ip" else "app_id"
        assert (events.loc[inside, entity] == label.entity).any()
        foreign = attacked.foreign[label.attack_id]
        assert not worlds(name)[0].events["ip"].isin(foreign).any()


@pytest.mark.parametrize("name", ROOM_FOR_ALL)
def test_there_are_as_many_attacks_as_the_recipe_says(name):
    _, attacked = worlds(name)
    assert sorted(attacked.labels["scenario"]) == sorted(RECIPES[name].choose_attacks(100))


@pytest.mark.parametrize("name", ["sparse", "infant-10", "foreign"])
def test_a_seed_makes_the_same_world_again_and_another_seed_another(name):
    again = worlds.__wrapped__(name)
    for one, other in zip(worlds(name), again, strict=True):
        assert one.events.equals(other.events)
        assert one.labels.equals(other.labels)
    assert len(worlds(name, 101)[0].events) != len(again[0].events)


def test_size_changes_how_much_is_done_and_neither_to_whom_nor_when():
    full, half = make_worlds(RECIPES["infant-14"], 100, [1.0, 0.5])
    columns = ["scenario", "entity_type", "attack_id"]
    pd.testing.assert_frame_equal(full.labels[columns], half.labels[columns])
    apps = full.labels["entity_type"] == "app"
    assert (full.labels["entity"] == half.labels["entity"])[apps].all()
    assert (full.labels["rows_count"] > half.labels["rows_count"]).all()


def test_each_world_is_what_its_name_says():
    def honest(name):
        return worlds(name)[0].events

    assert honest("no_objects")["object"].isna().all()
    assert honest("sparse")["object"].notna().any()
    assert honest("shared")["ip"].nunique() == 3
    assert (honest("noisy")["outcome"] == "not_found").mean() > 0.5
    assert set(honest("foreign")["severity"]) == {"unknown"}
    assert honest("small-5")["app_id"].nunique() == 5
    first = honest("young").groupby("app_id", observed=True)["at"].min()
    young = first > honest("young")["at"].max() - pd.Timedelta(days=10)
    assert 0.15 < young.mean() < 0.25

    def met(name, column):
        """How many new values an app meets in its last week, on the mean."""
        events = honest(name)
        since = events["at"].max() - WEEK
        met = events.groupby(["app_id", column], observed=True)["at"].min()
        return (met > since).sum() / events["app_id"].nunique()

    assert met("adopting", "api") > 2 * met("no_objects", "api")
    hours = honest("sparse").assign(day=lambda e: e["at"].dt.floor("D"))
    days = hours.groupby("app_id", observed=True)["day"].unique()
    gaps = days.map(lambda at: np.diff(at).max() / np.timedelta64(1, "D") if len(at) > 1 else 99)
    assert (gaps >= 9).mean() > 0.1


def test_growth_adds_what_it_says_and_a_burst_stays_within_four_times():
    _, attacked = make_worlds(
        replace(RECIPES["no_objects"], apps=60, attacks=("growth_2", "growth_1.5"), repeated=0),
        101,
        [0.0, 1.0],
    )
    events = attacked.events
    for label in attacked.labels.itertuples():
        week = (events["app_id"] == label.entity) & (events["at"] >= label.start_at.floor("h"))
        factor = week.sum() / (week.sum() - label.rows_count)
        assert factor == pytest.approx(float(label.scenario.partition("_")[2]), rel=0.1)


def test_every_scenario_has_what_may_stand_first_and_every_recipe_scenarios():
    for recipe in RECIPES.values():
        assert set(recipe.choose_attacks(0)) <= set(SCENARIOS) <= set(RIGHT)
    assert [name for names in FAMILIES.values() for name in names] == list(RECIPES)


def test_the_package_counts_a_world_as_it_stands():
    _, attacked = worlds("infant-10")
    log = count_log(attacked.events, Settings())
    assert log.calls.by_api["calls_count"].sum() == len(attacked.events)
    assert log.counts["rejects"] == 0


def test_an_attack_counts_the_false_cases_above_it():
    _, attacked = worlds("small-5")
    first, second = attacked.labels["entity"]
    at = attacked.labels["start_at"].iloc[0]
    ranked = [f"app:{first}", "app:honest", "app:another", f"app:{second}"]
    cases = pd.DataFrame({"entity": ranked, "score": [4.0, 3.0, 2.0, 1.0]})
    rows, true = grade(attacked, cases.assign(start_at=at, end_at=at + WEEK))
    assert rows["false_above"].tolist() == [0, 2]
    assert true == [True, False, False, True]


def test_the_real_attacks_follow_four_weeks_of_resampled_days():
    folder = find_real_logs(Path(__file__).parents[2])
    if folder is None:
        pytest.skip("no real logs beside the project")
    clean, attacked = make_resampled(folder, 100, [0.0, 1.0])
    again = make_resampled(folder, 100, [1.0])[0]
    assert attacked.events.equals(again.events)
    assert len(attacked.labels) == 5
    assert attacked.labels["entity"].is_unique
    assert len(clean.events) + attacked.labels["rows_count"].sum() == len(attacked.events)
    assert (clean.events["at"].max() - clean.events["at"].min()).days >= 33
