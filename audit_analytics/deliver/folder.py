"""Read back the report that ``weekly`` wrote."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from audit_analytics.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_NEEDED: Final = ("schema_version", "lang", "week", "coverage", "assessed", "findings")


def read_report(folder: Path) -> dict[str, Any]:
    """Read the report dict from a folder.

    Parameters
    ----------
    folder : pathlib.Path
        What ``weekly`` wrote, such as ``reports/2026-W46``.

    Returns
    -------
    dict of str to Any
        The report dict, as ``findings.schema.json`` describes it.

    Raises
    ------
    InputError
        There is no findings.json, or it is not one of this version.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_report(Path(folder))
    Traceback (most recent call last):
        ...
    audit_analytics.errors.InputError: ...findings.json: cannot be read (No such file or ...
    """
    path = folder / "findings.json"
    try:
        report = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give the folder of a week that weekly "
            "wrote, such as reports/2026-W46"
        ) from None
    except ValueError:
        report = None
    if not isinstance(report, dict) or any(name not in report for name in _NEEDED):
        raise InputError(f"{path}: is no report; run weekly again")
    if str(report["schema_version"]).partition(".")[0] != "1":
        raise InputError(f"{path}: was written by another version; run weekly again")
    if not re.fullmatch(r"\d{4}-W\d\d", str(report["week"].get("iso"))):
        raise InputError(f"{path}: names no week; run weekly again")
    return report
