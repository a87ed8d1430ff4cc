from __future__ import annotations

import pytest
from fault_cases import CASES, HOURS, MORE, ROWS, run_case


@pytest.mark.parametrize(
    "case",
    [
        *(pytest.param(case, id=case.name) for case in CASES),
        *(pytest.param(case, id=case.name, marks=pytest.mark.benchmark) for case in MORE),
    ],
)
def test_a_fault_costs_its_window_at_most_and_is_said(case):
    outcome = run_case(case)
    assert outcome.doubled == 0
    # halves may be stored where the whole window was not
    least = ROWS - ROWS // HOURS if case.loses else ROWS
    assert least <= outcome.stored - case.extra <= ROWS - case.loses
    assert case.said in outcome.said
    assert outcome.requests <= case.requests_max + 6
    assert outcome.peak_mb <= (case.peak_mb_max or 0.0)
