"""Attack a copy of one's own log and see what the weekly run finds.

A benchmark on a simulated tenant says how good the detectors are there; this says how good they
are here: labelled attacks of every kind are laid over the user's own calls, in memory, and the
very same weekly run judges the result.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from audit_analytics.catalogue import load_catalogue
from audit_analytics.dates.weeks import Week, choose_report_week, parse_week
from audit_analytics.errors import ConfigError, DataIncompleteError
from audit_analytics.findings import Finding
from audit_analytics.intake import count_log
from audit_analytics.inventory import App, Grant, Inventory, Version
from audit_analytics.pipeline import judge_week
from audit_analytics.report import terminal
from audit_analytics.settings import Settings, settle
from audit_analytics.simulate import (
    GRANTED,
    SCENARIOS,
    Attack,
    find_narrowest,
    find_scenario,
    group_attacks,
    lay_over,
    make_attacks,
    plan_attacks,
    profile_apps,
)
from audit_analytics.source import read_log

Findings = dict[tuple[str, str], Finding]


__all__ = ["APPS_PER_ATTACK", "COLUMNS", "WIDEST_BUDGET", "drill", "render_drill"]

COLUMNS: Final = {
    "scenario": "str",
    "size": "float64",
    "entity_type": "str",
    "entity": "str",
    "start_at": "datetime64[us, UTC]",
    "calls_count": "int64",
    "found": "boolean",
    "rank": "Int64",
    "expected_per_week": "float64",
    "budget_needed": "float64",
    "hours_to_detect": "float64",
    "detector": "str",
    "note": "str",
}
"""Columns of the result with their dtypes; see :func:`drill`."""

WIDEST_BUDGET: Final = 1000.0
"""The largest budget the settings allow: how far a miss was from being reported."""

GRANT_HOURS: Final = 48
"""How long before it collects an app is granted a scope, at most."""

APPS_PER_ATTACK: Final = 3
"""At most one app in so many is attacked at once, so that the tenant stays what it is."""


def drill(
    events: pd.DataFrame,
    *,
    settings: Settings | None = None,
    inventory: Inventory | None = None,
    scenarios: Sequence[str] | None = None,
    sizes: Sequence[float] = (1.0, 0.5, 0.25),
    seed: int = 0,
    week: str | None = None,
    **options: object,
) -> pd.DataFrame:
    """Lay attacks over a copy of a log and say which of them the weekly run finds.

    Targets are apps without a finding of their own in that week, so that what is found was found
    because of the attack. Attacks on different apps share a run.

    Parameters
    ----------
    events : pandas.DataFrame of shape (n_events, 18)
        Table :data:`audit_analytics.schema.EVENTS`; stays as it is.
    settings : Settings, optional
        Settings of the weekly run; environment, TOML file and defaults if not given.
    inventory : Inventory, optional
        Who the apps are; stays as it is, too.
    scenarios : sequence of str, optional
        Names of ``simulate.SCENARIOS``; all of them if not given.
    sizes : sequence of float, default=(1.0, 0.5, 0.25)
        Factors on the calls of each attack.
    seed : int, default=0
        The same seed attacks the same apps at the same times.
    week : str, optional
        ISO week such as ``2026-W46``; the last complete week of the log if not given.
    **options : object
        Single settings of the weekly run by their names, as for ``analyze``, but for ``seed``.

    Returns
    -------
    pandas.DataFrame
        One row per scenario and size: ``entity_type`` and ``entity`` attacked, ``start_at``
        (UTC), ``calls_count`` hostile calls; ``found`` within the budget (NA, and a ``note``, if
        no app of this log fits), ``rank`` in the report, ``expected_per_week`` E (NaN if a rule
        alone spoke, or nothing did), ``budget_needed`` to be reported (0 if a rule reports it
        anyway, NaN if no budget suffices), ``hours_to_detect`` from the first hostile call to
        the end of what the finding speaks of first, and the ``detector`` that speaks first.
        ``attrs`` holds ``week`` and ``budget_per_week``.

    Raises
    ------
    ConfigError, InputError
        A scenario or a setting is unknown or out of range, or the frame is no table of events.
    DataIncompleteError
        The log holds no calls before the week, or none in it.

    Examples
    --------
    >>> from audit_analytics import schema
    >>> from audit_analytics.settings import Settings
    >>> drill(schema.EVENTS.empty(), settings=Settings())
    Traceback (most recent call last):
        ...
    audit_analytics.errors.DataIncompleteError: the log holds no event; a drill needs a log to attack
    """
    settings = settle(settings, options, where="drill()", known=drill.__kwdefaults__ or ())
    names = list(SCENARIOS) if scenarios is None else list(dict.fromkeys(scenarios))
    _check(names, sizes)
    events = read_log(events).events
    chosen = _choose_week(events, week, settings)
    catalogue = load_catalogue(settings.catalogue)
    wider = settings.model_copy(update={"budget_per_week": WIDEST_BUDGET})
    targets = profile_apps(events, chosen, leave_out=settings.own_app_id)
    end_at = min(chosen.end_at, events["at"].max().ceil("h"))
    known = inventory or Inventory()
    own = [entity for _, entity in _list_findings(events, chosen, settings, known)]
    plans = plan_attacks(names, targets, chosen, end_at=end_at, avoid=own, seed=seed)
    rows = [_describe_unfit(name, size) for name in names if name not in plans for size in sizes]
    groups = group_attacks(plans.values(), at_most=max(1, len(targets) // APPS_PER_ATTACK))
    for size in sizes:
        for group in groups:
            attacks = make_attacks(group, events, size=size, end_at=end_at)
            attacked = lay_over(events, attacks, catalogue=catalogue)
            seen = _grant_scopes(known, attacks)
            found = further = _list_findings(attacked, chosen, settings, seen)
            if not all(found.keys() & attack.entities for attack in attacks):
                further = _list_findings(attacked, chosen, wider, seen)
            rows += [_describe(attack, found, further) for attack in attacks]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    order = table["scenario"].map({name: place for place, name in enumerate(names)})
    table = table.iloc[np.lexsort((-table["size"], order))].reset_index(drop=True)
    table.attrs = {"week": chosen.iso, "budget_per_week": settings.budget_per_week}
    return table


def _check(names: list[str], sizes: Sequence[float]) -> None:
    for name in names:
        find_scenario(name)
    for size in sizes:
        if not 0 < size <= 1000:
            raise ConfigError(f"sizes: {size} is out of range; use more than 0, at most 1000")


def _choose_week(events: pd.DataFrame, week: str | None, settings: Settings) -> Week:
    if events.empty:
        raise DataIncompleteError("the log holds no event; a drill needs a log to attack")
    at, zone = events["at"], settings.tenant_zone
    chosen = parse_week(week, zone=zone) if week else choose_report_week(at, zone=zone)
    if not ((at >= chosen.start_at) & (at < chosen.end_at)).any():
        raise DataIncompleteError(
            f"the log has no calls in {chosen.iso}; name a covered week with --week"
        )
    return chosen


def _grant_scopes(inventory: Inventory, attacks: Sequence[Attack]) -> Inventory:
    """Grant what attacks were granted before they collected: a version more of each such app."""
    apps = dict(inventory.apps)
    for attack in attacks:
        app_id = attack.plan.target.app_id
        for api in attack.rows["api"].unique() if attack.plan.scenario == GRANTED else ():
            scope, app = find_narrowest(api), apps.get(app_id, App(app_id=app_id))
            hours = np.random.default_rng(attack.plan.seed).uniform(1, GRANT_HOURS)
            at = attack.start_at.to_pydatetime() - timedelta(hours=hours)
            had = tuple(grant.scope for grant in app.grants)
            before = app.versions or (Version("0", at - timedelta(days=90), had),)
            apps[app_id] = replace(
                app,
                grants=(*app.grants, Grant(scope)),
                versions=(*before, Version("drill", at, (*before[-1].scopes, scope))),
            )
    return replace(inventory, apps=apps)


def _list_findings(
    events: pd.DataFrame, week: Week, settings: Settings, inventory: Inventory
) -> Findings:
    log = replace(count_log(events, settings), inventory=inventory)
    data = judge_week(log, week=week.iso, settings=settings)
    return {(f.entity_type, f.entity): f for f in data.findings}


def _describe(attack: Attack, found: Findings, further: Findings) -> dict[str, Any]:
    mine = [found[e] for e in attack.entities if e in found]
    missed = [further[e] for e in attack.entities if e in further]
    shown = min(mine or missed, key=lambda finding: finding.rank, default=None)
    entity_type, entity = attack.entities[0]
    row = {
        "scenario": attack.plan.scenario,
        "size": attack.size,
        "entity_type": entity_type,
        "entity": entity,
        "start_at": attack.start_at,
        "calls_count": len(attack.rows),
        "found": bool(mine),
        "detector": "",
        "note": "",
    }
    if shown:
        expected = shown.expected_per_week
        row["detector"] = shown.detectors[0]
        row["expected_per_week"] = expected
        row["budget_needed"] = 0.0 if expected is None else expected
    if shown and mine:
        took = (pd.Timestamp(shown.end_at) - attack.start_at) / pd.Timedelta(hours=1)
        row |= {"rank": shown.rank, "hours_to_detect": max(took, 0.0)}
    return row


def _describe_unfit(name: str, size: float) -> dict[str, Any]:
    return {
        "scenario": name,
        "size": size,
        "entity_type": find_scenario(name).entity_type,
        "entity": "",
        "calls_count": 0,
        "detector": "",
        "note": "no app of this log fits, or each that does has a finding of its own",
    }


def render_drill(table: pd.DataFrame) -> str:
    """Write the result of a drill for the terminal.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`drill` returns it.

    Returns
    -------
    str
        How many were found of each size, then one line an attack; log content is escaped.
    """
    made = table[table["found"].notna()]
    week, budget = table.attrs["week"], table.attrs["budget_per_week"]
    lines = [f"{len(made)} attacks on a copy of the log, week {week}, budget {budget:g} a week"]
    for size, rows in made.groupby("size", sort=False):
        lines.append(f"  size {size:g}: {rows['found'].sum()} of {len(rows)} found")
    lines.append("")
    heads = ("scenario", "size", "found", "rank", "E", "budget", "hours", "by", "on")
    cells = [heads, *(_write_cells(row) for row in table.to_dict("records"))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _write_cells(row: dict[str, Any]) -> tuple[str, ...]:
    def write(name: str, pattern: str) -> str:
        return "-" if pd.isna(row[name]) else format(row[name], pattern)

    found = {True: "yes", False: "no"}
    return (
        row["scenario"],
        f"{row['size']:g}",
        "-" if pd.isna(row["found"]) else found[bool(row["found"])],
        write("rank", "d"),
        write("expected_per_week", ".2g"),
        write("budget_needed", ".2g"),
        write("hours_to_detect", ".1f"),
        row["detector"] or "-",
        row["note"] or terminal(row["entity"]),
    )
