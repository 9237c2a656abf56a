"""Files and folders that come to the window, dropped on it or opened again from the menu."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QGraphicsView, QWidget

from lora_lab.progress import Report
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.open.drop_hint import DropHint
from lora_lab.ui.open.recognised import Kind, Recognised, recognise
from lora_lab.ui.widgets.background import Works
from lora_lab.ui.widgets.drops import local_paths

# What takes one thing at a time; the zips of runs are unpacked one beside the other.
PLACES: dict[Kind, str] = {
    "model": "model", "adapter": "adapter", "rows": "data", "images": "data", "run": "run",
}  # fmt: skip
MOST = 100  # of what comes at once: each is looked into, and a file manager gives all that it has
NAMED = 5  # in a notice
DRAGS = (QEvent.Type.DragEnter, QEvent.Type.DragMove)


class OpenedFiles(QObject):
    """Recognises what came beside the window, and hands it to whoever opens its kind."""

    recognised = Signal(object)  # Found, of a kind that is opened

    def __init__(
        self, openers: dict[Kind, Callable[[str], None]], notices: Notices, window: QWidget
    ) -> None:
        """`openers` take a path of their kind."""
        super().__init__(window)
        self.openers, self._notices = openers, notices
        self._works = Works(self)
        self.hint = DropHint(window)
        self._over = False  # whether files are
        window.setAcceptDrops(True)
        window.installEventFilter(self)
        for plot in window.findChildren(QGraphicsView):  # they would swallow what is dropped
            plot.setAcceptDrops(False)
            plot.viewport().setAcceptDrops(False)

    def take(self, paths: list[str]) -> None:
        """Look at what came, and open what is known of it."""

        def work(report: Report) -> list[Recognised]:
            return [recognise(path) for path in paths]

        self._works.start(work, self._on_recognised, self._notices.error)

    def close(self) -> None:
        """Nothing is opened any more."""
        self._works.finish()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.DragEnter:
            self._over = bool(local_paths(event.mimeData(), 1))
        if kind in DRAGS and self._over:
            event.acceptProposedAction()
            if kind == QEvent.Type.DragEnter:
                self.hint.show_over()
            return True
        if kind == QEvent.Type.DragLeave:
            self.hint.hide()
        elif kind == QEvent.Type.Drop and isinstance(event, QDropEvent):
            self.hint.hide()
            if paths := local_paths(event.mimeData(), MOST + 1):
                event.acceptProposedAction()
                self.take(paths[:MOST])
                if len(paths) > MOST:
                    words = self.tr("The first {:,} are opened. Drop the others after them.")
                    self._notices.warning(words.format(MOST))
                return True
        return super().eventFilter(watched, event)

    def _on_recognised(self, result: list[Recognised]) -> None:
        places: dict[str, Recognised] = {}  # what each of them, which takes one thing, is taken by
        left: dict[str, list[str]] = {}
        unknown = []
        # A model before the data that came with it: it opens the dialog that both go to.
        for one in sorted(result, key=lambda f: f.kind != "model"):
            place = PLACES.get(one.kind, one.path)
            if one.kind and place in places:
                left.setdefault(place, []).append(one.path)
            elif one.kind:
                places[place] = one
                self.recognised.emit(one)
                self.openers[one.kind](one.path)
            else:
                unknown.append(one.path)
        if unknown:
            self._notices.warning(
                self.tr(
                    "{} cannot be opened. The lab opens models (a Hugging Face folder, "
                    ".safetensors, .pt, .gguf), adapters, rows (.jsonl, .csv, .parquet, .txt), "
                    "folders of images, runs and their zips."
                ).format(_some(unknown))
            )
        words = self.tr("{} is opened. Only one can be opened at a time, so these are not: {}")
        texts = [words.format(places[at].path, _some(others)) for at, others in left.items()]
        if texts:
            self._notices.news("\n".join(texts))  # at once: news is followed by newer news


def _some(paths: list[str]) -> str:
    """The first of them, by their whole paths."""
    return ", ".join(paths[:NAMED]) + (" …" if len(paths) > NAMED else "")
