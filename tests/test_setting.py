"""A setting is declared once: one more field is met in the window and as a flag.

The field is put into the source of its room, in a process of its own, and nowhere else.
"""

import json
import subprocess
import sys
from typing import Literal, get_args, get_origin

import pytest
from pydantic import ValidationError

from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.setting import limits_of, setting_of, settings_of

LIVE = """
    smoothing: float = declared(0.0, Knob("Smoothing", "Share of the target that is spread.",
        short="smooth", minimum=0.0, maximum=0.4, scale="linear", page="rank"), ge=0, lt=1)

    @field_validator("layer_ranks")"""
FIXED = """
    warm_restarts: int = declared(2, Setting("Restarts", "Restarts of the schedule.",
        short="restarts", place="more", group="Training"), ge=1, le=50)
    hyper: Hyperparameters = Hyperparameters()"""
LOOK = """
import json, sys, types
import lora_lab
from pathlib import Path

for room, new in zip(("hyperparameters", "config"), json.loads(sys.argv[1])):
    path = Path(lora_lab.__file__).with_name(f"{room}.py")
    text, place = path.read_text("utf-8"), new.splitlines()[-1]
    assert text.count(place) == 1, place
    module = types.ModuleType(f"lora_lab.{room}")
    sys.modules[module.__name__] = module
    setattr(lora_lab, room, module)
    exec(compile(text.replace(place, new), str(path), "exec"), module.__dict__)

from PySide6.QtWidgets import QApplication
from typer.testing import CliRunner

app = QApplication([])
from lora_lab.cli import app as verbs
from lora_lab.cli.train import base_config
from lora_lab.presets import list_presets
from lora_lab.opening_records import LoadedRecord
from lora_lab.ui.panels import edit_marks
from lora_lab.ui.shell.undo import Edit
from lora_lab.ui.style import theme
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from lora_lab.ui.train.setup import SetupDock
from lora_lab.ui.widgets.plot import Plot

seen = {}
hyper, setup = HyperparametersDock(), SetupDock(list_presets())
slider = hyper.sliders["smoothing"]
seen["slider"] = [slider.edit.minimum(), slider.edit.maximum(), slider.toolTip()]
hyper.standing.asked.connect(lambda _, value: seen.update(requested=value.smoothing))
hyper.setEnabled(True)
slider.edit.setValue(0.25)
setup.show_config(list_presets()[0].config)
box = setup.fixed.controls["warm_restarts"]
seen["box"] = [box.minimum(), box.maximum(), box.toolTip(), box.accessibleName(), box.value()]
box.setValue(7)
seen["more"] = setup.fixed.more_button.text()
seen["restart"] = setup.requested_config(list_presets()[0].config).warm_restarts
seen["undo"] = [
    Edit(True, {"smoothing": 0.0}, {"smoothing": 0.25}).words(),
    Edit(False, {"warm_restarts": 2}, {"warm_restarts": 7}).words(),
]
plot = Plot("loss")
plot.resize(600, 300)
marks = edit_marks.EditMarks(plot)
marks.note(5, (("smoothing", 0.0, 0.25),))
marks.draw(0, 10)
seen["mark"] = marks.words()
seen["help"] = CliRunner().invoke(verbs, ["train", "--help"], env={"COLUMNS": "200"}).stdout
arguments = ["train", "--preset", "known-rank", "--smoothing", "1", "--warm-restarts", "3"]
seen["error"] = CliRunner().invoke(verbs, arguments).stderr
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen():
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps([LIVE, FIXED])], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_live_one_has_slider_limits_tooltip_undo_mark_and_flag(seen):
    assert seen["slider"] == [0.0, 1 - 1e-12, "Share of the target that is spread."]
    assert seen["requested"] == 0.25
    assert seen["undo"][0] == "smoothing 0→0.25"
    assert seen["mark"] == ["smooth 0→0.25"]
    assert "--smoothing" in seen["help"]
    assert "Share of the target that is spread." in seen["help"]
    assert "smoothing should be less than 1" in seen["error"]


def test_a_fixed_one_has_a_row_limits_tooltip_undo_and_flag(seen):
    assert seen["box"] == [1, 50, "Restarts of the schedule.", "Restarts", 2]
    assert seen["more"].endswith("restarts 7")
    assert seen["restart"] == 7
    assert seen["undo"][1] == "warm restarts 2→7"
    assert "--warm-restarts" in seen["help"]


@pytest.mark.parametrize("kind", [Hyperparameters, RunConfig])
def test_flags_and_labels_tell_settings_apart(kind):
    shown = [s for s in settings_of(kind).values() if s.group or s.place]
    flags = [flag for setting in shown if setting.group for flag in setting.flags]
    assert len(flags) == len(set(flags))
    keys = [s.label[s.label.index("&") + 1].lower() for s in shown if "&" in s.label]
    assert len(keys) == len(set(keys))
    assert all(setting.help.endswith(".") for setting in shown)


@pytest.mark.parametrize("kind", [Hyperparameters, RunConfig])
def test_the_choices_of_a_field_are_those_of_its_type(kind):
    for field, info in kind.model_fields.items():
        if get_origin(info.annotation) is Literal and field != "schema_version":
            offered = setting_of(kind, field).choices
            assert tuple(offered) == get_args(info.annotation), field
            assert all(choice.title and choice.about for choice in offered.values())


def test_limits_lie_inside_of_an_excluded_end():
    assert limits_of(RunConfig, "momentum", 1e-4) == (0, 1 - 1e-4)
    assert limits_of(RunConfig, "b_rate_ratio", 1e-4) == (1e-4, 10_000)
    assert limits_of(RunConfig, "batch_size", 1) == (1, 1_000_000)


def test_a_field_without_a_declaration_is_called_by_its_name():
    assert setting_of(RunConfig, "betas").help == "Adam's two decay rates."
    assert setting_of(RunConfig, "an_older_field").name == "an older field"


@pytest.mark.parametrize("field", ["layer_ranks", "frozen_layers"])
def test_of_a_list_only_the_first_fault_is_told(field):
    """100,000 of them take 200 MB."""
    with pytest.raises(ValidationError) as error:
        Hyperparameters(**{field: [[]] * 100_000})
    assert error.value.error_count() <= 2  # of one item: a name and a rank are missing
