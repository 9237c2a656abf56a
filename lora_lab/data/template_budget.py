"""A chat template gets so much time and so many characters: it is a stranger's program.

transformers renders it in a sandbox that keeps it from files and modules. Two loops within each
other still run for ever there, and a short text that is doubled forty times fills any memory.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial, update_wrapper
from typing import Any

from lora_lab.errors import DataError
from lora_lab.time_limit import limited

SECONDS = 1.0  # of the thread's own processor time; a usual chat takes a thousandth
LARGEST = 2**21  # characters of any text that a template makes
WHOLE = 8 * LARGEST  # characters of all that a chat becomes
MADE = 2**27  # bytes of all texts and lists that a template makes on its way, as if none were freed
NOTED = 2**12  # characters, or entries, from which on they are counted
ENTRIES = 2**18  # of a list, and characters of a text that is looked at word by word
SOURCE = 2**18  # characters of a template; the longest of known models have 30,000
DATE = 2**10  # characters of the form of a date
INDENT = 100  # spaces, or characters, before each line of JSON
# Functions that look at each word or character in Python or by a pattern, and all that is bounded.
SLOW = {"urlize", "striptags", "title", "wordcount", "wordwrap", "xmlattr", "pprint", "truncate",
        "list", "sort", "unique", "groupby", "reverse", "map", "sum", "capitalize"}  # fmt: skip
BY_NAME = {"center", "replace", "join", "indent", "format", "batch", "slice", "tojson", *SLOW}
WIDEST = 100_000  # number that a function of texts may be given, as a width
WIDTH = re.compile(r"\d{5}")
WIDTHS = re.compile(r"\d{3,4}")
GIVEN_WIDTH = re.compile(r"%[^%a-zA-Z]*\*|\{[^{}]*\{")  # a width that is a value itself


class TemplateBudget(DataError):
    """A template that runs on for ever, or fills the memory."""

    def __init__(self, what: str = f"takes over {SECONDS:g} s for one chat") -> None:
        super().__init__(f"The chat template {what}, so it is not used. Choose another template.")


@contextmanager
def budget() -> Iterator[None]:
    """What renders a template in this block ends in time; raises `TemplateBudget` else."""
    _install()
    _made.bytes = 0
    with limited(SECONDS, TemplateBudget):
        yield


class _Made(threading.local):
    """What the template that this thread renders has made so far."""

    bytes = 0


_made = _Made()


def _counted(value: Any) -> Any:
    """`value`, a new text or list, once it is counted."""
    if isinstance(value, str | list | tuple) and len(value) > NOTED:
        each = (1 if value.isascii() else 4) if isinstance(value, str) else 32
        _made.bytes += each * len(value)
        if _made.bytes > MADE:
            raise TemplateBudget("makes too many long texts")
    return value


def _length(value: Any, most: int = WHOLE) -> int:
    """Characters that a value has as text, as far as they are no more than `most`."""
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, list | tuple | dict):
        return 1
    total = 2
    for item in value.items() if isinstance(value, dict) else value:
        total += 2 + _length(item, most - total)
        if total > most:
            break
    return total


def _written(value: Any) -> Any:
    """`value`, which is written as text next: a short list may hold one long text many times."""
    if _length(value) > WHOLE:
        raise TemplateBudget("makes a text that is too long")
    return _counted(value)


def _nested(value: Any) -> Any:
    """`value`, which may hold the same lists again and again: to compare it would never end."""
    if isinstance(value, list | tuple | dict) and _length(value, LARGEST) > LARGEST:
        raise TemplateBudget("makes a list that is too long")
    return value


def _concat(parts: Iterable[str]) -> str:
    """All that a block of the template has written."""
    kept, total = [], 0
    for part in parts:
        kept.append(part)
        total += len(part)
        if total > WHOLE:
            raise TemplateBudget("makes a text that is too long")
    return _counted("".join(kept))


def _filled(form: str, values: Any) -> int:
    """Characters at most of a text that values are put into."""
    places = form.count("%") + form.count("{")
    return sum(map(int, WIDTHS.findall(form))) + places * _length(values)


def _checked(value: Any) -> Any:
    most = LARGEST if isinstance(value, str) else ENTRIES
    if isinstance(value, str | list | tuple | dict) and len(value) > most:
        raise TemplateBudget("makes a text that is too long")
    return value


def _is_wide(form: str) -> bool:
    """Whether a text that others are put into asks for a large width, or for one that is given."""
    return bool(WIDTH.search(form) or GIVEN_WIDTH.search(form))


def _bounded(
    name: str, function: Callable[..., Any], owner: Any, *arguments: Any, **named: Any
) -> Any:
    """Call a function of texts, where what it makes cannot be much longer than what it is given."""
    given = [*arguments, *named.values()]
    texts = [value for value in (owner, *given) if isinstance(value, str)]
    if name != "range" and any(type(n) is int and abs(n) > WIDEST for n in given) and texts:
        raise TemplateBudget("makes a text that is too long")
    if name not in ("range", "length", "count") and _length(given) > WHOLE:
        raise TemplateBudget("makes a text that is too long")
    forms = texts[:1] if name in ("format", "format_map") else ()
    wide = any(_is_wide(form) or _filled(form, given[owner is None :]) > WHOLE for form in forms)
    if name == "expandtabs":
        widest = max([8, *(n for n in given if isinstance(n, int))])
        wide = owner.count("\t") * widest > LARGEST
    slow = name in SLOW and any(len(text) > ENTRIES for text in texts)
    deep = name == "tojson" and any(
        (isinstance(n, int) and n > INDENT) or (isinstance(n, str) and len(n) > INDENT)
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
        if len(lengths) > 1 and lengths[-1] * max(lengths[-2], 1) > 16 * LARGEST:
            raise TemplateBudget("makes a text that is too long")
        if lists and max(lists) * max([1, *lengths]) > 16 * LARGEST:
            raise TemplateBudget("makes a text that is too long")
    return _checked(_counted(function(*arguments, **named)))


@cache
def _install() -> None:
    """Let transformers compile templates in an environment that counts."""
    from jinja2 import nodes
    from jinja2.compiler import CodeGenerator, Frame, operators
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from transformers.utils import chat_template_utils as library

    class Counting(CodeGenerator):
        def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
            self.write("environment.joined((")
            for part in node.nodes:
                self.visit(part, frame)
                self.write(", ")
            self.write("))")

        def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
            cut = isinstance(node.arg, nodes.Slice)
            self.write("environment.counted(" if cut else "")
            super().visit_Getitem(node, frame)
            self.write(")" if cut else "")

        def visit_List(self, node: nodes.List, frame: Frame) -> None:
            self.write("environment.nested(")
            super().visit_List(node, frame)
            self.write(")")

        def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
            self.write("environment.nested(" if node.ctx == "load" else "")
            super().visit_Tuple(node, frame)
            self.write(")" if node.ctx == "load" else "")

        def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
            self.write("environment.nested(")
            super().visit_Dict(node, frame)
            self.write(")")

        def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:
            self.write("(environment.nested(")
            self.visit(node.expr, frame)
            self.write(")")
            for operand in node.ops:
                self.write(f" {operators[operand.op]} environment.nested(")
                self.visit(operand.expr, frame)
                self.write(")")
            self.write(")")

    class Filters(dict[str, Any]):
        """Also those that transformers adds later are bounded."""

        def __init__(self, filters: dict[str, Any]) -> None:
            super().__init__()
            for name, function in filters.items():
                self[name] = function

        def __setitem__(self, name: str, function: Any) -> None:
            bounded = _named(name, function) if name in BY_NAME else _counting(function)
            super().__setitem__(name, update_wrapper(bounded, function))

    class Bounded(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"*", "**", "+", "%"})
        code_generator_class = Counting
        concat = staticmethod(_concat)
        counted = staticmethod(_counted)
        nested = staticmethod(_nested)

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.filters = Filters(self.filters)
            self.finalize = _written

        def from_string(self, source: Any, *arguments: Any, **named: Any) -> Any:
            if isinstance(source, str) and len(source) > SOURCE:
                raise TemplateBudget(f"has {len(source):,} characters")
            return super().from_string(source, *arguments, **named)

        def joined(self, parts: tuple[Any, ...]) -> str:
            if sum(map(_length, parts)) > WHOLE:
                raise TemplateBudget("makes a text that is too long")
            texts = [str(part) for part in parts]
            if sum(map(len, texts)) > LARGEST:
                raise TemplateBudget("makes a text that is too long")
            return _counted("".join(texts))

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            both = (left, right)
            sizes = [len(x) for x in both if isinstance(x, str | list | tuple)]
            most = LARGEST if any(isinstance(x, str) for x in both) else ENTRIES
            counts = [abs(x) for x in both if isinstance(x, int)]
            long = operator == "*" and sizes and counts and sizes[0] * counts[0] > most
            high = operator in ("*", "**") and counts and max(counts) > 10**12
            high = high or (operator == "**" and len(counts) > 1 and counts[1] > 64)
            fills = operator == "%" and isinstance(left, str)
            wide = fills and (_is_wide(left) or _filled(left, right) > WHOLE)
            if long or high or wide or (operator == "+" and sum(sizes) > most):
                raise TemplateBudget("makes a text that is too long")
            return _counted(super().call_binop(context, operator, left, right))

        def call(self, context: Any, function: Any, *arguments: Any, **named: Any) -> Any:
            name = getattr(function, "__name__", "")
            owner = getattr(getattr(function, "__wrapped__", function), "__self__", None)
            called = partial(super().call, context, function)
            if isinstance(owner, str):
                return _bounded(name, called, owner, *arguments, **named)
            if name == "strftime_now" and _length([*arguments, *named.values()]) > DATE:
                raise TemplateBudget("makes a text that is too long")
            made = called(*arguments, **named)
            return _nested(made) if isinstance(made, dict) else _counted(made)

    library.ImmutableSandboxedEnvironment = Bounded
    library._compile_jinja_template.cache_clear()  # of what was compiled without


def _named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def bounded(*arguments: Any, **named: Any) -> Any:
        return _bounded(name, function, None, *arguments, **named)

    return bounded


def _counting(function: Callable[..., Any]) -> Callable[..., Any]:
    def counting(*arguments: Any, **named: Any) -> Any:
        if any(_length(value) > WHOLE for value in (*arguments, *named.values())):
            raise TemplateBudget("makes a text that is too long")
        return _counted(function(*arguments, **named))

    return counting
