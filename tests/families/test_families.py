"""Families of transformers, tiny: right by their own library in every cell, or refused in words."""

import pytest

from tests.families.matrix import row
from tests.families.tiny_configs import TABLES, families

PART = [
    ("causal_lm", family)
    for family in ("llama", "gpt2", "qwen3", "gemma3_text", "falcon", "mixtral", "mamba2")
] + [
    ("text_classification", family) for family in ("bert", "roberta", "distilbert", "xlnet", "t5")
] + [
    ("image_classification", family)
    for family in ("vit", "clip", "resnet", "mobilenet_v2", "segformer")
]  # fmt: skip
WHOLE = [(task, family) for task in TABLES for family in families(task)]
WITHOUT = {  # what a family's own library does not offer
    ("image_classification", "mobilenet_v2"): {"PEFT"},
}  # fmt: skip
NUMBERS = ("opens", "trains", "logits", "loss", "PEFT", "merged")

pytestmark = pytest.mark.filterwarnings("ignore")  # of other libraries, of which there are many


@pytest.mark.slow
@pytest.mark.parametrize(("task", "family"), PART)
def test_a_common_family_is_right_in_all_columns(task, family):
    cells = row(family, task)
    without = WITHOUT.get((task, family), set())
    assert {c: cells[c] for c in NUMBERS if c not in without} == dict.fromkeys(
        [c for c in NUMBERS if c not in without], "yes"
    )
    assert all(cells[c].startswith("refused: ") for c in without)


@pytest.mark.families
@pytest.mark.parametrize(("task", "family"), WHOLE)
def test_no_cell_is_wrong_without_a_word(task, family):
    cells = row(family, task)
    if cells["opens"].startswith("not made"):
        pytest.skip(cells["opens"])
    assert not [f"{column}: {cell}" for column, cell in cells.items() if cell.startswith("WRONG")]
