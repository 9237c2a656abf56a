"""What several processes take of a batch: every row once, and shares that make up the whole."""

import json
from itertools import islice

import numpy as np
import pytest
import torch

from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.presets import get_preset, starting_config
from lora_lab.tasks import TASKS
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from tests.models.tiny import save
from tests.tasks.test_masked_lm import config_of as masked_rows

WORDS = "the film is good and the sound is clear but the end is bad".split()  # noqa: SIM905


def rows(path, kind):
    made = {
        "answers": lambda i: {"prompt": WORDS[i % 5], "completion": " good" * (1 + i % 9)},
        "labels": lambda i: {"text": " ".join(WORDS[: 2 + i % 7]), "label": "abc"[i % 9 // 4]},
        "numbers": lambda i: {"text": " ".join(WORDS[: 2 + i % 7]), "score": i / 7},
        "pairs": lambda i: {"prompt": WORDS[i % 5], "chosen": " good" * (1 + i % 4),
                            "rejected": " bad" * (1 + i % 3)},
    }[kind]  # fmt: skip
    path.write_text("\n".join(json.dumps(made(i)) for i in range(40)))
    return str(path)


CASES = {
    "digits": None,
    "known-rank": None,
    "causal_lm": ("llama", "answers", {}),
    "causal_lm packed": ("llama", "answers", {"batching": "packed"}),
    "text_classification": ("bert", "labels", {}),
    "text_classification balanced": ("bert", "labels", {"class_weights": "balanced"}),
    "regression": ("bert", "numbers", {}),
    "masked_lm": masked_rows,
    "preference": ("llama", "pairs", {}),
}


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("name", CASES)
def test_the_shares_of_all_processes_make_up_the_batch(tmp_path, name, processes):
    if CASES[name] is None:
        config = get_preset(name).config
    elif callable(CASES[name]):
        config = CASES[name](tmp_path, batch_size=7)
    else:
        kind, data, settings = CASES[name]
        save(tmp_path / "m", kind)
        base = {"batch_size": 7, "validation": 0.2, "accumulation": 1, **settings}
        path = rows(tmp_path / "rows.jsonl", data)
        config = starting_config(name.split()[0], model=str(tmp_path / "m"), data=path, **base)
    experiment = Experiment.build(config)
    experiment.model.eval()
    task, draw = experiment.task, torch.Generator().manual_seed(1)
    for layer in experiment.lora_layers:
        torch.nn.init.normal_(layer.lora_B, std=0.2, generator=draw)
    for batch in islice(task.batches(config.batch_size, 0), 2):
        whole = gradients(experiment, batch)
        trained = [p for p in experiment.parameters() if p.grad is not None]
        wanted = [p.grad.clone() for p in trained]
        total = loss = 0.0
        found = [torch.zeros_like(g) for g in wanted]
        for number in range(processes):
            if (share := task.dealt(batch, number, processes)) is None:
                continue
            weight = sum(task.weight(part) for part, _ in task.parts(share, 1))
            loss += weight * gradients(experiment, share).loss
            total += weight
            for summed, p in zip(found, trained, strict=True):
                summed += weight * p.grad
        assert loss / total == pytest.approx(whole.loss, rel=1e-5)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one / total, other, rtol=1e-3, atol=1e-5)


def test_more_processes_than_rows_leave_some_without_one():
    task = TASKS["digits"].open(get_preset("digits").config)
    batch = tuple(t[:2] for t in next(task.batches(4, 0)))
    assert [task.dealt(batch, n, 3) is None for n in range(3)] == [False, False, True]
    assert TASKS["causal_lm"].dealt(task, [[1], [2]], 2, 3) is None
    np.testing.assert_array_equal(task.dealt(batch, 1, 3)[1], batch[1][1:])


def test_a_step_without_a_label_token_says_so(tmp_path):
    save(tmp_path / "m", "llama")
    data = rows(tmp_path / "rows.jsonl", "answers")
    config = starting_config("causal_lm", model=str(tmp_path / "m"), data=data, validation=0.0)
    experiment = Experiment.build(changed(config, batch_size=2))
    for example in (experiment.task.train.examples[row] for row in (0, 1)):
        example.supervised[:] = False
    with pytest.raises(LabError, match="No row of this step has a label token"):
        gradients(experiment, [[0], [1]])
