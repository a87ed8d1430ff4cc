"""The alarm budget is for false alarms: those to whom something happened leave it to the others."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_common import speak

from audit_analytics.cases import Case
from audit_analytics.detect import _hits as hits_module
from audit_analytics.detect._budget import find_ordinary_share
from audit_analytics.detect._hits import find_hits
from audit_analytics.detect._reasons import choose_reasons


@given(st.lists(st.floats(0, 1), max_size=60), st.integers(0, 60))
def test_unusual_weeks_leave_fewer_ordinary_ones(weeks, more):
    share = find_ordinary_share(np.array(weeks))
    assert 0.5 <= share <= 1.0
    if weeks:
        assert find_ordinary_share(np.array([*weeks, *[0.0] * more])) <= share + 1e-12


@pytest.mark.parametrize("apps", [10, 40, 300])
def test_chance_alone_hardly_raises_the_budget(apps):
    draws = np.random.default_rng(1).random((500, apps))
    raised = np.array([1 / find_ordinary_share(p) for p in draws])
    assert 1.0 <= raised.mean() < 1.05
    # and a third of the apps is seen
    draws[:, : apps // 3] = 0.0
    assert np.mean([1 / find_ordinary_share(p) for p in draws]) > (1.15 if apps < 40 else 1.3)


@pytest.mark.parametrize(("ordinary", "told"), [(1.0, 9), (0.5, 19)])
def test_cases_are_told_until_the_ordinary_ones_make_the_budget(monkeypatch, ordinary, told):
    cases = [
        Case(entity_type="app", entity=f"cli_{n}", p=n / 1000, expected_per_week=n, q=0.1)
        for n in range(1, 40)
    ]
    monkeypatch.setattr(hits_module, "explain_case", lambda _, case, __: speak(case))
    monkeypatch.setattr(hits_module, "list_detectors", lambda _: [])
    found = SimpleNamespace(cases=cases, ordinary=ordinary, quiet=False)
    hits = find_hits(found, budget=10, severity_of_api={})
    assert len(hits) == told
    # with the least part of each suppressed, E is twice as large, and fewer are left
    every = [*hits, *(hit for case in cases[:told] for hit in speak(halve(case)))]
    left = choose_reasons(hits, cases, every=every, budget=10, ordinary=ordinary)
    assert len({hit.entity for hit in left.hits}) == told // 2


def halve(case):
    return Case(entity_type="app", entity=case.entity, p=case.p / 2, expected_per_week=0.0, q=0.1)
