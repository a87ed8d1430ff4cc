"""Source: pages, files and frames in, the table of events out.

The only room that knows the wire format: it decodes, checks, types and hashes each row, and
counts what it must refuse. It knows no network (``feishu``) and keeps nothing (``store``).
"""

from audit_analytics.source._files import holds_log, read_log, write_rejects
from audit_analytics.source._log import Log, concat_events
from audit_analytics.source._parts import count_cores
from audit_analytics.source._values import decode_anyhow
from audit_analytics.source._wire import find_network

__all__ = [
    "Log",
    "concat_events",
    "count_cores",
    "decode_anyhow",
    "find_network",
    "holds_log",
    "read_log",
    "write_rejects",
]
