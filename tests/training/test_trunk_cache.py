"""Frozen lower layers are called once for each text: the same losses, to the bit, as without."""

import errno
import json
import os

import pytest
import torch
from transformers import AutoModelForCausalLM

from lora_lab.config import changed
from lora_lab.opening_records import LoadedRecord
from lora_lab.presets import starting_config
from lora_lab.records import NewsRecord, StepRecord
from lora_lab.runs import kept_states
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from tests.models.tiny import save

WORDS = "the film is good and the sound is clear but the end is bad".split()  # noqa: SIM905
ROWS = 24
INNER = ("self_attn.q_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.down_proj")
UPPER = tuple(f"layers.1.{name}" for name in INNER)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [
        {"prompt": " ".join(WORDS[i % 3 : 5 + i % 7]), "completion": f" {WORDS[i % 4]} {i}"}
        for i in range(ROWS)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


@pytest.fixture
def model(tmp_path):
    save(tmp_path / "llama", "llama")
    return tmp_path / "llama"


def config_of(model, data, **settings):
    base = {
        "batch_size": 8, "validation": 0.0, "eval_steps": 1000, "max_steps": 9, "warmup_steps": 0,
        "schedule": "constant", "targets": UPPER, "hyper": {"learning_rate": 1e-2},
    }  # fmt: skip
    return starting_config("causal_lm", model=str(model), data=data, **{**base, **settings})


def losses_of(records):
    return [record.loss for record in records if isinstance(record, StepRecord)]


def trained(config):
    """The losses of a run, the calls of the lowest layer so far at each step."""
    experiment = Experiment.build(config)
    calls, losses, each = [0], [], []
    lowest = experiment.model.base_model.layers[0].mlp
    lowest.register_forward_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
    for record in train(experiment, Controls(config.hyper)):
        if isinstance(record, StepRecord):
            losses.append(record.loss)
            each.append(calls[0])
    return losses, each, experiment


@pytest.mark.parametrize(
    "settings",
    [
        {"batching": "bucketed"}, {"batching": "packed", "max_length": 40},
        {"batching": "shuffled"}, {"accumulation": 3}, {"checkpointing": True},
        {"dtype": "bfloat16"}, {"hyper": {"learning_rate": 1e-2, "dropout": 0.2}},
    ],
    ids=str,
)  # fmt: skip
def test_losses_are_the_same_to_the_bit_with_and_without(model, data, settings):
    config = config_of(model, data, **settings)
    losses, calls, _ = trained(config)
    without, called, _ = trained(changed(config, trunk_cache=0))
    assert losses == without
    assert calls[-1] == calls[2], "from the second epoch on nothing below is called"
    assert called[-1] > called[2]


@pytest.mark.parametrize("batching", ["bucketed", "packed"])
def test_they_are_those_of_the_whole_model_to_rounding(model, data, batching):
    config = config_of(model, data, batching=batching, max_length=40)
    losses, _, _ = trained(config)
    experiment = Experiment.build(config)
    experiment.task.head.trunks.clear()
    assert losses == pytest.approx(losses_of(train(experiment, Controls(config.hyper))), rel=2e-5)


def test_what_is_kept_is_transformers_own_hidden_state(model, data):
    experiment = Experiment.build(config_of(model, data))
    own = AutoModelForCausalLM.from_pretrained(model)
    ((part, _),) = experiment.task.parts([[i] for i in range(8)], 1)
    states = experiment.trunk.trunk.states(part.ids, part.lengths)
    for row, (length,) in enumerate(part.lengths):
        ids = part.ids[row : row + 1, :length]
        with torch.no_grad():
            wanted = own(input_ids=ids, output_hidden_states=True).hidden_states[1][0]
        assert torch.equal(states[row, :length], wanted)
        assert not states[row, length:].any()


@pytest.mark.parametrize(
    ("targets", "about", "note"),
    [
        (UPPER, {}, "1 of 2 layers"),
        (("lm_head",), {}, "1 of 2 layers"),
        (("layers.0.mlp.up_proj", *UPPER), {}, ""),
        (("q_proj",), {}, ""),
        (UPPER, {"attention_dropout": 0.1}, "random"),
    ],
)
def test_it_is_used_where_nothing_below_is_trained_or_random(model, data, targets, about, note):
    settings = json.loads((model / "config.json").read_text()) | about
    (model / "config.json").write_text(json.dumps(settings))
    notes = [x for x in Experiment.build(config_of(model, data, targets=targets)).loaded().notes
             if "below" in x]  # fmt: skip
    assert [note in x for x in notes] == [True] * bool(note)


def test_a_run_that_is_resumed_finds_it_and_goes_on_to_the_bit(model, data, tmp_path):
    config = config_of(model, data, max_steps=5)
    whole = losses_of(
        run(New(changed(config, max_steps=9), tmp_path / "whole"), Controls(config.hyper))
    )
    list(run(New(config, tmp_path / "run"), Controls(config.hyper)))
    size = (tmp_path / "run" / kept_states.NAME).stat().st_size
    rest = losses_of(run(Resume.at(tmp_path / "run", until=9), Controls(config.hyper)))
    assert rest == whole, "the first five are read from its record"
    assert (tmp_path / "run" / kept_states.NAME).stat().st_size == size, "all was there"


@pytest.mark.parametrize("change", ["base", "data"])
def test_that_of_another_base_or_data_is_not_used(model, data, tmp_path, change):
    config = config_of(model, data)
    list(run(New(config, tmp_path / "first"), Controls(config.hyper)))
    if change == "base":
        save(model, "llama", seed=1)
    else:
        (tmp_path / "rows.jsonl").write_text((tmp_path / "rows.jsonl").read_text().upper().replace(
            '"PROMPT"', '"prompt"').replace('"COMPLETION"', '"completion"'))  # fmt: skip
    wanted = losses_of(
        run(New(changed(config, trunk_cache=0), tmp_path / "plain"), Controls(config.hyper))
    )
    second = tmp_path / "second"
    records = run(New(config, second), Controls(config.hyper))
    assert isinstance(next(records), LoadedRecord)
    (second / kept_states.NAME).write_bytes((tmp_path / "first" / kept_states.NAME).read_bytes())
    assert losses_of(records) == wanted


def test_a_full_disk_ends_the_keeping_and_is_said(model, data, tmp_path, monkeypatch):
    config = config_of(model, data)
    wanted = losses_of(run(New(config, tmp_path / "whole"), Controls(config.hyper)))
    room, write = [4000], os.write

    def short(fd, block):
        if os.path.basename(os.readlink(f"/proc/self/fd/{fd}")) == kept_states.NAME:
            room[0] -= len(block)
            if room[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, block)

    monkeypatch.setattr(os, "write", short)
    records = list(run(New(config, tmp_path / "full"), Controls(config.hyper)))
    assert losses_of(records) == wanted
    said = [r.message for r in records if isinstance(r, NewsRecord) and "kept" in r.message]
    assert len(said) == 1
    assert "space" in said[0].lower() or "full" in said[0].lower()


def test_it_is_bounded(model, data, tmp_path):
    config = config_of(model, data)
    wanted = losses_of(run(New(config, tmp_path / "whole"), Controls(config.hyper)))
    small = changed(config, trunk_cache=1e-5)  # 10 kB
    records = list(run(New(small, tmp_path / "small"), Controls(config.hyper)))
    assert losses_of(records) == wanted
    assert (tmp_path / "small" / kept_states.NAME).stat().st_size <= 10_000
    assert [r for r in records if isinstance(r, NewsRecord) and "1e-05 GB are full" in r.message]
