"""Match a logged call to a catalogued API, however its parameters are written."""

from __future__ import annotations

import csv
import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from audit_analytics.catalogue._by_name import GUESSES, guess_severity
from audit_analytics.catalogue._keys import (
    MAX_KEY,
    is_placeholder,
    is_route_word,
    normalize_spelling,
    resolve_segments,
    split_key,
)
from audit_analytics.errors import ConfigError
from audit_analytics.schema import SENSITIVE, SEVERITIES

_TABLES: Final = ("pattern", "severity", "api")
_NAME_MAX: Final = 512
"""Longest name of an API outside the catalogue, in characters; further segments are left out."""


@dataclass(frozen=True, slots=True)
class Match:
    """What the catalogue says about a call.

    Parameters
    ----------
    api : str
        Canonical METHOD/path with ``:placeholders``.
    category, severity : str
        What it is about, and one of ``schema.SEVERITIES``. Outside the catalogue 'unknown', and a
        guess by :func:`propose_rating`, at most 'high'.
    known : bool
        Whether the API is in the catalogue.
    template : tuple of str
        Segments of the canonical path; those that begin with ':' are placeholders.
    """

    api: str
    category: str
    severity: str
    known: bool
    template: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    folded: dict[str, _Node] = field(default_factory=dict)
    placeholder: _Node | None = None
    matches: dict[str, Match] = field(default_factory=dict)

    def find(self, segments: list[str], method: str, *, at: int = 0, folds: bool) -> Match | None:
        """Find the segments from `at` on, literals in any letter case if it `folds`."""
        if at == len(segments):
            return self.matches.get(method)
        segment = segments[at]
        child = self.folded.get(segment.casefold()) if folds else self.literal.get(segment)
        for node in filter(None, (child, self.placeholder)):
            found = node.find(segments, method, at=at + 1, folds=folds)
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class _Rule:
    category: str
    severity: str
    pattern: re.Pattern[str]


class Catalogue:
    """The catalogued APIs with their sensitivity.

    Parameters
    ----------
    rules : iterable of mapping, optional
        The user's patterns, each with 'category', 'severity' and 'pattern' (a regular expression
        searched in METHOD/path). They come before the shipped ones and, unlike those, also apply
        to APIs outside the catalogue. A ConfigError if one is not usable.
    severities, ratings : mapping of str, optional
        Severity of single APIs, or their 'category' and 'severity', keyed METHOD/path in any
        spelling; overrides every pattern.

    Raises
    ------
    ConfigError
        A pattern or a severity is not usable.

    Examples
    --------
    >>> match = Catalogue.default().match("get https://open.feishu.cn/open-apis/contact/v3/users/ou_1")
    >>> match.api, match.severity
    ('GET/open-apis/contact/v3/users/:user_id', 'low')
    """

    def __init__(
        self,
        rules: Iterable[Mapping[str, Any]] | None = None,
        severities: Mapping[str, str] | None = None,
        ratings: Mapping[str, Any] | None = None,
    ) -> None:
        self._rules = [_build_rule(rule) for rule in rules or ()]
        self._ratings: dict[str, dict[str, Any]] = {}
        self._root = _Node()
        shipped = tomllib.loads(_read_data("sensitivity.toml"))["pattern"]
        ordered = [*self._rules, *map(_build_rule, shipped)]
        for row in csv.DictReader(_read_data("apis.csv").splitlines()):
            self._add(row["method"], row["path"], ordered)
        for key, rating in (ratings or {}).items():
            if not isinstance(rating, dict) or rating.keys() != {"category", "severity"}:
                raise ConfigError(f"[api] {key!r} needs category and severity, and nothing else")
            if not (isinstance(rating["category"], str) and rating["category"]):
                raise ConfigError(f"category of {key!r} must be text: put it in quotes")
            self._rate(key, rating)
        for key, severity in (severities or {}).items():
            self._rate(key, {"severity": severity})

    @classmethod
    @cache
    def default(cls) -> Catalogue:
        """Return the catalogue as shipped, the same object at every call.

        Returns
        -------
        Catalogue
            The catalogue.
        """
        return cls()

    def match(self, api_raw: str, method: str = "", path: str = "") -> Match:
        """Find the API a call was made to.

        Parameters may stand as ``:x``, ``{x}`` or a literal id; a literal segment beats a placeholder.
        What is the same route however it is spelled is found too: host, query string, letter case,
        percent-encoding, compatibility forms (Unicode NFKC), ``;parameters``, doubled slashes, dot
        segments. Where a segment could be an id or a literal spelled otherwise, the more severe API
        counts. Outside the catalogue whatever looks like an id becomes ``:id``.

        Parameters
        ----------
        api_raw : str
            ``api_key`` as logged: METHOD + path, or a path alone.
        method, path : str, optional
            As logged; used where `api_raw` names no method, or is not in the catalogue.

        Returns
        -------
        Match
            The API; ``known`` is False outside the catalogue.

        Examples
        --------
        >>> Catalogue.default().match("POST/open-apis/new/v1/things/7391").api
        'POST/open-apis/new/v1/things/:id'
        >>> Catalogue.default().match("GET/Open-APIs/im%2Fv1/chats;a=1/").api
        'GET/open-apis/im/v1/chats'
        """
        verb, segments = split_key(api_raw, method)
        found = self._find(api_raw, method)
        if found is None and path:
            found = self._find(path, method or verb)
            if not segments:
                verb, segments = split_key(path, method or verb)
        return found or self._override(self._describe_unknown(verb, segments))

    def sensitive_apis(self) -> list[str]:
        """List the APIs of severity high or critical.

        Returns
        -------
        list of str
            Canonical METHOD/path, sorted.

        Examples
        --------
        >>> "POST/open-apis/admin/v1/password/reset" in Catalogue.default().sensitive_apis()
        True
        """
        return sorted(match.api for match in self if match.severity in SENSITIVE)

    def digest(self) -> str:
        """Return a fingerprint of what the catalogue says about every API.

        Returns
        -------
        str
            16 hexadecimal digits; the same for the same APIs, patterns and severities.

        Examples
        --------
        >>> Catalogue.default().digest() == Catalogue().digest()
        True
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        known = sorted(f"{match.api}\t{match.category}\t{match.severity}" for match in self)
        own = [f"{rule.category}\t{rule.severity}\t{rule.pattern.pattern}" for rule in self._rules]
        single = [
            "\t".join((api, *rating.values())) for api, rating in sorted(self._ratings.items())
        ]
        text = "\n".join([*known, "", *own, "", *single, "", GUESSES])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __iter__(self) -> Iterator[Match]:
        """Yield every catalogued API."""
        nodes = [self._root]
        while nodes:
            node = nodes.pop()
            for found in node.matches.values():
                yield self._override(found)
            nodes += node.literal.values()
            nodes += [node.placeholder] if node.placeholder else []

    def _find(self, key: str, method: str) -> Match | None:
        if len(key) >= MAX_KEY and len(key.partition("?")[0]) >= MAX_KEY:
            return None
        verb, segments = split_key(key, method)
        plain = self._root.find(segments, verb, folds=False)
        if plain and all(
            is_placeholder(segment)
            for segment, name in zip(segments, plain.template, strict=True)
            if name.startswith(":")
        ):
            return self._override(plain)
        # what stands for a parameter may be a literal in another spelling
        verb, segments = split_key(normalize_spelling(key[:MAX_KEY]), method)
        respelled = self._root.find(resolve_segments(segments), verb, folds=True)
        found = [self._override(match) for match in (respelled, plain) if match]
        return max(found, key=lambda match: SEVERITIES.index(match.severity), default=None)

    def _rate(self, key: str, rating: dict[str, Any]) -> None:
        _check_severity(rating["severity"], key)
        self._ratings.setdefault(self.match(key).api, {}).update(rating)

    def _override(self, match: Match) -> Match:
        rating = self._ratings.get(match.api)
        if not rating:
            return match
        # whose severity the user names is outside of the catalogue no longer
        category = "other" if match.category == "unknown" else match.category
        return replace(match, **{"category": category} | rating)

    def _add(self, method: str, path: str, rules: list[_Rule]) -> None:
        api = method + path
        template = tuple(path.strip("/").split("/"))
        node = self._root
        for segment in template:
            if segment.startswith(":"):
                node.placeholder = node = node.placeholder or _Node()
            else:
                child = node.literal.setdefault(segment, _Node())
                node.folded.setdefault(segment.casefold(), child)
                node = child
        category, severity = _apply_rules(rules, api) or ("other", "none")
        node.matches[method] = Match(api, category, severity, True, template)

    def _describe_unknown(self, method: str, segments: list[str]) -> Match:
        kept = [segment if is_route_word(segment) else ":id" for segment in segments]
        lengths = accumulate(len(segment) + 1 for segment in kept)
        template = tuple(s for s, length in zip(kept, lengths, strict=True) if length <= _NAME_MAX)
        api = "/".join((method, *template)) if template else ""
        category, severity = _apply_rules(self._rules, api) or ("unknown", guess_severity(api))
        return Match(api, category, severity, False, template)


def load_catalogue(overrides: Path | None = None) -> Catalogue:
    """Read the catalogue with the user's own patterns and severities.

    Parameters
    ----------
    overrides : pathlib.Path, optional
        TOML file with tables ``[[pattern]]`` (category, severity, pattern), ``[severity]``
        ("METHOD/path" = severity) and ``[api]`` ("METHOD/path" = {category, severity}, as
        :func:`write_starter` writes it); a ConfigError if it cannot be understood.

    Returns
    -------
    Catalogue
        The shipped catalogue where `overrides` is None.

    Raises
    ------
    ConfigError
        The file cannot be read, or holds something else.

    Examples
    --------
    >>> len(load_catalogue().sensitive_apis()) > 300
    True
    """
    if overrides is None:
        return Catalogue.default()
    try:
        content = tomllib.loads(overrides.read_text(encoding="utf-8"))
        _check_tables(content)
        return Catalogue(*(content.get(name) for name in _TABLES))
    except OSError as error:
        raise ConfigError(
            f"catalogue file {overrides}: {error.strerror or error}. Check the path of the setting."
        ) from error
    except ConfigError as error:
        raise ConfigError(f"catalogue file {overrides}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"catalogue file {overrides} is not valid TOML: {error}. Correct that place."
        ) from error


def _check_tables(content: dict[str, Any]) -> None:
    unknown = sorted(content.keys() - set(_TABLES))
    if unknown:
        raise ConfigError(
            f"unknown table(s) {', '.join(unknown)}: use [[pattern]], [severity] and [api] only"
        )
    if not isinstance(content.get("pattern", []), list):
        raise ConfigError("write [[pattern]] with double brackets, one table a pattern")
    if not isinstance(content.get("severity", {}), dict):
        raise ConfigError('write [severity] as a table of lines "METHOD/path" = "high"')
    if not isinstance(content.get("api", {}), dict):
        raise ConfigError(
            'write [api] as lines "METHOD/path" = {category = "...", severity = "..."}'
        )


def _apply_rules(rules: list[_Rule], api: str) -> tuple[str, str] | None:
    for rule in rules:
        if rule.pattern.search(api):
            return rule.category, rule.severity
    return None


def _build_rule(rule: Mapping[str, Any]) -> _Rule:
    names = {"category", "severity", "pattern"}
    if not isinstance(rule, dict) or rule.keys() != names:
        raise ConfigError(
            "every [[pattern]] needs category, severity and pattern, and nothing else"
        )
    if not all(isinstance(value, str) and value for value in rule.values()):
        raise ConfigError("category, severity and pattern must be text: put them in quotes")
    _check_severity(rule["severity"], rule["pattern"])
    try:
        return _Rule(rule["category"], rule["severity"], re.compile(rule["pattern"]))
    except re.error as error:
        raise ConfigError(
            f"pattern {rule['pattern']!r} is not a regular expression: {error}. Correct it."
        ) from error


def _check_severity(severity: object, name: str) -> None:
    if severity not in SEVERITIES:
        raise ConfigError(f"severity {severity!r} of {name!r}: use one of {', '.join(SEVERITIES)}")


def _read_data(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
