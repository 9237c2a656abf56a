"""PEFT's rules for module names: targets by suffix, and patterns understood without running them.

PEFT runs a file's patterns as regular expressions, and one such as `(a+)+$` never ends. Here no
pattern of a file is run: names, dots, `^`, `$`, `.*`, `.+` and `\\d+` are understood by a matcher
that takes linear time, and a file that needs more is refused with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lora_lab.errors import AdapterError
from lora_lab.names import shown

# One step of a pattern: the test of a character, and whether it may repeat from zero times on.
Step = tuple[Callable[[str], bool], bool]


def ends_in(name: str, target: str) -> bool:
    """PEFT's rule for lists: the exact name, or a suffix at a dot."""
    return name == target or name.endswith(f".{target}")


def matches(pattern: str, name: str) -> bool:
    """PEFT's `re.match(rf"(.*\\.)?({pattern})$", name)`, in linear time and without `re`.

    Raises `AdapterError` as `steps_of` does.
    """
    steps, anchored = steps_of(pattern)
    last = len(steps)
    # The set of steps that may come next; a pattern may begin at the start or after any dot.
    states = _skip_optional({0}, steps)
    for position, char in enumerate(name):
        reached: set[int] = set()
        for state in states:
            if state < last and steps[state][0](char):
                reached.add(state if steps[state][1] else state + 1)
        if char == "." and not anchored and position + 1 < len(name):
            reached.add(0)
        states = _skip_optional(reached, steps)
    return last in states


def _skip_optional(states: set[int], steps: list[Step]) -> set[int]:
    """Every state that is reached without reading a character: a repetition may be left."""
    reached = set(states)
    for state in sorted(states):
        while state < len(steps) and steps[state][1]:
            state += 1
            reached.add(state)
    return reached


def steps_of(pattern: str) -> tuple[list[Step], bool]:
    """The steps of the pattern, and whether it holds from the start of the name only.

    Raises `AdapterError` where it uses groups, alternatives or other such means.
    """
    anchored = pattern.startswith("^")
    rest = pattern[anchored:]
    if rest.endswith("$") and not rest.endswith("\\$"):
        rest = rest[:-1]
    steps: list[Step] = []
    test: Callable[[str], bool]
    position = 0
    while position < len(rest):
        char = rest[position]
        position += 1
        if char == "\\" and rest[position : position + 1] == "d":
            test = str.isdecimal
            position += 1
        elif char == "\\" and re.fullmatch(r"[^A-Za-z0-9]", rest[position : position + 1]):
            test = rest[position].__eq__
            position += 1
        elif char == ".":
            test = "\n".__ne__
        elif char in "\\^$*+?{}[]()|":
            raise AdapterError(
                f"the pattern {shown(pattern)} is a regular expression with {char!r}; patterns of "
                "files are not run, so write the full module names instead"
            )
        else:
            test = char.__eq__
        repeat = rest[position : position + 1]
        if repeat in ("*", "+") and repeat:
            position += 1
            if repeat == "+":
                steps.append((test, False))
            steps.append((test, True))
        else:
            steps.append((test, False))
    return steps, anchored
