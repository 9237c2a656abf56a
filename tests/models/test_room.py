"""A model that memory cannot hold is refused before it is read, with the form that would fit."""

from types import SimpleNamespace

import psutil
import pytest
from gguf import GGMLQuantizationType as Kind

from lora_lab.blocks.frozen import FrozenBlocks
from lora_lab.errors import CheckpointError
from lora_lab.models.gguf_file import check_gguf
from lora_lab.models.hf_folder import open_model
from lora_lab.models.inspect import tensors_of
from lora_lab.models.room import held_bytes
from tests.models.test_gguf_file import write
from tests.models.tiny import save


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    write(folder / "x.gguf", save(folder / "llama", "llama"), Kind.Q4_0)
    return folder


def kept(module):
    packed = {
        id(m.blocks): m.blocks.nbytes for m in module.modules() if isinstance(m, FrozenBlocks)
    }
    return sum(p.nbytes for p in module.parameters()) + sum(packed.values())


HELD = [("llama", "float", False), ("llama", "4", False), ("llama", "8", False),
        ("x.gguf", "auto", True), ("x.gguf", "float", True)]  # fmt: skip


@pytest.mark.parametrize(("name", "bits", "gguf"), HELD)
@pytest.mark.filterwarnings("ignore")
def test_what_is_foretold_is_what_the_open_model_holds(files, name, bits, gguf):
    tensors = check_gguf(files / name) if gguf else tensors_of(files / name)
    module = open_model(files / name, "causal_lm", bits=bits).module
    assert held_bytes(tensors, bits, "float32", gguf) == pytest.approx(kept(module), rel=0.15)


CASES = {
    "in bits it fits": ("llama", "float", 60_000, "fit as 8 bits"),
    "in 4 alone it fits": ("llama", "float", 33_000, "fit as 4 bits"),
    "as it lies it fits": ("x.gguf", "float", 60_000, "they lie in the file"),
    "in nothing it fits": ("llama", "float", 20_000, "Even as 4 bits"),
    "not in the least": ("llama", "4", 20_000, "No form takes less"),
    "not as it lies": ("x.gguf", "auto", 10_000, "Choose a smaller model"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_said_before_a_weight_is_read(files, case, monkeypatch):
    name, bits, room, words = CASES[case]
    memory = SimpleNamespace(total=room, available=room)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    for reads in ("read_weights", "read_packed", "read_gguf", "read_as_it_lies"):
        monkeypatch.delattr(f"lora_lab.models.hf_folder.{reads}")
    with pytest.raises(CheckpointError, match=words):
        open_model(files / name, "causal_lm", bits=bits)
