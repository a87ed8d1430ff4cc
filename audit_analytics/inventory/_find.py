"""Where the inventory of a log lies: a snapshot or pages beside it, and what people wrote."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Final

from audit_analytics.errors import InputError
from audit_analytics.inventory._app import Inventory
from audit_analytics.inventory._hand import FILES, read_by_hand
from audit_analytics.inventory._snapshots import read_history
from audit_analytics.inventory._wire import read_app

if TYPE_CHECKING:
    from pathlib import Path

PAGES: Final = ("apps.json", "apps.json.gz")
"""Pages of ``application/v6/applications`` as the API answers them, one a line."""

_MOST_BYTES: Final = 64 * 2**20


def find_inventory(folder: Path | None, by_hand: Path | None = None) -> Inventory:
    """Find who the apps of a log are.

    Parameters
    ----------
    folder : pathlib.Path or None
        The store or log folder: the snapshots in it, else :data:`PAGES`; corrected by
        :data:`~audit_analytics.inventory._hand.FILES` in it.
    by_hand : pathlib.Path, optional
        A further file of what people know; it wins over everything else.

    Returns
    -------
    Inventory
        The apps; empty if nothing says who they are.

    Raises
    ------
    InputError
        A snapshot or page cannot be read.
    ConfigError
        What people wrote cannot be understood.
    """
    inventory = Inventory()
    if folder is not None and folder.is_dir():
        inventory = read_history(folder)
        for name in PAGES:
            if not inventory and (folder / name).is_file():
                inventory = _read_pages(folder / name)
        for name in FILES:
            if (folder / name).is_file():
                inventory = inventory.correct(read_by_hand(folder / name))
    return inventory.correct(read_by_hand(by_hand)) if by_hand else inventory


def _read_pages(path: Path) -> Inventory:
    apps = []
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(_MOST_BYTES)
        for line in content.splitlines():
            page = json.loads(line)
            apps += [read_app(row) for row in page["data"]["app_list"]]
    except (OSError, EOFError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            f"{path}: holds no pages of application/v6/applications, one a line "
            f"({type(error).__name__}); correct or remove it"
        ) from None
    return Inventory.of(app for app in apps if app)
