"""rsLoRA: LoRA with s = α/√r (Kalajdzievski 2023, arXiv 2312.03732, Theorem 3.2)."""

from __future__ import annotations

from lora_lab.adapters.lora import LoRALayer
from lora_lab.variants import VARIANTS


class RsLoRALayer(LoRALayer):
    """h = W x + b + s·B·A·x,   s = α/√r,   A: (r × in), B: (out × r), ΔW = s·B·A.

    With s = α/r the gradients of A and B fade as r grows; with α/√r their size does not depend on
    r, so a larger rank can be used. At the same α it moves √r times as far as LoRA.
    """

    scaling_for = staticmethod(VARIANTS["rslora"].scaling)  # s = α/√r
