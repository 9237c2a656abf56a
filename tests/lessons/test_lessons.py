"""Each lesson: its file is whole, and its run gives the answer that the theory has."""

import math

import pytest

from lora_lab import paths
from lora_lab.errors import Cancelled
from lora_lab.lessons import LESSONS
from lora_lab.lessons.lesson import Answer, Sample, lessons, read
from lora_lab.progress import silent

RIGHT = {
    "rank-and-tail": (1, "0.0260"), "why-b-is-zero": (1, "‖B‖ = 0"), "both-zero": (2, "‖ΔW‖ is 0"),
    "scale": (1, "2.00 times"), "alpha-as-a-rate": (1, "times as far"),
    "forgetting": (2, "of the other digits"), "merge-in-bf16": (2, "in bfloat16"),
    "choosing-a-rank": (1, "Rank 4 keeps"), "intruders": (1, "1 of the 10"),
    "three-optimizers": (2, "Muon 12"),
    "intrinsic-dimension": (0, "of what 17,226 weights reach"),
}  # fmt: skip
QUICK = {"why-b-is-zero", "both-zero", "scale", "alpha-as-a-rate"}


def test_every_lesson_has_a_file_and_every_file_a_row():
    files = {path.stem for path in (paths.resources() / "lessons").glob("*.md")}
    assert files == set(LESSONS) == set(RIGHT)


def test_every_lesson_asks_one_question_with_choices_and_says_why():
    for lesson in lessons():
        assert lesson.title, lesson.name
        assert lesson.question.endswith("?"), lesson.name
        assert 2 <= len(lesson.choices) <= 3, lesson.name
        assert all(choice.endswith(".") or choice.isdigit() for choice in lesson.choices)
        assert len(lesson.why) > 100, lesson.name


def answered(name):
    items = list(read(name).run(silent))
    assert all(isinstance(item, Sample) for item in items[:-1])
    assert isinstance(items[-1], Answer)
    assert len(items) > 5
    assert all(math.isfinite(item.y) for item in items[:-1])
    return items[-1]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in LESSONS]
)
def test_the_run_answers_as_the_theory_has_it(name):
    choice, words = RIGHT[name]
    found = answered(name)
    assert (found.choice, words in found.sentence) == (choice, True), found.sentence


def test_a_run_ends_where_it_is_no_longer_wanted():
    def unwanted(what, share):
        raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        list(read("scale").run(unwanted))
