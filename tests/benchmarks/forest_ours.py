"""This package's forest on rows from a file; run by forest.py in a process of its own.

``python forest_ours.py ROWS.npz RESULT.npz``
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from forest_peers import measure_peak, since


def main() -> None:
    rows = np.load(sys.argv[1])
    # the forest takes the logarithm itself
    past, now = np.expm1(rows["past"]), np.expm1(rows["now"])
    began = time.perf_counter(), time.process_time()
    from audit_analytics.detect._forest import SurpriseForest  # noqa: PLC0415 - importing is measured

    laps = {"import": since(began)}
    began = time.perf_counter(), time.process_time()
    forest = SurpriseForest().fit(past)
    score = -forest.score_samples(now)
    laps["fit and score"] = since(began)
    began = time.perf_counter(), time.process_time()
    odd = np.argsort(-score, kind="stable")[: int(rows["explained"])]
    gains = forest.attribute(now[odd])
    laps["explain"] = since(began)
    np.savez(sys.argv[2], score=score, odd=odd, gains=gains)
    print(json.dumps({"laps": laps, "peak_gib": measure_peak()}))


if __name__ == "__main__":
    main()
