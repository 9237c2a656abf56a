"""Where a model comes from: a folder or file here, the Hugging Face cache, or a download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from lora_lab.names import legible
from lora_lab.progress import Report
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import plain_tip, size_words
from lora_lab.ui.widgets.background import Background, Works
from lora_lab.ui.widgets.labels import TextLabel


def _cached(report: Report) -> Any:
    from lora_lab.models.hub import cached_models

    return cached_models()


class ModelSource(QTabWidget):
    """Three ways to a path; `chosen` says it as soon as one is complete."""

    chosen = Signal(str)  # path of a folder or file

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self._works = Works(self)
        self._looked = False
        self.path = QLineEdit()
        self.path.setAccessibleName(tr("Path of the model"))
        self.path.setPlaceholderText(tr("A Hugging Face folder, .safetensors, .pt or .gguf"))
        self.path.editingFinished.connect(self._on_path)
        folder, file = QPushButton(tr("&Folder…")), QPushButton(tr("Fi&le…"))
        folder.clicked.connect(self._browse_folder)
        file.clicked.connect(self._browse_file)
        here = QWidget()
        row = QHBoxLayout(here)
        for widget in (self.path, folder, file):
            row.addWidget(widget)
        row.setStretch(0, 1)

        self.cache = QListWidget()
        self.cache.setAccessibleName(tr("Models in the Hugging Face cache"))
        self.cache.currentItemChanged.connect(self._on_cached)
        self._cache_note = TextLabel(tr("Looking…"))
        self._cache_note.setProperty("role", "muted")
        cached = QWidget()
        column = QVBoxLayout(cached)
        column.addWidget(self.cache)
        column.addWidget(self._cache_note)

        self.name = QLineEdit()
        self.name.setAccessibleName(tr("Name of a repository"))
        self.name.setPlaceholderText(tr("owner/name, as on huggingface.co"))
        self.name.returnPressed.connect(self.fetch)
        self.fetch_button = QPushButton(tr("&Download"))
        self.fetch_button.clicked.connect(self.fetch)
        self.cancel_button = QPushButton(tr("Cancel"))
        self.cancel_button.clicked.connect(self.cancel)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(max(6, self.fontMetrics().height() // 3))
        self.bar.setAccessibleName(tr("Progress of the download"))
        self._message = TextLabel(
            tr("Config, tokenizer and weights are downloaded into the Hugging Face cache.")
        )
        self._message.setProperty("role", "muted")
        self._message.setWordWrap(True)
        remote = QWidget()
        column = QVBoxLayout(remote)
        row = QHBoxLayout()
        for widget in (self.name, self.fetch_button, self.cancel_button):
            row.addWidget(widget)
        row.setStretch(0, 1)
        column.addLayout(row)
        column.addWidget(self.bar)
        column.addWidget(self._message)
        self.cancel_button.hide()
        self.bar.hide()

        self.addTab(here, tr("This computer"))
        self.addTab(cached, tr("Hugging Face cache"))
        self.addTab(remote, tr("Download"))
        self.currentChanged.connect(self._on_tab)
        self._on_tab(0)
        self._download: Background | None = None

    def show_path(self, path: str) -> None:
        """Put a path where one is written, and choose it."""
        self.setCurrentIndex(0)
        self.path.setText(path)
        self._on_path()

    def cancel(self) -> None:
        """End a download; what has come is kept in the cache."""
        if self._download is not None:
            self._download.cancel()
            self._end_download(self.tr("Cancelled. What has come is kept for the next time."))

    def finish(self) -> None:
        """Nothing is told from now on; wait for what still runs."""
        self._works.finish(5.0)

    def fetch(self) -> None:
        """Download what is named."""
        name = self.name.text().strip()
        if not name or self._download is not None:
            return

        def work(report: Report) -> str:
            from lora_lab.models.hub import download

            return str(download(name, report))

        self._download = self._works.start(
            work, self._on_fetched, self._on_refused, self._on_refused, self._on_progress
        )
        self.bar.setRange(0, 0)
        self.bar.show()
        self.cancel_button.show()
        self.fetch_button.setEnabled(False)

    def _on_progress(self, what: str, share: float) -> None:
        if self._download is None:
            return
        theme.set_role(self._message, "muted")
        self._message.setText(f"{what}, {share:.0%}" if share >= 0 else f"{what}…")
        self.bar.setRange(0, 1000 if share >= 0 else 0)
        self.bar.setValue(round(1000 * max(share, 0)))

    def _on_fetched(self, path: str) -> None:
        self._end_download(self.tr("Downloaded to {}").format(path))
        self.chosen.emit(path)

    def _on_refused(self, message: str) -> None:
        self._end_download(message)
        theme.set_role(self._message, "error")

    def _end_download(self, words: str) -> None:
        self._download = None
        theme.set_role(self._message, "muted")
        self._message.setText(words)
        self.bar.hide()
        self.cancel_button.hide()
        self.fetch_button.setEnabled(True)

    def _on_tab(self, index: int) -> None:
        self.setFixedHeight((6, 12, 8)[index] * self.fontMetrics().height())
        if index == 1 and not self._looked:
            self._looked = True
            note = self._cache_note.setText
            self._works.start(_cached, self._on_looked, note, note)

    def _on_looked(self, result: Any) -> None:
        for model in result:
            item = QListWidgetItem(legible(f"{model.name}   {size_words(model.bytes)}"))
            item.setData(Qt.ItemDataRole.UserRole, model.folder)
            item.setToolTip(plain_tip(model.folder))
            self.cache.addItem(item)
        self._cache_note.setVisible(not result)
        self._cache_note.setText(self.tr("There is no model in the cache of this machine."))

    def _on_cached(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))

    def _on_path(self) -> None:
        if text := self.path.text().strip():
            self.chosen.emit(str(Path(text).expanduser()))

    def _browse_folder(self) -> None:
        if result := QFileDialog.getExistingDirectory(self, self.tr("Folder of the model")):
            self.show_path(result)

    def _browse_file(self) -> None:
        title = self.tr("File of the model")
        files = self.tr("Models (*.safetensors *.pt *.pth *.bin *.gguf);;All files (*)")
        result, _ = QFileDialog.getOpenFileName(self, title, str(Path.home()), files)
        if result:
            self.show_path(result)
