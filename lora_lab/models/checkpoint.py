"""One checkpoint file, read safely: what it is comes from its first bytes, not from its name.

Nothing in a file is executed, nothing is inflated, and a file that is not whole is refused. Every
failure is one `CheckpointError` that names the file, the reason, and what to do.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO, Literal

import torch

from lora_lab.door import door
from lora_lab.errors import CheckpointError, system_reason
from lora_lab.models.npz_file import is_npz, read_npz
from lora_lab.models.other_files import other_file
from lora_lab.models.safetensors_file import read_safetensors
from lora_lab.models.torch_file import Weights, read_torch
from lora_lab.names import LONGEST, shown
from lora_lab.progress import Report, silent

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)
HEAD = 512  # bytes that tell one kind of file from another


@door(CheckpointError)
def read_state(path: str | Path, report: Report = silent) -> Weights:
    """The tensors of a checkpoint by name, on the CPU, in the order of the file.

    Reads `.safetensors`, PyTorch's zip archives of tensors (`.pt`, `.pth`, `.bin`), and `.npz`.
    Its note says which weights of an archive are not among them, as an average of them.
    Raises CheckpointError for everything else, and for NaN or infinite weights.
    """
    path = Path(path)
    try:
        size = regular_size(path)
        with path.open("rb") as file:
            state = _read(file, size, path.name, report)
        check_weights(state)
    except CheckpointError as error:
        # The message may quote the file; it must not steer a terminal.
        message = "".join(c if c.isprintable() else "?" for c in f"{path.name}: {error}")
        raise CheckpointError(message) from None
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read ({system_reason(error)}).") from error
    except MemoryError as error:
        raise CheckpointError(f"{path.name}: does not fit into memory.") from error
    return state


def regular_size(path: Path) -> int:
    """Size in bytes of a regular file that is not empty."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise CheckpointError("there is no such file. Choose another checkpoint.") from None
    except ValueError:  # a NUL byte in the path
        raise CheckpointError("this is not a path. Choose another checkpoint.") from None
    if stat.S_ISDIR(status.st_mode):
        raise CheckpointError("this is a folder, not a regular file. Choose the file inside it.")
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError("this is not a regular file. Choose another checkpoint.")
    if status.st_size == 0:
        raise CheckpointError("the file is empty. Download or save it again.")
    return status.st_size


def _read(file: BinaryIO, size: int, name: str, report: Report) -> Weights:
    """Tell the kind of file by its first bytes, and read it."""
    kind = kind_of(file, size, name)
    report(f"Reading {name}", 0.0)
    if kind == "torch":
        return read_torch(file, size)
    if kind == "numpy":
        return Weights(read_npz(file, size))
    if kind == "gguf":
        raise CheckpointError("this is a GGUF file. Choose a .safetensors or .pt checkpoint.")
    tensors, _ = read_safetensors(file, size, lambda share: report(f"Reading {name}", share))
    return Weights(tensors)


Kind = Literal["safetensors", "torch", "gguf", "numpy"]


def kind_of(file: BinaryIO, size: int, name: str) -> Kind:
    """What an open file is, by its first bytes; left at its beginning."""
    head = file.read(HEAD)
    file.seek(0)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"version https://git-lfs.github.com"):
        raise CheckpointError(
            "this is a Git LFS pointer, not the weights. Run `git lfs pull`, or download the file."
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise CheckpointError(
            "this is a web page, not weights. Open its address in a browser and download the file."
        )
    if head.startswith(b"PK"):
        return "numpy" if is_npz(head) else "torch"
    if name.endswith(".safetensors") or (head[8:9] == b"{" and head[4:8] == bytes(4)):
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        raise CheckpointError(
            "this is a bare pickle, which can run programs when it is opened. Only where you trust "
            "it: load it in PyTorch and save its state_dict() as .safetensors."
        )
    if head.startswith(b"GGUF"):
        return "gguf"
    if known := other_file(head, name):
        raise CheckpointError(known)
    if size < 8:
        raise CheckpointError(f"the file has only {size} bytes. Download or save it again.")
    raise CheckpointError(
        "this is neither safetensors nor a PyTorch archive. Choose a .safetensors or .pt file."
    )


def check_weights(state: dict[str, torch.Tensor]) -> None:
    """Only finite numbers in ordinary types are weights."""
    if not state:
        raise CheckpointError("there is no tensor in it. Choose a file with weights.")
    for name, tensor in state.items():
        if len(name) > LONGEST:
            raise CheckpointError(
                f"tensor {shown(name)} has a name of {len(name):,} characters, which no module "
                "has. Choose another file."
            )
        if tensor.dtype not in FLOATS + INTEGERS:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise CheckpointError(
                f"tensor {shown(name)} is of type {kind}, which cannot be trained on. "
                "Save it in float32, float16 or bfloat16."
            )
        if tensor.dtype in FLOATS and (count := count_nonfinite(tensor)):
            raise CheckpointError(
                f"tensor {shown(name)} has {count:,} of {tensor.numel():,} values that are NaN or "
                "infinite. Use a checkpoint from before its training diverged."
            )


def count_nonfinite(tensor: torch.Tensor) -> int:
    """How many values are NaN or infinite; without a copy where none is."""
    if tensor.numel() == 0 or not tensor.is_floating_point():
        return 0
    if all(torch.isfinite(bound) for bound in torch.aminmax(tensor)):  # NaN wins in both
        return 0
    return int(tensor.numel() - torch.isfinite(tensor).sum())
