"""Grown files of every form that the lab reads: one thing in each, many times over.

    python tests/reliability/growth_campaign.py [--form NAME] [--size 1000000]

What a file names may cost more than it holds: a number without the things that it counts, lists of
nothing, a name that is looked for among all others. So each place in the table of a whole file is
grown in each way to so many bytes, and each two lists together, and read in a process of its own,
that must be back within two seconds of processor time and 200 MB beyond what the whole file takes.
What is over is printed with its cost at half the size: four times as much at twice the size is a
cost in the square. On Linux.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from os import _exit
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lora_lab.apart.client import end_children
from lora_lab.errors import LabError
from tests.reliability.fuzz_form import Form
from tests.reliability.fuzz_forms import forms

SECONDS, MEMORY = 2.0, 200 * 2**20
KILLED = 20  # seconds of processor time; of the wall's four times as many
PLACES = 60  # of a table, at most
ALIKE = 3  # keys of a table of many that are tried
EMPTY: dict[str, Callable[[int], Any]] = {  # what takes the place of a value, in so many bytes
    "lists of nothing": lambda size: [[]] * (size // 4),
    "tables of nothing": lambda size: [{}] * (size // 4),
    "numbers": lambda size: list(range(size // 8)),
    "texts": lambda size: [f"a{i}" for i in range(size // 11)],
    "pairs": lambda size: [[str(i), ""] for i in range(size // 15)],
    "a table": lambda size: {f"k{i}": 0 for i in range(size // 12)},
    "one text": lambda size: "a" * size,
    "digits": lambda size: "1" * size,
    "blanks": lambda size: " " * size,
    "a large number": lambda size: size,
    "a huge number": lambda size: 10**9,
    "a tiny number": lambda size: 1e-320,
    "a number": lambda size: 1e300,
}


class Cost(NamedTuple):
    """Of one reading."""

    seconds: float  # of processor time
    memory: int  # bytes, at the most
    outcome: str


def places(table: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value; of lists to the first item, of large tables to a few."""
    yield path
    if isinstance(table, dict):
        for key in list(table)[: ALIKE if len(table) > PLACES else None]:
            yield from places(table[key], (*path, key))
    elif isinstance(table, list) and table:
        yield from places(table[0], (*path, 0))


def grown(table: Any, path: tuple[Any, ...], size: int) -> Iterator[tuple[str, Any]]:
    """What is made of a table by growing the value at `path` to `size` bytes, by the way's name."""
    value = _at(table, path)
    for way, made in EMPTY.items():
        yield way, _with(table, path, made(size))
    if isinstance(value, str):
        yield "longer", _with(table, path, value + "a" * size)
        yield "repeated", _with(table, path, (value or "a") * (size // max(len(value), 1)))
    if isinstance(value, list) and value:
        times = max(1, size // max(len(str(value)), 1))
        yield "more items", _with(table, path, value * times)
    if isinstance(value, dict | list) and value:
        yield "numbered", _with(table, path, _numbered(value, size))
    if isinstance(value, dict) and value:
        first = next(iter(value.values()))
        times = max(1, size // (len(str(first)) + 12))
        more = {f"{next(iter(value))}{i}": first for i in range(times)}
        yield "more keys", _with(table, path, {**value, **more})


def both_grown(table: Any, size: int) -> Iterator[tuple[str, Any]]:
    """Each two lists or tables of one grown together, to half of `size` each, by their places."""
    found = [(path, value) for path in list(places(table))[:PLACES]
             if isinstance(value := _at(table, path), dict | list) and value]  # fmt: skip
    for (path, value), (other, second) in itertools.combinations(found, 2):
        if path != other[: len(path)]:  # none lies in the other
            large = _with(table, path, _numbered(value, size // 2))
            told = " and ".join(".".join(map(str, place)) for place in (path, other))
            yield told, _with(large, other, _numbered(second, size // 2))


def _numbered(value: dict[str, Any] | list[Any], size: int) -> Any:
    """What it holds first, many times over, each under a name of its own."""
    first = value[0] if isinstance(value, list) else next(iter(value.values()))
    times = max(1, size // (len(json.dumps(first, default=str)) + 12))
    made = [_renamed(first, i) for i in range(times)]
    if isinstance(value, list):
        return [*value, *made]
    return {**value, **{f"{next(iter(value))}{i}": one for i, one in enumerate(made)}}


def _renamed(value: Any, number: int) -> Any:
    """The same with the first text in it followed by a number."""
    if isinstance(value, str):
        return f"{value}{number}"
    if isinstance(value, list) and value:
        return [_renamed(value[0], number), *value[1:]]
    if isinstance(value, dict):
        name = next((key for key in value if isinstance(value[key], str | list)), None)
        return value if name is None else {**value, name: _renamed(value[name], number)}
    return value


def _at(table: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        table = table[key]
    return table


def _with(table: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    found = copy.copy(table)
    found[path[0]] = _with(table[path[0]], path[1:], value)
    return found


def measured(read: Callable[[Path], Any], path: Path) -> Cost:
    """The cost of a reading in a copy of this process."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        os.write(into, _read(read, path).encode("utf-8", "backslashreplace")[:300])
        _exit(0)
    os.close(into)
    _, status, used = os.wait4(child, 0)
    words = os.read(out, 400).decode()
    os.close(out)
    if os.WIFSIGNALED(status):
        words = f"ended by signal {os.WTERMSIG(status)}"
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, words)


def _read(read: Callable[[Path], Any], path: Path) -> str:
    resource.setrlimit(resource.RLIMIT_CPU, (KILLED, KILLED))
    signal.alarm(4 * KILLED)
    try:
        read(path)
    except LabError as error:
        return f"refused: {error}"
    except BaseException as error:  # noqa: BLE001 - any is a finding
        return f"RAW {type(error).__name__}: {error}"
    finally:
        end_children()
    return "read"


def try_form(name: str, form: Form, size: int) -> int:
    """Grow each place of a form's table; prints what is over, returns how many there are."""
    assert form.spell is not None
    assert form.table is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / form.name
        path.write_bytes(form.seed())
        form.read(path)  # imports what is needed
        whole, table = measured(form.read, path), form.table()
        found = count = 0
        for where, large, half in _ways(table, size):
            count += 1
            cost = _of(form, path, large)
            if cost is None or not _is_over(cost, whole):
                continue
            less = _of(form, path, half) or whole
            found += 1
            print(f"{name}: {where}: {_told(cost, whole)}; at half the size "
                  f"{_told(less, whole)}; {cost.outcome[:160]!r}", flush=True)  # fmt: skip
    print(f"{name}: {count:,} files, {found} over", flush=True)
    return found


def _ways(table: Any, size: int) -> Iterator[tuple[str, Any, Any]]:
    """Where and how a table is grown, and the table at `size` and at half of it."""
    for place in list(places(table))[:PLACES]:
        where = ".".join(map(str, place)) or "the whole"
        for (way, large), (_, half) in zip(
            grown(table, place, size), grown(table, place, size // 2), strict=True
        ):
            yield f"{where}, {way}", large, half
    for (where, large), (_, half) in zip(
        both_grown(table, size), both_grown(table, size // 2), strict=True
    ):
        yield f"{where}, numbered", large, half


def _of(form: Form, path: Path, table: Any) -> Cost | None:
    assert form.spell is not None
    try:
        path.write_bytes(form.spell(table))
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError):  # no such file can be
        return None
    return measured(form.read, path)


def _is_over(cost: Cost, whole: Cost) -> bool:
    return (
        cost.seconds > whole.seconds + SECONDS
        or cost.memory > whole.memory + MEMORY
        or cost.outcome.startswith(("RAW", "ended"))
    )


def _told(cost: Cost, whole: Cost) -> str:
    megabytes = (cost.memory - whole.memory) / 2**20
    return f"{cost.seconds - whole.seconds:.1f} s, {megabytes:.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--form", choices=sorted(forms()), action="append", help="this one alone")
    parser.add_argument("--size", type=int, default=10**6, help="bytes that a thing is grown to")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # of what is found
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)  # those of a pool are lost in a fork, and waited for
    found = 0
    for name, form in forms().items():
        if form.table is None or (arguments.form and name not in arguments.form):
            continue
        child = os.fork()  # what a library remembers of one form is no part of another
        if child == 0:
            try:
                _exit(min(try_form(name, form, arguments.size), 100))
            except BaseException as error:  # noqa: BLE001 - another form is tried all the same
                print(f"{name}: {type(error).__name__}: {error}", flush=True)
                _exit(101)
        found += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
