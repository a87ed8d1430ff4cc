"""Who the apps are: names, owners and grants, from the platform or by hand; and what they used.

In come answers of the platform, files people keep, and hourly counts; out come apps, labels and
verdicts on scopes. What is fetched lies as dated snapshots in ``.apps`` of a store or a log folder.
"""

from audit_analytics.inventory._app import App, Grant, Inventory, Version
from audit_analytics.inventory._labels import Labels, label_app, shorten_id
from audit_analytics.inventory._origin import Origins
from audit_analytics.inventory._snapshots import (
    keep_versions,
    read_asked,
    read_history,
    read_kept_versions,
    read_latest,
    write_snapshot,
)
from audit_analytics.inventory._usage import judge_scopes, list_unexplained
from audit_analytics.inventory._wire import find_inventory, name_owners, read_app, read_versions

__all__ = [
    "App",
    "Grant",
    "Inventory",
    "Labels",
    "Origins",
    "Version",
    "find_inventory",
    "judge_scopes",
    "keep_versions",
    "label_app",
    "list_unexplained",
    "name_owners",
    "read_app",
    "read_asked",
    "read_history",
    "read_kept_versions",
    "read_latest",
    "read_versions",
    "shorten_id",
    "write_snapshot",
]
