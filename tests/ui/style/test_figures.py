"""Names as lists and small pictures show them."""

import pytest

from lora_lab.ui.style.figures import shortened
from tests.spent import processor_seconds


@pytest.mark.parametrize(("names", "short"), [
    ([], []), (["a"], ["a"]), (["a.b"], ["b"]), (["a.x.b", "a.y.b"], ["x", "y"]),
    (["a.b", "a.b.c"], ["b", "b.c"]), (["a.b", "a.b"], ["b", "b"]), (["a.b", "c.b"], ["a", "c"]),
    (["b.a.c", "b.c"], ["a.c", "c"]),
])  # fmt: skip
def test_what_all_names_share_at_either_end_is_left_out(names, short):
    assert shortened(names) == short


@pytest.mark.parametrize("names", [
    ["." * 100_000, "." * 100_000 + "a"], [f"{'a.' * 20_000}{n}" for n in range(40)],
    [f"model.layers.{n}.q" for n in range(100_000)],
])  # fmt: skip
def test_long_names_and_many_are_shortened_in_no_time(names):
    before = processor_seconds()
    shortened(names)
    assert processor_seconds() - before < 1.0
