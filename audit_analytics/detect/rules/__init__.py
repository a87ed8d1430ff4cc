"""Rules: what is worth a look whatever the statistics say.

A rule is one function from :class:`RuleInput` (or a table of events) to a list of hits, listed in
:data:`RULES`. Rules always run and stand outside the alarm budget; thresholds are settings. A hit
with ``alone=False`` never makes a finding by itself: it fills the report's tables and adds to
findings that stand anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics.detect.rules.addresses import (
    find_auth_failures,
    find_denied_network,
    find_shared_ip,
)
from audit_analytics.detect.rules.apps import find_dormant, find_rate_limited, find_silence
from audit_analytics.detect.rules.base import RuleInput
from audit_analytics.detect.rules.chain import find_chain
from audit_analytics.detect.rules.errors import (
    find_enumeration,
    find_error_burst,
    find_outage,
    find_probing,
)
from audit_analytics.detect.rules.limit import limit_hits
from audit_analytics.detect.rules.networks import (
    find_many_networks,
    find_new_network,
    find_refused_address,
)
from audit_analytics.detect.rules.own import find_own_misuse
from audit_analytics.detect.rules.sensitive import (
    find_audit_access,
    find_denied_then_allowed,
    find_first_sensitive,
    find_high_impact_write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from audit_analytics.cases import Hit

__all__ = ["RULES", "RuleInput", "run_rules"]

RULES: Final[tuple[Callable[[RuleInput | pd.DataFrame], list[Hit]], ...]] = (
    find_own_misuse,
    find_new_network,
    find_first_sensitive,
    find_high_impact_write,
    find_chain,
    find_dormant,
    find_enumeration,
    find_probing,
    find_denied_then_allowed,
    find_auth_failures,
    find_shared_ip,
    find_many_networks,
    find_refused_address,
    find_audit_access,
    find_silence,
    find_denied_network,
    find_error_burst,
    find_outage,
    find_rate_limited,
)


def run_rules(data: RuleInput) -> list[Hit]:
    """Run every rule.

    Parameters
    ----------
    data : RuleInput
        The tenant and the week.

    Returns
    -------
    list of Hit
        In the order of RULES; of a rule that a forged log sets off a thousand times, the
        worst hits and one that counts the rest.
    """
    return [hit for rule in RULES for hit in limit_hits(rule(data), data)]
