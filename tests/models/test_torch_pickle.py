"""Tables of contents made by hand: refused in a moment, before torch reads an instruction."""

import io
import pickle
import pickletools
import struct
import time
import zipfile
from collections import Counter, OrderedDict

import pytest
import torch

from lora_lab.errors import CheckpointError
from lora_lab.models.checkpoint import read_state
from lora_lab.models.torch_pickle import OPCODES, check_pickle


def archive(path, program):
    """A PyTorch archive whose table of contents is `program`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("x/data.pkl", program)
        file.writestr("x/byteorder", "little")
        file.writestr("x/version", "3\n")
    return path


def nested(deep, wide=2):
    """A tuple of tuples, each named `wide` times in the next, and used as a key."""
    program = b"\x80\x02}K\x01\x85q\x00"
    for level in range(deep):
        program += b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86q" + bytes([level + 1])
    return program + b"K\x01s."


def called(function, *arguments):
    """A dict of one value, made by a function of these numbers."""
    numbers = b"".join(b"\x8a\x08" + n.to_bytes(8, "little") for n in arguments)
    return b"\x80\x02}X\x01\x00\x00\x00wc" + function + b"\n(" + numbers + b"tRs."


def word(text):
    raw = text.encode()
    return b"X" + len(raw).to_bytes(4, "little") + raw


def again(function, arguments, calls):
    """A function that is called again and again, each time with these same arguments."""
    made = b"(c" + function + b"\nq\x00" + arguments + b"q\x01" + b"h\x00h\x01R" * calls
    return b"\x80\x02}" + word("w") + b"]" + made + b"es."


def keyed(keys):
    """A table of these keys, after the class of complex numbers."""
    program = b"\x80\x02}" + word("c") + b"c__builtin__\ncomplex\nq\x00s"
    return program + b"".join(key + b"Ns" for key in keys) + b"."


def number(value):
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little")
    return b"\x8a%c" % len(raw) + raw


def plane(real, imaginary):
    return b"h\x00G" + struct.pack(">d", real) + b"G" + struct.pack(">d", imaginary) + b"\x86R"


def built(made, state):
    return b"\x80\x02}" + word("w") + made + state + b"bs."


NUMBERS = b"](" + b"".join(b"M" + n.to_bytes(2, "little") for n in range(20_000)) + b"e\x85"
ORDERED = b"ccollections\nOrderedDict\n)R"
EMPTY = b"ctorch.nn.parameter\nParameter\nN\x89\x86\x81"
TABLE = b"}q\x00(" + b"".join(word(f"k{n}") + b"N" for n in range(5000)) + b"u"
LATIN, SQUARE = word("a" * 150_000) + word("latin1"), word("".join(map(chr, range(20_000, 30_000))))

HOSTILE = {
    "sets of one list": again(b"__builtin__\nset", NUMBERS, 8000),
    "a Counter of one text": again(b"collections\nCounter", word("a" * 150_000) + b"\x85", 16_000),
    "bytes of one text": again(b"_codecs\nencode", LATIN + b"\x86", 16_000),
    "UTF-32": again(b"_codecs\nencode", word("a" * 150_000) + word("utf-32") + b"\x86", 16_000),
    "punycode": again(b"_codecs\nencode", SQUARE + word("punycode") + b"\x86", 1),
    "a table of a table": again(b"collections\nOrderedDict", TABLE + b"\x85", 7000),
    "a state in a tuple": again(
        b"torch._utils\n_rebuild_parameter_with_state", b"NN" + TABLE + b"N\x86\x87", 16_000
    ),
    "numbers of one hash": keyed(number((2**61 - 1) * n) for n in range(1, 16_001)),
    "complex numbers of one hash": keyed(plane(2.0**52 - 1000003 * n, n) for n in range(1, 7001)),
    "tuples as keys": b"\x80\x02}"
    + word("c")
    + b"("
    + b"N" * 9000
    + b"tq\x00s"
    + b"h\x00Ns" * 8000
    + b".",
    "a set of tuples": b"\x80\x02}"
    + word("c")
    + b"("
    + b"N" * 9000
    + b"tq\x00s"
    + word("w")
    + b"c__builtin__\nset\n]("
    + b"h\x00" * 20_000
    + b"e\x85Rs.",
    "a parameter of any size": built(EMPTY, b"(" + EMPTY + b"K\x00J\x00\x87\x93\x03\x85K\x01\x85t"),
    "a table that is set": built(ORDERED, b"}" + word("items") + b"K\x01s"),
    "a table that is set, by pairs": built(ORDERED, b"](" + word("items") + b"K\x01\x86e"),
    "a table set again and again": b"\x80\x02}"
    + word("c")
    + TABLE
    + b"s"
    + word("w")
    + ORDERED
    + b"h\x00b" * 17_000
    + b"s.",
    "a tuple 5,000 deep that is given": b"\x80\x02}"
    + word("w")
    + b"c__builtin__\nset\n)"
    + b"\x85" * 5000
    + b"Rs.",
    "tuples 40 deep": nested(40),
    "tuples 26 deep": nested(26),
    "tuples 200 deep": nested(200),
    "Tensor(10^9)": called(b"torch\nTensor", 10**9),
    "Tensor(200)": called(b"torch\nTensor", 200),
    "FloatTensor": called(b"torch\nFloatTensor", 10**9),
    "FloatStorage": called(b"torch\nFloatStorage", 10**9),
    "UntypedStorage": called(b"torch.storage\nUntypedStorage", 10**9),
    "Parameter": called(b"torch.nn.parameter\nParameter", 10**9),
    "bytearray": called(b"builtins\nbytearray", 10**10),
    "any type": b"\x80\x02}X\x01\x00\x00\x00wctorch._tensor\n_rebuild_from_type_v2\n"
    b"(ctorch\nTensor\nctorch\nTensor\n(\x8a\x05\x00\xca\x9a\x3b\x00t}tRs.",
    "a dtype that is called": called(b"torch\nfloat32", 1),
    "a number that is called": b"\x80\x02}X\x01\x00\x00\x00wK\x01(tRs.",
    "os.system": called(b"posix\nsystem", 1),
    "an instance": b"\x80\x02(i__builtin__\nset\n.",
    "an object": b"\x80\x02(c__builtin__\nset\no.",
    "an extension": b"\x80\x02\x82\x01.",
    "long number": b"\x80\x02}X\x01\x00\x00\x00w\x8b\xff\xff\xff\x7f" + b"\x01" * 1000 + b"s.",
    "lists 100,000 deep": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "marks": b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
    "instructions": b"\x80\x02}" + b"N0" * 60_000 + b".",
    "an empty stack": b"\x80\x020.",
    "what was never kept": b"\x80\x02h\x07.",
    "no end": b"\x80\x02}",
    "no instruction": b"\xff",
    "nothing": b"",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_it_is_refused_at_once(tmp_path, case):
    path, began = archive(tmp_path / "x.pt", HOSTILE[case]), time.process_time()
    with pytest.raises(CheckpointError, match=r"x\.pt"):
        read_state(path)
    assert time.process_time() - began < 1


def marked():
    """A parameter with attributes of its own, as those of several cards have."""
    parameter = torch.nn.Parameter(torch.ones(2, 2))
    parameter.partition_dim, parameter.numel = 1, 7
    return parameter


GOOD = {
    "attributes": {"w": marked()},
    "sets and bytes": {
        "state_dict": {"w": torch.ones(2)},
        "beside": {
            "seen": {1, "a", (2, 3), 1j},
            "counted": Counter("abca"),
            "raw": b"\xff" * 9999,
            "state": {"state": 2**127, "shape": torch.Size([2, 3])},
            (1, 2): 3,
        },
    },
    "tensors": {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2, dtype=torch.bfloat16)},
    "ordered": OrderedDict(w=torch.ones(2)),
    "parameters": {"w": torch.nn.Parameter(torch.ones(2, 2))},
    "nested": {"state_dict": {"w": torch.ones(2)}, "epoch": 3, "lr": 1e-3, "name": "x"},
    "views": {"w": torch.arange(12.0).view(3, 4).t(), "v": torch.arange(12.0)[2:5]},
    "many": {f"layers.{n}.weight": torch.ones(1) for n in range(3000)},
    "net": torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict(),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_torch_saves_is_read(tmp_path, case):
    torch.save(GOOD[case], tmp_path / "x.pt")
    read = read_state(tmp_path / "x.pt")
    wanted = GOOD[case].get("state_dict", GOOD[case])
    assert read.keys() == wanted.keys()
    assert all(torch.equal(read[name], wanted[name]) for name in wanted)


def test_an_optimizers_state_beside_the_weights_is_no_fault():
    net = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    saved = io.BytesIO()
    torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict()}, saved)
    with zipfile.ZipFile(saved) as file:
        program = file.read(next(n for n in file.namelist() if n.endswith("data.pkl")))
        check_pickle(program, len(file.namelist()))


def test_every_instruction_that_is_known_is_one():
    assert {code.name for code in pickletools.opcodes} >= OPCODES
    assert pickle.HIGHEST_PROTOCOL >= 2
