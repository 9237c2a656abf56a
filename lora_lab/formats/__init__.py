"""FORMATS: the files an adapter can be written to; a new one is a file here and a line below.

No module of a network is in sight here: adapters come and go as plain tensors (AdapterWeights).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.formats import (
    components,
    diffusers,
    gguf_adapter,
    kohya,
    mlx,
    peft,
    peft_limits,
    portable,
    vera,
)
from lora_lab.formats.container import count_tensors
from lora_lab.formats.gguf_reread import reread as gguf_reread
from lora_lab.formats.mlx_reread import reread as mlx_reread
from lora_lab.formats.one_file_reread import reread_diffusers, reread_kohya
from lora_lab.formats.peft_reread import reread as peft_reread
from lora_lab.formats.reread_layer import RereadLayer


@dataclass(frozen=True)
class Format:
    """One kind of adapter folder, or of one file.

    `save` writes into a folder and returns notes on what it baked in; `reread` yields every layer
    as the target computes with it, by a way that shares nothing with `save`, to prove a written
    file. `named` gives the layers the names that the target looks for (the
    component of a pipeline may have to be told), or refuses. `limits` are sentences on what the
    programs that read the format would compute otherwise, whatever the file says: such an adapter
    is not exported. `files` are the names that belong to the format: a folder that holds anything
    else is never overwritten. The first of them holds the tensors; of a `single` format it is all
    there is, and the target is a file of any name.
    """

    name: str
    title: str
    files: tuple[str, ...]
    save: Callable[[AdapterWeights, Path], tuple[str, ...]]
    reread: Callable[[Path, AdapterWeights], Iterator[RereadLayer]]
    limits: Callable[[AdapterWeights], tuple[str, ...]] = lambda weights: ()
    single: bool = False
    suffix: str = ""  # of a file
    named: Callable[[AdapterWeights, str], tuple[AdapterWeights, tuple[str, ...]]] = (
        components.alone
    )
    load: Callable[[Path], AdapterWeights] = peft.load
    count: Callable[[Path], int] = count_tensors


PEFT_FILES = (peft.TENSORS, peft.CONFIG)

FORMATS: dict[str, Format] = {
    "peft": Format(
        "peft", "PEFT folder (Hugging Face)", PEFT_FILES, peft.save, peft_reread,
        peft_limits.limits,
    ),
    "peft-vera": Format(
        "peft-vera", "PEFT folder of VeRA", PEFT_FILES, vera.save, vera.reread, vera.limits,
        load=vera.load,
    ),
    "peft-portable": Format(
        "peft-portable", "PEFT folder, portable", PEFT_FILES, portable.save, peft_reread,
        portable.limits,
    ),
    "kohya": Format(
        "kohya", "kohya file", (kohya.FILE,), kohya.save, reread_kohya, kohya.limits, single=True,
        suffix=".safetensors", load=kohya.load, named=components.placed,
    ),
    "diffusers": Format(
        "diffusers", "diffusers folder", (diffusers.FILE,), diffusers.save, reread_diffusers,
        diffusers.limits, load=diffusers.load, named=components.placed,
    ),
    "gguf": Format(
        "gguf", "GGUF file", (gguf_adapter.FILE,), gguf_adapter.save, gguf_reread,
        gguf_adapter.limits, single=True, suffix=".gguf", load=gguf_adapter.load,
        count=gguf_adapter.count_tensors,
    ),
    "mlx": Format(
        "mlx", "MLX folder (mlx-lm)", (mlx.FILE, mlx.SETTINGS), mlx.save, mlx_reread, mlx.limits,
        load=mlx.load,
    ),
}  # fmt: skip
