"""A simulated tenant: an audit log with everything in it known, attacks included."""

from audit_analytics.simulate.attacks import SCENARIOS
from audit_analytics.simulate.company import ATTACKS, Company, simulate_company
from audit_analytics.simulate.pages import write_pages
from audit_analytics.simulate.targets import Target, profile_target

__all__ = [
    "ATTACKS",
    "SCENARIOS",
    "Company",
    "Target",
    "profile_target",
    "simulate_company",
    "write_pages",
]
