"""NumPy's archive of named arrays (.npz), read without pickles and without inflating a bomb."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
import torch

from lora_lab.errors import CheckpointError
from lora_lab.zip_directory import open_zip

MAX_MEMBERS = 10_000
DIRECTORY = 2**22  # bytes of the list of them
INFLATED = 20  # times the file's size: weights are noise and hardly shrink
END = b".npy"


def is_npz(head: bytes) -> bool:
    """Whether a zip archive with these first bytes begins with an array."""
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].endswith(END)


def read_npz(file: BinaryIO, size: int) -> dict[str, torch.Tensor]:
    """The arrays of an open archive of `size` bytes, by name. Raises CheckpointError."""
    refusal = CheckpointError("the archive has too many members, or two of one name.")
    try:
        archive = open_zip(file, MAX_MEMBERS, DIRECTORY, refusal)
        members = archive.infolist()
        names = [member.filename for member in members]
        if len(members) > MAX_MEMBERS or len(set(names)) < len(names):
            raise refusal
        if sum(member.file_size for member in members) > INFLATED * size:
            raise CheckpointError("the archive claims to be far larger inside than outside.")
        if other := [name for name in names if not name.endswith(END.decode())]:
            raise CheckpointError(
                f"member {ascii(other[0])[:60]} is no array. Save named arrays with numpy.savez."
            )
        return {name.removesuffix(END.decode()): _array(archive.read(name)) for name in names}
    except CheckpointError:
        raise
    except Exception as error:  # zipfile, its decompressors and numpy have one each for what is bad
        reason = str(error).split("\n")[0][:100]
        raise CheckpointError(
            f"its arrays cannot be read ({reason}). Save it again with numpy.savez."
        ) from error


def _array(data: bytes) -> torch.Tensor:
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"an array of {array.dtype}")
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("=")))
