"""Snapshots: which steps, what they hold, and what of a damaged one is said."""

import pytest
import torch
from safetensors.torch import save_file

from lora_lab.adapters.weights import LayerWeights
from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.formats import FORMATS
from lora_lab.presets import get_preset
from lora_lab.runs.snapshots import FOLDER, kept_steps, read_snapshot, steps_of, write_snapshot
from lora_lab.studies.base import StudyBase
from lora_lab.training.controls import Controls
from lora_lab.training.run import run
from tests.training.opened import opening


@pytest.mark.parametrize(
    ("count", "last", "steps"),
    [
        (1, 100, (0, 100)),
        (3, 100, (0, 25, 50, 100)),
        (4, 1000, (0, 125, 250, 500, 1000)),
        (10, 5, (0, 1, 2, 3, 5)),
        (1, 1, (0, 1)),
    ],
)
def test_steps_double_up_to_the_last(count, last, steps):
    assert steps_of(count, last) == steps


def test_what_is_written_is_read(tmp_path):
    one = LayerWeights("a.b", torch.randn(2, 5), torch.randn(3, 2), alpha=8.0, scaling=4.0)
    write_snapshot(tmp_path, 7, [one])
    assert kept_steps(tmp_path) == (7,)
    (found,) = read_snapshot(tmp_path, 7, MOST).values()
    assert torch.equal(found.lora_A, one.lora_A)
    assert torch.equal(found.lora_B, one.lora_B)
    assert (found.name, found.scaling, found.alpha) == ("a.b", 4.0, 8.0)


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"\x02" + b"\0" * 7 + b"{}"])
def test_a_damaged_one_is_refused_by_name(tmp_path, data):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "step-000000007.safetensors").write_bytes(data)
    with pytest.raises(LabError, match="step-000000007"):
        read_snapshot(tmp_path, 7, MOST)


def test_a_folder_that_is_a_link_is_neither_written_to_nor_read(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "step-000000007.safetensors").touch()
    (tmp_path / "run" / FOLDER).symlink_to(tmp_path / "elsewhere")
    layer = LayerWeights("a", torch.ones(2, 5), torch.ones(3, 2), alpha=8.0, scaling=4.0)
    with pytest.raises(OSError, match="link"):
        write_snapshot(tmp_path / "run", 8, [layer])
    assert kept_steps(tmp_path / "run") == ()
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


MOST = 10**5  # numbers: more than digits has
PAIR = {"fc1|A": torch.ones(2, 3), "fc1|B": torch.ones(4, 2)}


@pytest.mark.parametrize(
    "tensors",
    [
        PAIR | {"fc1|A": torch.full((2, 3), torch.nan)},
        PAIR | {"fc1|A": torch.ones(2, 3, dtype=torch.int32)},
        PAIR | {"fc1|B": torch.ones(4, 2).to(torch.float8_e4m3fn)},
        {"fc1|A": torch.ones(0, 3), "fc1|B": torch.ones(4, 0)},
    ],
    ids=["nan", "whole numbers", "8 bits", "empty"],
)
def test_what_are_no_factors_is_refused_by_name(tmp_path, tensors):
    (tmp_path / FOLDER).mkdir()
    path = tmp_path / FOLDER / "step-000000007.safetensors"
    save_file(tensors, path, {"scaling": '{"fc1": 1.0}'})
    with pytest.raises(LabError, match="'fc1' is no pair of factors"):
        read_snapshot(tmp_path, 7, MOST)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps with all of its snapshots, and its config."""
    folder = tmp_path_factory.mktemp("snapshots") / "run"
    preset = get_preset("digits").config
    hyper = changed(preset.hyper, learning_rate=1e-2)
    config = changed(preset, max_steps=2, snapshots=3, seed=5, eval_steps=2,
                     hyper=hyper.model_dump())  # fmt: skip
    for _ in run(opening(config, folder=folder), Controls(config.hyper)):
        pass
    return folder, config


def test_a_run_keeps_its_start_and_its_end(trained):
    folder, _ = trained
    assert kept_steps(folder) == (0, 1, 2)
    first, second, last = (read_snapshot(folder, step, MOST) for step in (0, 1, 2))
    for name in first:
        assert not first[name].lora_B.any()
        # B = 0, so A has no gradient at step 1 and is what it was.
        assert torch.equal(first[name].lora_A, second[name].lora_A)
        assert second[name].lora_B.any()
        assert not torch.equal(second[name].lora_A, last[name].lora_A)
    for layer in FORMATS["peft"].load(folder / "adapter").layers:
        assert torch.equal(last[layer.name].lora_A, layer.lora_A)
        assert torch.equal(last[layer.name].lora_B, layer.lora_B)


def test_a_start_drawn_again_from_the_seed_is_the_one_that_was_kept(trained):
    """Bit for bit: so older runs without snapshots have an A₀ as well."""
    folder, config = trained
    kept, drawn = read_snapshot(folder, 0, MOST), StudyBase(config, 2).start_of(config)
    assert kept.keys() == drawn.keys()
    for name, layer in kept.items():
        assert torch.equal(layer.lora_A, drawn[name].lora_A)
        assert torch.equal(layer.lora_B, drawn[name].lora_B)


def test_one_larger_than_its_model_can_have_is_refused_before_it_is_read(tmp_path):
    """Gigabytes of holes take no room on a disk, and would in memory."""
    (tmp_path / FOLDER).mkdir()
    path = tmp_path / FOLDER / "step-000000007.safetensors"
    save_file(PAIR, path, {"scaling": '{"fc1": 1.0}'})
    with path.open("rb+") as file:
        file.truncate(2**26)
    with pytest.raises(LabError, match="too long for what it should hold"):
        read_snapshot(tmp_path, 7, MOST)
