"""What is a file and a line is in the window once it is listed: docks, panels, queue, dialogs."""

import pytest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel
from shiboken6 import isValid

from lora_lab.exported import ExportedRecord
from lora_lab.presets import get_preset
from lora_lab.records import State
from lora_lab.runs.queue import DONE
from lora_lab.ui.panels import PANELS
from lora_lab.ui.panels.panel import Panel
from tests.grown import FORMAT, INIT, PRESET, TASK, VARIANTS, Pulse, PulseRecord, texts
from tests.ui.seen import named, settle


class PulsePanel(Panel):
    """How many layers answered, and at which steps."""

    key = "pulse"
    name = "Pulse"

    def __init__(self, parent=None):
        super().__init__(parent)
        self.records = []
        self.shown = QLabel()
        self.body.addWidget(self.shown)

    def reset(self, loaded):
        self.records = []
        self.dirty = True

    def receive(self, records):
        self.records += [record for record in records if isinstance(record, PulseRecord)]
        self.dirty = True

    def redraw(self):
        self.dirty = False
        self.say("" if self.records else "Nothing answered yet.")
        self.shown.setText(f"{len(self.records)} answers")

    def summary(self):
        return self.shown.text()

    def figure_data(self):
        return {"step": [r.step for r in self.records], "layers": [r.layers for r in self.records]}


@pytest.fixture(autouse=True)
def pulse(grown, monkeypatch):
    """One panel more, before the window is made."""
    monkeypatch.setitem(PANELS, PulsePanel.key, PulsePanel)


def opened(qtbot, lab, config):
    lab.open(config)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)


def trained(qtbot, lab):
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)


def draw_everything(lab):
    for dock in lab.host.docks:
        dock.show()
        dock.raise_()
    for panel in lab.panels:
        panel.redraw()
        assert not panel.grab().isNull()
        assert panel.summary()
        lengths = {len(column) for column in panel.figure_data().values()}
        assert len(lengths) <= 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_grown_lab_trains_draws_exports_and_resumes(qtbot, lab, home, grown, variant):
    preset = get_preset(PRESET)
    assert lab.setup_dock.preset_combo.findText(preset.title) >= 0
    config = preset.config.model_copy(update={"variant": variant})
    opened(qtbot, lab, config)
    fixed = lab.setup_dock.fixed
    assert fixed.controls["variant"].currentData() == variant
    assert fixed.controls["init"].currentData() == INIT
    tip = fixed.controls["init"].toolTip()
    assert ("Gain has no factors A and B." in tip) == (variant == "gain")
    trained(qtbot, lab)
    lab.sessions.request(Pulse())
    panel = next(p for p in lab.panels if p.key == PulsePanel.key)
    qtbot.waitUntil(lambda: bool(panel.records))
    draw_everything(lab)
    assert panel.shown.text() == "1 answers"

    exported = []
    lab.sessions.on(ExportedRecord, exported.append)
    lab.commands.export.trigger()
    dialog = lab.flows.export.dialog
    dialog.format_combo.setCurrentIndex(dialog.format_combo.findData(FORMAT))
    dialog.folder_edit.setText(str(grown / "adapter"))
    dialog.export_button.click()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    if variant == "gain":
        assert not exported
        assert any("no low-rank factors" in label.text() for label in dialog.findChildren(QLabel))
    else:
        assert exported[0].report.format == FORMAT
        assert (grown / "adapter" / "adapter_config.json").is_file()

    (run,) = [path for path in (home / "runs").iterdir() if path.is_dir()]
    lab.flows.runs.open_run(str(run))
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    assert lab.sessions.step == config.max_steps


def test_the_queue_runs_and_plots_them(qtbot, lab):
    opened(qtbot, lab, get_preset(PRESET).config)
    lab.commands.queue.trigger()
    flow = lab.flows.queue
    builder = flow.dialog.builder
    for name in VARIANTS:
        builder.variants.buttons[name].click()
    builder.inits.buttons[INIT].click()
    builder.add_button.click()
    flow.dialog.start_button.click()
    qtbot.waitUntil(
        lambda: [i.state for i in flow.runner.queue.items] == [DONE] * 2, timeout=60_000
    )
    qtbot.waitUntil(lambda: len(flow.dialog.plot.marks.data) == len(VARIANTS))
    assert not flow.dialog.grab().isNull()


@pytest.mark.parametrize("variant", VARIANTS)
def test_whatever_opens_from_a_menu_opens(qtbot, lab, monkeypatch, variant):
    for ask in ("getOpenFileName", "getSaveFileName"):  # the system's own dialogs
        monkeypatch.setattr(QFileDialog, ask, lambda *texts: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *texts: "")
    opened(qtbot, lab, get_preset(PRESET).config.model_copy(update={"variant": variant}))
    trained(qtbot, lab)
    commands = lab.commands
    assert any(action.text() == "A grown lab" for action in commands.presets_menu.actions())
    dotted = [a for menu in commands.menus for a in menu.actions() if "…" in a.text()]
    titles = set()
    for action in (*dotted, commands.bench, commands.handbook):
        if action.isEnabled():
            action.trigger()
            settle()
            for window in QApplication.topLevelWidgets():
                if window is not lab and isValid(window) and window.isVisible():
                    titles.add(window.windowTitle())
                    assert not window.grab().isNull()
                    window.close()
    assert len(titles) > 8, titles


def test_a_task_is_offered_opened_and_trained(qtbot, lab, grown):
    model, data = texts(grown)
    lab.commands.open.trigger()
    dialog = lab.flows.own.dialog
    dialog.source.show_path(model)
    qtbot.waitUntil(lambda: dialog.card is not None, timeout=30_000)
    combo = dialog.task_combo
    combo.setCurrentIndex(combo.findData(TASK))
    assert combo.currentText() == "Tone of a text"
    assert combo.model().item(combo.currentIndex()).isEnabled()
    assert named(dialog, "Data").placeholderText() == "texts and their tone"
    dialog.data_edit.setText(data)
    dialog.open_button.click()
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    assert lab.setup_dock.preset_combo.placeholderText() == "Tone of a text"
    lab.open(lab.sessions.config.model_copy(update={"max_steps": 3, "epochs": None}))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED and lab.sessions.config.max_steps == 3,
                    timeout=60_000)  # fmt: skip
    trained(qtbot, lab)
    draw_everything(lab)
