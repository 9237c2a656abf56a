"""Smoothed labels and weighted classes are torch's own, in parts as well; a validation is plain."""

import csv

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from lora_lab.config import RunConfig
from lora_lab.presets import starting_config
from lora_lab.tasks import TASKS
from lora_lab.tasks.class_loss import ClassLoss, balanced
from tests.models.tiny import save

SETTINGS = [
    {},
    {"label_smoothing": 0.1},
    {"class_weights": "balanced"},
    {"label_smoothing": 0.2, "class_weights": "balanced"},
]


def config_of(**settings):
    return RunConfig(task="digits", **settings)


def test_balanced_weights_are_rows_over_classes_times_rows_of_the_class():
    """sklearn's rule, n/(k·n_c), of the classes that are there."""
    labels = torch.tensor([0] * 6 + [1] * 3 + [3] * 1)
    assert balanced(labels, 5).tolist() == pytest.approx([10 / 18, 10 / 9, 1, 10 / 3, 1])
    found = balanced(labels, 5)[labels]
    assert [float(found[labels == c].sum()) for c in (0, 1, 3)] == pytest.approx([10 / 3] * 3)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_classifiers_loss_is_torchs_with_these_arguments(settings):
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 0, 0, 0, 0, 1, 1, 2])
    logits = torch.randn(8, 3, generator=generator)
    smoothing = settings.get("label_smoothing", 0.0)
    weights = balanced(labels, 3).float() if "class_weights" in settings else None
    loss = ClassLoss(config_of(**settings), labels.numpy(), 3)
    wanted = F.cross_entropy(logits, labels, weights, label_smoothing=smoothing)
    assert loss(logits, labels).item() == pytest.approx(wanted.item(), rel=1e-6)
    pieces = list(zip(logits.split(3), labels.split(3), strict=True))
    total = sum(loss.weight(y) for _, y in pieces)
    parts = sum(loss.weight(y) / total * loss(x, y) for x, y in pieces)
    assert parts.item() == pytest.approx(wanted.item(), rel=1e-6)
    copies = [logits, 2 * logits, -logits]
    each = loss.each(torch.cat(copies), labels, 3)
    assert each.tolist() == pytest.approx([loss(x, labels).item() for x in copies], rel=1e-6)


def texts(folder, **settings):
    save(folder / "bert", "bert")
    with (folder / "rows.csv").open("w", newline="") as file:
        rows = [("the film is good" + " and" * (i % 5), "ab"[i % 3 == 0]) for i in range(40)]
        csv.writer(file).writerows([("text", "label"), *rows])
    return starting_config(
        "text_classification", model=str(folder / "bert"), data=str(folder / "rows.csv"),
        batch_size=8, **settings,
    )  # fmt: skip


def images(folder, **settings):
    save(folder / "vit", "vit")
    random = np.random.default_rng(0)
    for name, count in (("a", 20), ("b", 6)):
        (folder / "images" / name).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 255, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name / f"{i}.png")
    return starting_config(
        "image_classification", model=str(folder / "vit"), data=str(folder / "images"),
        batch_size=8, **settings,
    )  # fmt: skip


CLASSIFIERS = {
    "texts": texts,
    "images": images,
    "digits": lambda _, **settings: config_of(batch_size=50, **settings),
}


def labels_of(part):
    return part[-1]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_follows_both_and_is_measured_without(name, settings, tmp_path):
    config = CLASSIFIERS[name](tmp_path, **settings)
    task = TASKS[config.task].open(config)
    model = task.base_model().eval()
    task.to(torch.device("cpu"), torch.float32)
    batch = next(task.batches(config.batch_size, 0))
    ((whole, share),) = task.parts(batch, 1)
    assert share == 1
    seen = []
    hook = model.register_forward_hook(lambda _m, _i, output: seen.append(output))
    loss = task.loss(model, whole)
    hook.remove()
    logits = getattr(seen[0], "logits", seen[0])
    every = task.labels if name != "texts" else torch.as_tensor(task.train.labels)
    weights = balanced(every, len(task.classes)).float() if "class_weights" in settings else None
    wanted = F.cross_entropy(
        logits, labels_of(whole), weights, label_smoothing=settings.get("label_smoothing", 0.0)
    )
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)
    parts = task.parts(batch, 4)
    assert len(parts) > 1
    assert sum(share for _, share in parts) == pytest.approx(1)
    found = sum(share * task.loss(model, part).item() for part, share in parts)
    assert found == pytest.approx(wanted.item(), rel=1e-4)
    plain = TASKS[config.task].open(config.model_copy(update=dict.fromkeys(settings, 0.0)))
    plain.base_model()
    plain.to(torch.device("cpu"), torch.float32)
    with torch.no_grad():
        assert task.evaluate(model).loss == plain.evaluate(model).loss
