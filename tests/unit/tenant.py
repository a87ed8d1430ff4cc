"""Small synthetic tenants: events typed as schema.EVENTS, and what the stages make of them."""

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.catalogue import Catalogue
from audit_analytics.dates.weeks import parse_week
from audit_analytics.detect import RuleInput, StuffingThresholds
from audit_analytics.detect._grid import build_grid
from audit_analytics.detect._panel import Panel, build_panel
from audit_analytics.detect._stuffing import set_aside_stuffing
from audit_analytics.report import Report
from audit_analytics.report._tables import render_json
from audit_analytics.rollup import Rollup
from audit_analytics.settings import RuleSettings
from audit_analytics.store import Manifest, Store, WindowWriter
from audit_analytics.store._redaction import Redaction

ZONE = "Asia/Shanghai"
WEEK = parse_week("2026-W46", zone=ZONE)
FIRST = WEEK.shifted(-4).start_at
READ = "GET/open-apis/contact/v3/users/:user_id"
SEND = "POST/open-apis/im/v1/messages"
EXPORT = "POST/open-apis/drive/v1/export_tasks"
TOKEN = "POST/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105 - an API
HOUR = pd.Timedelta(hours=1)
DAY = pd.Timedelta(days=1)


def local(text: str) -> pd.Timestamp:
    """Read a time on the tenant's clocks."""
    return pd.Timestamp(text, tz=ZONE).tz_convert("UTC")


def spread(start: pd.Timestamp, count: int, *, over: pd.Timedelta = HOUR) -> pd.DatetimeIndex:
    """Lay `count` instants evenly over a stretch of time."""
    return pd.DatetimeIndex([start + over * (i / count) for i in range(count)]).floor("s")


def hourly(start: pd.Timestamp, end: pd.Timestamp) -> pd.DatetimeIndex:
    """Name one instant in every hour."""
    return pd.date_range(start, end, freq="h", inclusive="left") + pd.Timedelta(minutes=7)


def calls(app: str, at: Iterable[pd.Timestamp], **columns: Any) -> pd.DataFrame:
    """Make one row per instant; columns are scalars or one value a row."""
    # a list of instants takes a hundred times as long as their index
    at = pd.DatetimeIndex(at if isinstance(at, pd.DatetimeIndex) else list(at), tz="UTC")
    defaults = {
        "at": at,
        "app_id": app,
        "ip": "10.0.0.1",
        "api": READ,
        "outcome": "ok",
        "category": "contacts",
        "severity": "none",
        "object": pd.arrays.IntegerArray(np.zeros(len(at), int), np.ones(len(at), bool)),
    }
    return pd.DataFrame(defaults | columns)


def make_events(*parts: pd.DataFrame) -> pd.DataFrame:
    """Join parts into an event table in time order."""
    parts = [
        part if part["object"].dtype == "Int64" else part.astype({"object": "Int64"})
        for part in parts
    ]
    table = pd.concat(parts, ignore_index=True)
    table = table.sort_values("at", kind="stable", ignore_index=True)
    networks = {ip: network_of(ip) for ip in table["ip"].unique()}
    apis = table["api"].unique()
    given = table.get("response_code", pd.Series(pd.NA, index=table.index, dtype="Int64"))
    codes = {"ok": 0, "auth": 99991663, "permission": 99991672, "rate_limit": 99991400}
    usual = table["outcome"].map(lambda name: codes.get(name, 1))
    return schema.EVENTS.coerce(
        table.assign(
            id=[f"{i:019d}" for i in range(len(table))],
            network=table["ip"].map(networks),
            api_raw=table["api"],
            method=table["api"].map({api: api.partition("/")[0] for api in apis}),
            path=table["api"].map({api: "/" + api.partition("/")[2] for api in apis}),
            http_status=pd.array([200] * len(table), dtype="Int16"),
            response_code=given.fillna(usual).astype("Int64"),
            payload_keys="",
            payload_bytes=0,
            source="tenant",
        )
    )


def network_of(ip: str) -> str:
    """Return the /24 or /48 of an address."""
    if ip in {"", "platform"}:
        return ip
    address = ipaddress.ip_address(ip)
    width = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network(f"{ip}/{width}", strict=False))


@cache
def clock(start: pd.Timestamp = FIRST, end: pd.Timestamp = WEEK.end_at) -> pd.DataFrame:
    """Make an app that calls once an hour, so that the log has no gap."""
    return calls("cli_clock", hourly(start, end))


@cache
def quiet_tenant(*, apps: int = 12, weeks: int = 5, seed: int = 0) -> pd.DataFrame:
    """Make a tenant in which nothing happens: office hours, Poisson counts, few errors."""
    rng = np.random.default_rng(seed)
    start = WEEK.shifted(1 - weeks).start_at
    hours = pd.date_range(start, WEEK.end_at, freq="h", inclusive="left")
    at = hours.tz_convert(ZONE)
    busy = np.where((at.hour >= 8) & (at.hour < 19) & (at.day_of_week < 5), 1.0, 0.15)
    rate = np.outer(rng.uniform(1.0, 4.0, apps), busy)
    app, hour = np.nonzero(np.ones_like(rate))
    counts = rng.poisson(rate)[app, hour]
    app, hour = np.repeat(app, counts), np.repeat(hour, counts)
    size = len(app)
    kind = rng.choice(3, size=size, p=[0.6, 0.3, 0.1])
    seconds = pd.to_timedelta(rng.integers(0, 3600, size), unit="s")
    frame = calls(
        "",
        hours[hour] + seconds,
        api=np.array([SEND, READ, EXPORT])[kind],
        category=np.array(["messages", "contacts", "files"])[kind],
        severity=np.array(["low", "none", "high"])[kind],
        outcome=rng.choice(
            ["ok", "not_found", "permission", "server"], size=size, p=[0.98, 0.01, 0.005, 0.005]
        ),
        object=rng.integers(0, 50, size),
        ip=[f"10.0.{a}.{b}" for a, b in zip(app, rng.integers(1, 3, size), strict=True)],
    )
    frame["app_id"] = [f"cli_{a:02d}" for a in app]
    return frame


def build_input(
    events: pd.DataFrame,
    *,
    deny_networks: tuple[str, ...] = (),
    own_apps: tuple[str, ...] = (),
    **rules: float,
) -> RuleInput:
    """Run the stages before the rules."""
    return RuleInput.from_events(
        events,
        week=WEEK.iso,
        settings=RuleSettings(**rules),
        zone=ZONE,
        deny_networks=deny_networks,
        own_apps=own_apps,
    )


def build_tenant(
    events: pd.DataFrame, counted: Rollup, stuffed_apps: int = 5
) -> tuple[Panel, pd.DataFrame, pd.DataFrame]:
    """Lay out the panel of the report week and its history, stuffing set aside."""
    by_api, by_ip = set_aside_stuffing(
        counted.by_api, counted.by_ip, StuffingThresholds(auth_failure_apps=stuffed_apps)
    )
    grid = build_grid(
        WEEK,
        history_weeks=4,
        first_at=events["at"].min(),
        last_at=events["at"].max(),
        calls_at=counted.by_api["bucket_at"],
    )
    return build_panel(by_api, grid), by_api, by_ip


def store_window(
    store: Store,
    start: datetime,
    parts: Sequence[pd.DataFrame],
    *,
    end: datetime | None = None,
    read_at: datetime | None = None,
    ids: str = "",
    rejects: pd.DataFrame | None = None,
    **about: Any,
) -> Manifest:
    """Store a window as a sync does, an hour of today's catalogue; ids are unique in the store."""
    store.create()
    end = end or start + timedelta(hours=1)
    given = {"catalogue": Catalogue.default().digest(), **about}
    draft = Manifest(start=start, end=end, read_at=read_at or end + timedelta(hours=2), **given)
    with WindowWriter(store, draft, Redaction("key")) as writer:
        if parts:
            events = make_events(*parts)
            prefix = ids or f"{start:%d%H%M}"
            writer.add(events.assign(id=f"{prefix}-" + events["id"].astype("str")), rejects)
        return writer.commit()


def keep(report: Report, folder: Path) -> None:
    """Write of a report what later ones read; drawing its page would take longest."""
    folder.mkdir(parents=True)
    (folder / "findings.json").write_text(render_json(report.data), encoding="utf-8")
