"""Writes a simulated tenant to files: API pages, labels and a description."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd

from audit_analytics.errors import ConfigError
from audit_analytics.files import write_private
from audit_analytics.simulate._company import Company
from audit_analytics.simulate._directory import APPS_PATH, make_directory

_MOST_ROWS: Final = 100
_OVERLAP_EVERY: Final = 40


def write_pages(company: Company, out_dir: Path) -> list[Path]:
    """Write a tenant's log as pages of the API, one file a day, with labels.csv, company.json and apps.json.

    Some pages begin with the last row of the page before, as pages of a moving log do.

    Parameters
    ----------
    company : Company
        The tenant.
    out_dir : pathlib.Path
        Folder to write to; made if it is not there. A file in its place is a ConfigError.

    Returns
    -------
    list of pathlib.Path
        The files written; the same tenant gives the same bytes.

    Raises
    ------
    ConfigError
        `out_dir` is a file.
    """
    if out_dir.exists() and not out_dir.is_dir():
        raise ConfigError(f"out: {out_dir} is a file; name a folder")
    out_dir.mkdir(parents=True, exist_ok=True)
    written = []
    for day, count, items in _split_days(company):
        path = out_dir / f"{day}.jsonl.gz"
        _write_lines(path, _paginate(items, count))
        written.append(path)
    labels, about = out_dir / "labels.csv", out_dir / "company.json"
    write_private(labels, _write_labels(company.labels).encode())
    write_private(about, msgspec.json.format(msgspec.json.encode(_describe(company))) + b"\n")
    apps = out_dir / "apps.json.gz"
    _write_lines(apps, _list_apps(company))
    return [*written, labels, about, apps]


def _write_lines(path: Path, pages: Iterable[dict[str, Any]]) -> None:
    content = b"".join(msgspec.json.encode(page) + b"\n" for page in pages)
    write_private(path, gzip.compress(content, 9, mtime=0))


def _write_labels(labels: pd.DataFrame) -> str:
    """Write labels as CSV with a header; instants as ISO 8601 in UTC."""
    instants = {c: labels[c].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for c in ("start_at", "end_at")}
    text: str = labels.assign(**instants).to_csv(index=False, lineterminator="\n")
    return text


def _split_days(company: Company) -> Iterator[tuple[str, int, Iterator[dict[str, Any]]]]:
    """Yield each day of the tenant's zone: its date, its number of rows, its items."""
    time = company.calls["time"].to_numpy()
    if not len(time):
        return
    first, last = (
        pd.Timestamp(int(at), unit="s", tz="UTC").tz_convert(company.zone).normalize()
        for at in (time[0], time[-1])
    )
    for day in pd.date_range(first, last, freq="D"):
        start, end = int(day.timestamp()), int((day + pd.DateOffset(days=1)).timestamp())
        count = int(np.searchsorted(time, end) - np.searchsorted(time, start))
        yield f"{day:%Y-%m-%d}", count, company.items(start=start, end=end)


def _paginate(items: Iterator[dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    """Yield the items of a day as answers of the API."""
    page: list[dict[str, Any]] = []
    number = 0
    for nth, item in enumerate(items, start=1):
        page.append(item)
        if len(page) == _MOST_ROWS or nth == count:
            number += 1
            yield _answer(page, number, more=nth < count)
            page = [item] if number % _OVERLAP_EVERY == 0 else []


def _answer(page: list[dict[str, Any]], number: int, *, more: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"items": page, "has_more": more}
    return {
        "code": 0,
        "msg": "success",
        "data": data | ({"page_token": f"page-{number + 1}"} if more else {}),
    }


def _list_apps(company: Company) -> Iterator[dict[str, Any]]:
    """Yield the apps as the API lists them, with the names of their owners."""
    directory = make_directory(company)
    for app in directory.apps.values():
        if owner_id := app["owner"].get("owner_id"):
            app["owner"]["name"] = directory.people[owner_id]["name"]
    page_token: list[str] = ["0"]
    while page_token:
        query = {"lang": ["en_us"], "page_size": ["50"], "page_token": page_token}
        _status, page = directory.answer(APPS_PATH, query)
        yield page
        page_token = [page["data"]["page_token"]] if page["data"]["has_more"] else []


def _describe(company: Company) -> dict[str, Any]:
    """Say how the tenant was made and what honestly happened in it; nothing secret is in it."""
    incidents = company.incidents
    instants = {c: incidents[c].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for c in ("start_at", "end_at")}
    return {
        "settings": company.settings,
        "calls_count": len(company.calls),
        "apps": [
            {"app_id": app.app_id, "name": app.name, "kind": app.role.kind} for app in company.apps
        ],
        "incidents": incidents.assign(**instants).to_dict("records"),
    }
