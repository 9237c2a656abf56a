"""What adapters reach: convolutions where nets are made of them, and a word on what is left out."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    BitConfig,
    BitForImageClassification,
    MambaConfig,
    MambaForCausalLM,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    PoolFormerConfig,
    PoolFormerForImageClassification,
    RegNetConfig,
    RegNetForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
)

from lora_lab.adapters.inject import inject
from lora_lab.adapters.targets import default_targets, find_targets, unreached
from lora_lab.config import Origin, changed
from lora_lab.errors import AdapterError, ConfigError, ExportError, LabError
from lora_lab.formats.verify import export
from lora_lab.opening_records import LoadedRecord
from lora_lab.presets import starting_config
from lora_lab.records import StepRecord
from lora_lab.rules import named_by
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.run import run
from lora_lab.training.saving.keep import keep_adapter
from lora_lab.workshop.merge_base import write_merged
from tests.models.tiny import VOCABULARY, tokenizer
from tests.training.opened import opening

SIZES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
LABELS = {"id2label": {0: "a", 1: "b"}, "label2id": {"a": 0, "b": 1}}
CNNS = {
    "resnet": (ResNetForImageClassification, ResNetConfig(embedding_size=8, **SIZES, **LABELS)),
    "regnet": (
        RegNetForImageClassification,
        RegNetConfig(embedding_size=8, groups_width=4, **SIZES, **LABELS),
    ),
    "mobilenet_v2": (
        MobileNetV2ForImageClassification,
        MobileNetV2Config(depth_multiplier=0.25, depth_divisible_by=4, min_depth=4, **LABELS),
    ),
    "poolformer": (PoolFormerForImageClassification, PoolFormerConfig(**SIZES, **LABELS)),
}


def written(folder, name):
    kind, config = CNNS[name]
    torch.manual_seed(0)
    kind(config).save_pretrained(folder)
    return kind


@pytest.fixture
def images(tmp_path):
    random = np.random.default_rng(0)
    for number, name in enumerate("abc"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(6):
            pixels = random.integers(80 * number, 80 * number + 90, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    return tmp_path / "images"


def config_of(folder, images, **settings):
    base = {"batch_size": 6, "max_steps": 3, "epochs": None, "hyper": {"rank": 8}}
    return starting_config(
        "image_classification", model=str(folder), data=str(images), **{**base, **settings}
    )


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")
@pytest.mark.parametrize("name", CNNS)
def test_a_convolutional_net_with_new_classes_trains_and_is_what_peft_computes(
    tmp_path, images, name
):
    from peft import PeftModel

    folder = tmp_path / name
    kind = written(folder, name)
    experiment = Experiment.build(config_of(folder, images))
    loaded = experiment.loaded()
    assert experiment.config.targets == ("all-linear+conv",)
    assert any("convolutions hold most of the weights" in note for note in loaded.notes)
    convolutions = [layer for layer in loaded.layers if layer.kind == "conv"]
    assert len(convolutions) > 4
    assert any(layer.max_rank < 8 for layer in convolutions) == any(
        "rank" in note for note in loaded.notes
    )
    list(train(experiment, Controls(experiment.hyper)))
    for layer in experiment.lora_layers:
        layer.lora_B.data += 0.05 * torch.randn_like(layer.lora_B)
    if name == "mobilenet_v2":  # which asks each convolution for its stride
        with pytest.raises(ExportError, match="a setting such as its stride"):
            export(experiment.weights(), tmp_path / "adapter")
        return
    export(experiment.weights(), tmp_path / "adapter")
    fresh = kind.from_pretrained(folder, num_labels=3, ignore_mismatched_sizes=True)
    model = PeftModel.from_pretrained(fresh, str(tmp_path / "adapter")).eval()
    pixels = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        wanted = model(pixel_values=pixels).logits
        found = experiment.model.eval()(pixel_values=pixels).logits
    assert (wanted - found).abs().max() <= 1e-5 * wanted.abs().max()


def test_a_run_that_trains_a_new_head_alone_is_refused_before_it_begins(tmp_path, images):
    written(tmp_path / "resnet", "resnet")
    config = config_of(tmp_path / "resnet", images, targets=("all-linear",))
    with pytest.raises(ConfigError, match=r"classifier\.1 is fully trained.*\+conv"):
        Experiment.build(config)


def test_a_rank_above_all_layers_is_refused_with_one_that_can_be():
    kind, config = CNNS["resnet"]
    with pytest.raises(AdapterError, match="Choose a rank of 24 or less"):
        inject(kind(config), rank=64, targets=("all-linear+conv",))
    layers = inject(kind(config), rank=16, targets=("all-linear+conv",))
    assert {layer.rank for layer in layers.values()} == {2, 4, 6, 8, 16}


def test_depthwise_convolutions_are_left_out_and_said(tmp_path, images):
    written(tmp_path / "mobilenet_v2", "mobilenet_v2")
    experiment = Experiment.build(config_of(tmp_path / "mobilenet_v2", images))
    grouped = {n for n, m in experiment.model.named_modules() if getattr(m, "groups", 1) > 1}
    assert grouped
    assert not grouped & set(experiment.layers)
    assert any(
        f"{len(grouped)} convolutions in groups" in note for note in experiment.loaded().notes
    )


def test_what_is_targeted_stays_so_where_a_run_continues(tmp_path, images):
    """A run from before had the linear layers alone, and none of its settings says so."""
    written(tmp_path / "resnet", "resnet")
    config = config_of(tmp_path / "resnet", images, hyper={"rank": 2})
    old = Experiment.build(config, restored=True)
    assert [layer.name for layer in old.loaded().layers] == ["classifier.1"]


def test_language_models_have_no_other_default(tmp_path):
    torch.manual_seed(0)
    model = torch.nn.ModuleDict(
        {"linear": torch.nn.Linear(64, 64), "conv": torch.nn.Conv1d(4, 4, 3)}
    )
    assert default_targets(model) == ()
    assert list(find_targets(model, ("all-linear+conv",))) == ["linear", "conv"]


def test_convolutions_that_no_adapter_is_put_on_are_why(tmp_path, images):
    """BiT computes with a standardised weight, so that W + ΔW is not what it would use."""
    torch.manual_seed(0)
    config = BitConfig(embedding_size=8, num_groups=4, **SIZES, **LABELS)
    BitForImageClassification(config).save_pretrained(tmp_path / "bit")
    why = r"\d+ WeightStandardizedConv2d hold 9\d % of the base's parameters in a form"
    for settings in ({"targets": ("all-linear",)}, {"targets": ("classifier.1",)}, {}):
        with pytest.raises(LabError, match=why):
            Experiment.build(config_of(tmp_path / "bit", images, **settings))


def test_packed_attention_of_torch_is_said():
    model = torch.nn.TransformerEncoderLayer(16, 2, 32)
    assert unreached(model) == {
        "MultiheadAttention": (1, 3 * 16 * 16, 768 / sum(p.numel() for p in model.parameters()))
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("more", [False, True])
def test_a_run_keeps_its_layers_where_another_version_of_a_library_means_others(
    state_space, monkeypatch, more
):
    config, there = of_text(state_space), state_space / "run"
    with monkeypatch.context() as then:
        refused = () if more else ("conv1d", "out_proj", "x_proj")
        then.setattr("lora_lab.beyond_peft.REFUSED", refused)
        list(run(opening(config, there), Controls(config.hyper)))
    had = {"in_proj", "x_proj", "out_proj"} if more else {"in_proj"}
    origin = Origin(str(there), 2)
    resumed = opening(None, resume=there, until=4)
    branch = opening(changed(config, max_steps=3), state_space / "branch", branch=origin)
    for begun in (resumed, branch):
        records = list(run(begun, Controls(begun.config.hyper)))
        layers = next(record for record in records if isinstance(record, LoadedRecord)).layers
        assert {layer.name.rpartition(".")[2] for layer in layers} == had
    if not more:  # a folder of PEFT cannot hold the others
        assert keep_adapter(there) == 4
    other = changed(config, targets=("x_proj",))
    with pytest.raises(LabError, match="other layers"):
        list(run(opening(other, state_space / "no", branch=origin), Controls(config.hyper)))


@pytest.fixture
def state_space(tmp_path):
    """A folder of a tiny Mamba, and rows."""
    torch.manual_seed(0)
    config = MambaConfig(
        vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, state_size=4, time_step_rank=4,
        pad_token_id=1, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    MambaForCausalLM(config).save_pretrained(tmp_path / "base")
    tokenizer().save_pretrained(tmp_path / "base")
    rows = [{"text": f"good film and bad sound {i}"} for i in range(8)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def of_text(place, **settings):
    base = {
        "batch_size": 4,
        "max_steps": 2,
        "epochs": None,
        "hyper": {"rank": 2},
        "validation": 0.25,
    }
    return starting_config(
        "causal_lm",
        model=str(place / "base"),
        data=str(place / "rows.jsonl"),
        **{**base, **settings},
    )


def words_of(experiment):
    return {name.rpartition(".")[2] for name in experiment.layers}


@pytest.mark.filterwarnings("ignore")
def test_all_linear_leaves_out_what_peft_cannot_hold_and_says_so(state_space):
    from peft import PeftModel

    experiment = Experiment.build(of_text(state_space))
    loaded = experiment.loaded()
    assert words_of(experiment) == {"in_proj", "x_proj"}
    assert any("no part of all-linear, since PEFT refuses out_proj" in x for x in loaded.notes)
    assert any("dt_proj" in x and "without calling the layer" in x for x in loaded.notes)
    why = {x.name.rpartition(".")[2]: x.left_out for x in loaded.adaptable}
    assert why["out_proj"].startswith("PEFT refuses")
    assert not why["in_proj"]
    assert named_by(loaded.adaptable, ()) == set(experiment.layers)
    list(train(experiment, Controls(experiment.hyper)))
    for layer in experiment.lora_layers:
        layer.lora_B.data += 0.3 * torch.randn_like(layer.lora_B)
    export(experiment.weights(), state_space / "adapter")
    base = MambaForCausalLM.from_pretrained(state_space / "base", dtype=torch.float32)
    model = PeftModel.from_pretrained(base, str(state_space / "adapter")).eval()
    ids = torch.arange(5, 17)[None]
    with torch.no_grad():
        wanted, found = model(input_ids=ids).logits, experiment.model.eval()(input_ids=ids).logits
    assert (wanted - found).abs().max() <= 1e-5 * wanted.abs().max()


@pytest.mark.filterwarnings("ignore")
def test_a_layer_that_peft_cannot_hold_is_adapted_by_name_and_its_price_is_said(state_space):
    experiment = Experiment.build(of_text(state_space, targets=("in_proj", "out_proj")))
    assert words_of(experiment) == {"in_proj", "out_proj"}
    notes = [note for note in experiment.loaded().notes if "out_proj" in note]
    assert len(notes) == 1
    assert "Export a merged checkpoint" in notes[0]
    list(train(experiment, Controls(experiment.hyper)))
    with pytest.raises(ExportError, match=r"PEFT refuses out_proj of a mamba model"):
        export(experiment.weights(), state_space / "adapter")
    write_merged(experiment.weights(), state_space / "base", state_space / "merged")


@pytest.mark.filterwarnings("ignore")
def test_a_run_from_before_goes_on_with_the_layers_that_it_had(state_space, monkeypatch):
    every = {"in_proj", "x_proj", "dt_proj", "out_proj"}
    config = of_text(state_space)
    with monkeypatch.context() as then:
        then.setattr("lora_lab.training.run.RULES", 3)
        list(run(opening(config, state_space / "run"), Controls(config.hyper)))
    resumed = opening(None, resume=state_space / "run", until=4)
    records = list(run(resumed, Controls(resumed.config.hyper)))
    layers = next(record for record in records if isinstance(record, LoadedRecord)).layers
    assert {layer.name.rpartition(".")[2] for layer in layers} == every
    assert [r.step for r in records if isinstance(r, StepRecord)] == [1, 2, 3, 4]
    named = of_text(state_space, rules=3, targets=("x_proj",))
    assert words_of(Experiment.build(named)) == {"x_proj"}
