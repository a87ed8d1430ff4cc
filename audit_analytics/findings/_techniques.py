"""ATT&CK techniques: of those a detector names, the ones that follow from what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

MUCH: Final = 0.1
"""Share of calls the platform could not bear, from which on it may be said to be attacked."""

MANY_APIS: Final = 3
"""Distinct APIs from which on somebody may be said to look around."""


def _category(*words: str, only: str = "") -> Callable[[pd.DataFrame], bool]:
    def seen(calls: pd.DataFrame) -> bool:
        rows = calls[calls["outcome"] == only] if only else calls
        return bool(rows["category"].astype("str").str.contains("|".join(words)).any())

    return seen


def _share(calls: pd.DataFrame, *names: str) -> float:
    mine = calls.loc[calls["outcome"].isin(names), "calls_count"].sum()
    return float(mine / max(calls["calls_count"].sum(), 1))


def _outcome(*names: str) -> Callable[[pd.DataFrame], bool]:
    return lambda calls: bool(calls["outcome"].isin(names).any())


def _read(calls: pd.DataFrame) -> bool:
    got = calls[calls["outcome"] == "ok"]
    return bool(got["severity"].isin(("medium", "unknown", *schema.SENSITIVE)).any())


_SEEN: Final[dict[str, Callable[[pd.DataFrame], bool]]] = {
    "T1069.003": _outcome("permission"),
    "T1078.004": _outcome("ok"),
    "T1087.004": _category("directory", "user_", "org_", "hr_", "recon"),
    "T1098.003": _category("grant", "permission", "admin", "control", "write", only="ok"),
    "T1110.004": _outcome("auth"),
    "T1213": _read,
    "T1485": _category("destructive", only="ok"),
    "T1499": lambda calls: _share(calls, "rate_limit", "server") >= MUCH,
    "T1526": lambda calls: calls["api"].nunique() >= MANY_APIS,
    "T1528": _category("token"),
    "T1530": _category("doc_", "drive", "export", "table_", only="ok"),
    "T1531": _category("session", "credential", "lifecycle", "write", only="ok"),
    "T1550.001": _category("token"),
    "T1567": _category("export", "send", "permission", "exchange", only="ok"),
}
"""What must be among the calls of a finding for a technique to be named; others need nothing."""


def list_seen(techniques: Iterable[str], calls: pd.DataFrame) -> list[str]:
    """Return the techniques that follow from the calls of a finding, each once.

    Thirteen calls an hour are no denial of service, and a search that was refused has collected
    nothing.
    """
    return [t for t in dict.fromkeys(techniques) if t not in _SEEN or _SEEN[t](calls)]
