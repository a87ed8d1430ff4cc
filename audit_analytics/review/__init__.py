"""Review: what people decided and what earlier reports say.

In come the files people keep (suppressions, verdicts) and the reports of earlier weeks; out goes
what this week must not report again, must not learn from, and can be compared with. These files
are data to be read and committed: nothing here judges an event.
"""

from audit_analytics.review._parting import (
    SplitHits,
    lower_known,
    part_hits,
    read_hits,
    read_through,
    replay_suppression,
)
from audit_analytics.review._past import PastReports, Review, read_review
from audit_analytics.review._reports import (
    REPORT_FILE,
    find_finding,
    find_story,
    find_verdict,
    is_open,
    list_open,
    list_reports,
    name_stories,
    read_report,
)
from audit_analytics.review._scope import (
    IndexedCalls,
    index_calls,
    leave_out_calls,
    read_scope,
    scope_of_hit,
    shift_scope,
)
from audit_analytics.review._suppression import (
    PARTS,
    Suppression,
    append_suppression,
    draft_suppression,
    read_suppressions,
    suggest_suppression,
)
from audit_analytics.review._toml_file import read_entries
from audit_analytics.review._verdicts import Verdict, append_verdict, judge_finding, read_verdicts

__all__ = [
    "PARTS",
    "REPORT_FILE",
    "IndexedCalls",
    "PastReports",
    "Review",
    "SplitHits",
    "Suppression",
    "Verdict",
    "append_suppression",
    "append_verdict",
    "draft_suppression",
    "find_finding",
    "find_story",
    "find_verdict",
    "index_calls",
    "is_open",
    "judge_finding",
    "leave_out_calls",
    "list_open",
    "list_reports",
    "lower_known",
    "name_stories",
    "part_hits",
    "read_entries",
    "read_hits",
    "read_report",
    "read_review",
    "read_scope",
    "read_suppressions",
    "read_through",
    "read_verdicts",
    "replay_suppression",
    "scope_of_hit",
    "shift_scope",
    "suggest_suppression",
]
