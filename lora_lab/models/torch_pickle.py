"""The table of contents of a PyTorch archive, read as a list of instructions before one is run.

A pickle builds its objects by a small program. torch runs no foreign function of it, yet a thousand
bytes can name tuples within tuples whose hash takes for ever, or ask for a tensor that is no part
of the file. So the program is gone through here: which instructions, which functions, how many, and
how large each object would be if all that it names were written out.
"""

from __future__ import annotations

import pickletools
from typing import NamedTuple

from lora_lab.errors import CheckpointError
from lora_lab.names import shown

MOST = 50_000  # instructions beside those of the tensors, and so many for each member
EACH = 200
LARGEST = 10_000  # objects within one tuple, each counted as often as it is named
UTILS = "torch._utils"
MADE_BY = {  # what may be called: every other object stands in the file as it is
    "collections OrderedDict",
    "collections Counter",
    *(f"{UTILS} _rebuild_{name}" for name in (
        "tensor", "tensor_v2", "tensor_v3", "parameter", "parameter_with_state", "qtensor",
        "sparse_tensor", "sparse_csr_tensor", "nested_tensor", "meta_tensor_no_storage",
        "device_tensor_from_numpy", "wrapper_subclass",
    )),
    "torch.serialization _get_layout",
    "torch device",
    "torch Size",
    "builtins set",
    "builtins complex",
    "__builtin__ set",
    "__builtin__ complex",
    "_codecs encode",
}  # fmt: skip
NEW = {"collections OrderedDict", "collections Counter", "torch.nn.parameter Parameter"}
ADDS = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"}  # to what lies below
KEEPS = {"BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"}
GETS = {"BINGET", "LONG_BINGET", "GET"}
OPCODES = {
    "PROTO", "FRAME", "STOP", "MARK", "POP", "GLOBAL", "REDUCE", "NEWOBJ", "BINPERSID", "NONE",
    "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
    "BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINBYTES",
    "SHORT_BINBYTES", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST",
    "EMPTY_DICT", "EMPTY_SET", *ADDS, *KEEPS, *GETS,
}  # fmt: skip


class Entry(NamedTuple):
    """What stands on the stack: how much it holds, and which function it is."""

    weight: int = 1
    function: str = ""


MARK = Entry(0)


def check_pickle(data: bytes, members: int) -> None:
    """Raise CheckpointError for a program that is no plain table of tensors of its archive."""
    stack: list[Entry] = []
    memo: dict[int, Entry] = {}
    most = MOST + EACH * members
    try:
        for number, (code, argument, _) in enumerate(pickletools.genops(data)):
            if number > most:
                raise CheckpointError(
                    f"its table of contents has over {most:,} instructions for {members:,} "
                    "members, too many for named tensors. Save a state_dict()."
                )
            if code.name not in OPCODES:
                raise CheckpointError(
                    f"its table of contents uses {code.name}, which no table of tensors does. "
                    "Save a state_dict()."
                )
            _step(code, argument, stack, memo)
    except CheckpointError:
        raise
    except (ValueError, IndexError, KeyError, UnicodeDecodeError, OverflowError) as error:
        raise CheckpointError("its table of contents is damaged. Save it again.") from error


def _step(
    code: pickletools.OpcodeInfo, argument: object, stack: list[Entry], memo: dict[int, Entry]
) -> None:
    name = code.name
    if name == "MARK":
        stack.append(MARK)
    elif name == "GLOBAL":
        stack.append(Entry(1, str(argument)))
    elif name in KEEPS:
        memo[len(memo) if name == "MEMOIZE" else int(str(argument))] = stack[-1]
    elif name in GETS:
        stack.append(memo[int(str(argument))])
    elif name in ("REDUCE", "NEWOBJ"):
        arguments, made_by = stack.pop(), stack.pop()
        if made_by.function not in (MADE_BY if name == "REDUCE" else NEW):
            what = made_by.function.replace(" ", ".") or "an object"
            raise CheckpointError(
                f"loading it would call {shown(what)[1:-1]}, which makes what is not in the file. "
                "Save a state_dict() of plain tensors."
            )
        stack.append(_entry(1 + arguments.weight))
    else:
        popped = _popped(code, stack)
        if name in ADDS:  # what is added to is no tuple, and is hashed by nobody
            return
        for _ in code.stack_after:
            stack.append(_entry(1 + sum(entry.weight for entry in popped)))


def _popped(code: pickletools.OpcodeInfo, stack: list[Entry]) -> list[Entry]:
    """What an instruction takes from the stack; of one that adds, without what it adds to."""
    before = [kind.name for kind in code.stack_before]
    popped: list[Entry] = []
    if "mark" in before:
        while (entry := stack.pop()) is not MARK:
            popped.append(entry)
        return popped
    for _ in before[1:] if code.name in ADDS else before:
        popped.append(stack.pop())
    return popped


def _entry(weight: int) -> Entry:
    if weight > LARGEST:
        raise CheckpointError(
            f"its table of contents names over {LARGEST:,} objects within one, which no named "
            "tensors do. Save a state_dict()."
        )
    return Entry(weight)
