"""Build the report dict, the one source of every rendered format, method and limits among it."""

from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Final

import audit_analytics
from audit_analytics.dates.buckets import format_local, format_utc
from audit_analytics.detect import Detector, Rule, list_detectors
from audit_analytics.findings import Finding
from audit_analytics.inventory import Labels
from audit_analytics.language import _, current_language, mark
from audit_analytics.report._answers import (
    list_error_bursts,
    list_sensitive_usage,
    list_unusual_ips,
)
from audit_analytics.report._changes import build_changes, list_quiet_apps
from audit_analytics.report._coverage import (
    build_assessed,
    build_calendar,
    build_coverage,
    say_verdict,
)
from audit_analytics.report._inputs import ReportInput
from audit_analytics.report._numbers import (
    build_charts,
    build_heatmap,
    build_series,
    build_tenant_series,
    build_top,
    build_totals,
)
from audit_analytics.report._permissions import (
    build_inventory,
    build_permissions,
    collect_labels,
    describe_app,
)

SCHEMA_VERSION: Final = "1.0"
PACKAGES: Final = ("duckdb", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")


def build_report(data: ReportInput) -> dict[str, Any]:
    """Build the report dict.

    Parameters
    ----------
    data : ReportInput
        Everything there is to say.

    Returns
    -------
    dict of str to Any
        JSON values only, described by ``findings.schema.json``, its sentences in the current language.
        The same input gives the same dict: it holds no time of the run and no path.
    """
    coverage = build_coverage(data)
    labels = Labels(data.inventory, data.settings.networks, data.origins)
    finding_of = {(f.entity_type, f.entity): f.finding_id for f in data.findings}
    report = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "audit-analytics", "version": audit_analytics.__version__},
        "lang": current_language(),
        "tenant_zone": data.week.zone,
        "week": _build_week(data, coverage),
        "coverage": coverage,
        "assessed": build_assessed(data),
        "verdict": say_verdict(data, coverage),
        "budget_per_week": data.settings.budget_per_week,
        "calendar": build_calendar(data),
        "inventory": build_inventory(data),
        "origins": data.origins.describe(),
        "permissions": build_permissions(data) if data.inventory else None,
        "findings": [
            _place(data, f, labels) | {"series": build_series(data, f)} for f in data.findings
        ],
        "stories": [asdict(story) for story in data.stories],
        "watch": data.watch,
        "compared_with": data.follow_up.compared_with,
        "resolved": data.follow_up.resolved,
        "still_open": data.follow_up.still_open,
        "promise": data.follow_up.promise,
        "suppressed": [
            _place(data, f, labels) | {"series": None} for f in data.follow_up.suppressed
        ],
        "suppressions": data.follow_up.suppressions,
        "unusual_ips": list_unusual_ips(data, finding_of),
        "error_bursts": list_error_bursts(data, finding_of),
        "sensitive_usage": list_sensitive_usage(data, finding_of),
        "totals": build_totals(data),
        "top": build_top(data),
        "series": build_tenant_series(data),
        "heatmap": build_heatmap(data),
        "charts": build_charts(data),
        "changes": build_changes(data),
        "quiet_apps": list_quiet_apps(data),
        "method": {
            "detectors": [{"name": name, "text": _(text)} for name, text in list_methods()],
            "limits": [_(text) for text in LIMITS],
        },
        "run": {
            "versions": {"audit-analytics": audit_analytics.__version__}
            | {name: version(name) for name in PACKAGES},
            "seed": data.settings.seed,
            "config": data.settings.public(),
            "config_hash": data.settings.digest(),
        },
    }
    return report | {"labels": collect_labels(report, labels)}


def _place(data: ReportInput, finding: Finding, labels: Labels) -> dict[str, Any]:
    about = describe_app(data, finding.entity) if finding.entity_type == "app" else []
    said = labels.describe(finding.entity_type, finding.entity)
    return asdict(finding) | said | {"about": about}


def _build_week(data: ReportInput, coverage: dict[str, Any]) -> dict[str, Any]:
    week = data.week
    return {
        "iso": week.iso,
        "since_at": format_utc(week.since_at) if week.since_at is not None else None,
        "since_local": (
            format_local(week.since_at, week.zone) if week.since_at is not None else None
        ),
        "start_at": format_utc(week.start_at),
        "end_at": format_utc(week.end_at),
        "start_local": format_local(week.start_at, week.zone),
        "end_local": format_local(week.end_at, week.zone),
        "complete": coverage["week_status"] == "complete" and week.since_at is None,
    }


LIMITS: Final = (
    mark(
        "The log names apps and addresses, never people; an app's secret used by somebody else looks like the app."
    ),
    mark(
        "An app with under 7 days of history is compared with the first days of other apps, not with a past of its own."
    ),
    mark(
        "Expected counts come from the weeks before; what was already going on then is taken for normal, unless it was found and confirmed or suppressed."
    ),
    mark(
        "How many findings this extreme an ordinary week brings (E) is an estimate from the weeks before."
    ),
)


def list_methods() -> list[tuple[str, str]]:
    """List how the detectors in use work: names of those that work alike, and their English method."""
    names: dict[str, dict[str, None]] = {}
    for found in list_detectors(Detector):
        name = "rule:*" if isinstance(found, Rule) else found.name
        names.setdefault(found.method, {})[name] = None
    return [(", ".join(alike), method) for method, alike in names.items()]
