"""What nobody foresaw in a stranger's file is one `LabError` that names the file."""

from importlib import import_module

import pytest

from lora_lab.door import door, reading
from lora_lab.errors import CheckpointError, DataError, LabError


def failing(path, error):
    raise error


def giving(path, error):
    yield 1
    raise error


WORDS = [
    (IndexError("list index out of range"), r"x\.pt: cannot be read.*IndexError: list index"),
    (
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        "does not fit into memory .*can't allocate.*smaller one",
    ),
    (RecursionError("maximum recursion depth"), "RecursionError"),
    (ZeroDivisionError(), "ZeroDivisionError: no more is said"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "invalid start byte"),
    (MemoryError(), r"x\.pt: does not fit into memory"),
    (PermissionError(13, "Permission denied"), r"cannot be read \(permission denied\)"),
    (KeyError("\x1b[2J" + "a" * 10**6), "KeyError: '.x1b"),
]


@pytest.mark.parametrize(("error", "words"), WORDS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("read", [failing, giving], ids=["function", "generator"])
def test_what_a_reader_stumbles_over_names_the_file(tmp_path, read, error, words):
    with pytest.raises(CheckpointError, match=words) as caught:
        list(door(CheckpointError)(read)(tmp_path / "x.pt", error))
    assert len(str(caught.value)) < 500
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [DataError("row 7 is empty"), KeyboardInterrupt(), SystemExit(3)])
def test_what_has_its_own_words_passes(tmp_path, error):
    with pytest.raises(type(error)) as caught:
        door(CheckpointError)(failing)(tmp_path / "x.pt", error)
    assert caught.value is error


def test_of_two_files_both_are_named(tmp_path):
    def compared(one, other, rank):
        raise IndexError

    with pytest.raises(LabError, match=r"^a\.pt and b\.pt: cannot be read"):
        door(LabError)(compared)(str(tmp_path / "a.pt"), tmp_path / "b.pt", 3)


def test_a_generator_gives_what_it_gave(tmp_path):
    read = door(CheckpointError)(giving)(path=tmp_path / "x.pt", error=ValueError("late"))
    assert next(read) == 1
    with pytest.raises(CheckpointError, match="late"):
        next(read)


DOORS = {
    "data.rows": ["read_table"], "data.matrix": ["read_matrix"], "data.idx": ["read_images"],
    "data.images": ["read_image_folder", "read_image"], "models.checkpoint": ["read_state"],
    "models.inspect": ["describe", "read_tensor"], "models.hf_folder": ["open_model"],
    "models.tokenizer_file": ["open_tokenizer"], "models.processor": ["open_processor"],
    "models.image_rules": ["open_image_rules"], "formats.recognise": ["open_adapter"],
    "formats.base_layers": ["base_layers", "weight_of"], "training.theta_file": ["read"],
    "tasks.net_of_file": ["open_net"], "workshop.extract": ["extract"],
    "workshop.files": ["opened", "card_of", "compare_files"], "runs.archive": ["unpack"],
    "runs.listing": ["summary_of"], "runs.past": ["past_records"], "runs.recipe": ["written"],
    "runs.metrics": ["read_metrics", "read_sound"], "runs.checkpoints": ["latest"],
    "runs.snapshots": ["read_snapshot"],
}  # fmt: skip


@pytest.mark.parametrize("room", DOORS)
def test_each_reader_has_the_door(room):
    module = import_module(f"lora_lab.{room}")
    assert all(hasattr(getattr(module, name), "__wrapped__") for name in DOORS[room])


def test_a_fault_of_the_lab_alone_stays_what_it_is():
    with pytest.raises(ValueError, match="ours"), reading("", LabError):
        raise ValueError("ours")
