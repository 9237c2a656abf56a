"""PEFT's LoHa, LoKr and VeRA folders, whose ΔW is a formula of the tensors: read, not written.

| peft_type | ΔW | s |
|---|---|---|
| LOHA, LOKR | as in `lycoris` | α/r of the settings, patterns included |
| VERA | diag(λ_b)·B·diag(λ_d)·A, with A and B that all layers share | 1 |

(peft 0.21.2, tuners/{loha,lokr,vera}/layer.py.) VeRA's A and B are as large as the largest layer;
how much of A belongs to a layer is told by the base.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.formats import lycoris
from lora_lab.formats.factor_file import read_factor_file, read_settings
from lora_lab.formats.factors import layer_of_factors
from lora_lab.formats.laid_out import Laid, check_laid_out
from lora_lab.formats.peft import CONFIG, TENSORS
from lora_lab.formats.peft_config import MERGE, checked_alpha, checked_rank
from lora_lab.formats.peft_patterns import Patterns
from lora_lab.names import shown
from lora_lab.variants import PLAIN

TITLES = {"LOHA": "LoHa", "LOKR": "LoKr", "VERA": "VeRA"}
PREFIX = "base_model.model."
SHARED = ("base_model.vera_A", "base_model.vera_B")
LAMBDAS = ("vera_lambda_d", "vera_lambda_b")
PARTS = (*LAMBDAS, *(part for part in lycoris.KNOWN if part.startswith(("hada_", "lokr_"))))

Shapes = Mapping[str, tuple[int, ...]]


def method_of(folder: Path) -> str:
    """The peft_type of a folder that is read here; "" for all others."""
    if not (folder / CONFIG).is_file() or not (folder / TENSORS).is_file():
        return ""
    method = read_settings(folder / CONFIG).get("peft_type")
    return method if isinstance(method, str) and method in TITLES else ""


def load(folder: Path, shapes: Shapes) -> AdapterWeights:
    """Read the folder; `shapes` of the base tell convolutions, and of VeRA the inputs of a layer.

    Raises AdapterError for what is damaged, fully trained besides, or needs the base.
    """
    settings, path = read_settings(folder / CONFIG), folder / TENSORS
    method = str(settings.get("peft_type"))
    tensors = read_factor_file(path).tensors
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        part = next((part for part in PARTS if key.endswith(f".{part}")), "")
        name = key[len(PREFIX) : -len(part) - 1] if part and key.startswith(PREFIX) else ""
        if name:
            groups.setdefault(name, {})[part] = tensor
        elif key not in SHARED:
            raise AdapterError(
                f"{path}: peft_type is {shown(method)}, and {shown(key)} is no factor of such a "
                f"layer; what is trained besides is not read. {MERGE}"
            )
    try:
        if method == "VERA":
            check_laid_out(_vera_sizes(groups, tensors, shapes))
            layers = [_vera(name, own, tensors, shapes) for name, own in groups.items()]
        else:
            scale = _Scale(settings, path)
            lycoris.check_sizes(groups)
            layers = [
                lycoris.layer(name, own, None, shapes.get(name, ()), None, scale.of(name))
                for name, own in groups.items()
            ]
    except AdapterError as error:
        raise AdapterError(f"{path}: {error}") from None
    if not layers:
        raise AdapterError(f"{path}: there are no factors of {TITLES[method]} in it")
    note = f"{TITLES[method]}: its ΔW is read exactly, as two factors; resize makes a LoRA of it"
    base = settings.get("base_model_name_or_path")
    return AdapterWeights(
        PLAIN, tuple(layers), base=base if isinstance(base, str) else "",
        extra={"format": "peft-product", "notes": (note,), "product": TITLES[method]},
    )  # fmt: skip


class _Scale:
    """α/r of each layer, by PEFT's patterns."""

    def __init__(self, settings: dict[str, Any], path: Path) -> None:
        tables = [settings.get(name) or {} for name in ("alpha_pattern", "rank_pattern")]
        if not all(isinstance(table, dict) for table in tables):
            raise AdapterError(f"{path.parent / CONFIG}: its patterns are no table of numbers")
        where = path.parent / CONFIG
        alpha, r = settings.get("alpha", 8), settings.get("r", 8)
        self.common = checked_alpha(where, "alpha", alpha), checked_rank(where, "r", r)
        checks = {"alpha_pattern": checked_alpha, "rank_pattern": checked_rank}
        tables = [
            {key: check(where, field, value) for key, value in table.items()}
            for (field, check), table in zip(checks.items(), tables, strict=True)
        ]
        self.alphas, self.ranks = (Patterns(table) for table in tables)

    def of(self, name: str) -> float:
        alpha, rank = self.common
        return self.alphas.get(name, alpha) / self.ranks.get(name, rank)


def _vera_sizes(
    groups: dict[str, dict[str, torch.Tensor]], tensors: dict[str, torch.Tensor], shapes: Shapes
) -> Iterator[Laid]:
    """What each layer takes of the pair that the file has once for all of them."""
    for name, own in groups.items():
        shape, numbers = shapes.get(name, ()), sum(tensor.numel() for tensor in own.values())
        if len(shape) == 2 and SHARED[0] in tensors:
            yield Laid(name, shape[0], len(tensors[SHARED[0]]), shape[1], numbers)


def _vera(
    name: str, own: dict[str, torch.Tensor], tensors: dict[str, torch.Tensor], shapes: Shapes
) -> LayerWeights:
    for key in SHARED:
        if key not in tensors:
            raise AdapterError(
                f"{key} is not in the file (save_projection was off): A and B are drawn anew from "
                f"a seed. {MERGE}"
            )
    for part in LAMBDAS:
        if part not in own:
            raise AdapterError(f"{part} of {shown(name)} is missing")
    d, b = (own[part] for part in LAMBDAS)  # (r), (out)
    A, B = (tensors[key] for key in SHARED)  # (r, largest in), (largest out, r)
    if (d.dim(), b.dim(), A.dim(), B.dim()) != (1, 1, 2, 2) or B.shape[1] != len(A):
        raise AdapterError(
            f"{shown(name)}: {list(d.shape)} and {list(b.shape)}, {list(A.shape)} and "
            f"{list(B.shape)} are no vectors and matrices of VeRA"
        )
    shape = shapes.get(name, ())
    if len(shape) != 2:
        raise AdapterError(
            f"{shown(name)}: VeRA's A is as wide as the widest layer, and only the base says how "
            "wide this one is. Give it (--base)"
        )
    inputs = shape[1] if shape[0] == len(b) else shape[0]
    if len(b) not in shape or A.shape[0] != len(d) or A.shape[1] < inputs or B.shape[0] < len(b):
        raise AdapterError(f"{shown(name)} is {list(shape)} in the base: it is for another base")
    down = d.double()[:, None] * A[:, :inputs].double()
    up = b.double()[:, None] * B[: len(b)].double()
    return layer_of_factors(name, down.float(), up.float(), None)
