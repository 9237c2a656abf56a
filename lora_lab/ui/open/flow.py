"""Models and data of one's own: the dialog that opens them, columns, prompts, other data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from lora_lab.config import RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.opening_records import LoadedRecord
from lora_lab.progress import Report
from lora_lab.task_info import TASKS, own_tasks
from lora_lab.training.commands import Generate
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.open.dialog import OpenDialog
from lora_lab.ui.panels.data import DataPanel
from lora_lab.ui.panels.generation import GenerationPanel
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.background import Works
from lora_lab.ui.widgets.dialogs import bring_to_front
from lora_lab.ui.widgets.form import data_files

if TYPE_CHECKING:
    from lora_lab.training.devices import DeviceChoice


class OwnFlow(QObject):
    """Carries what is requested there to the window's `open`, and prompts to the session."""

    adapter_requested = Signal(str)  # an adapter was chosen where models are opened

    def __init__(
        self,
        sessions: Sessions,
        panels: Sequence[Panel],
        notices: Notices,
        open: Callable[[RunConfig], None],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._sessions, self._notices, self._open = sessions, notices, open
        self._window = parent
        self.dialog: OpenDialog | None = None
        self._works = Works(self)
        sessions.on(LoadedRecord, self._on_loaded)
        for panel in panels:
            if isinstance(panel, DataPanel):
                panel.columns_requested.connect(lambda columns: self._change(columns=columns))
            elif isinstance(panel, GenerationPanel):
                panel.asked.connect(lambda *what: sessions.request(Generate(*what)))

    def start(self, config: RunConfig | None = None) -> None:
        """Open the dialog, with the model and data of `config` if these are one's own."""
        if self.dialog is None:
            self.dialog = OpenDialog(self._window)
            self.dialog.requested.connect(self._open)
            self.dialog.adapter_requested.connect(self.adapter_requested)
            self._ask_for_devices(self.dialog)
        if config is not None and self.dialog.card is None:
            self.dialog.show_config(config)
        bring_to_front(self.dialog)

    def begin_with(self, model: str = "", data: str = "") -> None:
        """Open the dialog with a model, or data, that came from elsewhere."""
        self.start()
        if model:
            self.dialog.source.show_path(model)
        if data:
            self.dialog.data_edit.setText(data)

    def take_data(self, path: str, images: bool) -> None:
        """Data for the model that is open where it is of that sort; else for one to be chosen."""
        config = self._sessions.config
        sort = "images" if images else "rows"
        asked = self.dialog is not None and self.dialog.isVisible()
        if config is None or TASKS[config.task].data != sort or asked:
            self.begin_with(data=path)
        else:
            self._change(data=path, columns=())

    def choose_base(self, config: RunConfig | None) -> None:
        """Ask for another base: for a task of the person's own in the dialog, else as a file."""
        if config is not None and config.task in own_tasks():
            self.start(config)
        elif config is not None:
            title = self.tr("Open a base checkpoint")
            files = self.tr("Checkpoints (*.safetensors *.pt *.pth *.bin);;All files (*)")
            start = config.model or str(Path.home())
            path, _ = QFileDialog.getOpenFileName(self._window, title, start, files)
            if path:
                self._open(changed(config, model=path))

    def choose_data(self) -> None:
        """Ask for other data for the model that is open."""
        config = self._sessions.config
        if config is None:
            return
        title = self.tr("Training data")
        start = config.data or str(Path.home())
        if TASKS[config.task].data == "images":
            result = QFileDialog.getExistingDirectory(self._window, title, start)
        else:
            result, _ = QFileDialog.getOpenFileName(self._window, title, start, data_files())
        if result:
            self._change(data=result, columns=())

    def close(self) -> None:
        """End what the dialog still runs."""
        if self.dialog is not None:
            self.dialog.finish()
            self.dialog.close()
        self._works.finish()

    def _ask_for_devices(self, dialog: OpenDialog) -> None:
        """The engine knows them, and may have to be imported first, which takes its time."""

        def work(_: Report) -> list[DeviceChoice]:
            from lora_lab.training.devices import device_choices

            return device_choices()

        self._works.start(work, dialog.offer_devices, self._notices.error)

    def _change(self, **settings: object) -> None:
        """Open the run that is shown anew with other settings."""
        config = self._sessions.config
        if config is None:
            return
        try:
            self._open(changed(config, **settings))
        except LabError as error:
            self._notices.error(str(error))

    def _on_loaded(self, record: LoadedRecord) -> None:
        if record.notes:
            self._notices.news(". ".join(note.rstrip(".") for note in record.notes) + ".")
