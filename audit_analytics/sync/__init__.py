"""Syncing: which windows are due, fetched and stored; what is there, and what is wrong.

Joins the platform (``feishu``), the reading of rows (``source``) and the store. In goes a folder,
out comes a fuller one; ``status`` and ``doctor`` say what is missing and why. Nothing is judged.
"""

from audit_analytics.sync._apps import is_due, sync_apps
from audit_analytics.sync._doctor import diagnose, render_diagnosis
from audit_analytics.sync._fetching import THREADS
from audit_analytics.sync._progress import show_progress, show_waits, write_event
from audit_analytics.sync._run import sync
from audit_analytics.sync._status import describe_store, render_status

__all__ = [
    "THREADS",
    "describe_store",
    "diagnose",
    "is_due",
    "render_diagnosis",
    "render_status",
    "show_progress",
    "show_waits",
    "sync",
    "sync_apps",
    "write_event",
]
