"""What E counts, and how the alarm budget is shared among the families of entities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FAMILY_SHARE: Final = {"app": 0.70, "newborn": 0.15, "ip": 0.10, "api": 0.05}
"""Share of the alarm budget by family: apps with a past of their own, apps without one, addresses,
APIs. Where one is not there the others have its share, and where more of the apps are young
than these shares say, each app, old or young, has the same."""
UNITS_FACTOR: Final = 2
UNITS_MORE: Final = 10
"""A week counts the entities it tested, but at most twice those of the median past week, and
ten: whoever forges ids by the thousand must not make every true case look like chance."""


ORDINARY_P: Final = 0.3
"""Weeks less rare than this are those of apps to which nothing happened."""
MOST_UNUSUAL: Final = 0.5
"""More of the apps than this are never taken for unusual ones."""
MOST_RARE: Final = ((1.0, 3), (5.0, 10))
"""Cases with E below 1 and below 5 in an ordinary week, which brings one and five on average: more
come by chance in one week of fifty, and of seventy (Poisson)."""

MOST_BUDGETS: Final = 3
"""So many times the alarm budget is told case by case; more cases are a week's, not an app's."""
QUIET_BUDGETS: Final = 2
"""So many times the budget a report of a quiet week is long, what rules tell included."""


def count_places(cases: int, *, budget: float, told: int, quiet: bool) -> int:
    """Return how many cases are told one by one: three times the budget.

    `cases` are those within the budget of whom no rule tells, `told` is of how many entities rules
    tell. In a quiet week what rules tell takes places, and, where there are more cases than those,
    the row that counts them; half a budget is left in any case.

    >>> count_places(14, budget=10, told=9, quiet=False)
    30
    >>> [count_places(cases, budget=10, told=9, quiet=True) for cases in (11, 14)]
    [11, 10]
    """
    if not quiet:
        return round(MOST_BUDGETS * budget)
    most = round(QUIET_BUDGETS * budget) - told
    return max(most - (cases > most), round(budget / 2))


def find_ordinary_share(p: NDArray[np.float64]) -> float:
    """Estimate how many of the apps had an ordinary week, and so can be false alarms.

    `p` says how rare each app's week was. 1 - :data:`MOST_UNUSUAL` to 1: the share of p-values
    above 0.3, of what it would be if all weeks were ordinary (Storey 2002, Journal of the Royal
    Statistical Society B 64(3), 479-498), and a standard deviation of it more, for the doubt that
    few apps leave.

    >>> find_ordinary_share(np.linspace(0.0, 1.0, 100))
    1.0
    >>> round(find_ordinary_share(np.append(np.linspace(0.0, 1.0, 800), np.zeros(200))), 1)
    0.8
    """
    if not len(p):
        return 1.0
    doubt = np.sqrt(ORDINARY_P * (1.0 - ORDINARY_P) / len(p))
    share = ((p > ORDINARY_P).mean() + doubt) / (1.0 - ORDINARY_P)
    return float(np.clip(share, 1.0 - MOST_UNUSUAL, 1.0))


def count_units(tested: int, past: list[int]) -> int:
    """Return how many of those tested E counts: at most a little more than an ordinary week has.

    `past` is how many there were in each past week: forged ids are no chances of anybody else.
    """
    return min(tested, UNITS_FACTOR * int(np.median(past)) + UNITS_MORE) if past else tested


def share_budget(units: Mapping[str, float]) -> dict[str, float]:
    """Return which share of the alarm budget each family has; one that is absent gives it away."""
    share = {family: FAMILY_SHARE[family] for family in FAMILY_SHARE if units[family]}
    if "app" in share and "newborn" in share:
        both = share["app"] + share["newborn"]
        young = units["newborn"] / (units["app"] + units["newborn"])
        share["newborn"] = max(share["newborn"], both * young)
        share["app"] = both - share["newborn"]
    total = sum(share.values())
    return {family: part / total for family, part in share.items()}
