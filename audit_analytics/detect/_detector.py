"""What every detector is: one object in one file, with all there is to say about it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Callable

    from audit_analytics.cases import Hit

Kind = Literal[
    "unusual_ip", "error_burst", "sensitive_api", "new_api", "volume", "silence", "mixture"
]
"""What a finding is, as the report groups it and as suppressions may name it."""

RARE_SURPRISE: Final = 100
"""Place among the reasons of a surprise with E below 1."""

SURPRISE: Final = 200
"""Place of the other surprises."""

LATE: Final = 300
"""Place of what adds to the story; after it comes only what supports."""


_PARAMETERS: Final = "Parameters\n----------\n"


class Thresholds(BaseModel):
    """Base of the thresholds of a detector: fields with default, bounds and description.

    Those of all detectors together are ``Settings.rules``, so a name is used once. What a rule
    gets is an instance of its own class, with what the user set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


T = TypeVar("T", bound=Thresholds)


def choose_thresholds(settings: Thresholds, model: type[T]) -> T:
    """Return the thresholds of one kind out of those of all rules.

    Parameters
    ----------
    settings : Thresholds
        Those of all rules, or any of them.
    model : type of Thresholds
        Which ones.

    Returns
    -------
    Thresholds
        `settings` if it has them, else the defaults.
    """
    return settings if isinstance(settings, model) else model()


@dataclass(frozen=True, kw_only=True, eq=False)
class Detector:
    """What a detector is, apart from how it finds something.

    Everything else is derived from this: the report's method section and tables, the settings,
    the OCSF fields, the order in which reasons speak, and the names a suppression may use.

    Parameters
    ----------
    name : str
        ``VOL``, or ``rule:dormant``. It stands in reports and suppressions.
    title : str
        Short name, without the entity. Texts are English here and translated where they are shown.
    kind : str
        What a hit is unless it says otherwise: one of :data:`Kind`.
    method : str
        How it works, in a clause; detectors with the same method share a line in the report.
    sentence : callable
        ``sentence(hit, who, zone) -> str`` says a hit in the reader's language: `who` names the
        entity, `zone` is the tenant's.
    techniques : tuple of str, default=()
        ATT&CK technique ids; none where the cause is as likely no attack at all.
    benign : tuple of str, default=()
        Causes that are known to be harmless.
    steps : tuple of str, default=()
        What to check next, the quickest first.
    metric : str, default="calls"
        Key of ``Panel.counts`` that a plot of the finding shows; a hit's fact ``metric`` wins.
    place : int, default=LATE
        Place among the reasons of a finding. Below ``RARE_SURPRISE`` are rules that name what
        happened and speak before any surprise.
    begins : bool, default=False
        Whether its hits begin something that was not there before: later calls of the same pair
        belong to them.
    first_use : bool, default=False
        Whether the APIs of its hits are used for the first time.
    relative : bool, default=False
        Whether what it names is harmless where the app's week is: alone, of an app whose week was
        found ordinary, it is of medium severity at most.
    """

    name: str
    title: str
    kind: Kind
    method: str
    sentence: Callable[[Hit, str, str], str]
    techniques: tuple[str, ...] = ()
    benign: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    metric: str = "calls"
    place: int = LATE
    begins: bool = False
    first_use: bool = False
    relative: bool = False

    def __init_subclass__(cls) -> None:
        """Add the parameters that a kind of detector inherits to those its docstring names."""
        if "__init__" in vars(cls):
            return  # it names what it takes
        summary, _, own = inspect.cleandoc(cls.__doc__ or "").partition(_PARAMETERS)
        inherited = inspect.cleandoc(cls.__mro__[1].__doc__ or "").partition(_PARAMETERS)[2]
        cls.__doc__ = f"{summary}{_PARAMETERS}{inherited}\n{own}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.title}>"
