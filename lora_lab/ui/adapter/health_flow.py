"""Spectral health of the shown run: its watch, the hint in the Spectrum, and the dialog."""

from __future__ import annotations

import time

from PySide6.QtWidgets import QWidget

from lora_lab.analysis.health import Finding, Health
from lora_lab.measured import ClippedRecord, ClipRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import ResumedRecord, SpectrumRecord
from lora_lab.training.commands import GoBack
from lora_lab.ui.adapter.health_dialog import HealthDialog
from lora_lab.ui.panels.spectrum.panel import SpectrumPanel
from lora_lab.ui.session.ask_flow import AskFlow
from lora_lab.ui.session.sessions import Sessions
from lora_lab.variants import VARIANTS

LOOK_SECONDS = 0.5  # between two looks for hints


class HealthFlow(AskFlow):
    """Watches every spectrum that the shown session says."""

    def __init__(self, sessions: Sessions, panel: SpectrumPanel, window: QWidget) -> None:
        super().__init__(sessions, lambda _: self._dialog(sessions, window), (ClipRecord,), window)
        self._health, self._panel, self._look_at = Health({}), panel, 0.0
        sessions.on(LoadedRecord, self._begin)
        sessions.on(SpectrumRecord, self._watch)
        sessions.on(ResumedRecord, lambda record: self._health.cut(record.step))
        sessions.on(ClippedRecord, self._on_clipped)
        panel.hints_requested.connect(self.start)

    def findings(self) -> tuple[Finding, ...]:
        """Of the newest spectrum."""
        return self._health.findings()

    def _begin(self, loaded: LoadedRecord) -> None:
        shapes = {layer.name: layer.shape for layer in loaded.layers}
        self._health = Health(shapes, VARIANTS[loaded.variant].exact_sigma)
        self._look_at = 0.0
        self._panel.show_hints(0)

    def _watch(self, record: SpectrumRecord) -> None:
        self._health.add(record)
        if time.monotonic() >= self._look_at:  # of many layers it takes milliseconds
            self._look_at = time.monotonic() + LOOK_SECONDS
            self._panel.show_hints(len(self.findings()))

    def _dialog(self, sessions: Sessions, window: QWidget) -> HealthDialog:
        dialog = HealthDialog(self.findings, window)
        dialog.clip_requested.connect(sessions.request)
        dialog.undo_requested.connect(lambda step: sessions.request(GoBack(step, before_edit=True)))
        return dialog

    def _on_clipped(self, record: ClippedRecord) -> None:
        if self.dialog is not None:
            self.dialog.show_clipped(record)
