"""What an attacker goes for: APIs worth trying, and what is known of an app from its calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.random import Generator as Rng

from audit_analytics.simulate._profiles import write_address
from audit_analytics.simulate._rows import DAY, HOUR

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

HOURS_OF_WEEK: Final = 168

_FOREIGN: Final = ("203.0.113", "198.51.100", "192.0.2")
"""The ranges RFC 5737 reserves for documentation."""

RECON: Final = (
    "GET/open-apis/tenant/v2/tenant/query",
    "GET/open-apis/application/v6/scopes",
    "GET/open-apis/contact/v3/scopes",
    "GET/open-apis/contact/v3/departments/:department_id/children",
    "GET/open-apis/contact/v3/users/find_by_department",
    "GET/open-apis/im/v1/chats",
    "GET/open-apis/drive/v1/files",
)
SENSITIVE_READS: Final = (
    "GET/open-apis/contact/v3/users/find_by_department",
    "POST/open-apis/corehr/v2/employees/search",
    "GET/open-apis/im/v1/messages",
    "POST/open-apis/search/v2/message",
    "GET/open-apis/drive/v1/files/:file_token/download",
    "GET/open-apis/mail/v1/user_mailboxes/:user_mailbox_id/messages",
    "GET/open-apis/minutes/v1/minutes/:minute_token/transcript",
    "GET/open-apis/attendance/v1/user_settings/query",
    "GET/open-apis/hire/v1/talents",
)
GRANT_API: Final = "POST/open-apis/drive/v1/permissions/:token/members"
PROBED: Final = (
    *SENSITIVE_READS,
    "POST/open-apis/contact/v3/functional_roles",
    "POST/open-apis/contact/v3/users",
    "PATCH/open-apis/contact/v3/users/:user_id",
    "DELETE/open-apis/contact/v3/users/:user_id",
    "POST/open-apis/admin/v1/password/reset",
    "GET/open-apis/admin/v1/audit_infos",
    "PUT/open-apis/application/v6/applications/:app_id/owner",
    "PUT/open-apis/application/v6/applications/:app_id/management",
    "PATCH/open-apis/drive/v1/permissions/:token/public",
    "POST/open-apis/drive/v1/permissions/:token/members/transfer_owner",
    GRANT_API,
    "POST/open-apis/drive/v1/export_tasks",
    "GET/open-apis/payroll/v1/payment_activitys",
    "POST/open-apis/payroll/v1/payment_detail/query",
    "POST/open-apis/passport/v1/sessions/logout",
    "POST/open-apis/passport/v1/sessions/query",
    "POST/open-apis/corehr/v1/authorizations/add_role_assign",
    "GET/open-apis/corehr/v1/contracts",
    "GET/open-apis/corehr/v1/persons/:person_id",
    "POST/open-apis/mail/v1/user_mailboxes/:user_mailbox_id/rules",
    "POST/open-apis/mail/v1/mailgroups",
    "GET/open-apis/performance/v1/semesters",
    "GET/open-apis/vc/v1/meetings/:meeting_id/recording",
    "POST/open-apis/security_and_compliance/v1/openapi_logs/list_data",
    "POST/open-apis/approval/v4/tasks/approve",
    "PUT/open-apis/wiki/v2/spaces/:space_id/setting",
    "GET/open-apis/acs/v1/users/:user_id/face",
)
DOCUMENT_API: Final = "GET/open-apis/docx/v1/documents/:document_id/raw_content"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What an attacker, and the attack functions, know about an app."""

    app_id: str
    apis: tuple[str, ...]  # canonical APIs it calls
    shares: tuple[float, ...]  # of its calls to each API; they sum to 1
    ips: tuple[str, ...]  # where it calls from lately, the most used first
    calls_per_hour: float  # mean of the hours in which it calls at all
    hours_share: float  # of the hours of its life in which it calls
    # mean calls in each hour of the week, counted from the epoch, a Thursday, 00:00 UTC
    rhythm: tuple[float, ...]
    last: int  # its last call before the attack, epoch seconds
    peers: tuple[str, ...]  # every app of the tenant
    objects_count: int  # it deals with; 0 where the log names none


def profile_target(rows: pd.DataFrame, *, peers: tuple[str, ...]) -> Target:
    """Describe an app by the calls it made before the attack, one at least; `peers` is every app.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"time": [0, 30, 7200], "app_id": "a", "api": "GET/x", "ip": "10.0.0.1"})
    >>> profile_target(rows.assign(object=[7, 7, 9]), peers=("a",)).calls_per_hour
    1.5
    """
    shares = rows["api"].astype("str").value_counts(normalize=True).sort_index()
    hours = rows["time"] // HOUR
    lately = rows["ip"][rows["time"] > rows["time"].max() - 7 * DAY].astype("str")
    return Target(
        app_id=str(rows["app_id"].iloc[0]),
        apis=tuple(shares.index),
        shares=tuple(shares),
        ips=tuple(
            lately.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
        ),
        calls_per_hour=len(rows) / hours.nunique(),
        hours_share=hours.nunique() / (hours.max() - hours.min() + 1),
        rhythm=tuple(_mean_week(hours.to_numpy())),
        last=int(rows["time"].max()),
        peers=peers,
        objects_count=int(rows["object"].nunique()),
    )


def _mean_week(hours: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean calls of each hour of the week over the life of an app."""
    lived = np.arange(hours.min(), hours.max() + 1) % HOURS_OF_WEEK
    times = np.bincount(lived, minlength=HOURS_OF_WEEK)
    calls = np.bincount(hours % HOURS_OF_WEEK, minlength=HOURS_OF_WEEK)
    return np.asarray(calls / np.maximum(times, 1))


def draw_foreign_address(rng: Rng) -> str:
    """Draw an address nobody in the tenant uses, from the ranges reserved for documentation."""
    if rng.random() < 0.25:
        return write_address(f"2001:db8:{rng.integers(1, 65_535):x}", int(rng.integers(1, 65_535)))
    return write_address(str(rng.choice(_FOREIGN)), int(rng.integers(2, 250)))
