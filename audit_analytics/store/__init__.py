"""Store: fetched events on disk, one Parquet file a window, each complete or not there.

In come the events of a window; out come events, hourly counts and the rows behind a finding. The
room for files, locks and upkeep: it fetches nothing and judges nothing.
"""

from audit_analytics.store._evidence import StoreEvidence
from audit_analytics.store._failure import StoreUnusable, explains_failure
from audit_analytics.store._folder import Store
from audit_analytics.store._lock import StoreLocked, lock_store
from audit_analytics.store._manifest import ALL, Manifest
from audit_analytics.store._reader import read_calls, read_store, read_stored_rejects
from audit_analytics.store._redaction import read_redaction, say_changes
from audit_analytics.store._rollups import Rollups
from audit_analytics.store._spark import SparkEngine
from audit_analytics.store._upkeep import compact_store, verify_store
from audit_analytics.store._window import WindowWriter

__all__ = [
    "ALL",
    "Manifest",
    "Rollups",
    "SparkEngine",
    "Store",
    "StoreEvidence",
    "StoreLocked",
    "StoreUnusable",
    "WindowWriter",
    "compact_store",
    "explains_failure",
    "lock_store",
    "read_calls",
    "read_redaction",
    "read_store",
    "read_stored_rejects",
    "say_changes",
    "verify_store",
]
