"""A line a second on how the window keeps up, as CSV: for benchmarks and for reports of a slow one.

Every tick of the bridge says what it took; here it is summed up and written. Times are the sums of
a second in milliseconds. `late` is by how much a timer of 16 ms came too late: what
a person would feel as stutter.
"""

from __future__ import annotations

import csv
import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TextIO

from PySide6.QtCore import QObject, Qt, QTimer

from lora_lab.errors import LabError, system_reason
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.session.bridge import Tick
from lora_lab.ui.session.sessions import Sessions

BEAT_MS = 16


class PerfLog(QObject):
    """Writes until it is closed; a disk that refuses a line ends it, with a warning."""

    def __init__(
        self,
        path: Path,
        sessions: Sessions,
        panels: Sequence[Panel],
        notices: Notices,
        parent: QObject,
    ) -> None:
        """Raises LabError where the file cannot be written."""
        super().__init__(parent)
        import psutil

        self._sessions, self._notices = sessions, notices
        self._process = psutil.Process()
        self._spent: Counter[str] = Counter()  # seconds, by what was done
        self._counts: Counter[str] = Counter()
        self._late: list[float] = []
        self._slowest = 0.0
        self._step, self._began = 0, perf_counter()
        self._written_at = self._beat_at = self._began
        self._draws = [f"draw_{panel.key}_ms" for panel in panels]
        self.columns = (
            "seconds", "beats", "late_p50_ms", "late_p99_ms", "late_max_ms", "ticks", "tick_ms",
            "tick_max_ms", "drain_ms", "collect_ms", *self._draws, "records", "steps_per_second",
            "rss_mb",
        )  # fmt: skip
        self._file: TextIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", newline="", encoding="utf-8", buffering=1)
            self._rows = csv.writer(self._file)
            self._rows.writerow(self.columns)
        except OSError as error:
            self._shut()
            raise LabError(f"{path} cannot be written: {system_reason(error)}.") from error
        sessions.ticked.connect(self._on_tick)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def close(self) -> None:
        """Listen no longer, and close the file."""
        self._timer.stop()
        self._sessions.ticked.disconnect(self._on_tick)
        self._shut()

    def _shut(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk was told of, and what else is to end must end
                self._file.close()

    def _on_tick(self, tick: Tick) -> None:
        self._counts["ticks"] += 1
        self._counts["records"] += tick.records
        self._slowest = max(self._slowest, tick.seconds)
        self._spent["tick_ms"] += tick.seconds
        self._spent["delivering"] += tick.delivering
        self._spent["collect_ms"] += tick.collecting
        for key, seconds in tick.drawing.items():
            self._spent[f"draw_{key}_ms"] += seconds

    def _beat(self) -> None:
        now = perf_counter()
        self._late.append(max(0.0, 1000 * (now - self._beat_at) - BEAT_MS))
        self._beat_at = now
        if now - self._written_at >= 1:
            self._write(now)

    def _write(self, now: float) -> None:
        late, step = sorted(self._late), self._sessions.step
        elapsed = now - self._written_at
        spent = {name: 1000 * value for name, value in self._spent.items()}
        drawn = [spent.get(name, 0.0) for name in self._draws]
        # What a tick does besides: swapping the list, and looking for who is dirty.
        rest = spent.get("tick_ms", 0.0) - spent.get("delivering", 0.0) - sum(drawn)
        figures = (
            now - self._began, len(late), _quantile(late, 0.5), _quantile(late, 0.99), late[-1],
            self._counts["ticks"], spent.get("tick_ms", 0.0), 1000 * self._slowest, max(0.0, rest),
            spent.get("collect_ms", 0.0), *drawn, self._counts["records"],
            max(0, step - self._step) / elapsed, self._process.memory_info().rss / 1e6,
        )  # fmt: skip
        try:
            self._rows.writerow([f"{value:.6g}" for value in figures])
        except OSError as error:
            self._timer.stop()
            words = self.tr("The log of the window's speed ends here: {}.")
            self._notices.warning(words.format(system_reason(error)))
        self._step, self._written_at = step, now
        self._spent.clear()
        self._counts.clear()
        self._late, self._slowest = [], 0.0


def default_file(folder: Path) -> Path:
    """A file of its own for each start."""
    return folder / f"perf-{time.strftime('%Y%m%d-%H%M%S')}.csv"


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
