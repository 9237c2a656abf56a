"""Every preset is whole, opens its task, and is found by its name."""

import json
import subprocess
import sys

import pytest

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.errors import ConfigError
from lora_lab.presets import Preset, get_preset, list_presets
from lora_lab.tasks import TASKS


def test_all_files_are_listed_in_their_order():
    names = [preset.name for preset in list_presets()]
    assert names[:3] == ["digits", "known-rank", "mnist-tutorial"]
    assert sorted(names) == sorted(path.stem for path in paths.presets().glob("*.json"))


@pytest.mark.parametrize("preset", list_presets(), ids=lambda preset: preset.name)
def test_a_preset_is_whole(preset):
    assert isinstance(preset, Preset)
    assert preset.title
    assert preset.summary.endswith(".")
    assert preset.config.preset == preset.name
    assert preset.config.task in TASKS
    assert get_preset(preset.name) == preset
    assert changed(preset.config) == preset.config, "it survives JSON and checks"


@pytest.mark.parametrize("preset", list_presets(), ids=lambda preset: preset.name)
def test_a_preset_that_needs_nothing_opens(preset):
    if preset.needs_data:
        with pytest.raises(ConfigError):
            TASKS[preset.config.task].open(preset.config)
    else:
        task = TASKS[preset.config.task].open(preset.config)
        assert task.base_model()


def test_the_known_rank_opens_below_the_true_rank():
    assert get_preset("known-rank").config.hyper.rank == 2


def test_the_tutorial_is_the_tutorial():
    config = get_preset("mnist-tutorial").config
    assert (config.hyper.rank, config.hyper.alpha, config.init) == (1, 1.0, "normal")
    assert (config.digits, config.batch_size, config.max_steps) == ((9,), 10, 100)
    assert config.hyper.learning_rate == 1e-3
    assert config.pretraining is not None
    assert (config.pretraining.max_steps, config.pretraining.batch_size) == (6000, 10)


@pytest.mark.parametrize("name", ["known_rank", "Known rank", "knownrank", "known-ranks"])
def test_an_unknown_name_is_answered_with_the_nearest(name):
    with pytest.raises(ConfigError, match=r"Did you mean known-rank\? There are: digits, known-"):
        get_preset(name)


def test_a_name_that_is_near_to_nothing():
    with pytest.raises(ConfigError, match=r"no preset 'qqqqqq'\. There are: digits"):
        get_preset("qqqqqq")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (json.dumps({"title": "x"}), "cannot be read"),
        (
            json.dumps(
                {"title": "", "summary": "", "order": 1, "config": {"task": "digits", "rnk": 1}}
            ),
            "preset bad.json: rnk is not a setting",
        ),
    ],
)
def test_a_damaged_file_is_named(text, reason, tmp_path, monkeypatch):
    (tmp_path / "bad.json").write_text(text)
    monkeypatch.setattr(paths, "presets", lambda: tmp_path)
    with pytest.raises(ConfigError, match=reason):
        list_presets()


def test_listing_needs_no_torch():
    code = "import sys, lora_lab.presets as p; p.list_presets(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
