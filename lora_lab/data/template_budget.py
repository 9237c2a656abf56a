"""A chat template gets so much time and so many characters: it is a stranger's program.

transformers renders it in a sandbox that keeps it from files and modules. Two loops within each
other still run for ever there, and a short text that is doubled forty times fills any memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial, update_wrapper
from typing import Any

from lora_lab.data.template_limits import (
    BY_NAME,
    COMPARING,
    DATE,
    ENTRIES,
    FOR_PAGES,
    LARGEST,
    SECONDS,
    SOURCE,
    WHOLE,
    TemplateBudget,
    bounded,
    concat,
    counted,
    filled,
    is_wide,
    length,
    made_so_far,
    narrow,
    nested,
    usual,
    written,
)
from lora_lab.time_limit import limited


@contextmanager
def budget() -> Iterator[None]:
    """What renders a template in this block ends in time; raises `TemplateBudget` else."""
    _install()
    made_so_far.bytes = 0
    with limited(SECONDS, TemplateBudget):
        yield


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
            self.write("environment.nested({")
            for item in node.items:
                self.write("environment.nested(")  # a key is hashed
                self.visit(item.key, frame)
                self.write("): ")
                self.visit(item.value, frame)
                self.write(", ")
            self.write("})")

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
            if name in FOR_PAGES:
                return super().__setitem__(name, _refused(name))
            bounded = _named(name, function) if name in BY_NAME else _counting(name, function)
            super().__setitem__(name, update_wrapper(bounded, function))

    class Bounded(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"*", "**", "+", "-", "%", "/", "//"})
        code_generator_class = Counting
        concat = staticmethod(concat)
        counted = staticmethod(counted)
        nested = staticmethod(nested)

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.filters = Filters(self.filters)
            self.tests |= {n: _comparing(test) for n, test in self.tests.items() if n in COMPARING}
            self.finalize = written

        def from_string(self, source: Any, *arguments: Any, **named: Any) -> Any:
            if isinstance(source, str) and len(source) > SOURCE:
                raise TemplateBudget(f"has {len(source):,} characters")
            return super().from_string(source, *arguments, **named)

        def joined(self, parts: tuple[Any, ...]) -> str:
            if sum(map(length, parts)) > WHOLE:
                raise TemplateBudget("makes a text that is too long")
            texts = [str(part) for part in parts]
            if sum(map(len, texts)) > LARGEST:
                raise TemplateBudget("makes a text that is too long")
            return counted("".join(texts))

        def getitem(self, obj: Any, argument: Any) -> Any:
            return super().getitem(obj, nested(argument))

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            both = (left, right)
            usual(*both)
            sizes = [len(x) for x in both if isinstance(x, str | list | tuple)]
            most = LARGEST if any(isinstance(x, str) for x in both) else ENTRIES
            counts = [abs(x) for x in both if isinstance(x, int)]
            long = operator == "*" and sizes and counts and sizes[0] * counts[0] > most
            high = operator in ("*", "**") and counts and max(counts) > 10**12
            high = high or (operator == "**" and len(counts) > 1 and counts[1] > 64)
            fills = operator == "%" and isinstance(left, str)
            wide = fills and (is_wide(left) or filled(left, right) > WHOLE)
            if long or high or wide or (operator == "+" and sum(sizes) > most):
                raise TemplateBudget("makes a text that is too long")
            made = counted(super().call_binop(context, operator, left, right))
            return nested(made) if operator == "*" else made

        def call(self, context: Any, function: Any, *arguments: Any, **named: Any) -> Any:
            name = getattr(function, "__name__", "")
            owner = getattr(getattr(function, "__wrapped__", function), "__self__", None)
            called = partial(super().call, context, function)
            if isinstance(owner, str):
                return bounded(name, called, owner, *arguments, **named)
            for given in (*arguments, *named.values()):  # it may be compared or hashed
                nested(given)
            if owner is not None:
                narrow(*arguments, *named.values())
                if name in ("count", "index"):
                    nested(owner)
            if name == "strftime_now" and length([*arguments, *named.values()]) > DATE:
                raise TemplateBudget("makes a text that is too long")
            made = called(*arguments, **named)
            return nested(made) if isinstance(made, dict) else counted(made)

    library.ImmutableSandboxedEnvironment = Bounded
    library._compile_jinja_template.cache_clear()  # of what was compiled without


def _named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    first = _behind_value(function)

    def called(*arguments: Any, **named: Any) -> Any:
        narrow(*arguments[first:], *named.values())
        return bounded(name, function, None, *arguments, **named)

    return called


def _refused(name: str) -> Callable[..., Any]:
    def refused(*_: Any, **__: Any) -> Any:
        raise TemplateBudget(f"makes a page ({name}), which no chat is")

    return refused


def _behind_value(function: Callable[..., Any]) -> int:
    """Which argument of a filter comes behind the value that it is applied to."""
    return 1 if getattr(function, "jinja_pass_arg", None) is None else 2


def _comparing(test: Callable[..., Any]) -> Callable[..., Any]:
    def comparing(*arguments: Any) -> Any:
        usual(*arguments)
        for given in arguments:
            nested(given)
        return test(*arguments)

    return update_wrapper(comparing, test)


def _counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    first = _behind_value(function)

    def counting(*arguments: Any, **named: Any) -> Any:
        if any(length(value) > WHOLE for value in (*arguments, *named.values())):
            raise TemplateBudget("makes a text that is too long")
        if name not in ("default", "d"):
            narrow(*arguments[first:], *named.values())
        return counted(function(*arguments, **named))

    return counting
