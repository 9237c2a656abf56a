"""Checkpoints of a run: whole folders of plain tensors and numbers, found again after any crash.

`checkpoints/step-000001234/` holds state.safetensors (tensors, and the numbers as JSON in its
metadata) and manifest.json with the size and CRC-32 of it. `kept-…` is one from before an edit. The
folder is written under another name, synced, and renamed, so that what has its name is whole; a
damaged one is passed over for the one before.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from lora_lab.atomic import (
    replace_folder,
    restore_all,
    sync_folder,
    temporary_folder,
    write_file,
)
from lora_lab.door import door
from lora_lab.errors import LabError, system_reason
from lora_lab.folders import remove_folder
from lora_lab.json_size import MOST_LISTS, MOST_VALUES
from lora_lab.runs.listing import CHECKPOINTS as FOLDER
from lora_lab.runs.own_files import HEADER, header_of, own_folder, plain_json, read_own
from lora_lab.runs.saves import (
    ENTRIES,
    MANIFEST,
    NAME,
    STATE,
    is_save,
    listed,
    manifest_of,
    named,
    named_in,
)

NEWEST, MARKS = 2, 12  # of the rolling ones, and of those from before edits, that stay
TRIED = 2 * (NEWEST + MARKS)  # that are read whole until one is
MOST_TENSORS = 100_000
WORDS = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """One that was read: tensors on the CPU, and numbers and strings."""

    path: Path
    step: int
    tensors: dict[str, torch.Tensor]
    facts: dict[str, Any]


def write_checkpoint(
    run: Path,
    step: int,
    tensors: dict[str, torch.Tensor],
    facts: dict[str, Any],
    keep: bool = False,
) -> Path:
    """Write one, and take away what is older than the last of its kind; `keep`: for going back.

    Raises `OSError` where the disk refuses; the older one is kept.
    """
    name = f"{'kept' if keep else 'step'}-{step:09d}"
    with own_folder(run, FOLDER) as folder:
        if not (keep and is_save(folder / name, step)):  # of several edits at one step, the first's
            _write(folder / name, step, tensors, facts)
            # What has a later step is not of this way: a damaged one, or a stranger's.
            before = [(at, old) for at, old in named_in(folder) if at <= step]
            for kind, most in (("step", NEWEST), ("kept", MARKS)):
                alike = [(at, old) for at, old in before if old.name.startswith(kind)]
                stay = [at for at, old in alike if is_save(old, at)][-most:]
                _remove(folder, *(old.name for at, old in alike if stay and at < stay[0]))
    return run / FOLDER / name


def _write(
    target: Path, step: int, tensors: dict[str, torch.Tensor], facts: dict[str, Any]
) -> None:
    parts = _container(tensors, {"facts": json.dumps(facts)})
    size = sum(len(part) for part in parts)
    free = shutil.disk_usage(target.parent).free
    if free < size + 65536:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    manifest = {
        "step": step,
        "edits": facts.get("edits", 0),
        "files": {STATE: {"bytes": size, "crc32": _crc32(*parts)}},
    }
    with temporary_folder(target) as temporary:
        with own_folder(target.parent, temporary.name, make=False) as inside:
            write_file(inside / STATE, *parts)
            write_file(inside / MANIFEST, json.dumps(manifest, indent=2).encode())
        replace_folder(temporary, target)


def _remove(folder: Path, *names: str) -> None:
    for name in names:
        with suppress(OSError):
            remove_folder(folder / name)


@door(LabError)
def latest(run: Path) -> Checkpoint:
    """The newest whole checkpoint.

    Raises `LabError` where there is none; damaged ones are passed over.
    """
    damaged = []
    for _, path in reversed(named(run)[-TRIED:]):
        try:
            return read_checkpoint(path)
        except LabError as error:
            damaged.append(str(error))
    if damaged:
        raise LabError(f"No checkpoint of {run.name} is whole. {damaged[0]}")
    try:
        many = len(os.listdir(run / FOLDER))
    except (FileNotFoundError, NotADirectoryError):
        many = 0
    except OSError as error:
        raise LabError(f"{run / FOLDER} cannot be read: {system_reason(error)}.") from error
    if many > ENTRIES:
        raise LabError(
            f"{run / FOLDER} holds {many:,} files and folders, and a run's own checkpoints are "
            f"{NEWEST + MARKS}. Move away what is not the run's."
        )
    raise LabError(
        f"{run.name} has no checkpoint, so it cannot be resumed. Begin it again with its settings, "
        f"in a folder of its own: lora-lab resume {run.name} --restart."
    )


def nearest(run: Path, step: int) -> Checkpoint:
    """The whole checkpoint that is nearest to `step`; of two, that from before the edit.

    Raises `LabError` where there is none.
    """
    return _first_whole(
        run, sorted(listed(run), key=lambda saved: (abs(saved[0] - step), saved[1].name))
    )


def before_edit(run: Path, step: int) -> Checkpoint:
    """The newest whole checkpoint from before an edit that was made at `step` or earlier.

    Raises `LabError` where there is none.
    """
    kept = [(at, path) for at, path in listed(run) if at <= step and path.name.startswith("kept")]
    return _first_whole(run, kept[::-1])


def _first_whole(run: Path, saved: list[tuple[int, Path]]) -> Checkpoint:
    for _, path in saved:
        try:
            return read_checkpoint(path)
        except LabError:
            continue
    raise LabError(f"{run.name} has no intact checkpoint to revert to.")


def forget_after(run: Path, step: int, edits: int) -> None:
    """Take away the checkpoints that no longer hold once a run is back at `step`, `edits` made.

    Those of later steps do not, and those of this one with more edits. None comes back with a power
    cut: the record of going back, which follows, would stand beside a save of what it took back.
    """
    forgotten = [
        path.name for at, path in named(run) if at > step or (at == step and _edits(path) > edits)
    ]
    if forgotten:  # what cannot be removed or synced is passed over or there
        with suppress(OSError), own_folder(run, FOLDER) as folder:
            _remove(folder, *forgotten)
            sync_folder(folder)


def _edits(path: Path) -> int:
    """How many edits a checkpoint knows of; 0 where it does not say."""
    try:
        manifest = manifest_of(path)
    except LabError:
        return 0
    return manifest.edits if manifest is not None else 0


def read_checkpoint(path: Path) -> Checkpoint:
    """Read one and compare it with its manifest; raises `LabError` where it is not whole."""
    try:
        manifest = manifest_of(path)
        if manifest is None or STATE not in manifest.files:
            raise LabError(f"{path} is not whole: its {MANIFEST} is not there.")
        expected = manifest.files[STATE]
        data = read_own(path / STATE, expected.bytes)
        # SHA-256 in the first saves that there were
        digest = hashlib.sha256(data).hexdigest() if expected.sha256 else _crc32(data)
        if (len(data), digest) != (expected.bytes, expected.sha256 or expected.crc32):
            raise LabError(f"{path}: the file is not what its manifest says")
        many = data.count(b'"data_offsets"', 8, 8 + HEADER) > MOST_TENSORS
        if many or len(header := header_of(data)) > MOST_TENSORS:  # the library takes minutes
            raise LabError(f"{path} lists more than {MOST_TENSORS:,} tensors, which no run has.")
        facts = plain_json(
            header["__metadata__"]["facts"].encode(), values=2 * MOST_VALUES, lists=4 * MOST_LISTS
        )
        step, named = facts["step"], NAME.fullmatch(path.name)
        if type(step) is not int or step != manifest.step or (named and step != int(named[1])):
            raise LabError(f"{path} is of another step than its name and its manifest say.")
        tensors = {name: t.clone() for name, t in safetensors.torch.load(data).items()}
    except LabError:
        raise
    except Exception as error:  # whatever is wrong with it, another may be whole
        raise LabError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    return Checkpoint(path, step, tensors, facts)


def tidy(run: Path) -> list[str]:
    """Mend what crashes left in a run, and remove what is half-written; the names of all of it."""
    removed: list[str] = []
    with suppress(FileNotFoundError):
        removed += _tidy(run)
    if (run / FOLDER).is_symlink() or not (run / FOLDER).is_dir():  # it has none of its own
        return removed
    with suppress(FileNotFoundError), own_folder(run, FOLDER, make=False) as folder:
        return _tidy(folder) + removed
    return removed


def _tidy(parent: Path) -> list[str]:
    removed = restore_all(parent)
    for entry in os.scandir(parent):
        if entry.name.startswith(".") and entry.name.endswith(".tmp"):
            if entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    remove_folder(Path(entry.path))
            else:
                Path(entry.path).unlink(missing_ok=True)
            removed.append(entry.name)
    return removed


def _container(
    tensors: dict[str, torch.Tensor], metadata: dict[str, str]
) -> list[bytes | memoryview]:
    """A safetensors file in pieces that look into the tensors: nothing is copied once more.

    The library would hold two more copies, and the interpreter while it makes them.
    """
    table: dict[str, Any] = {"__metadata__": metadata}
    views, at = [], 0
    for name, tensor in tensors.items():
        flat = tensor.contiguous().reshape(-1)
        view = memoryview(flat.view(torch.uint8).numpy())
        shape = list(tensor.shape)
        table[name] = {
            "dtype": WORDS[tensor.dtype], "shape": shape, "data_offsets": [at, at + len(view)],
        }  # fmt: skip
        views.append(view)
        at += len(view)
    header = json.dumps(table).encode()
    header += b" " * (-len(header) % 8)
    return [len(header).to_bytes(8, "little") + header, *views]


def _crc32(*parts: bytes | memoryview) -> str:
    """Of the parts one behind the other, in hex; misses one damage in 4 billion.

    Nobody forges a save, so SHA-256 would only take longer: 43 instead of 16 ms for 63 MB, in which
    a training on all cores waits, and 150 ms on processors without instructions for it.
    """
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return f"{checksum:08x}"
