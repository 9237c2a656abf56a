"""The window: toolbar, docks, status bar; what the person does goes to the session that is shown.

Which session that is, and how another one takes its place, is `sessions`' business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QPaintEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QVBoxLayout,
    QWidget,
)

from lora_lab.config import RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LoadedRecord, OpeningRecord
from lora_lab.records import NewsRecord, ResumedRecord, State, StepRecord
from lora_lab.runs.listing import ENDED
from lora_lab.task_info import own_tasks
from lora_lab.training.commands import Evaluate
from lora_lab.training.opening import New, Opening
from lora_lab.ui.layers.dock import LayersDock
from lora_lab.ui.notices.bar import NoticeBar
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.panels import PANELS
from lora_lab.ui.runs.dock import RunsDock
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.shell.actions import Actions
from lora_lab.ui.shell.appearance import Appearance
from lora_lab.ui.shell.dock_host import DockHost
from lora_lab.ui.shell.keyboard import Keyboard
from lora_lab.ui.shell.leaving import Leaving
from lora_lab.ui.shell.status import StatusStrip
from lora_lab.ui.shell.wiring import connect_docks
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import in_words, state_words
from lora_lab.ui.train.continue_dialog import ask_further
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from lora_lab.ui.train.setup import SetupDock
from lora_lab.ui.train.targets import without_lost_layers
from lora_lab.ui.widgets.consent import agrees_to_run
from lora_lab.ui.widgets.dialogs import ask

if TYPE_CHECKING:
    from lora_lab.presets import Preset
    from lora_lab.ui.session.sessions import AnySession


class MainWindow(QMainWindow):
    """One experiment in view: its controls on the left, its plots on the right."""

    painted = Signal()  # once, after the first paint: now the engine may be started
    closing = Signal()  # the sessions have ended, and what else is open ends with the window
    left = Signal()  # every session is closed and joined: the program may end

    def __init__(
        self,
        open_session: Callable[[Opening], AnySession],
        presets: Sequence[Preset],
        notices: Notices | None = None,
    ) -> None:
        super().__init__()
        self.open_session = open_session
        self._may_close = self._was_painted = self._engine_known = False
        self.flows: QObject | None = None  # what opens from the menus; set once it is painted
        self.ask = partial(ask, self)
        self.ask_further = partial(ask_further, parent=self)
        self.may_run: Callable[[str], bool] = partial(agrees_to_run, self)

        self.setWindowTitle("LoRA Lab")
        self.notices = notices or Notices(self)
        self.notice_bar = NoticeBar(self.notices)
        self.sessions = Sessions(open_session, self)
        standing = self.sessions.standing
        self.setup_dock = SetupDock(presets)
        self.hyper_dock = HyperparametersDock(standing=standing)
        self.layers_dock = LayersDock(standing=standing)
        self.runs_dock = RunsDock()
        self.panels = [kind() for kind in PANELS.values()]
        for panel in self.panels:
            panel.follow(standing)
        self.sessions.show_on(self.panels)
        left = [self.setup_dock, self.hyper_dock]
        self.host = DockHost(left, self.panels, {"counts": self.layers_dock}, [self.runs_dock])
        self.strip = StatusStrip(standing=standing)
        self.setStatusBar(self.strip)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.host)
        self.notice_bar.setParent(middle)  # it lies over the foot of the docks
        self.strip.insertWidget(1, self.notice_bar.chip)
        self.setCentralWidget(middle)

        self.leaving = Leaving(self.sessions, lambda *texts: self.ask(*texts), self)
        self.commands = Actions(self)
        self.keyboard = Keyboard(self, self.host, self.notice_bar.dismiss)
        self.appearance = Appearance(self, self.host, self.commands.schemes)
        self.commands.restyle(theme.current())
        self.addToolBar(self.commands.toolbar())
        self.commands.fill_menus(self, self.host.toggles())
        for preset in presets:
            action = self.commands.presets_menu.addAction(in_words(preset.title))
            action.triggered.connect(
                lambda _=False, name=preset.name: self.setup_dock.choose_preset(name)
            )
        connect_docks(
            self.sessions, self.setup_dock, self.hyper_dock, self.layers_dock, self.panels
        )
        self._connect_sessions()
        self._connect_person()
        self.appearance.restore()
        self._show_state()
        self.painted.connect(self.host.raise_floating)

    @property
    def state(self) -> State:
        """The state of the session that is shown."""
        return self.sessions.state

    @property
    def closed(self) -> bool:
        """Whether every session has ended and the window is away for good."""
        return self._may_close

    def announce(self, config: RunConfig) -> None:
        """Show what is going to be opened, so that the first paint is not an empty form."""
        self.setup_dock.show_config(config)
        self.sessions.standing.announce(config.hyper)
        for panel in self.panels:
            panel.say(" ")
        self.panels[0].say(self.tr("Loading the engine…"))
        self._show_state()

    def open(self, config: RunConfig) -> int:
        """Open a new run of `config`; returns what `begin` does."""
        return self.begin(New(config))

    def begin(self, opening: Opening) -> int:
        """Open a new run, one that is resumed, or one that branches off, beside what is shown.

        A run that is training is asked about first. The id of the session; 0: nothing is opened.
        """
        stays = self.sessions.stays  # a run in a process of its own continues there
        if not stays and not self._may_end(
            self.tr("Training is running. Open anyway?"), self.tr("&Open")
        ):
            self._show_config()
            return 0
        return self._begin(opening)

    def _may_end(self, question: str, yes: str) -> bool:
        """Whether the run that is shown may end: one that is training is asked about."""
        return not self.sessions.running or self.ask(
            question,
            self.tr("The run ends at this step and its adapter is saved."),
            yes,
            self.tr("Keep training"),
        )

    def restart(self) -> None:
        """Begin again at step 0 with the settings as they stand in the docks; the run is saved.

        A run that is training is asked about first, whether or not a setting was changed.
        """
        config = self.setup_dock.config
        if config is None:
            return
        try:
            config = self.requested_config(config)
        except LabError as error:
            self.notices.error(str(error))
            return
        if self._may_end(self.tr("Training is running. Restart anyway?"), self.tr("&Restart")):
            if self.sessions.apart:  # it would train on where it is
                self.sessions.pause()
            self._begin(New(config))

    def requested_config(self, config: RunConfig) -> RunConfig:
        """`config` with the settings as they stand in the docks; raises LabError."""
        config = self.setup_dock.requested_config(config)
        loaded = self.sessions.standing.loaded
        if loaded is not None and not loaded.stage:
            config = changed(config, hyper=self._hyper_for(config))
        return config

    def _hyper_for(self, config: RunConfig) -> Hyperparameters:
        """The requested settings, without what only the layers of the old run could have."""
        hyper, layers = self.hyper_dock.requested, self.setup_dock.fixed.targets.layers()
        return hyper if layers is None else without_lost_layers(hyper, config, layers)

    def leave(self) -> None:
        """Finish the step, save, and end; the close button, Quit and Ctrl-C all come here."""
        if not self.sessions.leaving:
            self.appearance.save()
            self.sessions.close_all()

    def finish(self) -> bool:
        """End whatever still runs and wait for it: the last resort when the event loop is gone.

        False where an opening does not end.
        """
        return self.sessions.finish()

    def _begin(self, opening: Opening) -> int:
        try:
            if not self.may_run(opening.config.factory):
                self._show_config()
                return 0
        except LabError as error:
            self.notices.error(str(error))
            return 0
        if not self.leaving.saved_first():
            self._show_config()
            return 0
        if not self.sessions.leaving:
            self.setup_dock.show_config(opening.config)
        try:
            return self.sessions.open(opening)
        except LabError as error:  # no process, or no folder, for a run that needs them at once
            self.notices.error(str(error))
            self._show_config()
            return 0

    def _show_config(self) -> None:
        """Let the setup dock show what is open, not what was tried."""
        if self.sessions.config is not None:
            self.setup_dock.show_config(self.sessions.config)

    # -- what the session says ---------------------------------------------------------------

    def _on_loaded(self, record: LoadedRecord) -> None:
        if not self._engine_known:
            self._engine_known = True
            self._offer_engine()
        stage = f" ({in_words(record.stage)})" if record.stage else ""
        self.setWindowTitle(f"{record.title}{stage} – LoRA Lab")
        for panel in self.panels:
            panel.say("")  # what `announce` said
        self.strip.reset(record)
        self.setup_dock.reset(record)  # and tells what is targeted
        self._show_state()

    def _offer_engine(self) -> None:
        """What only the engine knows, asked now that the session's thread has imported torch."""
        from lora_lab.training.devices import device_choices

        self.setup_dock.offer_devices(device_choices())

    def _on_all_ended(self) -> None:
        self._may_close = True
        self.closing.emit()
        self.close()
        self.left.emit()

    # -- what the person does ----------------------------------------------------------------

    def _train(self) -> None:
        """Train, or pause; a run that has ended goes on for as many steps as the person says."""
        sessions, config = self.sessions, self.sessions.config
        if not (sessions.paused and sessions.state in ENDED and sessions.step and config):
            sessions.toggle()
            return
        session, standing = sessions.id, sessions.standing
        config = changed(config, max_steps=standing.loaded.max_steps, epochs=None)
        further = self.ask_further(config, standing.requested.learning_rate, sessions.step)
        if further and sessions.id == session and sessions.state in ENDED:
            sessions.train_on(further)

    def _on_device_chosen(self, name: str) -> None:
        if config := self.setup_dock.config:
            self.open(changed(config, device=name))

    def restyle(self, colors: theme.Colors) -> None:
        """Take up the colours in force."""
        self.commands.restyle(colors)
        tones = {"news": colors.accent, "warning": colors.warn, "error": colors.error}
        self.notice_bar.restyle(tones, colors.text, colors.panel)
        self.layers_dock.restyle()
        self.runs_dock.restyle()
        for panel in self.panels:
            panel.restyle(colors)

    def _show_full_screen(self, on: bool) -> None:
        """As it was before, maximised too, once it is off again."""
        full = Qt.WindowState.WindowFullScreen
        self.setWindowState(self.windowState() | full if on else self.windowState() & ~full)

    def _show_state(self) -> None:
        """Bring words and actions in line with what the session is doing."""
        sessions, commands, state = self.sessions, self.commands, self.sessions.state
        serving = sessions.serving and not sessions.opening
        ready = serving and state in (State.PAUSED, State.RUNNING, *ENDED)
        begun = ready and (sessions.step > 0 or sessions.running)
        loaded = sessions.standing.loaded
        pretraining = loaded is not None and bool(loaded.stage)
        commands.follow(ready, begun, sessions.running, state in ENDED, pretraining)
        known = self.setup_dock.config is not None and not self.sessions.leaving
        commands.restart.setEnabled(known and not sessions.opening)
        commands.open.setEnabled(not self.sessions.leaving)
        own = known and self.setup_dock.config.task in own_tasks()
        commands.open_base.setEnabled(known and not own)
        self.host.setEnabled(not (sessions.leaving or sessions.moving))
        if sessions.shown is not None:
            self.strip.show_state()
        self.strip.set_opening(sessions.opening and not sessions.leaving)
        if sessions.leaving or self.leaving.pending:
            self.strip.say(self.tr("Saving…"))
        elif sessions.moving:
            self.strip.say(self.tr("Moving the run…"))
        elif sessions.opening:
            self.strip.say(self.tr("Loading…"))
        elif sessions.apart and ready:
            words = self.tr("{}, in the background") if sessions.edits else self.tr("{}, watched")
            self.strip.say(words.format(state_words(state, sessions.step)))
        elif sessions.shown is None and sessions.gave_up:
            self.strip.say(self.tr("Nothing is open"))

    def _connect_sessions(self) -> None:
        sessions = self.sessions
        sessions.on(LoadedRecord, self._on_loaded)
        sessions.on(StepRecord, self.strip.set_step)
        sessions.on(ResumedRecord, self.strip.set_back)
        sessions.on(OpeningRecord, self.strip.show_opening)
        sessions.on(NewsRecord, lambda record: self.notices.warning(record.message))
        sessions.state_changed.connect(self._show_state)
        sessions.failed.connect(lambda r: self.notices.error(r.message, r.details))
        sessions.opening_failed.connect(self._show_config)
        sessions.all_ended.connect(self._on_all_ended)
        standing = sessions.standing
        standing.changed.connect(
            lambda: self.commands.adapter.setChecked(standing.requested.enabled)
        )

    def _connect_person(self) -> None:
        commands = self.commands
        self.strip.cancel_requested.connect(self.sessions.cancel_opening)
        self.strip.skip_requested.connect(self.sessions.skip_measuring)
        commands.train.triggered.connect(self._train)
        commands.stop.triggered.connect(self.sessions.stop)
        commands.restart.triggered.connect(self.restart)
        commands.adapter.triggered.connect(self.hyper_dock.switch_adapter)
        commands.evaluate.triggered.connect(lambda: self.sessions.request(Evaluate()))
        commands.quit.triggered.connect(self.close)
        self.leaving.allowed.connect(self.leave)
        self.leaving.waiting.connect(lambda _: self._show_state())
        self.leaving.export_requested.connect(commands.export.trigger)
        commands.reset_layout.triggered.connect(self.host.reset_layout)
        commands.full_screen.toggled.connect(self._show_full_screen)
        self.appearance.changed.connect(self.restyle)
        setup = self.setup_dock
        setup.preset_chosen.connect(self.open)
        setup.device_chosen.connect(self._on_device_chosen)
        setup.restart_requested.connect(self.restart)
        layers, fixed = self.layers_dock, setup.fixed
        fixed.edited.connect(lambda: layers.set_targeted(fixed.targets.layers()))
        layers.targets_requested.connect(fixed.targets.target)
        layers.restart_requested.connect(self.restart)
        layers.spectrum_requested.connect(lambda: self.host.bring("spectrum"))

    # -- the life of the window --------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self, self.painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._may_close:  # the sessions end first; then the window closes itself
            self.leaving.start()
        event.setAccepted(self._may_close)  # a signal may have ended them while it was asked
