"""What did LoRA find?: the tables and figures of LoRA §7 from runs on the model at hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QLineEdit, QTabWidget, QWidget

from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.progress import Report
from lora_lab.runs.grid import parse_axis
from lora_lab.ui.learn.found_amplified import FoundAmplified
from lora_lab.ui.learn.found_maps import FoundMaps
from lora_lab.ui.learn.found_rows import FoundRows
from lora_lab.ui.learn.learn_page import LearnPage
from lora_lab.ui.style.figures import duration, in_words
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Whole

if TYPE_CHECKING:
    from lora_lab.studies.reading import Maps, Reading, Standing
    from lora_lab.studies.summary import Verdict

PAGE = "what-lora-finds"
PARTS = ("layers", "ranks", "ranks", "ranks")  # which runs each tab needs
MAPS, AMPLIFIED = 2, 3  # tabs
LOOK_MS = 2000  # between two looks, while queued runs are to come


class FoundDialog(LearnPage):
    """A tab for each table or figure; the runs that it reads are those of the queue."""

    queue_requested = Signal(object)  # configs to train, at once
    run_requested = Signal(str)  # a run's folder

    def __init__(
        self, config: Callable[[], RunConfig | None], parent: QWidget | None = None
    ) -> None:
        """`config`: the model and data at hand, with the settings of the docks."""
        tr = self.tr
        super().__init__(tr("What did LoRA find?"), tr("&Queue the runs"), PAGE, config, parent)
        self._reading: Reading | None = None
        self._about: tuple[object, ...] = ()  # what is opened, or being opened
        self._busy, self._next = False, set[str]()  # what is to be read once the work ends
        self.standing: Standing | None = None
        # A run is told to have ended before its folder says so.
        self._looks = QTimer(self, interval=LOOK_MS)
        self._looks.timeout.connect(self.refresh)
        self.layers = FoundRows(tr("Table 5: which layers"), tr("Layers"), False)
        self.ranks = FoundRows(tr("Table 6: which rank"), tr("Rank"), True)
        self.maps = FoundMaps()
        self.amplified = FoundAmplified()
        self.tabs = QTabWidget()
        for page, title in (
            (self.layers, tr("Which &layers")), (self.ranks, tr("Which ran&k")),
            (self.maps, tr("&Shared directions")), (self.amplified, tr("ΔW and &W")),
        ):  # fmt: skip
            self.tabs.addTab(page, title)
        self.tabs.setCurrentIndex(1)
        self.ranks_edit = QLineEdit()
        self.ranks_edit.setPlaceholderText(tr("ranks, as in 1, 4, 16"))
        self.ranks_edit.setAccessibleName(tr("Ranks"))
        self.seeds, self.steps = Whole(0, 16), Whole(0, 1_000_000)
        self.seeds.setPrefix(tr("seeds "))
        self.steps.setPrefix(tr("steps "))
        for box, name, words in (
            (self.seeds, tr("Seeds of each run"), tr("seeds: as it fits")),
            (self.steps, tr("Steps of each run"), tr("steps: as it fits")),
        ):
            box.setAccessibleName(name)
            box.setSpecialValueText(words)
            box.editingFinished.connect(self.prepare)
        self.ranks_edit.editingFinished.connect(self.prepare)
        for rows in (self.layers, self.ranks):
            rows.run_requested.connect(self.run_requested)
        self.maps.asked.connect(lambda: self._read("maps"))
        self.amplified.asked.connect(lambda: self._read("amplified"))
        self.tabs.currentChanged.connect(self._on_tab)
        rows = (self.sentence, 0), (self.details, 0), (self.tabs, 1)
        self._lay_out(rows, (self.ranks_edit, self.seeds, self.steps, None), (52, 36))
        self.sentence.setText(tr("Which layers, which rank, and which directions does ΔW use?"))
        self._show_price()

    def restyle(self, colors: Colors) -> None:
        self.maps.restyle(colors)

    def stop(self) -> None:
        """Look no more, and read no more."""
        self._looks.stop()
        self._works.cancel()
        self._busy, self._about = False, ()

    def prepare(self) -> None:
        """Open the model and data at hand where others were, and look which runs have ended."""
        config = self._config()
        try:
            asked = (parse_axis("rank", self.ranks_edit.text()), self.seeds.value(),
                     self.steps.value())  # fmt: skip
        except ConfigError as error:
            self._refuse(str(error))
            return
        if config is not None and (config, *asked) == self._about:
            self.refresh()
            return
        self._works.cancel()
        self._busy, self._next, self._reading, self.standing = False, set(), None, None
        self._about = (config, *asked)
        if config is None:
            self._refuse(self.tr("Open a model first."))
            return
        self._say(self.tr("Opening the model to say what it costs…"))
        self._start(partial(_opened, config, asked), self._on_opened)

    def refresh(self) -> None:
        """Look for runs that have ended since."""
        self._read("look")

    def _on_opened(self, opened: tuple[Reading, Standing]) -> None:
        self._reading = opened[0]
        self._show(opened[1])

    def _start(self, work: Callable[[Report], Any], done: Callable[[Any], None]) -> None:
        """Run one work, and what was asked for meanwhile behind it."""
        self._busy = True

        def ended(found: Any) -> None:
            self._busy = False
            done(found)
            self._read_next()

        def refused(message: str) -> None:
            self._busy = False
            self._refuse(message)

        self._works.start(work, ended, refused, refused)

    def _read(self, what: str) -> None:
        self._next.add(what)
        self._read_next()

    def _read_next(self) -> None:
        reading = self._reading
        if self._busy or reading is None or not self._next:
            return
        what = next(name for name in ("look", "maps", "amplified") if name in self._next)
        self._next.discard(what)
        if what == "look":
            self._start(lambda _: reading.look(), self._show)
        elif what == "maps":
            choice = self.maps.choice
            self._start(lambda _: reading.maps(*choice), self._show_maps)
        else:
            step = self.amplified.steps.step
            self._start(lambda _: reading.amplification(step), self.amplified.show_rows)

    def _show(self, standing: Standing) -> None:
        self.standing = standing
        headline, details = self._told(standing.verdict)
        self.sentence.setText(headline)
        self._show_details(details)
        equal = self.tr("At {:,} trained numbers each.").format(standing.count)
        by_loss = self.tr("Each at the rate of the least training loss.")
        self.layers.show_rows(standing.sets, f"{equal} {by_loss}" if standing.sets else "")
        self.ranks.show_rows(standing.ranks, by_loss)
        self.maps.show_choices(standing.two, standing.layers, standing.steps)
        self.amplified.steps.show_steps(standing.steps)
        self._show_price()
        if not any(standing.todo.values()):
            self._looks.stop()
        if standing.layers:
            self._next |= {"maps", "amplified"}

    def _told(self, found: Verdict) -> tuple[str, str]:
        """The sentence, and the figures behind it."""
        tr, best, enough = self.tr, found.best, found.enough
        if not found.measured:
            return tr("Nothing has been measured yet."), ""
        if best is None or enough is None:
            return tr("No run stayed finite. Try smaller learning rates."), ""
        if found.measured < found.asked:
            headline = tr("So far rank {} is the best.").format(best.rank)
        elif enough.rank == best.rank:
            headline = tr("Rank {} is the best of these.").format(best.rank)
        else:
            words = tr("Rank {} is enough here; rank {} is hardly better.")
            headline = words.format(enough.rank, best.rank)
        ranks = (enough, best) if enough is not best else (best,)
        at = tr("{} at rank {}")
        losses = ", ".join(at.format(row.loss.words, row.rank) for row in ranks)
        details = [tr("Validation loss {}.").format(losses)]
        if (one := found.shared) is not None:
            words = tr("In {} two runs of rank {} share {:.2f} of the first direction; chance "
                       "makes {:.3f}.")  # fmt: skip
            details.append(words.format(one.layer, one.rank, one.first, one.chance))
        return headline, " ".join(details)

    def _show_maps(self, maps: Maps) -> None:
        self.maps.show_maps(maps)

    def _on_tab(self) -> None:
        self._show_price()

    def _show_price(self) -> None:
        """What the tab that is shown needs, and what that costs."""
        standing, part = self.standing, PARTS[self.tabs.currentIndex()]
        todo = standing.todo[part] if standing is not None else ()
        self.button.setEnabled(bool(todo))
        if standing is None:
            return
        tr, wanted = self.tr, standing.wanted[part]
        if not wanted:
            words = tr("One kind of layers: there is nothing to compare.")
        elif todo:
            words = tr("{} of {} runs are there. About {} for {:,} more of {:,} steps.")
            words = words.format(
                wanted - len(todo), wanted, duration(len(todo) * standing.run_seconds), len(todo),
                standing.run_steps,
            )  # fmt: skip
        else:
            words = tr("All {} runs are there.").format(wanted)
        notes = [f"{in_words(note)[0].upper()}{in_words(note)[1:]}." for note in standing.notes]
        self._say(" ".join((words, *notes)))

    def _on_button(self) -> None:
        if self.standing is not None:
            self.queue_requested.emit(self.standing.todo[PARTS[self.tabs.currentIndex()]])
            self._looks.start()
            self.button.setEnabled(False)
            self._say(self.tr("Queued. Figures appear here as the runs end; the queue shows them."))

    def _refuse(self, message: str) -> None:
        self._say(message, "error")
        self.button.setEnabled(False)


def _opened(
    config: RunConfig, asked: tuple[tuple[int, ...], int, int], report: Report
) -> tuple[Reading, Standing]:
    from lora_lab.studies.plan import Settings
    from lora_lab.studies.reading import Reading

    ranks, seeds, steps = asked
    reading = Reading(config, Settings(ranks=ranks, seeds=seeds, steps=steps), report)
    return reading, reading.look()
