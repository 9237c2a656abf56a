"""Masked language models learn what transformers computes, and gaps come again as they were."""

import json
from itertools import islice

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForMaskedLM

from lora_lab.config import changed
from lora_lab.errors import CheckpointError, LabError
from lora_lab.formats.recognise import open_adapter
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.tasks.masked_lm import MaskedLmTask
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from lora_lab.workshop.merge_base import write_merged
from tests.models.families import bert_tokens, built, framed
from tests.models.tiny import save

WORDS = tuple("the film is good and the sound is clear but the end is bad".split())  # noqa: SIM905
TABLE = "MODEL_FOR_MASKED_LM_MAPPING"
FAMILIES = ("albert", "bert", "distilbert", "electra", "fnet", "modernbert", "mpnet", "roberta")


def config_of(folder, kind="bert", **settings):
    if not (folder / kind).exists():
        built(kind, TABLE).save_pretrained(folder / kind)
        words = bert_tokens() if kind == "bert" else framed("[CLS] $A [SEP]", "$A $B")
        words.save_pretrained(folder / kind)
    data = folder / "rows.jsonl"
    rows = [{"text": " ".join(WORDS[i % 5 : 5 + i % 9])} for i in range(40)]
    data.write_text("\n".join(map(json.dumps, rows)))
    base = {
        "batch_size": 8, "accumulation": 1, "validation": 0.2, "max_steps": 12, "eval_steps": 4,
        "schedule": "constant", "hyper": {"learning_rate": 1e-2},
    }  # fmt: skip
    return starting_config(
        "masked_lm", model=str(folder / kind), data=str(data), **{**base, **settings}
    )


def theirs(model, parts):
    """transformers' own loss for the ids and labels of these parts, a row at a time."""
    total, count = 0.0, 0
    for part in parts:
        labels = torch.full_like(part.inputs["input_ids"], -100).flatten()
        labels[part.positions] = part.targets
        labels = labels.view(part.inputs["input_ids"].shape)
        for row, seen in enumerate(part.inputs["attention_mask"].bool()):
            inputs = {name: tensor[row][seen][None] for name, tensor in part.inputs.items()}
            loss = model(**inputs, labels=labels[row][seen][None]).loss
            asked = int((labels[row] != -100).sum())
            total, count = total + loss * asked, count + asked
    return total / count


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FAMILIES)
def test_loss_and_parts_are_those_of_transformers(tmp_path, kind):
    task = MaskedLmTask.open(config_of(tmp_path, kind))
    model = task.base_model()
    reference = AutoModelForMaskedLM.from_pretrained(tmp_path / kind).eval()
    batch = next(task.batches(8, 0))
    with torch.no_grad():
        for count in (1, 4):
            parts = task.parts(batch, count)
            found = sum(share * task.loss(model, part) for part, share in parts)
            wanted = theirs(reference, [part for part, _ in parts])
            torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)
    assert len(parts) > 1


def test_gaps_of_training_change_and_come_again_those_of_validation_stay(tmp_path):
    task = MaskedLmTask.open(config_of(tmp_path))
    model = task.base_model()
    epoch = len(list(islice(task.batches(8, 0), 4)))

    def read(batches):
        return [
            {name: tensor.tolist() for name, tensor in part.inputs.items()}
            for batch in batches
            for part, _ in task.parts(batch, 1)
        ]

    first = read(islice(task.batches(8, 0), 2 * epoch))
    assert read(islice(task.batches(8, 0, skip=5), 3)) == first[5:8]
    rows = {tuple(row) for part in first for row in part["input_ids"]}
    assert len(rows) > 1.5 * task.rows, "the second epoch has other gaps"
    with torch.no_grad():
        assert task.evaluate(model) == task.evaluate(model)
    again = MaskedLmTask.open(changed(task.config, seed=7))
    again.base_model()
    places = list(range(len(task.held_out.examples)))
    one, other = (t.collated(t.held_out, places) for t in (task, again))
    assert torch.equal(one.inputs["input_ids"], other.inputs["input_ids"])


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # peft asks by its old name
def test_a_run_learns_resumes_to_the_bit_and_is_read_elsewhere(tmp_path):
    config = config_of(tmp_path, max_steps=40, autosave_seconds=1000)
    controls, seen, out = Controls(config.hyper), [], tmp_path / "adapter"
    for record in run(New(config, tmp_path / "run"), controls):
        if isinstance(record, StepRecord) and record.step == config.max_steps:
            controls.request(Export(str(out)))
        seen.append(record)
    evaluations = [r for r in seen if isinstance(r, EvalRecord) and r.enabled]
    assert evaluations[-1].loss < evaluations[0].loss - 0.2
    losses = {r.step: r.loss for r in seen if isinstance(r, StepRecord)}
    short = changed(config, max_steps=12)
    list(run(New(short, tmp_path / "again"), Controls(short.hyper)))
    more = list(run(Resume.at(tmp_path / "again", 16), Controls(short.hyper)))
    resumed = {r.step: r.loss for r in more if isinstance(r, StepRecord)}
    assert {s: resumed[s] for s in range(13, 17)} == {s: losses[s] for s in range(13, 17)}
    assert json.loads((out / "adapter_config.json").read_text())["task_type"] is None
    task = MaskedLmTask.open(config)
    task.base_model()
    part = task.collated(task.held_out, list(range(len(task.held_out.examples))))
    base = AutoModelForMaskedLM.from_pretrained(tmp_path / "bert")
    tuned = PeftModel.from_pretrained(base, out).eval()
    write_merged(open_adapter(out), tmp_path / "bert", tmp_path / "merged")
    merged = AutoModelForMaskedLM.from_pretrained(tmp_path / "merged").eval()
    with torch.no_grad():
        for model in (tuned, merged):
            assert float(theirs(model, [part])) == pytest.approx(evaluations[-1].loss, rel=1e-5)


def test_an_encoder_without_its_head_is_refused(tmp_path):
    save(tmp_path / "bert", "bert")
    bert_tokens().save_pretrained(tmp_path / "bert")
    task = MaskedLmTask.open(config_of(tmp_path))
    with pytest.raises(CheckpointError, match="has no head of a masked language model"):
        task.base_model()


def test_data_without_a_text_names_what_is_wanted(tmp_path):
    config = config_of(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"a": 1, "b": 2}')
    with pytest.raises(LabError, match=r"wanted is a column text\. Its columns are: a, b"):
        MaskedLmTask.open(config)
