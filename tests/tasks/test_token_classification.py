"""Every word is tagged: the loss is transformers', the figures are per word and per entity."""

import json

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForTokenClassification

from lora_lab.config import changed
from lora_lab.data.tags import NONE, entities
from lora_lab.errors import LabError
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.runs.recipe import written
from lora_lab.tasks.token_classification import TokenClassificationTask
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from tests.models.tiny import save

WORDS = {"the": "O", "film": "O", "is": "O", "good": "O", "question": "B-ASK", "answer": "B-ASK",
         "two": "I-ASK", "sound": "B-EAR"}  # fmt: skip


def rows():
    names = list(WORDS)
    for i in range(40):
        words = [names[(i + 3 * j) % len(names)] for j in range(3 + i % 5)]
        yield {"tokens": words, "tags": [WORDS[word] for word in words]}


def config_of(folder, kind="bert", **settings):
    if not (folder / kind).exists():
        save(folder / kind, kind)
    data = folder / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows())))
    base = {
        "batch_size": 8, "accumulation": 1, "validation": 0.2, "max_steps": 12, "eval_steps": 4,
        "schedule": "constant", "hyper": {"learning_rate": 1e-2},
    }  # fmt: skip
    return starting_config(
        "token_classification", model=str(folder / kind), data=str(data), **{**base, **settings}
    )


def theirs(model, examples):
    """transformers' own loss over the words of these rows, each row alone, and the tags said."""
    total, count, said = 0.0, 0, []
    for example in examples:
        ids = torch.tensor(example.ids, dtype=torch.int64)[None]
        labels = torch.tensor(example.tags)[None]
        out = model(input_ids=ids, labels=labels)
        words = int((labels != NONE).sum())
        total, count = total + out.loss * words, count + words
        said.append(out.logits[0].argmax(-1)[torch.tensor(example.supervised)].tolist())
    return total / count, said


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_loss_and_parts_are_those_of_transformers(tmp_path, kind):
    task = TokenClassificationTask.open(config_of(tmp_path, kind))
    model = task.base_model()
    assert len(task.new_layers) == 1
    batch = next(task.batches(8, 0))
    wanted, _ = theirs(model, [task.train.examples[i] for i in batch])
    for count in (1, 4):
        parts = task.parts(batch, count)
        found = sum(share * task.loss(model, part) for part, share in parts)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert len(parts) > 1


def test_an_evaluation_is_per_word_and_per_entity(tmp_path):
    task = TokenClassificationTask.open(config_of(tmp_path))
    model = task.base_model()
    with torch.no_grad():
        found = task.evaluate(model)
        loss, said = theirs(model, task.held_out.examples)
    true = [row.tags[row.supervised].tolist() for row in task.held_out.examples]
    right = sum(a == b for x, y in zip(said, true, strict=True) for a, b in zip(x, y, strict=True))
    assert found.loss == pytest.approx(float(loss), rel=1e-5)
    assert found.accuracy == right / sum(map(len, true))
    assert sum(found.total) == sum(map(len, true))

    def spans(rows):
        return {
            (i, *span)
            for i, row in enumerate(rows)
            for span in entities([task.classes[n] for n in row])
        }

    first, second = spans(said), spans(true)
    f1 = 2 * len(first & second) / (len(first) + len(second))
    assert dict(found.figures) == {"entity F1": pytest.approx(f1)}


def test_the_record_shows_the_tag_of_every_word(tmp_path):
    record = TokenClassificationTask.open(config_of(tmp_path)).data
    assert record.classes == ("O", "B-ASK", "I-ASK", "B-EAR")
    assert sum(record.class_counts) == record.supervised_tokens
    for row in record.rows:
        words = "".join(row.tokens).split()
        assert [tag for tag in row.tags if tag] == [WORDS[word] for word in words]
        assert [bool(tag) for tag in row.tags] == list(row.supervised)


def test_tags_that_mark_nothing_have_no_entities(tmp_path):
    config = config_of(tmp_path)
    numbered = [{"tokens": r["tokens"], "tags": [len(t) for t in r["tags"]]} for r in rows()]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, numbered)))
    task = TokenClassificationTask.open(config)
    assert "no entities are counted" in " ".join(task.data.notes)
    with torch.no_grad():
        assert task.evaluate(task.base_model()).figures == ()


def test_class_weights_and_a_retention_set(tmp_path):
    config = config_of(tmp_path)
    config = changed(
        config, class_weights="balanced", keep_data=config.data, validation_data=config.data
    )
    experiment = Experiment.build(config)
    record = experiment.evaluate()
    assert record.keep_loss == pytest.approx(record.loss, rel=1e-5)
    task, model = experiment.task, experiment.model
    batch = next(task.batches(8, 0))
    whole, several = (
        sum(share * task.loss(model, part) for part, share in task.parts(batch, count))
        for count in (1, 4)
    )
    torch.testing.assert_close(several, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # peft asks by its old name
def test_a_run_learns_resumes_to_the_bit_and_peft_reads_it(tmp_path):
    config = config_of(tmp_path, max_steps=60, autosave_seconds=1000)
    controls, seen, out = Controls(config.hyper), [], tmp_path / "adapter"
    for record in run(New(config, tmp_path / "run"), controls):
        if isinstance(record, StepRecord) and record.step == config.max_steps:
            controls.request(Export(str(out)))
        seen.append(record)
    last = [r for r in seen if isinstance(r, EvalRecord) and r.enabled][-1]
    assert last.accuracy > 0.9
    assert dict(last.figures)["entity F1"] > 0.8
    losses = {r.step: r.loss for r in seen if isinstance(r, StepRecord)}
    short = changed(config, max_steps=12)
    list(run(New(short, tmp_path / "again"), Controls(short.hyper)))
    more = list(run(Resume.at(tmp_path / "again", 16), Controls(short.hyper)))
    resumed = {r.step: r.loss for r in more if isinstance(r, StepRecord)}
    assert {s: resumed[s] for s in range(13, 17)} == {s: losses[s] for s in range(13, 17)}
    assert json.loads((out / "adapter_config.json").read_text())["task_type"] == "TOKEN_CLS"
    task = TokenClassificationTask.open(config)
    base = AutoModelForTokenClassification.from_pretrained(
        tmp_path / "bert", num_labels=len(task.classes)
    )
    tuned = PeftModel.from_pretrained(base, out).eval()
    with torch.no_grad():
        loss, _ = theirs(tuned, task.held_out.examples)
    assert float(loss) == pytest.approx(last.loss, rel=1e-4)
    with pytest.raises(LabError, match="of token_classification, for which there is no recipe"):
        written(tmp_path / "run")
