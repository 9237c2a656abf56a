"""Between those who wish and the session that grants: every dock and panel stands on one snapshot.

A wish is one `Hyperparameters`, whoever moved a part of it. What is applied comes back in records;
a wish that could not be granted is withdrawn by the loop, and the docks follow.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from lora_lab.config import Hyperparameters
from lora_lab.records import AppliedRecord, CountsRecord, SpectrumRecord
from lora_lab.ui.layers.dock import LayersDock
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.panels.spectrum.panel import SpectrumPanel
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.train.hyperparameters import HyperparametersDock


class Wishes(QObject):
    """Carries wishes from the docks to the session, and what became of them back."""

    settled = Signal(object)  # Hyperparameters that stand in place of a wish

    def __init__(
        self,
        sessions: Sessions,
        hyper_dock: HyperparametersDock,
        layers_dock: LayersDock,
        panels: Sequence[Panel],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._sessions = sessions
        self._hyper_dock, self._layers_dock, self._panels = hyper_dock, layers_dock, panels
        sessions.on(AppliedRecord, self._on_applied)
        sessions.failed.connect(lambda _: self._stand_on_wish())
        for dock in (hyper_dock, layers_dock):
            sessions.on(SpectrumRecord, dock.set_spectrum)
            sessions.on(CountsRecord, dock.set_counts)
        hyper_dock.hyper_wished.connect(self._on_wished)
        hyper_dock.hyper_previewed.connect(self.preview)
        layers_dock.layers_wished.connect(lambda fields: hyper_dock.wish(**fields))
        layers_dock.layer_chosen.connect(hyper_dock.choose_layer)
        for panel in panels:
            if isinstance(panel, SpectrumPanel):
                layers_dock.layer_chosen.connect(panel.choose_layer)
                panel.wished.connect(lambda fields: hyper_dock.wish(**fields))

    def preview(self, hyper: Hyperparameters) -> None:
        """Let everybody show what `hyper` would do."""
        self._layers_dock.set_wished(hyper)
        for panel in self._panels:
            panel.set_wished(hyper)

    def _on_wished(self, hyper: Hyperparameters) -> None:
        self._sessions.set_hyper(hyper)
        self.preview(hyper)

    def _on_applied(self, record: AppliedRecord) -> None:
        self._hyper_dock.note_applied(record)
        self._layers_dock.note_applied(record)
        self._stand_on_wish()

    def _stand_on_wish(self) -> None:
        """Take up what the session goes by, where that is another wish than the one shown."""
        wished = self._sessions.wished
        if (
            wished is not None
            and self._hyper_dock.isEnabled()
            and wished != self._hyper_dock.wished
        ):
            self._hyper_dock.take_back(wished)
            self.preview(wished)
            self.settled.emit(wished)
