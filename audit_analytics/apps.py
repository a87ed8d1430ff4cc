"""Who the apps of a log are, and what of their permissions they use: ``aa.apps``."""

from pathlib import Path
from typing import Any

import pandas as pd

from audit_analytics.catalogue import load_catalogue
from audit_analytics.detect import find_whole_days
from audit_analytics.intake import count_log
from audit_analytics.inventory import Inventory, find_inventory, judge_scopes
from audit_analytics.settings import Settings, settle

__all__ = ["load", "scopes"]


def load(folder: str | Path, *, settings: Settings | None = None, **options: object) -> Inventory:
    """Read who the apps of a log are.

    Parameters
    ----------
    folder : str or pathlib.Path
        The store or log folder.
    settings : Settings, optional
        Settings; environment, TOML file and defaults if not given.
    **options : object
        Single settings by their names, such as ``apps``; they win over `settings`.

    Returns
    -------
    Inventory
        The apps by id; empty if nothing says who they are.

    Raises
    ------
    InputError, ConfigError
        It cannot be read.
    """
    settings = settle(settings, options, where="apps.load()", known=("settings",))
    return find_inventory(Path(folder), settings.apps)


def scopes(
    log: Any,  # noqa: ANN401 - everything read_log takes
    inventory: Inventory | None = None,
    *,
    settings: Settings | None = None,
    **options: object,
) -> pd.DataFrame:
    """Compare what apps were granted with what they called.

    Parameters
    ----------
    log : path, list of paths, pandas.DataFrame or list of dict
        The log, as for :func:`audit_analytics.analyze`.
    inventory : Inventory, optional
        The apps and their grants; those beside the log if not given.
    settings : Settings, optional
        Settings; environment, TOML file and defaults if not given.
    **options : object
        Single settings by their names; they win over `settings`.

    Returns
    -------
    pandas.DataFrame
        One row per app and scope: :data:`audit_analytics.inventory._usage.COLUMNS`.

    Raises
    ------
    InputError, ConfigError
        The log or the inventory cannot be read, or a setting not be understood.
    """
    settings = settle(settings, options, where="apps.scopes()", known=("settings", "inventory"))
    counted = count_log(log, settings)
    by_api = counted.calls.by_api
    days_off = settings.find_days_off(set(by_api["bucket_at"].dt.year))
    days = find_whole_days(
        by_api["bucket_at"],
        zone=settings.tenant_zone,
        holidays=days_off.holidays,
        working_days=days_off.working_days,
    )
    return judge_scopes(
        by_api, inventory or counted.inventory, days, load_catalogue(settings.catalogue)
    )


def __dir__() -> list[str]:
    return __all__
