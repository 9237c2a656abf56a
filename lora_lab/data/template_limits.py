"""What a chat template may make: so many characters, numbers of so many bits, and no bytes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from lora_lab.errors import DataError

SECONDS = 1.0  # of the thread's own processor time; a usual chat takes a thousandth
LARGEST = 2**21  # characters of any text that a template makes
WHOLE = 8 * LARGEST  # characters of all that a chat becomes
MADE = 2**27  # bytes of all texts and lists that a template makes on its way, as if none were freed
NOTED = 2**12  # characters, or entries, from which on they are counted
ENTRIES = 2**18  # of a list, and characters of a text that is looked at word by word
SOURCE = 2**17  # characters of a template; the longest of known models have 30,000
DATE = 2**10  # characters of the form of a date
INDENT = 100  # spaces, or characters, before each line of JSON
# Functions that look at each word or character in Python or by a pattern, and all that is bounded.
SLOW = {"title", "wordcount", "truncate", "list", "sort", "unique", "groupby", "reverse", "map",
        "sum", "capitalize"}  # fmt: skip
BY_NAME = {"center", "replace", "join", "indent", "format", "batch", "slice", "tojson", "trim",
           *SLOW}  # fmt: skip
WIDEST = 100_000  # number that a function may be given, as a width
BITS = 128  # of a whole number: two of millions are divided for minutes, and all else waits
# Tests that compare what they are given.
COMPARING = {"eq", "equalto", "==", "ne", "!=", "lt", "lessthan", "<", "le", "<=", "gt",
             "greaterthan", ">", "ge", ">=", "in", "odd", "even", "divisibleby"}  # fmt: skip
# Filters for pages and columns, some of which look back again and again; no chat is made of them.
FOR_PAGES = {"urlize", "wordwrap", "striptags", "xmlattr", "pprint"}
FROM_RIGHT = {"rfind", "rindex", "rsplit", "rpartition"}  # Python looks at each place for all of it
AT_ENDS = {"strip", "lstrip", "rstrip", "trim"}  # each letter is looked for among those given
VIEWS = type({}.keys()) | type({}.values()) | type({}.items())
WIDTH = re.compile(r"\d{5}")
WIDTHS = re.compile(r"\d{3,4}")
GIVEN_WIDTH = re.compile(r"%[^%a-zA-Z]*\*|\{[^{}]*\{")  # a width that is a value itself


class TemplateBudget(DataError):
    """A template that runs on for ever, or fills the memory."""

    def __init__(self, what: str = f"takes over {SECONDS:g} s for one chat") -> None:
        super().__init__(f"The chat template {what}, so it is not used. Choose another template.")


class _Made(threading.local):
    """What the template that this thread renders has made so far."""

    bytes = 0


made_so_far = _Made()


def counted(value: Any) -> Any:
    """`value`, which a template made, once it is counted."""
    if isinstance(value, bytes | bytearray | memoryview):
        raise TemplateBudget("makes bytes, which no chat is")
    usual(value)
    if isinstance(value, str | list | tuple) and len(value) > NOTED:
        each = (1 if value.isascii() else 4) if isinstance(value, str) else 32
        made_so_far.bytes += each * len(value)
        if made_so_far.bytes > MADE:
            raise TemplateBudget("makes too many long texts")
    return value


def usual(*values: Any) -> None:
    """Refuse whole numbers that take long to compute with."""
    if any(isinstance(value, int) and value.bit_length() > BITS for value in values):
        raise TemplateBudget("makes a number that is too large")


def narrow(*values: Any) -> None:
    """Refuse numbers that no function is to be given as a width, or as how many it is to make."""
    if any(isinstance(value, int) and abs(value) > WIDEST for value in values):
        raise TemplateBudget("makes a text that is too long")


def length(value: Any, most: int = WHOLE) -> int:
    """Characters that a value has as text, as far as they are no more than `most`."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, namespace()):
        value = value._Namespace__attrs
    if not isinstance(value, list | tuple | dict | VIEWS):
        return 1
    total = 2
    for item in value.items() if isinstance(value, dict) else value:
        total += 2 + length(item, most - total)
        if total > most:
            break
    return total


@cache
def namespace() -> type:
    """What templates keep values in; that of transformers is one of its kind."""
    from jinja2.utils import Namespace

    return Namespace


def written(value: Any) -> Any:
    """`value`, which is written as text next: a short list may hold one long text many times."""
    if length(value) > WHOLE:
        raise TemplateBudget("makes a text that is too long")
    return counted(value)


def nested(value: Any) -> Any:
    """`value`, which may hold the same lists again and again: to compare it would never end."""
    if isinstance(value, list | tuple | dict | VIEWS) and length(value, LARGEST) > LARGEST:
        raise TemplateBudget("makes a list that is too long")
    return value


def concat(parts: Iterable[str]) -> str:
    """All that a block of the template has written."""
    kept, total = [], 0
    for part in parts:
        kept.append(part)
        total += len(part)
        if total > WHOLE:
            raise TemplateBudget("makes a text that is too long")
    return counted("".join(kept))


def filled(form: str, values: Any) -> int:
    """Characters at most of a text that values are put into."""
    places = form.count("%") + form.count("{")
    return sum(map(int, WIDTHS.findall(form))) + places * length(values)


def checked(value: Any) -> Any:
    most = LARGEST if isinstance(value, str) else ENTRIES
    if isinstance(value, str | list | tuple | dict) and len(value) > most:
        raise TemplateBudget("makes a text that is too long")
    return value


def is_wide(form: str) -> bool:
    """Whether a text that others are put into asks for a large width, or for one that is given."""
    return bool(WIDTH.search(form) or GIVEN_WIDTH.search(form))


def bounded(
    name: str, function: Callable[..., Any], owner: Any, *arguments: Any, **named: Any
) -> Any:
    """Call a function of texts, where what it makes cannot be much longer than what it is given."""
    given = [*arguments, *named.values()]
    texts = [value for value in (owner, *given) if isinstance(value, str)]
    if name != "range" and texts:
        narrow(*given)
    if name not in ("range", "length", "count") and length(given) > WHOLE:
        raise TemplateBudget("makes a text that is too long")
    told = [value for value in given if isinstance(value, str)]
    sought = name in FROM_RIGHT | AT_ENDS and len(told) > (owner is None)
    if sought and len(texts[0]) * len(told[-1]) > 16 * LARGEST:
        raise TemplateBudget("looks for a text that is too long")
    if name == "sum" and any(isinstance(value, list | tuple) for value in given[2:]):
        raise TemplateBudget("makes a list that is too long")  # which is copied for each
    if name == "format" and owner is None and not isinstance(given[0], str):
        raise TemplateBudget("makes a text that is too long")
    forms = texts[:1] if name in ("format", "format_map") else ()
    wide = any(is_wide(form) or filled(form, given[owner is None :]) > WHOLE for form in forms)
    if name == "expandtabs":
        widest = max([8, *(n for n in given if isinstance(n, int))])
        wide = owner.count("\t") * widest > LARGEST
    slow = name in SLOW and any(len(text) > ENTRIES for text in texts)
    deep = name == "tojson" and any(
        n > INDENT if isinstance(n, int) else length(n) > INDENT
        for n in (*arguments[1:], *named.values())
    )
    if name in ("split", "rsplit", "splitlines"):
        apart = [part for part in given if isinstance(part, str) and part]
        slow = (owner.count(apart[0]) if apart else len(owner) // 2) > ENTRIES
    if wide or slow or deep:
        raise TemplateBudget("makes a text that is too long")
    if name in ("replace", "join", "indent", "translate"):
        lengths = sorted(len(text) for text in texts)
        lists = [len(value) for value in given if isinstance(value, list | tuple | dict)]
        if name == "translate":  # each letter may become any text of a table
            tables = (value.values() for value in given if isinstance(value, dict))
            lengths = sorted(
                [*lengths, *(len(t) for of in tables for t in of if isinstance(t, str))]
            )
        if len(lengths) > 1 and lengths[-1] * max(lengths[-2], 1) > 16 * LARGEST:
            raise TemplateBudget("makes a text that is too long")
        if lists and max(lists) * max([1, *lengths]) > 16 * LARGEST:
            raise TemplateBudget("makes a text that is too long")
    return checked(counted(function(*arguments, **named)))
