"""The bench as a page: a matrix at the left, its picture and its cut, the numbers at the right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
)

from lora_lab.analysis.matrix import Decomposition, Measured, measure, norm
from lora_lab.analysis.rank import discarded_energy
from lora_lab.data.matrix import Matrix, parse_matrix, read_matrix
from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.ui.bench.analysis import AT_ONCE, Analysis, analyse, what_it_is
from lora_lab.ui.bench.blocks import BlocksView
from lora_lab.ui.bench.energy_bar import EnergyBar, energy_words
from lora_lab.ui.bench.numbers import Numbers
from lora_lab.ui.bench.scene import Scenes
from lora_lab.ui.bench.sigma_plot import SigmaPlot
from lora_lab.ui.bench.source import SourceColumn
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Slider, Whole
from lora_lab.ui.widgets.labels import describe, label
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.workshop.page import Page

REST_MS = 120  # a cut at rest this long is measured, where measuring takes time
WAIT_MS = 300  # work that is done sooner shows no progress
LONG = 50_000  # characters of text that are read beside the window
SPOKEN = 6  # singular values that the summary names


class BenchPage(Page):
    """Everything follows from one `Analysis` and the cut k."""

    def __init__(self) -> None:
        super().__init__()
        tr = self.tr
        self.analysis: Analysis | None = None
        self.k = 0
        self._loading = False
        self._scenes: Scenes | None = None
        self.source = SourceColumn()
        self.source.given.connect(self.show_matrix)
        self.source.typed.connect(self.read)
        self.source.file_requested.connect(self.load)
        self.blocks = BlocksView()
        self.blocks.cut_moved.connect(self.set_cut)
        self.plot = SigmaPlot()
        self.plot.cut_moved.connect(self.set_cut)
        self.energy = EnergyBar()
        self.numbers = Numbers()
        self.slider = Slider()
        self.slider.setAccessibleName(tr("Singular values that are kept"))
        self.spin = Whole(0, 0)
        self.spin.setAccessibleName(tr("Singular values that are kept, as a number"))
        for knob in (self.slider, self.spin):
            knob.setRange(0, 0)
            knob.valueChanged.connect(self.set_cut)
        self._of = label("", "muted")
        self._legend = label("", "small")
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._legend.setToolTip(tr("Rounding alone may make a σ as large as max(m, n)·ε·σ₁"))
        self._rest = QTimer(self, interval=REST_MS, singleShot=True)
        self._rest.timeout.connect(self._measure)
        self._doing = label("", "muted")
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(max(6, self.fontMetrics().height() // 3))
        self._bar.setAccessibleName(tr("Decomposing the matrix"))
        self.cancel_button = QPushButton(tr("Cancel"))
        self.cancel_button.setAutoDefault(False)
        self.cancel_button.clicked.connect(self._on_cancelled)
        self._wait = QTimer(self, interval=WAIT_MS, singleShot=True)
        self._wait.timeout.connect(lambda: self._show_busy(True))
        self.help_button = QToolButton()
        self.help_button.setText("?")
        self.help_button.setProperty("role", "quiet")
        self.help_button.setAccessibleName(tr("The page of the handbook on the SVD"))
        self.help_button.setToolTip(tr("The page of the handbook (F1)"))
        self._lay_out()
        self._show_busy(False)
        self.restyle(theme.current())
        self.source.choose(0)

    # -- the matrix --------------------------------------------------------------------------

    def load(self, path: str) -> None:
        """Read a file; what is shown stays until it is whole."""

        def work(report):
            report(self.tr("Reading"), -1.0)
            return read_matrix(path)

        self._work(work, self.source.show_file)

    def read(self, text: str) -> None:
        """Read a matrix as it is typed; what is shown stays where it is none."""
        if len(text) > LONG:
            self._work(lambda report: analyse(parse_matrix(text), report), self._take)
            return
        try:
            matrix = parse_matrix(text)
        except LabError as error:
            self.stop()
            self.source.refuse(str(error))
        else:
            self.show_matrix(matrix)

    def show_matrix(self, matrix: Matrix) -> None:
        """Take a matrix apart; a large one beside the window."""
        if max(matrix.values.shape) <= AT_ONCE:
            self.stop()
            self._take(analyse(matrix))
        else:
            self._work(lambda report: analyse(matrix, report), self._take)

    def set_cut(self, k: int) -> None:
        """Keep the first k singular values: from the slider, the field, the plot or the keys."""
        if self.analysis is None:
            return
        parts = self.analysis.parts
        self.k = k = max(0, min(int(k), parts.most))
        for knob in (self.slider, self.spin):
            with QSignalBlocker(knob):
                knob.setValue(k)
        self.plot.show_cut(k)
        approximation = parts.truncated(k)
        error = parts.W - approximation
        lost = discarded_energy(parts.sigma, k)
        self.energy.show_energy(parts.sigma, k, lost)
        self.numbers.show_cut(k, norm(error))
        self.blocks.show_scene(self._scenes.scene(k, approximation, error))
        describe(self.plot, self.summary())
        if self.analysis.quick:
            self.numbers.show_measured(measure(parts, k))
        self._measure_later()

    def summary(self) -> str:
        """What the bench shows, in a few sentences."""
        if self.analysis is None:
            return ""
        parts, result = self.analysis.parts, self.analysis.ranks
        lost = discarded_energy(parts.sigma, self.k)
        first = ", ".join(number(float(sigma)) for sigma in parts.sigma[:SPOKEN])
        more = ", …" if parts.most > SPOKEN else ""
        return self.tr(
            "{}. Singular values {}{}. Rank {} by σ, {} by elimination. Cut after {}: energy kept "
            "{}, error {}."
        ).format(
            what_it_is(self.analysis), first, more, result.by_sigma[0], result.by_elimination[0],
            self.k, energy_words(lost), number(parts.predicted(self.k)[0]),
        )  # fmt: skip

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        self.plot.restyle(colors)
        if self.analysis is not None:
            self._scenes = Scenes(self.analysis, colors)
            self._say_legend(colors)
            self.set_cut(self.k)

    def _say_legend(self, colors: Colors) -> None:
        """What the colours of the bars mean, with the tolerance in numbers."""
        tr = self.tr
        rounding = tr("rounding, ≤ {}").format(number(self.analysis.parts.tolerance, 2))
        words = {tr("kept"): colors.adapter, tr("cut"): colors.raw, rounding: colors.frozen}
        marked = (f'<span style="color:{c}">■</span> {word}' for word, c in words.items())
        self._legend.setText("&nbsp;&nbsp; ".join(marked))

    # -- work beside the window --------------------------------------------------------------

    def stop(self) -> None:
        """Cancel what is computed; what is shown stays."""
        self.cancel()
        self._loading = False
        for timer in (self._rest, self._wait):
            timer.stop()
        self._show_busy(False)

    def _work(self, work: Callable[[Report], Any], done: Callable[[Any], None]) -> None:
        self.stop()
        self._loading = True
        self._wait.start()
        self.run(
            work,
            lambda result: self._end(done, result),
            lambda message: self._end(self.source.refuse, message),
            self._on_progress,
        )

    def _on_progress(self, what: str, _share: float) -> None:
        self._doing.setText(f"{what}…")

    def _end(self, receive: Callable[[Any], None], result: Any) -> None:
        """The work is over, and `receive` takes what came of it."""
        self.stop()
        receive(result)
        self._measure_later()

    def _on_cancelled(self) -> None:
        self._end(self.source.refuse, self.tr("Cancelled; the previous result is still shown."))

    def _take(self, analysis: Analysis) -> None:
        self.analysis = analysis
        parts = analysis.parts
        self._scenes = Scenes(analysis, theme.current())
        self._say_legend(theme.current())
        for knob in (self.slider, self.spin):
            with QSignalBlocker(knob):
                knob.setRange(0, parts.most)
        self._of.setText(self.tr("of {}").format(parts.most))
        self.source.say(what_it_is(analysis))
        self.numbers.show_matrix(analysis)
        self.plot.show_sigma(parts.sigma, parts.tolerance, analysis.first_cut)
        self.set_cut(analysis.first_cut)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._measure_later()  # what was cancelled when it was put away

    def _measure_later(self) -> None:
        seen = self.isVisible()  # what nobody sees is measured when it is shown
        if seen and self.analysis is not None and not self.analysis.quick:
            self._rest.start()

    def _measure(self) -> None:
        if self._loading:
            return
        parts, k = self.analysis.parts, self.k

        def work(report: Report) -> tuple[Decomposition, Measured]:
            return parts, measure(parts, k)

        self.run(work, self._on_measured, self.source.refuse)

    def _on_measured(self, result: tuple[Decomposition, Measured]) -> None:
        parts, measured = result
        if parts is self.analysis.parts and measured.k == self.k:
            self.numbers.show_measured(measured)

    def _show_busy(self, busy: bool) -> None:
        for widget in (self._doing, self._bar, self.cancel_button):
            widget.setVisible(busy)

    def _lay_out(self) -> None:
        line = self.fontMetrics().height()
        cut = QHBoxLayout()
        caption = label(self.tr("&Keep"))
        caption.setBuddy(self.slider)
        cut.addWidget(caption)
        cut.addWidget(self.slider, 1)
        cut.addWidget(self.spin)
        cut.addWidget(self._of)
        busy = QHBoxLayout()
        busy.addWidget(self._doing)
        busy.addWidget(self._bar, 1)
        busy.addWidget(self.cancel_button)
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Singular values σᵢ of W"), "title"))
        head.addStretch(1)
        head.addWidget(self._legend)
        head.addWidget(self.help_button)
        middle = QVBoxLayout()
        middle.setSpacing(6)
        middle.addLayout(busy)
        middle.addWidget(self.blocks, 8)
        middle.addLayout(head)
        middle.addWidget(self.plot, 5)
        middle.addLayout(cut)
        middle.addWidget(self.energy)
        scroll = QScrollArea()
        scroll.setAccessibleName(self.tr("The decomposed matrix"))
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.numbers)
        scroll.setFixedWidth(19 * line)
        self.source.setMinimumWidth(13 * line)
        self.source.setMaximumWidth(20 * line)
        row = QHBoxLayout(self)
        row.setSpacing(14)
        row.addWidget(self.source, 1)
        row.addLayout(middle, 5)
        row.addWidget(scroll)
