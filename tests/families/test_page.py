"""The handbook's page of what opens is what the whole matrix gave, and no cell of it is wrong."""

import pytest

from tests.families.page import KINDS, TITLES, kept, kind_of, page, page_file

ROWS = kept()
MADE = [(task, kind_of(cells)) for _, task, cells in ROWS if not cells["opens"].startswith("not")]


def test_the_page_is_made_of_the_kept_rows():
    assert page_file().read_text("utf-8") == page(ROWS)


def test_no_cell_is_wrong():
    assert {kind for _, kind in MADE} <= set(KINDS)
    assert len(MADE) >= 300


@pytest.mark.parametrize("task", TITLES)
def test_nearly_all_families_are_right_or_lack_what_peft_cannot_hold(task):
    kinds = [kind for of, kind in MADE if of == task]
    right, without = kinds.count("right"), kinds.count("PEFT")
    assert right + without >= 0.95 * len(kinds)
    assert right >= (0.85 if task == "image_classification" else 0.95) * len(kinds)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [({}, "right"), ({"PEFT": "refused: x"}, "PEFT"), ({"merged": "refused: x"}, "merged"),
     ({"loss": "refused: x"}, "refused"), ({"opens": "refused: x", "trains": "–"}, "refused"),
     ({"PEFT": "WRONG: x"}, "wrong"), ({"kohya": "WRONG: x"}, "wrong"),
     ({"causal": "–", "GGUF": "refused: x"}, "right")],
)  # fmt: skip
def test_what_became_of_a_family_is_read_of_its_cells(cells, kind):
    columns = ("opens", "trains", "logits", "causal", "loss", "PEFT", "merged", "kohya", "GGUF")
    assert kind_of(dict.fromkeys(columns, "yes") | cells) == kind
