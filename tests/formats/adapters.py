"""Adapters with random factors for every type of layer and variant, and the models they are of."""

from dataclasses import replace

import torch
from torch import nn

from lora_lab import variants
from lora_lab.adapters.inject import inject
from lora_lab.adapters.weights import AdapterWeights


def delta_of(reread):
    """s·B·A (out × in) of a layer that was read again, or the whole tensor."""
    return reread.left if reread.right is None else reread.left @ reread.right


class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, (3, 2), stride=2)
        self.parts = nn.ModuleDict({"point": nn.Conv2d(6, 4, 1)})
        self.line = nn.Conv1d(4, 5, 3)


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.ModuleDict({"wide": nn.Conv2d(4, 8, 3, groups=2)})


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.ModuleDict({"words": nn.Embedding(13, 8), "out": nn.Linear(8, 5)})


SPECIAL = {"pictures": Pictures, "grouped": Grouped, "table": Table}
# Those that train all of A and B; what others make of their numbers is such factors as well.
ALL = [n for n, row in variants.VARIANTS.items() if row.factored and row.trained is None]
VARIANTS = (*ALL, "ranks")


def weights_of(model, variant, *, base="", targets=None, seed=0):
    """Factors of rank 4 (with `ranks`: 2 and 4 by turns) with a ΔW that is not 0 anywhere."""
    kind = "lora" if variant == "ranks" else variant
    if targets is None:
        wanted = (nn.Conv1d, nn.Conv2d, nn.Embedding, nn.Linear)
        targets = [n for n, m in model.named_modules() if isinstance(m, wanted)]
    layers = inject(
        model, variant=kind, rank=4, alpha=6, init="kaiming", targets=targets, seed=seed
    )
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for number, layer in enumerate(layers.values()):
        row = layer.layer_weights()
        A = 0.1 * torch.randn(row.lora_A.shape, generator=generator)
        B = 0.1 * torch.randn(row.lora_B.shape, generator=generator)
        B = B * (row.lora_B != 0) if row.groups > 1 and row.lora_B.any() else B
        if row.groups > 1:
            blocks = torch.block_diag(
                *[torch.ones(B.shape[0] // row.groups, B.shape[1] // row.groups)] * row.groups
            )
            B = B * blocks
        row = replace(row, lora_A=A, lora_B=B)
        if row.magnitude is not None:
            row = replace(row, magnitude=row.magnitude * 1.1)
        if variant == "ranks" and number % 2 and row.groups == 1:
            row = replace(row, lora_A=A[:2], lora_B=B[:, :2], alpha=3.0)
        rows.append(row)
    return AdapterWeights(kind, tuple(rows), base=str(base), base_fingerprint="f00d")
