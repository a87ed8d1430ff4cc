"""The platform: its server API, spoken to with the patience it asks for.

In come credentials, a window and filters; out come pages as the platform sent them. Everything
that imports requests lives here: tokens, retries, the shared quota. What a row means is
none of this room's business (``source``), nor when to fetch which window (``sync``).
"""

from audit_analytics.feishu._answers import (
    Answer,
    AnswerTooLong,
    RateLimited,
    Unanswered,
    Unavailable,
    WrongAddress,
)
from audit_analytics.feishu._auth import (
    AddressRefused,
    AppNotShown,
    Credentials,
    CredentialsRefused,
    QuotaExhausted,
    ScopeMissing,
    TenantToken,
    TokenRefused,
)
from audit_analytics.feishu._calls import Stopped
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.feishu._connect import NO_APP_ID, WaitTooLong, measure_reach, open_client
from audit_analytics.feishu._pages import (
    PAGE_SIZE_MAX,
    SMALL_PAGE,
    Budget,
    Page,
    PaginationBroken,
    Query,
    WindowTooLong,
    split_filters,
)
from audit_analytics.feishu._ratelimit import PERIOD_SECONDS, REQUESTS_PER_PERIOD, SharedLimiter
from audit_analytics.feishu._transport import check_base_url, is_loopback, open_session, request

__all__ = [
    "NO_APP_ID",
    "PAGE_SIZE_MAX",
    "PERIOD_SECONDS",
    "REQUESTS_PER_PERIOD",
    "SMALL_PAGE",
    "AddressRefused",
    "Answer",
    "AnswerTooLong",
    "AppNotShown",
    "AuditLogClient",
    "Budget",
    "Credentials",
    "CredentialsRefused",
    "Page",
    "PaginationBroken",
    "Query",
    "QuotaExhausted",
    "RateLimited",
    "ScopeMissing",
    "SharedLimiter",
    "Stopped",
    "TenantToken",
    "TokenRefused",
    "Unanswered",
    "Unavailable",
    "WaitTooLong",
    "WindowTooLong",
    "WrongAddress",
    "check_base_url",
    "is_loopback",
    "measure_reach",
    "open_client",
    "open_session",
    "request",
    "split_filters",
]
