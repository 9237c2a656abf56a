"""Other runs behind the present one: read beside the window, drawn by every panel that can."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab.opening_records import LoadedRecord
from lora_lab.records import FolderRecord
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.panels.overlays import MOST, Overlay, read_overlay
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.runs.dock import RunsDock
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.background import Background


class OverlaysFlow(QObject):
    """Holds the runs that are ticked, each with its place: its colour and dashes."""

    def __init__(
        self,
        sessions: Sessions,
        panels: Sequence[Panel],
        dock: RunsDock,
        notices: Notices,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._sessions, self._panels, self._dock = sessions, panels, dock
        self._notices = notices
        self._works: dict[str, Background] = {}
        self._places: dict[str, int] = {}  # of what is shown and of what is being read
        self.shown: dict[str, Overlay] = {}
        self._branch = ("", 0)  # the run that it leaves, and the id of its session
        dock.overlay_requested.connect(self.request)
        dock.cancelled.connect(self._cancel)
        sessions.on(FolderRecord, lambda record: self.request(record.path, False))
        sessions.on(LoadedRecord, self._on_loaded)

    @property
    def full(self) -> bool:
        """Whether no more runs fit."""
        return len(self._places) >= MOST

    def request(self, path: str, on: bool) -> None:
        """Show a run behind the present one, or no more."""
        if not on:
            self._places.pop(path, None)
            if work := self._works.pop(path, None):
                work.cancel()
                self._dock.busy.end(work)
            if self.shown.pop(path, None) is not None:
                self._show_overlays()
            return
        if path in self._places or path == str(self._sessions.folder):
            return
        if self.full:
            self._notices.news(self.tr("{} runs are shown already; no more fit.").format(MOST))
            self._show_overlays()
            return
        taken = self._places.values()
        place = self._places[path] = next(i for i in range(MOST) if i not in taken)
        work = self._works[path] = Background(partial(read_overlay, path, place), self)
        self._dock.busy.watch(work)
        work.done.connect(self._on_read)
        work.failed.connect(lambda message: self._on_failed(path, message))
        work.broke.connect(lambda _: self._give_up(path))
        work.start()

    def follow_branch(self, parent: str, session: int) -> None:
        """Show `parent` behind the branch that is opened in this session, once it is shown."""
        self._branch = (parent, session)

    def close(self) -> None:
        """End what is still being read."""
        for work in self._works.values():
            work.cancel()
            work.join()

    def _cancel(self) -> None:
        for path in list(self._works):
            self.request(path, False)
        self._show_overlays()

    def _on_loaded(self, loaded: LoadedRecord) -> None:
        for path, overlay in list(self.shown.items()):  # a loss of another task is another figure
            if overlay.measure[0] not in ("", loaded.task):
                self.request(path, False)
        parent, session = self._branch
        if parent and self._sessions.id == session:
            self.request(parent, True)
        self._branch = ("", 0)
        if (folder := self._sessions.folder) is not None:
            self.request(str(folder), False)

    def _on_read(self, overlay: Overlay) -> None:
        self._works.pop(overlay.path, None)
        self.shown[overlay.path] = overlay
        self._show_overlays()

    def _on_failed(self, path: str, message: str) -> None:
        self._give_up(path)
        self._notices.error(message)

    def _give_up(self, path: str) -> None:
        """It cannot be shown; it is ticked no longer."""
        self.request(path, False)
        self._show_overlays()

    def _show_overlays(self) -> None:
        self._dock.set_overlays(self.shown)
        overlays = sorted(self.shown.values(), key=lambda overlay: overlay.place)
        for panel in self._panels:
            panel.set_overlays(overlays)
