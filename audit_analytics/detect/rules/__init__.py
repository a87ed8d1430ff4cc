"""Rules: what is worth a look whatever the statistics say; one file each.

A rule is a function from :class:`RuleInput` to hits, with everything there is to say about it.
Rules always run and stand outside the alarm budget; thresholds are settings. A hit with
``alone=False`` never makes a finding by itself: it fills the report's tables and adds to findings
that stand anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from audit_analytics.detect._attack import TECHNIQUES
from audit_analytics.detect._detector import Detector, Kind, Thresholds
from audit_analytics.detect._rule_input import RuleInput
from audit_analytics.errors import ConfigError
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_calls, say_when

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from audit_analytics.cases import Hit

METHOD = mark("fixed rules, outside the alarm budget; thresholds are settings")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Rule(Detector):
    """A detector that is a rule; call it with a RuleInput or a table of events.

    Parameters
    ----------
    find : callable
        ``find(data: RuleInput) -> iterable of Hit``. What a hit leaves empty (detector, kind,
        severity) is filled in from the rule.
    severity : str
        How bad it is by policy: ``low`` to ``critical``.
    thresholds : type of Thresholds
        Its thresholds; those of all rules together are ``Settings.rules``.
    """

    find: Callable[[RuleInput], Iterable[Hit]]
    severity: str
    thresholds: type[Thresholds] = field(default=Thresholds)
    method: str = METHOD

    def __call__(self, data: RuleInput | pd.DataFrame) -> list[Hit]:
        """Run the rule.

        Parameters
        ----------
        data : RuleInput or pandas.DataFrame
            The tenant and the week, or a table of events to be judged with the default settings.

        Returns
        -------
        list of Hit
            One per entity; ``facts`` holds numbers and names, no prose.
        """
        data = data if isinstance(data, RuleInput) else RuleInput.from_events(data)
        return [
            replace(
                hit,
                detector=self.name,
                kind=hit.kind or self.kind,
                severity=hit.severity or self.severity,
            )
            for hit in self.find(data)
        ]


def rule(
    *,
    title: str,
    severity: str = "medium",
    kind: Kind = "volume",
    sentence: Callable[[Hit, str, str], str] | None = None,
    name: str | None = None,
    **more: Any,  # noqa: ANN401 - those of Rule
) -> Callable[[Callable[[RuleInput], Iterable[Hit]]], Rule]:
    """Make a rule of a function.

    Parameters
    ----------
    title : str
        Short name, without the entity.
    severity : str, default="medium"
        How bad it is by policy: ``low`` to ``critical``.
    kind : str, default="volume"
        As the report groups it: ``unusual_ip``, ``error_burst``, ``sensitive_api``, ``new_api``,
        ``volume`` or ``silence``.
    sentence : callable, optional
        ``sentence(hit, who, zone) -> str``; the title, the calls and when, if not given.
    name : str, optional
        ``rule:`` and the function's name if not given.
    **more
        Further parameters of :class:`Rule`: ``techniques``, ``benign``, ``steps``,
        ``thresholds``, ...

    Returns
    -------
    callable
        A decorator for ``find(data: RuleInput) -> iterable of Hit``.

    Raises
    ------
    ConfigError
        The severity is none.

    Examples
    --------
    >>> from audit_analytics import load
    >>> @rule(title="Calls at full hours", severity="low")
    ... def full_hours(data):
    ...     rows = data.in_week(data.by_api)
    ...     yield from data.hits(rows[rows["first_at"] == rows["bucket_at"]])
    >>> call = {"id": "1", "event_time": 1794369600, "app_id": "cli_a", "api_key": "GET/x"}
    >>> [(hit.detector, hit.entity, hit.severity) for hit in full_hours(load([call]))]
    [('rule:full_hours', 'cli_a', 'low')]
    """
    if severity not in {"low", "medium", "high", "critical"}:
        raise ConfigError(
            f"rule {title!a}: severity {severity!a} is none; take low, medium, high or critical"
        )
    if unknown := [t for t in more.get("techniques", ()) if t not in TECHNIQUES]:
        raise ConfigError(f"rule {title!a}: {unknown[0]!a} is none of {', '.join(TECHNIQUES)}")
    more |= {key: tuple(more[key]) for key in ("techniques", "benign", "steps") if key in more}

    def say(hit: Hit, who: str, zone: str) -> str:
        return _(
            "{entity}: {title}, {calls} {when}.",
            entity=who,
            title=_(title),
            calls=say_calls(hit.observed),
            when=say_when(hit, zone),
        )

    def decorate(find: Callable[[RuleInput], Iterable[Hit]]) -> Rule:
        made = Rule(
            name=name or f"rule:{find.__name__}",
            title=title,
            severity=severity,
            kind=kind,
            sentence=sentence or say,
            find=find,
            **more,
        )
        object.__setattr__(made, "__doc__", find.__doc__)
        return made

    return decorate
