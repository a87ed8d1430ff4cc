"""The list of detectors: the only place that names them.

A detector is one object in one file of :mod:`audit_analytics.detect.groups` or
:mod:`audit_analytics.detect.rules`; without the file and its line here it is gone from settings,
report, documentation and everything else. Packages add their own under the entry point group
``audit_analytics.detectors``.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, TypeVar

from audit_analytics.detect._detector import Detector
from audit_analytics.detect.rules import Rule
from audit_analytics.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from audit_analytics.cases import Hit
    from audit_analytics.detect._rule_input import RuleInput

ENTRY_POINTS: Final = "audit_analytics.detectors"

D = TypeVar("D", bound=Detector)

_MODULES: Final = (
    # the order of the surprise groups is that of the columns the isolation forest sees
    "groups.volume",
    "groups.objects",
    "groups.slow",
    "groups.sensitive",
    "groups.tokens",
    "groups.errors",
    "groups.api_errors",
    "groups.one_api",
    "groups.new_networks",
    "groups.new_apis",
    "groups.ip_new_apps",
    "groups.ip_failing_apps",
    "groups.ip_failures",
    "groups.mixture",
    "groups.common",
    "groups.rest",
    "groups.birth",
    "rules.own_app",
    "rules.new_network",
    "rules.first_sensitive",
    "rules.high_impact_write",
    "rules.mass_delete",
    "rules.chain",
    "rules.dormant",
    "rules.enumeration",
    "rules.probing",
    "rules.denied_then_allowed",
    "rules.auth_failures",
    "rules.shared_ip",
    "rules.many_networks",
    "rules.refused_address",
    "rules.audit_access",
    "rules.silence",
    "rules.denied_network",
    "rules.error_burst",
    "rules.failing",
    "rules.outage",
    "rules.rate_limited",
    "rules.granted",
    "rules.switched_off",
    "rules.new_app",
    "rules.redirect_host",
    "rules.owner_left",
)

_chosen: ContextVar[dict[str, Detector] | None] = ContextVar("detectors", default=None)


@cache
def list_known() -> tuple[Detector, ...]:
    """List the detectors of this package and of installed ones.

    Returns
    -------
    tuple of Detector
        In the order of the list, then by the name of the entry point.

    Raises
    ------
    ConfigError
        An installed package's detector cannot be loaded, or is none.
    """
    modules = [import_module(f"audit_analytics.detect.{name}") for name in _MODULES]
    own = [next(f for f in vars(module).values() if isinstance(f, Detector)) for module in modules]
    others = [
        _load(point.load, f"{point.value} (entry point {ENTRY_POINTS})")
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    ]
    return _check_names([*own, *others])


def load_detector(place: str) -> Detector:
    """Load a detector by its place.

    Parameters
    ----------
    place : str
        ``module:object``.

    Returns
    -------
    Detector
        The object.

    Raises
    ------
    ConfigError
        There is no such module or object, or it is no detector.

    Examples
    --------
    >>> load_detector("audit_analytics.detect.rules.silence:find_silence").name
    'rule:silence'
    """
    module, _, name = place.partition(":")
    if not (module and name):
        raise ConfigError(f"{place!a} names no detector; write module:object")
    return _load(lambda: getattr(import_module(module), name), place)


@contextmanager
def use_detectors(detectors: Iterable[Detector]) -> Iterator[None]:
    """Use other detectors inside a ``with`` block.

    Parameters
    ----------
    detectors : iterable of Detector
        Which; the former ones are back after the block.

    Yields
    ------
    None
        Inside, :func:`list_detectors` returns them.

    Raises
    ------
    ConfigError
        Two have the same name.
    """
    token = _chosen.set({found.name: found for found in _check_names(detectors)})
    try:
        yield
    finally:
        _chosen.reset(token)


def list_detectors(kind: type[D]) -> list[D]:
    """List the detectors in use.

    Parameters
    ----------
    kind : type of Detector
        ``Rule``, ``CountGroup``, ... or ``Detector`` for all of them.

    Returns
    -------
    list of Detector
        In the order of the list.

    Examples
    --------
    >>> len(list_detectors(Rule)) > 15
    True
    """
    return [found for found in _in_use().values() if isinstance(found, kind)]


def find_detector(name: str) -> Detector:
    """Return a detector in use by its name.

    Parameters
    ----------
    name : str
        ``VOL``, ``rule:dormant``, ...

    Returns
    -------
    Detector
        The detector.

    Raises
    ------
    ConfigError
        None has that name.
    """
    try:
        return _in_use()[name]
    except KeyError:
        raise ConfigError(
            f"no detector {name!a} is in use; it was, when the report was made"
        ) from None


def run_rules(data: RuleInput) -> list[Hit]:
    """Run the rules in use.

    Parameters
    ----------
    data : RuleInput
        The tenant and the week.

    Returns
    -------
    list of Hit
        In the order of the list; a forged log may set one off a thousand times, see
        :func:`audit_analytics.detect._limit.limit_hits`.
    """
    return [hit for rule in list_detectors(Rule) for hit in rule(data)]


def _in_use() -> dict[str, Detector]:
    chosen = _chosen.get()
    return {found.name: found for found in list_known()} if chosen is None else chosen


def _load(load: Callable[[], object], place: str) -> Detector:
    try:
        found = load()
    except Exception as error:  # noqa: BLE001 - whatever somebody else's module raises
        raise ConfigError(f"detector {place}: cannot be loaded ({error!a})") from None
    if not isinstance(found, Detector):
        raise ConfigError(f"detector {place}: is no rule and no metric; decorate it with aa.rule")
    return found


def _check_names(detectors: Iterable[Detector]) -> tuple[Detector, ...]:
    found = tuple(detectors)
    names = [detector.name for detector in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"two detectors are called {twice[0]!a}; give one of them another name")
    return found
