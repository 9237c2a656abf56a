"""Lets the machine time a few steps once for each kind of run, and remembers what it found."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer

from lora_lab.config import RunConfig
from lora_lab.measured import SpeedRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import State
from lora_lab.training.commands import MeasureSpeed
from lora_lab.ui.panels.counts import CountsPanel
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.style.settings import keep, kept

KNOWN = re.compile(r"(\d{1,12}(?:\.\d{1,20})?(?:e[-+]\d\d)?) (\d{1,15})", re.ASCII)  # kept so
REST_MS = 800  # after a model stands ready: who presses Train at once is not held up


class SpeedFlow(QObject):
    """Asks only while nothing trains and no step was made: those measure better."""

    def __init__(self, sessions: Sessions, panels: Sequence[Panel], parent: QObject) -> None:
        super().__init__(parent)
        self._sessions = sessions
        self._panel = next(panel for panel in panels if isinstance(panel, CountsPanel))
        self._rest = QTimer(self, singleShot=True, interval=REST_MS, timeout=self._ask)
        sessions.on(LoadedRecord, lambda _: self._rest.stop())
        sessions.state_changed.connect(self._on_state)
        sessions.on(SpeedRecord, self._on_measured)

    def _on_state(self) -> None:
        ready = self._sessions.state is State.PAUSED and not self._sessions.step
        loaded = self._sessions.standing.loaded
        if ready and loaded is not None and not loaded.stage:
            self._rest.start()
        else:
            self._rest.stop()

    def _ask(self) -> None:
        if known := KNOWN.fullmatch(kept(self._key())):
            self._panel.set_speed(float(known[1]), int(known[2]))
        elif self._sessions.edits and self._fits():
            self._sessions.request(MeasureSpeed())

    def _fits(self) -> bool:
        """Whether a step may be tried at all: one that does not fit could stall the machine."""
        memory = self._panel.memory
        return memory is None or not memory.device or memory.peak < memory.device

    def _on_measured(self, record: SpeedRecord) -> None:
        if self._sessions.standing.loaded is not None and record.per_second:
            keep(self._key(), f"{record.per_second:.6g} {record.trained}")

    def _key(self) -> str:
        """What the speed depends on; the rank is reckoned with."""
        loaded = self._sessions.standing.loaded
        config = self._sessions.config or RunConfig(task=loaded.task)
        facts = (
            loaded.task, loaded.base, loaded.base_parameters, len(loaded.layers), loaded.variant,
            loaded.device, loaded.dtype, config.batch_size, config.accumulation,
            *((config.batch_tokens,) if config.batch_tokens else ()),
            *(("shared prefix",) if config.share_prefix else ()),
            config.checkpointing, config.max_length, config.data, config.optimizer,
        )  # fmt: skip
        return "speeds/" + hashlib.sha256(repr(facts).encode()).hexdigest()[:20]
