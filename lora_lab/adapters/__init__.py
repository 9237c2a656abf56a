"""VARIANTS and INITS: the contents page of the mathematics."""

from importlib import import_module

from lora_lab import variants
from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.dora import DoRALayer
from lora_lab.adapters.full import FullLayer
from lora_lab.adapters.init import INITS
from lora_lab.adapters.lora import LoRALayer


def _layer(where: str) -> type[AdapterLayer]:
    file, name = where.split(":")
    return getattr(import_module(f"{__name__}.{file}"), name)


VARIANTS: dict[str, type[AdapterLayer]] = {
    name: _layer(variant.layer) for name, variant in variants.VARIANTS.items()
}

__all__ = ["INITS", "VARIANTS", "AdapterLayer", "DoRALayer", "FullLayer", "LoRALayer"]
