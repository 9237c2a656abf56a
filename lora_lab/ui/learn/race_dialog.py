"""Rank race: several adapters over one base on the same batches, moved while they run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from lora_lab.config import RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.race.looks import LaneKept, LaneNow, RaceNow, RaceRefused
from lora_lab.race.script import read_ranks
from lora_lab.ui.learn.learn_page import LearnPage
from lora_lab.ui.learn.race_lane import RaceLane, cut_tip, heads
from lora_lab.ui.learn.race_plot import RacePlot
from lora_lab.ui.style.figures import duration, in_words
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Whole
from lora_lab.ui.widgets.labels import label

if TYPE_CHECKING:
    from lora_lab.race.live import LiveRace
    from lora_lab.race.race import Race

PAGE = "rank-race"
RANKS = "1, 2, 4, 8"
MOST_LANES = 26


class RaceDialog(LearnPage):
    """The curves of all lanes over a row for each, with its knobs; the race has its own model."""

    run_kept = Signal(str)  # the folder of a lane that is to be opened as a run

    def __init__(
        self, config: Callable[[], RunConfig | None], parent: QWidget | None = None
    ) -> None:
        """`config`: the model and data at hand, with the settings of the docks."""
        super().__init__(self.tr("Rank race"), self.tr("&Start"), PAGE, config, parent)
        self._live: LiveRace | None = None
        self._about: tuple[object, ...] = ()  # what is open
        self._opening, self._running = False, False
        self.now: RaceNow | None = None
        self.lanes: dict[str, RaceLane] = {}
        self._places = 0  # of lanes that were ever in this race
        tr = self.tr
        self.plot = RacePlot()
        self.ranks = QLineEdit(RANKS)
        self.ranks.setAccessibleName(tr("Ranks, a lane each"))
        self.ranks.setToolTip(tr("A lane for each rank, as in 1, 2, 4, 8"))
        self.stack = QCheckBox(tr("&Stack the lanes"))
        self.stack.setToolTip(
            tr("All lanes in one batch: the same result but for rounding, quicker for small nets")
        )
        self.new_rank = Whole(1, 4096)
        self.new_rank.setValue(16)
        self.new_rank.setPrefix(tr("rank "))
        self.new_rank.setAccessibleName(tr("Rank of another lane"))
        self.add_button = QPushButton(tr("&Add a lane"), autoDefault=False)
        self.again_button = QPushButton(tr("&New race"), autoDefault=False)
        rows = (self.sentence, 0), (self.plot, 3), (self._lanes(), 3)
        knobs = label(tr("Ranks")), self.ranks, self.again_button, self.stack, None
        self._lay_out(rows, (*knobs, self.new_rank, self.add_button), (72, 46))
        self.again_button.clicked.connect(lambda: self.prepare(anew=True))
        self.add_button.clicked.connect(lambda: self._add(self.new_rank.value()))
        self.stack.clicked.connect(self._on_stack)
        self.ranks.editingFinished.connect(self.prepare)
        self._show_state()

    def _lanes(self) -> QWidget:
        """The place of the lanes' rows, which rolls."""
        body = QWidget()
        self.grid = QGridLayout(body)
        self.grid.setContentsMargins(0, 0, 8, 0)
        self.grid.setHorizontalSpacing(12)
        self.grid.setVerticalSpacing(2)
        for column, text in enumerate(heads()):
            head = label(text, "small")
            if column == len(heads()) - 1:
                head.setToolTip(cut_tip())
            right = Qt.AlignmentFlag.AlignRight if column not in (0, 1, 2, 8) else 0
            self.grid.addWidget(head, 0, column, Qt.AlignmentFlag.AlignBottom | right)
        self.grid.setColumnStretch(8, 1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setAccessibleName(self.tr("Lanes"))
        outer = QWidget()
        column = QVBoxLayout(outer)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(body)
        column.addStretch(1)
        scroll.setWidget(outer)
        return scroll

    @property
    def running(self) -> bool:
        """Whether steps are being made."""
        return self._running

    def restyle(self, colors: Colors) -> None:
        self.plot.restyle(colors)
        for lane in self.lanes.values():
            lane.restyle()

    def reject(self) -> None:
        """Escape pauses what runs first, and closes then."""
        if self._running:
            self._on_button()
        else:
            super().reject()

    def stop(self) -> None:
        """End the race where it stands; what was drawn stays."""
        self._works.cancel()
        self._live, self._about = None, ()
        self._opening = self._running = False
        self._show_state()

    def prepare(self, anew: bool = False) -> None:
        """Open a race of these ranks on what is at hand, so that its price can be said before."""
        config, text = self._config(), self.ranks.text()
        about = (config, text)
        begun = self.now is not None and self.now.steps > 0 and self._live is not None
        if not anew and (about == self._about or begun):
            return
        self.stop()
        self._about, self.now = about, None
        self.plot.clear_lanes()
        for name in tuple(self.lanes):
            self.lanes.pop(name).remove(self.grid)
        self._places = 0
        try:
            if config is None:
                raise LabError(self.tr("Open a model first."))
            found = read_ranks(text)
            if not found:
                raise LabError(self.tr("Name a rank at least, as in 1, 2, 4, 8."))
            configs = {self._next_name(): _with_rank(config, rank) for rank in found}
        except LabError as error:
            self._refuse(str(error))
            return
        self._opening = True
        self._say(self.tr("Opening the base once for all lanes…"))
        self._show_state()
        work = partial(_opened, configs, self.stack.isChecked())
        self._works.start(work, self._on_opened, self._refuse, self._refuse)

    def _on_opened(self, live: LiveRace) -> None:
        self._live, self._opening = live, False
        price = live.price
        words = self.tr("About {}: {:,} rounds of {:,} steps over one base.").format(
            duration(price.seconds), live.goal, self._places
        )
        if price.stacked == price.stacked:
            gain = price.step / price.stacked
            words += " " + self.tr("Stacked {} times as fast.").format(f"{gain:.1f}")
        self.stack.setEnabled(price.stacked == price.stacked)
        self.stack.setToolTip(
            in_words(price.obstacle) if price.obstacle
            else self.tr("All lanes in one batch: the same result but for rounding")
        )  # fmt: skip
        self._say(words)
        self._works.start(live.run, lambda _: None, self._refuse, self._refuse, item=self._take)

    def _take(self, item: object) -> None:
        if isinstance(item, RaceNow):
            self._show_race(item)
        elif isinstance(item, RaceRefused):
            self._say(in_words(item.message), "error")
        elif isinstance(item, LaneKept):
            self._say(self.tr("Lane {} is kept as a run: {}").format(item.name, item.path.name))
            self.run_kept.emit(str(item.path))

    def _show_race(self, now: RaceNow) -> None:
        self.now = now
        self._running = not now.resting
        names = [lane.name for lane in now.lanes]
        for name in set(self.lanes) - set(names):
            self.lanes.pop(name).remove(self.grid)
        for name in names:
            if name not in self.lanes:
                self.lanes[name] = self._new_lane(name)
        top = max((float(lane.sigma[0]) for lane in now.lanes if len(lane.sigma)), default=1.0)
        for lane in now.lanes:
            self.lanes[lane.name].show_lane(lane, top)
        self.plot.show_lanes({self.lanes[lane.name].place: lane for lane in now.lanes})
        self.sentence.setText(self._in_a_sentence(now))
        self._show_state()

    def _in_a_sentence(self, now: RaceNow) -> str:
        known = [lane for lane in now.lanes if lane.validation_loss == lane.validation_loss]
        if not now.steps or not known:
            return self.tr("The same base, the same batches: which rank is enough?")
        best = min(known, key=lambda lane: lane.validation_loss)
        words = self.tr("Step {:,} of {:,}: rank {} has the least validation loss").format(
            now.steps, now.goal, best.rank
        )
        near = self._nearly(best, known)
        if near is None:
            return f"{words}."
        return self.tr("{}; rank {} comes within 5 % of it with {:,} numbers.").format(
            words, near.rank, near.trained
        )

    @staticmethod
    def _nearly(best: LaneNow, known: list[LaneNow]) -> LaneNow | None:
        """The smallest lane that is nearly as good."""
        near = [
            lane for lane in known
            if lane.trained < best.trained and lane.validation_loss <= 1.05 * best.validation_loss
        ]  # fmt: skip
        return min(near, key=lambda lane: lane.trained, default=None)

    def _new_lane(self, name: str) -> RaceLane:
        place = ord(name[0]) - ord("A") if len(name) == 1 else self._places
        lane = RaceLane(name, place, self)
        lane.edited.connect(lambda who, values: self._ask(lambda r: r.edit(who, **values)))
        lane.cloned.connect(self._clone)
        lane.opened.connect(lambda who: self._live is not None and self._live.ask_to_keep(who))
        lane.dropped.connect(lambda who: self._ask(lambda r: r.drop(who)))
        lane.lay(self.grid, 2 * place + 1)
        return lane

    def _next_name(self) -> str:
        place, self._places = self._places, self._places + 1
        if place >= MOST_LANES:
            raise LabError(self.tr("A race has {} lanes at most.").format(MOST_LANES))
        return chr(ord("A") + place)

    def _add(self, rank: int) -> None:
        config = self._config() if self._live is None else self._about[0]
        if isinstance(config, RunConfig):
            self._named(lambda name: lambda race: race.add(name, _with_rank(config, rank)))

    def _clone(self, source: str) -> None:
        self._named(lambda name: lambda race: race.clone(source, name))

    def _named(self, request: Callable[[str], Callable[[Race], object]]) -> None:
        try:
            self._ask(request(self._next_name()))
        except LabError as error:
            self._say(str(error), "error")

    def _ask(self, request: Callable[[Race], object]) -> None:
        if self._live is not None:
            self._live.ask(request)

    def _on_stack(self, on: bool) -> None:
        self._ask(lambda race: setattr(race, "stacked", on))

    def _on_button(self) -> None:
        if self._live is not None:
            self._live.pause(self._running)

    def _refuse(self, message: str) -> None:
        self._live, self._opening, self._running = None, False, False
        self._say(message, "error")
        self._show_state()

    def _show_state(self) -> None:
        now, tr = self.now, self.tr
        begun = now is not None and now.steps > 0
        ended = begun and not any(lane.step < now.goal for lane in now.lanes)
        words = tr("&Pause") if self._running else tr("&Continue") if begun else tr("&Start")
        self.button.setText(words)
        self.button.setEnabled(self._live is not None and now is not None and not ended)
        self.add_button.setEnabled(self._live is not None)
        self.again_button.setEnabled(begun or self._live is None)
        if now is None and not self._opening:
            self.sentence.setText(tr("The same base, the same batches: which rank is enough?"))


def _with_rank(config: RunConfig, rank: Any) -> RunConfig:
    return changed(config, hyper=changed(config.hyper, rank=rank).model_dump())


def _opened(configs: dict[str, RunConfig], stacked: bool, report: Report) -> LiveRace:
    from lora_lab.race.live import LiveRace

    return LiveRace(configs, report, stacked)
