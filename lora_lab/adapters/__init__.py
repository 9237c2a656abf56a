"""VARIANTS and INITS: the contents page of the mathematics."""

from lora_lab import variants
from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.dora import DoRALayer
from lora_lab.adapters.full import FullLayer
from lora_lab.adapters.init import INITS, resolved
from lora_lab.adapters.lora import LoRALayer
from lora_lab.adapters.subspace import SubspaceLayer

VARIANTS: dict[str, type[AdapterLayer]] = {
    name: resolved(variant.layer) for name, variant in variants.VARIANTS.items()
}

__all__ = [
    "INITS", "VARIANTS", "AdapterLayer", "DoRALayer", "FullLayer", "LoRALayer", "SubspaceLayer",
]  # fmt: skip
