"""PyTorch's zip archive of tensors, checked as an archive first and then loaded weights-only.

`torch.load(weights_only=True)` runs nothing, but it inflates compressed members without limit,
never checks a CRC, and believes strides that name the same number a million times; so the archive
and the tensors are checked here. What it refuses is refused: there is no way round it.
"""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint

from lora_lab.errors import CheckpointError
from lora_lab.models.other_files import other_archive
from lora_lab.models.torch_pickle import check_pickle
from lora_lab.zip_directory import open_zip

MAX_MEMBERS = 100_000
MAX_PICKLE = 64 * 2**20
PICKLE_PER_MEMBER = 4096  # a state dict spends some 200 bytes on a tensor, and its name
PICKLE_BESIDE = 2**18
DIRECTORY = 2**25  # bytes of a zip directory
# Where training scripts put the weights, the likeliest first.
NESTED = (
    "state_dict", "model_state_dict", "model", "net", "network", "weights", "module", "params",
    "model_state", "net_state_dict", "ema", "ema_state_dict", "model_ema", "state_dict_ema",
)  # fmt: skip

DEEPEST = 3  # tables around the weights
# Bytes that the tensors may claim together: tied weights share theirs, as 24 layers that are one.
SHARED, SMALL = 32, 2**28
DAMAGED = "Download or save it again."
SAVE = (
    "Where you trust it: torch.save(torch.load(FILE, weights_only=False)['state_dict'], NEW), with "
    "your script's own key for 'state_dict'."
)


class Weights(dict[str, torch.Tensor]):
    """Tensors by name, and a note where the file holds other weights beside them."""

    note = ""


def read_torch(file: BinaryIO, size: int) -> Weights:
    """The tensors of an open archive of `size` bytes, by name."""
    pickled, members = _check_archive(file, size)
    loaded = _load(file, pickled, members)
    notes, tables = [], _Tables()
    for _ in range(DEEPEST):
        if not isinstance(loaded, dict) or (key := _inside(loaded, tables)) is None:
            break
        if others := [_called(k) for k, v in loaded.items() if k != key and tables.is_net(v)]:
            notes.append(
                f"the weights are those that the file calls {key!a}; {', '.join(others[:5])} "
                "beside them is not used: to use it, save it in a file of its own"
            )
        loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise CheckpointError(
            f"it holds a {type(loaded).__name__}, not a table of named tensors. "
            "Save a state_dict()."
        )
    found = Weights((k, _tensor(k, value)) for k, value in loaded.items() if not _beside(value))
    claimed = sum(tensor.nbytes for tensor in found.values())
    if claimed > SHARED * size + SMALL:
        raise CheckpointError(
            f"its tensors claim {claimed:,} bytes of the {size:,} of the file: they are the same "
            "numbers many times. Save each once."
        )
    storages = [tensor.untyped_storage() for tensor in found.values()]
    held = sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
    if held > size:
        raise CheckpointError(
            f"its tensors hold {held - size:,} bytes that are not in it. {DAMAGED}"
        )
    found.note = "; ".join(notes)
    return found


def _inside(table: dict[Any, Any], tables: _Tables) -> Any:
    """What a training script calls the table of weights in `table`; None: it is one itself.

    Beside it there may be numbers, words and single numbers as tensors (best_acc1), an optimizer's
    state and settings. Raises CheckpointError where several tables might be meant.
    """
    states = {key: value for key, value in table.items() if tables.is_state(value)}
    if not states or any(_has_sizes(value) for value in table.values()):
        return None
    found = next((key for key in NESTED if key in states), None)
    if found is None and len(states) > 1:
        listed = ", ".join(_called(key) for key in list(states)[:5])
        raise CheckpointError(
            f"it holds {len(states)} tables of tensors ({listed}). Save the one that is meant in a "
            "file of its own."
        )
    return found if found is not None else next(iter(states))


class _Tables:
    """What the tables of one file are, each asked once at each depth: one may be named in many
    places, and within itself."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, str], bool] = {}

    def is_state(self, value: Any, deep: int = 0) -> bool:
        """Whether this is a table of tensors by name, or holds one."""
        return self._once(value, deep, "state", self._is_state)

    def is_net(self, value: Any, deep: int = 0) -> bool:
        """Whether this is a table of weights, and not of single numbers as tensors."""
        return self._once(value, deep, "net", self._is_net)

    def _once(self, value: Any, deep: int, what: str, ask: Callable[[Any, int], bool]) -> bool:
        if not isinstance(value, dict) or not value or deep > DEEPEST:
            return False
        place = id(value), deep, what
        if place not in self._known:
            self._known[place] = ask(value, deep + 1)
        return self._known[place]

    def _is_state(self, table: dict[Any, Any], deep: int) -> bool:
        words = all(isinstance(key, str) for key in table)
        tensors = [v for v in table.values() if torch.is_tensor(v)]
        if words and tensors and all(torch.is_tensor(v) or _beside(v) for v in table.values()):
            return True
        return words and any(self.is_state(table[key], deep) for key in NESTED if key in table)

    def _is_net(self, table: dict[Any, Any], deep: int) -> bool:
        return self.is_state(table) and any(
            self.is_net(inner, deep) or _has_sizes(inner) for inner in table.values()
        )


def _has_sizes(value: Any) -> bool:
    return torch.is_tensor(value) and value.ndim > 0


def _called(key: Any) -> str:
    """A key for people: one of a tuple may name a long text a thousand times."""
    return ascii(key[:60])[:60] if isinstance(key, str) else f"a key of {type(key).__name__}"


def _check_archive(file: BinaryIO, size: int) -> tuple[bytes, int]:
    """Refuse what is damaged, compressed, scripted, or larger inside than outside.

    Returns the table of contents, and the number of members.
    """
    refusal = CheckpointError(f"it lists more than {MAX_MEMBERS:,} members. {DAMAGED}")
    try:
        archive = open_zip(file, MAX_MEMBERS, DIRECTORY, refusal)
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, EOFError) as error:
        raise CheckpointError(
            f"the archive is cut off or damaged, perhaps an incomplete download of which {size:,} "
            f"bytes are here. {DAMAGED}"
        ) from error
    names = [member.filename for member in members]
    if len(set(names)) != len(names):
        raise CheckpointError(f"the archive holds two members of one name. {DAMAGED}")
    if any(PurePosixPath(name).name == "constants.pkl" for name in names):
        raise CheckpointError(
            "this is a TorchScript program, not weights. Save the state_dict() of the model."
        )
    pickles = [m for m in members if PurePosixPath(m.filename).name == "data.pkl"]
    if len(pickles) != 1:
        raise CheckpointError(
            other_archive(names) or "this zip is not a PyTorch checkpoint. Choose another file."
        )
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise CheckpointError(
            "the archive is compressed, which PyTorch never does. Save it with torch.save."
        )
    if sum(max(member.file_size, member.compress_size) for member in members) > size:
        raise CheckpointError(f"the archive claims to be larger inside than outside. {DAMAGED}")
    if pickles[0].file_size > min(MAX_PICKLE, PICKLE_BESIDE + PICKLE_PER_MEMBER * len(members)):
        raise CheckpointError(
            f"its table of contents takes {pickles[0].file_size:,} bytes for {len(members):,} "
            "members, too much for named tensors. Save a state_dict()."
        )
    try:
        broken = archive.testzip()  # reads every byte and checks its CRC
    except (zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        raise CheckpointError(f"the archive is damaged ({error}). {DAMAGED}") from error
    if broken is not None:
        raise CheckpointError(f"member {ascii(broken)[:60]} is damaged (CRC). {DAMAGED}")
    return archive.read(pickles[0]), len(members)


def _load(file: BinaryIO, pickled: bytes, members: int) -> Any:
    """torch.load, weights only, with every refusal put into words."""
    file.seek(0)
    try:
        blocked = get_unsafe_globals_in_checkpoint(file)
    except Exception as error:  # a hostile pickle may raise anything
        raise CheckpointError(f"its table of contents is damaged. {DAMAGED}") from error
    if blocked:
        raise CheckpointError(_blocked(blocked))
    check_pickle(pickled, members)
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations of the types in old files
            return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            "it holds more than plain tensors, which is not loaded. Save a state_dict()."
        ) from error
    except Exception as error:  # and so may a hostile archive
        reason = str(error).strip().split("\n")[0].split(". ")[0][:120] or type(error).__name__
        raise CheckpointError(f"its tensors cannot be built ({reason}). {DAMAGED}") from error


def _blocked(names: list[str]) -> str:
    listed = ", ".join(ascii(name)[1:-1][:60] for name in sorted(names)[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    if any(name.startswith("torch.nn.") for name in names):
        return f"it contains a whole module ({listed}{more}). Save its state_dict() instead."
    return (
        f"loading it would run {listed}{more}, so it is not loaded. Save a state_dict() of plain "
        f"tensors, best as .safetensors. {SAVE}"
    )


def _beside(value: Any) -> bool:
    """Numbers and words that training scripts put beside the weights."""
    return value is None or isinstance(value, int | float | str)


def _tensor(name: Any, value: Any) -> torch.Tensor:
    """`value` as a plain dense CPU tensor that is no larger than the bytes behind it."""
    label = _called(name)
    if not isinstance(name, str):
        raise CheckpointError(f"{label} names a tensor in place of a word. Save a state_dict().")
    if type(value) not in (torch.Tensor, torch.nn.Parameter):
        kind = type(value).__name__
        raise CheckpointError(f"{label} is a {kind}, not a tensor. Save a state_dict().")
    value = torch.Tensor.detach(value)  # a parameter's attributes, which may hide its methods, go
    other = "quantized" if value.is_quantized else "nested" if value.is_nested else ""
    if other or value.layout is not torch.strided or value.device.type != "cpu":
        kind = other or str(value.layout).removeprefix("torch.")
        kind = value.device.type if value.device.type != "cpu" else kind
        raise CheckpointError(f"tensor {label} is {kind}, not dense numbers. Save it dense.")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise CheckpointError(
            f"tensor {label} claims {value.numel():,} numbers that are not in the file. {DAMAGED}"
        )
    return value
