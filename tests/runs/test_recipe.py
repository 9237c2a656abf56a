"""A recipe's script is executed: it takes the run's own steps and ends with the run's own ΔW."""

import ast
import csv
import gzip
import itertools
import json
import re
import runpy
import time
import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from lora_lab.config import Origin, changed
from lora_lab.data.rows import read_table
from lora_lab.errors import LabError
from lora_lab.formats import FORMATS
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.presets import get_preset, starting_config
from lora_lab.records import AppliedRecord, NonFiniteRecord, State, StateRecord, StepRecord
from lora_lab.runs import recipe, recipe_settings
from lora_lab.runs.metrics import line
from lora_lab.runs.recipe import part_texts, recipe_of, written
from lora_lab.runs.recipe_settings import live, rows_part
from lora_lab.runs.story import RecordedStage, story_of
from lora_lab.training.controls import Controls
from lora_lab.training.from_adapter import with_adapter
from lora_lab.training.opening import New
from lora_lab.training.run import run
from tests.models.families import bert_tokens, built, ended_tokens, xlnet_tokens
from tests.models.tiny import save
from tests.runs.sample_run import records, write_sample
from tests.training.opened import opening

CLOSE = 2e-4  # of a loss, after some dozens of steps whose kernels round in other ways


def train(config, folder, edits=None, resume=None, **more):
    """A run with edits (step → fields) made between two steps."""
    edits = dict(edits or {})
    controls = Controls(config.hyper)
    for record in run(opening(config, folder=folder, resume=resume, **more), controls):
        if isinstance(record, StepRecord) and record.step in edits:
            controls.set_hyper(changed(controls.hyper, **edits.pop(record.step)))
    assert not edits
    return resume or folder


def some(table, *quick):
    """The cases of a table, those that are not `quick` among the slow tests."""
    return [x if x in quick else pytest.param(x, marks=pytest.mark.slow) for x in table]


def executed(folder, monkeypatch, tmp_path):
    """What the written script leaves: its losses, and its adapter as the lab reads it."""
    script = tmp_path / "again.py"
    script.write_text(recipe_of(folder), encoding="utf-8")
    assert not re.search(r"import lora_lab|from lora_lab", script.read_text("utf-8"))
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peft's own imports
        left = runpy.run_path(str(script))
    return left


def check(folder, left, close=CLOSE):
    """The script's losses are the record's, and its ΔW the run's."""
    story = story_of(folder)
    recorded = [row["loss"] for row in story.of("StepRecord")]
    assert len(left["losses"]) == len(recorded)
    assert left["losses"] == pytest.approx(recorded, rel=close, abs=1e-7)
    assert recorded[0] != pytest.approx(recorded[-1], rel=20 * close), "something was learned"
    if story.config.variant == "full":
        return
    saved = {x.name: x for x in FORMATS["peft"].load(folder / "adapter").layers}
    assert saved.keys() == left["layers"].keys()
    with torch.no_grad():
        if story.config.init in ("pissa", "olora"):  # the rest of ΔW was taken out of W
            base = load_file(left["MODEL"])
            found = {
                name: layer.get_delta_weight("default")
                + layer.get_base_layer().weight
                - base[f"{name}.weight"]
                for name, layer in left["layers"].items()
            }
        else:
            again = FORMATS["peft"].load(folder.parent / left["OUT"]).layers
            assert [len(x.lora_A) for x in again] == [len(x.lora_A) for x in saved.values()]
            found = {x.name: x.scaling * (x.lora_B @ x.lora_A) for x in again}
        for name, x in saved.items():
            wanted = x.scaling * (x.lora_B @ x.lora_A)
            assert (found[name] - wanted).norm() <= 10 * close * wanted.norm(), name


KNOWN = {"max_steps": 120, "hyper": {"learning_rate": 2e-2, "rank": 2, "alpha": 8.0}}
EDITS = {
    "none": {},
    "rates": {30: {"learning_rate": 5e-3, "weight_decay": 0.1}, 60: {"max_grad_norm": 0.05}},
    "rank": {40: {"rank": 6}, 80: {"rank": 3}},
    "alpha": {40: {"alpha": 4.0}, 80: {"alpha": 16.0, "alpha_mode": "keep_function"}},
    "both": {30: {"rank": 4, "alpha": 12.0}, 60: {"rank": 2}, 90: {"rank": 5}},
}


def preset(name, **settings):
    config = get_preset(name).config
    hyper = {**config.hyper.model_dump(), **settings.pop("hyper", {})}
    return changed(config, **settings, hyper=hyper)


@pytest.mark.parametrize(
    ("variant", "edits"),
    [
        *(("lora", name) for name in EDITS),
        ("rslora", "both"),
        ("dora", "both"),
        ("dora", "alpha"),
        ("lora-fa", "both"),
        ("lora-fa", "alpha"),
    ],
)
def test_known_rank(tmp_path, monkeypatch, variant, edits):
    config = preset("known-rank", variant=variant, **KNOWN)
    folder = train(config, tmp_path / "run", EDITS[edits])
    left = executed(folder, monkeypatch, tmp_path)
    check(folder, left)


DIGITS = {"max_steps": 60, "hyper": {"learning_rate": 1e-3, "rank": 4, "alpha": 8.0}}
SETTINGS = {
    "linear, warm, clipped": (
        {"schedule": "linear", "warmup_steps": 10, "max_grad_norm": 1.0, "accumulation": 3},
        {20: {"frozen_layers": ["fc1"]}, 35: {"rank": 8}, 50: {"frozen_layers": []}},
    ),
    "short and warm": ({"schedule": "cosine", "warmup_steps": 50, "max_steps": 30}, {}),
    "sgd": (
        {"optimizer": "sgd", "momentum": 0.9, "hyper": {"learning_rate": 0.02, "weight_decay": 0.1},
         "max_grad_norm": 1.0, "label_smoothing": 0.1},
        {25: {"rank": 2}, 40: {"rank": 6}},
    ),
    "muon": (
        {"optimizer": "muon", "hyper": {"weight_decay": 0.1, "learning_rate": 0.02},
         "b_rate_ratio": 2.0},
        {25: {"rank": 2}, 40: {"rank": 6}},
    ),
    "muon on b": (
        {"optimizer": "muon_b", "variant": "dora"},
        {25: {"rank": 2}, 32: {"alpha": 9.0, "alpha_mode": "keep_function"}, 40: {"rank": 6}},
    ),
    "riemannian": (
        {"optimizer": "riemannian", "b_rate_ratio": 2.0, "hyper": {"weight_decay": 0.1}},
        {25: {"rank": 2}, 40: {"rank": 6}},
    ),
    "muon, full": ({"optimizer": "muon", "variant": "full"}, {}),
    "lora+ with dropout": (
        {"b_rate_ratio": 8.0, "hyper": {"dropout": 0.3}},
        {30: {"dropout": 0.1, "learning_rate": 5e-4}},
    ),
    "per-layer ranks": (
        {"hyper": {"rank": 16, "layer_ranks": [("fc2", 3)], "frozen_layers": ["fc3"]}},
        {30: {"rank": 4}, 40: {"layer_ranks": [("fc1", 6)]}},
    ),
    "gaussian": ({"init": "gaussian"}, {30: {"rank": 6}}),
    "normal": ({"init": "normal"}, {}),
    "orthogonal": ({"init": "orthogonal"}, {}),
    "eva": ({"init": "eva"}, {30: {"rank": 6}}),
    "pissa": ({"init": "pissa"}, {30: {"alpha": 16.0}}),
    "olora": ({"init": "olora"}, {20: {"alpha_mode": "keep_function", "alpha": 4.0}}),
    "lora-fa": (
        {"variant": "lora-fa", "hyper": {"learning_rate": 0.01}},
        {15: {"frozen_layers": ["fc2"]}, 20: {"rank": 6}, 30: {"frozen_layers": []},
         40: {"rank": 2}},
    ),
    "full": (
        {"variant": "full", "hyper": {"weight_decay": 0.5}},
        {30: {"learning_rate": 1e-4, "frozen_layers": ["fc1"]}},
    ),
    "float64": ({"dtype": "float64"}, {}),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    some(
        SETTINGS,
        "linear, warm, clipped",
        "short and warm",
        "sgd",
        "muon on b",
        "riemannian",
        "lora+ with dropout",
        "eva",
        "pissa",
    ),
)
def test_digits(tmp_path, monkeypatch, name):
    settings, edits = SETTINGS[name]
    settings = {**DIGITS, **settings, "hyper": {**DIGITS["hyper"], **settings.get("hyper", {})}}
    folder = train(preset("digits", **settings), tmp_path / "run", edits)
    check(folder, executed(folder, monkeypatch, tmp_path))


WORDS = "the film is good and the sound is clear but the end is bad".split()  # noqa: SIM905
FORMS = {
    "text": lambda i: {"text": " ".join(WORDS[i % 3 : 5 + i % 7])},
    "prompt": lambda i: {"prompt": " ".join(WORDS[i % 3 : 4 + i % 7]),
                         "completion": f" {WORDS[i % 4]}"},
    "instruction": lambda i: {"instruction": WORDS[i % 5], "input": WORDS[i % 3] * (i % 2),
                              "output": " ".join(WORDS[i % 4 : 9])},
    "chat": lambda i: {"messages": [
        {"role": "user", "content": " ".join(WORDS[i % 3 : 4 + i % 5])},
        {"role": "assistant", "content": f"{WORDS[i % 4]} {WORDS[i % 6]}"},
    ]},
}  # fmt: skip
MODELS = {
    "text": ("llama", "text", {"batching": "packed", "schedule": "cosine", "warmup_steps": 4}, {}),
    "prompt": ("gpt2", "prompt", {"accumulation": 2, "label_smoothing": 0.1},
               {10: {"rank": 2}, 14: {"rank": 5}}),
    "chat": ("llama", "chat", {"batching": "shuffled", "max_grad_norm": 1.0}, {}),
    "instruction": ("llama", "instruction", {"targets": ["q_proj", "v_proj"], "max_length": 200},
                    {8: {"alpha": 4.0}}),
    "tokens": ("llama", "text", {"batch_tokens": 70, "accumulation": 2}, {}),
    "packed tokens": ("llama", "chat", {"batch_tokens": 90, "batching": "packed"}, {}),
    "shuffled tokens": ("llama", "text", {"batch_tokens": 50, "batching": "shuffled"}, {}),
    "whole": ("llama", "text", {"variant": "full", "targets": ["o_proj"]}, {}),
    "embeddings": ("llama", "text", {"targets": ["embed_tokens", "up_proj"]}, {10: {"rank": 6}}),
}  # fmt: skip


@pytest.mark.parametrize("name", some(MODELS, "text", "prompt", "chat", "tokens"))
def test_language_models(tmp_path, monkeypatch, name):
    kind, form, settings, edits = MODELS[name]
    save(tmp_path / kind, kind, chat=form == "chat")
    for file in ("config.json", "tokenizer_config.json"):  # Alpaca's wording is long
        told = json.loads((tmp_path / kind / file).read_text())
        lengths = (
            {"max_position_embeddings": 256, "model_max_length": 256} if kind == "llama" else {}
        )
        told.update((key, value) for key, value in lengths.items() if key in told)
        (tmp_path / kind / file).write_text(json.dumps(told))
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(json.dumps(FORMS[form](i)) for i in range(40)))
    settings = {"batch_size": 8, "max_steps": 20, "accumulation": 1, "validation": 0.2, **settings}
    config = starting_config(
        "causal_lm", model=str(tmp_path / kind), data=str(data), **settings,
        hyper={"learning_rate": 1e-2, "rank": 4, "dropout": 0.1 if form == "chat" else 0.0},
    )  # fmt: skip
    folder = train(config, tmp_path / "run", edits)
    left = executed(folder, monkeypatch, tmp_path)
    check(folder, left, 1e-3)
    held_out = left["held_out_loss"](left["model"])
    assert held_out == pytest.approx(float(left["RUN_HELD_OUT"]), rel=5e-3)


@pytest.mark.parametrize("kind", some(["bert", "gpt2"], "bert"))
def test_classifiers_with_a_fresh_head(tmp_path, monkeypatch, kind):
    save(tmp_path / kind, kind)
    data = tmp_path / "rows.csv"
    with data.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "label"])
        for i in range(60):
            said = "the film is good" if i % 3 == 0 else "the sound is bad"
            writer.writerow([said + " and the film" * (i % 5), "good" if i % 3 == 0 else "bad"])
    config = starting_config(
        "text_classification", model=str(tmp_path / kind), data=str(data), batch_size=8,
        accumulation=2, max_steps=20, validation=0.2, label_smoothing=0.1,
        hyper={"learning_rate": 1e-2, "weight_decay": 0.5},
    )  # fmt: skip
    edits = {10: {"frozen_layers": ["classifier" if kind == "bert" else "score"]}}
    folder = train(config, tmp_path / "run", edits)
    check(folder, executed(folder, monkeypatch, tmp_path), 1e-3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", some(["t5", "bart", "m2m_100"], "bart"))
def test_sources_and_targets(tmp_path, monkeypatch, kind):
    built(kind, "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING").save_pretrained(tmp_path / kind)
    ended_tokens().save_pretrained(tmp_path / kind)
    texts = [("the film" + " is good" * (i % 4), "good " * (1 + i % 2)) for i in range(40)]
    rows = [{"translation": {"de": source, "en": target}} for source, target in texts]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = starting_config(
        "seq2seq", model=str(tmp_path / kind), data=str(tmp_path / "rows.jsonl"), batch_size=8,
        accumulation=2, max_steps=8, validation=0.2, label_smoothing=0.1, source_prefix="say: ",
        hyper={"learning_rate": 1e-2},
    )  # fmt: skip
    folder = train(config, tmp_path / "run", {})
    left = executed(folder, monkeypatch, tmp_path)
    check(folder, left, 1e-3)
    assert left["held_out_loss"](left["model"]) == pytest.approx(
        float(left["RUN_HELD_OUT"]), rel=1e-3
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", some(["bert", "fnet", "xlnet"], "xlnet"))
def test_pairs_of_texts_are_padded_as_the_run_padded_them(tmp_path, monkeypatch, kind):
    """Segments of BERT, no padding at all of FNet, padding at the left of XLNet."""
    built(kind, "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING").save_pretrained(tmp_path / kind)
    (xlnet_tokens() if kind == "xlnet" else bert_tokens()).save_pretrained(tmp_path / kind)
    rows = [
        {"text": "the film" + " is good" * (i % 4), "text_pair": "the sound", "label": f"c{i % 2}"}
        for i in range(40)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = starting_config(
        "text_classification", model=str(tmp_path / kind), data=str(tmp_path / "rows.jsonl"),
        batch_size=8, accumulation=2, max_steps=8, validation=0.2, hyper={"learning_rate": 1e-2},
    )  # fmt: skip
    folder = train(config, tmp_path / "run", {})
    check(folder, executed(folder, monkeypatch, tmp_path), 1e-3)


@pytest.mark.parametrize("held_out", ["a share", "a folder"])
@pytest.mark.parametrize("base", some(["vit", "net.safetensors"], "vit"))
def test_folders_of_images(tmp_path, monkeypatch, base, held_out):
    random = np.random.default_rng(0)
    images = tmp_path / "images"
    for part, count in (("train/", 24), ("val/", 6)) if held_out == "a folder" else (("", 24),):
        for name, low in (("dark", 0), ("light", 120)):
            (images / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(low, low + 110, (8 + i % 3, 9, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(images / part / name / f"{i}.png")
    if base == "vit":
        save(tmp_path / base, base)
        rules = {"size": {"height": 8, "width": 8}, "image_mean": [0.4] * 3, "image_std": [0.2] * 3}
        (tmp_path / base / "preprocessor_config.json").write_text(json.dumps(rules))
    else:
        net = torch.nn.Sequential(torch.nn.Linear(192, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
        save_file(net.state_dict(), tmp_path / base)
    config = starting_config(
        "image_classification", model=str(tmp_path / base), data=str(images), batch_size=8,
        validation=0.25, max_steps=20, accumulation=2, label_smoothing=0.1,
        reading="" if base == "vit" else "relu",
        hyper={"rank": 2, "learning_rate": 1e-2},
    )  # fmt: skip
    folder = train(config, tmp_path / "run", {10: {"alpha": 8.0}})
    left = executed(folder, monkeypatch, tmp_path)
    check(folder, left, 1e-3)
    held_out = left["held_out_loss"](left["model"])
    assert held_out == pytest.approx(float(left["RUN_HELD_OUT"]), rel=5e-3)


TABLES = {
    "rows.jsonl": ('{"a": 1, "b": "x"}\n\n{"a": 2.5, "b": null}\n', "rows_jsonl"),
    "list.json": ('\ufeff [{"a": 1}, {"a": "é"}]', "rows_json"),
    "lines.json": ('{"a": 1}\n{"a": 2}', "rows_jsonl"),
    "commas.csv": ('\ufeffa, b \r\n"x, ""y""\nz",1\r\n\r\nu,2\r\n', "rows_csv"),
    "semicolons.csv": ("a;b\n1,5;x\n", "rows_csv"),
    "tabs.tsv": ("a\tb\n1;2\tx\n", "rows_csv"),
    "prose.txt": ("one\r\ntwo\r\n\r\n \nthree\rfour\n", "rows_text"),
    "rows.parquet": ([{"a": 1, "b": ["x"]}, {"a": None, "b": []}], "rows_parquet"),
}


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_read_as_the_lab_reads_them(tmp_path, name):
    content, part = TABLES[name]
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8", newline="")
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(content), path)
    assert rows_part(str(path)) == part
    left = {"csv": csv, "json": json, "pyarrow": pyarrow, "itertools": itertools}
    exec(part_texts()[part], left)
    assert left["read_rows"](str(path)) == [row for _, row in read_table(path).rows]


def test_idx_files(tmp_path, monkeypatch):
    """MNIST's files, packed, on a base of one's own; the loss is that of the run."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for part, count in (("train", 60), ("t10k", 20)):
        for kind, shape in (("images", (count, 28, 28)), ("labels", (count,))):
            raw = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">i4").tobytes()
            limit = 10 if kind == "labels" else 256
            raw += generator.integers(0, limit, shape, dtype=np.uint8).tobytes()
            name = f"{part}-{kind}-idx{len(shape)}-ubyte.gz"
            (folder / name).write_bytes(gzip.compress(raw))
    base = {"net.0.weight": torch.randn(16, 784) / 28, "net.0.bias": torch.zeros(16),
            "net.2.weight": torch.randn(10, 16) / 4, "net.2.bias": torch.zeros(10)}  # fmt: skip
    save_file(base, tmp_path / "base.safetensors")
    config = preset("mnist-tutorial", data=str(tmp_path), model=str(tmp_path / "base.safetensors"),
                    reading="relu", digits=[3, 9], max_steps=40, pretraining=None)  # fmt: skip
    folder = train(config, tmp_path / "run", {20: {"rank": 3}})
    check(folder, executed(folder, monkeypatch, tmp_path))


def test_a_run_that_was_resumed_and_trained_on(tmp_path, monkeypatch):
    settings = {**DIGITS, "schedule": "cosine", "max_steps": 20}
    folder = train(preset("digits", **settings), tmp_path / "run")
    train(preset("digits"), None, {24: {"rank": 6}}, resume=folder, until=30)
    assert [(stage.since, stage.begin, stage.end) for stage in story_of(folder).stages()] == [
        (0, 0, 20),
        (20, 0, 30),
    ]
    check(folder, executed(folder, monkeypatch, tmp_path))


def test_a_branch_begins_as_its_parent_did(tmp_path, monkeypatch):
    parent = train(preset("digits", **DIGITS), tmp_path / "parent", {20: {"rank": 8}})
    config = preset("digits", **DIGITS, schedule="linear")
    config = changed(config, hyper={**config.hyper.model_dump(), "learning_rate": 4e-4})
    folder = train(config, tmp_path / "run", {40: {"rank": 3}}, branch=Origin(str(parent), 20))
    text, notes = written(folder)
    assert "20: [{'learning_rate': 0.0004}]" in text
    assert "40: [{'rank': 3}]" in text
    (said,) = [note for note in notes if "branched from parent at step 20" in note]
    assert said.endswith("while the parent had another schedule.")
    # From there on the steps are not the run's, since those before were on another schedule.
    left = executed(folder, monkeypatch, tmp_path)
    recorded = [row["loss"] for row in story_of(folder).of("StepRecord")]
    assert left["losses"] != pytest.approx(recorded, rel=CLOSE)
    config = changed(config, schedule="cosine")
    folder = train(config, tmp_path / "other", {40: {"rank": 3}}, branch=Origin(str(parent), 20))
    assert written(folder).notes[-1].endswith("settings, as in the parent.")
    check(folder, executed(folder, monkeypatch, tmp_path))


def test_a_branch_knows_the_courses_that_its_parent_ended(tmp_path):
    config = preset("digits", max_steps=60, schedule="linear")
    controls = Controls(config.hyper)
    for record in run(New(config, tmp_path / "parent"), controls, serve_after_training=True):
        if isinstance(record, StepRecord) and record.step == 20:
            controls.finish()
        elif isinstance(record, StepRecord) and record.step == 50:
            controls.stop()
        elif isinstance(record, StateRecord) and record.state is State.STOPPED:
            controls.resume()
    folder = train(config, tmp_path / "run", branch=Origin(str(tmp_path / "parent"), 50))
    assert story_of(folder).stages() == [RecordedStage(0, 0, 60), RecordedStage(20, 20, 80)]


def test_the_steps_that_a_person_named_when_training_on_are_in_the_script(tmp_path, monkeypatch):
    """Also in a branch, which has the parent's records without its ends."""
    config = preset("digits", max_steps=20, schedule="cosine")
    controls, parent = Controls(config.hyper), tmp_path / "parent"
    for record in run(New(config, parent), controls, serve_after_training=True):
        if isinstance(record, StateRecord) and record.state is State.FINISHED:
            controls.stop() if record.step > 20 else controls.resume(33)
    stages = [RecordedStage(0, 0, 20), RecordedStage(20, 20, 53)]
    assert story_of(parent).stages() == stages
    check(parent, executed(parent, monkeypatch, tmp_path))
    branch = train(config, tmp_path / "run", branch=Origin(str(parent), 53))
    assert story_of(branch).stages()[:2] == stages


def test_edits_before_the_first_step_are_in_the_script(tmp_path, monkeypatch):
    """The lab's own folder is made at the first step, when they have been applied."""
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path / "home"))
    config = preset("digits", **DIGITS)
    controls, requested = Controls(config.hyper, paused=True), [8, 3]
    for record in run(New(config), controls):
        ready = isinstance(record, StateRecord) and record.state is State.PAUSED
        if ready or isinstance(record, AppliedRecord):
            if requested:
                controls.set_hyper(changed(controls.hyper, rank=requested.pop(0)))
            else:
                controls.resume()
    (folder,) = (tmp_path / "home" / "runs").iterdir()
    assert story_of(folder).start.rank == config.hyper.rank
    assert "0: [{'rank': 8}, {'rank': 3}]" in recipe_of(folder)
    check(folder, executed(folder, monkeypatch, folder.parent))


def test_a_run_of_the_first_rules_has_its_own_warm_up_and_decay(tmp_path, monkeypatch):
    """As an older lab wrote it: warm-up as long as it says, and decay of biases as well."""
    monkeypatch.setattr("lora_lab.training.run.RULES", 1)
    settings = {"variant": "full", "max_steps": 12, "warmup_steps": 10}
    config = preset("digits", **settings, hyper={"weight_decay": 0.5, "learning_rate": 1e-3})
    folder = train(config, tmp_path / "run")
    check(folder, executed(folder, monkeypatch, tmp_path))


def test_another_seed_is_another_run(tmp_path, monkeypatch):
    """What the other tests compare does depend on what the script says."""
    folder = train(preset("digits", **DIGITS), tmp_path / "run")
    monkeypatch.setitem(globals(), "recipe_of", reseeded)
    with pytest.raises(AssertionError):
        check(folder, executed(folder, monkeypatch, tmp_path))


def reseeded(folder):
    return written(folder).text.replace("SEED = 0", "SEED = 1")


def test_what_cannot_be_told_is_said(tmp_path):
    with pytest.raises(LabError, match="not a run folder"):
        recipe_of(tmp_path)
    folder = train(preset("known-rank", max_steps=5, variant="dora", hyper={"dropout": 0.2}),
                   tmp_path / "run")  # fmt: skip
    text, notes = written(folder)
    assert any("DoRA lets dropout" in note for note in notes)
    assert "PEFT's DoRA lets dropout" in text
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(line(NonFiniteRecord(3, "loss", "layer", "", (), (), 2, 0.5)))
    assert any("Step 3 met a loss" in note for note in written(folder).notes)
    about = json.loads((folder / "config.json").read_text())
    for settings, words in (
        ({"task": "image_classification"}, "older version of the lab"),
        ({"task": "causal_lm", "model": "x.gguf"}, "older version of the lab"),
        ({"task": "digits", "model": "net.pt"}, "no .safetensors file"),
        ({"class_weights": "balanced"}, "class weights"),
    ):
        about["config"].update(settings)
        (folder / "config.json").write_text(json.dumps(about))
        with pytest.raises(LabError, match=words):
            recipe_of(folder)


def test_every_live_setting_is_in_the_script():
    """`enabled` concerns evaluations alone."""
    config = get_preset("digits").config
    assert {*live(config, config.hyper), "enabled"} == set(Hyperparameters.model_fields)


def test_every_part_is_some_runs():
    """No text lies in the folder of parts that no script is made of."""
    sources = "".join(Path(m.__file__).read_text("utf-8") for m in (recipe, recipe_settings))
    built = ("law_", "order_", "read_")  # their names end in a setting's word
    for name in part_texts():
        assert name.startswith(built) or f'"{name}"' in sources, name


@pytest.mark.parametrize("name", ['a"""\nend = 9\n"""', "C-\\Users\\new"])
def test_a_name_does_not_end_the_scripts_first_words(tmp_path, name):
    tree = ast.parse(recipe_of(write_sample(tmp_path, name)))
    assert name.split()[0] in ast.get_docstring(tree)
    assert "end = 9" not in [ast.unparse(part) for part in tree.body]


@pytest.mark.parametrize("variant", ["vera", "lora-xs"])
def test_a_variant_of_other_numbers_has_no_script(tmp_path, variant):
    train(preset("known-rank", variant=variant, **KNOWN), tmp_path / "run")
    with pytest.raises(LabError, match="trains other numbers than A and B"):
        recipe_of(tmp_path / "run")


def test_a_run_without_a_step_has_none(tmp_path):
    folder = write_sample(tmp_path, written=list(records())[:5])
    with pytest.raises(LabError, match="no step yet"):
        recipe_of(folder)


@pytest.mark.parametrize(
    "edits", [{}, {3: {"alpha": 12.0}, 5: {"rank": 6}}], ids=["as it is", "edited"]
)
def test_a_run_that_continues_an_adapter_loads_it_through_peft(tmp_path, monkeypatch, edits):
    """Each layer has an α of its own, and keeps its share of the common s in every edit."""
    save(tmp_path / "model", "llama")
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(json.dumps({"text": f"the film is good {i}"}) for i in range(40)))
    about = {"model": str(tmp_path / "model"), "data": str(data), "batch_size": 4, "max_steps": 8}
    about |= {"validation": 0.1, "targets": ("q_proj", "k_proj", "v_proj")}
    hyper = {"rank": 3, "alpha": 9.0, "learning_rate": 1e-2}
    first = starting_config("causal_lm", **about, hyper=hyper)
    adapter = train(first, tmp_path / "first") / "adapter"
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["alpha_pattern"] = {"k_proj": 4}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    fixed, live = with_adapter(str(adapter), {k: v for k, v in about.items() if k != "targets"}, {})
    again = starting_config("causal_lm", **fixed, hyper={**live, "learning_rate": 1e-2})
    folder = train(again, tmp_path / "run", edits)
    check(folder, executed(folder, monkeypatch, tmp_path))


def test_a_run_that_continues_another_format_has_no_script(tmp_path):
    folder = write_sample(tmp_path / "sample")
    about = json.loads((folder / "config.json").read_text())
    about["config"]["adapter"] = str(tmp_path / "a.safetensors")
    (folder / "config.json").write_text(json.dumps(about))
    with pytest.raises(LabError, match="no PEFT folder or is not there any more"):
        recipe_of(folder)


@pytest.mark.parametrize(
    ("field", "words"), [("random_weights", "weights at random"), ("random_labels", "labels")]
)
def test_what_was_drawn_at_random_is_no_script(tmp_path, field, words):
    """A script would take the files as they are, and train something else."""
    folder = train(preset("digits", **{**DIGITS, field: True, "max_steps": 2}), tmp_path / "run")
    with pytest.raises(LabError, match=words):
        recipe_of(folder)


@pytest.mark.parametrize("parent", ["/elsewhere", "../other", "..", ".", "a\\b", "//host/share"])
def test_settings_of_another_folder_are_not_told_of(tmp_path, parent):
    run = write_sample(tmp_path)
    about = json.loads((run / "config.json").read_text())
    about["origin"] = {"run": parent, "step": 3}
    (run / "config.json").write_text(json.dumps(about))
    assert "branched" not in written(run).text
    about["origin"]["run"] = "beside"
    (run / "config.json").write_text(json.dumps(about))
    assert "branched from beside at step 3" in written(run).text


def test_a_name_of_megabytes_is_told_in_short(tmp_path):
    run = write_sample(tmp_path)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        if row["record"] == "LoadedRecord":
            row["base"] = "a" * 900_000
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    began = time.process_time()
    assert len(written(run).text) < 500_000
    assert time.process_time() - began < 2
