"""FORMATS: the files an adapter can be written to; a new one is a file here and a line below.

No module of a network is in sight here: adapters come and go as plain tensors (AdapterWeights).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.formats import peft
from lora_lab.formats.peft_reread import reread as peft_reread


@dataclass(frozen=True)
class Format:
    """One kind of adapter folder.

    `save` writes into a folder and returns notes; `load` reads strictly; `reread` yields
    (layer, s·B·A, DoRA's magnitude or None) in float64 by a way that shares nothing with `save`, to
    prove a written file; a tensor that is trained whole comes by its own name. `limits` are
    sentences on what the programs that read the format would compute otherwise, whatever the file
    says: such an adapter is saved for us but not exported.
    `files` are the names that belong to the format: a folder that holds anything else is never
    overwritten. The first of them holds the tensors.
    """

    name: str
    title: str
    files: tuple[str, ...]
    save: Callable[[AdapterWeights, Path], tuple[str, ...]]
    load: Callable[[Path], AdapterWeights]
    reread: Callable[[Path], Iterator[tuple[str, np.ndarray, np.ndarray | None]]]
    limits: Callable[[AdapterWeights], tuple[str, ...]] = lambda weights: ()


FORMATS: dict[str, Format] = {
    "peft": Format(
        "peft",
        "PEFT folder (Hugging Face)",
        (peft.TENSORS, peft.CONFIG),
        peft.save,
        peft.load,
        peft_reread,
        peft.limits,
    ),
}
