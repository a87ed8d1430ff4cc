"""Say a hit in one sentence, the way a person would.

One function a detector, each with its whole sentences: see
:mod:`audit_analytics.findings.phrases` for why nothing is glued.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics.findings.phrases import _
from audit_analytics.findings.rule_sentences import RULE_SENTENCES
from audit_analytics.findings.surprise_sentences import SURPRISE_SENTENCES

if TYPE_CHECKING:
    from audit_analytics.cases import Hit

SENTENCES: Final = {**SURPRISE_SENTENCES, **RULE_SENTENCES}
"""Detector to what says its hits; a test holds that every detector has one."""


def explain_hit(hit: Hit, zone: str) -> str:
    """Say who did what, when, and what was expected.

    Parameters
    ----------
    hit : Hit
        What a detector found.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    str
        One sentence.
    """
    who = _("The platform") if hit.entity_type == "tenant" else hit.entity
    return SENTENCES[hit.detector](hit, who, zone)
