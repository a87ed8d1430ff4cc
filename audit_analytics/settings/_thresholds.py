"""The thresholds of all rules: each brings its own, see :mod:`audit_analytics.detect.rules`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import create_model

from audit_analytics.detect import Limits, Rule, StuffingThresholds, list_known
from audit_analytics.errors import ConfigError
from audit_analytics.settings._section import Section

if TYPE_CHECKING:

    class RuleSettings(Limits):
        """Thresholds of the rules."""

else:

    def _collect() -> type[Limits]:
        rules = [found for found in list_known() if isinstance(found, Rule)]
        models = dict.fromkeys([Limits, StuffingThresholds, *(rule.thresholds for rule in rules)])
        fields: dict[str, type] = {}
        for model in models:
            for name in model.__annotations__:
                if name in fields:
                    raise ConfigError(
                        f"two rules have a threshold {name!a} ({fields[name].__module__} and "
                        f"{model.__module__}); give one of them another name"
                    )
                fields[name] = model
        # the base class of them all comes last, as the order of bases has to be
        bases = tuple(model for model in models if model.__annotations__)
        made = create_model("RuleSettings", __base__=(*bases, Section), __module__=__name__)
        made.section = "rules"
        return made

    RuleSettings = _collect()
    RuleSettings.__doc__ = "Thresholds of the rules; each rule says what its own do."
