"""What a run will cost before it begins, beside full fine-tuning; arithmetic on records alone.

Everything follows the requested sliders at once. What needs the model, the peak of memory and the
speed, comes as records and is carried over to another rank by arithmetic until it is measured anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from lora_lab.choices import OPTIMIZERS
from lora_lab.figures import DTYPE_BYTES
from lora_lab.inits import INITS
from lora_lab.measured import MemoryRecord
from lora_lab.records import StepRecord
from lora_lab.ui.session.standing import Standing
from lora_lab.ui.style.figures import rate_words
from lora_lab.variants import VARIANTS

WINDOW = 2.0  # seconds of training that the speed is taken over
TELL = 1.0  # seconds between two readings of it


@dataclass(frozen=True)
class Costs:
    """Bytes, steps per second and seconds; 0: not known, or nothing."""

    file: int
    optimizer: int
    peak: int
    per_second: float
    seconds: float
    peak_carried: bool = False  # over from other adapters by arithmetic, not estimated


class Preflight:
    """The costs of a run under any number of trained parameters, and of full fine-tuning."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self.memory: MemoryRecord | None = None  # at the applied settings
        self._newest: MemoryRecord | None = None  # at whatever settings
        self._newest_trained = 0  # numbers that trained then; 0: not known
        self._speed, self._speed_trained = 0.0, 0
        self._steps: list[tuple[int, float]] = []
        self._words, self._words_at = "", -TELL  # the words of the speed, and when

    @property
    def states(self) -> int:
        """Numbers that the optimizer keeps for each trained one."""
        config = self._standing.config
        if config is None:
            return 0
        return OPTIMIZERS[config.optimizer].states(config.momentum)

    @property
    def device(self) -> int:
        """Bytes that the device has; 0 while not known."""
        known = self.memory or self._newest
        return known.device if known is not None else 0

    def set_memory(self, record: MemoryRecord | None, trained: int = 0) -> None:
        """An estimate with so many trained numbers; None: it was of other adapters.

        Another may come. Until then the newest is carried over to what trains now.
        """
        self.memory = record
        if record is not None and record.peak:
            self._newest, self._newest_trained = record, trained

    def set_speed(self, per_second: float, trained: int) -> None:
        """Measured with that many trained parameters; 0: it could not be."""
        self._speed, self._speed_trained = per_second, trained

    def set_step(self, record: StepRecord, trained: int) -> bool:
        """The run's own steps measure best; whether the speed reads otherwise, once a second."""
        if self._steps and record.step <= self._steps[-1][0]:
            self._steps.clear()  # gone back
        self._steps.append((record.step, record.seconds))
        while len(self._steps) > 2 and record.seconds - self._steps[1][1] > WINDOW:
            self._steps.pop(0)
        (first, began), (last, ended) = self._steps[0], self._steps[-1]
        if last > first and ended > began:
            self.set_speed((last - first) / (ended - began), trained)
        words = rate_words(self._speed)
        if words == self._words or 0 <= record.seconds - self._words_at < TELL:
            return False
        self._words, self._words_at = words, record.seconds
        return True

    def adapter(self, held: int, trained: int, applied: int) -> Costs:
        """Of an adapter of `held` numbers of which `trained` train, while `applied` do now."""
        double = self._standing.loaded.dtype == "float64"
        number = 8 if double else 4  # bytes; factors are never narrower
        config = self._standing.config
        twice = config is not None and INITS[config.init].one_rank
        known, of = self.memory, applied
        if carried := known is None and self._newest_trained > 0:
            known, of = self._newest, self._newest_trained
        peak = known.peak if known is not None else 0
        if peak:  # each number more stands there, has a gradient, and what the optimizer keeps
            peak += (trained - of) * number * (2 + self.states)
        return self._costs(
            held * number * (2 if twice else 1),
            trained * number * self.states,
            peak,
            self._speed * self._work(self._speed_trained) / self._work(trained),
            carried,
        )

    def full(self) -> Costs:
        """Of full fine-tuning of the same base."""
        number = DTYPE_BYTES[self._standing.loaded.dtype]
        base = self._standing.loaded.base_parameters
        per_second = self._speed * self._work(self._speed_trained) / (3 * max(1, base))
        peak, optimizer = 0, base * number * self.states
        if (known := self._newest) is not None:
            # Gradients come while activations go: at the peak there are all of one or the other.
            weights = max(known.weights - known.gradients, base * number)
            peak = weights + optimizer + max(known.activations, base * number)
        return self._costs(base * number, optimizer, peak, per_second)

    def _work(self, trained: int) -> float:
        """Multiplications of a step: 2N² + 6Nr beside the 3N² of full fine-tuning.

        Schulman et al. 2025, LoRA Without Regret: forward, and backward to the inputs, of the base;
        both and the gradient of the adapter.
        """
        base = max(1, self._standing.loaded.base_parameters)
        variant = VARIANTS[self._standing.variant]
        if variant.whole or (
            variant.shared and not variant.factored
        ):  # θ has the gradient of W, summed
            return 3.0 * base
        return 2.0 * base + 3.0 * trained

    def _costs(
        self, file: int, optimizer: int, peak: int, per_second: float, carried: bool = False
    ) -> Costs:
        seconds = self._standing.goal / per_second if per_second else 0.0
        return Costs(file, optimizer, peak, per_second, seconds, carried)
