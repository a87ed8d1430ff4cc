"""Rows as the platform answers them, read as a sync reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from audit_analytics.source.files import read_log

if TYPE_CHECKING:
    from audit_analytics.catalogue import Catalogue
    from audit_analytics.source.flatten import Log


def flatten_items(
    items: list[Any], source: str, catalogue: Catalogue, *, keeps_texts: bool = False
) -> Log:
    """Flatten the items of a window, whatever they are.

    Parameters
    ----------
    items : list
        As they came; what is no object becomes a reject.
    source : str
        Where they are from, for the column ``source``.
    catalogue : Catalogue
        The APIs.
    keeps_texts : bool, default False
        Whether rejects keep their texts.

    Returns
    -------
    Log
        Events and rejects.
    """
    # A list of texts would be taken for paths.
    rows = [item if isinstance(item, dict) else {"item": item} for item in items]
    log = read_log(rows, catalogue=catalogue, keeps_texts=keeps_texts)
    for frame in (log.events, log.rejects):
        frame["source"] = pd.Categorical.from_codes(np.zeros(len(frame), int), pd.Index([source]))
    return log
