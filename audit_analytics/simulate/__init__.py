"""Simulate: a tenant whose audit log is known to the last row, and a stand-in that serves it.

In come a seed and sizes, out come pages and labels. No detector is known here, and the simulator is
never changed to make one look better.
"""

from audit_analytics.simulate.attacks import SCENARIOS
from audit_analytics.simulate.company import Company, simulate_company
from audit_analytics.simulate.pages import write_pages
from audit_analytics.simulate.targets import Target

__all__ = [
    "SCENARIOS",
    "Company",
    "Target",
    "simulate_company",
    "write_pages",
]
