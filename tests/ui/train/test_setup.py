"""The setup dock: what can be chosen and why not, what is behind More, what a restart takes."""

from dataclasses import replace
from typing import get_args

import pytest
from PySide6.QtCore import Qt

from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError
from lora_lab.inits import INITS
from lora_lab.opening_records import TargetInfo
from lora_lab.records import State
from lora_lab.setting import setting_of
from lora_lab.ui.train.setup import SetupDock
from lora_lab.ui.widgets.controls import LARGEST, Number, Whole
from lora_lab.variants import VARIANTS
from tests.ui.seen import named, settle

FIELDS = RunConfig.model_fields
TIP = Qt.ItemDataRole.ToolTipRole


@pytest.fixture
def config(presets):
    return presets[0].config


@pytest.fixture
def dock(qtbot, presets, config, fake_session):
    made = SetupDock(presets)
    qtbot.addWidget(made)
    made.resize(330, 600)
    made.show()
    made.show_config(config)
    made.reset(fake_session(config).loaded())
    return made


def choose(combo, name):
    row = combo.findData(name)
    assert combo.model().item(row).isEnabled()
    combo.setCurrentIndex(row)


@pytest.mark.parametrize("field", ["variant", "init", "optimizer", "schedule", "batching", "dtype"])
def test_what_the_engine_knows_is_offered_with_a_line_on_each(field):
    offered = setting_of(RunConfig, field).choices
    known = {"variant": VARIANTS, "init": INITS}.get(field) or get_args(FIELDS[field].annotation)
    assert list(offered) == list(known)
    for choice in offered.values():
        assert choice.about
        assert "\n" not in choice.about
        assert field != "init" or "=" in choice.about  # a formula


@pytest.mark.parametrize(
    ("field", "value"),
    [("variant", "dora"), ("init", "olora"), ("optimizer", "sgd"), ("schedule", "cosine")],
)
def test_a_choice_applies_on_restart(dock, config, field, value):
    assert not dock.restart_button.isVisible()
    choose(dock.fixed.controls[field], value)
    assert dock.restart_button.isVisible()
    assert dock.requested_config(config) == changed(config, **{field: value})
    dock.show_config(dock.requested_config(config))
    assert not dock.restart_button.isVisible()


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_steps", 500), ("batch_size", 8), ("seed", 7), ("warmup_steps", 100),
     ("b_rate_ratio", 16.0), ("momentum", 0.9)],
)  # fmt: skip
def test_a_number_applies_on_restart(dock, config, field, value):
    dock.fixed.controls[field].setValue(value)
    assert dock.restart_button.isVisible()
    assert dock.requested_config(config) == changed(config, **{field: value})


def test_the_ends_of_a_box_are_those_of_the_field(dock, config):
    for field, control in dock.fixed.controls.items():
        if not isinstance(control, Number | Whole):
            continue
        for value in (control.minimum(), control.maximum()):
            assert getattr(changed(config, **{field: value}), field) == value
        below = control.minimum() - (1 if isinstance(control, Whole) else 1e-4)
        with pytest.raises(ConfigError, match=field):
            changed(config, **{field: below})


def test_what_no_box_can_hold_stays_until_it_is_moved(dock, config):
    odd = changed(config, seed=2**40, b_rate_ratio=1e-3, momentum=0.99999)
    dock.show_config(odd)
    assert not dock.edited
    assert dock.requested_config(odd) == odd
    assert dock.fixed.controls["seed"].value() == LARGEST
    dock.fixed.controls["seed"].setValue(5)
    assert dock.requested_config(odd) == changed(odd, seed=5)


def test_full_fine_tuning_has_no_init_and_no_ratio_and_says_why(dock):
    fixed = dock.fixed
    assert fixed.controls["init"].isEnabled()
    choose(fixed.controls["variant"], "full")
    for widget in (fixed.controls["init"], fixed.controls["b_rate_ratio"]):
        assert not widget.isEnabled()
        assert widget.toolTip().startswith("Full fine-tuning has no")
    choose(fixed.controls["variant"], "rslora")
    assert fixed.controls["init"].isEnabled()
    assert fixed.controls["b_rate_ratio"].isEnabled()
    assert "LoRA+" in fixed.controls["b_rate_ratio"].toolTip()
    assert "√r" in fixed.controls["variant"].toolTip()


def test_a_projection_is_for_numbers_that_all_layers_share(dock, config):
    box = dock.fixed.controls["projection"]
    assert not box.isEnabled()
    assert box.toolTip() == "LoRA moves its weights by no projection."
    choose(dock.fixed.controls["variant"], "subspace")
    assert box.isEnabled()
    choose(box, "fastfood")
    choose(dock.fixed.controls["structure"], "said")
    choose(dock.fixed.controls["space"], "weights")
    wanted = dock.requested_config(config)
    assert (wanted.projection, wanted.structure, wanted.space) == ("fastfood", "said", "weights")
    choose(dock.fixed.controls["variant"], "uni-lora")
    assert box.isEnabled()
    assert not dock.fixed.controls["space"].isEnabled()


def test_momentum_is_for_sgd_alone(dock):
    box = dock.fixed.controls["momentum"]
    assert not box.isEnabled()
    assert "SGD" in box.toolTip()
    choose(dock.fixed.controls["optimizer"], "muon")
    assert not box.isEnabled()
    assert "0.95" in box.toolTip()
    choose(dock.fixed.controls["optimizer"], "sgd")
    assert box.isEnabled()


def test_a_budget_of_tokens_stands_in_place_of_the_number_of_examples(dock, config):
    dock.show_config(changed(config, accumulation=4))
    box, tokens = dock.fixed.controls["batch_size"], dock.fixed.controls["batch_tokens"]
    assert box.isEnabled()
    parts = dock.fixed.controls["accumulation"]
    assert parts.value() == 4
    tokens.setValue(512)
    assert not box.isEnabled()
    assert "tokens" in box.toolTip()
    assert parts.value() == 1
    tokens.setValue(0)
    assert box.isEnabled()
    assert parts.value() == 4
    parts.setValue(2)
    tokens.setValue(512)
    assert parts.value() == 2, "a person has said it"


def test_eva_is_not_offered_for_an_embedding(dock):
    fixed = dock.fixed
    row = fixed.controls["init"].findData("eva")
    assert fixed.controls["init"].model().item(row).isEnabled()
    fixed.targets.choose()
    fixed.targets.dialog.model.tick(["table"])
    fixed.targets.dialog.accept()
    assert not fixed.controls["init"].model().item(row).isEnabled()
    assert "embedding" in fixed.controls["init"].itemData(row, TIP)


def test_less_used_settings_stand_behind_more_and_are_told_beside_it(dock, config):
    fixed = dock.fixed
    less_used = ("optimizer", "b_rate_ratio", "schedule", "warmup_steps", "momentum", "seed")
    hidden = [fixed.controls[field] for field in less_used]
    assert not any(widget.isVisible() for widget in hidden)
    assert fixed.more_button.text() == "More"
    dock.show_config(changed(config, schedule="cosine", b_rate_ratio=16, seed=7))
    assert fixed.more_button.text() == "More  λ 16 · cosine · seed 7"
    fixed.more_button.click()
    assert all(widget.isVisible() for widget in hidden)
    assert fixed.more_button.text() == "More"


def test_the_fields_do_not_move_when_more_is_opened(qtbot, dock):
    fixed = dock.fixed
    at = fixed.controls["max_steps"].x()
    fixed.more_button.click()
    settle()
    assert fixed.controls["seed"].isVisible()
    assert fixed.controls["max_steps"].x() == at


def test_the_restart_button_stays_in_sight_while_the_settings_scroll(qtbot, dock):
    dock.resize(330, 220)
    dock.fixed.more_button.click()
    dock.fixed.controls["seed"].setValue(3)
    settle()
    column = dock.widget()
    assert column.verticalScrollBar().maximum() > 0
    button = dock.restart_button
    assert button.isVisible()
    assert column.rect().contains(button.geometry())
    assert not button.geometry().intersects(column.viewport().geometry())


def test_targets_are_told_and_chosen(dock, config):
    fixed = dock.fixed
    assert fixed.targets.text() == "all linear · 3 layers"
    fixed.targets.click()
    fixed.targets.dialog.none_button.click()
    fixed.targets.dialog.model.tick(["fc2"])
    fixed.targets.dialog.ok_button.click()
    assert fixed.targets.dialog is None
    assert fixed.targets.text() == "fc2"
    assert dock.requested_config(config).targets == ("fc2",)
    fixed.targets.click()
    assert fixed.targets.dialog.model.ticked == {"fc2"}
    fixed.targets.dialog.linear_button.click()
    fixed.targets.dialog.ok_button.click()
    assert not dock.edited


def test_targets_can_be_cancelled_and_wait_for_a_model(qtbot, presets, config, dock, fake_session):
    dock.fixed.targets.click()
    dock.fixed.targets.dialog.none_button.click()
    dock.fixed.targets.dialog.reject()
    assert not dock.edited
    empty = SetupDock(presets)
    qtbot.addWidget(empty)
    empty.show_config(config)
    assert not empty.fixed.targets.isEnabled()
    assert empty.fixed.targets.toolTip()
    assert empty.fixed.targets.text() == "all linear"


def test_a_model_that_comes_puts_the_open_list_of_the_old_one_away(dock, config, fake_session):
    dock.fixed.targets.click()
    other = replace(fake_session(config).loaded(), adaptable=(TargetInfo("w", "linear", (2, 2)),))
    dock.reset(other)
    assert dock.fixed.targets.dialog is None
    dock.fixed.targets.click()
    assert [layer.name for layer in dock.fixed.targets.dialog.model.rows] == ["w"]


def test_a_restart_opens_what_was_chosen(qtbot, window, presets, sessions_made):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    choose(window.setup_dock.fixed.controls["variant"], "rslora")
    choose(window.setup_dock.fixed.controls["init"], "pissa")
    window.hyper_dock.request(layer_ranks=(("fc1", 3),))
    window.setup_dock.restart_button.click()
    qtbot.waitUntil(lambda: len(sessions_made) == 2)
    opened = sessions_made[1].config
    assert (opened.variant, opened.init) == ("rslora", "pissa")
    assert opened.hyper.layer_ranks == ()  # PiSSA's start belongs to one rank


def test_a_long_name_of_a_base_breaks_instead_of_being_cut_off(qtbot, dock, config, fake_session):
    name = "some-very-long_name.of.a_checkpoint-with_many.parts_and-no_space.safetensors"
    dock.reset(replace(fake_session(config).loaded(), base=name))
    settle()
    label = named(dock, "Base")
    assert label.toolTip() == name
    assert label.height() >= 2 * label.fontMetrics().height()


def test_rows_of_the_old_task_apply_on_restart_and_can_be_taken_away(dock, config, qtbot):
    own = changed(config, preset="", task="causal_lm", keep_data="/data/old.jsonl")
    dock.show_config(own)
    dock.fixed.more_button.setChecked(True)
    choice = dock.fixed.controls["keep_data"]
    assert choice.isVisible()
    assert choice.button.text() == "old.jsonl"
    assert not dock.edited
    qtbot.mouseClick(choice.clear_button, Qt.MouseButton.LeftButton)
    assert dock.restart_button.isVisible()
    assert dock.requested_config(own).keep_data is None
    assert not choice.clear_button.isVisible()
    choice.ask = lambda: "/data/older.jsonl"
    qtbot.mouseClick(choice.button, Qt.MouseButton.LeftButton)
    assert dock.requested_config(own).keep_data == "/data/older.jsonl"
    dock.show_config(config)  # a preset measures class by class
    assert not choice.isVisible()


def test_the_base_of_what_is_being_opened_is_never_that_of_what_was_open(
    dock, config, presets, fake_session
):
    def shown():
        base, learns = named(dock, "Base"), named(dock, "Trainable")
        return base.text().replace("\u200b", ""), learns.text()

    session = fake_session(config)
    dock.set_counts(session.counts())
    there = shown()
    assert there[0] == "MLP 64-64-32-10, shipped with the lab"
    assert "parameters" in there[1]
    for opening, base in (
        (presets[1].config, "…"),
        (changed(config, model="/there/big_model.safetensors"), "big_model.safetensors"),
    ):
        dock.show_config(opening)
        assert shown() == (base, "…")
        dock.show_config(config)  # it could not be opened
        assert shown() == there
    dock.show_config(changed(config, max_steps=5))  # a restart: the same parts learn
    assert shown() == there
    dock.show_config(changed(config, variant="dora"))
    assert shown() == (there[0], "…")
    dock.show_config(presets[1].config)
    dock.reset(replace(session.loaded(), base="another"))
    assert shown()[0] == "another"
    assert "parameters" not in shown()[1], "those were counted of the old one"


@pytest.mark.parametrize(("task", "free"), [("preference", True), ("causal_lm", False)])
def test_a_setting_of_one_task_is_locked_for_the_others(dock, config, task, free):
    dock.show_config(changed(config, preset="", task=task, model="/m", data="/d.jsonl"))
    box = dock.fixed.controls["dpo_beta"]
    assert box.isEnabled() == free
    assert ("Only for Preference" in box.toolTip()) != free
