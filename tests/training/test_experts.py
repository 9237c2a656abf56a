"""A run on a mixture's experts: chosen, edited live, resumed to the bit, continued, exported."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from lora_lab.config import changed
from lora_lab.errors import AdapterError
from lora_lab.formats import peft
from lora_lab.formats.verify import export
from lora_lab.models.inspect import describe
from lora_lab.presets import starting_config
from lora_lab.training.experiment import Experiment
from lora_lab.training.saving.state import restore
from tests.mixtures import mixture, same
from tests.models.tiny import VOCABULARY, tokenizer
from tests.training.driven_run import DrivenRun
from tests.training.saving.test_state import losses

DOWN = "model.layers.1.mlp.experts.2.down_proj"
EDITS = {
    1: {"layer_ranks": ((DOWN, 5),)},
    2: {"rank": 3},
    4: {"alpha": 3.0, "alpha_mode": "keep_function"},
    5: {"frozen_layers": ("model.layers.0.mlp.experts.1.gate_up_proj",)},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixture")
    mixture("mixtral", vocab_size=VOCABULARY).save_pretrained(folder / "base")
    tokenizer().save_pretrained(folder / "base")
    rows = [json.dumps({"text": f"the film {n} is good, the sound is bad"}) for n in range(12)]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    return folder


def config_of(folder, hyper=None, **settings):
    config = starting_config(
        "causal_lm", model=str(folder / "base"), data=str(folder / "rows.jsonl"),
        **{"targets": ("all-linear+experts",), **settings},
        hyper={"rank": 2, "dropout": 0.0, "learning_rate": 1e-2, **(hyper or {})},
    )  # fmt: skip
    return changed(config, max_steps=8, epochs=None, batch_size=4)


@pytest.mark.parametrize("stop", [3, 6])
def test_resuming_changes_nothing(folder, stop):
    config = config_of(folder)
    wanted, _ = losses(Experiment.build(config), EDITS)
    before, (tensors, facts) = losses(Experiment.build(config), EDITS, stop)
    torch.manual_seed(99)  # another process begins elsewhere
    again = Experiment.build(config)
    assert restore(again, tensors, json.loads(json.dumps(facts))) == ()
    after, _ = losses(again, EDITS)
    assert {**before, **after} == wanted
    assert again.layers[DOWN].rank == 5
    assert len(wanted) == 8


def test_spectra_and_ranks_of_each_expert(folder):
    run = DrivenRun(config_of(folder))
    experts = [name for name in run.experiment.layers if "experts" in name]
    assert len(experts) == 2 * 4 * 2
    run.steps(2)
    before = run.deltas()
    applied = run.edit(layer_ranks=((DOWN, 5),))
    assert applied.changes == (("layer_ranks", "–", f"{DOWN}=5"),)
    for name, delta in before.items():
        torch.testing.assert_close(run.deltas()[name], delta, rtol=1e-5, atol=1e-8)
    rows = {row.name: row for row in run.experiment.spectrum().layers}
    assert rows[DOWN].rank == 5
    assert len(rows[DOWN].sigma) >= 5
    sigma = torch.linalg.svdvals(run.deltas()[DOWN].double())
    assert abs(float(rows[DOWN].sigma[0]) - float(sigma[0])) <= 1e-5 * float(sigma[0])
    run.steps(2)
    assert sum(float(run.deltas()[n].norm()) > 0 for n in experts) == len(experts)


def test_the_run_is_exported_and_continued(folder, tmp_path):
    experiment = Experiment.build(config_of(folder))
    losses(experiment, {1: {"layer_ranks": ((DOWN, 5),)}})
    export(experiment.weights(), tmp_path / "a", ask_library=True)
    config = config_of(folder, targets=(), adapter=str(tmp_path / "a"))
    again = Experiment.build(config)
    assert again.config.targets == ("all-linear+experts",)
    assert again.layers[DOWN].rank == 5
    tokens = torch.arange(2, 14).reshape(2, 6)
    with torch.no_grad():
        found, wanted = (
            x.model.eval()(tokens, use_cache=False).logits for x in (again, experiment)
        )
    assert same(found, wanted)
    base = AutoModelForCausalLM.from_pretrained(folder / "base").eval()
    assert not same(base(tokens, use_cache=False).logits, wanted)


def test_what_is_left_out_is_said_with_its_share(folder):
    loaded = Experiment.build(config_of(folder, targets=())).loaded()
    model = mixture("mixtral", vocab_size=VOCABULARY)
    own = sum(p.numel() for n, p in model.named_parameters() if "experts" in n)
    share = 100 * own / sum(p.numel() for p in model.parameters())
    assert any(
        f"16 matrices of experts hold {share:.0f} % of the base's" in note
        and "all-linear+experts adapts each of them" in note
        for note in loaded.notes
    )
    assert sum(target.of_experts for target in loaded.adaptable) == 16
    chosen = Experiment.build(config_of(folder, hyper={"dropout": 0.1})).loaded()
    assert not any("stay as they are" in note for note in chosen.notes)
    assert any("dropout does not act on experts" in note for note in chosen.notes)


def test_inspect_says_it_before_anything_is_opened(folder):
    card = describe(folder / "base")
    model = mixture("mixtral", vocab_size=VOCABULARY)
    own = sum(p.numel() for n, p in model.named_parameters() if "experts" in n)
    share = 100 * own / sum(p.numel() for p in model.parameters())
    assert any(f"experts hold {share:.0f} % of the parameters" in note for note in card.notes)


@pytest.mark.parametrize("settings", [{"init": "eva"}, {"variant": "dora"}])
def test_what_cannot_be_trained_is_refused_before_the_run(folder, settings):
    with pytest.raises(AdapterError, match=r"continuous inputs|there is no DoRA of experts"):
        Experiment.build(config_of(folder, **settings))


def test_the_file_of_a_run_is_read_back_exactly(folder, tmp_path):
    experiment = Experiment.build(config_of(folder))
    losses(experiment, {1: {"layer_ranks": ((DOWN, 5),)}})
    peft.save(experiment.weights(), tmp_path / "a")
    again = {x.name: x for x in peft.load(tmp_path / "a").layers}
    for layer in experiment.weights().layers:
        assert torch.equal(again[layer.name].lora_A, layer.lora_A)
        assert torch.equal(again[layer.name].lora_B, layer.lora_B)
        assert abs(again[layer.name].scaling - layer.scaling) <= 1e-12 * layer.scaling
