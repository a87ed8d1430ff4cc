"""Read the audit log: from files, DataFrames or the API into the table of events."""

from audit_analytics.source.files import read_log, write_rejects
from audit_analytics.source.flatten import EventBuilder, Log

__all__ = ["EventBuilder", "Log", "read_log", "write_rejects"]
