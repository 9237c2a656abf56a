"""PEFT's rules for module names: suffixes and patterns, matched without running a file's pattern.

PEFT runs a file's patterns as regular expressions, and one such as `(a+)+$` never ends. Here they
are parsed, and followed character by character through all of their ways at once, which takes
linear time. Names with escapes and dots alone, as files with a rank for every layer have them, are
looked up in a table.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from re import _constants as op
from re import _parser as parser
from typing import Any, Generic, TypeVar

from lora_lab.errors import AdapterError
from lora_lab.names import shown, suffixes

V = TypeVar("V")
PLAIN = re.compile(r"(\^?)((?:[^\\^$*+?{}\[\]()|\n]|\\[^\w\n])+)\$?")  # names, escapes and dots
MAX_LENGTH = 50_000  # characters of one pattern: to parse a million takes seconds
MAX_STATES = 2000  # of one pattern
MAX_WORK = 1_000_000  # states made and gone through for one table of patterns, half a second
MADE = 20  # to make a state costs as much as to go through so many
MAX_PATTERNS = 300  # that are more than a name, and forms of names with other dots
CATEGORIES: dict[Any, Callable[[str], bool]] = {
    op.CATEGORY_DIGIT: str.isdecimal,
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_WORD: lambda c: c.isalnum() or c == "_",
}
NOT = {
    op.CATEGORY_NOT_DIGIT: op.CATEGORY_DIGIT,
    op.CATEGORY_NOT_SPACE: op.CATEGORY_SPACE,
    op.CATEGORY_NOT_WORD: op.CATEGORY_WORD,
}


def no_pattern(text: str) -> str:
    """Why a text is no regular expression; "" where it is one. Nothing is matched."""
    try:
        _parsed(text)
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)
    return ""


def _parsed(pattern: str) -> Any:
    if len(pattern) > MAX_LENGTH:
        raise re.error(f"it has over {MAX_LENGTH:,} characters")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "possible nested set" and the like
        return parser.parse(pattern)


def ends_in(name: str, target: str) -> bool:
    """PEFT's rule for lists: the exact name, or a suffix at a dot."""
    return name == target or name.endswith(f".{target}")


def matches(pattern: str, name: str) -> bool:
    """PEFT's `re.match(rf"(.*\\.)?({pattern})$", name)`; raises as `Patterns` does."""
    return Patterns({pattern: True}).get(name, False)


class Patterns(Generic[V]):
    """A table of patterns, whose first that matches a name decides: PEFT's rank_pattern.

    Raises `AdapterError` for a pattern that is no regular expression, looks around, or is too long.
    """

    def __init__(self, table: Mapping[str, V]) -> None:
        self._values = list(table.values())
        # (anchored, length, positions of dots that stand for any character) → the rest → number
        self._names: dict[tuple[bool, int, tuple[int, ...]], dict[str, int]] = {}
        self._others: list[tuple[int, Automaton]] = []
        work = [0]  # of all patterns together
        for number, pattern in enumerate(table):
            if (plain := PLAIN.fullmatch(pattern)) is None:
                self._others.append((number, Automaton(rf"(.*\.)?({pattern})$", work)))
            else:
                parts = re.findall(r"\\.|.", plain[2])
                dots = tuple(i for i, part in enumerate(parts) if part == ".")
                rest = "".join(part[-1] for part in parts if part != ".")
                key = (bool(plain[1]), len(parts), dots)
                self._names.setdefault(key, {}).setdefault(rest, number)
            if max(len(self._others), len(self._names)) > MAX_PATTERNS:
                raise AdapterError(f"there are more than {MAX_PATTERNS} patterns that are no names")

    def get(self, name: str, default: V) -> V:
        """The value of the first pattern that matches, else `default`."""
        first = len(self._values)
        for (anchored, length, dots), numbers in self._names.items():
            for text in (name,) if anchored else suffixes(name):
                if len(text) == length:
                    rest = text
                    for position in reversed(dots):
                        rest = rest[:position] + rest[position + 1 :]
                    first = min(first, numbers.get(rest, first))
        for number, automaton in self._others:
            if number < first and automaton.matches(name):
                first = number
        return self._values[first] if first < len(self._values) else default


class Automaton:
    """A regular expression that has to match the whole of a name.

    State i has a test of one character and where it leads, or ways that read nothing. The sets of
    states that were reached are kept, so that names with a common beginning cost little more.
    """

    def __init__(self, pattern: str, work: list[int]) -> None:
        """Raises `AdapterError` for what no automaton does, as looking ahead, and what is long.

        `work` is a number that counts up, for each state that is gone through.
        """
        self._shown = shown(pattern)
        self._work = work
        self._tests: list[Callable[[str], bool] | None] = []
        self._ways: list[list[int]] = []
        self._at: list[Any] = []
        self._reached: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        try:
            tree = _parsed(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise AdapterError(f"the pattern {self._shown} is not one: {error}") from None
        if tree.state.flags & ~re.UNICODE.value:
            raise self._cannot("flags")
        self._end = self._state()
        self._start = self._sequence(tree, self._end)
        self._spend(MADE * len(self._tests))

    def matches(self, name: str) -> bool:
        """Whether the whole of `name` is matched."""
        states = self._closed({self._start}, begin=True)
        for char in name:
            key = (states, char)
            if key not in self._reached:
                self._spend(len(states))
                after = {
                    way
                    for state in states
                    if (test := self._tests[state]) is not None and test(char)
                    for way in self._ways[state]
                }
                self._reached[key] = self._closed(after)
            states = self._reached[key]
        return self._end in self._closed(set(states), begin=not name, end=True)

    def _spend(self, work: int) -> None:
        self._work[0] += work
        if self._work[0] > MAX_WORK:
            raise AdapterError(f"the pattern {self._shown} takes too long to be followed")

    def _closed(self, states: set[int], begin: bool = False, end: bool = False) -> frozenset[int]:
        """All states that are reached without reading a character."""
        found, left = set(states), list(states)
        while left:
            state = left.pop()
            place = self._at[state]
            if self._tests[state] is not None or (place and not (begin, end)[place == "end"]):
                continue
            new = [way for way in self._ways[state] if way not in found]
            found.update(new)
            left.extend(new)
        return frozenset(found)

    def _state(self, *ways: int, test: Any = None, at: str = "") -> int:
        if len(self._tests) >= MAX_STATES:
            raise AdapterError(f"the pattern {self._shown} is too long to be followed")
        self._tests.append(test)
        self._ways.append(list(ways))
        self._at.append(at)
        return len(self._tests) - 1

    def _sequence(self, items: Any, after: int) -> int:
        """The state before `items`, which lead to `after`."""
        for code, value in reversed(list(items)):
            after = self._item(code, value, after)
        return after

    def _item(self, code: Any, value: Any, after: int) -> int:
        if code in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            return self._state(after, test=self._test(code, value))
        if code is op.SUBPATTERN and not (value[1] or value[2]):
            return self._sequence(value[3], after)
        if code is op.BRANCH:
            return self._state(*(self._sequence(branch, after) for branch in value[1]))
        if code is op.AT and value in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
            return self._state(after, at="begin")
        if code is op.AT and value in (op.AT_END, op.AT_END_STRING):
            return self._state(after, at="end")
        if code not in (op.MAX_REPEAT, op.MIN_REPEAT):
            raise self._cannot(str(code).lower())
        least, most, body = value
        if most is op.MAXREPEAT:
            loop = self._state(after)
            self._ways[loop].append(self._sequence(body, loop))
            after = loop
        else:
            leave = after
            for _ in range(min(most - least, MAX_STATES)):
                after = self._state(self._sequence(body, after), leave)
        for _ in range(min(least, MAX_STATES)):
            after = self._sequence(body, after)
        return after

    def _test(self, code: Any, value: Any) -> Callable[[str], bool]:
        if code is op.ANY:
            return "\n".__ne__
        if code is op.LITERAL:
            return chr(value).__eq__
        if code is op.NOT_LITERAL:
            return chr(value).__ne__
        tests = [self._member(kind, item) for kind, item in value if kind is not op.NEGATE]
        negated = any(kind is op.NEGATE for kind, _ in value)
        return lambda char: any(test(char) for test in tests) != negated

    def _member(self, kind: Any, item: Any) -> Callable[[str], bool]:
        if kind is op.LITERAL:
            return chr(item).__eq__
        if kind is op.RANGE:
            return lambda char: item[0] <= ord(char) <= item[1]
        if kind is op.CATEGORY and item in NOT:
            return lambda char: not CATEGORIES[NOT[item]](char)
        if kind is op.CATEGORY and item in CATEGORIES:
            return CATEGORIES[item]
        raise self._cannot(str(kind).lower())

    def _cannot(self, what: str) -> AdapterError:
        return AdapterError(
            f"the pattern {self._shown} uses {what}; patterns of files are not run, so write the "
            "full module names instead"
        )
