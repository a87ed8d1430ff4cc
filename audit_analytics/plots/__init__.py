"""Plots: the week as pictures; functions ``(data, *, ax=None) -> Axes``, and :func:`to_svg` for web pages.

The only package that knows matplotlib. Without `ax` a function makes a pyplot figure, as pandas
does; a script passes one from :func:`new_axes`, which pyplot never sees. Global settings stay as
they are. :func:`to_svg` writes each of :data:`COLOURS` as a CSS variable, for pages in dark mode.
"""

from audit_analytics.plots._arrivals import first_seen_timeline, new_networks
from audit_analytics.plots._counts import error_classes, finding_series, top_bars
from audit_analytics.plots._matrix import app_api_matrix, ip_app_matrix
from audit_analytics.plots._style import COLOURS, new_axes
from audit_analytics.plots._svg import to_svg
from audit_analytics.plots._week import timeline, week_heatmap

__all__ = [
    "COLOURS",
    "app_api_matrix",
    "error_classes",
    "finding_series",
    "first_seen_timeline",
    "ip_app_matrix",
    "new_axes",
    "new_networks",
    "timeline",
    "to_svg",
    "top_bars",
    "week_heatmap",
]


def __dir__() -> list[str]:
    return __all__
