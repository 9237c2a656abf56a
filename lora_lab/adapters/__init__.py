"""VARIANTS and INITS: the contents page of the mathematics."""

from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.full import FullLayer
from lora_lab.adapters.init import INITS
from lora_lab.adapters.lora import LoRALayer

VARIANTS: dict[str, type[AdapterLayer]] = {"lora": LoRALayer, "full": FullLayer}

__all__ = ["INITS", "VARIANTS", "AdapterLayer", "FullLayer", "LoRALayer"]
