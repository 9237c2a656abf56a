"""A run continues from an adapter's file: its loss before the first step is the file's in PEFT."""

import itertools
import json
import warnings

import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

from lora_lab.errors import LabError
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.opening_records import LoadedRecord
from lora_lab.presets import starting_config
from lora_lab.records import AppliedRecord, EvalRecord, SpectrumRecord, StepRecord
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.from_adapter import with_adapter
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from tests.formats.test_gguf_adapter import foreign as foreign_gguf
from tests.models.tiny import save

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from peft import LoHaConfig, LoraConfig, PeftModel, get_peft_model

pytestmark = [
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing"),  # peft asks by its old name
    pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`"),
]
AUTO = {
    "causal_lm": AutoModelForCausalLM, "text_classification": AutoModelForSequenceClassification,
}  # fmt: skip
LINES = {
    "causal_lm": [{"text": words} for words in ("the film is good", "a bad film, and clear")],
    "text_classification": [
        {"text": "the film is good", "label": "good"},
        {"text": "the sound is poor", "label": "bad"},
    ],
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    for kind in ("llama", "gpt2", "bert", "bert_classifier"):
        save(folder / kind, kind)
    return folder


def rows(folder, task):
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in LINES[task] * 8))
    return str(path)


def peft_file(base, folder, task="causal_lm", seed=0, auto=None, **settings):
    """An adapter that PEFT makes and saves, every factor and magnitude of it moved."""
    kind = auto or AUTO[task]
    labels = {"num_labels": 2} if task != "causal_lm" else {}
    torch.manual_seed(seed)
    model = get_peft_model(
        kind.from_pretrained(base, **labels), LoraConfig(**{"r": 4, "lora_alpha": 6, **settings})
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.1 * torch.randn(p.shape, generator=generator)
    model.save_pretrained(folder)
    return folder


def config_of(base, adapter, folder, task="causal_lm", hyper=None, **settings):
    given = {"max_steps": 3, "batch_size": 4, "accumulation": 1, "validation": 0.25, **settings}
    fixed, live = with_adapter(str(adapter), given, hyper or {})
    return starting_config(task, model=str(base), data=rows(folder, task), **fixed, hyper=live)


def loss_in_peft(experiment, base, adapter, task):
    """The loss of PEFT's own model on the first batch of the run."""
    labels = {"num_labels": 2} if task != "causal_lm" else {}
    model = AUTO[task].from_pretrained(base, **labels)
    model = PeftModel.from_pretrained(model, adapter).eval()
    return loss(experiment, model.get_base_model())


def loss(experiment, model):
    (batch,) = itertools.islice(experiment.task.batches(4, 0), 1)
    with torch.no_grad():
        parts = experiment.task.parts(batch, 1)
        return sum(share * experiment.task.loss(model, part).item() for part, share in parts)


LLAMA, GPT2 = ("llama", "causal_lm"), ("gpt2", "causal_lm")
TRANSPOSED = {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}
HEAD = {"modules_to_save": ["classifier"], "target_modules": ["query", "value"]}
SEQ_CLS = {"task_type": "SEQ_CLS", "target_modules": ["query", "value"]}
PATTERNS = {
    "target_modules": ["q_proj", "k_proj", "up_proj"],
    "rank_pattern": {"k_proj": 2, "up_proj": 8},
    "alpha_pattern": {"k_proj": 9},
}
FILES = {  # name → base and task, LoraConfig, and the variant that it is
    "lora": (LLAMA, {"target_modules": ["q_proj", "down_proj"]}, "lora"),
    "rslora": (LLAMA, {"target_modules": ["q_proj"], "use_rslora": True}, "rslora"),
    "dora": (LLAMA, {"target_modules": ["v_proj", "o_proj"], "use_dora": True}, "dora"),
    "patterns": (LLAMA, PATTERNS, "lora"),
    "patterns of rslora": (LLAMA, {**PATTERNS, "use_rslora": True}, "rslora"),
    "patterns of dora": (LLAMA, {**PATTERNS, "use_dora": True}, "dora"),
    "conv1d": (GPT2, TRANSPOSED, "lora"),
    "dora of conv1d": (GPT2, {**TRANSPOSED, "use_dora": True}, "dora"),
    "embedding": (GPT2, {**TRANSPOSED, "target_modules": ["wte", "c_attn"]}, "lora"),
    "head": (("bert_classifier", "text_classification"), HEAD, "lora"),
    "SEQ_CLS": (("bert", "text_classification"), SEQ_CLS, "lora"),
    "new head": (("bert", "text_classification"), {**HEAD, "use_dora": True}, "dora"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_loss_before_the_first_step_is_that_of_peft(bases, tmp_path, name):
    (base, task), settings, variant = FILES[name]
    adapter = peft_file(bases / base, tmp_path / "adapter", task, **settings)
    config = config_of(bases / base, adapter, tmp_path, task)
    assert config.variant == variant
    experiment = Experiment.build(config)
    wanted = loss_in_peft(experiment, bases / base, adapter, task)
    experiment.model.eval()
    assert loss(experiment, experiment.model) == pytest.approx(wanted, rel=0, abs=1e-6)
    off = experiment.inference
    assert off is not None
    file, again = open_adapter(adapter), experiment.weights()
    assert {x.name: (x.rank, x.scaling) for x in again.layers} == {
        x.name: (x.rank, pytest.approx(x.scaling)) for x in file.layers
    }
    assert {x.name for x in again.whole} == {x.name for x in file.whole}
    for given, now in zip(
        file.layers,
        sorted(again.layers, key=lambda x: [y.name for y in file.layers].index(x.name)),
        strict=True,
    ):
        assert torch.equal(given.lora_A, now.lora_A)
        assert torch.equal(given.lora_B, now.lora_B)
    assert list(experiment.hyper.layer_ranks) == sorted(experiment.hyper.layer_ranks)


@pytest.mark.parametrize("format", ["peft", "peft-portable", "kohya", "gguf", "diffusers"])
def test_every_format_that_is_read_is_continued(bases, tmp_path, format):
    """A component of a pipeline before all names is taken off, and said."""
    base = bases / "llama"
    source = peft_file(base, tmp_path / "peft", target_modules=["q_proj", "down_proj"])
    weights = open_adapter(source, base=str(base))
    adapter = tmp_path / {"kohya": "a.safetensors", "gguf": "a.gguf"}.get(format, "out")
    part = "transformer" if format in ("kohya", "diffusers") else ""
    export(weights, adapter, format, component=part)
    experiment = Experiment.build(config_of(base, adapter, tmp_path))
    wanted = loss_in_peft(experiment, base, source, "causal_lm")
    experiment.model.eval()
    assert loss(experiment, experiment.model) == pytest.approx(wanted, rel=0, abs=1e-6)


def test_llama_cpps_own_names_are_put_back_by_the_base(bases, tmp_path):
    base = bases / "llama"
    source = peft_file(base, tmp_path / "peft", target_modules=["q_proj", "down_proj"])
    adapter = foreign_gguf(tmp_path, base, open_adapter(source))
    experiment = Experiment.build(config_of(base, adapter, tmp_path))
    wanted = loss_in_peft(experiment, base, source, "causal_lm")
    experiment.model.eval()
    assert loss(experiment, experiment.model) == pytest.approx(wanted, rel=0, abs=1e-6)


def test_the_alpha_of_a_file_that_keeps_none_is_asked_for(bases, tmp_path):
    base = bases / "llama"
    source = peft_file(base, tmp_path / "peft", target_modules=["q_proj", "down_proj"])
    tensors = {}
    for layer in open_adapter(source).layers:
        tensors |= {f"{layer.name}.lora_A": layer.lora_A, f"{layer.name}.lora_B": layer.lora_B}
    torch.save(tensors, tmp_path / "bare.pt")
    with pytest.raises(LabError, match="--alpha"):
        config_of(base, tmp_path / "bare.pt", tmp_path)
    experiment = Experiment.build(
        config_of(base, tmp_path / "bare.pt", tmp_path, hyper={"alpha": 6.0})
    )
    wanted = loss_in_peft(experiment, base, source, "causal_lm")
    experiment.model.eval()
    assert experiment.hyper.alpha == 6
    assert loss(experiment, experiment.model) == pytest.approx(wanted, rel=0, abs=1e-6)


def test_another_base_by_its_name_is_said(bases, tmp_path):
    adapter = peft_file(bases / "llama", tmp_path / "adapter", target_modules=["q_proj"])
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "somebody/other-llama"
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    notes = Experiment.build(config_of(bases / "llama", adapter, tmp_path)).loaded().notes
    assert "by its file the adapter was trained on somebody/other-llama" in notes


def test_an_adapter_of_the_model_without_its_head_fits_that_with_one(bases, tmp_path):
    base = bases / "llama"
    adapter = peft_file(base, tmp_path / "adapter", auto=AutoModel, target_modules=["q_proj"])
    experiment = Experiment.build(config_of(base, adapter, tmp_path))
    assert all(name.startswith("model.layers.") for name in experiment.layers)
    assert any("names" in note for note in experiment.loaded().notes)
    model = AutoModelForCausalLM.from_pretrained(base)
    model.model = PeftModel.from_pretrained(model.model, adapter)
    experiment.model.eval()
    assert loss(experiment, experiment.model) == pytest.approx(loss(experiment, model), abs=1e-6)


def records_of(opening):
    return list(run(opening, Controls(opening.config.hyper)))


def test_a_run_records_where_it_began_and_resumes_without_the_file(bases, tmp_path):
    (base, task), settings, _ = FILES["new head"]
    adapter = peft_file(
        bases / base, tmp_path / "adapter", task, rank_pattern={"value": 2}, **settings
    )
    config = config_of(bases / base, adapter, tmp_path, task)
    whole = records_of(New(config, tmp_path / "whole"))
    first = next(r for r in whole if isinstance(r, SpectrumRecord))
    assert all(layer.sigma.max() > 0 for layer in first.layers)
    off, on = [r for r in whole if isinstance(r, EvalRecord) and r.step == 0]
    assert (off.enabled, on.enabled) == (False, True)
    assert off.loss != on.loss
    assert not [r for r in whole if isinstance(r, AppliedRecord) and r.changes]
    loaded = next(r for r in whole if isinstance(r, LoadedRecord))
    assert (
        "continues adapter: 4 layers, rank 4, α 6; the optimizer starts afresh" in loaded.notes[0]
    )
    saved = SavedConfig.read(tmp_path / "whole")
    assert saved.config.adapter == str(adapter)
    assert saved.about["inputs"]["adapter"]
    assert saved.config.whole == ("classifier",)
    assert set(saved.config.targets) == {"query", "value"}

    short = config_of(bases / base, adapter, tmp_path, task, max_steps=3)
    records = run(New(short, tmp_path / "part"), controls := Controls(short.hyper))
    for record in records:
        if isinstance(record, StepRecord) and record.step == 2:
            controls.stop()
    for file in adapter.iterdir():
        file.unlink()
    resumed = records_of(Resume.at(tmp_path / "part"))
    losses = {r.step: r.loss for r in whole if isinstance(r, StepRecord)}
    assert next(r.loss for r in resumed if isinstance(r, StepRecord) and r.step == 3) == losses[3]
    last = [open_adapter(tmp_path / name / "adapter") for name in ("whole", "part")]
    assert [x.scaling for x in last[0].layers] == [x.scaling for x in last[1].layers]


@pytest.mark.parametrize(
    ("asked", "factor", "rank"),
    [({"alpha": 12.0}, 2.0, 4), ({"rank": 2}, None, 2), ({"rank": 6}, 1.0, 6)],
    ids=str,
)
def test_what_is_asked_for_otherwise_is_applied_before_the_first_step(
    bases, tmp_path, asked, factor, rank
):
    base = bases / "llama"
    settings = {"target_modules": ["q_proj", "v_proj", "k_proj"], "alpha_pattern": {"k_proj": 9}}
    adapter = peft_file(base, tmp_path / "adapter", **settings)
    config = config_of(base, adapter, tmp_path, hyper=asked, max_steps=1)
    config = config.model_copy(
        update={"hyper": config.hyper.model_copy(update={"learning_rate": 1e-12})}
    )
    seen = records_of(New(config, tmp_path / "run"))
    loaded = next(r for r in seen if isinstance(r, LoadedRecord))
    assert (loaded.hyper.rank, loaded.hyper.alpha) == (4, 6)
    (applied,) = [r for r in seen if isinstance(r, AppliedRecord) and r.changes]
    assert (applied.step, {name for name, _, _ in applied.changes}) == (0, set(asked))
    after, file = open_adapter(tmp_path / "run" / "adapter"), open_adapter(adapter)
    before = {layer.name: layer.delta_weight() for layer in file.layers}
    for layer in after.layers:
        delta = before[layer.name]
        if factor is None:  # Eckart and Young
            U, S, Vh = torch.linalg.svd(delta)
            wanted = U[:, :rank] @ torch.diag(S[:rank]) @ Vh[:rank]
            assert any("energy discarded" in note for note in applied.notes)
        else:
            wanted = factor * delta
        assert layer.rank == rank
        torch.testing.assert_close(layer.delta_weight(), wanted, rtol=0, atol=1e-5)


def test_a_learning_rate_that_moves_leaves_the_scale_of_each_layer(bases, tmp_path):
    """Of an edit of something else B must not be rescaled, though each layer has its own α."""
    base = bases / "llama"
    settings = {"target_modules": ["q_proj", "v_proj", "k_proj"], "alpha_pattern": {"k_proj": 9}}
    adapter = peft_file(base, tmp_path / "adapter", **settings)
    config = config_of(base, adapter, tmp_path, hyper={"weight_decay": 0.1}, max_steps=2)
    controls, scalings = Controls(config.hyper), []
    for record in run(New(config, tmp_path / "run"), controls):
        if isinstance(record, StepRecord) and record.step == 1:
            controls.set_hyper(controls.hyper.model_copy(update={"learning_rate": 1e-5}))
        if isinstance(record, AppliedRecord):
            scalings.append(record.changes)
    assert scalings
    (wanted, got) = (
        {x.name: x.scaling for x in open_adapter(path).layers}
        for path in (adapter, tmp_path / "run" / "adapter")
    )
    assert got == pytest.approx(wanted)


REFUSED = {  # what is wrong → how the adapter and the run differ, and what is said
    "another variant": ({}, {"variant": "dora"}, "is LoRA and cannot be continued as DoRA"),
    "other targets": ({}, {"targets": ("v_proj",)}, "The targets are not those of"),
    "an init of its own": ({}, {"init": "pissa"}, "Init pissa makes factors of its own"),
    "a norm": ({"modules_to_save": ["norm"]}, {}, "norm"),
    "a rank that nothing can use": ({"r": 40}, {}, "has rank 40, and 32 is all that its 32 × 32"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_continued_is_refused_with_the_reason(bases, tmp_path, name):
    settings, asked, words = REFUSED[name]
    adapter = peft_file(
        bases / "llama", tmp_path / "adapter", **{"target_modules": ["q_proj"], **settings}
    )
    with pytest.raises(LabError, match=words):
        Experiment.build(config_of(bases / "llama", adapter, tmp_path, **asked))


def test_a_product_that_is_no_lora_is_refused_by_its_name(bases, tmp_path):
    """Its ΔW has two factors as well, of a rank that is the product of its own."""
    made = get_peft_model(
        AutoModelForCausalLM.from_pretrained(bases / "llama"),
        LoHaConfig(r=2, target_modules=["q_proj"], init_weights=False),
    )
    made.save_pretrained(tmp_path / "adapter")
    with pytest.raises(LabError, match=r"is LoHa, which is trained by other numbers .* resize"):
        config_of(bases / "llama", tmp_path / "adapter", tmp_path)


def test_an_adapter_of_another_model_is_refused_by_name(bases, tmp_path):
    adapter = peft_file(
        bases / "gpt2", tmp_path / "adapter", target_modules=["c_attn"], fan_in_fan_out=True
    )
    with pytest.raises(LabError, match=r"is for another model: 'transformer.h.0.attn.c_attn'"):
        Experiment.build(config_of(bases / "llama", adapter, tmp_path))


def test_classes_keep_the_order_of_the_head_that_a_run_trained(bases, tmp_path):
    """A head that was trained on bad, good answers so, whatever order the new data has."""
    task, base = "text_classification", bases / "bert"
    plain = starting_config(
        task, model=str(base), data=rows(tmp_path, task), max_steps=1, batch_size=4,
    )  # fmt: skip
    list(run(New(plain, tmp_path / "first"), Controls(plain.hyper)))
    log = tmp_path / "first" / "metrics.jsonl"
    text = log.read_text()
    assert '["bad","good"]' in text
    log.write_text(text.replace('["bad","good"]', '["good", "bad"]'))
    config = config_of(base, tmp_path / "first" / "adapter", tmp_path, task)
    assert Experiment.build(config).task.classes == ("good", "bad")
