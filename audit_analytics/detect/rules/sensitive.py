"""Rules about sensitive APIs: first uses, single writes, audit logs, denied and then allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect.rules.base import DAY, HOUR, SECOND, gather, is_known, rule
from audit_analytics.language import mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from audit_analytics.detect.rules.base import RuleInput

HIGH_IMPACT: Final = frozenset(
    {
        "app_control",
        "credential_reset",
        "drive_permission",
        "mail_admin",
        "mail_rule",
        "payroll_write",
        "role_grant",
        "session_control",
        "tenant_security",
        "user_lifecycle",
    }
)
"""Categories of the catalogue whose writes change who may do what: one call is enough."""

_APP_API: Final = ["app_id", "api"]


def _find_served(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in which a call may have succeeded.

    A denied attempt makes nothing known, or one probe a week earlier would hide the real use;
    an answer that cannot be read may have been a success.
    """
    return table[table["calls_count"] > table["permission_count"]]


def _sum_uses(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return table.groupby(keys, observed=True, as_index=False).agg(
        first_at=("first_at", "min"),
        last_at=("last_at", "max"),
        calls=("calls", "sum"),
        denied=("denied", "sum"),
    )


def _count_first_uses(data: RuleInput) -> pd.DataFrame:
    """Count the week's calls of each sensitive API that an app was never served before."""
    week = data.in_week(data.by_api)
    used = week[week["severity"].isin(schema.SENSITIVE)]
    used = used.rename(columns={"calls_count": "calls", "permission_count": "denied"})
    used = _sum_uses(used, [*_APP_API, "category", "severity"])
    return used[~is_known(used, _find_served(data.before_week(data.by_api)), _APP_API)]


def _is_high_impact(uses: pd.DataFrame) -> pd.Series:
    write = ~uses["api"].astype("str").str.startswith("GET/")
    return write & uses["category"].isin(HIGH_IMPACT)


@rule
def find_first_sensitive(data: RuleInput) -> Iterator[Hit]:
    """Find apps that use a sensitive API for the first time.

    It stands alone where an app without any past in a critical category was answered there.

    Examples
    --------
    >>> from audit_analytics import load
    >>> from audit_analytics.detect.rules import RuleInput
    >>> api = "GET/open-apis/payroll/v1/payment_activitys"
    >>> log = [{"id": "1", "event_time": 1793000000, "app_id": "cli_a", "api_key": "GET/x"}]
    >>> log += [{"id": "2", "event_time": 1794369600, "app_id": "cli_a", "api_key": api}]
    >>> hits = find_first_sensitive(RuleInput.from_events(load(log), week="2026-W46"))
    >>> [(hit.entity, hit.alone) for hit in hits]
    [('cli_a', True)]
    """
    if not data.has_history:
        return
    new = _count_first_uses(data)
    # one more API of a kind that the app is used for is a release, not a break-in; a critical
    # API that only denied is probing, and the rule for that says so
    served = _find_served(data.before_week(data.by_api))
    kind_is_new = ~is_known(new, served, ["app_id", "category"])
    critical = (new["severity"] == "critical") & (new["calls"] > new["denied"]) & kind_is_new
    new = new.assign(critical=critical).sort_values(["first_at", "api"])
    keys = ["app_id", "critical"]
    named = gather(new, keys, "api")
    for use in _sum_uses(new, keys).itertuples():
        apis = tuple(named[use.app_id, use.critical])
        yield Hit(
            detector="rule:first_sensitive",
            kind="sensitive_api",
            entity_type="app",
            entity=str(use.app_id),
            start_at=use.first_at,
            end_at=use.last_at + SECOND,
            observed=float(use.calls),
            unit=mark("calls in the week"),
            severity="high" if use.critical else "medium",
            alone=bool(use.critical),
            facts={"apis": list(apis), "critical": bool(use.critical)},
            where={"app_id": (str(use.app_id),), "api": apis},
        )


@rule
def find_high_impact_write(data: RuleInput) -> Iterator[Hit]:
    """Find apps that change who may do what, with an API they were never served before.

    Granting a role, resetting a password or handing over an app takes one call; waiting for a
    second one would be waiting for the damage.

    Examples
    --------
    >>> from audit_analytics import load
    >>> from audit_analytics.detect.rules import RuleInput
    >>> api = "POST/open-apis/contact/v3/functional_roles"
    >>> log = [{"id": "1", "event_time": 1793000000, "app_id": "cli_a", "api_key": "GET/x"}]
    >>> log += [{"id": "2", "event_time": 1794369600, "app_id": "cli_a", "api_key": api}]
    >>> hits = find_high_impact_write(RuleInput.from_events(load(log), week="2026-W46"))
    >>> [(hit.entity, hit.observed, hit.facts["categories"]) for hit in hits]
    [('cli_a', 1.0, ['role_grant'])]
    """
    if not data.has_history:
        return
    new = _count_first_uses(data)
    new = new[(new["calls"] > new["denied"]) & _is_high_impact(new)]
    new = new.sort_values(["first_at", "api"])
    named, kinds = (gather(new, ["app_id"], column) for column in ("api", "category"))
    for use in _sum_uses(new, ["app_id"]).itertuples():
        apis = tuple(named[use.app_id])
        yield Hit(
            detector="rule:high_impact_write",
            kind="sensitive_api",
            entity_type="app",
            entity=str(use.app_id),
            start_at=use.first_at,
            end_at=use.last_at + SECOND,
            observed=float(use.calls - use.denied),
            unit=mark("calls in the week"),
            severity="high",
            facts={"apis": list(apis), "categories": sorted(kinds[use.app_id])},
            where={"app_id": (str(use.app_id),), "api": apis},
        )


@rule
def find_denied_then_allowed(data: RuleInput) -> Iterator[Hit]:
    """Find sensitive APIs that were denied to an app several times and then answered.

    Examples
    --------
    >>> from audit_analytics import load
    >>> call = {"app_id": "cli_a", "api_key": "POST/open-apis/drive/v1/export_tasks"}
    >>> denied = {"log_detail": {"response": '{"code": 99991672}'}}
    >>> log = [call | denied | {"id": f"{n}", "event_time": 1794369600 + n} for n in range(5)]
    >>> log += [call | {"id": "5", "event_time": 1794380000, "log_detail": {"response": '{"code": 0}'}}]
    >>> [(hit.entity, hit.observed) for hit in find_denied_then_allowed(load(log))]
    [('cli_a', 5.0)]
    """
    week = data.in_week(data.by_api)
    week = week[week["severity"].isin(schema.SENSITIVE)]
    earlier = data.before_week(data.by_api)
    week = week[~is_known(week, earlier[earlier["ok_count"] > 0], _APP_API)]
    granted_at = week[week["ok_count"] > 0].groupby(_APP_API, observed=True)["last_at"].min()
    denials = week[week["permission_count"] > 0].merge(
        granted_at.rename("granted_at").reset_index(), on=_APP_API
    )
    last = denials["granted_at"]
    denials = denials.assign(
        count=denials["permission_count"].where(denials["first_at"].between(last - DAY, last), 0)
    )
    pairs = denials.groupby(_APP_API, observed=True, as_index=False).agg(
        count=("count", "sum"), start_at=("first_at", "min"), end_at=("granted_at", "first")
    )
    for pair in pairs[pairs["count"] >= data.settings.denied_before_success].itertuples():
        yield Hit(
            detector="rule:denied_then_allowed",
            kind="sensitive_api",
            entity_type="app",
            entity=str(pair.app_id),
            start_at=pair.start_at,
            end_at=pair.end_at + HOUR,
            observed=float(pair.count),
            unit=mark("denials before the first success"),
            severity="high",
            facts={"api": str(pair.api)},
            where={"app_id": (str(pair.app_id),), "api": (str(pair.api),)},
        )


@rule
def find_audit_access(data: RuleInput) -> Iterator[Hit]:
    """Find apps that read audit logs; it stands alone when they never did before.

    Examples
    --------
    >>> from audit_analytics import load
    >>> api = "GET/open-apis/admin/v1/audit_infos"
    >>> log = [{"id": "1", "event_time": 1794369600, "app_id": "cli_a", "api_key": api}]
    >>> [(hit.entity, hit.facts["apis"]) for hit in find_audit_access(load(log))]
    [('cli_a', ['GET/open-apis/admin/v1/audit_infos'])]
    """
    readers = data.by_api[data.by_api["category"] == "audit_access"]
    before = set(_find_served(data.before_week(readers))["app_id"].astype("str"))
    week = data.in_week(readers).rename(
        columns={"calls_count": "calls", "permission_count": "denied"}
    )
    named = gather(week, ["app_id"], "api")
    for use in _sum_uses(week, ["app_id"]).itertuples():
        apis = tuple(sorted(named[use.app_id]))
        yield Hit(
            detector="rule:audit_access",
            kind="sensitive_api",
            entity_type="app",
            entity=str(use.app_id),
            start_at=use.first_at,
            end_at=use.last_at + SECOND,
            observed=float(use.calls),
            unit=mark("calls in the week"),
            severity="high",
            alone=str(use.app_id) not in before,
            facts={"apis": list(apis)},
            where={"app_id": (str(use.app_id),), "api": apis},
        )
