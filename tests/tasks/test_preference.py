"""DPO against a plain loop and TRL's own formula; pairs of every form; resuming, exporting."""

import json

import pytest
import torch
import torch.nn.functional as F
from peft import PeftModel

from lora_lab.config import changed
from lora_lab.errors import ConfigError, LabError
from lora_lab.opening_records import DataRecord, LoadedRecord
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.runs.recipe import written
from lora_lab.tasks.preference import PreferenceTask
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from tests.models.tiny import save

WORDS = "the film is good and the sound is clear but the end is bad".split()  # noqa: SIM905


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": " ".join(WORDS[i % 3 : 4 + i % 5]), "chosen": " good" + " clear" * (i % 3),
         "rejected": " bad" + " and poor" * (i % 2)}
        for i in range(30)
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def config_of(folder, data, **settings):
    base = {
        "batch_size": 8, "accumulation": 1, "validation": 0.2, "eval_steps": 0, "max_steps": 12,
        "warmup_steps": 0, "schedule": "constant", "hyper": {"learning_rate": 1e-2},
    }  # fmt: skip
    return starting_config("preference", model=str(folder), data=data, **{**base, **settings})


def moved(folder, data, kind="llama", **settings):
    """An experiment whose adapter has learned something, so that π differs from π₀."""
    save(folder, kind)
    experiment = Experiment.build(config_of(folder, data, **settings))
    draw = torch.Generator().manual_seed(1)
    for layer in experiment.lora_layers:
        torch.nn.init.normal_(layer.lora_B, std=0.2, generator=draw)
    experiment.model.eval()
    return experiment


def log_probability(model, example):
    """Of the supervised tokens of one text alone, summed by hand."""
    ids = torch.tensor(example.ids, dtype=torch.int64)
    logs = model(input_ids=ids[None]).logits[0].float().log_softmax(-1)
    places = [i for i, asked in enumerate(example.supervised) if asked]
    return sum(logs[i - 1, ids[i]] for i in places)


def by_hand(experiment, pairs):
    """(loss, margins) of a plain loop over the pairs."""
    model, layers = experiment.model, experiment.layers.values()
    found = []
    for pair in pairs:
        ours = [log_probability(model, side) for side in (pair.chosen, pair.rejected)]
        for layer in layers:
            layer.enabled = False
        with torch.no_grad():
            base = [log_probability(model, side) for side in (pair.chosen, pair.rejected)]
        for layer in layers:
            layer.enabled = True
        found.append((ours[0] - base[0]) - (ours[1] - base[1]))
    margins = experiment.config.dpo_beta * torch.stack(found)
    return -F.logsigmoid(margins).mean(), margins


def as_trl(experiment, pairs):
    """The loss as TRL's DPOTrainer writes it (sigmoid, no label smoothing), padded at the right."""
    width = max(len(side.ids) for p in pairs for side in (p.chosen, p.rejected))

    def concatenated(field, fill):
        sides = [*(p.chosen for p in pairs), *(p.rejected for p in pairs)]
        rows = [[*getattr(s, field).tolist(), *[fill] * (width - len(s.ids))] for s in sides]
        return torch.tensor(rows)

    input_ids, mask = concatenated("ids", 1).long(), concatenated("supervised", False)

    def logps():
        logits = experiment.model(input_ids=input_ids).logits
        labels = torch.roll(input_ids, shifts=-1, dims=1)
        loss_mask = torch.roll(mask, shifts=-1, dims=1).bool()
        per_token_logps = torch.gather(
            logits.log_softmax(-1), dim=-1, index=labels.unsqueeze(-1)
        ).squeeze(-1)
        per_token_logps[~loss_mask] = 0
        return per_token_logps.sum(-1)

    chosen_logps, rejected_logps = logps().chunk(2)
    for layer in experiment.layers.values():
        layer.enabled = False
    with torch.no_grad():
        ref_chosen_logps, ref_rejected_logps = logps().chunk(2)
    for layer in experiment.layers.values():
        layer.enabled = True
    logratios = chosen_logps - rejected_logps
    ref_logratios = ref_chosen_logps - ref_rejected_logps
    return -F.logsigmoid(experiment.config.dpo_beta * (logratios - ref_logratios)).mean()


@pytest.mark.parametrize("beta", [0.1, 0.5])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_loss_gradient_and_parts_are_those_of_the_formula(tmp_path, data, kind, beta):
    experiment = moved(tmp_path / kind, data, kind, dpo_beta=beta)
    task, model = experiment.task, experiment.model
    batch = next(task.batches(8, 0))
    pairs = [task.train.examples[i] for i in batch]
    wanted, _ = by_hand(experiment, pairs)
    assert float(wanted.detach()) != pytest.approx(0.6931, abs=1e-3), "the adapter says something"
    torch.testing.assert_close(as_trl(experiment, pairs), wanted, rtol=0, atol=1e-6)
    trained = [p for layer in experiment.lora_layers for p in (layer.lora_A, layer.lora_B)]
    gradients = torch.autograd.grad(wanted, trained)
    for count in (1, 4):
        parts = task.parts(batch, count)
        found = sum(share * task.loss(model, part) for part, share in parts)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
        for one, other in zip(torch.autograd.grad(found, trained), gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert len(parts) > 1
    assert sum(share for _, share in parts) == pytest.approx(1)
    heaviest = task.heaviest(8, 4).tokens.ids.numel()
    assert heaviest >= max(part.tokens.ids.numel() for part, _ in parts)


def test_an_evaluation_is_of_every_pair_and_nothing_is_preferred_without_an_adapter(tmp_path, data):
    experiment = moved(tmp_path / "m", data)
    with torch.no_grad():
        wanted, margins = by_hand(experiment, experiment.task.held_out.examples)
    found = experiment.held_out(True)
    assert found.loss == pytest.approx(float(wanted), abs=1e-6)
    assert found.accuracy == float((margins > 0).float().mean())
    assert dict(found.figures)["reward margin"] == pytest.approx(float(margins.mean()), abs=1e-6)
    off = experiment.held_out(False)
    assert off.loss == pytest.approx(0.693147, abs=1e-6)
    assert (off.accuracy, dict(off.figures)["reward margin"]) == (0.0, 0.0)


def test_the_base_is_asked_once_for_each_pair_and_without_dropout(tmp_path, data):
    experiment = moved(tmp_path / "m", data, hyper={"dropout": 0.5})
    task, model = experiment.task, experiment.model
    calls = []
    model.register_forward_pre_hook(lambda *_: calls.append(None))
    model.base_model.register_forward_pre_hook(lambda *_: calls.append(None))
    experiment.inference.resume_training()
    ((part, _),) = task.parts(next(task.batches(8, 0)), 1)
    first = task.reference(model, part)
    assert model.training
    assert all(layer.enabled for layer in experiment.layers.values())
    counted = len(calls)
    assert counted >= len(part.rows) - 1  # the longest was asked when the run was opened
    assert torch.equal(task.reference(model, part), first)
    assert len(calls) == counted


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # peft asks by its old name
def test_a_run_prefers_resumes_to_the_bit_and_exports_what_peft_loads(tmp_path, data):
    module = save(tmp_path / "m", "llama")
    config = config_of(tmp_path / "m", data, max_steps=10, autosave_seconds=1000, eval_steps=2)
    controls, seen, out = Controls(config.hyper), [], tmp_path / "adapter"
    for record in run(New(config, tmp_path / "run"), controls):
        if isinstance(record, StepRecord) and record.step == config.max_steps:
            controls.request(Export(str(out)))
        seen.append(record)
    evaluations = [r for r in seen if isinstance(r, EvalRecord) and r.enabled]
    assert evaluations[-1].accuracy == 1.0
    assert dict(evaluations[-1].figures)["reward margin"] > 0.1
    (loaded,) = [r for r in seen if isinstance(r, LoadedRecord)]
    assert loaded.generates
    losses = {r.step: r.loss for r in seen if isinstance(r, StepRecord)}

    short = changed(config, max_steps=6)
    list(run(New(short, tmp_path / "again"), Controls(short.hyper)))
    more = list(run(Resume.at(tmp_path / "again", 10), Controls(short.hyper)))
    resumed = {r.step: r.loss for r in more if isinstance(r, StepRecord)}
    assert {step: resumed[step] for step in range(7, 11)} == {s: losses[s] for s in range(7, 11)}

    adapter = json.loads((out / "adapter_config.json").read_text())
    assert adapter["task_type"] == "CAUSAL_LM"
    tuned = PeftModel.from_pretrained(module, out).eval()
    experiment = Experiment.build(config)
    for layer, kept in zip(experiment.lora_layers, _factors(tuned), strict=True):
        layer.lora_A.data, layer.lora_B.data = kept
    experiment.model.eval()
    ids = torch.arange(2, 14)[None]
    with torch.no_grad():
        wanted = experiment.model(input_ids=ids).logits
        torch.testing.assert_close(tuned(input_ids=ids).logits, wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(LabError, match="a run of preference, for which there is no recipe"):
        written(tmp_path / "run")


def _factors(tuned):
    return [
        (m.lora_A["default"].weight.data, m.lora_B["default"].weight.data)
        for m in tuned.modules()
        if hasattr(m, "lora_A")
    ]


def test_packing_is_refused_by_name(tmp_path, data):
    save(tmp_path / "m", "llama")
    with pytest.raises(ConfigError, match="cannot be packed"):
        PreferenceTask.open(config_of(tmp_path / "m", data, batching="packed"))


def test_the_record_shows_both_answers_apart(tmp_path, data):
    save(tmp_path / "m", "llama")
    record = PreferenceTask.open(config_of(tmp_path / "m", data)).data
    assert isinstance(record, DataRecord)
    for row in record.rows:
        sides = [
            "".join(t for t, on in zip(side.tokens, side.supervised, strict=True) if on)
            for side in (row, row.rejected)
        ]
        assert sides[0].startswith(" good")
        assert sides[1].startswith(" bad")
        assert all(side.endswith("<|end|>") for side in sides)
