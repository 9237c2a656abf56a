"""How a base is held is chosen where it is opened, and only what the model at hand can have."""

import pytest

from lora_lab.choices import BASE_BITS, BITS
from lora_lab.ui.open.bits import BitsCombo


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
