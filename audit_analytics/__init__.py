"""Anomaly detection for the Feishu/Lark OpenAPI audit log.

Two lines from a log to a report::

    import audit_analytics as aa
    report = aa.analyze("data/sample")

Names are loaded when they are used (PEP 562): importing this package loads no pandas, scikit-learn
or matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from audit_analytics import apps as apps
    from audit_analytics import detect as detect
    from audit_analytics import features as features
    from audit_analytics import findings as findings
    from audit_analytics import plots as plots
    from audit_analytics import rollup as rollup
    from audit_analytics.detect import Metric as Metric
    from audit_analytics.detect import rule as rule
    from audit_analytics.intake import load as load
    from audit_analytics.pipeline import analyze as analyze
    from audit_analytics.pipeline import list_rules as rules  # noqa: F401 - re-exported
    from audit_analytics.report import Report as Report
    from audit_analytics.settings import Settings as Settings
    from audit_analytics.settings import load_settings as load_settings
    from audit_analytics.simulate import simulate_company as simulate_company

_HOMES = {
    "Report": ("audit_analytics.report", "Report"),
    "Settings": ("audit_analytics.settings", "Settings"),
    "Metric": ("audit_analytics.detect", "Metric"),
    "apps": ("audit_analytics.apps", None),
    "analyze": ("audit_analytics.pipeline", "analyze"),
    "detect": ("audit_analytics.detect", None),
    "features": ("audit_analytics.features", None),
    "findings": ("audit_analytics.findings", None),
    "load": ("audit_analytics.intake", "load"),
    "load_settings": ("audit_analytics.settings", "load_settings"),
    "plots": ("audit_analytics.plots", None),
    # the module: importing it would shadow a function of its name
    "rollup": ("audit_analytics.rollup", None),
    "rule": ("audit_analytics.detect", "rule"),
    "rules": ("audit_analytics.pipeline", "list_rules"),
    "simulate_company": ("audit_analytics.simulate", "simulate_company"),
}

__all__ = sorted([*_HOMES, "__version__"])  # noqa: PLE0605 - a test holds these names


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    home = import_module(module)
    return home if attribute is None else getattr(home, attribute)


def __dir__() -> list[str]:
    return __all__
