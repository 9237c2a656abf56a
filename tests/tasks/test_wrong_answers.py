"""The digits themselves, and which of them are misclassified, against the confusion matrix."""

import numpy as np
import pytest
import torch

from lora_lab import paths
from lora_lab.config import RunConfig
from lora_lab.errors import Cancelled, LabError
from lora_lab.models.checkpoint import read_state
from lora_lab.presets import get_preset
from lora_lab.tasks import TASKS
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.wrong import wrong_of


@pytest.fixture(scope="module")
def digits():
    return Experiment.build(get_preset("digits").config)


def test_the_digits_preset_shows_its_images_as_they_are_in_the_file(digits):
    shown, state = digits.task.shown, read_state(paths.demo("digits.safetensors"))
    train = state["train"].long()
    nines = train[state["labels"][train] == 9]
    assert (shown.train_rows, shown.validation_rows) == (len(nines), len(state["test"]))
    assert sum(shown.class_counts) == shown.class_counts[9] == len(nines)
    for row in shown.rows:
        assert row.label == "9"
        wanted = state["images"][nines[row.number - 1]].numpy()
        assert np.array_equal(row.image, wanted.astype(int) * 255 // 16)
    assert digits.task.data is None, "nothing of it is written into a run"


def test_known_rank_shows_its_matrices():
    task = TASKS["known_rank"].open(RunConfig(task="known_rank"))
    named = {row.label: row.image for row in task.shown.rows}
    D = task.change.numpy()
    wanted = np.rint((D - D.min()) / (D.max() - D.min()) * 255)
    assert np.array_equal(named["D, rank 4 (48 × 32)"], wanted)
    assert "4, 2, 1, 0.5" in task.shown.notes[0]


def test_wrong_answers_are_those_of_the_confusion_matrix(digits):
    found = wrong_of(digits, most=1000)
    counts = np.array(digits.held_out(enabled=True).confusion)
    assert found.total == tuple(counts.sum(1))
    assert found.counts == tuple(counts.sum(1) - counts.diagonal())
    state = read_state(paths.demo("digits.safetensors"))
    test = state["test"].long()
    labels = state["labels"][test].tolist()
    told = np.zeros_like(counts)
    for row, of in zip(found.rows, found.of, strict=True):
        label, predicted = map(int, row.label.split(" → "))
        assert labels[row.number - 1] == label == of
        told[label, predicted] += 1
        image = state["images"][test[row.number - 1]].numpy()
        assert np.array_equal(row.image, image.astype(int) * 255 // 16)
    assert np.array_equal(told, counts - np.diag(counts.diagonal()))


def test_the_surest_mistakes_of_each_class_come_first(digits):
    found = digits.inference.wrong(True, 3)
    task = digits.task
    with torch.no_grad():
        share = digits.model.eval()(task.test_images).softmax(-1)
    wrong = (share.argmax(1) != task.test_labels).nonzero().flatten().tolist()
    for label in range(10):
        rows = sorted((w for w in wrong if int(task.test_labels[w]) == label),
                      key=lambda w: -float(share[w].max()))  # fmt: skip
        assert [w.row for w in found.shown if w.label == label] == rows[:3]
    digits.inference.resume_training()


def test_the_switch_counts_and_others_are_refused(digits):
    on = wrong_of(digits, 1000)
    for layer in digits.lora_layers:
        layer.lora_B.data.normal_(0, 3, generator=torch.Generator().manual_seed(1))
    moved = wrong_of(digits, 1000)
    assert moved.counts != on.counts
    digits.hyper = digits.hyper.model_copy(update={"enabled": False})
    assert wrong_of(digits, 1000).counts == on.counts
    digits.should_stop = lambda: True
    many = Experiment.build(get_preset("known-rank").config)
    with pytest.raises(LabError, match="classifier of images"):
        wrong_of(many, 3)
    digits.inference.wrong(True, 3)
    with pytest.raises(Cancelled):
        wrong_of(digits, 3)
