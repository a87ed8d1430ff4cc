"""Source: pages, files and frames in, the table of events out.

The only room that knows the wire format: it decodes, checks, types and hashes each row, and
counts what it must refuse. It knows no network (``feishu``) and keeps nothing (``store``).
"""

from audit_analytics.source.files import read_log, write_rejects
from audit_analytics.source.flatten import EventBuilder, Log

__all__ = ["EventBuilder", "Log", "read_log", "write_rejects"]
