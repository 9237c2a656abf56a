"""The shipped digits: the data is what it says, the base knows all but 9, batches are fair."""

import itertools

import pytest
import torch
from safetensors.torch import save_file

from lora_lab import paths
from lora_lab.config import RunConfig
from lora_lab.errors import CheckpointError, ConfigError
from lora_lab.models.checkpoint import read_state
from lora_lab.models.fingerprint import fingerprint
from lora_lab.models.plain import mlp
from lora_lab.tasks import TASKS
from lora_lab.tasks.digits import DigitsTask

DATA = "94faca1ac9f0625a7f8feaebaae6d1508204e65a283971f30dcf38022cb5d91b"


def opened(**settings) -> DigitsTask:
    task = TASKS["digits"].open(RunConfig(task="digits", **settings))
    assert isinstance(task, DigitsTask)
    return task


@torch.no_grad()
def evaluated(task, model):
    return task.evaluate(model.eval())


def test_the_data_is_the_uci_test_set():
    state = read_state(paths.demo("digits.safetensors"))
    assert fingerprint(state) == DATA
    assert state["images"].shape == (1797, 8, 8)
    assert state["images"].dtype == torch.uint8
    assert state["images"].max() == 16
    counts = torch.bincount(state["labels"].long())
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    rows = torch.cat([state["train"], state["test"]]).long()
    assert rows.sort().values.equal(torch.arange(1797)), "each image is in one part"
    share = torch.bincount(state["labels"][state["test"].long()].long()) / counts
    assert share.sub(0.25).abs().max() < 0.01


def test_the_base_is_good_at_every_digit_but_9():
    task = opened()
    found = evaluated(task, task.base_model())
    right = [c / n for c, n in zip(found.correct, found.total, strict=True)]
    assert all(share >= 0.97 for share in right[:9])
    assert right[9] == 0
    assert sum(found.total) == 450
    assert found.accuracy == pytest.approx(sum(found.correct) / 450)
    assert task.base == "digits_base.safetensors"


def test_the_confusion_counts_every_image_once():
    task = opened()
    model = task.base_model().eval()
    found = evaluated(task, model)
    counted = [[0] * 10 for _ in range(10)]
    with torch.no_grad():
        for image, label in zip(task.test_images, task.test_labels.tolist(), strict=True):
            counted[label][model(image[None]).argmax().item()] += 1
    assert [list(row) for row in found.confusion] == counted
    assert tuple(map(sum, found.confusion)) == found.total
    assert tuple(found.confusion[i][i] for i in range(10)) == found.correct


def test_inputs_are_normalised():
    task = opened()
    every = torch.cat([task.images, task.test_images])
    assert every.dtype == torch.float32
    assert every.mean().abs() < 1e-3
    assert (every.std() - 1).abs() < 1e-3


def test_training_is_on_the_chosen_digits_and_testing_on_all():
    task = opened(digits=(9,))
    assert task.trained_classes == ("9",)
    assert set(task.labels.tolist()) == {9}
    assert set(task.test_labels.tolist()) == set(range(10))
    assert set(opened(digits=(3, 5)).labels.tolist()) == {3, 5}
    assert opened().trained_classes == opened().classes


@pytest.mark.parametrize("batch_size", [1, 32, 135, 1000, 5000])
def test_an_epoch_is_a_permutation(batch_size):
    task = opened(digits=(9,))
    per_epoch = -(-len(task.labels) // batch_size)
    batches = task.batches(batch_size, seed=3)
    epochs = [list(itertools.islice(batches, per_epoch)) for _ in range(2)]
    for epoch in epochs:
        images = torch.cat([images for images, _ in epoch])
        assert images.shape == task.images.shape
        torch.testing.assert_close(images.sum(1).sort().values, task.images.sum(1).sort().values)
        assert all(len(x) == len(y) <= batch_size for x, y in epoch)
    first, second = (torch.cat([images for images, _ in epoch]) for epoch in epochs)
    assert not torch.equal(first, second), "each epoch has an order of its own"


def test_images_keep_their_labels():
    task = opened()
    of = {tuple(image.tolist()): int(label) for image, label in zip(task.images, task.labels)}  # noqa: B905
    for images, labels in itertools.islice(task.batches(64, 0), 30):
        for image, label in zip(images, labels, strict=True):
            assert of[tuple(image.tolist())] == int(label)


def test_the_seed_makes_the_order():
    task = opened()

    def first(seed):
        return next(task.batches(32, seed))[0]

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_the_loss_learns_and_moves_with_the_device_and_type():
    task = opened(digits=(9,))
    task.to(torch.device("cpu"), torch.float64)
    model = task.base_model().double()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batches = task.batches(32, 0)
    for _ in range(30):
        optimizer.zero_grad()
        loss = task.loss(model, next(batches))
        loss.backward()
        optimizer.step()
    assert loss.dtype == torch.float64
    assert evaluated(task, model).correct[9] > 0


def test_a_checkpoint_of_ones_own(tmp_path):
    net = mlp((64, 20, 10), names=("body.in", "head"))
    save_file(net.state_dict(), tmp_path / "own.safetensors")
    path = str(tmp_path / "own.safetensors")
    with pytest.raises(CheckpointError, match=r"11 readings fit.*relu"):
        opened(model=path).base_model()
    task = opened(model=path, reading="relu")
    assert task.base == "own.safetensors"
    assert fingerprint(task.base_model()) == fingerprint(net)


def test_an_average_beside_the_weights_is_said_not_to_be_used(tmp_path):
    state = read_state(paths.demo("digits_base.safetensors"))
    torch.save({"model": dict(state), "ema": dict(state)}, tmp_path / "net.pt")
    task = opened(model=str(tmp_path / "net.pt"), reading="relu")
    task.base_model()
    assert any("'ema' beside them is not used" in note for note in task.notes)


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [((784, 10), "takes 784 inputs, the task gives 64"), ((64, 2), "2 outputs")],
)
def test_a_checkpoint_that_does_not_fit(sizes, reason, tmp_path):
    save_file(mlp(sizes).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=f"other.safetensors: .*{reason}"):
        opened(model=str(tmp_path / "other.safetensors")).base_model()
    save_file({"conv.weight": torch.zeros(2, 2, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"other.safetensors: .*conv\.weight"):
        opened(model=str(tmp_path / "other.safetensors")).base_model()


@pytest.mark.parametrize("digits", [(10,), (-1,), (9, 9)])
def test_digits_that_are_none(digits):
    with pytest.raises(ConfigError, match="0 to 9"):
        opened(digits=digits)


def test_data_of_ones_own_is_not_for_this_task(tmp_path):
    with pytest.raises(ConfigError, match="mnist-tutorial"):
        opened(data=str(tmp_path))


def test_shuffled_pixels_are_the_same_pixels_in_one_order_for_all():
    plain, shuffled = opened(), opened(permuted=True)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(shuffled.images, plain.images[:, order])
    assert torch.equal(shuffled.test_images, plain.test_images[:, order])
    assert torch.equal(shuffled.labels, plain.labels)
    found = [evaluated(task, task.base_model()).accuracy for task in (plain, shuffled)]
    assert found[0] > 0.85 > 0.3 > found[1], "of the base hardly anything is of use"
