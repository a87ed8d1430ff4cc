"""Count the steps a backtracking engine takes, to show linear cost without a clock.

A small matcher over the parse tree of :mod:`re`: it finds what ``re`` finds, trying alternatives in
the same order, and counts every character and every alternative it looks at. ``re`` skips some of
them, so its cost grows no faster.
"""

import re
from re import _constants as op
from re import _parser as parser


class CountingPattern:
    """A pattern that is used like the one it stands for and counts the steps.

    Parameters
    ----------
    pattern : re.Pattern
        The pattern.
    """

    def __init__(self, pattern):
        self._pattern = pattern
        self._tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
        self.steps = 0

    def match(self, text, at=0):
        self._try_at(text, at)
        return self._pattern.match(text, at)

    def fullmatch(self, text, at=0):
        self._try_at(text, at)
        return self._pattern.fullmatch(text, at)

    def search(self, text, at=0):
        found = self._pattern.search(text, at)
        for start in range(at, (found.start() if found else len(text)) + 1):
            self._try_at(text, start)
        return found

    def finditer(self, text, at=0):
        for found in self._pattern.finditer(text, at):
            self._try_from(text, at, found)
            at = max(found.end(), at + 1)
            yield found
        self._try_from(text, at, None)

    def findall(self, text):
        return [found[0] for found in self.finditer(text)]

    def sub(self, replacement, text):
        for _ in self.finditer(text):
            pass
        return self._pattern.sub(replacement, text)

    def _try_from(self, text, at, found):
        for start in range(at, (found.start() if found else len(text)) + 1):
            self._try_at(text, start)

    def _try_at(self, text, at):
        next(self._walk(list(self._tree), 0, text, at, self._pattern.flags), None)

    def _walk(self, nodes, place, text, at, flags):
        """Yield the ends of all matches of nodes[place:], first choice first."""
        if place == len(nodes):
            yield at
            return
        for end in self._one(nodes[place], text, at, flags):
            yield from self._walk(nodes, place + 1, text, end, flags)

    def _one(self, node, text, at, flags):
        self.steps += 1
        code, value = node
        if code in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            if at < len(text) and self._fits(node, text[at], flags):
                yield at + 1
        elif code is op.BRANCH:
            for branch in value[1]:
                yield from self._walk(list(branch), 0, text, at, flags)
        elif code is op.SUBPATTERN:
            _, added, removed, inner = value
            yield from self._walk(list(inner), 0, text, at, (flags | added) & ~removed)
        elif code is op.ATOMIC_GROUP:
            yield from [*self._first(list(value), text, at, flags)]
        elif code in (op.ASSERT, op.ASSERT_NOT):
            yield from self._assert(node, text, at, flags)
        elif code is op.AT:
            yield from [at] if _is_place(value, text, at) else []
        else:
            yield from self._repeat(code, value, text, at, flags)

    def _assert(self, node, text, at, flags):
        code, (direction, inner) = node
        start = at if direction > 0 else at - inner.getwidth()[1]
        there = start >= 0 and [*self._first(list(inner), text, start, flags)]
        if bool(there) == (code is op.ASSERT):
            yield at

    def _repeat(self, code, value, text, at, flags):
        least, most, inner = value
        nodes = list(inner)
        if code is op.MIN_REPEAT:
            times, end = 0, at
            while times <= most:
                if times >= least:
                    yield end
                end = next(self._first(nodes, text, end, flags), None)
                if end is None:
                    return
                times += 1
            return
        # iterations are tried with their first choice; the patterns here have none but that matters
        ends = [at]
        while len(ends) <= most:
            end = next(self._first(nodes, text, ends[-1], flags), None)
            if end is None or end == ends[-1]:
                break
            ends.append(end)
        if len(ends) <= least:
            return
        if code is op.POSSESSIVE_REPEAT:
            yield ends[-1]
        else:
            for end in reversed(ends[least:]):
                self.steps += 1
                yield end

    def _first(self, nodes, text, at, flags):
        yield from [
            end for end in [next(self._walk(nodes, 0, text, at, flags), None)] if end is not None
        ]

    def _fits(self, node, character, flags):
        code, value = node
        if code is op.ANY:
            return character != "\n" or bool(flags & re.DOTALL)
        if code in (op.LITERAL, op.NOT_LITERAL):
            same = chr(value) == character
            if flags & re.IGNORECASE:
                same = chr(value).casefold() == character.casefold()
            return same == (code is op.LITERAL)
        return _SETS(str(value), character, flags, value)


def _is_place(place, text, at):
    before, after = (bool(re.match(r"\w", text[n : n + 1])) for n in (max(at - 1, 0), at))
    return {
        op.AT_BOUNDARY: (before and at > 0) != after,
        op.AT_END_STRING: at == len(text),
        op.AT_END: at == len(text),
        op.AT_BEGINNING: at == 0,
        op.AT_BEGINNING_STRING: at == 0,
    }[place]


def _in_set(_, character, flags, value):
    negated = value[0][0] is op.NEGATE
    kinds = {
        op.CATEGORY_DIGIT: r"\d",
        op.CATEGORY_NOT_DIGIT: r"\D",
        op.CATEGORY_SPACE: r"\s",
        op.CATEGORY_NOT_SPACE: r"\S",
        op.CATEGORY_WORD: r"\w",
        op.CATEGORY_NOT_WORD: r"\W",
    }
    spelled = {
        character,
        *((character.lower(), character.upper()) if flags & re.IGNORECASE else ()),
    }
    found = False
    for code, content in value[negated:]:
        if code is op.LITERAL:
            found |= chr(content) in spelled
        elif code is op.RANGE:
            found |= any(len(c) == 1 and content[0] <= ord(c) <= content[1] for c in spelled)
        else:
            found |= bool(re.match(kinds[content], character, flags & re.ASCII))
    return found != negated


_KEPT = {}


def _SETS(name, character, flags, value):  # noqa: N802 - a table that fills itself
    key = name, character, flags
    if key not in _KEPT:
        _KEPT[key] = _in_set(name, character, flags, value)
    return _KEPT[key]


def count_patterns(monkeypatch, module):
    """Make all patterns of a module count; return them."""
    counting = {
        name: CountingPattern(value)
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
    }
    for name, pattern in counting.items():
        monkeypatch.setattr(module, name, pattern)
    return [*counting.values()]
