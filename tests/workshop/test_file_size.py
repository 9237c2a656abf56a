"""A largest size is a promise: the file that is written is never larger, and barely smaller."""

import pytest
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.formats import FORMATS
from lora_lab.workshop.deliver import deliver
from lora_lab.workshop.file_size import fitting
from lora_lab.workshop.ranks import measured
from lora_lab.workshop.requests import OF_FILES, Delivery
from lora_lab.workshop.resize import resized

NAMES = [f"model.layers.{i}.{x}" for i in range(3) for x in ("self_attn.q_proj", "mlp.up_proj")]


def adapter(dtype, alpha, rank=12):
    """α/r that is no power of two, so that a folded scale needs more bits than the factors have."""
    generator = torch.Generator().manual_seed(0)
    layers = []
    for number, name in enumerate(NAMES):
        out, inputs = (40, 24) if number % 2 else (24, 24)
        A = torch.randn(rank, inputs, generator=generator).to(dtype)
        B = torch.randn(out, rank, generator=generator).to(dtype)
        layers.append(LayerWeights(name, A, B, alpha, alpha / rank))
    return AdapterWeights("lora", tuple(layers))


@pytest.mark.parametrize("per_layer", [False, True])
@pytest.mark.parametrize("dtype", ["", "float16"])
@pytest.mark.parametrize("format", [name for name, *_ in OF_FILES if name != "gguf"])
def test_no_file_is_larger_than_was_asked(format, dtype, per_layer, tmp_path):
    weights = adapter(torch.bfloat16, 9.0)
    spectra = measured(weights)
    target = tmp_path / f"x{FORMATS[format].suffix}"
    delivery = Delivery(str(target), format, dtype, overwrite=True, component="transformer")
    for size in (9_000, 14_000, 20_000):
        ranks = fitting(weights, spectra, delivery, size, per_layer)
        made, _ = resized(weights, ranks)
        written = deliver(made, delivery, read=weights).facts["bytes"]
        assert written <= size
        if not per_layer and max(ranks) < 12:
            larger, _ = resized(weights, [rank + 1 for rank in ranks])
            assert deliver(larger, delivery).facts["bytes"] > size, "one rank more does not fit"


def test_what_cannot_be_reached_is_refused(tmp_path):
    weights = adapter(torch.float32, 9.0)
    spectra = measured(weights)
    for size, reason in ((500, "Even rank 1 takes"), (0, "above 0"), (float("nan"), "above 0")):
        with pytest.raises(AdapterError, match=reason):
            fitting(weights, spectra, Delivery(str(tmp_path / "x")), size)
    with pytest.raises(AdapterError, match="as large as its base"):
        fitting(weights, spectra, Delivery(str(tmp_path / "x"), "merged"), 10**6)
    all_of_it = fitting(weights, spectra, Delivery(str(tmp_path / "x")), float("inf"))
    assert set(all_of_it) == {12}
