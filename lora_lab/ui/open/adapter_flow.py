"""An adapter that came to the window: what to do with it, and how training continues from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from lora_lab.config import RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.background import Works
from lora_lab.ui.widgets.dialogs import TextBox

Settings = tuple[dict[str, Any], dict[str, Any]]  # of the run, and live ones


class AdapterOffer(TextBox):
    """Continue training, or open in the workshop; Escape does neither."""

    def __init__(self, path: str, parent: QWidget) -> None:
        super().__init__(parent)
        role = QMessageBox.ButtonRole
        self.setWindowTitle(self.tr("Open adapter"))
        self.setText(self.tr("{} is an adapter.").format(Path(path).name))
        self.setInformativeText(
            self.tr(
                "Training continues from it on the model and data that are open, as a new run; the "
                "workshop inspects, resizes, converts and merges it."
            )
        )
        self.continue_button = self.addButton(self.tr("&Continue training"), role.AcceptRole)
        self.workshop_button = self.addButton(self.tr("Open in &workshop"), role.ActionRole)
        self.addButton(QMessageBox.StandardButton.Cancel)
        self.setDefaultButton(self.workshop_button)


class AdapterFlow(QObject):
    """Asks what is to be done with an adapter, and opens a new run that continues it."""

    workshop_requested = Signal(str)
    continued = Signal(str)  # the path, once it could be read

    def __init__(
        self,
        sessions: Sessions,
        notices: Notices,
        open: Callable[[RunConfig], object],
        requested: Callable[[RunConfig], RunConfig],
        window: QWidget,
    ) -> None:
        """`open` opens a run; `requested` lays the settings of the docks over a config."""
        super().__init__(window)
        self._sessions, self._notices, self._window = sessions, notices, window
        self._open, self._requested = open, requested
        self._works = Works(self)
        self.offer: AdapterOffer | None = None
        self.choose: Callable[[], str] = self._choose

    def start(self) -> None:
        """Ask for an adapter, and continue training from it."""
        if self._base() is not None and (path := self.choose()):
            self.begin(path)

    def show(self, path: str) -> None:
        """Ask what to do with the adapter at `path`."""
        if self.offer is not None:
            self.offer.close()
        self.offer = offer = AdapterOffer(path, self._window)
        offer.continue_button.clicked.connect(lambda: self.begin(path))
        offer.workshop_button.clicked.connect(lambda: self.workshop_requested.emit(path))
        offer.finished.connect(lambda _: self._put_away(offer))
        offer.open()

    def begin(self, path: str) -> None:
        """Open a run that continues the adapter, on the model and data that are open."""

        def work(report: Report) -> Settings:
            from lora_lab.training.from_adapter import with_adapter

            return with_adapter(path, {}, {})

        if self._base() is not None:
            self._works.start(work, lambda found: self._begin(path, found), self._notices.error)

    def close(self) -> None:
        """Nothing is opened any more."""
        if self.offer is not None:
            self.offer.close()
        self._works.finish()

    def _begin(self, path: str, found: Settings) -> None:
        config = self._base()
        if config is None:
            return
        fixed, live = found
        try:
            config = self._requested(config)
            config = changed(config, **fixed, hyper={**config.hyper.model_dump(), **live})
        except LabError as error:
            self._notices.error(str(error))
            return
        self.continued.emit(path)
        self._open(config)

    def _base(self) -> RunConfig | None:
        """What the adapter is continued on; said where nothing is open."""
        config = self._sessions.config
        if config is None:
            self._notices.error(
                self.tr("Open the base model and the data first; then continue the adapter.")
            )
        return config

    def _put_away(self, offer: AdapterOffer) -> None:
        offer.deleteLater()
        if self.offer is offer:
            self.offer = None

    def _choose(self) -> str:
        title = self.tr("Continue training from an adapter")
        files = self.tr("Adapters (*.safetensors *.gguf *.bin *.pt adapter_config.json)")
        return QFileDialog.getOpenFileName(self._window, title, str(Path.home()), files)[0]
