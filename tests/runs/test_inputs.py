"""A run finds its files again wherever it is resumed, and names what has changed about them."""

import json
import shutil

import pytest

from lora_lab.config import RunConfig
from lora_lab.errors import DataError, LabError
from lora_lab.presets import starting_config
from lora_lab.records import ResumedRecord, StepRecord
from lora_lab.runs.data_fingerprint import data_fingerprint
from lora_lab.runs.inputs import (
    SPLITS,
    changes,
    fingerprints,
    recorded_classes,
    with_whole_paths,
)
from lora_lab.runs.listing import METRICS
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from tests.models.tiny import save


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a chat model and data, which a run names by relative paths."""
    place = tmp_path / "here"
    save(place / "model", "llama", chat=True)
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    for name, rows in (("rows.jsonl", 12), ("other.jsonl", 3), ("old.jsonl", 4)):
        (place / name).write_text("\n".join([json.dumps({"messages": turns})] * rows))
    (place / "model" / "preprocessor_config.json").write_text("{}")
    monkeypatch.chdir(place)
    return place


def begun(place, **settings):
    config = starting_config(
        "causal_lm", model="model", data="rows.jsonl", validation_data="other.jsonl",
        keep_data="old.jsonl", max_steps=2, batch_size=4, device="cpu", **settings,
    )  # fmt: skip
    list(run(New(config, place / "run"), Controls(config.hyper)))
    return place / "run"


def resumed(folder, **places):
    opening = Resume.at(folder, 4, places)
    records = list(run(opening, Controls(opening.config.hyper)))
    (record,) = [r for r in records if isinstance(r, ResumedRecord)]
    return [r.step for r in records if isinstance(r, StepRecord)][-1], record.notes


def test_a_run_is_resumed_from_another_folder(place, tmp_path, monkeypatch):
    folder = begun(place)
    monkeypatch.chdir(tmp_path)
    assert resumed(folder) == (4, ())


def test_moved_files_are_named_and_found_at_their_new_place(place, tmp_path, monkeypatch):
    folder = begun(place)
    monkeypatch.chdir(tmp_path)
    (place / "rows.jsonl").rename(tmp_path / "moved.jsonl")
    with pytest.raises(LabError, match=r"The data of run is not at .*--data PATH"):
        Resume.at(folder)
    assert resumed(folder, data="moved.jsonl") == (4, ())


CHANGES = {
    "rows.jsonl": "the data has changed since",
    "other.jsonl": "the validation data changed since the run began",
    "old.jsonl": "the retention set changed since the run began",
    "model/tokenizer.json": "the tokenizer changed since the run began",
    "model/chat_template.jinja": "the chat template changed since the run began",
    "model/preprocessor_config.json": "the image rules changed since the run began",
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_has_changed_is_named(place, name):
    folder = begun(place)
    path = place / name
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")
    step, notes = resumed(folder)
    assert step == 4
    assert len(notes) == 1
    assert CHANGES[name] in notes[0]


def test_a_run_of_an_older_lab_has_no_fingerprints_to_compare(place):
    folder = begun(place)
    about = json.loads((folder / "config.json").read_text())
    del about["inputs"]
    (folder / "config.json").write_text(json.dumps(about))
    (place / "other.jsonl").write_text((place / "other.jsonl").read_text() + "\n")
    assert resumed(folder)[1] == ()


def test_names_that_are_no_files_stay_as_they_are(place):
    config = starting_config("causal_lm", model="someone/model", data="rows.jsonl")
    whole = with_whole_paths(config)
    assert (whole.model, whole.data) == ("someone/model", str(place / "rows.jsonl"))
    assert whole.hyper is config.hyper


def classifier(tmp_path, labels, **settings):
    save(tmp_path / "bert", "bert_classifier")
    path = tmp_path / "rows.jsonl"
    words = {"positive": "the film is good", "negative": "the sound is bad"}
    rows = [{"text": f"{words[x]} {i}", "label": x} for i, x in enumerate(labels)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return starting_config(
        "text_classification", model=str(tmp_path / "bert"), data=str(path), max_steps=2,
        batch_size=4, device="cpu", validation=0.25, **settings,
    )  # fmt: skip


def test_the_classes_of_a_run_keep_their_order(tmp_path):
    config = classifier(tmp_path, ["positive", "negative"] * 8)
    folder = tmp_path / "run"
    list(run(New(config, folder), Controls(config.hyper)))
    assert recorded_classes(folder / METRICS) == ("negative", "positive")
    # A checkpoint whose head is named in another order would now give another one.
    about = tmp_path / "bert" / "config.json"
    values = json.loads(about.read_text())
    values["id2label"] = {"0": "positive", "1": "negative"}
    about.write_text(json.dumps(values))
    opening = Resume.at(folder, 4)
    assert opening.config.classes == ("negative", "positive")
    records = list(run(opening, Controls(opening.config.hyper)))
    assert [r.step for r in records if isinstance(r, StepRecord)][-1] == 4
    assert recorded_classes(folder / METRICS) == ("negative", "positive")
    assert "classes" not in SavedConfig.read(folder).about["config"]


def test_data_of_other_classes_is_not_resumed(tmp_path):
    config = classifier(tmp_path, ["positive", "negative"] * 8)
    folder = tmp_path / "run"
    list(run(New(config, folder), Controls(config.hyper)))
    path = tmp_path / "rows.jsonl"
    path.write_text(path.read_text().replace("negative", "neutral"))
    opening = Resume.at(folder, 4)
    with pytest.raises(DataError, match="trained on the classes negative, positive; the data has"):
        list(run(opening, Controls(opening.config.hyper)))


def test_a_log_that_is_lost_does_not_stop_a_run(tmp_path):
    config = classifier(tmp_path, ["positive", "negative"] * 8)
    folder = tmp_path / "run"
    list(run(New(config, folder), Controls(config.hyper)))
    shutil.copy(folder / METRICS, tmp_path / "kept")
    (folder / METRICS).write_bytes(b"\xff{")
    assert recorded_classes(folder / METRICS) == ()
    assert recorded_classes(tmp_path / "nowhere") == ()


LOADED = b'{"type": "LoadedRecord", "classes": ["no", "yes"]}\n'
OF_THE_BASE = b'{"type": "LoadedRecord", "stage": "base", "classes": ["other"]}\n'
STEPS = b'{"type": "StepRecord"}\n' * 2000


@pytest.mark.parametrize(
    ("log", "classes"),
    [
        (LOADED + STEPS, ("no", "yes")),
        (OF_THE_BASE + STEPS + LOADED, ("no", "yes")),  # after the training of the base
        (STEPS + LOADED, ()),  # without its head: not read through
    ],
    ids=["head", "trained-base", "no-head"],
)
def test_the_classes_are_read_from_the_head_of_the_log(tmp_path, log, classes):
    (tmp_path / METRICS).write_bytes(log)
    assert recorded_classes(tmp_path / METRICS) == classes


def test_a_run_of_a_folder_of_splits_is_told_that_training_alone_is_read(place):
    """Older runs took all files of the folder, and their fingerprint is of all of them."""
    splits = place / "splits"
    splits.mkdir()
    for name in ("train.jsonl", "test.jsonl"):
        shutil.copy(place / "rows.jsonl", splits / name)
    config = starting_config(
        "causal_lm", model="model", data="splits", max_steps=2, batch_size=4, validation=0.25
    )
    folder = place / "of splits"
    list(run(New(config, folder), Controls(config.hyper)))
    (splits / "test.jsonl").write_text('{"messages": []}')  # which is not read
    assert resumed(folder) == (4, ())
    about = json.loads((folder / "config.json").read_text())
    about["data_fingerprint"] = data_fingerprint(str(splits))
    (folder / "config.json").write_text(json.dumps(about))
    opening = Resume.at(folder, 6)
    assert changes(opening.config, opening.saved.about) == (SPLITS,)


def test_an_adapter_that_is_continued_is_known_by_its_bytes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "adapter_model.safetensors").write_bytes(b"abc")
    config = starting_config("causal_lm", model="m", data="d", adapter=str(tmp_path / "a"))
    first = fingerprints(config)["adapter"]
    (tmp_path / "a" / "adapter_model.safetensors").write_bytes(b"abd")
    assert fingerprints(config)["adapter"] != first != ""
    assert changes(config, {"inputs": {"adapter": first}}) == ()  # its factors are in checkpoints


def test_a_folder_that_is_no_adapter_is_not_read(tmp_path, monkeypatch):
    """A run of somebody else may name any: the whole disk."""
    for number in range(300):
        (tmp_path / str(number)).mkdir()
    assert fingerprints(RunConfig(task="digits", adapter=str(tmp_path)))["adapter"] == ""
    monkeypatch.setattr("lora_lab.runs.inputs._of_adapter", None)  # nor is it asked for again
    assert changes(RunConfig(task="digits", adapter="/"), {"inputs": {"adapter": "x"}}) == ()
