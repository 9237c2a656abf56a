"""Numbers and sets of labels of texts: losses as transformers has them, figures as SciPy does."""

import csv
import json

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

from lora_lab.config import changed
from lora_lab.data.batching import rows_by_length
from lora_lab.errors import DataError, LabError
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.runs.recipe import written
from lora_lab.tasks import TASKS
from lora_lab.tasks.regression import pearson, ranks
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from tests.models.tiny import save

HEADS = {"bert": "classifier", "gpt2": "score"}


def rows_of(name):
    for i in range(40):
        good = i % 3 == 0
        text = ("the film is good" if good else "the sound is bad") + " and the film" * (i % 4)
        if name == "regression":
            yield {"sentence1": text, "sentence2": "a film", "label": 1.5 * good - 0.25 * (i % 4)}
        else:
            labels = ["good"] * good + ["bad"] * (i % 12 == 0 or (not good and i % 4 > 0))
            yield {"text": text, "labels": "|".join(labels)}


def written_rows(folder, name):
    path = folder / "rows.csv"
    rows = list(rows_of(name))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def config_of(name, folder, kind="bert", **settings):
    if not (folder / kind).exists():
        save(folder / kind, kind)
    base = {
        "batch_size": 8, "accumulation": 1, "validation": 0.2, "max_steps": 12, "eval_steps": 4,
        "schedule": "constant",
        "columns": [("text", "sentence1"), ("pair", "sentence2")] if name == "regression" else [],
        "hyper": {"learning_rate": 1e-2},
    }  # fmt: skip
    data = written_rows(folder, name)
    return starting_config(name, model=str(folder / kind), data=data, **{**base, **settings})


def theirs(task, model, texts, rows):
    """transformers' own loss and logits of these texts, each row's text alone."""
    found = []
    for row in rows:
        ids = torch.tensor(texts.examples[row].ids, dtype=torch.int64)[None]
        labels = torch.tensor(texts.labels[row])[None]
        found.append(model(input_ids=ids, labels=labels))
    losses = torch.stack([out.loss for out in found])
    return losses.mean(), torch.cat([out.logits for out in found]).detach()


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("name", ["regression", "multi_label"])
def test_loss_and_parts_are_those_of_transformers(tmp_path, name, kind):
    task = TASKS[name].open(config_of(name, tmp_path, kind))
    model = task.base_model()
    assert task.new_layers == (HEADS[kind],)
    batch = next(task.batches(8, 0))
    wanted, _ = theirs(task, model, task.train, batch)
    for count in (1, 4):
        parts = task.parts(batch, count)
        found = sum(share * task.loss(model, part) for part, share in parts)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert len(parts) > 1


def test_a_regression_measures_what_scipy_does(tmp_path):
    stats = pytest.importorskip("scipy.stats")
    task = TASKS["regression"].open(config_of("regression", tmp_path))
    model = task.base_model()
    held_out = task.held_out
    said = []
    model.classifier.register_forward_hook(lambda _, __, out: said.extend(out[:, 0].tolist()))
    with torch.no_grad():
        found = task.evaluate(model)
        measured = said[:]
        loss, _ = theirs(task, model, held_out, range(len(held_out.examples)))
    assert found.loss == pytest.approx(float(loss), rel=1e-5)
    order = [i for b in rows_by_length(held_out.lengths(), task.evaluation_tokens) for i in b]
    wanted = held_out.labels[order].astype(float)
    assert (found.accuracy, found.confusion) == (None, ())
    figures = dict(found.figures)
    assert figures["Pearson r"] == pytest.approx(stats.pearsonr(measured, wanted)[0], abs=1e-9)
    assert figures["Spearman ρ"] == pytest.approx(stats.spearmanr(measured, wanted)[0], abs=1e-9)
    x = np.array([3.0, 1.0, 3.0, 2.0, 1.0])
    y = np.array([1.0, 5.0, 2.0, 2.0, 0.0])
    assert ranks(x).tolist() == stats.rankdata(x).tolist()
    assert pearson(ranks(x), ranks(y)) == pytest.approx(stats.spearmanr(x, y)[0])
    assert np.isnan(pearson(x, np.ones(5)))


def test_a_set_of_labels_is_measured_by_micro_f1(tmp_path):
    task = TASKS["multi_label"].open(config_of("multi_label", tmp_path))
    model = task.base_model()
    held_out = task.held_out
    with torch.no_grad():
        model.classifier.bias.data = torch.tensor([0.3, 0.0])
        found = task.evaluate(model)
        loss, logits = theirs(task, model, held_out, range(len(held_out.examples)))
    said, wanted = logits.numpy() > 0, held_out.labels > 0
    hits = (said & wanted).sum()
    precision, recall = hits / max(1, said.sum()), hits / wanted.sum()
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    assert found.loss == pytest.approx(float(loss), rel=1e-5)
    assert dict(found.figures)["micro-F1"] == pytest.approx(f1)
    assert task.classes == ("bad", "good")
    counts = np.concatenate([task.train.labels, held_out.labels]).sum(0)
    both = np.add(task.data.class_counts, task.data.validation_counts)
    assert both.tolist() == counts.tolist() == [24, 14]
    assert "no label: trained as none of 2" in " ".join(task.data.notes)
    assert {row.label for row in task.data.rows} == {"good", "bad", "bad, good", "–"}


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # peft asks by its old name
@pytest.mark.parametrize("name", ["regression", "multi_label"])
def test_a_run_learns_resumes_to_the_bit_and_peft_reads_it(tmp_path, name):
    config = config_of(name, tmp_path, max_steps=60, autosave_seconds=1000)
    controls, seen, out = Controls(config.hyper), [], tmp_path / "adapter"
    for record in run(New(config, tmp_path / "run"), controls):
        if isinstance(record, StepRecord) and record.step == config.max_steps:
            controls.request(Export(str(out)))
        seen.append(record)
    measured = [r for r in seen if isinstance(r, EvalRecord) and r.enabled]
    assert measured[-1].loss < 0.5 * measured[0].loss
    assert dict(measured[-1].figures).popitem()[1] > 0.7
    losses = {r.step: r.loss for r in seen if isinstance(r, StepRecord)}
    short = changed(config, max_steps=12)
    list(run(New(short, tmp_path / "again"), Controls(short.hyper)))
    more = list(run(Resume.at(tmp_path / "again", 16), Controls(short.hyper)))
    resumed = {r.step: r.loss for r in more if isinstance(r, StepRecord)}
    assert {step: resumed[step] for step in range(13, 17)} == {
        step: losses[step] for step in range(13, 17)
    }

    assert json.loads((out / "adapter_config.json").read_text())["task_type"] == "SEQ_CLS"
    count = len(TASKS[name].open(config).outputs)
    base = AutoModelForSequenceClassification.from_pretrained(tmp_path / "bert", num_labels=count)
    tuned = PeftModel.from_pretrained(base, out).eval()
    task = TASKS[name].open(config)
    with torch.no_grad():
        logits = torch.cat(
            [
                tuned(input_ids=torch.tensor(e.ids, dtype=torch.int64)[None]).logits
                for e in task.held_out.examples
            ]
        )
    wanted = torch.tensor(task.held_out.labels)
    if name == "regression":
        loss = torch.nn.functional.mse_loss(logits[:, 0], wanted)
    else:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
    assert float(loss) == pytest.approx(measured[-1].loss, rel=1e-4)
    with pytest.raises(LabError, match=f"a run of {name}, for which there is no recipe"):
        written(tmp_path / "run")


@pytest.mark.parametrize("name", ["regression", "multi_label"])
def test_a_retention_set_and_validation_data_of_the_same_form(tmp_path, name):
    config = config_of(name, tmp_path)
    experiment = Experiment.build(
        changed(config, keep_data=config.data, validation_data=config.data)
    )
    record = experiment.evaluate()
    assert record.keep_loss == pytest.approx(record.loss, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "columns", "reason"),
    [
        ("regression", {"text": "a b", "score": "high"}, "row 3: 'high' is no finite number"),
        ("regression", {"text": "a b", "score": "inf"}, "row 3: 'inf' is no finite number"),
        ("regression", {"text": "a b", "score": ""}, "row 3: there is no number"),
        ("regression", {"text": " ", "score": "1"}, "row 3: the text is empty"),
        ("multi_label", {"text": " ", "labels": "a"}, "row 3: the text is empty"),
        ("multi_label", {"text": "a b", "labels": "[a"}, "labels are a list that is not JSON"),
    ],
)
def test_what_is_no_target_is_refused_by_its_row(tmp_path, name, columns, reason):
    save(tmp_path / "bert", "bert")
    role = list(columns)[1]
    rows = [{"text": "the film", role: "1"}, {"text": "the sound", role: "2"}, columns]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    config = starting_config(name, model=str(tmp_path / "bert"), data=str(data))
    with pytest.raises(DataError, match=reason):
        TASKS[name].open(config)
