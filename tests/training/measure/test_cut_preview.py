"""The validation loss of an adapter from a file, against the same adapter trained in."""

import json

import pytest
import torch
import transformers

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.config import changed
from lora_lab.errors import AdapterError
from lora_lab.formats.verify import export
from lora_lab.presets import starting_config
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.cut_preview import cut_preview
from tests.formats.adapters import weights_of
from tests.models import tiny

TARGETS = ["q_proj", "down_proj"]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    tiny.save(folder / "base", "llama")
    rows = [{"prompt": "the film is", "completion": " good"} for _ in range(12)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    weights = weights_of(tiny.MODELS["llama"](), "lora", base=folder / "base", targets=TARGETS)
    export(weights, folder / "adapter")
    config = starting_config(
        "causal_lm", model=str(folder / "base"), data=str(folder / "rows.jsonl"), batch_size=4,
        validation=0.3, targets=TARGETS, hyper={"rank": 4, "alpha": 6},
    )  # fmt: skip
    return folder, weights, Experiment.build(config)


def test_the_loss_is_that_of_the_adapter_and_nothing_is_left_behind(given):
    folder, weights, experiment = given
    before = [(layer.lora_A, layer.lora_A.clone()) for layer in experiment.lora_layers]
    untrained = experiment.held_out(enabled=True).loss
    found = cut_preview(experiment, str(folder / "adapter"), None, (4,) * len(weights.layers))
    assert found.loss != untrained
    assert experiment.held_out(enabled=True).loss == untrained
    for layer, (A, values) in zip(experiment.lora_layers, before, strict=True):
        assert layer.lora_A is A, "the optimizer holds this very tensor"
        assert torch.equal(A, values)
    live = {layer.name: layer for layer in experiment.lora_layers}
    kept = {n: (x.lora_A.data.clone(), x.lora_B.data.clone(), x.scaling) for n, x in live.items()}
    for row in weights.layers:
        live[row.name].lora_A.data.copy_(row.lora_A)
        live[row.name].lora_B.data.copy_(row.lora_B)
        live[row.name].scaling = row.scaling
    assert experiment.held_out(enabled=True).loss == pytest.approx(found.loss, rel=1e-6)
    for name, (A, B, s) in kept.items():
        live[name].lora_A.data.copy_(A)
        live[name].lora_B.data.copy_(B)
        live[name].scaling = s


def test_an_adapter_of_other_layers_than_the_run_adapts_is_measured_as_well(given, tmp_path):
    folder, _, experiment = given
    other = weights_of(tiny.MODELS["llama"](), "lora", targets=["up_proj"])
    export(other, tmp_path / "other")
    before = experiment.held_out(enabled=True).loss
    found = cut_preview(experiment, str(tmp_path / "other"), None, (4,) * len(other.layers))
    assert found.loss == pytest.approx(merged_loss(experiment, folder, other), rel=1e-5)
    assert found.loss != before
    assert experiment.held_out(enabled=True).loss == before


def merged_loss(experiment, folder, weights):
    """With ΔW added to the base's own weights, which transformers opens anew."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "base").eval()
    for layer in weights.layers:
        weight = model.get_submodule(layer.name).weight
        weight.data += layer.delta_weight().float()
    with torch.no_grad():
        return experiment.task.evaluate(model).loss


def test_an_adapter_that_has_no_place_is_refused(given, tmp_path):
    _, _, experiment = given
    other = AdapterWeights("lora", (LayerWeights("model.nowhere", torch.ones(1, 4),
                                                 torch.ones(4, 1), 1, 1),))  # fmt: skip
    export(other, tmp_path / "other")
    with pytest.raises(AdapterError, match="not in the model"):
        cut_preview(experiment, str(tmp_path / "other"), None, (1,))
    dora = weights_of(tiny.MODELS["llama"](), "dora", targets=TARGETS)
    export(dora, tmp_path / "dora")
    with pytest.raises(AdapterError, match="plain factors"):
        cut_preview(experiment, str(tmp_path / "dora"), None, (4,) * len(dora.layers))


@pytest.mark.parametrize("variant", ["dora", "full"])
def test_what_the_run_trains_itself_does_not_matter(given, variant):
    folder, weights, experiment = given
    config = changed(experiment.config, variant=variant)
    other = Experiment.build(config)
    before = other.held_out(enabled=True).loss
    found = cut_preview(other, str(folder / "adapter"), None, (4,) * len(weights.layers))
    assert found.loss == pytest.approx(merged_loss(experiment, folder, weights), rel=1e-5)
    assert other.held_out(enabled=True).loss == before
