"""Windows that are calibrated one by one, an entity's own noise, and changes of everybody."""

import numpy as np
import pytest

from audit_analytics.detect._common import find_common, rate_against_each_other
from audit_analytics.detect._peers import rate_by_peers
from audit_analytics.detect._rows import stack_weeks
from audit_analytics.detect._surprise import Surprise
from audit_analytics.detect._windows import Rows, _weigh_by_own, choose_windows, rate_windows

APPS, DAYS = 40, 7


def rows_of(weeks, apps=1):
    """Rows of `apps` entities over whole weeks."""
    return Rows(
        np.repeat(np.arange(apps), DAYS * len(weeks)),
        np.tile(np.repeat(weeks, DAYS), apps).astype(np.intp),
    )


def weigh(past, weeks, *now, entity=0):
    """Scores of one day of the report week, weighed by what entity 0 did before."""
    before = rows_of(weeks)
    of = np.append(before.entity, [entity] * len(now)), np.append(before.week, [0] * len(now))
    return _weigh_by_own(np.append(past, now), Rows(*of))[len(past) :]


def noise(scale, seed):
    return np.random.default_rng(seed).exponential(scale, (APPS, DAYS))


def test_what_only_the_quiet_window_sees_does_not_drown_in_the_noisy_one():
    weeks = (-3, -2, -1, 0)
    scored = {w: np.stack([noise(5.0, -w), noise(0.2, 50 - w)], axis=2) for w in weeks}
    scored[0][7, 3, 1] = 4.0  # twenty times the quiet window's mean, less than the noisy one's
    assert scored[0][7, 3].max() < scored[0][..., 0].max()
    rated = rate_windows(scored, {"VOL": 2}, weighed={"VOL"})
    assert np.unravel_index(rated.current[..., 0].argmax(), (APPS, DAYS)) == (7, 3)
    assert rated.z["VOL"][7, 3].argmax() == 1


def test_the_rarest_window_is_the_one_that_is_told():
    def see(observed):
        shape = (1, 1)
        numbers = [np.full(shape, value) for value in (3.0, observed, 1.0, 1.0)]
        where = [np.zeros(shape, dtype=np.intp), np.full(shape, 2 if observed > 9 else 1)]
        return Surprise(*numbers, *where, np.full(shape, "", dtype=object))

    told = choose_windows({"VOL": [see(5.0), see(50.0)]}, {"VOL": np.array([[[1.0, 4.0]]])})["VOL"]
    assert (told.observed.item(), told.hours.item()) == (50.0, 2)


def test_a_job_at_irregular_hours_is_no_surprise_after_weeks_of_it():
    weeks = [-4, -3, -2, -1]
    past = np.full(DAYS * len(weeks), 0.3)
    past[[2, 5, 9, 12, 17, 20, 23, 26]] = 4.0  # a burst at an hour that never had one, twice a week
    own = weigh(past, weeks, 4.0, 12.0)
    assert own[0] < 1.0
    assert own[1] > 6.0  # far beyond its largest ones it still is


def test_an_incident_of_one_week_is_no_habit():
    weeks = [-4, -3, -2, -1]
    past = np.full(DAYS * len(weeks), 0.3)
    past[-3:] = 4.0  # the attack that began last week
    assert weigh(past, weeks, 4.0)[0] > 3.5


def test_in_a_short_log_an_attack_of_several_nights_is_no_habit_by_its_last():
    numbers = np.arange(-1, -11, -1)  # ten days, numbered from the first
    z = np.full(10, 0.3)
    z[6:] = 4.0
    rows = Rows(np.zeros(10, dtype=np.intp), numbers)
    weighed = _weigh_by_own(z, rows, earlier=True)
    assert weighed[6] == pytest.approx(4.0, abs=0.3)
    assert _weigh_by_own(z, rows)[6] < 1.0
    # what came again and again before is one, whatever comes later
    often = np.where(np.arange(10) % 2, 4.0, 0.3)
    assert _weigh_by_own(often, rows, earlier=True)[9] < 1.0


def test_an_entity_without_a_past_is_rated_as_the_tenant_is():
    assert weigh(np.full(7, 0.3), [-1], 4.0, entity=1) == pytest.approx(4.0)


def test_a_past_week_is_compared_with_as_many_others_as_the_report_week():
    """Or each past week would look rarer than the same week will when it is the report week."""
    scored = {week: noise(1.0, 60 - week)[..., None] for week in (-2, -1, 0)}
    rated = rate_windows(scored, {"VOL": 1}, weighed={"VOL"})
    turned = {-2: scored[0], -1: scored[-1], 0: scored[-2]}
    again = rate_windows(turned, {"VOL": 1}, weighed={"VOL"})
    loud = [float((table[..., 0] > 1.0).mean()) for table in (rated.current, again.current)]
    assert np.mean(loud) == pytest.approx((rated.past > 1.0).mean(), rel=0.25)


def tenant_of_two_kinds():
    """Scores of jobs that poll and of jobs at irregular hours, as many of each."""
    weeks = (-4, -3, -2, -1, 0)
    calm = np.arange(APPS)[:, None] % 2 == 0
    return {w: np.where(calm, 1 + noise(0.1, -w), noise(4.0, 30 - w))[..., None] for w in weeks}


def test_a_calm_job_does_not_drown_among_restless_ones():
    scored = tenant_of_two_kinds()
    assert np.quantile(scored[-1], 0.9) > 7.0
    scored[0][[10, 11], 3, 0] = 7.0
    z = rate_windows(scored, {"VOL": 1}, weighed={"VOL"}).current[..., 0]
    assert z[10, 3] > 3.0  # the calm one never came near it
    assert z[11, 3] < 1.0  # to the restless one it is a day like others


def test_a_probability_is_honest_in_every_class():
    """What is as rare as one day in ten is brought by one day in ten, of calm and restless ones."""
    scored = tenant_of_two_kinds()
    past, rows = stack_weeks({week: scored[week] for week in (-4, -3, -2, -1)}, 1)
    scores, every = (
        np.concatenate([past, scored[0].reshape(-1, 1)]),
        rows.and_then(rows_of([0], APPS)),
    )
    is_past = every.week < 0
    z, together = (
        rate_by_peers(scores, every, is_past, divided=divided)[~is_past].reshape(APPS, DAYS)
        for divided in (True, False)
    )
    for kind in (0, 1):
        assert np.mean(z[kind::2] >= 1.0) == pytest.approx(0.1, abs=0.06)
    assert np.mean(together[::2] >= 1.0) == 0.0  # to the tenant, no calm day is rare


def test_what_happened_in_one_week_changes_no_class():
    scored = tenant_of_two_kinds()
    scored[-1][10] = 9.0  # the attack that began last week
    scored[0][10, 3, 0] = 7.0
    assert rate_windows(scored, {"VOL": 1}, weighed={"VOL"}).current[10, 3, 0] > 2.5


def test_a_seldom_heard_job_is_compared_with_its_like():
    """It is at 0, and far out whenever it is heard: no news for one of them."""
    scored = tenant_of_two_kinds()
    for app in range(0, APPS, 2):
        for week in (-4, -3, -2, -1):
            scored[week][app] = 0.0
            scored[week][app, (app + week) % DAYS] = 8.0
    scored[0][10] = 0.0
    scored[0][10, 3, 0] = 8.0
    assert rate_windows(scored, {"VOL": 1}, weighed={"VOL"}).current[10, 3, 0] < 1.2


def common_week(loud_apps):
    z = {week: noise(0.4, -week)[..., None] for week in (-3, -2, -1, 0)}
    z[0][:loud_apps, 2, 0] = np.linspace(6.0, 5.0, loud_apps)
    return z


def test_half_of_the_apps_in_one_day_are_one_change():
    z = common_week(20)
    (common,) = find_common(z)[0]
    assert (common.group, common.day, common.tested) == (0, 2, APPS)
    assert sorted(common.apps) == list(range(20))
    assert not any(found for week, found in find_common(z).items() if week < 0)
    rated = rate_against_each_other(z[0][:, 2, 0])
    assert rated[:20].max() < 2.0


@pytest.mark.parametrize("loud_apps", [1, 7])
def test_a_few_apps_are_no_common_change(loud_apps):
    assert find_common(common_week(loud_apps))[0] == []


@pytest.mark.parametrize(("apps", "loud", "common"), [(200, 22, 1), (150, 19, 0), (400, 36, 0)])
def test_where_most_apps_seldom_call_a_tenth_of_them_is_a_common_change(apps, loud, common):
    rng = np.random.default_rng(3)
    z = {week: rng.exponential(0.4, (apps, DAYS, 1)) for week in (-3, -2, -1, 0)}
    z[0][:loud, 5, 0] = np.linspace(6.0, 5.0, loud)
    assert len(find_common(z)[0]) == common


def test_what_stands_out_of_a_common_change_still_does():
    scores = np.r_[np.full(200, 0.2), np.linspace(4.0, 5.0, 100), 40.0]
    rated = rate_against_each_other(scores)
    assert rated.argmax() == 300
    assert rated[300] > rated[200:300].max() + 0.5
