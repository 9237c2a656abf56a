"""Every record and every command crosses as it is: each bit of a float, each type of an array."""

import json
import math
import os
import types
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from lora_lab.engine.wire import (
    COMMANDS,
    RECORDS,
    Strange,
    dumped,
    pack_command,
    pack_records,
    parsed,
    unpack_command,
    unpack_records,
)
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import LayerSpectrum, SpectrumRecord, StepRecord
from lora_lab.training import commands, questions
from lora_lab.training.commands import Command, Export, Generate
from lora_lab.workshop.requests import Mix, Source

FLOATS = (0.1 + 0.2, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308)
ARRAYS = (
    np.array([[0.1, np.nan], [np.inf, -0.0]]), np.arange(6, dtype=np.uint8).reshape(1, 2, 3),
    np.zeros((0, 4), np.float32), np.arange(5, dtype=np.int64)[::2],
)  # fmt: skip
TEXTS = ("σ of “ΔW”\n", "\ud800 half a pair", "")


def sample(hint, turn):
    """A value of the hint; another one for each turn."""
    if hint is Any:
        mix = Mix(((Source("/a/σ", 2.0), math.nan),), trim=mix_trim)
        return (None, 3, 0.1, "x", ("fc1", 4), (("fc1", 4), ("fc2", 8)), mix)[turn % 7]
    if hint is np.ndarray:
        return ARRAYS[turn % len(ARRAYS)]
    if hint is Hyperparameters:
        return Hyperparameters(alpha=0.1 + 0.2, layer_ranks=(("fc1", 3),), max_grad_norm=0.5)
    parts = get_args(hint)
    if get_origin(hint) is tuple:
        if Ellipsis in parts:
            return tuple(sample(parts[0], turn + i) for i in range(turn % 3))
        return tuple(sample(part, turn) for part in parts)
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(part for part in parts if part is not type(None))
        return None if turn % 3 == 2 else sample(inner, turn)
    if is_dataclass(hint):
        return made(hint, turn) if turn < 8 else made(hint, 2)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return list(hint)[turn % len(hint)]
    if hint is bool:
        return turn % 2 == 0
    return {int: turn - 1, float: FLOATS[turn % 7], str: TEXTS[turn % 3]}[hint]


mix_trim = Mix(()).trim


def made(kind, turn):
    hints = get_type_hints(kind)
    deeper = turn if turn % 3 == 2 else turn + 3  # a row may hold a row: not for ever
    return kind(**{f.name: sample(hints[f.name], deeper) for f in fields(kind)})


def same(a, b):
    """Equal to the bit: NaN is NaN, -0 is no 0, an array has its type."""
    if isinstance(a, np.ndarray):
        same_form = isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape
        return same_form and np.ascontiguousarray(a).tobytes() == b.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return a == b


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("turn", range(7))
def test_every_record_crosses_to_the_bit(name, turn):
    record = made(RECORDS[name], turn)
    message = parsed(dumped({"records": pack_records([record])}).rstrip(b"\n"))
    (back,) = unpack_records(message["records"])
    assert same(record, back), (record, back)
    for value in vars(back).values():
        assert not isinstance(value, np.ndarray) or not value.flags.writeable


def test_steps_keep_their_place_among_the_others_and_their_numbers():
    spectrum = SpectrumRecord(2, ())
    records = [StepRecord(1, math.nan, 0.1, 0.25), StepRecord(2, math.inf, 1e-300, 1 / 3),
               spectrum, StepRecord(3, 0.1 + 0.2, 1.0, 2.0)]  # fmt: skip
    packed = json.loads(json.dumps(pack_records(records)))
    assert [sorted(part) for part in packed] == [["steps"], ["of", "record"], ["steps"]]
    assert all(map(same, records, unpack_records(packed)))


def test_numbers_of_numpy_become_plain_ones():
    layer = LayerSpectrum("a", ARRAYS[0], 1, np.float64(2.5), 1.0, 1.0, 1, 1.0, 1.0)
    (back,) = unpack_records(json.loads(json.dumps(pack_records([SpectrumRecord(1, (layer,))]))))
    assert type(back.layers[0].stable_rank) is float


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("turn", range(3))
def test_every_command_crosses(name, turn, monkeypatch):
    monkeypatch.setattr(os.path, "abspath", lambda path: path)
    command = made(COMMANDS[name], turn)
    assert same(command, unpack_command(json.loads(json.dumps(pack_command(command)))))


def test_no_command_is_forgotten():
    known = {kind for module in (commands, questions) for kind in vars(module).values()
             if isinstance(kind, type) and hasattr(kind, "run")} - {Command}  # fmt: skip
    assert set(COMMANDS.values()) == known
    assert len(known) > 15


def test_paths_are_those_of_who_asks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mix = Mix(((Source("a.safetensors", base="models/b"), 1.0), (Source(""), 1.0)))
    asked = Generate(("ask",), mix=mix)
    back = unpack_command(pack_command(asked))
    assert [(s.path, s.base) for s, _ in back.mix.terms] == [
        (str(tmp_path / "a.safetensors"), str(tmp_path / "models/b")), ("", ""),
    ]  # fmt: skip
    assert unpack_command(pack_command(Export("out"))).path == str(tmp_path / "out")


BROKEN = [
    b"", b"\x80\x04\x95pickle", b"[]", b"3", b'{"a":', b'"' + b"[" * 20_000, b"\xff\xfe",
]  # fmt: skip


@pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
def test_bytes_that_are_no_message_are_refused(line):
    with pytest.raises(Strange):
        parsed(line)


@pytest.mark.parametrize(
    "packed",
    [
        3, [3], [{"steps": 3}], [{"steps": [[1, 2.0]]}], [{"steps": [["1", 2.0, 3.0, 4.0]]}],
        [{"record": "StateRecord", "of": 3}], [{"record": "StateRecord", "of": {}}],
        [{"record": "StateRecord", "of": {"state": "flying", "step": 1}}],
        [{"record": "StateRecord", "of": {"state": "paused", "step": "1"}}],
        [{"record": "AppliedRecord", "of": {"step": 1, "hyper": {"rank": -1}, "changes": []}}],
        [{"record": "SavedRecord", "of": {"step": True, "path": "a"}}],
        [{"record": "MixRecord", "of": {"step": 1, "mix": {"is": "Popen"}, "loss": 1.0}}],
        [{"record": "RateFoundRecord", "of": {"step": 1, "rates": {
            "dtype": "O", "shape": [1], "base64": "AAAAAAAAAAA="}}}],
        [{"record": "RateFoundRecord", "of": {"step": 1, "rates": {
            "dtype": "(,)f8", "shape": [1], "base64": "AAAAAAAAAAA="}}}],
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused(packed):
    with pytest.raises(Strange):
        list(unpack_records(packed))


def test_records_and_fields_of_a_later_version_are_passed_over():
    later = [{"record": "HologramRecord", "of": {}}, {"record": "Look", "of": {}},
             {"record": "SavedRecord", "of": {"step": 1, "path": "a", "sort": "red"}}]  # fmt: skip
    assert [vars(record) for record in unpack_records(later)] == [{"step": 1, "path": "a"}]


@pytest.mark.parametrize(
    "packed", [None, {}, {"command": "os.system", "of": {}}, {"command": "Command", "of": {}},
               {"command": "Export", "of": {}}, {"command": "Generate", "of": {"prompts": "a"}},
               {"command": "\ud83d\x1b[2J", "of": {}}],
)  # fmt: skip
def test_what_is_no_command_is_refused(packed):
    with pytest.raises(Strange) as refused:
        unpack_command(packed)
    assert str(refused.value).encode().isascii()  # no half of a character, and no escape
