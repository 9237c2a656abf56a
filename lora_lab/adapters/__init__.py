"""VARIANTS and INITS: the contents page of the mathematics."""

from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.dora import DoRALayer
from lora_lab.adapters.full import FullLayer
from lora_lab.adapters.init import INITS
from lora_lab.adapters.lora import LoRALayer
from lora_lab.adapters.rslora import RsLoRALayer

VARIANTS: dict[str, type[AdapterLayer]] = {
    "lora": LoRALayer,
    "rslora": RsLoRALayer,
    "dora": DoRALayer,
    "full": FullLayer,
}

__all__ = ["INITS", "VARIANTS", "AdapterLayer", "DoRALayer", "FullLayer", "LoRALayer"]
