"""MNIST from IDX files of any usual name, on a few made-up images; the counts of the tutorial."""

import gzip

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lora_lab.adapters.inject import inject
from lora_lab.config import RunConfig
from lora_lab.errors import CheckpointError, ConfigError, DataError
from lora_lab.models.fingerprint import fingerprint
from lora_lab.models.plain import mlp
from lora_lab.tasks import TASKS

NAMES = {
    "train-images": "train-images-idx3-ubyte",
    "train-labels": "train-labels-idx1-ubyte",
    "t10k-images": "t10k-images-idx3-ubyte",
    "t10k-labels": "t10k-labels-idx1-ubyte",
}


def idx(array) -> bytes:
    array = np.asarray(array, np.uint8)
    return b"".join(n.to_bytes(4, "big") for n in (0x800 + array.ndim, *array.shape)) + bytes(
        array.tobytes()
    )


def images(count, size=28):
    return np.random.RandomState(0).randint(0, 256, (count, size, size))


@pytest.fixture
def folder(tmp_path):
    """40 training and 20 test images, four and two of each digit."""
    for part, count in (("train", 40), ("t10k", 20)):
        (tmp_path / NAMES[f"{part}-images"]).write_bytes(idx(images(count)))
        (tmp_path / NAMES[f"{part}-labels"]).write_bytes(idx(np.arange(count) % 10))
    return tmp_path


def opened(folder, **settings):
    return TASKS["mnist"].open(RunConfig(task="mnist", data=str(folder), **settings))


def test_the_nine_alone(folder):
    task = opened(folder, digits=(9,))
    assert task.images.shape == (4, 784)
    assert task.labels.tolist() == [9] * 4
    assert task.total == (2,) * 10
    raw = torch.from_numpy(images(40))[9].flatten() / 255
    torch.testing.assert_close(task.images[0], ((raw - 0.1307) / 0.3081).float())
    assert opened(folder).images.shape == (40, 784), "the base trains on all digits"


@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("inner", ["", "raw", "MNIST/raw"])
def test_the_usual_names(dot, packed, inner, folder, tmp_path):
    target = tmp_path / "other" / inner
    target.mkdir(parents=True)
    for name in NAMES.values():
        raw = (folder / name).read_bytes()
        other = name.replace("-idx", f"{dot}idx") + (".gz" if packed else "")
        (target / other).write_bytes(gzip.compress(raw) if packed else raw)
    assert torch.equal(opened(tmp_path / "other").images, opened(folder).images)


def test_the_counts_of_the_tutorial(folder):
    base = opened(folder).base_model()
    assert sum(p.numel() for p in base.parameters()) == 2_807_010
    layers = inject(base, rank=1, alpha=1.0, init="normal")
    trained = sum(p.numel() for layer in layers.values() for p in layer.adapter_parameters())
    assert trained == 6_794
    assert f"{trained / 2_807_010:.3%}" == "0.242%"


def test_the_base_is_fresh_from_the_seed(folder):
    state = torch.get_rng_state()
    marks = [fingerprint(opened(folder, seed=seed).base_model()) for seed in (0, 0, 1)]
    assert marks[0] == marks[1] != marks[2]
    assert torch.equal(torch.get_rng_state(), state), "nobody else's random numbers move"


def test_a_base_that_was_trained_before(folder, tmp_path):
    net = mlp((784, 16, 10))
    save_file(net.state_dict(), tmp_path / "base.safetensors")
    task = opened(folder, model=str(tmp_path / "base.safetensors"), reading="relu")
    assert fingerprint(task.base_model()) == fingerprint(net)
    save_file(mlp((64, 10)).state_dict(), tmp_path / "base.safetensors")
    with pytest.raises(CheckpointError, match="takes 64 inputs, the task gives 784"):
        task.base_model()


def test_bad_folders(folder, tmp_path):
    with pytest.raises(ConfigError, match="four IDX files"):
        TASKS["mnist"].open(RunConfig(task="mnist"))
    with pytest.raises(DataError, match="is not a folder"):
        opened(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty has no train-images-idx3-ubyte"):
        opened(tmp_path / "empty")
    (folder / NAMES["t10k-labels"]).unlink()
    with pytest.raises(DataError, match="has no t10k-labels-idx1-ubyte"):
        opened(folder)


BAD = {
    "counts": ("train-labels", np.zeros(39), "40 images but .* has 39 labels"),
    "label": ("t10k-labels", np.arange(20), "label 10 at position 10 is not a digit"),
    "size": ("train-images", images(40, 20), "20 × 20 pixels"),
    "swapped": ("train-images", np.zeros(40), "images and labels are swapped"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(name, folder):
    part, array, reason = BAD[name]
    (folder / NAMES[part]).write_bytes(idx(array))
    with pytest.raises(DataError, match=reason):
        opened(folder)


def test_a_digit_that_is_not_there(folder):
    (folder / NAMES["train-labels"]).write_bytes(idx(np.arange(40) % 9))
    with pytest.raises(DataError, match="no image of 9"):
        opened(folder, digits=(9,))


def test_no_images_at_all(folder):
    (folder / NAMES["t10k-labels"]).write_bytes(idx(np.zeros(0)))
    (folder / NAMES["t10k-images"]).write_bytes(idx(np.zeros((0, 28, 28))))
    with pytest.raises(DataError, match=r"no images|no test images"):
        opened(folder)
