"""Syncing: which windows are due, fetched and stored; what is there, and what is wrong.

Joins the platform (``feishu``), the reading of rows (``source``) and the store. In goes a folder,
out comes a fuller one; ``status`` and ``doctor`` say what is missing and why. Nothing is judged.
"""

from audit_analytics.sync._fetching import THREADS
from audit_analytics.sync.run import sync

__all__ = ["THREADS", "sync"]
