"""A session without torch or threads: the window is tested in every mood that it may have."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from lora_lab.config import RunConfig, changed
from lora_lab.exported import ExportedRecord, ExportReport, LayerCheck
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import LayerMerge, MergeRecord
from lora_lab.opening_records import LayerInfo, LoadedRecord, TargetInfo
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    ErrorRecord,
    EvalRecord,
    LayerSpectrum,
    SavedRecord,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
    frozen_array,
)
from lora_lab.rules import scaling_of
from lora_lab.training.commands import Evaluate, Export, MergePreview, Save
from lora_lab.training.controls import Controls

SHAPES = {"fc1": (64, 64), "fc2": (32, 64), "fc3": (10, 32)}
ADAPTABLE = (
    *(TargetInfo(name, "linear", shape) for name, shape in SHAPES.items()),
    TargetInfo("table", "embedding", (16, 64)),
)


@dataclass(frozen=True)
class FakePreset:
    """What `lora_lab.presets` offers."""

    name: str
    title: str
    summary: str
    needs_data: str
    config: RunConfig


class FakeSession:
    """The face of `training.session.Session`; every drain is one turn of the loop."""

    outlives = False

    def __init__(self, config, *, paused=True, fails="", steps_per_turn=7):
        self.config, self.fails, self.per_turn = config, fails, steps_per_turn
        self.controls = Controls(config.hyper, paused=paused)
        self.hyper = config.hyper
        self.state, self.step, self.turns = State.LOADING, 0, 0
        self.started = self.ended = False
        self.saves = None
        self.waiting, self.goal = [], config.max_steps

    def start(self):
        self.started = True
        self.waiting.append(StateRecord(State.LOADING, 0))

    def request_close(self, save=True):
        self.saves = save
        self.controls.stop()

    def join(self, timeout=None):
        return self.ended or not self.started

    def drain(self):
        self.turn()
        taken, self.waiting = self.waiting, []
        return taken

    def turn(self):
        say = self.waiting.append
        if not self.started or self.ended:
            return
        self.turns += 1
        if self.fails:
            say(StateRecord(State.FAILED, 0, self.fails, "Traceback …"))
            say(StateRecord(State.CLOSED, 0))
            self.ended = True
            return
        if self.controls.stopping:
            if self.step and self.saves:
                say(SavedRecord(self.step, "/runs/fake/adapter"))
            say(StateRecord(State.CLOSED, self.step))
            self.ended = True
            return
        if self.state is State.LOADING:
            say(self.loaded())
            say(self.counts())
            say(self.evaluation(False))
            self.move(State.PAUSED)
            return
        for command, _ in self.controls.take_commands():
            self.serve(command)
        requested = self.controls.hyper
        if requested is not self.hyper:
            say(self.edited(requested))
            say(self.counts())
        if self.controls.take_finish():
            self.controls.pause()
            self.goal = self.step
            self.move(State.STOPPED)
            say(SavedRecord(self.step, "/runs/fake/adapter"))
        if self.controls.paused:
            if self.state is State.RUNNING:
                self.move(State.PAUSED)
            return
        if self.state is not State.RUNNING:
            if self.state in (State.STOPPED, State.FINISHED):
                self.goal = self.step + (self.controls.take_further() or self.config.max_steps)
            self.move(State.RUNNING)
        for _ in range(self.per_turn):
            self.step += 1
            say(StepRecord(self.step, 2.0 / (1 + self.step / 50), 1e-3, self.step / 500))
        say(self.spectrum())
        say(self.evaluation(True))
        if self.step >= self.goal:
            self.controls.pause()
            self.move(State.FINISHED)

    def edited(self, requested):
        """What the loop says to a request; all layers frozen is the one that it refuses."""
        old = self.hyper
        if set(SHAPES) <= set(requested.frozen_layers):
            self.controls.settle(requested, old)
            return ErrorRecord(self.step, "The edit was not applied: nothing would train.")
        changes = tuple(
            (name, getattr(old, name), getattr(requested, name))
            for name in Hyperparameters.model_fields
            if getattr(old, name) != getattr(requested, name)
        )
        self.hyper = requested
        lost = 0.032 if requested.rank < old.rank else 0.0
        return AppliedRecord(self.step, requested, changes, (), lost)

    def move(self, state, message="", details=""):
        self.state = state
        self.waiting.append(StateRecord(state, self.step, message, details, self.goal))

    def serve(self, command):
        say = self.waiting.append
        if isinstance(command, Save):
            say(SavedRecord(self.step, "/runs/fake/adapter"))
        elif isinstance(command, MergePreview):
            say(self.merge_preview())
        elif isinstance(command, Evaluate):
            say(self.evaluation(self.hyper.enabled))
        elif isinstance(command, Export) and self.step == 0:
            say(ErrorRecord(0, "The adapter is untrained: ΔW = 0. Train first.", command="Export"))
        elif isinstance(command, Export):
            folder = Path(command.path)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "adapter_config.json").write_text("{}")
            checks = tuple(LayerCheck(name, self.hyper.rank, 1.2e-8) for name in SHAPES)
            sha = "3f0a" * 16
            report = ExportReport("peft", command.path, checks, 6, 27_412, sha)
            say(ExportedRecord(self.step, report))

    def loaded(self):
        layers = tuple(
            LayerInfo(name, shape, 4.0, max_rank=min(shape))
            for name, shape in SHAPES.items()
            if not self.config.targets or name in self.config.targets
        )
        names = tuple("0123456789")
        return LoadedRecord(
            f"Fake {self.config.preset}", "", self.config.task, self.config.variant,
            "MLP 64-64-32-10, shipped with the lab", self.config.device, self.config.dtype,
            layers, 6_570, 10, self.config.max_steps, self.config.hyper, names, ("9",),
            adaptable=ADAPTABLE, goal=self.goal,
        )  # fmt: skip

    def counts(self):
        per_layer = tuple((n, sum(s) * min(self.hyper.rank, *s)) for n, s in SHAPES.items())
        return CountsRecord(self.step, sum(c for _, c in per_layer), 6_570, per_layer)

    def merge_preview(self):
        size = 0.03 * (self.step > 0)
        losses = (1e-8, 0.38, 0.05) if size else (np.nan,) * 3
        layers = tuple(LayerMerge(name, shape, size, losses) for name, shape in SHAPES.items())
        return MergeRecord(self.step, ("float32", "bfloat16", "float16"), losses, size, layers)

    def spectrum(self):
        rank = self.hyper.rank
        sigma = frozen_array(0.9 ** np.arange(rank) * self.step / 100)
        layers = tuple(
            LayerSpectrum(
                name,
                sigma,
                rank,
                2.1,
                3.4,
                1.0,
                rank,
                self.hyper.alpha,
                scaling_of(self.hyper, self.config.variant),
            )
            for name in SHAPES
        )
        return SpectrumRecord(self.step, layers)

    def evaluation(self, enabled):
        good = (36, 34, 35, 37, 36, 37, 36, 34, 33, 30 if enabled else 0)
        total = (36, 36, 35, 37, 36, 37, 36, 36, 35, 36)
        return EvalRecord(self.step, enabled, 0.4, sum(good) / sum(total), good, total)


@pytest.fixture(autouse=True)
def empty_clipboard():
    """Qt's offscreen platform deletes what Python put there after Python has ended, and crashes."""
    yield
    if QGuiApplication.instance() is not None:
        QGuiApplication.clipboard().clear()


@pytest.fixture(autouse=True)
def no_key_held():
    """Qt takes the modifier of the last key for held until another key comes, in the next test."""
    yield
    if QGuiApplication.keyboardModifiers() != Qt.KeyboardModifier.NoModifier:
        QTest.keyRelease(QWidget(), Qt.Key.Key_Shift)
        assert QGuiApplication.keyboardModifiers() == Qt.KeyboardModifier.NoModifier


@pytest.fixture
def presets():
    digits = RunConfig(preset="digits", task="digits", max_steps=70_000)
    other = changed(digits, preset="known-rank", task="known_rank")
    mnist = changed(digits, preset="mnist-tutorial")
    return [
        FakePreset("digits", "Digits", "Learn the 9 on real scans.", "", digits),
        FakePreset("known-rank", "Known rank", "A ΔW whose rank is known.", "", other),
        FakePreset("mnist-tutorial", "MNIST", "The tutorial.", "a folder of IDX files", mnist),
    ]


@pytest.fixture
def fake_session():
    return FakeSession


@pytest.fixture
def sessions_made():
    """Every fake session that the window has opened, in order."""
    return []


@pytest.fixture
def window(qtbot, presets, sessions_made, monkeypatch):
    """A real window on fake sessions, closed in good order at the end."""
    from lora_lab.ui.app import make_window
    from lora_lab.ui.shell.main_window import MainWindow

    def new_session(opening):
        config = opening.config
        fails = "" if "broken" not in (config.model or "") else "broken.pt is truncated."
        sessions_made.append(FakeSession(config, fails=fails))
        return sessions_made[-1]

    monkeypatch.setattr(MainWindow, "_offer_engine", lambda self: None)
    made = make_window(new_session, presets)
    made.ask = lambda *texts: True
    made.ask_further = lambda config, rate, step: config.max_steps
    made.resize(1280, 800)  # the screen of the offscreen platform is smaller
    with qtbot.waitSignal(made.painted):
        made.show()  # not given to qtbot: it would delete the window before the sessions have ended
    yield made
    made.leave()
    qtbot.waitUntil(lambda: made.closed, timeout=20_000)
    made.deleteLater()


@pytest.fixture
def trained(qtbot, window, presets):
    """The window on a run that has trained and is paused."""
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.sessions.step > 20)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    return window


@pytest.fixture
def say(qtbot, window, sessions_made):
    """Let the first session say this, and wait until the window has heard it."""

    def told(*records):
        sessions_made[0].waiting.extend(records)
        qtbot.waitUntil(lambda: not sessions_made[0].waiting, timeout=20_000)

    return told


@pytest.fixture
def intercept(qtbot, window, presets, sessions_made):
    """Of an open window: commands of some kinds are kept for the test instead of being served."""

    def keep(*kinds):
        window.open(presets[0].config)
        qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
        session, kept = sessions_made[0], []
        serve = session.serve
        session.serve = lambda c: kept.append(c) if isinstance(c, kinds) else serve(c)
        return kept

    return keep


@pytest.fixture
def lab(qtbot):
    """The window as `lora-lab` opens it; it is closed and its thread joined at the end."""
    from lora_lab.presets import list_presets
    from lora_lab.ui.app import make_window, new_session
    from lora_lab.ui.shell.leaving import SAVE

    made = make_window(new_session, list_presets())
    made.ask = lambda *texts: True
    made.leaving.where = lambda: SAVE
    made.ask_further = lambda config, rate, step: config.max_steps
    made.resize(1280, 800)  # the screen of the offscreen platform is smaller
    with qtbot.waitSignal(made.painted):
        made.show()
    yield made
    made.leave()
    qtbot.waitUntil(lambda: made.closed, timeout=20_000)
    made.deleteLater()
