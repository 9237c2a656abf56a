"""EVA: lora_A starts as the directions in which a layer's inputs vary most.

Paischer et al. 2024, arXiv 2410.07170, §3: the rows of A are the top right singular vectors of the
stacked inputs X (n × in), B is zero. Every layer keeps its rank here; the paper's moving of ranks
between layers (ρ > 1) is left to the ranks that each layer can be given.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.kinds import Convolution
from lora_lab.adapters.lora import LoRALayer
from lora_lab.errors import AdapterError


@torch.no_grad()
def start_from_inputs(layers: dict[str, AdapterLayer], run: Callable[[], None]) -> None:
    """Set lora_A of every layer from the inputs it sees while `run()` sends data through.

    XᵀX (in × in) is summed per distinct input in float32, in² numbers a layer. Raises AdapterError
    for a layer that has no continuous input, saw none, or has too few inputs for its rank.
    """
    seen: dict[str, torch.Tensor] = {}
    last: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}  # input → its XᵀX, shared by q, k, v

    def watch(layer: LoRALayer) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            x = inputs[0]
            key = f"{x.data_ptr()} {x._version} {tuple(x.shape)} {layer.shape[1]}"
            if key not in last:
                last.clear()
                X = _rows(layer, x).to(layer.factor_dtype)
                last[key] = (x, X.t() @ X)
            gram = last[key][1]
            seen[layer.name] = seen[layer.name] + gram if layer.name in seen else gram

        return hook

    adapters = [layer for layer in layers.values() if isinstance(layer, LoRALayer)]
    for layer in adapters:
        if not layer.kind.drops_input or layer.kind.groups(layer.base_layer) > 1:
            raise AdapterError(
                f"Layer {layer.name}: init eva needs continuous inputs of an undivided layer. "
                "Leave it out of the targets or choose init kaiming."
            )
    hooks = [layer.register_forward_pre_hook(watch(layer)) for layer in adapters]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    rows = {}
    for layer in adapters:  # nothing is set before all is found
        if layer.name not in seen:
            raise AdapterError(f"Layer {layer.name} saw no input, so init eva cannot start it.")
        values, vectors = torch.linalg.eigh(seen.pop(layer.name).cpu().double())
        noise = len(values) * torch.finfo(layer.factor_dtype).eps * values[-1]
        significant = int((values > noise.clamp_min(0)).sum())
        if significant < layer.rank:
            raise AdapterError(
                f"Layer {layer.name}: its inputs span {significant} directions, fewer than the "
                f"rank {layer.rank}. Lower the rank or choose init kaiming."
            )
        rows[layer.name] = vectors.flip(1)[:, : layer.rank].t().contiguous()
    for layer in adapters:
        layer.lora_A.copy_(rows[layer.name])


def _rows(layer: LoRALayer, x: torch.Tensor) -> torch.Tensor:
    """A layer's input as rows (n × in): what W's rows are multiplied with."""
    if layer.kind is not Convolution:
        return x.reshape(-1, x.shape[-1])
    base = layer.base_layer
    if base.padding_mode != "zeros" or isinstance(base.padding, str):
        x = F.pad(x, base._reversed_padding_repeated_twice, mode=_mode(base.padding_mode))
        padding = (0,) * len(base.kernel_size)
    else:
        padding = base.padding
    if len(base.kernel_size) == 1:  # unfold knows images only
        x = x.unsqueeze(-2)
        sizes = [(1, *base.kernel_size), (1, *base.dilation), (0, *padding), (1, *base.stride)]
    else:
        sizes = [base.kernel_size, base.dilation, padding, base.stride]
    patches = F.unfold(x, *sizes)  # (batch, in, positions)
    return patches.transpose(1, 2).reshape(-1, patches.shape[1])


def _mode(padding_mode: str) -> str:
    return "constant" if padding_mode == "zeros" else padding_mode
