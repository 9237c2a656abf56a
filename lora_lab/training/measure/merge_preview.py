"""Merge preview: how much of ΔW would survive in W + ΔW, in float32, bfloat16 and float16.

Over a base in blocks that can be packed here, those are a further type: W + ΔW packed again.
"""

from __future__ import annotations

import math

import torch

from lora_lab.adapters import AdapterLayer
from lora_lab.analysis.merge_loss import merge_loss, repacked_loss
from lora_lab.blocks.forms import FORMS
from lora_lab.blocks.frozen import FrozenBlocks
from lora_lab.measured import LayerMerge, MergeRecord
from lora_lab.training.experiment import Experiment

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
ENTRIES = 2**24  # of all layers together; about a quarter of a second on two cores
LEAST_ROWS = 16


@torch.no_grad()
def merge_preview(experiment: Experiment) -> MergeRecord:
    """What a merge of every layer would lose, by rounding W + ΔW; W is left as it is.

    Training waits meanwhile, so the work is bounded: the layers share ENTRIES entries of W among
    them, and of a larger layer evenly spaced rows stand for all. With factors only those rows of
    ΔW are formed; without (DoRA, full fine-tuning) the layer's ΔW is formed once, as for its
    spectrum. Loss and size are ratios, so that a sample of rows estimates them as they are.
    """
    layers = experiment.layers
    form = next((f for x in layers.values() if (f := _form(x))), "")
    each = max(1, ENTRIES // len(layers))
    names = [*(str(dtype).removeprefix("torch.") for dtype in DTYPES), *_title(form)]
    rows, lost, size, weight = [], [0.0] * len(names), 0.0, 0.0
    looked_at = entries = 0
    for name, layer in layers.items():
        chosen = _rows(layer, each)
        W, delta = layer.matrix[chosen].detach().cpu(), _delta_rows(layer, chosen).cpu()
        results = [merge_loss(W, delta, dtype) for dtype in DTYPES]
        losses = [result.loss for result in results]
        if form:
            again = form if _form(layer) == form else ""
            losses.append(repacked_loss(W, delta, again) if again else losses[0])
        rows.append(LayerMerge(name, layer.shape, results[0].relative_size, tuple(losses)))
        of_all = W.numel() / math.prod(layer.shape)
        whole = float(delta.double().square().sum()) / of_all  # of ‖ΔW‖²
        size += whole
        weight += float(W.double().square().sum()) / of_all
        if whole:
            lost = [sum_ + whole * loss**2 for sum_, loss in zip(lost, losses, strict=True)]
        looked_at += W.numel()
        entries += math.prod(layer.shape)
    return MergeRecord(
        step=experiment.step,
        dtypes=tuple(names),
        loss=tuple(math.sqrt(sum_ / size) if size else math.nan for sum_ in lost),
        relative_size=math.sqrt(size / weight) if weight else math.nan,
        layers=tuple(rows),
        share=looked_at / entries,
    )


def _form(layer: AdapterLayer) -> str:
    """The form of a layer's blocks where there is a quantizer of it; "" else."""
    form = layer.base_layer.form if isinstance(layer.base_layer, FrozenBlocks) else ""
    return form if form and FORMS[form].pack is not None else ""


def _title(form: str) -> list[str]:
    return [FORMS[form].title] if form else []


def _rows(layer: AdapterLayer, entries: int) -> slice:
    """Evenly spaced rows of W with about so many entries; all of them where they fit."""
    out_features, in_features = layer.shape
    count = max(LEAST_ROWS, entries // in_features)
    return slice(None, None, max(1, math.ceil(out_features / count)))


def _delta_rows(layer: AdapterLayer, rows: slice) -> torch.Tensor:
    factors = layer.factors()
    if factors is None:
        return layer.delta_weight()[rows]
    return factors.scaling * (factors.B[rows] @ factors.A)
