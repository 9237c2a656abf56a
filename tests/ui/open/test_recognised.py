"""Every kind of thing that may be dropped is told from the others by what is in it."""

import json
import zipfile

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from lora_lab.runs import archive
from lora_lab.runs.archive import pack
from lora_lab.ui.open.recognised import recognise

TENSORS = {"fc.weight": torch.zeros(2, 2)}
FACTORS = {"layer.lora_A.weight": torch.zeros(1, 2), "layer.lora_B.weight": torch.zeros(2, 1)}


def run(place):
    place.mkdir()
    (place / "config.json").write_text("{}")
    (place / "metrics.jsonl").write_text("")
    (place / "adapter").mkdir()  # every run has one: it is a run all the same


def folder(name, text="{}"):
    def make(place):
        place.mkdir()
        (place / name).write_text(text)

    return make


def images(place):
    (place / "train" / "cats").mkdir(parents=True)
    Image.new("L", (2, 2)).save(place / "train" / "cats" / "1.PNG")


def idx(place):
    place.mkdir()
    (place / "train-images-idx3-ubyte.gz").write_bytes(b"")


def run_zip(place):
    run(place.parent / "some-run")
    pack(place.parent / "some-run", place)


def other_zip(place):
    with zipfile.ZipFile(place, "w") as file:
        file.writestr("a/b/config.json", "{}")


CASES = [
    ("run", "r", run),
    ("adapter", "peft", folder("adapter_config.json")),
    ("model", "hf", folder("config.json", json.dumps({"model_type": "llama"}))),
    ("images", "pictures", images),
    ("images", "mnist", idx),
    ("", "empty", lambda place: place.mkdir()),
    ("rows", "a.jsonl", lambda place: place.write_text("{}")),
    ("rows", "A.CSV", lambda place: place.write_text("a,b")),
    ("run zip", "r.zip", run_zip),
    ("", "o.zip", other_zip),
    ("", "torn.zip", lambda place: place.write_bytes(b"PK\x03\x04")),
    ("model", "net.safetensors", lambda place: save_file(TENSORS, place)),
    ("adapter", "lora.safetensors", lambda place: save_file(FACTORS, place)),
    ("model", "net.pt", lambda place: torch.save(TENSORS, place)),
    ("adapter", "lora.bin", lambda place: torch.save(FACTORS, place)),
    ("model", "damaged.pt", lambda place: place.write_bytes(b"no")),  # said when it is opened
    ("", "song.mp3", lambda place: place.write_bytes(b"ID3")),
    ("", "missing.csv", lambda place: None),
]


@pytest.mark.parametrize(("kind", "name", "make"), CASES, ids=[c[1] for c in CASES])
def test_it_is_told_what_lies_there(tmp_path, kind, name, make):
    make(tmp_path / name)
    found = recognise(str(tmp_path / name))
    assert (found.kind, found.path) == (kind, str(tmp_path / name))


def test_a_zip_of_too_many_files_is_told_without_a_list_of_them(tmp_path, monkeypatch):
    run_zip(tmp_path / "r.zip")
    monkeypatch.setattr(archive, "DIRECTORY", 20)
    monkeypatch.setattr(zipfile, "ZipInfo", lambda *_: pytest.fail("an entry was read"))
    assert recognise(str(tmp_path / "r.zip")).kind == ""


def test_a_damaged_zip_is_nothing_that_the_lab_opens(tmp_path):
    """zipfile raises what it likes for a list that is damaged."""
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as made:
        made.writestr("é/config.json", "{}")
    whole = (tmp_path / "run.zip").read_bytes()
    at = whole.index(b"PK\x01\x02")
    for place in range(at, len(whole)):
        for value in (0x00, 0xFF):
            (tmp_path / "run.zip").write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            assert recognise(str(tmp_path / "run.zip")).kind in ("", "run zip")
