"""The calls and objects behind a finding, as a report shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from audit_analytics.dates.buckets import format_utc
from audit_analytics.findings._objects import mask_object, name_object

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_OBJECTS: Final = 8


def show_event(row: Mapping[Any, Any], zone: str) -> dict[str, Any]:
    """Write an event as evidence.

    Parameters
    ----------
    row : mapping
        A row of table :data:`audit_analytics.schema.EVENTS`.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    dict of str to Any
        Plain values; ``local`` is on the tenant's clocks.
    """
    return {
        "id": str(row["id"]),
        "at": format_utc(row["at"]),
        "local": row["at"].tz_convert(zone).strftime("%Y-%m-%d %H:%M:%S"),
        "app_id": str(row["app_id"]),
        "ip": str(row["ip"]),
        "api": str(row["api"]),
        "http_status": None if pd.isna(row["http_status"]) else int(row["http_status"]),
        "response_code": None if pd.isna(row["response_code"]) else int(row["response_code"]),
        "outcome": str(row["outcome"]),
        "object_name": name_of_row(row),
    }


def name_of_row(row: Mapping[Any, Any]) -> str:
    """Return the object a row of the log names."""
    # where the catalogue does not know an API, its placeholders are guesses: any word, any secret
    if pd.isna(row["path"]) or row["severity"] == "unknown":
        return ""
    return name_object(str(row["path"]), str(row["api"]))


def list_objects(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """List the objects that calls named, as :func:`show_event` writes them: the last ones, masked."""
    found = {
        (row["object_name"], row["api"], row["outcome"]): row["local"] for row in reversed(rows)
    }
    return [
        {"object_name": mask_object(name), "api": api, "outcome": outcome, "local": local}
        for (name, api, outcome), local in reversed(found.items())
        if name
    ][:MAX_OBJECTS]
