"""Store: fetched events on disk, one Parquet file a window, each complete or not there.

In come the events of a window; out come events, hourly counts and the rows behind a finding. The
room for files, locks and upkeep: it fetches nothing and judges nothing.
"""

from audit_analytics.store.evidence import StoreEvidence
from audit_analytics.store.failure import StoreUnusable
from audit_analytics.store.folder import Store
from audit_analytics.store.lock import StoreLocked, lock_store
from audit_analytics.store.manifest import ALL, Manifest, StoreTooNew
from audit_analytics.store.reader import read_calls, read_store, read_stored_rejects
from audit_analytics.store.redaction import Redaction
from audit_analytics.store.rollups import Rollups
from audit_analytics.store.writer import WindowWriter

__all__ = [
    "ALL",
    "Manifest",
    "Redaction",
    "Rollups",
    "Store",
    "StoreEvidence",
    "StoreLocked",
    "StoreTooNew",
    "StoreUnusable",
    "WindowWriter",
    "lock_store",
    "read_calls",
    "read_store",
    "read_stored_rejects",
]
