"""findings.json: the report dict, whole, for other programs (schema: findings.schema.json)."""

from __future__ import annotations

import json
from typing import Any

from audit_analytics.report import _escape as escape


def render_json(report: dict[str, Any]) -> str:
    """Write the report as JSON: sorted keys, a newline at the end; NaN or infinity raises.

    Characters that cannot be seen are escaped, their values kept.

    Examples
    --------
    >>> print(render_json({"b": None, "a": 1}), end="")
    {
     "a": 1,
     "b": null
    }
    """
    text = json.dumps(report, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    return escape.json_text(text) + "\n"
