"""What adapters are kept in: every format that is written, and those that are only read."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from tests.reliability.fuzz_data_forms import model
from tests.reliability.fuzz_form import Form, in_folder, of_header, of_shapes, within

TARGETS = ("q_proj", "down_proj")
BLOCK = "double_blocks.0.processor"
SHAPES = {"one": (20, 12), "square": (16, 16), "wide": (8, 4, 3, 3), "a_b": (4, 4)}
# Tensors of conventions that are only read, a layer each.
CONVENTIONS = {
    "kohya": {"lora_unet_a_b.lora_down.weight": (2, 4), "lora_unet_a_b.lora_up.weight": (4, 2),
              "lora_unet_a_b.alpha": ()},
    "loha": {f"lora_unet_a_b.hada_w{n}_{part}": shape
             for n in "12" for part, shape in (("a", (4, 2)), ("b", (2, 4)))},
    "lokr": {"lora_unet_a_b.lokr_w1": (2, 2), "lora_unet_a_b.lokr_w2_a": (2, 1),
             "lora_unet_a_b.lokr_w2_b": (1, 2), "lora_unet_a_b.alpha": ()},
    "core": {"lora_unet_a_b.lora_down.weight": (2, 4, 1, 1),
             "lora_unet_a_b.lora_mid.weight": (2, 2, 3, 3),
             "lora_unet_a_b.lora_up.weight": (4, 2, 1, 1)},
    "xlabs": {f"{BLOCK}.{part}_lora1.{side}.weight": shape
              for part in ("qkv", "proj")
              for side, shape in (("down", (2, 6)), ("up", (6, 2)))},
    "loralib": {"layer.one.lora_A": (2, 4), "layer.one.lora_B": (4, 2)},
    "diffusers file": {"unet.down.to_q.lora_A.weight": (2, 4),
                       "unet.down.to_q.lora_B.weight": (4, 2)},
}  # fmt: skip


def adapter(path: Path) -> Any:
    """Opened, and its ΔW made, as whatever reads an adapter does."""
    from lora_lab.formats.recognise import is_adapter, open_adapter

    is_adapter(path)
    found = open_adapter(path, alpha=4.0, names=SHAPES)
    return [layer.delta_weight() for layer in found.layers[:4]]


@cache
def _saved(format: str) -> Path:
    from lora_lab.formats import FORMATS
    from tests.formats.adapters import weights_of
    from tests.models.tiny import MODELS

    folder = Path(tempfile.mkdtemp()) / format
    weights = weights_of(MODELS["llama"](), "lora", base=model(), targets=list(TARGETS))
    FORMATS[format].save(weights, folder)
    return folder


@cache
def _product(name: str) -> Path:
    """LoHa, LoKr or VeRA as PEFT saves them."""
    from tests.formats.test_peft_products import saved

    folder = Path(tempfile.mkdtemp()) / "product"
    saved(folder, name)
    return folder


def _archived(shapes: dict[str, tuple[int, ...]]) -> bytes:
    buffer = io.BytesIO()
    torch.save({name: torch.ones(shape) for name, shape in shapes.items()}, buffer)
    return buffer.getvalue()


def adapter_forms() -> dict[str, Form]:
    tensors = "adapter_model.safetensors"
    found = {
        "adapter config": in_folder(lambda: _saved("peft"), "adapter_config.json", adapter),
        "adapter": of_header(tensors, within(lambda: _saved("peft"), adapter),
                             (_saved("peft") / tensors).read_bytes()),
        "mlx config": in_folder(lambda: _saved("mlx"), "adapter_config.json", adapter),
        "mlx": of_header("adapters.safetensors", within(lambda: _saved("mlx"), adapter),
                         (_saved("mlx") / "adapters.safetensors").read_bytes()),
        "gguf adapter": Form("x.gguf", (_saved("gguf") / "adapter.gguf").read_bytes, adapter),
        "torch adapter": Form("x.pt", lambda: _archived(CONVENTIONS["loralib"]), adapter),
        "diffusers": of_header("pytorch_lora_weights.safetensors", adapter,
                               (_saved("diffusers") / "pytorch_lora_weights.safetensors")
                               .read_bytes()),
    }  # fmt: skip
    for name in ("loha", "lokr", "vera"):
        folder = _product(name)
        found[f"{name} of PEFT: config"] = in_folder(
            lambda folder=folder: folder, "adapter_config.json", adapter
        )
        found[f"{name} of PEFT"] = of_header(
            tensors, within(lambda folder=folder: folder, adapter), (folder / tensors).read_bytes()
        )
    for name, shapes in CONVENTIONS.items():
        data = safetensors.torch.save(
            {key: torch.ones(shape) for key, shape in shapes.items()}, {"ss_network_dim": "2"}
        )
        found[name] = of_header("x.safetensors", adapter, data)
        found[f"shapes of {name}"] = of_shapes("x.safetensors", adapter, shapes)
    return found
