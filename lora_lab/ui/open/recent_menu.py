"""The menu "Open recent": filled when it is shown, noted as models, data and runs are opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu, QWidget

from lora_lab.exported import ExportedRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import FolderRecord
from lora_lab.ui.open.recent import Recent
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.style.figures import entry, plain_tip

LONGEST = 60  # characters of a place


class RecentFlow(QObject):
    """Holds the list; what is chosen goes the way of what is dropped."""

    def __init__(
        self, sessions: Sessions, menu: QMenu, take: Callable[[list[str]], None], window: QWidget
    ) -> None:
        super().__init__(window)
        self._sessions, self._menu, self._take = sessions, menu, take
        self.recent = Recent()
        menu.aboutToShow.connect(self.fill)
        sessions.on(LoadedRecord, self._on_loaded)
        sessions.on(FolderRecord, self._on_folder)
        sessions.on(ExportedRecord, self._on_exported)

    def fill(self) -> None:
        """Show what is there now."""
        menu = self._menu
        menu.clear()
        entries = self.recent.listed()
        for number, (sort, path) in enumerate(entries, 1):
            place = Path(path)
            words = entry(f"{place.name}  ({sort}, {_short(str(place.parent))})").replace("&", "&&")
            key = f"&{number} " if number < 10 else ""
            action = menu.addAction(key + words)
            action.setToolTip(plain_tip(path))
            action.triggered.connect(lambda _=False, path=path: self._take([path]))
        if not entries:
            menu.addAction(self.tr("Nothing was opened yet")).setEnabled(False)
            return
        menu.addSeparator()
        menu.addAction(self.tr("&Clear this list"), self.recent.clear)

    def note_adapter(self, path: str) -> None:
        """An adapter was looked at."""
        self.recent.note("adapter", path)

    def _on_loaded(self, record: LoadedRecord) -> None:
        config = self._sessions.config
        if config is not None and not record.stage:
            if config.data:
                self.recent.note("data", config.data)
            if config.model:
                self.recent.note("model", config.model)

    def _on_folder(self, record: FolderRecord) -> None:
        self.recent.note("run", record.path)

    def _on_exported(self, record: ExportedRecord) -> None:
        self.recent.note("adapter", record.report.path)


def _short(path: str) -> str:
    home = str(Path.home())
    path = f"~{path[len(home) :]}" if path.startswith(home) else path
    return path if len(path) <= LONGEST else f"…{path[-LONGEST + 1 :]}"
