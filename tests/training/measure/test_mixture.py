"""Several adapters at once, against the base with Σ w·ΔW added to its own weights."""

import json

import pytest
import torch
import transformers

from lora_lab.config import changed
from lora_lab.errors import AdapterError, Cancelled
from lora_lab.formats.verify import export
from lora_lab.presets import starting_config
from lora_lab.records import CancelledRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.measure.mixture import interfering, weigh_mix
from lora_lab.training.questions import EvaluateMix, MeasureInterference
from lora_lab.workshop.combine import combine
from lora_lab.workshop.requests import Mix, Source, Trim
from tests.formats.adapters import weights_of
from tests.models import tiny

OWN = ["q_proj", "v_proj"]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mix")
    tiny.save(folder / "base", "llama")
    rows = [{"prompt": "the film is", "completion": " good"} for _ in range(12)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    adapters = {}
    for name, targets in (("one", ["q_proj", "down_proj"]), ("two", ["q_proj", "up_proj"])):
        adapters[name] = weights_of(
            tiny.MODELS["llama"](),
            "lora",
            base=folder / "base",
            targets=targets,
            seed=len(adapters),
        )
        export(adapters[name], folder / name)
    config = starting_config(
        "causal_lm", model=str(folder / "base"), data=str(folder / "rows.jsonl"), batch_size=4,
        validation=0.3, targets=OWN, hyper={"rank": 4, "alpha": 6},
    )  # fmt: skip
    experiment = Experiment.build(config)
    for layer in experiment.lora_layers:
        layer.lora_B.data.normal_(0, 0.1)
    return folder, adapters, experiment


def dense_loss(given, terms):
    folder, _, experiment = given
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "base").eval()
    with torch.no_grad():
        for weights, w in terms:
            for layer in weights.layers:
                model.get_submodule(layer.name).weight += (w * layer.delta_weight()).float()
        return experiment.task.evaluate(model).loss


MIXES = {
    "nothing": (0, 0, 0), "one": (0.7, 0, 0), "two": (0.7, 1.3, 0), "against": (1, -1, 0),
    "own": (0, 0, 1), "own and both": (0.5, 0.5, 1), "own at half": (0, 0.5, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXES)
def test_the_loss_is_that_of_the_weighted_sum(given, name):
    folder, adapters, experiment = given
    one, two, own = MIXES[name]
    mix = Mix(((Source(str(folder / "one")), one), (Source(str(folder / "two")), two)), own)
    before = experiment.held_out(enabled=True).loss
    found = weigh_mix(experiment, mix)
    terms = [(adapters["one"], one), (adapters["two"], two), (experiment.weights(), own)]
    assert found.loss == pytest.approx(dense_loss(given, terms), rel=1e-5)
    assert found.error <= 1e-6
    assert experiment.held_out(enabled=True).loss == before, "nothing is left behind"


@pytest.mark.parametrize("method", ["slerp", "ties", "dare-linear"])
def test_a_method_is_what_the_workshop_writes(given, method):
    folder, adapters, experiment = given
    mix = Mix(
        ((Source(str(folder / "one")), 0.6), (Source(str(folder / "two")), 0.4)),
        method=method, rank=3, trim=Trim(0.4, 7),
    )  # fmt: skip
    found = weigh_mix(experiment, mix)
    written = combine([(adapters["one"], 0.6), (adapters["two"], 0.4)], method, 3, Trim(0.4, 7))
    assert found.loss == pytest.approx(dense_loss(given, [(written.weights, 1)]), rel=1e-5)
    assert found.error == pytest.approx(written.error, rel=1e-4)


def test_the_matrix_is_of_all_that_take_part(given):
    folder, _, experiment = given
    mix = Mix(((Source(str(folder / "one")), 0.0), (Source(str(folder / "two")), 1.0)), own=1)
    found = interfering(experiment, mix)
    assert found.paths == ("", str(folder / "one"), str(folder / "two"))
    assert found.cosines.shape == (3, 3)
    assert [row.name.rpartition(".")[2] for row in found.layers[:2]] == OWN
    assert torch.isnan(torch.from_numpy(found.layers[1].cosines.copy()))[1].all(), "v_proj: own"


def test_a_file_that_changed_is_read_anew(given, tmp_path):
    _, adapters, experiment = given
    export(adapters["one"], tmp_path / "x")
    mix = Mix(((Source(str(tmp_path / "x")), 1.0),))
    first = weigh_mix(experiment, mix).loss
    export(adapters["two"], tmp_path / "x", overwrite=True)
    assert weigh_mix(experiment, mix).loss != first


def test_what_does_not_fit_is_refused(given, tmp_path):
    folder, _, experiment = given
    dora = weights_of(tiny.MODELS["llama"](), "dora", targets=OWN)
    export(dora, tmp_path / "dora")
    alone = Mix(((Source(str(tmp_path / "dora")), 1.0),))
    for mix in (alone, Mix((*alone.terms, (Source(str(folder / "one")), 1.0)))):
        with pytest.raises(AdapterError, match="DoRA"):
            weigh_mix(experiment, mix)
    other = weights_of(tiny.MODELS["gpt2"](), "lora")
    export(other, tmp_path / "gpt2")
    with pytest.raises(AdapterError, match="another model"):
        weigh_mix(experiment, Mix(((Source(str(tmp_path / "gpt2")), 1.0),)))
    full = Experiment.build(changed(experiment.config, variant="full"))
    with pytest.raises(Exception, match="no low-rank factors"):
        weigh_mix(full, Mix(alone.terms, own=1.0))


def test_a_measurement_that_is_cancelled_says_so(given):
    folder, _, experiment = given
    mix = Mix(((Source(str(folder / "one")), 1.0), (Source(str(folder / "two")), 1.0)))
    experiment.should_stop = lambda: True
    try:
        with pytest.raises(Cancelled):
            weigh_mix(experiment, mix)
        with pytest.raises(Cancelled):
            interfering(experiment, mix)
    finally:
        experiment.should_stop = lambda: False


def test_a_command_that_is_cancelled_ends_with_a_record_and_no_failure(given):
    folder, _, experiment = given
    mix = Mix(((Source(str(folder / "one")), 1.0), (Source(str(folder / "two")), 1.0)))
    controls = Controls(experiment.hyper, paused=True)
    commands = EvaluateMix(mix), MeasureInterference(mix)
    for command in commands:
        controls.request(command)
        controls.cancel(command)
    found = []
    for record in train(experiment, controls, serve_after_training=True):
        if isinstance(record, CancelledRecord):
            found.append(record.command)
        if len(found) == len(commands):
            controls.stop()
    assert found == [type(command).__name__ for command in commands]
