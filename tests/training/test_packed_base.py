"""A run over a base in blocks: resumed to the bit, its losses those over the dense numbers."""

import json

import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from lora_lab.config import changed
from lora_lab.errors import AdapterError, CheckpointError, ConfigError
from lora_lab.presets import get_preset, starting_config
from lora_lab.records import StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.memory_preview import memory_preview
from lora_lab.training.packed_base import stays_packed, with_its_dtype
from lora_lab.training.run import run
from tests.models.test_gguf_file import write
from tests.models.tiny import save
from tests.training.opened import opening

pytestmark = pytest.mark.filterwarnings("ignore")  # of transformers about the shapes of tiny models
STEPS = 6


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder, the same as a GGUF file, and rows."""
    folder = tmp_path_factory.mktemp("base")
    module = save(folder / "llama", "llama")
    write(folder / "x.gguf", module, Kind.Q8_0)
    rows = [json.dumps({"text": f"the film is good and the sound is clear {i}"}) for i in range(24)]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    return folder


def config_of(files, model="llama", **settings):
    how = {
        "batch_size": 4, "max_steps": STEPS, "autosave_seconds": 1000, "eval_steps": 3,
        "hyper": {"rank": 3, "learning_rate": 1e-3}, **settings,
    }  # fmt: skip
    data = str(files / "rows.jsonl")
    return starting_config("causal_lm", model=str(files / model), data=data, **how)


def losses(config, stop=0, **how):
    controls, found = Controls(config.hyper), {}
    for record in run(opening(config, **how), controls):
        if isinstance(record, StepRecord):
            found[record.step] = record.loss
            if record.step == stop:
                controls.stop()
    return found


BASES = {
    "4 bits": ("llama", {"base_bits": "4"}),
    "8 bits": ("llama", {"base_bits": "8"}),
    "4 bits, bfloat16": ("llama", {"base_bits": "4", "dtype": "bfloat16"}),
    "4 bits, DoRA": ("llama", {"base_bits": "4", "variant": "dora"}),
    "4 bits, LoftQ": ("llama", {"base_bits": "4", "init": "loftq"}),
    "4 bits, PiSSA": ("llama", {"base_bits": "4", "init": "pissa"}),
    "GGUF": ("x.gguf", {}),
    "GGUF, embedding": ("x.gguf", {"targets": ("embed_tokens", "q_proj")}),
}


QUICK = ("4 bits, DoRA", "GGUF, embedding")


@pytest.mark.parametrize(
    "case",
    [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in BASES],
)
def test_a_run_that_was_closed_goes_on_to_the_bit(files, tmp_path, case):
    model, settings = BASES[case]
    config = config_of(files, model, **settings)
    wanted = losses(config, folder=tmp_path / "whole")
    first = losses(config, stop=3, folder=tmp_path / "run")
    assert list(wanted) == list(range(1, STEPS + 1))
    rest = losses(config, resume=tmp_path / "run")
    assert {**first, **rest} == wanted


@pytest.mark.parametrize("variant", ["lora", pytest.param("dora", marks=pytest.mark.slow)])
def test_losses_are_those_of_the_unpacked_file(files, variant, monkeypatch):
    monkeypatch.setattr("lora_lab.adapters.lora.SMALL", 0)  # small dense layers add s·B·A to W
    lying = losses(config_of(files, "x.gguf", variant=variant))
    dense = losses(config_of(files, "x.gguf", variant=variant, base_bits="float"))
    assert lying == dense


def test_a_run_from_before_blocks_unpacks_its_gguf(files):
    config = config_of(files, "x.gguf")
    assert config.bits == "auto"
    assert changed(config, rules=2).bits == "float"
    old = Experiment.build(changed(config, rules=2))
    wanted = Experiment.build(changed(config, base_bits="float"))
    assert old.base_fingerprint == wanted.base_fingerprint
    assert Experiment.build(config).base_fingerprint != wanted.base_fingerprint


def test_what_stands_ready_is_told(files):
    experiment = Experiment.build(config_of(files, base_bits="4"))
    loaded = experiment.loaded()
    for info in loaded.layers:
        layer = experiment.layers[info.name]
        W = layer.base_layer.original()
        assert info.rounding == pytest.approx(float((layer.matrix - W).norm() / W.norm()), rel=1e-4)
        assert info.weight_norm == pytest.approx(float(layer.matrix.norm()), rel=1e-5)
    plain = Experiment.build(config_of(files))
    assert loaded.base_parameters == plain.loaded().base_parameters
    assert any("14 layers in NF4" in note for note in loaded.notes)
    assert all(info.rounding is None for info in plain.loaded().layers)
    rows = {name: row for name, *row in loaded.modules}
    assert sum(row[2] for row in rows.values()) == loaded.base_parameters


def test_the_estimate_counts_blocks_and_no_matrix(files, monkeypatch):
    monkeypatch.setattr("lora_lab.adapters.lora.SMALL", 0)
    packed = memory_preview(Experiment.build(config_of(files, base_bits="4")))
    plain = memory_preview(Experiment.build(config_of(files)))
    assert not packed.reason
    assert packed.weights < 0.6 * plain.weights  # the embedding of this tiny model stays in floats
    assert packed.activations == pytest.approx(plain.activations, rel=0.3)


REFUSED = {
    "float16 on a CPU": ({"base_bits": "4", "dtype": "float16"}, ConfigError, "float16"),
    "random weights": ({"base_bits": "4", "random_weights": True}, ConfigError, "drawn anew"),
    "full": ({"base_bits": "4", "variant": "full"}, AdapterError, "stays in blocks"),
    "subspace": ({"base_bits": "4", "variant": "subspace"}, AdapterError, "stays in blocks"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_blocks_cannot_be_is_refused_with_the_reason(files, case):
    settings, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        Experiment.build(config_of(files, **settings))


def test_a_net_of_ones_own_is_not_held_in_bits():
    preset = changed(get_preset("digits").config, base_bits="4")
    with pytest.raises(ConfigError, match="cannot be held in 4 bits"):
        Experiment.build(preset)


def test_a_base_in_blocks_is_computed_in_what_the_device_is_quick_in(files, monkeypatch):
    places = ("devices", "packed_base")
    for able, wanted in ((True, "bfloat16"), (False, "float32")):
        for place in places:
            name = f"lora_lab.training.{place}.computes_bfloat16"
            monkeypatch.setattr(name, lambda device, able=able: able)
        assert with_its_dtype(config_of(files, base_bits="4")).dtype == wanted
        assert with_its_dtype(config_of(files, "x.gguf")).dtype == wanted
        assert with_its_dtype(config_of(files)).dtype == "float32"
    assert not stays_packed(config_of(files, "x.gguf", base_bits="float"))
    slow = Experiment.build(config_of(files, base_bits="4", dtype="bfloat16"))
    assert any("no bfloat16 arithmetic" in note for note in slow.loaded().notes)


def test_a_file_cut_short_is_refused(files, tmp_path):
    raw = (files / "x.gguf").read_bytes()
    (tmp_path / "x.gguf").write_bytes(raw[: len(raw) - 4000])
    config = changed(config_of(files), model=str(tmp_path / "x.gguf"))
    with pytest.raises(CheckpointError, match="incomplete download"):
        Experiment.build(config)


def test_the_learned_change_is_exported_as_any_other(files, tmp_path):
    experiment = Experiment.build(config_of(files, base_bits="4"))
    with torch.no_grad():
        for layer in experiment.lora_layers:
            layer.lora_B.normal_()
    weights = experiment.weights()
    assert {x.kind for x in weights.layers} == {"linear"}
    assert all(x.weight_shape == x.shape for x in weights.layers)


def test_a_file_of_numbers_goes_on_over_blocks_which_count_as_weights(files, tmp_path):
    """More numbers than there are outside of the blocks."""
    how = {"variant": "uni-lora", "hyper": {"rank": 24, "dimension": 10_000}, "max_steps": 1}
    config = config_of(files, "x.gguf", **how)
    losses(config, folder=tmp_path / "run")
    loose = sum(p.numel() for p in Experiment.build(config).task.base_model().parameters())
    assert 3 * loose < 10_000
    left = Experiment.build(changed(config, adapter=str(tmp_path / "run")))
    assert left.counts().adapter == 10_000
