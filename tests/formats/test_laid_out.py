"""What small tensors stand for is counted before it is laid out; layers that there are pass."""

from types import SimpleNamespace

import psutil
import pytest
import safetensors.torch
import torch

from lora_lab.errors import AdapterError
from lora_lab.formats.laid_out import Laid, check_laid_out
from lora_lab.formats.peft import CONFIG, TENSORS
from lora_lab.formats.recognise import open_adapter

ONE = torch.ones
# Whole LoKr in balanced factors, the most that a product is beside its numbers, and others.
THERE = {
    "FLUX, linear1": Laid("", 21504, 3072, 3072, 16_896),
    "FLUX.2, linear1": Laid("", 55296, 6144, 6144, 60_000),
    "Llama 3 70B, up": Laid("", 28672, 8192, 8192, 40_000),
    "Stable Diffusion XL, a convolution": Laid("", 1280, 1280, 11_520, 10_000),
    "an embedding of Gemma": Laid("", 262_144, 256, 5376, 3_000_000),
    "a difference of an embedding": Laid("", 262_144, 5376, 5376, 262_144 * 5376),
}


@pytest.mark.parametrize("layer", THERE)
def test_what_there_is_passes(layer, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**36))
    check_laid_out([THERE[layer]])


def kohya(**parts):
    return {f"lora_unet_a.{k.replace('__', '.')}": tensor for k, tensor in parts.items()}


PRODUCTS = {
    "lokr": kohya(lokr_w1=ONE(128, 128), lokr_w2=ONE(128, 128)),
    "a larger lokr": kohya(lokr_w1=ONE(512, 512), lokr_w2=ONE(512, 512)),
    "columns of lokr": kohya(lokr_w1=ONE(5000, 1), lokr_w2=ONE(5000, 1)),
    "factors of lokr": kohya(lokr_w1_a=ONE(300, 300), lokr_w1_b=ONE(300, 300),
                             lokr_w2_a=ONE(300, 300), lokr_w2_b=ONE(300, 300)),
    "a core of lokr": kohya(lokr_w1=ONE(9, 9), lokr_w2_a=ONE(9, 9), lokr_w2_b=ONE(9, 2000),
                            lokr_t2=ONE(9, 9, 100, 100)),
    "a core": kohya(lora_mid__weight=ONE(4, 4, 1000, 100), lora_up__weight=ONE(8, 4, 1, 1),
                    lora_down__weight=ONE(4, 300, 1, 1)),
    "cores of loha": kohya(hada_t1=ONE(4, 4, 100, 100), hada_t2=ONE(4, 4, 100, 100),
                           hada_w1_a=ONE(4, 99), hada_w1_b=ONE(4, 999), hada_w2_a=ONE(4, 99),
                           hada_w2_b=ONE(4, 999)),
}  # fmt: skip


@pytest.mark.parametrize("case", PRODUCTS)
def test_a_product_that_no_layer_has_is_refused_before_it_is_made(tmp_path, case):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(PRODUCTS[case], path)
    with pytest.raises(AdapterError, match=r"a.safetensors: 'lora_unet_a'.*which no layer has"):
        open_adapter(path)


def test_layers_that_memory_does_not_hold_together_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**16))
    parts = {f"lora_unet_{n}.lokr_w{i}": ONE(12, 12) for n in range(20) for i in (1, 2)}
    safetensors.torch.save_file(parts, tmp_path / "a.safetensors")
    with pytest.raises(AdapterError, match=r"once they are laid out, and 0.0 GB are free. Merge"):
        open_adapter(tmp_path / "a.safetensors")


def test_a_convolution_in_a_thousand_groups_is_counted(tmp_path):
    (tmp_path / CONFIG).write_text(
        '{"peft_type": "LORA", "r": 1000, "lora_alpha": 1, "target_modules": ["c"]}'
    )
    key = "base_model.model.c.lora_{}.weight".format
    factors = {key("A"): ONE(1000, 1000, 1), key("B"): ONE(1_000_000, 1, 1)}
    safetensors.torch.save_file(factors, tmp_path / TENSORS)
    with pytest.raises(AdapterError, match=r"adapter_model.safetensors: 'c'.*which no layer has"):
        open_adapter(tmp_path)


def test_loha_is_read_whatever_its_ranks_are(tmp_path):
    """Ranks above the layer's own would be r² columns."""
    torch.manual_seed(0)
    pairs = {f"w{n}_{part}": torch.randn(shape) for n in "12"
             for part, shape in (("a", (20, 300)), ("b", (300, 30)))}  # fmt: skip
    file = tmp_path / "a.safetensors"
    safetensors.torch.save_file(kohya(**{f"hada_{k}": v for k, v in pairs.items()}), file)
    (layer,) = open_adapter(file).layers
    wanted = (pairs["w1_a"].double() @ pairs["w1_b"].double()) * (
        pairs["w2_a"].double() @ pairs["w2_b"].double()
    )
    assert layer.rank == 20
    assert (layer.delta_weight() - wanted).norm() < 1e-6 * wanted.norm()
