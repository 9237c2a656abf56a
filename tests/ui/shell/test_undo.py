"""Undo of settings: one step per edit or drag, live and fixed ones, by key from wherever one is."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import AppliedRecord, SpectrumRecord, State
from lora_lab.ui.shell import undo as undo_flow

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def opened(qtbot, window, presets, monkeypatch):
    monkeypatch.setattr(undo_flow, "TOGETHER", -1.0)  # each edit for itself
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window


def test_edits_are_taken_back_and_made_again_and_reach_the_session(opened, qtbot, sessions_made):
    dock, commands = opened.hyper_dock, opened.commands
    assert not commands.undo.isEnabled()
    dock.sliders["rank"].edit.setValue(6)
    dock.sliders["alpha"].edit.setValue(32)
    assert commands.undo.text() == "Undo alpha 12→32"
    commands.undo.trigger()
    assert dock.sliders["alpha"].value() == 12
    assert commands.undo.text() == "Undo rank 8→6, alpha 16→12"
    assert commands.redo.text() == "Redo alpha 12→32"
    commands.undo.trigger()
    assert not commands.undo.isEnabled()
    qtbot.waitUntil(lambda: sessions_made[-1].hyper.rank == 8)
    commands.redo.trigger()
    commands.redo.trigger()
    assert not commands.redo.isEnabled()
    qtbot.waitUntil(lambda: sessions_made[-1].hyper.alpha == 32)
    assert sessions_made[-1].hyper.rank == 6
    commands.undo.trigger()
    dock.sliders["dropout"].edit.setValue(0.5)
    assert not commands.redo.isEnabled(), "another edit: that way is left"


def test_a_drag_is_one_edit(opened, monkeypatch):
    monkeypatch.setattr(undo_flow, "TOGETHER", 60.0)
    slider = opened.hyper_dock.sliders["alpha"].slider
    start = slider.value()
    for position in range(start, start + 9):
        slider.setValue(position)
    opened.hyper_dock.sliders["rank"].edit.setValue(9)
    opened.commands.undo.trigger()
    assert opened.commands.undo.text().startswith("Undo alpha 16→")
    opened.commands.undo.trigger()
    assert slider.value() == start
    assert not opened.commands.undo.isEnabled()
    slider.setValue(start + 1)
    slider.setValue(start)
    assert not opened.commands.undo.isEnabled(), "where it was: nothing to undo"


def test_fixed_settings_are_undone_beside_live_ones(opened):
    fixed, commands = opened.setup_dock.fixed, opened.commands
    fixed.controls["batch_size"].setValue(7)
    fixed.controls["variant"].setCurrentIndex(fixed.controls["variant"].findData("dora"))
    opened.hyper_dock.switch_adapter(False)
    assert commands.undo.text() == "Undo adapter on→off"
    commands.undo.trigger()
    assert commands.adapter.isChecked()
    assert commands.undo.text() == "Undo variant lora→dora"
    commands.undo.trigger()
    assert fixed.controls["variant"].value() == "lora"
    commands.undo.trigger()
    assert not opened.setup_dock.edited
    commands.redo.trigger()
    assert fixed.controls["batch_size"].value() == 7
    assert opened.setup_dock.restart_button.isVisible()


def test_another_run_begins_without_the_edits_of_the_old_one(opened, qtbot, presets, sessions_made):
    opened.hyper_dock.sliders["rank"].edit.setValue(6)
    opened.setup_dock.fixed.controls["batch_size"].setValue(7)
    opened.open(changed(presets[0].config, seed=3))
    qtbot.waitUntil(lambda: len(sessions_made) == 2 and not opened.sessions.opening)
    assert not opened.commands.undo.isEnabled()
    opened.hyper_dock.sliders["rank"].edit.setValue(9)
    assert opened.commands.undo.text() == "Undo rank 8→9, alpha 16→18"


def test_a_refused_request_leaves_the_next_undo_right(opened, qtbot):
    opened.layers_dock.requested.emit({"frozen_layers": ("fc1", "fc2", "fc3")})  # refused
    qtbot.waitUntil(lambda: opened.hyper_dock.requested.frozen_layers == ())
    opened.hyper_dock.sliders["rank"].edit.setValue(9)
    assert opened.commands.undo.text() == "Undo rank 8→9, alpha 16→18"


def test_keys_reach_it_from_a_number_field_too(opened):
    edit = opened.hyper_dock.sliders["rank"].edit
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, "5")
    QTest.keyClick(edit, Qt.Key.Key_Z, CTRL)  # still being typed: the text alone
    assert opened.hyper_dock.requested.rank == 8
    assert edit.lineEdit().text() != "5"
    edit.selectAll()
    QTest.keyClicks(edit, "5")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert opened.hyper_dock.requested.rank == 5
    QTest.keyClick(edit, Qt.Key.Key_Z, CTRL)
    assert opened.hyper_dock.requested.rank == 8
    assert edit.value() == 8
    QTest.keyClick(edit, Qt.Key.Key_Z, CTRL | SHIFT)
    assert opened.hyper_dock.requested.rank == 5


def test_undoing_a_cut_brings_back_what_was_cut(qtbot, lab):
    """The number alone would be a promise that is not kept: the directions are gone."""
    lab.open(get_preset("digits").config)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.sessions.step > 50, timeout=60_000)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    applied, spectra = [], []
    lab.sessions.on(AppliedRecord, applied.append)
    lab.sessions.on(SpectrumRecord, spectra.append)
    lab.hyper_dock.sliders["dropout"].edit.setValue(0.1)  # an edit, so that a spectrum comes
    qtbot.waitUntil(lambda: bool(spectra), timeout=60_000)
    sigma = [layer.sigma.copy() for layer in spectra[-1].layers]
    before, dock = lab.sessions.step, lab.hyper_dock
    rank = dock.requested.rank
    dock.sliders["rank"].edit.setValue(1)
    qtbot.waitUntil(lambda: bool(applied) and applied[-1].hyper.rank == 1, timeout=60_000)
    assert applied[-1].discarded_energy > 0
    qtbot.waitUntil(lambda: bool(spectra) and spectra[-1].layers[0].rank == 1, timeout=60_000)
    lab.commands.undo.trigger()
    qtbot.waitUntil(lambda: spectra[-1].layers[0].rank == rank, timeout=60_000)
    assert lab.sessions.step == before
    for layer, values in zip(spectra[-1].layers, sigma, strict=True):
        np.testing.assert_allclose(layer.sigma, values, rtol=1e-6, atol=1e-12)
    assert dock.requested.rank == rank


def test_undoing_a_cut_of_the_dimension_brings_back_what_was_cut(qtbot, lab):
    config = get_preset("digits").config
    hyper = {**config.hyper.model_dump(), "dimension": 64, "learning_rate": 0.1}
    lab.open(changed(config, variant="subspace", hyper=hyper))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.sessions.step > 50, timeout=60_000)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    applied, spectra = [], []
    lab.sessions.on(AppliedRecord, applied.append)
    lab.sessions.on(SpectrumRecord, spectra.append)
    lab.hyper_dock.sliders["weight_decay"].edit.setValue(0.01)  # so that a spectrum comes
    qtbot.waitUntil(lambda: bool(spectra), timeout=60_000)
    before, norms = lab.sessions.step, [layer.delta_norm for layer in spectra[-1].layers]
    lab.hyper_dock.sliders["dimension"].edit.setValue(8)
    qtbot.waitUntil(lambda: applied[-1].hyper.dimension == 8, timeout=60_000)
    assert applied[-1].discarded_energy > 0
    del spectra[:]
    lab.commands.undo.trigger()
    qtbot.waitUntil(lambda: applied[-1].hyper.dimension == 64, timeout=60_000)
    lab.hyper_dock.sliders["weight_decay"].edit.setValue(0.02)
    qtbot.waitUntil(lambda: applied[-1].hyper.weight_decay == 0.02, timeout=60_000)
    qtbot.waitUntil(lambda: bool(spectra), timeout=60_000)
    assert lab.sessions.step == before
    found = [layer.delta_norm for layer in spectra[-1].layers]
    np.testing.assert_allclose(found, norms, rtol=1e-6)


def test_undoing_a_cut_takes_back_no_other_edit_and_no_other_step(qtbot, lab, monkeypatch):
    """Neither edits just before the cut, which share its movement of the hand, nor their steps."""
    monkeypatch.setattr(undo_flow, "TOGETHER", -1.0)
    lab.open(get_preset("digits").config)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    lab.commands.train.trigger()
    applied, sliders = [], lab.hyper_dock.sliders
    lab.sessions.on(AppliedRecord, applied.append)

    def edit(field, value, asked):
        steps = lab.sessions.step + 20
        qtbot.waitUntil(lambda: lab.sessions.step > steps, timeout=60_000)
        sliders[field].edit.setValue(value)
        qtbot.waitUntil(lambda: getattr(applied[-1].hyper, field) == asked, timeout=60_000)
        return applied[-1].step

    sliders["dropout"].edit.setValue(0.1)
    qtbot.waitUntil(lambda: bool(applied), timeout=60_000)
    edit("weight_decay", 0.01, 0.01)
    cuts = [edit("rank", 3, 3), edit("rank", 2, 2)]
    edit("learning_rate", 1e-5, 1e-5)
    lab.commands.undo.trigger()  # the rate
    for rank, cut in ((3, cuts[1]), (4, cuts[0])):
        lab.commands.undo.trigger()
        qtbot.waitUntil(lambda: applied[-1].hyper.rank == rank, timeout=60_000)  # noqa: B023
        qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
        assert lab.sessions.step == cut
        qtbot.waitUntil(lambda: applied[-1].hyper == lab.hyper_dock.requested, timeout=60_000)
        assert (applied[-1].hyper.weight_decay, applied[-1].hyper.dropout) == (0.01, 0.1)
    assert lab.hyper_dock.requested.alpha == 4
