import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenant import DAY, FIRST, HOUR, WEEK, build_tenant, calls, hourly, local, make_events

from audit_analytics.detect._novelty import find_new_networks, score_novelty
from audit_analytics.detect._rhythm import _score_rhythm
from audit_analytics.rollup import rollup

START = local("2026-11-11 12:00")
FOREIGN = "203.0.113.9"
EVERY = hourly(FIRST, WEEK.end_at)
MINUTE = pd.Timedelta(minutes=1)


def people(start, count, *, seed=0, every=30 * MINUTE):
    gaps = np.random.default_rng(seed).exponential(every / MINUTE, count)
    return [start + gap * MINUTE for gap in np.cumsum(gaps)]


def beats(start, count, *, every=30 * MINUTE):
    return [start + every * n for n in range(count)]


def seconds(instants):
    return np.array([int(at.timestamp()) for at in instants])


def test_cron_keeps_a_beat_and_people_do_not():
    rng = np.random.default_rng(1)
    assert _score_rhythm(seconds(beats(START, 20))) == (1.0, 1800.0)
    late = seconds(beats(START, 40)) + rng.integers(0, 60, 40)
    assert _score_rhythm(late)[0] > 0.95
    of_people = [_score_rhythm(seconds(people(START, 40, seed=seed)))[0] for seed in range(20)]
    assert max(of_people) < 0.7
    assert np.median(of_people) < 0.5


@given(st.lists(st.integers(0, 10**9), max_size=40), st.randoms())
def test_any_instants_in_any_order_give_a_share(instants, random):
    rhythm, gap = _score_rhythm(np.array(instants, dtype=np.int64))
    assert 0 <= rhythm <= 1
    assert np.isnan(gap) == (len(set(instants)) < 9)
    random.shuffle(instants)
    again = _score_rhythm(np.array(instants, dtype=np.int64))
    np.testing.assert_equal(again, (rhythm, gap))


def find(*parts):
    own = [calls("cli_people", people(FIRST, 1600), ip="10.0.1.1")]
    own += [calls("cli_cron", EVERY, ip="10.0.2.1"), calls("cli_clock", EVERY)]
    events = make_events(*own, *parts)
    panel, _, by_ip = build_tenant(events, rollup(events))
    novelty = find_new_networks(panel, by_ip)
    pairs = novelty.pairs.assign(app_id=panel.apps[novelty.pairs["app"]])
    return panel, pairs.set_index(["app_id", "name"]), score_novelty(panel, novelty, 0)


@pytest.mark.parametrize("every", [30 * MINUTE, 60 * MINUTE, 120 * MINUTE])
def test_a_beacon_shows_on_an_app_of_people(every):
    beacon = calls("cli_people", beats(START, int(2 * DAY / every), every=every), ip=FOREIGN)
    _, pairs, _ = find(beacon)
    pair = pairs.loc[("cli_people", "203.0.113.0/24")]
    assert pair["rhythm"] > 0.3
    assert pair["gap_seconds"] == pytest.approx(every / pd.Timedelta(seconds=1))


def test_a_job_that_moves_keeps_the_beat_it_had():
    _, pairs, _ = find(calls("cli_cron", hourly(START, WEEK.end_at) + MINUTE, ip=FOREIGN))
    assert pairs["rhythm"].tolist() == [0]


def test_people_on_a_new_network_keep_no_beat():
    _, pairs, _ = find(calls("cli_people", people(START, 90, seed=3), ip=FOREIGN))
    assert pairs["rhythm"].tolist() == [0]


def test_a_few_calls_are_no_beat():
    _, pairs, _ = find(calls("cli_people", beats(START, 8), ip=FOREIGN))
    assert pairs["rhythm"].tolist() == [0]
    assert pairs["gap_seconds"].isna().all()


def test_a_beacon_is_a_more_surprising_new_network_than_people():
    # past moves of other people: what a new network usually brings
    moves = [
        calls(f"cli_{n}", people(FIRST + (8 + n) * DAY, 60, seed=n), ip=f"192.0.2.{n}")
        for n in range(12)
    ]
    homes = [calls(f"cli_{n}", EVERY, ip=f"10.1.{n}.1") for n in range(12)]
    as_beacon, as_people = (
        find(*homes, *moves, calls("cli_people", instants, ip=FOREIGN))[2].max()
        for instants in (beats(START, 48), people(START, 48, seed=5))
    )
    assert as_beacon > as_people + 0.4


def test_what_happens_after_two_days_is_not_awaited():
    early = beats(START, 20)
    later = people(START + 2 * DAY + HOUR, 60, seed=7)
    _, pairs, _ = find(calls("cli_people", [*early, *later], ip=FOREIGN))
    assert pairs["gap_seconds"].tolist() == [1800]
