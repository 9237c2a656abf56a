"""From every panel to the clipboard and to files: its button, the menu's entries, what is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QMenu,
    QProgressDialog,
    QToolButton,
    QWidget,
)

import lora_lab
from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.ui.export import plots_out
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.background import Works

MOST_COPIED = 100_000  # rows on the clipboard; a file takes any number
SLOW_MS = 500  # after which a file that is still being written shows how far it is


class PlotsFlow(QObject):
    """Copies and saves the panel that was worked with last."""

    def __init__(
        self, sessions: Sessions, panels: Sequence[Panel], notices: Notices, window: QWidget
    ) -> None:
        super().__init__(window)
        self._sessions, self._panels, self._notices = sessions, panels, notices
        self._window = window
        self._last: Panel | None = None  # that had the focus
        self._folder = Path.home()
        self._works = Works(self)
        for panel in panels:
            panel.put_corner(self._button(panel))
        QApplication.instance().focusChanged.connect(self._on_focus)

    @property
    def panel(self) -> Panel:
        """The one that had the focus last and is in view; else the first in view."""
        seen = [panel for panel in self._panels if panel.isVisible()]
        return self._last if self._last in seen else (seen or self._panels)[0]

    def copy(self, panel: Panel | None = None) -> None:
        """The picture to the clipboard, as PNG and SVG."""
        panel = panel or self.panel
        about = self.about(panel)
        data = QMimeData()
        data.setData("image/svg+xml", plots_out.svg(panel, about))
        data.setData("image/png", plots_out.png(panel, about))
        data.setImageData(plots_out.image(panel, about))
        QGuiApplication.clipboard().setMimeData(data)
        self._notices.news(self.tr("Copied {} as a picture.").format(panel.title))

    def copy_numbers(self, panel: Panel | None = None) -> None:
        """The numbers behind the picture to the clipboard, as CSV."""
        panel = panel or self.panel
        try:
            columns = plots_out.table(panel)
            rows = len(next(iter(columns.values())))
            if rows > MOST_COPIED:
                words = self.tr("{:,} rows are too many to copy. Save them as CSV.")
                raise LabError(words.format(rows))
        except LabError as error:
            self._notices.error(str(error))
            return
        text = plots_out.csv_bytes(columns, self.about(panel))
        data = QMimeData()
        data.setText(text.decode("utf-8"))
        data.setData("text/csv", text)
        QGuiApplication.clipboard().setMimeData(data)
        self._notices.news(self.tr("Copied {:,} rows of {}.").format(rows, panel.title))

    def save(self, panel: Panel | None = None, kind: str = "png") -> None:
        """Ask where to, and write PNG, SVG or CSV as the name ends."""
        panel = panel or self.panel
        name = f"{panel.key}-step{self._sessions.step}.{kind}"
        filters = {
            "png": self.tr("Picture (*.png)"),
            "svg": self.tr("Drawing (*.svg)"),
            "csv": self.tr("Numbers (*.csv)"),
        }
        chosen, used = QFileDialog.getSaveFileName(
            self._window,
            self.tr("Save {}").format(panel.title),
            str(self._folder / name),
            ";;".join(filters.values()),
            filters[kind],
        )
        if not chosen:
            return
        path = Path(chosen)
        self._folder = path.parent
        requested = next((end for end, text in filters.items() if text == used), kind)
        ending = path.suffix.lower().lstrip(".")
        if ending not in filters:
            path, ending = path.with_name(f"{path.name}.{requested}"), requested
        self._write(panel, path, ending)

    def about(self, panel: Panel) -> dict[str, str]:
        """What a file says of the run it shows; the settings are those in force now."""
        sessions, config = self._sessions, self._sessions.config
        facts = {
            "Title": panel.title,
            "Software": f"LoRA Lab {lora_lab.__version__}",
            "Description": panel.summary(),
            "Step": str(sessions.step),
        }
        if sessions.folder is not None:
            facts["Run"] = sessions.folder.name
        if config is not None:
            config = changed(config, hyper=sessions.standing.requested)
            facts["Settings"] = config.model_dump_json()
        return facts

    def close(self) -> None:
        """End what is still being written."""
        self._works.finish()

    def _write(self, panel: Panel, path: Path, ending: str) -> None:
        about = self.about(panel)
        try:
            if ending == "csv":
                work = partial(_write_csv, path, plots_out.table(panel), about)
                self._start(path, work)
                return
            make = plots_out.png if ending == "png" else plots_out.svg
            plots_out.write(path, make(panel, about))
        except LabError as error:
            self._notices.error(str(error))
            return
        self._show_saved(path)

    def _start(self, path: Path, write: Callable[[Report], None]) -> None:
        """Format and write beside the window: a long run has a million rows."""
        bar = QProgressDialog(
            self.tr("Writing {}").format(path.name), self.tr("Cancel"), 0, 100, self._window
        )
        bar.setMinimumDuration(SLOW_MS)
        bar.setValue(0)
        work = self._works.start(
            write,
            lambda _: self._show_saved(path),
            self._notices.error,
            progress=lambda _, share: bar.setValue(min(99, int(100 * share))),
        )
        bar.canceled.connect(work.cancel)
        for end in (work.done, work.failed, work.broke, bar.canceled):
            end.connect(bar.deleteLater)

    def _show_saved(self, path: Path) -> None:
        self._notices.news(self.tr("Saved {}").format(path))

    def _button(self, panel: Panel) -> QToolButton:
        """At the panel's corner: everything that can be done with its plot."""
        button = QToolButton()
        button.setText("⋯")
        button.setProperty("role", "quiet")
        button.setFixedWidth(26)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setToolTip(self.tr("Copy or save this plot and its numbers"))
        button.setAccessibleName(self.tr("Copy or save {}").format(panel.title))
        menu = QMenu(button)
        menu.addAction(self.tr("Copy picture"), lambda: self.copy(panel))
        menu.addAction(self.tr("Copy numbers"), lambda: self.copy_numbers(panel))
        menu.addSeparator()
        for kind in ("png", "svg", "csv"):
            text = self.tr("Save {}…").format(kind.upper())
            menu.addAction(text, partial(self.save, panel, kind))
        button.setMenu(menu)
        return button

    def _on_focus(self, _old: QWidget | None, new: QWidget | None) -> None:
        while new is not None and new not in self._panels:
            new = new.parentWidget()
        self._last = new or self._last


def _write_csv(path: Path, columns, about, report: Report) -> None:
    plots_out.write(path, plots_out.csv_bytes(columns, about, report))
