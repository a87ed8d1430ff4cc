"""What an answer with a code means for whoever asked, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import tenacity

from audit_analytics.errors import RemoteError
from audit_analytics.feishu._answers import QUOTA_SPENT, RateLimited
from audit_analytics.feishu._auth import ADDRESS_REFUSED, TOKEN_CODES, AddressRefused

if TYPE_CHECKING:
    from audit_analytics.feishu._answers import Answer

NOT_SHOWN_CODES: Final = frozenset({210503, 210504, 210505, 210506, 210507, 211005})
"""There is no such app, or it is none of this tenant's own."""

SCOPE_CODES: Final = frozenset({99991672, 211006, 210508})
"""The app lacks a scope, or may not see other apps."""


class ScopeMissing(RemoteError):  # noqa: N818 - reads as what happened
    """The app lacks a scope."""


class AppNotShown(RemoteError):  # noqa: N818 - reads as what happened
    """The platform shows nothing more of this app, whoever asks."""


class TokenRefused(RemoteError):  # noqa: N818 - reads as what happened
    """The platform gives a token and does not take it."""


class QuotaExhausted(RemoteError):  # noqa: N818 - reads as what happened
    """The tenant's monthly quota of API calls is spent."""


def refuse_answer(answer: Answer, scope: str) -> RemoteError:
    """Say why an answer is a refusal, as an error to be raised; `scope` is what the request needs."""
    if answer.code == QUOTA_SPENT:
        return QuotaExhausted(
            f"the tenant's monthly quota of API calls is spent ({answer}); what is stored stays, "
            "and the same sync resumes once the quota renews or is raised"
        )
    if answer.code == ADDRESS_REFUSED:
        return AddressRefused(answer)
    refusal = f"the platform refuses the request ({answer})"
    if answer.code in SCOPE_CODES:
        return ScopeMissing(
            f"{refusal}: grant the app the scope {scope} and publish a version of it"
        )
    if answer.code in NOT_SHOWN_CODES:
        return AppNotShown(refusal)
    if answer.code in TOKEN_CODES:
        return TokenRefused(
            f"{refusal}: a new token is refused too; see whether the app is still enabled"
        )
    return RemoteError(f"{refusal}: look the code up in the platform's documentation")


_wait_backoff = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)


def wait_seconds(state: tenacity.RetryCallState) -> float:
    """Say how long to wait before a request is made again.

    Not at all after a rate limit, for the limiter holds everybody back already.
    """
    error = state.outcome.exception() if state.outcome else None
    return 0.0 if isinstance(error, RateLimited) else _wait_backoff(state)
