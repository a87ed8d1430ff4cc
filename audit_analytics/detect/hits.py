"""Turn the engine's p-values into hits: which surprise, when, how much, against what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Case, Hit
from audit_analytics.detect.baseline import expect_interval
from audit_analytics.detect.busy import MAX_DAY_HOURS, find_busy_hours, list_counts
from audit_analytics.detect.engine import APP_GROUPS, Detection
from audit_analytics.detect.ip_days import GROUPS as IP_GROUPS
from audit_analytics.language import mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from audit_analytics.detect.novelty import Novelty

CLEAR_P: Final = 0.005
"""A group this improbable is worth a reason of its own."""

MAX_P: Final = 0.05
"""In a tenant of a few entities E alone would let ordinary days through."""

TELLING: Final = ("NEWAPI", "NEWNET", "ERR", "SENS", "TOK", "API", "OBJ", "SLOW", "VOL")
"""Which group speaks first when several are equally improbable: the more specific one."""

CLEAR_RHYTHM: Final = 0.5
"""People score 0.5 (RITA's experience), and the app's own rhythm is already taken off."""

OBJECTS: Final = frozenset({"OBJ", "SLOW"})
MAX_REASONS: Final = 4
HOURLY_UNITS: Final = {
    "VOL": mark("calls in an hour"),
    "OBJ": mark("distinct objects in an hour"),
    "APIERR": mark("errors of all apps but the worst hit in an hour"),
    "SENS": mark("calls of sensitive APIs in an hour"),
    "TOK": mark("token requests in an hour"),
    "ERR": mark("errors in an hour"),
    "API": mark("calls of one API in an hour"),
}
DAILY_UNITS: Final = {
    "VOL": mark("calls in a day"),
    "OBJ": mark("objects in a day, each once an hour"),
    "APIERR": mark("errors of all apps but the worst hit in a day"),
    "SENS": mark("calls of sensitive APIs in a day"),
    "TOK": mark("token requests in a day"),
    "ERR": mark("errors in a day"),
    "API": mark("calls of one API in a day"),
    "NEWAPPS": mark("apps new on this address in a day"),
    "AUTHAPPS": mark("apps failing to authenticate in a day"),
    "AUTHFAIL": mark("authentication failures in a day"),
}
SPAN_UNITS: Final = {
    2: mark("objects in two days, each once an hour"),
    4: mark("objects in four days, each once an hour"),
}
"""Units by group, those of SLOW by days; translated where they are shown."""

KINDS: Final = {"VOL": "volume", "TOK": "volume", "SENS": "sensitive_api", "ERR": "error_burst"}


def find_hits(
    detection: Detection, *, budget: float, severity_of_api: Mapping[str, str]
) -> list[Hit]:
    """Explain every case within the alarm budget.

    Parameters
    ----------
    detection : Detection
        What the engine found.
    budget : float
        Cases with a smaller E are reported.
    severity_of_api : mapping of str to str
        Policy severity of each API seen.

    Returns
    -------
    list of Hit
        The clear reasons of each case, at least one, the least probable first.
    """
    return [
        hit
        for case in detection.cases
        if (case.expected_per_week < budget and case.p < MAX_P)
        or (case.entity_type == "api" and case.entity in detection.api_days.failing)
        for hit in _explain(detection, case, severity_of_api)
    ]


def _explain(detection: Detection, case: Case, severity_of_api: Mapping[str, str]) -> Iterator[Hit]:
    if case.entity_type == "app":
        return _explain_app(detection, case, severity_of_api)
    explain = _explain_ip if case.entity_type == "ip" else _explain_api
    return explain(detection, case)


def _explain_app(
    detection: Detection, case: Case, severity_of_api: Mapping[str, str]
) -> Iterator[Hit]:
    app = int(detection.panel.apps.get_loc(case.entity))
    least = {name: detection.app_p[name][app].min() for name in APP_GROUPS}
    ranked = sorted(least, key=lambda name: (least[name], TELLING.index(name)))
    clear = [name for name in ranked if least[name] <= CLEAR_P]
    # how many objects it was says less than any other reason does, and one burst of them raises
    # the sums over days as well
    clear = ([name for name in clear if name not in OBJECTS] or clear[:1])[:MAX_REASONS]
    worst = int(detection.app_p["joint"][app].argmin())
    if not clear and detection.app_p["a"][app, worst] <= detection.app_p["b"][app, worst]:
        clear = ranked[:1]  # the past of a small tenant is too short for any p below CLEAR_P
    for name in clear:
        day = int(detection.app_p[name][app].argmin())
        if name == "NEWNET":
            yield from _explain_networks(detection, app, day)
        elif name == "NEWAPI":
            yield _explain_apis(detection, app, day, severity_of_api)
        else:
            yield _explain_count(detection, name, app, day, severity_of_api)
    if not clear:
        yield _explain_mixture(detection, app)


def _explain_count(
    detection: Detection, name: str, app: int, day: int, severity_of_api: Mapping[str, str]
) -> Hit:
    surprise, grid = detection.surprises[name], detection.panel.grid
    app_id = str(detection.panel.apps[app])
    mean, size = float(surprise.expected[app, day]), float(surprise.size[app, day])
    low, high = expect_interval(mean, size)
    start = grid.hours[surprise.hour[app, day]]
    hours, label = int(surprise.hours[app, day]), str(surprise.label[app, day])
    facts: dict[str, object] = {"label": label, "hours": hours}
    if 1 < hours <= MAX_DAY_HOURS:
        first = int(surprise.hour[app, day])
        counts = list_counts(detection.panel, name, app, label)[first : first + hours]
        facts["busy"] = find_busy_hours(counts)
    where: dict[str, tuple[str, ...]] = {"app_id": (app_id,)}
    kind = KINDS.get(name, "volume")
    if name == "ERR":
        where["outcome"] = (label,)
    elif name == "API":
        where["api"] = (label,)
        if severity_of_api.get(label) in schema.SENSITIVE:
            kind = "sensitive_api"
    elif name == "SENS":
        where["severity"] = schema.SENSITIVE
    elif name == "TOK":
        where["category"] = ("token_issuance",)
    return Hit(
        detector=name,
        kind=kind,
        entity_type="app",
        entity=app_id,
        start_at=start,
        end_at=start + pd.Timedelta(hours=hours),
        observed=float(surprise.observed[app, day]),
        expected=mean,
        low=low,
        high=high,
        unit=_name_unit(name, hours),
        p=float(detection.app_p[name][app, day]),
        facts=facts,
        where=where,
    )


def _name_unit(name: str, hours: int) -> str:
    if name == "SLOW":
        # a day in which the clocks change has 23 or 25 hours
        return SPAN_UNITS[round(hours / 24)]
    return (HOURLY_UNITS if hours == 1 else DAILY_UNITS)[name]


def _new_pairs(novelty: Novelty, detection: Detection, app: int, day: int) -> pd.DataFrame:
    first_day = detection.panel.grid.days(0)[0]
    pairs = novelty.pairs
    return pairs[(pairs["app"] == app) & (pairs["day"] == first_day + day)]


def _explain_networks(detection: Detection, app: int, day: int) -> Iterator[Hit]:
    pairs = _new_pairs(detection.networks, detection, app, day)
    if pairs.empty:
        return
    app_id = str(detection.panel.apps[app])
    names = tuple(pairs.sort_values("calls_count", ascending=False)["name"])
    yield Hit(
        detector="NEWNET",
        kind="unusual_ip",
        entity_type="app",
        entity=app_id,
        start_at=pairs["first_at"].min(),
        end_at=pairs["first_at"].max() + pd.Timedelta(days=1),
        observed=float(pairs["calls_count"].sum()),
        expected=0.0,
        unit=mark("calls from new networks in 24 hours"),
        p=float(detection.app_p["NEWNET"][app, day]),
        facts={
            "networks": list(names),
            "foreign": int(pairs["foreignness"].max()),
            "gap_seconds": _find_beat(pairs),
        },
        where={"app_id": (app_id,), "network": names},
    )


def _find_beat(pairs: pd.DataFrame) -> float | None:
    """Return the seconds between calls where they are regular enough to be worth saying."""
    top = pairs.loc[pairs["rhythm"].idxmax()]
    return float(top["gap_seconds"]) if top["rhythm"] >= CLEAR_RHYTHM else None


def _explain_apis(
    detection: Detection, app: int, day: int, severity_of_api: Mapping[str, str]
) -> Hit:
    pairs = _new_pairs(detection.apis, detection, app, day)
    app_id = str(detection.panel.apps[app])
    pairs = pairs.sort_values(["foreignness", "calls_count"], ascending=False)
    names = tuple(pairs["name"])
    sensitive = [name for name in names if severity_of_api.get(name) in schema.SENSITIVE]
    return Hit(
        detector="NEWAPI",
        kind="sensitive_api" if sensitive else "new_api",
        entity_type="app",
        entity=app_id,
        start_at=pairs["first_at"].min(),
        end_at=pairs["first_at"].max() + pd.Timedelta(days=1),
        observed=float(len(names)),
        expected=0.0,
        unit=mark("APIs used for the first time in a day"),
        p=float(detection.app_p["NEWAPI"][app, day]),
        facts={
            "apis": list(names),
            "sensitive": sensitive,
            "denied": int(pairs["permission_count"].sum()),
        },
        where={"app_id": (app_id,), "api": names},
    )


def _explain_mixture(detection: Detection, app: int) -> Hit:
    """Name the surprises that weigh most where no single one is clear."""
    grid = detection.panel.grid
    day = int(detection.app_p["joint"][app].argmin())
    app_id = str(detection.panel.apps[app])
    weights = detection.attribution[app, day]
    order = [APP_GROUPS[g] for g in np.argsort(-weights, kind="stable")[:3] if weights[g] > 0]
    first = grid.first_hour[grid.days(0)[day]]
    hours = int(grid.day_hours[grid.days(0)[day]])
    calls = detection.panel.counts["calls"][app, first : first + hours].sum()
    return Hit(
        detector="FOREST",
        kind="mixture",
        entity_type="app",
        entity=app_id,
        start_at=grid.hours[first],
        end_at=grid.hours[first] + pd.Timedelta(hours=hours),
        observed=float(calls),
        unit=mark("calls in a day"),
        p=float(detection.app_p["joint"][app, day]),
        facts={"groups": order},
        where={"app_id": (app_id,)},
    )


def _explain_ip(detection: Detection, case: Case) -> Iterator[Hit]:
    days = detection.ip_days[detection.ip_days["ip"] == case.entity]
    row = days.loc[days["p"].idxmin()]
    grid = detection.panel.grid
    start = grid.hours[grid.first_hour[int(row["day"])]]
    observed = {
        "NEWAPPS": row["new_apps_count"],
        "AUTHAPPS": row["failing_apps_count"],
        "AUTHFAIL": row["auth_count"],
    }
    least = min(IP_GROUPS, key=lambda name: float(row[f"p_{name}"]))
    for name in IP_GROUPS:
        if name == least or row[f"p_{name}"] <= CLEAR_P:
            outcome: dict[str, tuple[str, ...]] = (
                {} if name == "NEWAPPS" else {"outcome": ("auth",)}
            )
            yield Hit(
                detector=name,
                kind="unusual_ip",
                entity_type="ip",
                entity=case.entity,
                start_at=start,
                end_at=start + pd.Timedelta(hours=int(grid.day_hours[int(row["day"])])),
                observed=float(observed[name]),
                unit=DAILY_UNITS[name],
                p=float(row[f"p_{name}"]),
                facts={"apps": int(row["apps_count"]), "calls": int(row["calls_count"])},
                where={"ip": (case.entity,), **outcome},
            )


def _explain_api(detection: Detection, case: Case) -> Iterator[Hit]:
    found, grid = detection.api_days, detection.panel.grid
    api = int(found.panel.apps.get_loc(case.entity))
    day = int(found.p["APIERR"][api].argmin())
    surprise = found.surprises["APIERR"]
    if not surprise.score[api, day]:
        return
    first, hours = int(surprise.hour[api, day]), int(surprise.hours[api, day])
    mean = float(surprise.expected[api, day])
    low, high = expect_interval(mean, float(surprise.size[api, day]))
    label = str(surprise.label[api, day])
    yield Hit(
        detector="APIERR",
        kind="error_burst",
        entity_type="api",
        entity=case.entity,
        start_at=grid.hours[first],
        end_at=grid.hours[first] + pd.Timedelta(hours=hours),
        observed=float(surprise.observed[api, day]),
        expected=mean,
        low=low,
        high=high,
        unit=_name_unit("APIERR", hours),
        p=float(found.p["APIERR"][api, day]),
        facts={
            "label": label,
            "hours": hours,
            "apps": found.count_apps(api, slice(first, first + hours), label),
        },
        where={"api": (case.entity,), "outcome": (label,)},
    )
