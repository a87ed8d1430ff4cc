"""Say a hit in one sentence, the way a person would."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from audit_analytics.cases import Hit

GROUP_NAMES: Final = {
    "VOL": "number of calls",
    "OBJ": "number of objects",
    "SENS": "calls of sensitive APIs",
    "TOK": "token requests",
    "ERR": "errors",
    "API": "mix of APIs",
    "NEWNET": "new networks",
    "NEWAPI": "new APIs",
}
OUTCOME_NAMES: Final = {
    "auth": "authentication",
    "permission": "permission",
    "not_found": "not-found",
    "rate_limit": "rate-limit",
    "param": "parameter",
    "server": "server",
    "other": "other",
}
MAX_NAMES: Final = 3


def explain_hit(hit: Hit, zone: str) -> str:
    """Say what was seen, when, and what was expected, without naming the entity.

    Parameters
    ----------
    hit : Hit
        What a detector found.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    str
        A clause that reads on after the entity's name, without a full stop.
    """
    return _CLAUSES[hit.detector](hit, zone)


def format_span(start: pd.Timestamp, end: pd.Timestamp, zone: str) -> str:
    """Say a time span on the tenant's clocks.

    Parameters
    ----------
    start, end : pandas.Timestamp
        Begin and end, UTC.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    str
        For example ``between 02:00 and 05:00 on Tue 10 Nov`` or ``on Tue 10 Nov``.

    Examples
    --------
    >>> import pandas as pd
    >>> start = pd.Timestamp("2026-11-09T18:00Z")
    >>> format_span(start, start + pd.Timedelta(hours=3), "Asia/Shanghai")
    'between 02:00 and 05:00 on Tue 10 Nov'
    """
    begin, finish = start.tz_convert(zone), end.tz_convert(zone)
    if begin == begin.normalize() and finish == finish.normalize():
        one_day = finish.date() - begin.date() == timedelta(days=1)
        return f"on {_day(begin)}" if one_day else f"from {_day(begin)} to {_day(finish)}"
    if begin.date() == finish.date() or finish == begin.ceil("D"):
        return f"between {begin:%H:%M} and {finish:%H:%M} on {_day(begin)}"
    return f"between {begin:%H:%M} on {_day(begin)} and {finish:%H:%M} on {_day(finish)}"


def format_start(start: pd.Timestamp, zone: str) -> str:
    """Say an instant on the tenant's clocks.

    Parameters
    ----------
    start : pandas.Timestamp
        An instant, UTC.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    str
        For example ``on Tue 10 Nov at 02:00``.
    """
    begin = start.tz_convert(zone)
    return f"on {_day(begin)} at {begin:%H:%M}"


def _day(at: pd.Timestamp) -> str:
    return f"{at:%a} {at.day} {at:%b}"


def count_of(number: float, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun.

    Parameters
    ----------
    number : float
        How many.
    noun : str
        Singular.
    plural : str, optional
        Plural; the singular with an ``s`` if not given.

    Returns
    -------
    str
        For example ``1 call`` or ``4,312 calls``.

    Examples
    --------
    >>> count_of(4312, "call"), count_of(1, "address", "addresses")
    ('4,312 calls', '1 address')
    """
    return f"{number:,.0f} {noun if round(number) == 1 else plural or noun + 's'}"


def list_names(names: list[str]) -> str:
    """Name the first few of many.

    Parameters
    ----------
    names : list of str
        Names, the most telling first.

    Returns
    -------
    str
        At most three names, and how many more.

    Examples
    --------
    >>> list_names(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    shown, more = names[:MAX_NAMES], len(names) - MAX_NAMES
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def show_api(api: str) -> str:
    """Write an API the way people do, with a space after the method.

    Parameters
    ----------
    api : str
        Canonical API.

    Returns
    -------
    str
        For example ``GET contact/v3/users/:user_id``.

    Examples
    --------
    >>> show_api("GET/open-apis/contact/v3/users/:user_id")
    'GET contact/v3/users/:user_id'
    """
    method, _, path = api.partition("/")
    return f"{method} {path.removeprefix('open-apis/')}" if path else api


def _expected(hit: Hit) -> str:
    low, high = f"{hit.low or 0:,.0f}", f"{hit.high or 0:,.0f}"
    usual = low if low == high else f"{low} to {high}"
    return f"{usual} {'was' if usual == '1' else 'were'} expected"


def _counted(what: str) -> Callable[[Hit, str], str]:
    def clause(hit: Hit, zone: str) -> str:
        when = format_span(hit.start_at, hit.end_at, zone)
        return f"{what} {count_of(hit.observed, 'time')} {when}; {_expected(hit)}"

    return clause


def _kind_of_api(hit: Hit) -> str:
    return "critical API" if hit.facts["critical"] else "sensitive API"


def _errors(hit: Hit, zone: str) -> str:
    name = OUTCOME_NAMES[hit.facts["label"]]
    when = format_span(hit.start_at, hit.end_at, zone)
    return f"met {count_of(hit.observed, f'{name} error')} {when}; {_expected(hit)}"


def _one_api(hit: Hit, zone: str) -> str:
    when = format_span(hit.start_at, hit.end_at, zone)
    api = show_api(hit.facts["label"])
    return f"called {api} {count_of(hit.observed, 'time')} {when}; {_expected(hit)}"


_FOREIGN: Final = (
    "which other apps of the tenant use",
    "a neighbour of networks the tenant uses",
    "where nobody in the tenant has called from before",
)


def _new_network(hit: Hit, zone: str) -> str:
    when = format_start(hit.start_at, zone)
    names = list_names(list(hit.facts["networks"]))
    place = _FOREIGN[hit.facts["foreign"]]
    calls = count_of(hit.observed, "call")
    said = f"called from {names}, {place}, for the first time {when}: {calls} within 24 hours"
    gap = hit.facts.get("gap_seconds")
    return f"{said}, one every {_gap(gap)} like a clock" if gap else said


def _gap(seconds: float) -> str:
    for unit, size in (("hour", 3600.0), ("minute", 60.0)):
        if seconds >= 1.95 * size or (seconds >= 0.95 * size and unit == "hour"):
            number = f"{seconds / size:.1f}".removesuffix(".0")
            return unit if number == "1" else f"{number} {unit}s"
    return count_of(seconds, "second")


def _objects(hit: Hit, zone: str) -> str:
    objects, when = count_of(hit.observed, "object"), format_span(hit.start_at, hit.end_at, zone)
    return f"touched {objects} {when}; {_expected(hit)}"


def _api_errors(hit: Hit, zone: str) -> str:
    when, name = format_span(hit.start_at, hit.end_at, zone), OUTCOME_NAMES[hit.facts["label"]]
    errors, apps = count_of(hit.observed, f"{name} error"), count_of(hit.facts["apps"], "app")
    return f"gave {apps} {errors} {when} without the app hit worst; {_expected(hit)}"


def _new_apis(hit: Hit, zone: str) -> str:
    sensitive = hit.facts["sensitive"]
    names = list_names([show_api(api) for api in sensitive or hit.facts["apis"]])
    kind = f", {len(sensitive)} of them sensitive" if sensitive else ""
    denied = f"; {count_of(hit.facts['denied'], 'call')} denied" if hit.facts["denied"] else ""
    apis = count_of(hit.observed, "API")
    when = format_start(hit.start_at, zone)
    return f"used {apis} for the first time {when}{kind} ({names}){denied}"


def _mixture(hit: Hit, zone: str) -> str:
    groups = [GROUP_NAMES[name] for name in hit.facts["groups"]] or ["everything taken together"]
    return f"was a little unusual in several ways {format_span(hit.start_at, hit.end_at, zone)}: {', '.join(groups)}"


def _ip_new_apps(hit: Hit, zone: str) -> str:
    apps, new = count_of(hit.facts["apps"], "app"), f"{hit.observed:,.0f}"
    when = format_span(hit.start_at, hit.end_at, zone)
    return f"served {apps} {when}, {new} of them for the first time"


def _ip_failing_apps(hit: Hit, zone: str) -> str:
    apps = count_of(hit.observed, "app")
    return f"saw {apps} fail to authenticate {format_span(hit.start_at, hit.end_at, zone)}"


def _ip_failures(hit: Hit, zone: str) -> str:
    failures, calls = count_of(hit.observed, "authentication failure"), hit.facts["calls"]
    when = format_span(hit.start_at, hit.end_at, zone)
    return f"brought {failures} in {count_of(calls, 'call')} {when}"


_CLAUSES: Final[dict[str, Callable[[Hit, str], str]]] = {
    "VOL": _counted("called"),
    "OBJ": _objects,
    "SENS": _counted("called sensitive APIs"),
    "TOK": _counted("asked for a token"),
    "ERR": _errors,
    "API": _one_api,
    "NEWNET": _new_network,
    "NEWAPI": _new_apis,
    "FOREST": _mixture,
    "NEWAPPS": _ip_new_apps,
    "AUTHAPPS": _ip_failing_apps,
    "AUTHFAIL": _ip_failures,
    "APIERR": _api_errors,
    "rule:new_network": lambda hit, zone: (
        f"called from {hit.facts['network']}, foreign to the whole tenant, for the first time "
        f"{format_start(hit.start_at, zone)}"
    ),
    "rule:many_networks": lambda hit, zone: (
        f"called from {count_of(hit.observed, 'network')} "
        f"{format_span(hit.start_at, hit.end_at, zone)}; "
        f"never more than {hit.facts['usual']} before"
    ),
    "rule:shared_ip": lambda hit, zone: (
        f"is new to the tenant, and {count_of(hit.observed, 'app')} called from it "
        f"{format_span(hit.start_at, hit.end_at, zone)}"
    ),
    "rule:denied_network": lambda hit, zone: (
        f"lies in {hit.facts['network']}, which is on the deny list; "
        f"{count_of(hit.observed, 'call')} {format_span(hit.start_at, hit.end_at, zone)}"
    ),
    "rule:auth_failures": lambda hit, zone: (
        f"failed {count_of(hit.facts['failures'], 'time')} to authenticate as "
        f"{count_of(hit.observed, 'app')} {format_span(hit.start_at, hit.end_at, zone)}"
    ),
    "rule:first_sensitive": lambda hit, zone: (
        f"used {count_of(len(hit.facts['apis']), _kind_of_api(hit))} for the first time "
        f"{format_start(hit.start_at, zone)} "
        f"({list_names([show_api(api) for api in hit.facts['apis']])}): "
        f"{count_of(hit.observed, 'call')}"
    ),
    "rule:audit_access": lambda hit, zone: (
        f"read audit logs {count_of(hit.observed, 'time')} "
        f"{format_span(hit.start_at, hit.end_at, zone)} "
        f"({list_names([show_api(api) for api in hit.facts['apis']])})"
    ),
    "rule:denied_then_allowed": lambda hit, zone: (
        f"was denied {show_api(hit.facts['api'])} {count_of(hit.observed, 'time')} and then allowed "
        f"{format_span(hit.start_at, hit.end_at, zone)}"
    ),
    "rule:dormant": lambda hit, zone: (
        f"woke {format_start(hit.start_at, zone)} after {hit.facts['quiet_days']} days "
        f"without a call: {count_of(hit.observed, 'call')}"
    ),
    "rule:enumeration": lambda hit, zone: (
        f"tried {hit.observed:,.0f} distinct objects of {show_api(hit.facts['api'])} in vain "
        f"{format_span(hit.start_at, hit.end_at, zone)}"
    ),
    "rule:probing": lambda hit, zone: (
        f"was denied {hit.observed:,.0f} distinct APIs "
        f"{format_span(hit.start_at, hit.end_at, zone)} "
        f"({list_names([show_api(api) for api in hit.facts['apis']])})"
    ),
    "rule:error_burst": lambda hit, zone: (
        f"met {hit.observed:,.0f} {OUTCOME_NAMES[hit.facts['outcome']]} errors in "
        f"{count_of(hit.facts['calls'], 'call')} within an hour "
        f"{format_span(hit.start_at, hit.end_at, zone)}"
    ),
    "rule:outage": lambda hit, zone: (
        f"answered {hit.facts['share']:.0%} of all calls with {OUTCOME_NAMES[hit.facts['outcome']]}"
        f" errors {format_span(hit.start_at, hit.end_at, zone)}, "
        f"for {count_of(hit.facts['apps'], 'app')}"
    ),
    "rule:rate_limited": lambda hit, zone: (
        f"was rate-limited {count_of(hit.observed, 'time')} {format_span(hit.start_at, hit.end_at, zone)}"
        f" ({hit.facts['share']:.0%} of its calls)"
    ),
    "rule:silence": lambda hit, zone: (
        f"made no call for {count_of(hit.facts['hours'], 'hour')}, "
        f"{format_span(hit.start_at, hit.end_at, zone)}; "
        f"{count_of(hit.expected or 0, 'call')} would be usual"
    ),
}
