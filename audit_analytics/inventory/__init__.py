"""Who the apps are: names, owners and grants, from the platform or by hand; and what they used.

In come answers of the platform, files people keep, and hourly counts; out come apps, labels and
verdicts on scopes. What is fetched lies as dated snapshots in ``.apps`` of a store or a log folder.
"""

from audit_analytics.inventory.app import App, Grant, Inventory, Version
from audit_analytics.inventory.find import find_inventory
from audit_analytics.inventory.labels import Labels
from audit_analytics.inventory.origin import Origins
from audit_analytics.inventory.usage import judge_scopes, list_unexplained

__all__ = [
    "App",
    "Grant",
    "Inventory",
    "Labels",
    "Origins",
    "Version",
    "find_inventory",
    "judge_scopes",
    "list_unexplained",
]
