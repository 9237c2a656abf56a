"""Where the matrix comes from: a sample, what is typed, or a file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QSignalBlocker, QTimer, Signal
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.data.matrix import FILES, Matrix
from lora_lab.ui.bench.samples import SAMPLES
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import shape_words
from lora_lab.ui.widgets.controls import Combo
from lora_lab.ui.widgets.labels import label, show

translate = QCoreApplication.translate

REST_MS = 250  # typing at rest this long is read
TYPED = 1024  # numbers of a file that are put into the field, to go on from there


class SourceColumn(QWidget):
    """`given` has a matrix, `typed` the text of one, `file_requested` the path of one."""

    given = Signal(object)  # data.matrix.Matrix
    typed = Signal(str)
    file_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        tr = self.tr
        self.samples = Combo()
        self.samples.setAccessibleName(tr("Sample matrix"))
        self.samples.setPlaceholderText(tr("your own"))
        self.samples.addItems([translate("SVD bench", sample.title) for sample in SAMPLES])
        self.samples.setMinimumContentsLength(16)
        self.samples.setCurrentIndex(-1)
        self.samples.activated.connect(self.choose)
        self.samples.currentIndexChanged.connect(self._on_sample)
        self._says = label("", "muted")
        self.text = QPlainTextEdit()
        self.text.setAccessibleName(tr("The matrix, a row per line"))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setTabChangesFocus(True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.textChanged.connect(self._on_typed)
        self.load_button = QPushButton(tr("&Load…"))
        self.load_button.setToolTip(tr(".csv, .txt, .npy or an image; or drop one on the window"))
        self.load_button.setAutoDefault(False)  # Enter belongs to the fields
        self.load_button.clicked.connect(self._on_load)
        self.message = label("", "muted", tr("What the matrix is"))
        for words in (self._says, self.message):
            words.setWordWrap(True)
        self._rest = QTimer(self, interval=REST_MS, singleShot=True)
        self._rest.timeout.connect(lambda: self.typed.emit(self.text.toPlainText()))

        head = QHBoxLayout()
        caption = label(tr("&Matrix W"))
        caption.setBuddy(self.text)
        head.addWidget(caption, 1)
        head.addWidget(self.load_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.samples)
        column.addWidget(self._says)
        column.addLayout(head)
        column.addWidget(self.text, 1)
        column.addWidget(self.message)
        hint = label(tr("A row per line; 1/3 and 2e-3 are numbers."), "small")
        hint.setWordWrap(True)
        column.addWidget(hint)

    def choose(self, index: int) -> None:
        """Take a sample."""
        self.samples.setCurrentIndex(index)
        sample = SAMPLES[index].make()
        if isinstance(sample, Matrix):
            self._write("", sample)
            self.given.emit(sample)
        else:
            self._write(sample)
            self.typed.emit(sample)

    def show_file(self, matrix: Matrix) -> None:
        """A file was read: few numbers are written into the field."""
        self.samples.setCurrentIndex(-1)
        few = matrix.values.size <= TYPED and not matrix.picture
        rows = matrix.values.tolist() if few else []
        self._write(
            "\n".join(" ".join(repr(x).removesuffix(".0") for x in row) for row in rows),
            matrix,
        )
        self.given.emit(matrix)

    def say(self, text: str) -> None:
        """What the matrix is that is shown."""
        theme.set_role(self.message, "muted")
        show(self.message, text)

    def refuse(self, text: str) -> None:
        """Why what was typed or chosen is no matrix; what is shown stays."""
        theme.set_role(self.message, "error")
        show(self.message, text)

    def _write(self, text: str, matrix: Matrix | None = None) -> None:
        self._rest.stop()
        hint = self.tr("1 2 3\n2 4 6\n1 3 5")
        if matrix is not None and not text:
            kind = self.tr("grey values") if matrix.picture else self.tr("numbers")
            hint = self.tr("{} {}.\nType here to use others.")
            hint = hint.format(shape_words(matrix.values.shape), kind)
        self.text.setPlaceholderText(hint)
        with QSignalBlocker(self.text):
            self.text.setPlainText(text)

    def _on_typed(self) -> None:
        self.samples.setCurrentIndex(-1)
        self._rest.start()

    def _on_sample(self, index: int) -> None:
        show(self._says, translate("SVD bench", SAMPLES[index].says) if index >= 0 else "")
        self._says.setVisible(index >= 0)

    def _on_load(self) -> None:
        title = self.tr("Load a matrix")
        kinds = self.tr("Matrices and images ({});;All files (*)").format(FILES)
        result, _ = QFileDialog.getOpenFileName(self, title, str(Path.home()), kinds)
        if result:
            self.file_requested.emit(result)
