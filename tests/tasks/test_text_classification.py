"""An encoder with a head learns to tell texts apart, and both travel in the adapter's file."""

import csv

import pytest
import torch
import torch.nn.functional as F
from peft import PeftModel
from transformers import BertForSequenceClassification

from lora_lab.opening_records import DataRecord, LoadedRecord
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.tasks.text_classification import TextClassificationTask
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New
from lora_lab.training.run import run
from tests.models.tiny import save, tokenizer


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "label"])
        for i in range(60):
            good = i % 3 == 0
            words = "the film is good" if good else "the sound is bad"
            writer.writerow([words + " and the film" * (i % 5), "good" if good else "bad"])
    return str(path)


def config_of(folder, data, **settings):
    base = {
        "batch_size": 8, "accumulation": 1, "validation": 0.2, "max_steps": 40,
        "hyper": {"learning_rate": 1e-2},
    }  # fmt: skip
    return starting_config(
        "text_classification", model=str(folder), data=data, **{**base, **settings}
    )


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_decoder_without_a_padding_token_reads_the_last_token(tmp_path, data, kind):
    """transformers refuses such batches; a single row is read at its last token."""
    folder = tmp_path / kind
    save(folder, kind)
    words = tokenizer()
    words.pad_token = None
    words.save_pretrained(folder)
    task = TextClassificationTask.open(config_of(folder, data))
    assert task.tokenizer.pad_token_id is None
    model = task.base_model()
    batch = next(task.batches(8, 0))
    ((part, _),) = task.parts(batch, 1)
    assert len({len(task.train.examples[row].ids) for row in batch}) > 1, "some are padded"
    for row, loss in zip(
        batch,
        F.cross_entropy(
            model(**part.inputs).logits,
            part.labels,
            reduction="none",
        )[_places(task, part, batch)],
        strict=True,
    ):
        ids = torch.tensor(task.train.examples[row].ids, dtype=torch.int64)[None]
        alone = model(input_ids=ids).logits
        wanted = F.cross_entropy(alone, torch.tensor([task.train.labels[row]]))
        torch.testing.assert_close(loss, wanted, rtol=1e-4, atol=1e-5)


def _places(task, part, batch):
    """Where each row of `batch` stands in `part`, which is sorted by length."""
    lengths = [len(task.train.examples[row].ids) for row in batch]
    order = sorted(range(len(batch)), key=lambda i: lengths[i])
    assert [int(n) for n in part.inputs["attention_mask"].sum(1)] == sorted(lengths)
    return [order.index(i) for i in range(len(batch))]


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
def test_loss_and_parts_are_those_of_each_text_alone(tmp_path, data, kind):
    save(tmp_path / kind, kind)
    task = TextClassificationTask.open(config_of(tmp_path / kind, data))
    model = task.base_model()
    assert task.new_layers == (("classifier",) if kind == "bert" else ("score",))
    batch = next(task.batches(8, 0))
    losses = []
    for row in batch:
        ids = torch.tensor(task.train.examples[row].ids, dtype=torch.int64)[None]
        label = torch.tensor([task.train.labels[row]])
        losses.append(F.cross_entropy(model(input_ids=ids).logits, label))
    wanted = torch.stack(losses).mean()
    for count in (1, 4):
        parts = task.parts(batch, count)
        found = sum(share * task.loss(model, part) for part, share in parts)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert len(parts) > 1


def test_an_evaluation_counts_who_was_taken_for_whom(tmp_path, data):
    save(tmp_path / "m", "bert")
    task = TextClassificationTask.open(config_of(tmp_path / "m", data))
    model = task.base_model()
    with torch.no_grad():
        found = task.evaluate(model)
        answers = [
            int(model(input_ids=torch.tensor(e.ids, dtype=torch.int64)[None]).logits.argmax())
            for e in task.held_out.examples
        ]
    pairs = list(zip(task.held_out.labels.tolist(), answers, strict=True))
    assert found.confusion == tuple(
        tuple(pairs.count((true, said)) for said in range(2)) for true in range(2)
    )
    assert found.accuracy == sum(true == said for true, said in pairs) / len(pairs)
    assert task.classes == ("bad", "good")
    assert task.data.class_counts == (32, 16)
    assert task.data.validation_counts == (8, 4)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # peft asks by its old name
def test_a_run_learns_and_peft_reads_head_and_adapter(tmp_path, data):
    save(tmp_path / "m", "bert")
    config = config_of(tmp_path / "m", data)
    controls, seen, out = Controls(config.hyper), [], tmp_path / "adapter"
    for record in run(New(config, tmp_path / "run"), controls):
        if isinstance(record, StepRecord) and record.step == config.max_steps:
            controls.request(Export(str(out)))
        seen.append(record)
    (loaded,) = [r for r in seen if isinstance(r, LoadedRecord)]
    assert any("classifier" in note for note in loaded.notes)
    assert [r for r in seen if isinstance(r, DataRecord)]
    last = [r for r in seen if isinstance(r, EvalRecord) and r.enabled][-1]
    assert last.accuracy == 1.0
    base = BertForSequenceClassification.from_pretrained(tmp_path / "m", num_labels=2)
    tuned = PeftModel.from_pretrained(base, out).eval()
    task = TextClassificationTask.open(config)
    with torch.no_grad():
        for example, label in zip(task.held_out.examples, task.held_out.labels, strict=True):
            ids = torch.tensor(example.ids, dtype=torch.int64)[None]
            assert int(tuned(input_ids=ids).logits.argmax()) == label
