"""How a base is held is chosen where it is opened, and only what the model at hand can have."""

import pytest

from lora_lab.choices import BASE_BITS, BITS
from lora_lab.models.inspect import ModelCard, TensorInfo
from lora_lab.ui.open.bits import BitsCombo
from lora_lab.ui.open.reader import ModelReader


@pytest.fixture
def combo(qtbot):
    made = BitsCombo()
    qtbot.addWidget(made)
    return made


def able(combo):
    return [combo.itemData(i) for i in range(combo.count()) if combo.model().item(i).isEnabled()]


def test_a_file_that_is_packed_is_not_packed_anew(combo):
    assert able(combo) == list(BASE_BITS)
    combo.choose("4")
    assert combo.packs
    combo.offer("GGUF")
    assert able(combo) == [name for name in BASE_BITS if name not in BITS]
    assert combo.bits == "auto"
    combo.offer("Hugging Face folder")
    assert able(combo) == list(BASE_BITS)


@pytest.mark.parametrize(
    ("bits", "held"), [("4", "4 bits"), ("8", "8 bits"), ("float", "bfloat16")]
)
def test_what_the_weights_take_is_told_by_how_they_are_held(bits, held):
    reader = ModelReader(None)
    tensor = TensorInfo("a.weight", (64, 64), "float32", 4 * 64 * 64)
    reader.card = ModelCard("x", "Hugging Face folder", (tensor,), ())
    words, _ = reader.memory_words("bfloat16", bits)
    assert f" as {held};" in words
    reader.finish()
