"""The merge preview: equal to merging, bounded in work, and without a trace in the model."""

import math

import pytest
import torch

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.training.commands import MergePreview
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure import merge_preview as room


def experiment(variant="lora", init="kaiming", size=1e-3):
    config = changed(get_preset("digits").config, variant=variant, init=init)
    made = Experiment.build(config)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(size * torch.randn(p.shape, generator=generator))
    return made


def asked(made):
    (record,) = MergePreview().run(made, None)
    return record


@pytest.mark.parametrize(
    ("variant", "init"),
    [("lora", "kaiming"), ("rslora", "kaiming"), ("dora", "kaiming"), ("lora", "pissa"),
     ("full", "kaiming")],
)  # fmt: skip
def test_it_is_what_merging_each_weight_would_do(variant, init):
    made = experiment(variant, init)
    record = asked(made)
    assert record.dtypes == ("float32", "bfloat16", "float16")
    assert [layer.name for layer in record.layers] == list(made.layers)
    for place, dtype in enumerate((torch.float32, torch.bfloat16, torch.float16)):
        lost = whole = 0.0
        for layer, row in zip(made.layers.values(), record.layers, strict=True):
            delta = layer.delta_weight().detach().double()
            base = layer.matrix.to(dtype).double()
            error = (base + delta).to(dtype).double() - base - delta
            expected = float(error.norm() / delta.norm())
            assert row.loss[place] == pytest.approx(expected, rel=0.02, abs=1e-6)  # ΔW is float32
            lost += float(error.square().sum())
            whole += float(delta.square().sum())
        assert record.loss[place] == pytest.approx(math.sqrt(lost / whole), rel=0.02, abs=1e-6)
    weight = sum(float(layer.matrix.double().square().sum()) for layer in made.layers.values())
    assert record.relative_size == pytest.approx(math.sqrt(whole / weight), rel=1e-4)


def test_a_large_model_is_sampled_and_the_sample_tells_the_same(monkeypatch):
    made = experiment()
    exact = asked(made)
    assert exact.share == 1
    looked_at = []
    monkeypatch.setattr(room, "ENTRIES", 6_000)
    measure = room.merge_loss
    monkeypatch.setattr(
        room,
        "merge_loss",
        lambda W, delta, dtype: looked_at.append(W.numel()) or measure(W, delta, dtype),
    )
    record = asked(made)
    sizes = {name: math.prod(layer.shape) for name, layer in made.layers.items()}
    least = max(room.LEAST_ROWS * layer.shape[1] for layer in made.layers.values())
    assert max(looked_at) <= max(2_000, least)
    assert record.share == pytest.approx(sum(looked_at) / 3 / sum(sizes.values()))
    assert record.share < 0.5
    assert record.loss[1] == pytest.approx(exact.loss[1], rel=0.1)
    assert record.relative_size == pytest.approx(exact.relative_size, rel=0.1)


def test_no_change_has_no_loss_and_the_model_is_left_as_it_is():
    made = experiment(size=0.0)
    before = [p.detach().clone() for p in made.model.parameters()]
    record = asked(made)
    assert record.relative_size == 0
    assert all(math.isnan(loss) for loss in record.loss)
    assert all(
        torch.equal(old, new) for old, new in zip(before, made.model.parameters(), strict=True)
    )
    assert all(layer.merged is None for layer in made.layers.values())


def test_a_factor_that_is_not_finite_is_told():
    made = experiment()
    with torch.no_grad():
        made.layers["fc2"].lora_A[0, 0] = math.nan
    record = asked(made)
    sizes = {layer.name: layer.relative_size for layer in record.layers}
    assert math.isnan(sizes["fc2"])
    assert not math.isnan(sizes["fc1"])
    assert math.isnan(record.loss[1])
