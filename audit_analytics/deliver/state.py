"""Remember what was delivered, beside the report, so that nothing is sent twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from audit_analytics.errors import InputError
from audit_analytics.files import write_private

if TYPE_CHECKING:
    from pathlib import Path

STATE_NAME: Final = "delivered.json"


def read_state(folder: Path) -> dict[str, str]:
    """Read what was delivered from a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the report.

    Returns
    -------
    dict of str to str
        Channel to the hash of what was sent last; empty if nothing was.

    Raises
    ------
    InputError
        The file is damaged.
    """
    path = folder / STATE_NAME
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise InputError(
            f"{path}: cannot be read, so whether the week was delivered is not known; remove the "
            "file, or use --again"
        )
    return content


def write_state(folder: Path, delivered: dict[str, str]) -> None:
    """Write what was delivered; a crash leaves the old file or the new one.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the report.
    delivered : dict of str to str
        Channel to the hash of what was sent.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    text = json.dumps(delivered, sort_keys=True, indent=1) + "\n"
    write_private(folder / STATE_NAME, text.encode())
