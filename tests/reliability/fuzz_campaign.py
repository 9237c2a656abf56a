"""Broken files of every form that the lab reads, made of whole ones by grammar and by byte.

    python tests/reliability/fuzz_campaign.py [--form NAME] [--minutes 30]

Each must be read, or refused by one `LabError`, within two seconds and 200 MB: no other exception,
no hang, no crash. What is found is printed as the edits that made it, on which hypothesis has spent
its best efforts to make them few. A text that is tokenized may take as long as an honest one of its
size. Needs hypothesis.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
import traceback
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_lab.errors import LabError
from tests.reliability.fuzz_form import Form
from tests.reliability.fuzz_forms import forms

SECONDS, MEMORY = 2.0, 200 * 2**20
EACH = 100  # files between two looks at the clock
HUGE = 10**400
JUNK = (None, True, -1, 0, 2**31, 2**63, HUGE, 1.5, -1e308, "", "x", "\ud83d", "../x", "<b>",
        "\x1b[2J", [], [1], [[]], {}, {"a": {}}, "a" * 5000)  # fmt: skip
# Pieces that are short by themselves: what goes deeper or on with each of them is found out.
MANY = (b"[" * 10**5, b'{"":' * 10**5, b"[]," * 10**6, b'"","' * 10**5, b'x","y\n' * 10**4,
        b"1," * 10**5, b"\n" * 10**6, b"a " * 10**5)  # fmt: skip
NAMES = ("", "x", "__class__", "record", "step", f"layers.{'1' * 5000}.weight")
LENGTHS = (0, 1, 2**15, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1)


@st.composite
def broken(draw: st.DrawFn, form: Form) -> bytes:
    """A whole file with a few edits: in what it says where it is a table, then in its bytes."""
    data = form.seed()
    if form.table is not None and form.spell is not None and draw(st.integers(0, 3)):
        table = json.loads(json.dumps(form.table()))
        for _ in range(draw(st.integers(1, 3))):
            table = _moved(draw, table, (*JUNK, *form.words), (*NAMES, *form.names))
        with suppress(RecursionError):  # nested so deeply that nobody can write it
            data = form.spell(table)
        if draw(st.integers(0, 3)):
            return data
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.integers(0, 5)):
            case 0:
                data = data[:at]
            case 1:
                more = draw(st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(MANY)))
                data = data[:at] + more + data[at:]
            case 2:
                data = data[:at] + data[at + draw(st.integers(1, 64)) :]
            case 3:  # a length that lies
                number = draw(st.sampled_from(LENGTHS))
                size = draw(st.sampled_from((2, 4, 8)))
                order = draw(st.sampled_from(("little", "big")))
                data = (
                    data[:at] + (number % 2 ** (8 * size)).to_bytes(size, order) + data[at + size :]
                )
            case 4:
                data = data[:at] + data[at : at + 64] * draw(st.integers(2, 50)) + data[at:]
            case _:
                data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    return _crc_again(data) if form.name == "x.png" else data


def _moved(draw: st.DrawFn, table: Any, junk: tuple[Any, ...], names: tuple[str, ...]) -> Any:
    """The table with one value, anywhere in it, replaced, removed or put elsewhere."""
    if not isinstance(table, dict | list) or not table or not draw(st.integers(0, 5)):
        return copy.deepcopy(draw(st.sampled_from(junk)))
    keys = list(table) if isinstance(table, dict) else list(range(len(table)))
    key = draw(st.sampled_from(keys))
    match draw(st.integers(0, 9)):
        case 0:
            del table[key]
        case 1 if isinstance(table, dict):
            table[draw(st.sampled_from(names))] = copy.deepcopy(
                draw(st.sampled_from((table[key], *junk)))
            )
        case 2 if isinstance(table, list):
            table.insert(key, table[draw(st.sampled_from(keys))])
        case 3:
            deep: Any = table[key]
            for _ in range(draw(st.sampled_from((1, 50, 900)))):
                deep = [deep]
            table[key] = deep
        case _:
            table[key] = _moved(draw, table[key], junk, names)
    return table


def _crc_again(data: bytes) -> bytes:
    """A PNG whose pieces are whole again: a reader stops at the first that is not."""
    at, made = 8, data[:8]
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        piece = data[at + 4 : at + 8 + size]
        made += data[at : at + 4] + piece + zlib.crc32(piece).to_bytes(4, "big")
        at += 12 + size
    return made


def try_form(form: Form, examples: int, seed: int | None = None) -> None:
    """Read so many broken files; fails with the smallest that breaks the promise."""
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:  # imports what is needed
        path = Path(folder) / form.name
        path.write_bytes(form.seed())
        form.read(path)

    @settings(max_examples=examples, deadline=None, database=None, derandomize=seed is None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.data())
    def read(data: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / form.name
            path.write_bytes(data.draw(broken(form)))
            before, began = process.memory_info().rss, time.process_time()
            try:
                form.read(path)
            except LabError as error:
                str(error).encode()
            most = SECONDS + form.megabyte * path.stat().st_size / 2**20
            took, more = time.process_time() - began, process.memory_info().rss - before
            assert took < most, f"{took:.1f} s"
            assert more < MEMORY, f"{more / 2**20:.0f} MB"

    read()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--form", choices=sorted(forms()), action="append", help="this one alone")
    parser.add_argument("--minutes", type=float, default=30, help="for each form")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # of what is found
    found = 0
    for name, form in forms().items():
        if arguments.form and name not in arguments.form:
            continue
        began, count = time.monotonic(), 0
        try:
            while time.monotonic() < began + 60 * arguments.minutes:
                try_form(form, EACH, seed=count)
                count += EACH
        except Exception:  # noqa: BLE001 - any is a finding
            found += 1
            print(f"{name}: after {count:,} files one breaks the promise:", flush=True)
            traceback.print_exc(file=sys.stdout)
            continue
        minutes = (time.monotonic() - began) / 60
        print(f"{name}: {count:,} files in {minutes:.1f} minutes, each read or refused", flush=True)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
