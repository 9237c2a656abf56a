"""The kinds of adapter, a line each: where each one is, its title, and what ΔW is in it.

It loads no torch, so that the window and the command line know the names at once. The classes
themselves are `lora_lab.adapters.VARIANTS`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """`layer` is "file:class" of its AdapterLayer in `lora_lab.adapters`."""

    layer: str
    title: str
    about: str


VARIANTS: dict[str, Variant] = {
    "lora": Variant("lora:LoRALayer", "LoRA", "ΔW = (α/r)·B·A. Hu et al. 2021, arXiv 2106.09685"),
    "rslora": Variant(
        "rslora:RsLoRALayer", "rsLoRA", "ΔW = (α/√r)·B·A. Kalajdzievski 2023, arXiv 2312.03732"
    ),
    "dora": Variant(
        "dora:DoRALayer",
        "DoRA",
        "W′ = m ∘ V/‖V‖, V = W + (α/r)·B·A. Liu et al. 2024, arXiv 2402.09353",
    ),
    "full": Variant(
        "full:FullLayer", "full", "ΔW = W′ − W, every entry trains: the comparison, not for export"
    ),
}
