"""A slice of ``tests/benchmarks/fuzz.py``: a few hundred hostile pages through everything."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"
SPEC = importlib.util.spec_from_file_location("fuzz", PATH)
fuzz = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fuzz)


@pytest.mark.parametrize("seed", [11, 12])
def test_hostile_pages_crash_nothing_and_every_row_is_accounted_for(tmp_path, seed):
    counts = fuzz.run_batch(tmp_path, seed, files=30, pages=5)
    bad = [name for name in counts if name.startswith(("CRASH", "NOT", "ACTIVE", "MARKUP"))]
    assert not bad
    assert counts["rows_read"] == counts["events"] + counts["duplicates"] + counts["rejects"]
    assert counts["rejects"] > 50
    assert not any(name.startswith("refused") for name in counts)
