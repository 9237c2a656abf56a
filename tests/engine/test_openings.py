"""The folder of a run in a process of its own: made beforehand, and named as any run's is."""

import re

import pytest

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.engine.openings import with_folder
from lora_lab.presets import get_preset
from lora_lab.runs.queue import new_folder, new_item
from lora_lab.training.opening import New, Resume

DIGITS = get_preset("digits").config


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "digits"),
        ({"preset": "", "model": "/models/smol lm2.safetensors"}, "smol-lm2"),
        ({"preset": "", "model": "someone/small-lm"}, "small-lm"),
        ({"preset": "", "model": "/models/☃"}, "run"),
        ({"preset": ""}, "run"),
    ],
)
def test_its_name_is_that_of_what_is_trained(settings, name):
    config = DIGITS.model_copy(update=settings)
    item = new_item(config)
    for path, end in ((with_folder(New(config)).folder, ""), (new_folder(item), f"-{item.id[:8]}")):
        assert path.parent == paths.runs()
        assert re.fullmatch(rf"\d{{8}}-\d{{6}}-{name}{end}", path.name)


def test_two_of_one_second_have_two_and_what_has_one_keeps_it(tmp_path):
    first, second = with_folder(New(DIGITS)), with_folder(New(DIGITS))
    assert first.folder != second.folder
    for known in (first, New(changed(DIGITS, seed=1), tmp_path), Resume(tmp_path, DIGITS)):
        assert with_folder(known) is known
