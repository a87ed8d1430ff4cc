from __future__ import annotations

import pytest
from fault_cases import CASES, HOURS, ROWS, run_case


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_fault_costs_its_window_at_most_and_is_said(case):
    outcome = run_case(case)
    assert outcome.doubled == 0
    # halves may be stored where the whole window was not
    least = ROWS - ROWS // HOURS if case.loses else ROWS
    assert least <= outcome.stored <= ROWS - case.loses
    assert case.said in outcome.said
    assert outcome.requests <= case.requests_max + 6
    assert outcome.peak_mb <= (case.peak_mb_max or 0.0)
