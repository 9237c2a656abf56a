"""What is forgotten: rows of the old task are measured as validation rows are, few and in time."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from lora_lab.config import Origin, RunConfig, changed
from lora_lab.errors import ConfigError, DataError
from lora_lab.plain import plain
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord
from lora_lab.runs.past import past_records
from lora_lab.tasks import TASKS, retention
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.opening import Branch, New, Resume
from lora_lab.training.run import run
from tests.models.tiny import save

WORDS = "the film is good and the sound is clear but the end is bad".split()  # noqa: SIM905


def texts(path, start):
    rows = [
        {"prompt": " ".join(WORDS[start:6]), "completion": " " + WORDS[i % 9]} for i in range(9)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))


def reviews(path, start):
    labels = ["good" if i % 3 else "bad" for i in range(40)]
    rows = [
        {"review": " ".join(WORDS[start : 4 + i % 5]), "label": x} for i, x in enumerate(labels)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))


def pairs(path, start):
    rows = [
        {"prompt": " ".join(WORDS[start:6]), "chosen": " " + WORDS[i % 9], "rejected": " so it is"}
        for i in range(9)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))


def images(path, start):
    random = np.random.default_rng(start)
    for name in ("dark", "light") if start else ("light", "dark"):
        (path / name).mkdir(parents=True)
        for i in range(3 + start):
            pixels = random.integers(0, 255, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(path / name / f"{i}.png")


CASES = {
    "causal_lm": ("llama", texts),
    "preference": ("llama", pairs),
    "text_classification": ("bert_classifier", reviews),
    "image_classification": ("vit", images),
}


def config_of(name, folder, **settings):
    kind, write = CASES[name]
    if not (folder / "model").exists():
        save(folder / "model", kind)
        write(folder / "new", 0)
        write(folder / "old", 1)
    given = {"model": str(folder / "model"), "data": str(folder / "new"), "batch_size": 4}
    return starting_config(name, **{**given, **settings})


@pytest.mark.parametrize("name", CASES)
def test_the_old_task_is_measured_as_held_out_rows_are(tmp_path, name):
    old = str(tmp_path / "old")
    config = config_of(name, tmp_path, keep_data=old)
    experiment = Experiment.build(config)
    draw = torch.Generator().manual_seed(0)
    for layer in experiment.lora_layers:
        torch.nn.init.normal_(layer.lora_B, std=0.2, generator=draw)
    record = experiment.evaluate()
    plain = TASKS[name].open(config_of(name, tmp_path, validation_data=old))
    assert not plain.has_retention
    plain.base_model()
    experiment.model.eval()
    with torch.no_grad():
        wanted = plain.evaluate(experiment.model)
    assert record.keep_loss == pytest.approx(wanted.loss, rel=1e-5)
    assert record.keep_accuracy == wanted.accuracy
    assert record.loss != pytest.approx(record.keep_loss), "the new task's own rows are others"
    assert experiment.evaluate(should_stop=lambda: True) is None


def test_few_rows_in_an_order_that_stays_and_no_more_than_time_allows(monkeypatch):
    found = retention.RetentionSet("rows", list(range(1, 1001)), 4000)
    blocks = list(found.blocks())
    rows = np.concatenate(blocks)
    assert len(rows) == len(set(rows)) == retention.ROWS
    assert all(len(b) * (b.max() + 1) <= 4000 for b in blocks)
    assert [b.tolist() for b in found.blocks()] == [b.tolist() for b in blocks]
    monkeypatch.setattr(retention, "PASS_SECONDS", -1.0)
    hurried = retention.RetentionSet("rows", list(range(1, 1001)), 4000)
    assert [b.tolist() for b in hurried.blocks()] == [blocks[0].tolist()]
    monkeypatch.setattr(retention, "PASS_SECONDS", 1e9)
    assert len(list(hurried.blocks())) == 1, "what was left out stays out"


def test_a_run_that_goes_on_measures_the_same_rows(tmp_path, monkeypatch):
    """Where they were decided the machine was busy, and where it goes on it has all the time."""
    config = config_of("text_classification", tmp_path, keep_data=str(tmp_path / "old"), seed=3)
    config = changed(config, max_steps=4, epochs=None)
    monkeypatch.setattr(retention, "PASS_SECONDS", -1.0)
    first = list(run(New(changed(config, max_steps=2), tmp_path / "run"), Controls(config.hyper)))
    monkeypatch.setattr(retention, "PASS_SECONDS", 1e9)
    again = list(run(Resume.at(tmp_path / "run", 4), Controls(config.hyper)))
    other = list(run(New(config, tmp_path / "other"), Controls(config.hyper)))
    few, same, all_rows = (
        next(r.keep_loss for r in records[::-1] if isinstance(r, EvalRecord) and not r.enabled)
        for records in (first, again, other)
    )
    assert few == same
    assert few != all_rows
    branch = Origin(str(tmp_path / "run"), 4)
    texts = changed(config, keep_data=str(tmp_path / "new"), max_steps=2)
    branched = Branch(branch, texts, tmp_path / "b")
    records = list(run(branched, Controls(config.hyper)))
    whole = list(run(New(texts, tmp_path / "c"), Controls(config.hyper)))
    a, b = (
        next(r.keep_loss for r in found[::-1] if isinstance(r, EvalRecord) and not r.enabled)
        for found in (records, whole)
    )
    assert a == b, "other data are decided anew"


def test_what_does_not_fit_is_refused(tmp_path):
    config = config_of("image_classification", tmp_path, keep_data=str(tmp_path / "old"))
    (tmp_path / "old" / "dark").rename(tmp_path / "old" / "night")
    with pytest.raises(DataError, match="night"):
        Experiment.build(config)
    with pytest.raises(ConfigError, match="class by class"):
        Experiment.build(RunConfig(task="digits", keep_data="x"))


def test_records_from_before_there_were_such_rows_still_come_back(tmp_path):
    new = {"keep_loss", "keep_accuracy"}
    line = {k: v for k, v in plain(EvalRecord(1, True, 0.5, 0.9)).items() if k not in new}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line, separators=(",", ":")))
    (record,) = past_records(tmp_path / "metrics.jsonl", 1)
    assert (record.step, record.keep_loss) == (1, None)
