"""Review: what people decided and what earlier reports say.

In come the files people keep (suppressions, verdicts) and the reports of earlier weeks; out goes
what this week must not report again, must not learn from, and can be compared with. These files
are data to be read and committed: nothing here judges an event.
"""

from audit_analytics.review._parting import lower_known, part_hits
from audit_analytics.review._past import PastReports, Review, read_review
from audit_analytics.review._toml_file import read_entries
from audit_analytics.review.scope import leave_out_calls

__all__ = [
    "PastReports",
    "Review",
    "leave_out_calls",
    "lower_known",
    "part_hits",
    "read_entries",
    "read_review",
]
