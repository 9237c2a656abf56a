"""A run moves out of the window into a process of its own, or back, in mid-run; and is found again.

It is saved, ended here, and resumed there from the very step: as resuming is exact, so is the move.
The process starts and loads the libraries while the run still trains, so that it stands for a
moment only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from lora_lab.engine.places import live_place
from lora_lab.engine.remote import RemoteSession
from lora_lab.engine.start import Starting, can_start
from lora_lab.errors import LabError
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import ErrorRecord, FolderRecord, SavedRecord, State, StateRecord, StepRecord
from lora_lab.training.commands import Save
from lora_lab.training.opening import Resume
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.style.figures import clock
from lora_lab.ui.style.settings import keep, kept
from lora_lab.ui.widgets.background import Works

if TYPE_CHECKING:
    from lora_lab.ui.session.sessions import AnySession

APART, SHOWN, PROPOSED = "background/on", "background/shown", "background/proposed"
LONG, WORTH = 600.0, 60.0  # seconds left: it is proposed; it moves by itself where that is chosen
SURE = 5.0  # seconds of training after which what is left is believed
LOOK_MS = 50


class BackgroundFlow(QObject):
    """At most one move at a time; what is chosen is remembered."""

    chosen = Signal(bool)  # whether runs are to train without the window
    told = Signal(str)  # what is being done, for the status bar

    def __init__(
        self,
        sessions: Sessions,
        notices: Notices,
        open: Callable[[str], object],
        here: Callable[[Resume], AnySession],
        window: QWidget,
    ) -> None:
        """`open` opens a run as the list of runs does; `here` makes a session in this process."""
        super().__init__(window)
        self._sessions, self._notices, self._open, self._here = sessions, notices, open, here
        self.notes: Callable[[], bool] = lambda: True  # whether an end is a note of the desktop
        self._starting: Starting | None = None
        self._then: Callable[[], object] = lambda: None  # once it has moved
        self.held = False  # no move begins: a person is asked what becomes of the run
        self._saving: Callable[[Resume], AnySession] | None = None  # what takes over, once saved
        self._works = Works(self)  # the reading of how it goes on there
        self._training = False  # it is to train there
        self._began: tuple[int, float] | None = None  # step and seconds when it began to train
        self._look = QTimer(self, interval=LOOK_MS)
        self._look.timeout.connect(self._look_for_engine)
        sessions.on(LoadedRecord, self._on_loaded)
        sessions.on(FolderRecord, lambda _: self._note_shown())
        sessions.on(StepRecord, self._on_stepped)
        sessions.on(StateRecord, self._on_state)
        sessions.on(SavedRecord, lambda _: self._on_saved())
        sessions.failed.connect(self._on_failed)
        sessions.opening_failed.connect(self._on_opening_failed)

    @property
    def on(self) -> bool:
        """Whether runs are to train without the window."""
        return kept(APART) == "on"

    @property
    def busy(self) -> bool:
        """Whether a run is on its way."""
        return self._starting is not None or self._saving is not None or self._sessions.moving

    @property
    def can_move(self) -> bool:
        """Whether the shown run could train without the window from now on."""
        sessions = self._sessions
        begun = sessions.folder is not None and sessions.step > 0 and sessions.serving
        return begun and not sessions.apart and not self.busy and not can_start()

    @property
    def may_continue(self) -> bool:
        """Whether the shown run can train on when the window is closed."""
        return self.can_move or self._starting is not None or self._sessions.stays

    @property
    def saving(self) -> bool:
        """Whether the shown run is being saved for its move."""
        return self._saving is not None

    def choose(self, on: bool) -> None:
        """The person wants runs to train without the window, or in it; the shown one moves now."""
        if on and (reason := can_start()):
            self._notices.error(reason)
            on = False
        keep(APART, "on" if on else "off")
        self.chosen.emit(on)
        if on and self.can_move:
            self.move_out()
        elif not on and self._starting is not None:
            self.stay()
        elif not on and self._sessions.apart and not self.busy:
            self.move_back()

    def move_out(self, then: Callable[[], object] = lambda: None) -> None:
        """Let the shown run train in a process of its own; `then` is called when it does."""
        folder = self._sessions.folder
        if self._starting is not None:
            self.follow_with(then)  # it is on its way already
        if not self.can_move or folder is None:
            return
        try:
            self._starting = Starting(folder)
        except LabError as error:
            self._notices.error(str(error))
            return
        self.follow_with(then)
        self.told.emit(self.tr("Starting the engine…"))
        self._look.start()

    def follow_with(self, then: Callable[[], object] = lambda: None) -> None:
        """What is done once the run has moved, in place of what was to be done before."""
        self._then = then

    def stay(self) -> None:
        """Give up a move that has begun; the run trains on where it is."""
        self._give_up("")

    def move_back(self) -> None:
        """Let the shown run train in the window's process again."""
        folder, config = self._sessions.folder, self._sessions.config
        if config is not None and config.processes > 1:
            self._notices.news(self.tr("A run in several processes trains without the window."))
            return
        if folder is not None and self._sessions.serving:
            self.told.emit(self.tr("Moving into the window…"))
            self._save(self._here)

    def find_again(self) -> bool:
        """Show the run that was shown last, where it still trains without the window."""
        shown = kept(SHOWN)
        if not shown or live_place(shown) is None:
            return False
        self._open(shown)
        return True

    def close(self) -> None:
        """Begin no move more."""
        self._drop()
        self._works.finish()

    def _drop(self) -> None:
        """What was begun of a move is not needed."""
        self._saving = None
        self._works.cancel()
        self._look.stop()
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None

    def _look_for_engine(self) -> None:
        """Move once its door is open."""
        starting = self._starting
        try:
            if self.held or starting is None or not starting.ready():
                return
        except LabError as error:
            self._give_up(str(error))
            return
        self._look.stop()
        if not self._sessions.serving or self._sessions.folder is None:
            self._drop()  # something else was opened meanwhile
            return
        self.told.emit(self.tr("Moving out of the window…"))
        self._save(partial(self._there, starting))

    def _save(self, heir: Callable[[Resume], AnySession]) -> None:
        """Pause and save the shown run; nothing moves that is not on the disk."""
        self._training = self._sessions.pause()
        self._saving = heir
        self._sessions.request(Save())

    def _on_saved(self) -> None:
        """Read how it goes on, beside the window, while the run still stands where it is."""
        folder = self._sessions.folder
        if self._saving is not None and folder is not None:
            self._works.cancel()
            self._works.start(lambda _: Resume.at(folder), self._move, self._give_up, self._give_up)

    def _move(self, opening: Resume) -> None:
        heir, self._saving = self._saving, None
        if heir is None or not self._sessions.serving or self._sessions.folder != opening.path:
            self._drop()  # something else was opened meanwhile
        else:
            self._sessions.succeed(partial(heir, opening))

    def _there(self, starting: Starting, opening: Resume) -> RemoteSession:
        self._starting, paused = None, not self._training
        return RemoteSession(
            opening.path, config=opening.config, starting=starting, opening=opening,
            paused=paused, notes=self.notes(),
        )  # fmt: skip

    def _on_loaded(self, record: LoadedRecord) -> None:
        self._began = None
        if self._saving is not None:  # another one was opened, which was not asked to train
            self._training = False
            self._drop()
        sessions, training = self._sessions, self._training
        self._training = False
        if training and not sessions.apart and sessions.paused:
            sessions.toggle()  # it has moved back, and was training
        then, self._then = self._then, lambda: None
        then()

    def _note_shown(self) -> None:
        """Remember which run to find again, should the window end in whatever way."""
        shown = str(self._sessions.folder) if self._sessions.apart else ""
        keep(SHOWN, shown)

    def _on_stepped(self, record: StepRecord) -> None:
        """Once it is known how long a run takes, it moves where that is chosen, or is proposed."""
        if self._began is None:
            self._began = record.step, record.seconds
            return
        step, seconds = self._began
        took = record.seconds - seconds
        if took < SURE or record.step == step or self.held or not self.can_move:
            return
        left = (self._sessions.standing.goal - record.step) * took / (record.step - step)
        if self.on:
            if left > WORTH:
                self.move_out()
        elif left > LONG and not kept(PROPOSED):
            keep(PROPOSED, "yes")
            words = self.tr("This run takes about {} more. It can train without the window, which "
                            "may then be closed.")  # fmt: skip
            go_on = self.tr("Keep training without the window")
            self._notices.warning(words.format(clock(left)), actions=((go_on, self._accept),))

    def _accept(self) -> None:
        self.choose(True)

    def _on_state(self, record: StateRecord) -> None:
        if record.state is not State.RUNNING:
            self._began = None
        if record.state in (State.FAILED, State.CLOSED):
            self._note_shown()
        shown = self._sessions.shown
        lost = self._sessions.apart and shown is not None and shown.session.lost
        if record.state is State.FAILED and lost:
            folder = self._sessions.folder
            resume = (self.tr("Resume it"), partial(self._open, str(folder)))
            self._notices.error(record.message, actions=(resume,) if folder is not None else ())

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        refused = isinstance(record, StateRecord) or record.ends(Save)
        if self._saving is not None and refused:
            self._give_up("")  # why was said by whoever failed

    def _give_up(self, reason: str) -> None:
        """The run stays where it is, and trains on where it did."""
        self._drop()
        self.follow_with()
        if self._training and self._sessions.paused:
            self._sessions.toggle()
        self._training = False
        if reason:
            self._notices.error(reason)
        self._sessions.state_changed.emit()

    def _on_opening_failed(self) -> None:
        """It was saved and ended here, and could not be opened there."""
        shown, folder = self._sessions.shown, self._sessions.folder
        if self._training and shown is not None and shown.ended and folder is not None:
            self._training = False
            self._drop()
            words = self.tr("The run was saved and could not be moved. It can be resumed.")
            resume = (self.tr("Resume it"), partial(self._open, str(folder)))
            self._notices.warning(words, actions=(resume,))
