"""What msticpy finds in hourly counts from a file; run by msticpy_week.py, without this package.

``python msticpy_peer.py HOURLY.parquet METHOD CASES.parquet``, where msticpy and pyarrow are
installed. A case is an entity with the hour that is most unusual and how unusual that is.
"""

from __future__ import annotations

import sys
import warnings
from functools import partial

import numpy as np
import pandas as pd
from msticpy.analysis.outliers import identify_outliers
from msticpy.analysis.timeseries import ts_anomalies_stl

COUNTS = {"stl of calls": ["calls_count"], "stl of calls, weekly": ["calls_count"]}
"""What a method looks at; all counts unless named."""

PERIODS_MIN = 2
"""The decomposition needs as many."""


def decompose(table: pd.DataFrame, columns: list[str], period: int) -> pd.DataFrame:
    """Decompose every entity's series and take the hours of the week that msticpy flags."""
    hours = pd.date_range(table["bucket_at"].min(), table["bucket_at"].max(), freq="h")
    week = table.loc[table["now"], "bucket_at"].min()
    cases = []
    for entity, rows in table.groupby("entity"):
        series = rows.set_index("bucket_at")[columns].reindex(hours, fill_value=0)
        series = series[series.index >= rows["bucket_at"].min().floor("D")]
        if len(series) < PERIODS_MIN * period or not rows["now"].any():
            continue
        for column in columns:
            if (series[column] != series[column].iloc[0]).any():
                found = ts_anomalies_stl(series[[column]].rename_axis("at"), period=period)
                flagged = found[(found["anomalies"] != 0) & (found["at"] >= week)]
                cases += [
                    (entity, *row) for row in flagged[["score", "at"]].itertuples(index=False)
                ]
    return pd.DataFrame(cases, columns=["entity", "score", "start_at"])


def isolate(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Fit msticpy's forest on the past hours of all entities and score those of the week."""
    past, now = table[~table["now"]], table[table["now"]]
    forest, _, _ = identify_outliers(past[columns].to_numpy(float), now[columns].to_numpy(float))
    score = -forest.decision_function(now[columns].to_numpy(float))
    return pd.DataFrame({"entity": now["entity"], "score": score, "start_at": now["bucket_at"]})


def main() -> None:
    warnings.simplefilter("ignore")
    source, method, target = sys.argv[1:]
    table = pd.read_parquet(source)
    columns = COUNTS.get(method) or [name for name in table if name.endswith("_count")]
    # 24 hours is what msticpy takes unless told
    seasonal = partial(decompose, period=168 if "weekly" in method else 24)
    find = isolate if method == "outliers" else seasonal
    # addresses have other counts than apps, and a forest of its own
    parts = [find(rows, columns) for _, rows in table.groupby(table["entity"].str[:3])]
    cases = pd.concat(parts, ignore_index=True)
    best = (
        cases.replace(np.inf, np.nan).dropna().sort_values("score", ascending=False, kind="stable")
    )
    best.drop_duplicates("entity").to_parquet(target)


if __name__ == "__main__":
    main()
