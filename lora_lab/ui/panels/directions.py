"""What a direction means: the tokens that u writes, the data that excite v, v as a picture."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QT_TRANSLATE_NOOP, QUrl
from PySide6.QtGui import QColor, QImage, QShowEvent, QTextDocument
from PySide6.QtWidgets import QPushButton, QTextBrowser, QWidget

from lora_lab.measured import DirectionsRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import (
    CancelledRecord,
    ErrorRecord,
    Record,
    SpectrumRecord,
    State,
    StateRecord,
)
from lora_lab.training.questions import ExplainDirections
from lora_lab.ui.panels.direction_html import direction_html
from lora_lab.ui.panels.panel import Columns, Panel
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Combo
from lora_lab.ui.widgets.labels import label, show

PICTURE = 96  # pixels of v as a picture
SHARE = 20  # times what an answer took must pass before the next one is asked for by itself


class DirectionsPanel(Panel):
    """The first directions of one layer, live; the data are asked when it is chosen."""

    key = "directions"
    name = QT_TRANSLATE_NOOP("Panel", "Directions")
    folded = True

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._record: DirectionsRecord | None = None
        self._data: DirectionsRecord | None = None  # the newest one that asked the data
        self._waiting = False
        self._behind = False  # a newer spectrum came while no answer could be asked for
        self._rest_until = 0.0  # of asking by itself, by the clock
        self.layer_combo = Combo()
        self.layer_combo.setAccessibleName(self.tr("Layer whose directions are shown"))
        self.layer_combo.setSizeAdjustPolicy(
            Combo.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.layer_combo.setMinimumContentsLength(12)
        self.layer_combo.activated.connect(lambda _: self._on_chosen())
        self.data_button = QPushButton(self.tr("Ask the data"))
        self.data_button.setToolTip(
            self.tr("Find the validation rows that excite each direction most; some seconds")
        )
        self.data_button.clicked.connect(lambda: self.ask(True))
        self.words = label(role="small")
        self.words.setWordWrap(True)
        self.text = QTextBrowser()
        self.text.setOpenLinks(False)
        self.text.setAccessibleName(self.tr("What each direction writes and what excites it"))
        self.head.addWidget(self.layer_combo, 1)
        self.head.addWidget(self.data_button)
        self.body.addWidget(self.words)
        self.body.addWidget(self.text, 1)

    def reset(self, loaded: LoadedRecord) -> None:
        chosen = self.layer_combo.currentText()
        self._record = self._data = None
        self._waiting = self._behind = False
        names = [layer.name for layer in loaded.layers]
        self.layer_combo.clear()
        self.layer_combo.addItems(names)
        self.layer_combo.setCurrentIndex(names.index(chosen) if chosen in names else len(names) - 1)
        self.dirty = True

    def choose_layer(self, name: str) -> None:
        """Follow the layer that is chosen elsewhere; of all layers the present one stays."""
        place = self.layer_combo.findText(name) if name else -1
        if place >= 0 and place != self.layer_combo.currentIndex():
            self.layer_combo.setCurrentIndex(place)
            self._on_chosen()

    def _on_chosen(self) -> None:
        self._record = self._data = None
        self.dirty = True
        if self.isVisible():
            self.ask(self.standing.state is not State.RUNNING)

    def ask(self, data: bool) -> None:
        """Ask the engine; of a training run only what takes a moment, unless a person asks."""
        name = self.layer_combo.currentText()
        if name:
            self._waiting, self._behind = True, False
            self.command_asked.emit(ExplainDirections(name, data=data))
            self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        running = self.standing.state is State.RUNNING  # which stands as it was before these
        for record in records:
            if isinstance(record, DirectionsRecord):
                self._take(record)
            elif isinstance(record, ErrorRecord) and record.ends(ExplainDirections):
                self._waiting = False
                show(self.words, record.message)
            elif isinstance(record, CancelledRecord):
                self._waiting &= record.command != ExplainDirections.__name__
            elif isinstance(record, SpectrumRecord):
                self._behind = True
            elif isinstance(record, StateRecord):
                running = record.state is State.RUNNING
        rested = not running or time.monotonic() >= self._rest_until
        if self._behind and rested and self.isVisible() and not self._waiting:
            self.ask(self._record is None and not running)

    def _take(self, record: DirectionsRecord) -> None:
        self._waiting = False
        self._rest_until = time.monotonic() + SHARE * record.seconds
        if record.layer == self.layer_combo.currentText():
            self._record = record
            if record.asked_data and record.directions:  # of ΔW = 0 nothing was looked at
                self._data = record
            self.dirty = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if (self._record is None or self._behind) and not self._waiting:
            self.ask(self.standing.state is not State.RUNNING)

    def redraw(self) -> None:
        self.dirty = False
        if self.standing.loaded is None:
            self.say(self.tr("Open a run to see what its directions mean."))
            return
        self.say("")
        record = self._record
        if record is None:
            show(self.words, self.tr("Asking the model…") if self._waiting else "")
            self.text.clear()
            return
        show(self.words, self._head(record))
        colors = theme.current()
        document = QTextDocument(self.text)
        for number, direction in enumerate(record.directions):
            if direction.picture is not None:
                place = QUrl(f"v{number}")
                picture = signed_picture(direction.picture, colors)
                document.addResource(QTextDocument.ResourceType.ImageResource, place, picture)
        for number, direction in enumerate(self._data.directions if self._data else ()):
            for row, excited in enumerate(direction.excited):
                if excited.image is not None:
                    place = QUrl(f"x{number}-{row}")
                    picture = grey_picture(excited.image)
                    document.addResource(QTextDocument.ResourceType.ImageResource, place, picture)
        document.setDefaultFont(self.text.font())
        document.setHtml(direction_html(record, self._data, colors))
        kept = self.text.verticalScrollBar().value()
        self.text.setDocument(document)
        self.text.verticalScrollBar().setValue(kept)

    def _head(self, record: DirectionsRecord) -> str:
        if not record.directions:
            return self.tr("ΔW is 0 in this layer: there are no directions yet. Train first.")
        words = self.tr("Step {:,}: the first {} of {} directions, ΔW·x = Σ σ (v·x) u.").format(
            record.step, len(record.directions), record.rank
        )
        if record.no_tokens:
            words += " " + self.tr("No tokens: {}.").format(record.no_tokens)
        data = self._data
        if data is not None and data.no_rows:
            words += " " + self.tr("No rows: {}.").format(data.no_rows)
        elif data is not None:
            words += " " + self.tr("{:,} validation rows were looked at, at step {:,}.").format(
                data.rows, data.step
            )
        return words

    def restyle(self, colors: Colors) -> None:
        self.dirty = True

    def figure_data(self) -> Columns:
        """A row for each token that is written, and for each row that excites a direction."""
        rows: list[tuple[str, int, str, float]] = []
        if self._record is not None:
            for number, direction in enumerate(self._record.directions, 1):
                tokens = direction.tokens
                for token, value in (*tokens.positive, *tokens.negative) if tokens else ():
                    rows.append(("writes", number, token, value))
        for number, direction in enumerate(self._data.directions if self._data else (), 1):
            for x in direction.excited:
                said = f"{x.number}: {x.before}{x.token}{x.after}{x.label}"
                rows.append(("excited by", number, said, x.value))
        names = ("what", "direction", "token or row", "value")
        return dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}

    def summary(self) -> str:
        record = self._record
        if record is None:
            return super().summary() or self.title
        parts = [f"{record.layer}. {self._head(record)}"]
        for number, direction in enumerate(record.directions, 1):
            if direction.tokens is not None:
                words = ", ".join(token.strip() for token, _ in direction.tokens.positive[:4])
                parts.append(self.tr("Direction {} writes {}.").format(number, words))
        return " ".join(parts)


def signed_picture(values: np.ndarray, colors: Colors) -> QImage:
    """(height, width): nothing in the colour of the panel, + and − in one of their own."""
    low, zero, high = (
        np.array(QColor(c).getRgb()[:3], float) for c in (colors.warn, colors.panel, colors.accent)
    )
    share = np.clip(values / (np.abs(values).max() or 1), -1, 1)[..., None]
    rgb = zero + np.where(share > 0, share * (high - zero), -share * (low - zero))
    return _scaled(np.ascontiguousarray(rgb.round().astype(np.uint8)), PICTURE)


def grey_picture(image: np.ndarray) -> QImage:
    """(height, width) or (height, width, 3) of uint8."""
    rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, -1)
    return _scaled(np.ascontiguousarray(rgb), PICTURE // 2)


def _scaled(rgb: np.ndarray, size: int) -> QImage:
    height, width = rgb.shape[:2]
    picture = QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    times = max(1, size // max(height, width))
    return picture.scaled(width * times, height * times)
