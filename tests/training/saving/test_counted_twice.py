"""A subspace from when a shared weight counted twice is refused with that reason, and no other."""

import json

import pytest

from lora_lab.adapters.projection import HashProjection, digest
from lora_lab.errors import LabError
from lora_lab.presets import starting_config
from lora_lab.training import theta_file
from lora_lab.training.experiment import Experiment
from lora_lab.training.saving.state import restore, state_of
from tests.models import tiny


@pytest.fixture(scope="module")
def tied(tmp_path_factory):
    """A tiny Llama whose head is its embedding, in a subspace of 6 numbers."""
    folder = tmp_path_factory.mktemp("tied")
    tiny.save(folder / "base", "llama")
    rows = [{"text": f"the film is good and the sound is {n}"} for n in range(12)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return starting_config(
        "causal_lm", model=str(folder / "base"), data=str(folder / "rows.jsonl"), max_steps=1,
        variant="subspace", targets=("embed_tokens", "lm_head"), hyper={"dimension": 6},
    )  # fmt: skip


def twice(experiment, d=6):
    """The fingerprint of the layers' weights one by one."""
    sizes = [layer.base_layer.weight.numel() for layer in experiment.layers.values()]
    assert len(sizes) == 2
    assert sum(sizes) == 2 * experiment.space.total
    return digest(HashProjection(sizes, d, experiment.config.seed).codes())


def test_a_checkpoint_of_then_is_refused_with_the_reason_and_nothing_else_is(tied):
    experiment = Experiment.build(tied)
    tensors, facts = state_of(experiment)
    restore(Experiment.build(tied), tensors, facts)
    with pytest.raises(LabError, match="a weight that two of its layers share") as refused:
        restore(experiment, tensors, {**facts, "projection": twice(experiment), "torch": "2.0"})
    assert "torch" not in str(refused.value)
    with pytest.raises(LabError, match="draws another random subspace"):
        restore(experiment, tensors, {**facts, "projection": "0" * 64, "torch": "2.0"})


def test_so_is_a_file_of_its_numbers(tied, tmp_path, monkeypatch):
    experiment = Experiment.build(tied)
    made = twice(experiment)
    monkeypatch.setattr(type(experiment.space), "fingerprint", lambda self, dimension=0: made)
    path = tmp_path / theta_file.NAME
    theta_file.save(path, experiment.space, experiment.layers, "", experiment.base_fingerprint)
    monkeypatch.undo()
    with pytest.raises(LabError, match="a weight that two of its layers share"):
        theta_file.read(path, 10**6).fill(experiment.layers)
