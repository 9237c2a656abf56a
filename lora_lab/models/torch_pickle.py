"""The table of contents of a PyTorch archive, read as a list of instructions before one is run.

A pickle builds its objects by a small program. torch runs no foreign function of it, yet a thousand
bytes can name tuples within tuples whose hash takes for ever, or ask for a tensor that is no part
of the file. So the program is gone through here: which instructions, which functions, how many, how
large each object would be if all that it names were written out, how much functions are given of it
to copy, and what must be compared to be found in a table.
"""

from __future__ import annotations

import pickletools
from collections import OrderedDict

from lora_lab.errors import CheckpointError
from lora_lab.names import shown

MOST = 50_000  # instructions beside those of the tensors, and so many for each member
EACH = 200
LARGEST = 10_000  # objects within one tuple, each counted as often as it is named
# Objects and letters that functions may be given, for each byte and beside them: what is saved
# stands in the file once for each call.
GIVEN, BESIDE = 2, 10_000
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
TABLE, COUNTER = "collections OrderedDict", "collections Counter"
SETS = {COUNTER, "builtins set", "__builtin__ set"}  # what they are given becomes their keys
BYTES = "_codecs encode"
NEW = {TABLE, COUNTER}
ADDS = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"}  # to what lies below
TUPLES = {"EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
PLAIN = 63  # bits of a number as a key: of longer ones any number may look alike to a table
KEEPS = {"BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"}
GETS = {"BINGET", "LONG_BINGET", "GET"}
OPCODES = {
    "PROTO", "FRAME", "STOP", "MARK", "POP", "GLOBAL", "REDUCE", "NEWOBJ", "BINPERSID", "NONE",
    "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
    "BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINBYTES",
    "SHORT_BINBYTES", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "BUILD", *TUPLES, *ADDS, *KEEPS,
    *GETS,
}  # fmt: skip


class Entry:
    """What stands on the stack: what it is, and how much it holds, now and when it is given on."""

    __slots__ = ("added", "compared", "hides", "keys", "parts", "text", "weight", "what")

    def __init__(self, weight: int = 1, what: str = "", parts: tuple[Entry, ...] = ()) -> None:
        self.weight, self.what, self.parts = weight, what, parts
        self.text: str | None = None
        self.added = 0  # objects that a list or table was filled with
        self.compared = 0 if what in ("text", "number", BYTES) else weight  # as a key
        self.keys = 0  # the same of all that it was filled with
        self.hides = False  # a name in it is that of a method of tables

    def given(self) -> int:
        """Objects and letters that a function may copy or go through."""
        total = self.weight + self.added + len(self.text or "")
        for part in self.parts:
            total += part.given()
        return total

    def given_keys(self) -> int:
        """Objects that are compared where what stands in this tuple becomes keys."""
        return self.keys + sum(part.keys + part.compared for part in self.parts)


MARK = Entry(0)


class _Program:
    """The stack and the memory of a pickle, in what it would make, and what that costs."""

    def __init__(self, size: int) -> None:
        self.stack: list[Entry] = []
        self.memo: dict[int, Entry] = {}
        self._left, self._keys = GIVEN * size + BESIDE, LARGEST

    def step(self, code: pickletools.OpcodeInfo, argument: object) -> None:
        name, stack = code.name, self.stack
        if name == "MARK":
            stack.append(MARK)
        elif name == "GLOBAL":
            stack.append(Entry(1, str(argument)))
        elif name in KEEPS:
            self.memo[len(self.memo) if name == "MEMOIZE" else int(str(argument))] = stack[-1]
        elif name in GETS:
            stack.append(self.memo[int(str(argument))])
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = stack.pop(), stack.pop()
            stack.append(self._called(name, function.what, arguments))
        elif name == "BUILD":
            self._built(stack.pop(), stack[-1])
        elif name in ADDS:
            popped = _popped(code, stack)
            self._filled(stack[-1], popped, name.startswith("SETITEM"))
        else:
            popped = _popped(code, stack)
            for _ in code.stack_after:
                stack.append(_entry(code, argument, popped))

    def _called(self, name: str, function: str, arguments: Entry) -> Entry:
        if function not in (MADE_BY if name == "REDUCE" else NEW):
            what = function.replace(" ", ".") or "an object"
            raise CheckpointError(
                f"loading it would call {shown(what)[1:-1]}, which makes what is not in the file. "
                "Save a state_dict() of plain tensors."
            )
        if function == BYTES and [part.text for part in arguments.parts[1:]] != ["latin1"]:
            raise CheckpointError(  # others take the square of a text
                "its table of contents has bytes in a form that no pickle writes. Save a "
                "state_dict()."
            )
        if function == TABLE and arguments.parts:  # it is made empty, and filled
            raise CheckpointError("its table of contents is damaged. Save it again.")
        self._give(arguments)
        if function in SETS:
            self._compare(arguments.given_keys())
        return Entry(_light(1 + arguments.weight), function)

    def _built(self, state: Entry, made: Entry) -> None:
        """A state_dict() keeps its versions so; a tensor would get numbers that are not there."""
        if made.what != TABLE or state.what not in ("table", TABLE) or state.hides:
            raise CheckpointError(
                "its table of contents sets the inside of an object, and not as that of a "
                "state_dict() is. Save a state_dict()."
            )
        self._give(state)

    def _filled(self, filled: Entry, added: list[Entry], by_key: bool) -> None:
        if filled is MARK:
            raise ValueError("a mark is no list")
        filled.added += len(added)
        keys = added[1::2] if by_key else added  # the last first
        compared = sum(entry.compared for entry in keys)
        if by_key:
            self._compare(compared)
            texts = (entry.text for entry in keys if entry.text is not None)
            filled.hides |= any(hasattr(OrderedDict, text) for text in texts)
        filled.keys += compared

    def _give(self, entry: Entry) -> None:
        self._left -= entry.given()
        if self._left < 0:
            raise CheckpointError(
                "its table of contents gives the same objects to functions again and again, which "
                "no named tensors do. Save a state_dict()."
            )

    def _compare(self, objects: int) -> None:
        self._keys -= objects
        if self._keys < 0:
            raise CheckpointError(
                f"its table of contents names values by over {LARGEST:,} objects that are no "
                "words. Save a state_dict()."
            )


def check_pickle(data: bytes, members: int) -> None:
    """Raise CheckpointError for a program that is no plain table of tensors of its archive."""
    program, most = _Program(len(data)), MOST + EACH * members
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
            program.step(code, argument)
    except CheckpointError:
        raise
    except (ValueError, IndexError, KeyError, RecursionError, OverflowError) as error:
        raise CheckpointError("its table of contents is damaged. Save it again.") from error


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


def _entry(code: pickletools.OpcodeInfo, argument: object, popped: list[Entry]) -> Entry:
    """What an instruction makes that is no function's."""
    weight = _light(1 + sum(entry.weight for entry in popped)) if popped else 1
    if isinstance(argument, str | bytes):
        made = Entry(weight, "text")
        made.text = argument if isinstance(argument, str) else argument.decode("latin1")
        return made
    if code.name in TUPLES:
        return Entry(weight, "", tuple(reversed(popped)))
    if code.name == "EMPTY_DICT":
        return Entry(weight, "table")
    long = isinstance(argument, int) and argument.bit_length() > PLAIN
    return Entry(weight, "" if long or popped else "number")


def _light(weight: int) -> int:
    if weight > LARGEST:
        raise CheckpointError(
            f"its table of contents names over {LARGEST:,} objects within one, which no named "
            "tensors do. Save a state_dict()."
        )
    return weight
