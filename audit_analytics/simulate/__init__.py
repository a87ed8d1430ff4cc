"""Simulate: a tenant whose audit log is known to the last row, and a stand-in that serves it.

In come a seed and sizes, out come pages and labels. No detector is known here, and the simulator is
never changed to make one look better.
"""

from audit_analytics.simulate._attacks import GRANTED, SCENARIOS, find_scenario
from audit_analytics.simulate._company import ATTACKS, Company, simulate_company
from audit_analytics.simulate._directory import find_narrowest, make_directory, read_directory
from audit_analytics.simulate._ledger import KINDS, Faults
from audit_analytics.simulate._overlay import (
    Attack,
    group_attacks,
    lay_over,
    make_attacks,
    plan_attacks,
    profile_apps,
)
from audit_analytics.simulate._pages import write_pages
from audit_analytics.simulate._server import APP_ID, APP_SECRET, HOOK_SECRET, StandIn

__all__ = [
    "APP_ID",
    "APP_SECRET",
    "ATTACKS",
    "GRANTED",
    "HOOK_SECRET",
    "KINDS",
    "SCENARIOS",
    "Attack",
    "Company",
    "Faults",
    "StandIn",
    "find_narrowest",
    "find_scenario",
    "group_attacks",
    "lay_over",
    "make_attacks",
    "make_directory",
    "plan_attacks",
    "profile_apps",
    "read_directory",
    "simulate_company",
    "write_pages",
]
