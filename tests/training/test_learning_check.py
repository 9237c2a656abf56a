"""What stands in the way of learning is told by name, once, and of a healthy run nothing is."""

import csv
import json
import shutil
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from typer.testing import CliRunner

from lora_lab.adapters import VARIANTS
from lora_lab.cli import app
from lora_lab.config import changed
from lora_lab.data.token_writer import gathered
from lora_lab.errors import LabError
from lora_lab.presets import get_preset, list_presets, starting_config
from lora_lab.records import NewsRecord, StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.learning_check import AGAIN, FIRST, learning_problems, same_data
from lora_lab.training.loop import train
from lora_lab.variants import VARIANTS as ROWS
from tests.anywhere import ANYWHERE
from tests.models.tiny import save
from tests.training.driven_run import digits


def news(experiment):
    """What is told of 25 steps."""
    records = train(experiment, Controls(experiment.hyper))
    return [(r.step, r.message) for r in records if isinstance(r, NewsRecord)]


def short(**settings):
    return digits(steps=AGAIN + 5, dtype="float32", **settings)


def detached(experiment):
    layer = experiment.layers["fc2"]
    layer.register_forward_hook(lambda _module, _inputs, output: output.detach())


def dead(experiment):
    with torch.no_grad():
        experiment.layers["fc1"].base_layer.bias.fill_(-1e6)


def closed(experiment):
    experiment.layers["fc3"].frozen = True  # not as the settings have it


SICK = {
    "detached": ({}, detached, (FIRST, AGAIN), ["2 of 3 layers", "fc1, fc2", "does not depend"]),
    "detached, fully trained": (
        {"variant": "full"}, detached, (FIRST, AGAIN), ["2 of 3 layers", "does not depend"],
    ),
    "a dead ReLU": ({}, dead, (FIRST, AGAIN), ["2 of 3 layers", "fc1, fc2", "exactly 0"]),
    "a dead ReLU under PiSSA": ({"init": "pissa"}, dead, (FIRST, AGAIN), ["fc1, fc2"]),
    "no gradient asked for": (
        {}, closed, (FIRST, AGAIN), ["1 of 3 layers", "(fc3)", "no longer require"],
    ),
    "steps below what float32 holds": (
        {"hyper": {"learning_rate": 1e-60}}, None, (AGAIN,), ["3 of 3 layers", "1e-60", "Raise it"],
    ),
    "a warm-up without end": (
        {"warmup_steps": 10**9, "rules": 1, "hyper": {"learning_rate": 1e-40}}, None, (AGAIN,),
        ["ΔW is still exactly 0 after 20 steps"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SICK)
def test_what_cannot_learn_is_named_with_cause_and_way_out(name):
    settings, harm, steps, words = SICK[name]
    experiment = Experiment.build(short(**settings))
    if harm:
        harm(experiment)
    found = news(experiment)
    assert [step for step, _ in found] == list(steps)
    for _, message in found:
        assert [word for word in words if word not in message] == []


def test_a_net_that_is_detached_as_a_whole_is_refused_in_words():
    experiment = Experiment.build(short())
    experiment.model.register_forward_hook(lambda _module, _inputs, output: output.detach())
    with pytest.raises(LabError, match="nothing that is trained"):
        news(experiment)


def test_frozen_layers_are_not_missed():
    config = short(hyper={"frozen_layers": ["fc1", "fc3"]})
    assert news(Experiment.build(config)) == []


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("init", ANYWHERE)
def test_of_a_healthy_run_nothing_is_told(variant, init, optimizer):
    told = news(Experiment.build(short(variant=variant, init=init, optimizer=optimizer)))
    own = ROWS[variant].own_start if init != "kaiming" else ""
    assert told == ([(FIRST, f"The init has no effect: {own}")] if own else [])


@pytest.mark.parametrize("name", [p.name for p in list_presets() if not p.needs_data])
def test_of_a_preset_nothing_is_told(name):
    assert news(Experiment.build(changed(get_preset(name).config, max_steps=AGAIN + 1))) == []


def texts(folder, task, kind, **settings):
    save(folder / kind, kind)
    with (folder / "rows.csv").open("w", newline="") as file:
        rows = [(f"the film is {'good' if i % 3 else 'bad'}" + " and" * (i % 5), "ab"[i % 3 == 0])
                for i in range(60)]  # fmt: skip
        csv.writer(file).writerows([("text", "label"), *rows])
    base = {"batch_size": 8, "max_steps": AGAIN + 1, "epochs": None, "validation": 0.2}
    return starting_config(
        task, model=str(folder / kind), data=str(folder / "rows.csv"), **{**base, **settings}
    )


TEXTS = {
    "llama": ("causal_lm", "llama", {"targets": ("embed_tokens", "all-linear")}),
    "gpt2": ("causal_lm", "gpt2", {"variant": "dora"}),
    "bert": ("text_classification", "bert", {}),
}


@pytest.mark.parametrize("name", TEXTS)
def test_of_models_of_ones_own_nothing_is_told(tmp_path, name):
    task, kind, settings = TEXTS[name]
    assert news(Experiment.build(texts(tmp_path, task, kind, **settings))) == []


IDLE = [
    ({"epochs": 2.0}, ["epochs", "have no end"]),
    ({"batching": "packed", "checkpointing": True}, ["batching", "checkpointing"]),
    ({"dpo_beta": 0.5}, ["of another task"]),
    ({"variant": "full", "hyper": {"dropout": 0.5}}, ["Dropout has no effect"]),
]


@pytest.mark.parametrize(("settings", "words"), IDLE)
def test_a_setting_without_effect_is_named_once(settings, words):
    ((step, message),) = news(Experiment.build(short(**settings)))
    assert step == FIRST
    assert message.count("no effect") == len(words) - (words[0] == "epochs")
    assert all(word in message for word in words)


def test_packed_batches_are_named_where_a_row_holds_one_text(tmp_path):
    config = texts(tmp_path, "text_classification", "bert", batching="packed")
    ((step, message),) = news(Experiment.build(config))
    assert step == FIRST
    assert "The setting batching has no effect: one row holds one text here" in message
    config = texts(tmp_path, "causal_lm", "llama", batching="packed")
    assert news(Experiment.build(config)) == []


def test_known_rank_smooths_nothing_and_weighs_nothing():
    config = get_preset("known-rank").config
    config = changed(config, max_steps=2, label_smoothing=0.1, class_weights="balanced")
    ((_, message),) = news(Experiment.build(config))
    assert "label smoothing has no effect: a regression has no labels" in message
    assert "class weights has no effect" in message


def test_data_that_cannot_show_what_it_should_is_named(tmp_path):
    config = texts(tmp_path, "causal_lm", "llama", max_steps=2, class_weights="balanced")
    shutil.copy(config.data, tmp_path / "copy.csv")
    config = changed(config, validation_data=config.data, keep_data=str(tmp_path / "copy.csv"))
    ((_, message),) = news(Experiment.build(config))
    for words in ("validation data is the training data", "retention set is the training data",
                  "class weights has no effect"):  # fmt: skip
        assert words in message
    config = changed(config, validation_data=None, keep_data=None, validation=0.0, patience=3,
                     class_weights="none")  # fmt: skip
    ((_, message),) = news(Experiment.build(config))
    assert "patience has no effect: there are no validation rows" in message


def test_rows_without_a_label_token_are_counted(tmp_path):
    experiment = Experiment.build(texts(tmp_path, "causal_lm", "llama", max_steps=2))
    train = experiment.task.train
    rows = [
        replace(row, supervised=row.supervised & (i > 2)) for i, row in enumerate(train.examples)
    ]
    experiment.task.train = train._replace(examples=gathered(rows))
    ((_, message),) = news(experiment)
    assert f"3 of {experiment.task.rows} training rows have no label token" in message


def test_the_same_data_is_known_by_place_and_by_bytes(tmp_path):
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    for path, text in ((one, "rows"), (two, "rows"), (other, "more")):
        path.write_text(text)
    assert same_data(str(one), str(tmp_path / "." / "one"))
    assert same_data(str(one), str(two))
    assert not same_data(str(one), str(other))
    assert not same_data(str(one), None)
    assert not same_data(str(one), str(tmp_path / "gone"))


class Fetches(TorchDispatchMode):
    """Counts the numbers that are fetched one by one, for each of which a device is waited for."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def test_nothing_is_fetched_tensor_by_tensor():
    experiment = Experiment.build(short())
    seen = 0
    for record in train(experiment, Controls(experiment.hyper)):
        if isinstance(record, StepRecord) and record.step in (FIRST, AGAIN):
            with Fetches() as fetches:
                assert learning_problems(experiment) == ()
            assert fetches.count == 0
            seen += 1
    assert seen == 2


def test_nothing_is_looked_at_but_at_two_steps():
    experiment = Experiment.build(short())
    del experiment.layers  # whoever looked at it would fail
    for step in (*range(2, AGAIN), AGAIN + 1, 1000):
        experiment.step = step
        assert learning_problems(experiment) == ()


def test_it_stands_on_the_console_and_in_the_log(tmp_path):
    done = CliRunner().invoke(
        app, ["train", "--preset", "digits", "--steps", "2", "--epochs", "3", "--json",
              "--out", str(tmp_path / "run")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    json.loads(done.stdout)
    words = "The setting epochs has no effect"
    assert words in " ".join(done.stderr.split())
    assert words in (tmp_path / "run" / "log.txt").read_text("utf-8")
