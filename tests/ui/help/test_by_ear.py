"""Plots as sound: the samples themselves have the pitch of the curve's height; Esc is silence."""

import io
import sys
import wave
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QObject, Qt, Signal

from lora_lab.ui.help import by_ear
from lora_lab.ui.help.by_ear import LOW, RATE, REST, SECONDS, heard, pitch, wav
from lora_lab.ui.help.player import Player
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.widgets.plot import Plot
from tests.ui.seen import settle


class OnePlot(Panel):
    """A panel with one plot, and columns of numbers."""

    def __init__(self, columns=None, log=False):
        super().__init__()
        self.columns = columns or {}
        if columns is None:
            self.plot = Plot("one", "step", log_y=log)
            self.body.addWidget(self.plot)

    def figure_data(self):
        return self.columns


@pytest.fixture
def one_plot(qtbot):
    def make(*arguments, **more):
        panel = OnePlot(*arguments, **more)
        qtbot.addWidget(panel)
        panel.resize(400, 300)
        panel.show()
        return panel

    return make


def draw(panel, name, x, y):
    item = pg.PlotCurveItem(np.asarray(x, float), np.asarray(y, float), name=name, connect="finite")
    panel.plot.addItem(item, ignoreBounds=True)
    return item


def frequency(sound, second):
    """Hz around that second, by the strongest line of the spectrum of the samples."""
    middle, half = round(second * RATE), round(0.05 * RATE)
    part = sound[max(0, middle - half) : middle + half]
    lines = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 17))
    return np.argmax(lines) * RATE / (1 << 17)


def edges(panel):
    return panel.plot.view.viewRange()[1]


@pytest.mark.parametrize(("height", "hertz"), [(0, 220), (0.5, 440), (1, 880), (0.25, 311.127)])
def test_two_octaves_from_the_lower_to_the_upper_edge(height, hertz):
    assert pitch(height) == pytest.approx(hertz)


def test_the_pitch_follows_the_curve(one_plot):
    panel = one_plot()
    draw(panel, "loss", [0, 50, 100], [4, 2, 1])
    panel.plot.show_range((0, 100), (0, 4))
    low, high = edges(panel)
    sounds = heard(panel)
    assert sounds.names == ("loss",)
    assert sounds.seconds == pytest.approx(SECONDS)
    assert (sounds.low, sounds.high) == (low, high)
    for second, value in ((0.3, 3.6), (0.75, 3), (1.5, 2), (2.25, 1.5), (2.7, 1.2)):
        expected = LOW * 2 ** (2 * (value - low) / (high - low))
        assert frequency(sounds.sound, second) == pytest.approx(expected, rel=0.01)


def test_a_logarithmic_axis_is_heard_as_it_is_drawn(one_plot):
    panel = one_plot(log=True)
    draw(panel, "loss", [0, 100], np.log10([100, 0.01]))
    panel.plot.show_range((0, 100), (-2, 2))
    sounds = heard(panel)
    assert frequency(sounds.sound, SECONDS / 2) == pytest.approx(440, rel=0.01)
    assert sounds.low == pytest.approx(0.01, rel=0.1)
    assert sounds.high == pytest.approx(100, rel=0.1)


def test_a_gap_and_what_lies_outside_of_the_picture_are_silent(one_plot):
    panel = one_plot()
    draw(panel, "loss", [0, 30, 31, 69, 70, 100], [1, 1, np.nan, np.nan, 1, 1])
    draw(panel, "far", [0, 100], [90, 90])
    panel.plot.show_range((0, 100), (0, 2))
    sound = heard(panel).sound
    gap = sound[round(1.2 * RATE) : round(1.8 * RATE)]
    assert np.abs(gap).max() < 1e-9
    assert np.abs(sound[: RATE // 2]).max() > 0.2
    far = sound[round((SECONDS + REST + 0.1) * RATE) :]
    assert len(far) > RATE
    assert np.abs(far).max() < 1e-9


def test_curves_come_in_turn_and_the_raw_one_not_beside_its_smoothed_one(one_plot):
    panel = one_plot()
    draw(panel, "train", [0, 1], [1, 1])
    draw(panel, "train, smoothed", [0, 1], [0, 0])
    draw(panel, "validation", [0, 1], [1, 1])
    draw(panel, "one point", [0], [1])
    draw(panel, "hidden", [0, 1], [1, 1]).hide()
    panel.plot.show_range((0, 1), (0, 1))
    sounds = heard(panel)
    assert sounds.names == ("train, smoothed", "validation")
    assert sounds.seconds == pytest.approx(2 * SECONDS + REST)
    assert frequency(sounds.sound, 1) == pytest.approx(220, rel=0.02)
    assert frequency(sounds.sound, SECONDS + REST + 1) == pytest.approx(880, rel=0.02)


def test_bars_are_steps(one_plot):
    panel = one_plot({"layer": ["a", "b", "c"], "sigma": [1.0, 3.0, 2.0]})
    sounds = heard(panel)
    assert (sounds.names, sounds.low, sounds.high) == (("sigma",), 1.0, 3.0)
    tones = [frequency(sounds.sound, (i + 0.5) * by_ear.STAIR) for i in range(3)]
    assert tones == pytest.approx([220, 880, 440], rel=0.01)


@pytest.mark.parametrize(
    ("values", "tones"),
    [([1e-4, 1e-2, 1.0], [220, 440, 880]), ([5, 5, 5], [440, 440, 440])],
)
def test_bars_of_many_sizes_are_heard_on_a_logarithmic_scale(one_plot, values, tones):
    sound = heard(one_plot({"value": values})).sound
    found = [frequency(sound, (i + 0.5) * by_ear.STAIR) for i in range(3)]
    assert found == pytest.approx(tones, rel=0.01)


@pytest.mark.parametrize("columns", [{}, {"layer": ["a"]}, {"value": [np.nan]}, {"value": []}])
def test_nothing_to_hear(one_plot, columns):
    assert heard(one_plot(columns)) is None


def test_the_file_is_the_sound():
    sound = 0.3 * np.sin(np.linspace(0, 100, RATE))
    with wave.open(io.BytesIO(wav(sound))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        read = np.frombuffer(file.readframes(RATE), "<i2") / 32_767
    assert np.abs(read - sound).max() < 2e-5


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Programs of the given names and scripts, and no others."""
    monkeypatch.setitem(sys.modules, "PySide6.QtMultimedia", None)  # as if it were not installed

    def make(**scripts):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, script in scripts.items():
            path = folder / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return make


class Effect(QObject):
    """QSoundEffect, as far as it is used."""

    playingChanged = Signal()
    made = ()

    def __init__(self, parent):
        super().__init__(parent)
        self.plays, Effect.made = False, (*Effect.made, self)

    def setSource(self, url):
        self.heard = Path(url.toLocalFile()).read_bytes()

    def play(self):
        self.plays = True

    def stop(self):
        self.plays = False

    def isPlaying(self):
        return self.plays


@pytest.mark.parametrize("silent", [False, True])
def test_qt_plays_where_it_can(qtbot, programs, monkeypatch, silent):
    programs()
    output = SimpleNamespace(isNull=lambda: silent)
    module = SimpleNamespace(
        QSoundEffect=Effect, QMediaDevices=SimpleNamespace(defaultAudioOutput=lambda: output)
    )
    monkeypatch.setitem(sys.modules, "PySide6.QtMultimedia", module)
    monkeypatch.setattr(Effect, "made", ())
    player = Player()
    if silent:  # and no program either
        with qtbot.waitSignal(player.failed):
            player.play(b"sound")
        return
    player.play(b"sound")
    (effect,) = Effect.made
    assert player.playing
    assert effect.heard == b"sound"
    effect.plays = False
    with qtbot.waitSignal(player.ended):
        effect.playingChanged.emit()
    player.play(b"another")
    player.stop()
    assert not Effect.made[-1].plays
    assert not player.playing


def test_the_first_program_that_can_plays_the_file(qtbot, programs, tmp_path):
    programs(pw_play="echo no server >&2; exit 1", aplay=f'cp "$2" {tmp_path}/played')
    player = Player()
    with qtbot.waitSignal(player.ended):
        player.play(b"RIFF sound")
        assert player.playing
    assert (tmp_path / "played").read_bytes() == b"RIFF sound"
    assert not player.playing


@pytest.mark.parametrize(
    ("scripts", "reasons"),
    [
        ({}, ""),
        ({"aplay": "echo 'audio open error: No file' >&2; exit 1"}, "aplay: audio open error"),
        (
            {"pw_play": "exit 3", "paplay": "echo refused >&2; exit 1"},
            "pw-play: 3\npaplay: refused",
        ),
    ],
)
def test_where_nothing_can_play_the_reason_is_said(qtbot, programs, scripts, reasons):
    programs(**scripts)
    player, said = Player(), []
    player.failed.connect(said.append)
    player.play(b"sound")
    qtbot.waitUntil(lambda: bool(said))
    assert said[0].startswith(reasons)
    assert not player.playing


@pytest.fixture
def trained(trained):
    """On the loss."""
    next(panel for panel in trained.panels if panel.key == "loss").setFocus()
    settle()
    return trained


def notices_of(window):
    said = []
    window.notices.posted.connect(lambda notice: said.append(notice.message))
    return said


@pytest.mark.parametrize("by", ["Esc", "again"])
def test_the_window_plays_the_plot_and_stops(trained, qtbot, programs, by):
    programs(aplay="exec sleep 60")
    said, player = notices_of(trained), trained.flows.ear.player
    assert trained.commands.by_ear.shortcut().toString() == "Ctrl+Shift+S"
    trained.commands.by_ear.trigger()
    assert player.playing  # and the window was not waited for
    qtbot.waitUntil(lambda: bool(said))
    assert said[0].startswith("Loss as sound, ")
    assert "220 Hz is " in said[0]
    assert "train, smoothed" in said[0]
    if by == "Esc":
        qtbot.keyClick(trained, Qt.Key.Key_Escape)
    else:
        trained.commands.by_ear.trigger()
    assert not player.playing


def test_a_plot_without_a_curve_says_so(window, qtbot, programs):
    programs()
    qtbot.waitUntil(lambda: window.flows is not None)
    said = notices_of(window)
    window.commands.by_ear.trigger()
    qtbot.waitUntil(lambda: bool(said))
    assert "shows no curve and no bars yet" in said[0]
    assert not window.flows.ear.player.playing


def test_no_two_entries_have_one_key(window):
    keys = [action.shortcut().toString() for action in window.actions() if action.shortcut()]
    keys = [key for key in keys if key]
    assert len(keys) == len(set(keys)) > 20
