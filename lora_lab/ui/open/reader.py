"""What lies at a path, read beside the window and not trusted: its card, and σ of one tensor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from lora_lab.choices import BASE_BITS, BITS
from lora_lab.progress import Report
from lora_lab.ui.open.recognised import recognise
from lora_lab.ui.style.figures import in_words, size_words
from lora_lab.ui.widgets.background import Works

if TYPE_CHECKING:
    from lora_lab.models.inspect import ModelCard

ROOMY = 0.6  # share of the free memory that weights may take without a warning
SIGMAS = 6  # singular values that are written out


class ModelReader(QObject):
    """One path at a time, and one thing of it: a newer request cancels the older one."""

    begun = Signal(str)  # what is being done
    progress = Signal(str, float)
    ended = Signal()  # however it did
    read = Signal()  # `card` or `is_adapter` is known
    refused = Signal(str)  # why the path cannot be read
    sigma_read = Signal(str)  # the singular values in words, or why there are none

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._works = Works(self)
        self.path = ""
        self.card: ModelCard | None = None
        self.is_adapter = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return Path(self.path).name

    def open(self, path: str) -> None:
        """Read the card of what lies at `path`; `read` or `refused` follows."""
        self.path, self.card, self.is_adapter = path, None, False

        def work(report: Report) -> ModelCard | None:
            from lora_lab.models.inspect import describe

            return None if recognise(path).kind == "adapter" else describe(path, report)

        self._start(self.tr("Inspecting"), work, self._on_card, self.refused.emit)

    def measure_sigma(self, tensor: str) -> None:
        """Compute the singular values of a tensor; `sigma_read` follows."""
        path = self.path

        def work(report: Report) -> Any:
            from lora_lab.analysis.rank import effective_rank, stable_rank
            from lora_lab.models.inspect import singular_values

            sigma = singular_values(path, tensor, report)
            return sigma, stable_rank(sigma), effective_rank(sigma)

        self._start(self.tr("Singular values"), work, self._on_sigma, self.sigma_read.emit)

    def cancel(self) -> None:
        """Stop reading; what is known stays known."""
        self._works.cancel()
        if self.card is None:
            self.path = ""

    def finish(self) -> None:
        """Stop reading, and wait for the thread."""
        self._works.finish(5.0)

    def memory_words(self, dtype: str, bits: str) -> tuple[str, bool]:
        """What the weights take, held so, beside what is free here, and whether that is tight."""
        import psutil

        from lora_lab.models.room import held_bytes

        gguf, free = self.card.kind == "GGUF", psutil.virtual_memory().available
        weights = held_bytes(self.card.tensors, bits, dtype, gguf)
        lies = gguf and bits == "auto"
        held = in_words(BASE_BITS[bits].title) if lies or bits in BITS else dtype
        words = self.tr("The weights take {} as {}; {} are free here").format(
            size_words(weights), held, size_words(free)
        )
        return words + self.tr(". The memory of a step is estimated once it is open."), (
            weights >= ROOMY * free
        )

    def _start(
        self,
        words: str,
        work: Callable[[Report], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
    ) -> None:
        self._works.cancel()

        def end(reached: Callable[[Any], None], result: Any) -> None:
            self.ended.emit()
            reached(result)

        def refuse(message: str) -> None:
            end(failed, message)

        self.begun.emit(words)
        progress = self.progress.emit
        self._works.start(work, lambda result: end(done, result), refuse, refuse, progress)

    def _on_card(self, card: ModelCard | None) -> None:
        self.card, self.is_adapter = card, card is None
        self.read.emit()

    def _on_sigma(self, result: Any) -> None:
        sigma, stable, effective = result
        first = "  ".join(f"{value:.4g}" for value in sigma[:SIGMAS])
        more = f" … {sigma[-1]:.3g}" if len(sigma) > SIGMAS else ""
        self.sigma_read.emit(
            self.tr("σ {}   ({:,} values; stable rank {:.3g}, effective rank {:.4g})").format(
                first + more, len(sigma), stable, effective
            )
        )
