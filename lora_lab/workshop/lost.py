"""What a cast or a cut loses of an adapter: measured against the very numbers that were read.

The proof of a written file compares with what was handed to the writer, which is rounded already.
Here the rounded factors stand beside those that were read, layer by layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.workshop.combine import product_norm

MOST = 0.5  # of ‖ΔW‖ over all layers: above it a cast leaves another adapter


@dataclass(frozen=True)
class Lost:
    """‖ΔW' − ΔW‖_F/‖ΔW‖_F of each layer, and over all layers together; of DoRA of its s·B·A."""

    layers: dict[str, float]
    total: float

    @property
    def worst(self) -> tuple[str, float]:
        """The layer that loses most, and how much."""
        return max(self.layers.items(), key=lambda pair: pair[1])

    def words(self) -> str:
        """One sentence for a person."""
        name, most = self.worst
        return (
            f"against what was read: at most {100 * most:.2g} % of ‖ΔW‖ is lost in a layer "
            f"({name}), {100 * self.total:.2g} % over all"
        )


@torch.no_grad()
def lost(read: AdapterWeights, written: AdapterWeights) -> Lost:
    """The loss of `written`, which has the layers of `read` at any rank, scale and dtype."""
    before = {layer.name: layer for layer in read.layers}
    layers, gone, whole = {}, 0.0, 0.0
    for layer in written.layers:
        size, difference = _norms(before[layer.name], layer)
        layers[layer.name] = difference / size if size else float(difference > 0)
        gone, whole = gone + difference**2, whole + size**2
    return Lost(layers, (gone / whole) ** 0.5 if whole else 0.0)


def refuse_ruin(loss: Lost, dtype: str) -> None:
    """Raise AdapterError where a cast to `dtype` leaves less than half of ΔW."""
    if loss.total <= MOST:
        return
    name, most = loss.worst
    raise AdapterError(
        f"In {dtype} {100 * loss.total:.0f} % of ΔW would be lost ({100 * most:.0f} % in {name}): "
        "its factors are too small for that dtype. Keep the dtype, or take bfloat16 or float32."
    )


def _norms(before: LayerWeights, after: LayerWeights) -> tuple[float, float]:
    """‖ΔW‖_F and ‖ΔW' − ΔW‖_F from the factors alone; no ΔW is formed."""
    left, right = before.scaling * before.lora_B.double(), before.lora_A.double()
    new_left, new_right = after.scaling * after.lora_B.double(), after.lora_A.double()
    size = product_norm(left, right)
    if torch.equal(left, new_left) and torch.equal(right, new_right):
        return size, 0.0
    both = torch.cat([new_left, -left], 1), torch.cat([new_right, right])
    return size, product_norm(*both)
