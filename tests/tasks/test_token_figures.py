"""Token accuracy, perplexity and the loss of each token, against transformers' own logits."""

import json
import math

import pytest
import torch
from transformers import AutoModelForCausalLM

from lora_lab.errors import LabError
from lora_lab.presets import starting_config
from lora_lab.tasks.base import Task
from lora_lab.training.experiment import Experiment
from lora_lab.training.questions import MeasureTokens
from tests.models import tiny


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_they_are_those_of_transformers(tmp_path, name, monkeypatch):
    monkeypatch.setattr("lora_lab.tasks.causal_lm.CHUNK", 2 * tiny.VOCABULARY)  # two at a time
    tiny.save(tmp_path / "base", name)
    rows = [{"prompt": "the film is", "completion": " good" * n} for n in range(1, 7)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = starting_config(
        "causal_lm", model=str(tmp_path / "base"), data=str(tmp_path / "rows.jsonl"),
        validation_data=str(tmp_path / "rows.jsonl"), batch_size=2, max_steps=2,
    )  # fmt: skip
    experiment = Experiment.build(config)
    found = experiment.held_out(enabled=False)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "base").eval()
    losses, hits = [], []
    for example in experiment.task.held_out.examples:
        ids = torch.tensor(example.ids.tolist())[None]
        with torch.no_grad():
            logits = model(ids).logits[0, :-1].double()
        every = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
        asked = torch.tensor(example.supervised[1:].tolist())
        losses += every[asked].tolist()
        hits += (logits.argmax(-1) == ids[0, 1:])[asked].tolist()
    mean = sum(losses) / len(losses)
    figures = dict(found.figures)
    assert found.loss == pytest.approx(mean, rel=1e-5)
    assert figures["perplexity"] == pytest.approx(math.exp(mean), rel=1e-4)
    assert figures["token accuracy"] == sum(hits) / len(hits)


def test_the_loss_of_each_token_of_a_row_is_that_of_transformers(tmp_path):
    tiny.save(tmp_path / "base", "llama")
    rows = [{"prompt": "the film is", "completion": " good" * n} for n in range(1, 7)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = starting_config(
        "causal_lm", model=str(tmp_path / "base"), data=str(tmp_path / "rows.jsonl"), max_steps=2,
        validation=0.3,
    )  # fmt: skip
    experiment = Experiment.build(config)
    shown = experiment.task.data.rows[2]
    (record,) = MeasureTokens(shown.number).run(experiment, None)
    example = next(x for x in experiment.task.train.examples if x.number == shown.number)
    ids = torch.tensor(example.ids.tolist())[None]
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "base").eval()
    with torch.no_grad():
        logits = model(ids).logits[0, :-1].double()
    expected = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none").tolist()
    assert math.isnan(record.off[0])
    assert record.off[1:] == pytest.approx(expected, rel=1e-4)
    assert record.on[1:] == record.off[1:], "B = 0 before the first step"
    assert len(record.on) == len(shown.tokens)
    assert experiment.loaded().scores_tokens
    with pytest.raises(LabError, match="none of the rows"):
        list(MeasureTokens(999).run(experiment, None))
    with pytest.raises(LabError, match="no loss for each token"):
        Task().row_losses(model, 1)
    assert not Task().scores_tokens
