"""What a cast loses is said against what was read: beside torch's own dense arithmetic."""

from dataclasses import replace

import pytest
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.recognise import open_adapter
from lora_lab.workshop.deliver import deliver
from lora_lab.workshop.lost import lost
from lora_lab.workshop.requests import Delivery
from lora_lab.workshop.resize import resized


def adapter(size_of_B=1.0):
    generator = torch.Generator().manual_seed(0)
    layers = []
    for number in range(3):
        A = torch.randn(4, 10, generator=generator)
        B = size_of_B * 3**number * torch.randn(8, 4, generator=generator)
        layers.append(LayerWeights(f"net.l{number}", A, B, 6.0, 1.5))
    return AdapterWeights("lora", tuple(layers))


COMPONENT = {"peft": "", "peft-portable": "", "diffusers": "transformer"}


@pytest.mark.parametrize("format", COMPONENT)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("size", [1.0, 1e-7])
def test_the_loss_is_that_of_the_file(size, dtype, format, tmp_path):
    given = adapter(size)
    done = deliver(given, Delivery(str(tmp_path / "x"), format, dtype, component=COMPONENT[format]))
    found = {x.name.removeprefix("transformer."): x for x in open_adapter(tmp_path / "x").layers}
    worst = 0.0
    for layer in given.layers:
        wanted = layer.delta_weight()
        error = float((found[layer.name].delta_weight() - wanted).norm() / wanted.norm())
        assert done.facts["losses"][layer.name] == pytest.approx(error, rel=1e-5, abs=1e-12)
        worst = max(worst, error)
    assert done.facts["largest_loss"] == pytest.approx(worst, rel=1e-5, abs=1e-12)
    assert (worst > 0.02) == (size < 1 and dtype == "float16"), "float16 has nothing below 6e-8"
    assert done.words[0].startswith("against what was read: at most ")


def test_a_cut_and_a_cast_are_told_together(tmp_path):
    given = adapter()
    cut, _ = resized(given, [2, 2, 2])
    done = deliver(cut, Delivery(str(tmp_path / "x"), "peft", "float16"), read=given)
    found = {x.name: x for x in open_adapter(tmp_path / "x").layers}
    for layer in given.layers:
        wanted = layer.delta_weight()
        error = float((found[layer.name].delta_weight() - wanted).norm() / wanted.norm())
        assert done.facts["losses"][layer.name] == pytest.approx(error, rel=1e-6)
    assert "losses" not in deliver(given, Delivery(str(tmp_path / "y"))).facts


def test_a_dtype_that_loses_most_of_it_is_refused(tmp_path):
    with pytest.raises(AdapterError, match=r"100 % of ΔW would be lost .* take bfloat16"):
        deliver(adapter(1e-10), Delivery(str(tmp_path / "x"), "peft", "float16"))
    assert not list(tmp_path.iterdir())


def test_one_layer_that_is_lost_is_named():
    given = adapter()
    first, *rest = given.layers
    found = lost(given, replace(given, layers=(replace(first, lora_B=0 * first.lora_B), *rest)))
    assert found.worst == ("net.l0", pytest.approx(1.0))
    assert found.total < 0.5
