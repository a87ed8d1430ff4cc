"""PyOD's IForest and shap on rows from a file; run by forest.py, without this package.

``python forest_peers.py ROWS.npz RESULT.npz``, where both are installed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np


def main() -> None:
    rows = np.load(sys.argv[1])
    began = time.perf_counter(), time.process_time()
    import shap  # noqa: PLC0415 - importing is measured
    from pyod.models.iforest import IForest  # noqa: PLC0415

    laps = {"import": since(began)}
    began = time.perf_counter(), time.process_time()
    detector = IForest(n_estimators=300, max_samples=256, random_state=0).fit(rows["past"])
    score = detector.decision_function(rows["now"])
    laps["fit and score"] = since(began)
    began = time.perf_counter(), time.process_time()
    odd = np.argsort(-score, kind="stable")[: int(rows["explained"])]
    # shap explains the depth at which a row is cut off: what makes it less is odd
    gains = -shap.TreeExplainer(detector.detector_).shap_values(rows["now"][odd])
    laps["explain"] = since(began)
    np.savez(sys.argv[2], score=score, odd=odd, gains=gains)
    print(json.dumps({"laps": laps, "peak_gib": measure_peak()}))


def measure_peak() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**20


def since(began: tuple[float, float]) -> tuple[float, float]:
    return time.perf_counter() - began[0], time.process_time() - began[1]


if __name__ == "__main__":
    main()
