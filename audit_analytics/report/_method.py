"""What the report says about its own method and limits."""

from __future__ import annotations

from typing import Final

from audit_analytics.detect import Detector, Rule, list_detectors
from audit_analytics.language import mark

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
    """List how the detectors in use work: the names of those that work alike, and their method.

    The method is English, translated where it is shown.
    """
    names: dict[str, dict[str, None]] = {}
    for found in list_detectors(Detector):
        name = "rule:*" if isinstance(found, Rule) else found.name
        names.setdefault(found.method, {})[name] = None
    return [(", ".join(alike), method) for method, alike in names.items()]
