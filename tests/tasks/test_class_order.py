"""A head that a checkpoint has is used in its own order of classes, whatever the data's is."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from lora_lab.config import RunConfig
from lora_lab.errors import DataError
from lora_lab.models.hf_folder import class_names
from lora_lab.presets import starting_config
from lora_lab.tasks.class_order import ordered
from lora_lab.tasks.image_classification import ImageClassificationTask
from lora_lab.tasks.text_classification import TextClassificationTask
from tests.models.tiny import save


def named(folder, names):
    values = json.loads((folder / "config.json").read_text())
    values["id2label"] = {str(i): name for i, name in enumerate(names)}
    (folder / "config.json").write_text(json.dumps(values))


ORDERS = {
    "as the head": (("positive", "negative"), (), ("positive", "negative")),
    "other names": (("good", "bad"), (), ("negative", "positive")),
    "in capitals": (("POSITIVE", " Negative"), (), ("positive", "negative")),
    "no names": (("LABEL_0", "LABEL_1"), (), ("negative", "positive")),
    "more classes": (("positive", "negative", "mixed"), (), ("negative", "positive")),
    "as resumed": (
        ("positive", "negative"), ("negative", "positive"), ("negative", "positive"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_is_that_of_the_head(tmp_path, name):
    head, resumed, order = ORDERS[name]
    save(tmp_path, "bert_classifier")
    named(tmp_path, head)
    config = RunConfig(task="text_classification", model=str(tmp_path), classes=resumed)
    assert ordered(("negative", "positive"), config) == order


def test_a_resumed_run_has_the_classes_it_had(tmp_path):
    config = RunConfig(task="text_classification", classes=("a", "b"))
    with pytest.raises(DataError, match="has a, c now"):
        ordered(("a", "c"), config)


def test_numbers_of_classes_are_sorted_as_numbers(tmp_path):
    save(tmp_path, "bert_classifier")
    named(tmp_path, [f"c{i}" for i in range(12)])
    assert class_names(tmp_path) == tuple(f"c{i}" for i in range(12))


@torch.no_grad()
def test_texts_are_answered_as_transformers_answers(tmp_path):
    """With the adapter untrained the loss is that of the checkpoint on its own classes."""
    model = save(tmp_path / "m", "bert_classifier")
    named(tmp_path / "m", ["positive", "negative"])
    path = tmp_path / "rows.jsonl"
    rows = [{"text": f"a film {i}", "label": ("negative", "positive")[i % 2]} for i in range(12)]
    path.write_text("\n".join(map(json.dumps, rows)))
    config = starting_config(
        "text_classification", model=str(tmp_path / "m"), data=str(path), validation=0.5
    )
    task = TextClassificationTask.open(config)
    assert task.classes == ("positive", "negative")
    assert not any("in this order" in note for note in task.notes)
    losses = []
    for example, label in zip(task.held_out.examples, task.held_out.labels, strict=True):
        wanted = ("negative", "positive")[(example.number - 1) % 2]
        assert task.classes[label] == wanted
        logits = model(input_ids=torch.tensor(example.ids, dtype=torch.int64)[None]).logits
        place = {"positive": 0, "negative": 1}[wanted]
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor([place])))
    found = task.evaluate(task.base_model()).loss
    assert found == pytest.approx(float(torch.stack(losses).mean()), rel=1e-5)


def test_folders_of_images_go_by_the_head_too(tmp_path):
    save(tmp_path / "vit", "vit")
    named(tmp_path / "vit", ["light", "dark"])
    for part in ("train", "val"):
        for name, value in (("dark", 0), ("light", 200)):
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for i in range(3):
                pixels = np.full((8, 8, 3), value + i, dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "images" / part / name / f"{i}.png")
    config = starting_config(
        "image_classification", model=str(tmp_path / "vit"), data=str(tmp_path / "images")
    )
    task = ImageClassificationTask.open(config)
    assert task.classes == ("light", "dark")
    assert task.labels.tolist() == task.held_labels.tolist() == [1, 1, 1, 0, 0, 0]
