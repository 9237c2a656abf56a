"""What stands in the shown run: its model, what is applied to it, and what is requested of it.

`Sessions` owns the one of the window and feeds it; docks, panels and flows read it and keep no
copies. A panel or a dock that is shown alone has one of its own.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import AppliedRecord, Record, ResumedRecord, State, StateRecord, StepRecord
from lora_lab.rules import LayerRanks
from lora_lab.variants import PLAIN


class Standing(QObject):
    """One snapshot of hyperparameters is applied and one is requested, whoever moved a part."""

    replaced = Signal(object)  # LoadedRecord: another model, or its next stage; start afresh on it
    changed = Signal()  # what is loaded, requested, previewed, applied or aimed at: draw it anew
    asked = Signal(object, object)  # Hyperparameters before and after a request of the person
    settled = Signal()  # another request stands, and the person did not ask for it

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.config: RunConfig | None = None  # that the shown session was opened with
        self.loaded: LoadedRecord | None = None
        self.ranks: LayerRanks | None = None  # of its layers, as applied
        self.applied = self.requested = Hyperparameters()
        self._previewed: Hyperparameters | None = None
        self.state = State.CLOSED
        self.step = 0
        self.goal = 0  # the last step of the present stage

    @property
    def variant(self) -> str:
        """Of the adapters, and the usual one before there are any."""
        return self.loaded.variant if self.loaded is not None else PLAIN

    @property
    def foreseen(self) -> Hyperparameters:
        """What is requested, or would be if the slider under the finger were let go now."""
        return self._previewed or self.requested

    def announce(self, hyper: Hyperparameters) -> None:
        """Nothing is loaded yet, and this is what will be applied."""
        self.applied = self.requested = hyper
        self.settled.emit()
        self.changed.emit()

    def preview(self, hyper: Hyperparameters) -> None:
        """Let everybody show what `hyper` would do."""
        self._previewed = hyper
        self.changed.emit()

    def request(self, hyper: Hyperparameters) -> None:
        """The person asks for `hyper` at the next step."""
        before, self.requested, self._previewed = self.requested, hyper, None
        self.asked.emit(before, hyper)
        self.changed.emit()

    def settle(self, hyper: Hyperparameters) -> None:
        """What became of the newest request: refused, mended, or replaced by going back."""
        if hyper != self.requested:
            self.requested, self._previewed = hyper, None
            self.settled.emit()
            self.changed.emit()

    def take(self, record: Record) -> None:
        """Follow what the session says."""
        if isinstance(record, StepRecord):
            self.step = record.step
        elif isinstance(record, AppliedRecord):
            self._apply(record.hyper)
        elif isinstance(record, LoadedRecord):
            self.loaded, self.ranks = record, LayerRanks(record)
            self.applied = self.requested = record.hyper
            self._previewed = None
            self.step, self.goal = 0, record.goal
            self.replaced.emit(record)
            self.changed.emit()
        elif isinstance(record, ResumedRecord):
            self.step = record.step
            self._aim(record.stage[1] if record.stage else 0)
        elif isinstance(record, StateRecord) and record.state is not State.CLOSED:
            self.state, self.step = record.state, record.step
            self._aim(record.goal)

    def _apply(self, hyper: Hyperparameters) -> None:
        pending = self.requested != self.applied
        self.applied = hyper
        if self.ranks is not None:
            self.ranks.apply(hyper)
        if not pending:  # the request of before was this very one, or another's
            self.settle(hyper)
        self.changed.emit()

    def _aim(self, goal: int) -> None:
        if goal and goal != self.goal:  # 0: as it was
            self.goal = goal
            self.changed.emit()
