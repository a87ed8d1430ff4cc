"""Who the apps are, and which of their permissions nobody uses, for the report dict."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.catalogue import load_catalogue, load_scopes
from audit_analytics.dates.buckets import format_utc
from audit_analytics.detect import find_whole_days
from audit_analytics.inventory import Labels, judge_scopes, list_unexplained
from audit_analytics.language import _, ngettext
from audit_analytics.report._inputs import ReportInput, in_week

SUPER: Final = 3
"""Level of a super-sensitive permission."""

MAX_ROWS: Final = 200
"""Unused permissions told; the rest is counted."""


def build_inventory(data: ReportInput) -> dict[str, Any]:
    """Say whether the apps are known: how many of those of the week have a name."""
    known = Labels(data.inventory)
    called = in_week(data, data.calls.by_api)["app_id"].astype("str").unique()
    named = sum(bool(known.name_of("app", app)) for app in called)
    at = data.inventory.fetched_at
    values = {"known": named, "all": len(called)}
    if not data.inventory:
        text = _("Who the apps are is not known: run audit-analytics apps sync, or write apps.csv.")
    elif at is None:
        text = _("The inventory names {known} of the {all} apps of the week.", **values)
    else:
        text = _(
            "The inventory of {day} names {known} of the {all} apps of the week.",
            day=f"{at:%Y-%m-%d}",
            **values,
        )
    return {
        "as_of": format_utc(pd.Timestamp(at)) if at else None,
        "apps_count": len(data.inventory.apps),
        "known_count": named,
        "text": text,
    }


def collect_labels(report: Mapping[str, Any], labels: Labels) -> dict[str, str]:
    """Label every entity a report names; those without a name are left out."""
    said = {}
    for text in set(_list_texts(report)):
        for kind in ("app", "ip"):
            if (label := labels.of(kind, text)) != text:
                said[text] = label
    return dict(sorted(said.items()))


def build_permissions(data: ReportInput) -> dict[str, Any] | None:
    """Compare granted with used, and with what was told last week; None if no grant is known."""
    calls = data.calls.until(data.week.end_at).by_api
    days = find_whole_days(
        calls["bucket_at"],
        zone=data.week.zone,
        holidays=data.days_off.holidays,
        working_days=data.days_off.working_days,
    )
    table = judge_scopes(calls, data.inventory, days, load_catalogue(data.settings.catalogue))
    if table.empty:
        return None
    unused, wide = table[table["usage"] == "unused"], table[table["narrower"] != ""]
    usage = table.set_index(["app_id", "scope"])["usage"].to_dict()
    before = (data.permissions_before or {}).get("rows", [])
    resolved = [
        {"app_id": row["app_id"], "scope": row["scope"], "how": how}
        for row in before
        if (how := _follow(usage.get((row["app_id"], row["scope"]))))
    ]
    unexplained = list_unexplained(in_week(data, calls), data.inventory)
    return {
        "days_observed": len(days),
        "counts": {
            name: int((table["usage"] == name).sum())
            for name in ("used", "perhaps", "unused", "unknown")
        },
        "rows": [_write(row) for row in unused[:MAX_ROWS].to_dict("records")],
        "wide": [
            {name: row[name] for name in ("app_id", "scope", "narrower")}
            for row in wide[:MAX_ROWS].to_dict("records")
        ],
        "resolved": resolved,
        "unexplained": [
            {**row, "last_at": format_utc(row["last_at"])}
            for row in unexplained[:MAX_ROWS].to_dict("records")
        ],
        "text": ngettext(
            "Observed for {n} complete day; what serves events or fields, or was granted less than "
            "28 days ago, is not judged.",
            "Observed for {n} complete days; what serves events or fields, or was granted less "
            "than 28 days ago, is not judged.",
            len(days),
        ),
    }


def describe_app(data: ReportInput, app_id: str) -> list[str]:
    """Say of an app what it could do, and whether somebody answers for it, as the inventory tells."""
    app = data.inventory.apps.get(app_id)
    if app is None:
        return []
    said = []
    if app.grants:
        known, catalogue = load_scopes(), load_catalogue(data.settings.catalogue)
        opened = {api for g in app.grants if g.scope in known for api in known[g.scope].apis}
        sensitive = {match.api for match in catalogue if match.severity in schema.SENSITIVE}
        said.append(
            _(
                "Granted permissions: {scopes}, super-sensitive: {super}; APIs they open: {apis}, "
                "sensitive: {sensitive}.",
                scopes=len(app.grants),
                super=sum(grant.level == SUPER for grant in app.grants),
                apis=len(opened),
                sensitive=len(opened & sensitive),
            )
        )
    if app.owner_left:
        said.append(_("Its owner has left the company."))
    elif app.kind == "custom" and not (app.owner or app.owner_id):
        said.append(_("Nobody is named as its owner."))
    return said


def _follow(usage: str | None) -> str:
    return "withdrawn" if usage is None else "used" if usage in ("used", "perhaps") else ""


def _write(row: dict[str, Any]) -> dict[str, Any]:
    granted_at = row["granted_at"]
    return {
        **{name: row[name] for name in ("app_id", "owner", "scope", "severity")},
        **{name: int(row[name]) for name in ("level", "apis_count", "days_observed")},
        "granted_at": None if pd.isna(granted_at) else format_utc(granted_at),
    }


def _list_texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _list_texts(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _list_texts(part)
