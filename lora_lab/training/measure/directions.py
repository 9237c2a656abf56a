"""What the directions of one layer's ΔW mean: the tokens that u writes, the data that excite v.

ΔW·x = Σ σᵢ·(vᵢ·x)·uᵢ: the input is asked how much of vᵢ it has, and so much of uᵢ is put out. A
pair (uᵢ, vᵢ) may be turned round as one; here the largest entry of uᵢ is positive.
"""

from __future__ import annotations

import time

import torch

from lora_lab.adapters import AdapterLayer
from lora_lab.analysis.subspace import delta_directions
from lora_lab.errors import Cancelled, LabError
from lora_lab.measured import Direction, DirectionsRecord, WrittenTokens
from lora_lab.names import brief
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.excited import WORD, exciting, picture_of
from lora_lab.training.measure.stream import stream_of

SIDE = 8  # tokens at either end
LARGEST = 6e9  # out · in · min(out, in) of a dense SVD: 1,800 × 1,800, some 3 s on one core


@torch.no_grad()
def explain(experiment: Experiment, name: str, count: int, data: bool) -> DirectionsRecord:
    """The first `count` directions of layer `name`; with `data`, what excites each of them.

    Raises LabError for a layer that is not adapted, where ΔW is not finite or is too large to be
    decomposed without factors, and Cancelled where it is to end.
    """
    began = time.perf_counter()
    layer = experiment.layers.get(name)
    if layer is None:
        raise LabError(f"{name} is not adapted in this run.")
    out, into = layer.shape
    if layer.factors() is None and out * into * min(out, into) > LARGEST:
        raise LabError(
            f"The ΔW of {name} has no factors, and to decompose {out:,} × {into:,} entries would "
            "hold the training up for too long."
        )
    U, sigma, Vh = delta_directions(layer)
    energy = sigma.square() / sigma.square().sum() if len(sigma) else sigma
    U, V = U[:, :count].mT, Vh[:count]  # (k, out), (k, in)
    turn = torch.gather(U, 1, U.abs().argmax(1, keepdim=True)).sign()
    U, V = U * turn, V * turn
    words, why = _written(experiment, layer, U)
    found, seen, unread = [()] * len(U), 0, ""
    pictures = [None] * len(U)
    if len(U) and (data or experiment.task.shows_wrong):
        with experiment.inference.looking():
            if data:
                found, seen, unread = exciting(experiment, layer, V)
            pictures = picture_of(experiment, layer, V)
    if experiment.should_stop():
        raise Cancelled("The measurement was cancelled.")
    directions = tuple(
        Direction(float(s), float(e), tokens, rows, picture)
        for s, e, tokens, rows, picture in zip(
            sigma, energy, words or [None] * len(U), found, pictures, strict=False
        )
    )
    return DirectionsRecord(
        experiment.step, name, len(sigma), directions, why, data, seen, unread,
        time.perf_counter() - began,
    )  # fmt: skip


def _written(
    experiment: Experiment, layer: AdapterLayer, U: torch.Tensor
) -> tuple[list[WrittenTokens], str]:
    """The tokens, or classes, at both ends of each u; or none and the reason."""
    if not len(U):
        return [], "ΔW is 0: there are no directions yet"
    task, model = experiment.task, experiment.model
    if len(task.classes) == layer.shape[0] and layer.name == _last_called(experiment):
        return [class_ends(u, task.classes) for u in U], ""
    stream = stream_of(experiment)
    if stream is None and not task.generates:
        return [], "u is in the layer's own outputs: only a language model's have tokens"
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    if head is layer:
        return [token_ends(u, task.tokenizer) for u in U.float()], ""
    if stream is None:
        return [], "no final norm and head were found that can be called apart in this model"
    if not stream.writes(layer):
        return [], (
            "this layer does not write into the residual stream: its output goes through another "
            "product, a nonlinearity or a norm first, so u names no tokens"
        )
    return [token_ends(row, task.tokenizer) for row in stream.logits(U)], ""


def token_ends(values: torch.Tensor, tokenizer: object) -> WrittenTokens:
    """The tokens with the largest and the smallest of `values` (vocabulary)."""
    count = min(SIDE, len(values))
    sides = []
    for sign in (1, -1):
        top = torch.topk(sign * values, count)
        words = [brief(tokenizer.decode([i]), WORD) for i in top.indices.tolist()]
        sides.append(tuple(zip(words, (sign * top.values).tolist(), strict=True)))
    return WrittenTokens(*sides)


def class_ends(values: torch.Tensor, classes: tuple[str, ...]) -> WrittenTokens:
    """The classes that `values` speak for, and those against which."""
    order = torch.argsort(values, descending=True).tolist()
    pairs = [(brief(classes[i]), float(values[i])) for i in order]
    up = tuple(pair for pair in pairs if pair[1] > 0)[:SIDE]
    return WrittenTokens(up, tuple(p for p in reversed(pairs) if p[1] < 0)[:SIDE])


def _last_called(experiment: Experiment) -> str:
    """The adapted layer whose output is what the model answers with; "" where none is."""
    outputs: dict[str, torch.Tensor] = {}

    def keep(module: AdapterLayer, _: object, output: torch.Tensor) -> None:
        outputs[module.name] = output

    row = next(iter(experiment.task.looked_at(1)), None)
    if row is None:
        return ""
    hooks = [layer.register_forward_hook(keep) for layer in experiment.layers.values()]
    try:
        with experiment.inference.looking():
            answer = row.show(experiment.model)
    finally:
        for hook in hooks:
            hook.remove()
    answer = getattr(answer, "logits", answer)
    same = (name for name, output in outputs.items()
            if torch.is_tensor(answer) and torch.equal(output, answer))  # fmt: skip
    return next(same, "")
