"""Everything that opens from a menu: made once, connected to its action, closed with the window."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from lora_lab.measured import (
    IntruderRecord,
    MergeRecord,
    RankHintRecord,
    RateFoundRecord,
    RatePointRecord,
)
from lora_lab.ui.adapter.health_flow import HealthFlow
from lora_lab.ui.adapter.intruder_dialog import IntruderDialog
from lora_lab.ui.adapter.merge_dialog import MergeDialog
from lora_lab.ui.bench.flow import BenchFlow
from lora_lab.ui.export.flow import ExportFlow
from lora_lab.ui.export.plots_flow import PlotsFlow
from lora_lab.ui.help.about import about_page, shortcuts_page
from lora_lab.ui.help.describe import described, description_page
from lora_lab.ui.help.ear_flow import EarFlow
from lora_lab.ui.help.flow import HelpFlow
from lora_lab.ui.learn.flow import LearnFlow
from lora_lab.ui.open.adapter_flow import AdapterFlow
from lora_lab.ui.open.flow import OwnFlow
from lora_lab.ui.open.opened_files import OpenedFiles
from lora_lab.ui.open.recent_menu import RecentFlow
from lora_lab.ui.queue.cluster_flow import ClusterFlow
from lora_lab.ui.queue.flow import QueueFlow
from lora_lab.ui.runs.back_flow import BackFlow
from lora_lab.ui.runs.background_flow import BackgroundFlow
from lora_lab.ui.runs.flow import RunsFlow
from lora_lab.ui.runs.overlays_flow import OverlaysFlow
from lora_lab.ui.runs.save_flow import SaveFlow
from lora_lab.ui.session.ask_flow import AskFlow
from lora_lab.ui.shell.announcer import Announcer
from lora_lab.ui.shell.end_note import EndNote
from lora_lab.ui.shell.palette import Palette
from lora_lab.ui.shell.palette_entries import entries
from lora_lab.ui.shell.undo import UndoFlow
from lora_lab.ui.style import language
from lora_lab.ui.train.hint_dialog import HintDialog
from lora_lab.ui.train.memory_flow import MemoryFlow
from lora_lab.ui.train.rate_dialog import RateDialog
from lora_lab.ui.train.speed_flow import SpeedFlow
from lora_lab.ui.workshop.flow import WorkshopFlow

if TYPE_CHECKING:
    from lora_lab.ui.notices.notices import Notices
    from lora_lab.ui.shell.main_window import MainWindow


class Flows(QObject):
    """One object for each thing that is more than a single call to the session."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        sessions, notices, commands = window.sessions, window.notices, window.commands
        self.export = ExportFlow(sessions, notices, window)
        self.merge = AskFlow(sessions, lambda _: MergeDialog(window), (MergeRecord,), window)
        self.intruders = AskFlow(
            sessions, lambda record: IntruderDialog(record.layers, window),
            (IntruderRecord,), window,
        )  # fmt: skip
        spectrum = next(panel for panel in window.panels if panel.key == "spectrum")
        self.health = HealthFlow(sessions, spectrum, window)
        self.workshop = WorkshopFlow(sessions, window)
        self.memory = MemoryFlow(sessions, window)
        self.speed = SpeedFlow(sessions, window.panels, window)
        self.own = OwnFlow(sessions, window.panels, notices, window.open, window)
        self.back = BackFlow(
            sessions, notices, window.hyper_dock, window.requested_config, window.begin, window,
        )  # fmt: skip
        dock = window.runs_dock
        self.runs = RunsFlow(sessions, notices, dock, window.host.bring_up, window.begin, window)
        self.background = BackgroundFlow(
            sessions, notices, self.runs.open_run, window.open_session, window
        )
        self.end_note = EndNote(sessions, notices, window)
        self.background.notes = lambda: self.end_note.on
        self.save = SaveFlow(sessions, notices, window)
        self.overlays = OverlaysFlow(sessions, window.panels, dock, notices, window)
        self.queue = QueueFlow(
            sessions, self.overlays, notices, window.requested_config, window.begin, window
        )
        self.cluster = ClusterFlow(self.queue, self.runs.open_run, notices, window)
        self.queue.to_cluster = self.cluster.start
        self.queue.continues = lambda: window.leaving.continues
        window.leaving.queued = lambda: self.queue.on
        self.plots = PlotsFlow(sessions, window.panels, notices, window)
        self.undo = UndoFlow(sessions, window.hyper_dock, window.setup_dock, commands, window)
        self.adapter = AdapterFlow(sessions, notices, window.open, window.requested_config, window)
        openers = {
            "model": lambda path: self.own.begin_with(model=path),
            "adapter": self.adapter.show,
            "rows": lambda path: self.own.take_data(path, images=False),
            "images": lambda path: self.own.take_data(path, images=True),
            "run": self.runs.open_run,
            "run zip": lambda path: self.runs.files.unpack(Path(path)),
        }
        self.opened_files = OpenedFiles(openers, notices, window)
        self.recent = RecentFlow(sessions, commands.recent_menu, self.opened_files.take, window)
        self.help = HelpFlow(window)
        self.bench = BenchFlow(self.help, window)
        self.learn = LearnFlow(sessions, self.help, self.queue, self.runs, window)
        self.rate = AskFlow(
            sessions, lambda _: RateDialog(lambda: sessions.standing.requested, window),
            (RatePointRecord, RateFoundRecord), window,
        )  # fmt: skip
        self.hint = AskFlow(sessions, lambda _: HintDialog(window), (RankHintRecord,), window)
        self.ear = EarFlow(lambda: self.plots.panel, notices, window)
        self._closing = (
            self.export, self.merge, self.workshop, self.own, self.back, self.runs, self.overlays,
            self.plots, self.bench, self.intruders, self.opened_files, self.help, self.rate,
            self.hint, self.background, self.cluster, self.queue, self.end_note, self.adapter,
            self.health, self.ear, self.learn,
        )  # fmt: skip
        self.announcer = Announcer(sessions, notices, window)
        self._connect(window)

    def _connect(self, window: MainWindow) -> None:
        """What each action and each request of a dock does."""
        sessions, commands, setup = window.sessions, window.commands, window.setup_dock
        window.closing.connect(self.close)
        commands.open.triggered.connect(lambda: self.own.start(sessions.config))
        commands.export.triggered.connect(self.export.start)
        commands.save.triggered.connect(self.save.start)
        commands.merge.triggered.connect(self.merge.start)
        commands.intruders.triggered.connect(self.intruders.start)
        commands.health.triggered.connect(self.health.start)
        self.health.help_requested.connect(self.help.show_page)
        commands.workshop.triggered.connect(self.workshop.start)
        commands.runs.triggered.connect(self.runs.start)
        commands.bench.triggered.connect(self.bench.start)
        commands.dimension.triggered.connect(self.learn.start)
        commands.found.triggered.connect(self.learn.start_found)
        commands.claims.triggered.connect(self.learn.start_claims)
        commands.lessons.triggered.connect(self.learn.start_lessons)
        commands.numbers.triggered.connect(self.learn.start_numbers)
        commands.race.triggered.connect(self.learn.start_race)
        dock = window.hyper_dock
        for action, link, flow in (
            (commands.find_rate, dock.find_link, self.rate),
            (commands.suggest_rank, dock.suggest_link, self.hint),
        ):
            action.triggered.connect(flow.start)
            link.clicked.connect(action.trigger)
            action.enabledChanged.connect(link.setEnabled)
            link.setEnabled(action.isEnabled())
            flow.value_chosen.connect(lambda name, value: dock.request(**{name: value}))
            flow.help_requested.connect(self.help.show_page)
        commands.handbook.triggered.connect(self.help.start)
        commands.palette.triggered.connect(
            lambda: Palette(entries(window, self.help.show_page), window).show()
        )
        window.hyper_dock.help_requested.connect(self.help.show_page)
        commands.queue.triggered.connect(self.queue.start)
        commands.end_note.setChecked(self.end_note.on)
        commands.end_note.triggered.connect(self.end_note.choose)
        commands.background.setChecked(self.background.on)
        commands.background.triggered.connect(self.background.choose)
        self.background.chosen.connect(commands.background.setChecked)
        self.background.told.connect(window.strip.say)
        window.leaving.background = self.background
        commands.go_back.triggered.connect(lambda: self.back.start())
        commands.undo_edit.triggered.connect(self.back.undo_edit)
        self.runs.adapter_requested.connect(self.workshop.show_adapter)
        self.own.adapter_requested.connect(self.workshop.show_adapter)
        commands.continue_from.triggered.connect(self.adapter.start)
        self.adapter.workshop_requested.connect(self.workshop.show_adapter)
        self.adapter.continued.connect(self.recent.note_adapter)
        self.workshop.adapter_opened.connect(self.recent.note_adapter)
        self.back.branched.connect(self.overlays.follow_branch)
        commands.copy_plot.triggered.connect(lambda: self.plots.copy())
        commands.save_plot.triggered.connect(lambda: self.plots.save())
        commands.next_area.triggered.connect(lambda: window.keyboard.next_area())
        commands.previous_area.triggered.connect(lambda: window.keyboard.next_area(-1))
        area = window.keyboard.area
        commands.describe.triggered.connect(
            lambda: description_page(window, described(window.panels, area())).show()
        )
        commands.languages[language.chosen()].setChecked(True)
        for name, action in commands.languages.items():
            action.triggered.connect(partial(self._choose_language, name, window.notices))
        commands.by_ear.triggered.connect(self.ear.start)
        commands.shortcuts.triggered.connect(lambda: shortcuts_page(window, commands.menus).show())
        commands.about.triggered.connect(lambda: about_page(window).show())
        commands.runs_folder.triggered.connect(self.runs.show_folder)
        setup.data_requested.connect(self.own.choose_data)
        setup.checkpoint_requested.connect(lambda: self.own.choose_base(setup.config))
        commands.open_base.triggered.connect(lambda: self.own.choose_base(setup.config))

    def _choose_language(self, name: str, notices: Notices) -> None:
        language.choose(name)
        notices.news(self.tr("The language is another one from the next start on."))

    def close(self) -> None:
        """Put every dialog away and end what still runs in them."""
        for flow in self._closing:
            flow.close()
