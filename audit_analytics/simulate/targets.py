"""What an attacker knows of an app, taken from any table of its calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audit_analytics.simulate.clock import DAY, HOUR
from audit_analytics.simulate.profiles import write_address

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_FOREIGN: Final = ("203.0.113", "198.51.100", "192.0.2")
"""The ranges RFC 5737 reserves for documentation."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What an attacker, and the attack functions, know about an app.

    Parameters
    ----------
    app_id : str
        The app.
    apis : tuple of str
        Canonical APIs it calls.
    shares : tuple of float
        Share of its calls to each API; they sum to 1.
    ips : tuple of str
        Where it calls from lately, the most used first.
    calls_per_hour : float
        Mean calls in the hours in which it calls at all.
    hours_share : float
        Share of the hours of its life in which it calls.
    last : int
        Its last call before the attack, epoch seconds.
    peers : tuple of str
        Every app of the tenant.
    objects_count : int
        How many objects it deals with; 0 where the log names none.
    """

    app_id: str
    apis: tuple[str, ...]
    shares: tuple[float, ...]
    ips: tuple[str, ...]
    calls_per_hour: float
    hours_share: float
    last: int
    peers: tuple[str, ...]
    objects_count: int


def profile_target(rows: pd.DataFrame, *, peers: tuple[str, ...]) -> Target:
    """Describe an app by the calls it made before the attack.

    Parameters
    ----------
    rows : pandas.DataFrame of shape (n, >=4)
        Calls of one app, one at least, with the columns time (epoch seconds), app_id, api, ip
        and object.
    peers : tuple of str
        Every app of the tenant.

    Returns
    -------
    Target
        The app as a target.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"time": [0, 30, 7200], "app_id": "a", "api": "GET/x", "ip": "10.0.0.1"})
    >>> profile_target(rows.assign(object=[7, 7, 9]), peers=("a",)).calls_per_hour
    1.5
    """
    shares = rows["api"].astype("str").value_counts(normalize=True).sort_index()
    hours = rows["time"] // HOUR
    lately = rows["ip"][rows["time"] > rows["time"].max() - 7 * DAY].astype("str")
    return Target(
        app_id=str(rows["app_id"].iloc[0]),
        apis=tuple(shares.index),
        shares=tuple(shares),
        ips=tuple(
            lately.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
        ),
        calls_per_hour=len(rows) / hours.nunique(),
        hours_share=hours.nunique() / (hours.max() - hours.min() + 1),
        last=int(rows["time"].max()),
        peers=peers,
        objects_count=int(rows["object"].nunique()),
    )


def draw_foreign_address(rng: np.random.Generator) -> str:
    """Draw an address nobody in the tenant uses, from the ranges reserved for documentation.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    str
        An IPv4 address of RFC 5737, or an IPv6 address of RFC 3849.
    """
    if rng.random() < 0.25:
        return write_address(f"2001:db8:{rng.integers(1, 65_535):x}", int(rng.integers(1, 65_535)))
    return write_address(str(rng.choice(_FOREIGN)), int(rng.integers(2, 250)))
