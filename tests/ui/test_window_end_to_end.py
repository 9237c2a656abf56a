"""The real window on the real engine, driven through its widgets as a person would."""

import dataclasses
import json
import random
import threading

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QRadioButton

from lora_lab.config import changed
from lora_lab.formats import FORMATS
from lora_lab.opening_records import LoadedRecord
from lora_lab.presets import get_preset
from lora_lab.records import AppliedRecord, CountsRecord, EvalRecord, State, StepRecord
from lora_lab.training.commands import FindRate
from lora_lab.ui.layers.facts import PARAMETERS, RANK, TRAINS
from lora_lab.ui.panels.counts import CountsPanel
from tests.ui.seen import named, settle, words


def open_preset(qtbot, lab, name, **hyper):
    config = get_preset(name).config
    lab.open(config.model_copy(update={"hyper": config.hyper.model_copy(update=hyper)}))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)


def press_space(qtbot, lab):
    lab.activateWindow()
    # Not waitActive: a window whose own dialog is active counts as active, and the key is lost.
    qtbot.waitUntil(lambda: QApplication.activeWindow() is lab, timeout=20_000)
    QTest.keyClick(lab, Qt.Key.Key_Space)


def drag(slider, notches):
    """Hold the handle, move it notch by notch, let it go."""
    slider.setSliderDown(True)
    for _ in range(abs(notches)):
        slider.setValue(slider.value() + (1 if notches > 0 else -1))
    slider.setSliderDown(False)


def counts_panel(lab):
    return next(panel for panel in lab.panels if isinstance(panel, CountsPanel))


def engine_threads():
    return [t for t in threading.enumerate() if t.name.startswith("lora-lab")]


def session_threads():
    return [t for t in engine_threads() if t.name == "lora-lab-session"]


def test_train_turn_the_knobs_switch_export_and_close(qtbot, lab, tmp_path):
    open_preset(qtbot, lab, "digits")
    assert lab.strip.state_label.text() == "Ready"
    assert "CPU" in lab.setup_dock.device_combo.currentText()

    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.sessions.step > 50, timeout=20_000)

    applied = []
    lab.sessions.on(AppliedRecord, applied.append)
    rank, alpha = lab.hyper_dock.sliders["rank"], lab.hyper_dock.sliders["alpha"]
    before = lab.hyper_dock.requested
    drag(rank.slider, +8)
    followed = alpha.value()
    drag(alpha.slider, -8)
    qtbot.waitUntil(
        lambda: bool(applied) and applied[-1].hyper == lab.hyper_dock.requested, timeout=20_000
    )
    assert rank.value() > before.rank
    assert alpha.value() < followed
    assert followed / rank.value() == before.alpha / before.rank, "s was kept"
    assert lab.state is State.RUNNING

    lab.commands.adapter.trigger()
    seen = []
    lab.sessions.on(EvalRecord, seen.append)
    qtbot.waitUntil(lambda: any(not record.enabled for record in seen), timeout=10_000)
    lab.commands.adapter.trigger()
    qtbot.waitUntil(lambda: seen[-1].enabled, timeout=10_000)

    lab.commands.export.trigger()
    dialog = lab.flows.export.dialog
    dialog.folder_edit.setText(str(tmp_path / "adapter"))
    dialog.export_button.click()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size > 0
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["r"] == rank.value()
    assert len(named(dialog, "SHA-256").text()) == 64

    step = lab.sessions.step
    with qtbot.waitSignal(lab.left, timeout=20_000):
        lab.close()
    assert lab.sessions.step >= step
    assert not lab.isVisible()
    assert engine_threads() == []


def test_known_rank_falls_to_zero_when_the_rank_is_dragged_to_four(qtbot, lab):
    open_preset(qtbot, lab, "known-rank", rank=2)
    losses = []
    lab.sessions.on(StepRecord, lambda record: losses.append(record.loss))
    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.sessions.step > 600, timeout=30_000)
    plateau = losses[-1]
    lab.hyper_dock.sliders["rank"].edit.setValue(4)
    qtbot.waitUntil(lambda: losses[-1] < 1e-6 * plateau, timeout=30_000)


def test_an_untrained_adapter_is_refused_in_the_dialog_and_as_a_notice(qtbot, lab, tmp_path):
    open_preset(qtbot, lab, "digits")
    lab.commands.export.trigger()
    dialog = lab.flows.export.dialog
    dialog.folder_edit.setText(str(tmp_path / "adapter"))
    dialog.export_button.click()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert [text for text in words(dialog) if "untrained" in text]
    qtbot.waitUntil(lambda: lab.notice_bar.notice is not None, timeout=20_000)
    assert lab.notice_bar.notice.severity == "error"
    assert not (tmp_path / "adapter").exists()


def test_a_checkpoint_that_is_none_leaves_the_open_run(qtbot, lab, tmp_path):
    open_preset(qtbot, lab, "digits")
    path = tmp_path / "not_a_checkpoint.safetensors"
    path.write_bytes(b"hello")
    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.state is State.RUNNING, timeout=10_000)
    lab.open(changed(lab.setup_dock.config, model=str(path)))
    qtbot.waitUntil(lambda: lab.notice_bar.notice is not None, timeout=20_000)
    assert path.name in lab.notice_bar.notice.message
    qtbot.waitUntil(lambda: not lab.sessions.opening, timeout=10_000)
    step = lab.sessions.step
    qtbot.waitUntil(lambda: lab.sessions.step > step, timeout=10_000)
    assert len(session_threads()) == 1


@pytest.mark.slow
def test_five_hundred_random_edits_leave_it_alive_and_consistent(qtbot, lab):
    open_preset(qtbot, lab, "digits")
    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.state is State.RUNNING, timeout=10_000)
    rng = random.Random(0)
    applied, counts = [], []
    lab.sessions.on(AppliedRecord, applied.append)
    lab.sessions.on(CountsRecord, counts.append)
    every = lab.hyper_dock.sliders.items()  # a dimension is only for a random subspace
    sliders = {name: slider for name, slider in every if not slider.isHidden()}
    modes = lab.hyper_dock.findChildren(QRadioButton)
    for _ in range(500):
        name = rng.choice([*sliders, "mode", "adapter", "pause"])
        if name == "mode":
            rng.choice(modes).click()
        elif name == "adapter":
            lab.commands.adapter.trigger()
        elif name == "pause":
            lab.commands.train.trigger()
            lab.commands.train.trigger()
        elif name == "learning_rate":  # huge rates are another test's: here nothing may go NaN
            sliders[name].edit.setValue(10 ** rng.uniform(-6, -3.5))
        elif name == "alpha":
            sliders[name].edit.setValue(2 ** rng.uniform(-3, 4))
        else:
            slider = sliders[name].slider
            drag(slider, rng.randint(slider.minimum(), slider.maximum()) - slider.value())
        if rng.random() < 0.3:
            settle()
    requested = lab.hyper_dock.requested
    qtbot.waitUntil(lambda: bool(applied) and applied[-1].hyper == requested, timeout=20_000)
    qtbot.waitUntil(lambda: lab.state is State.RUNNING, timeout=20_000)
    step = lab.sessions.step
    qtbot.waitUntil(lambda: lab.sessions.step > step, timeout=10_000)
    data = counts_panel(lab).figure_data()
    shapes = list(zip(data["out"], data["in"], strict=True))
    expected = sum(min(requested.rank, *shape) * sum(shape) for shape in shapes)
    assert counts[-1].adapter == expected
    assert lab.commands.adapter.isChecked() == requested.enabled


def test_stop_saves_serves_on_and_restart_begins_again(qtbot, lab, tmp_path):
    open_preset(qtbot, lab, "digits")
    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.sessions.step > 20, timeout=10_000)
    with qtbot.waitSignal(lab.sessions.stopped, timeout=10_000):
        lab.commands.stop.trigger()
    step = lab.sessions.step
    qtbot.waitUntil(lambda: lab.notice_bar.notice is not None, timeout=20_000)
    qtbot.waitUntil(lambda: "kept in" in lab.notice_bar.notice.message, timeout=20_000)

    lab.commands.export.trigger()
    dialog = lab.flows.export.dialog
    dialog.folder_edit.setText(str(tmp_path / "adapter"))
    dialog.export_button.click()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert len(named(dialog, "SHA-256").text()) == 64
    assert lab.sessions.step == step

    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.sessions.step > step, timeout=10_000)
    assert lab.state is State.RUNNING
    assert len(session_threads()) == 1
    lab.commands.restart.trigger()
    # The old run pauses while the new one is opened, and is shown until that is ready.
    qtbot.waitUntil(lambda: not lab.sessions.opening, timeout=20_000)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=20_000)
    assert lab.sessions.step == 0


def test_a_layer_of_its_own_is_ranked_frozen_and_thawed_in_mid_run(qtbot, lab):
    open_preset(qtbot, lab, "known-rank", rank=2)
    losses = []
    lab.sessions.on(StepRecord, lambda record: losses.append(record.loss))
    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.sessions.step > 600, timeout=30_000)
    plateau = losses[-1]
    table = lab.layers_dock.model
    table.setData(table.index(0, RANK), 4)
    qtbot.waitUntil(lambda: losses[-1] < 1e-3 * plateau, timeout=30_000)
    assert table.index(0, RANK).data() == "4"
    assert lab.hyper_dock.sliders["rank"].value() == 2

    table.setData(table.index(0, TRAINS), Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    qtbot.waitUntil(
        lambda: lab.notice_bar.notice is not None, timeout=20_000
    )  # it is the only layer
    assert "nothing would train" in lab.notice_bar.notice.message
    assert lab.hyper_dock.requested.frozen_layers == ()
    step = lab.sessions.step
    qtbot.waitUntil(lambda: lab.sessions.step > step, timeout=10_000)


def test_dora_on_two_layers_is_chosen_trained_and_previewed(qtbot, lab):
    open_preset(qtbot, lab, "digits")
    fixed = lab.setup_dock.fixed
    fixed.controls["variant"].setCurrentIndex(fixed.controls["variant"].findData("dora"))
    fixed.controls["schedule"].setCurrentIndex(fixed.controls["schedule"].findData("constant"))
    fixed.targets.click()
    fixed.targets.dialog.model.tick(["fc1"], False)
    fixed.targets.dialog.ok_button.click()
    loaded = []
    lab.sessions.on(LoadedRecord, loaded.append)
    lab.setup_dock.restart_button.click()
    qtbot.waitUntil(lambda: bool(loaded), timeout=20_000)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=10_000)
    assert loaded[0].variant == "dora"
    assert [layer.name for layer in loaded[0].layers] == ["fc2", "fc3"]
    assert fixed.targets.text() == "fc2, fc3"
    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.sessions.step > 30, timeout=20_000)
    table = lab.layers_dock.model
    table.setData(table.index(1, TRAINS), Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    qtbot.waitUntil(lambda: table.index(1, PARAMETERS).data() == "0", timeout=10_000)
    lab.commands.merge.trigger()
    dialog = lab.flows.merge.dialog
    qtbot.waitUntil(lambda: len(dialog.table.cells.rows) == 2, timeout=10_000)
    assert dialog.table.cells.rows[0][0] == "fc2"
    assert lab.state is State.RUNNING


def test_before_training_the_costs_stand_there_and_a_rate_is_found_by_keyboard(qtbot, lab):
    open_preset(qtbot, lab, "known-rank")
    cells = counts_panel(lab).ruler.cells
    known = ("file", "optimizer", "peak", "per_second", "seconds")
    qtbot.waitUntil(
        lambda: all("—" not in cells["adapter", key].text() for key in known), timeout=20_000
    )
    assert lab.sessions.step == 0
    link = lab.hyper_dock.find_link
    link.setFocus()
    QTest.keyClick(link, Qt.Key.Key_Return)
    dialog = lab.flows.rate.dialog
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert 1e-3 < dialog.suggestion.steepest < 0.1
    dialog.use_buttons[0].click()
    requested = lab.hyper_dock.requested.learning_rate
    qtbot.waitUntil(
        lambda: lab.sessions.shown.session.controls.hyper.learning_rate == requested, timeout=20_000
    )
    dialog.close()
    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.sessions.step > 300, timeout=20_000)
    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=20_000)
    lab.commands.suggest_rank.trigger()
    hint = lab.flows.hint.dialog
    qtbot.waitUntil(lambda: not hint.busy, timeout=20_000)
    assert "hint" in hint.message.text()
    assert "95 %" in hint.summary()


def test_the_window_closes_in_the_middle_of_a_search(qtbot, lab, monkeypatch):
    monkeypatch.setattr("lora_lab.ui.train.rate_dialog.FindRate", lambda: FindRate(10**6))
    open_preset(qtbot, lab, "digits")
    lab.commands.find_rate.trigger()
    dialog = lab.flows.rate.dialog
    qtbot.waitUntil(lambda: len(dialog.rates) > 3, timeout=20_000)
    assert dialog.busy
    lab.leave()
    qtbot.waitUntil(lambda: lab.closed, timeout=20_000)


def test_an_export_is_cancelled_in_the_midst_and_made_again(qtbot, lab, tmp_path, monkeypatch):
    open_preset(qtbot, lab, "digits")
    press_space(qtbot, lab)
    qtbot.waitUntil(lambda: lab.sessions.step > 20, timeout=60_000)
    place = tmp_path / "exports"
    place.mkdir()
    lab.commands.export.trigger()
    dialog = lab.flows.export.dialog
    dialog.folder_edit.setText(str(place / "out"))
    dialog.export_button.click()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=60_000)
    before = (place / "out" / "adapter_model.safetensors").read_bytes()
    kind, reached, may_go = FORMATS["peft"], threading.Event(), threading.Event()

    def reread(folder, weights):
        reached.set()
        may_go.wait(60)
        yield from kind.reread(folder, weights)

    monkeypatch.setitem(FORMATS, "peft", dataclasses.replace(kind, reread=reread))
    dialog.ask_to_replace = lambda folder: True
    dialog.export_button.click()
    qtbot.waitUntil(reached.is_set, timeout=60_000)
    qtbot.waitUntil(dialog.progress.isVisible, timeout=60_000)
    assert len(list(place.iterdir())) == 2  # the new one is being written beside the old one
    dialog.progress.cancel_button.click()
    may_go.set()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=60_000)
    assert [text for text in words(dialog) if "Cancelled" in text]
    assert [path.name for path in place.iterdir()] == ["out"]
    assert (place / "out" / "adapter_model.safetensors").read_bytes() == before
    step = lab.sessions.step
    qtbot.waitUntil(lambda: lab.sessions.step > step, timeout=60_000)  # it trains on
    dialog.export_button.click()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=60_000)
    assert [text for text in words(dialog) if text.startswith("Written")]
    assert (place / "out" / "adapter_model.safetensors").read_bytes() != before
