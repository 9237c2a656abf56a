"""Inputs of the table in `hostile_inputs` whose numbers or factors are more than their bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.models.test_checkpoint import shared, tables_of_tables
from tests.reliability.hostile_inputs import Hostile, adapter, llama, model, state, to_bytes


def four_bits(folder: Path, **facts: Any) -> None:
    """A model one of whose matrices is packed by bitsandbytes, with other facts beside it."""
    llama(folder)
    state, key = load_file(str(folder / "model.safetensors")), "model.layers.0.mlp.up_proj.weight"
    shape = list(state[key].shape)
    told = json.dumps({"blocksize": 64, "shape": shape, **facts}).encode()
    state |= {
        key: torch.zeros(state[key].numel() // 2, 1, dtype=torch.uint8),
        f"{key}.absmax": torch.ones(2), f"{key}.quant_map": torch.ones(16),
        f"{key}.quant_state.bitsandbytes__nf4": torch.tensor(list(told), dtype=torch.uint8),
    }  # fmt: skip
    save_file(state, str(folder / "model.safetensors"), {"format": "pt"})


def hostile_weights() -> dict[str, Hostile]:
    """Every such input by its name."""
    from tests.formats.test_laid_out import PRODUCTS

    products = {
        f"{case}.safetensors": Hostile(
            lambda path, parts=parts: save_file(parts, str(path)), adapter, "which no layer has"
        )
        for case, parts in PRODUCTS.items()
    }
    return products | {
        "tables of tables.pt": Hostile(to_bytes(tables_of_tables), state, "not a tensor"),
        "one storage.pt": Hostile(to_bytes(shared), state, "the same numbers many times"),
        "blocks of 4 bits": Hostile(lambda p: four_bits(p, blocksize=2 * 10**8), model,
                                    "not whole"),
        "endless blocks of 4 bits": Hostile(lambda p: four_bits(p, blocksize=float("inf")), model,
                                            "not whole"),
    }  # fmt: skip
