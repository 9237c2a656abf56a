"""The spectra of a run so far, thinned by doubling the stride as they grow; no Qt in here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lora_lab.records import LayerSpectrum, SpectrumRecord

MOST = 256  # spectra that are held; beyond that every other one is forgotten
MOST_VALUES = 64  # σ per layer that are held


class SpectrumHistory:
    """σ of every layer at up to MOST + 2 steps, evenly thinned, the newest always among them.

    210 layers of rank 16 cost 3.4 MB at most; a layer of more than 64 values is held to its first.
    """

    def __init__(self) -> None:
        self.clear(())

    def clear(self, names: Sequence[str]) -> None:
        """A model stands ready with these layers: nothing of another one is left."""
        self.names = tuple(names)
        self._place = {name: row for row, name in enumerate(self.names)}
        self._steps: list[int] = []
        self._ranks: list[np.ndarray] = []  # (layers,) numerical rank at that step
        self._spectra: list[np.ndarray] = []  # (layers, values at that step) of float32, nan: none
        self._stride = 1  # of the spectra that came, every so many stays
        self._seen = 0
        self._passing = False  # the newest is held only until another one comes

    @property
    def nbytes(self) -> int:
        """Bytes of the values that are held."""
        return sum(spectrum.nbytes for spectrum in self._spectra)

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def steps(self) -> np.ndarray:
        """Steps that are held, rising."""
        return np.array(self._steps, np.int64)

    def add(self, record: SpectrumRecord) -> None:
        """Hold one more; of a step that is held already, the newest stands."""
        if self._steps and self._steps[-1] >= record.step:
            self.cut(record.step - 1)
        elif self._passing:
            self._drop_newest()
        self._steps.append(record.step)
        self._gather(record.layers)
        self._passing = self._seen % self._stride != 0
        self._seen += 1
        if len(self._steps) > MOST and not self._passing and len(self._steps) % 2:
            self._steps, self._ranks = self._steps[::2], self._ranks[::2]
            self._spectra = self._spectra[::2]
            self._stride *= 2

    def cut(self, step: int) -> None:
        """The run stands at `step` again: forget what came after."""
        while self._steps and self._steps[-1] > step:
            self._drop_newest()
            self._passing, self._seen = False, len(self._steps) * self._stride

    def _drop_newest(self) -> None:
        for held in (self._steps, self._ranks, self._spectra):
            held.pop()

    def layer(self, name: str) -> np.ndarray:
        """σ of one layer, (steps, values), descending in each row; nan where there was none."""
        row = self._place.get(name, -1)
        parts = [spectrum[row] for spectrum in self._spectra] if row >= 0 else []
        wide = max((len(part) for part in parts), default=0)
        result = np.full((len(parts), wide), np.nan, np.float32)
        for place, part in enumerate(parts):
            result[place, : len(part)] = part
        return result

    def ranks(self, name: str) -> np.ndarray:
        """The numerical rank of one layer, (steps,): what is beyond it is rounding."""
        row = self._place[name]
        return np.array([ranks[row] for ranks in self._ranks])

    def first(self) -> np.ndarray:
        """σ₁ of every layer, (layers, steps); nan where there was none."""
        if not self._spectra:
            return np.empty((len(self.names), 0), np.float32)
        return np.stack([spectrum[:, 0] for spectrum in self._spectra], axis=1)

    def _gather(self, layers: Sequence[LayerSpectrum]) -> None:
        wide = min(MOST_VALUES, max((len(layer.sigma) for layer in layers), default=0))
        result = np.full((len(self.names), max(1, wide)), np.nan, np.float32)
        ranks = np.zeros(len(self.names), np.int32)
        for layer in layers:
            row = self._place.get(layer.name)
            if row is not None:
                sigma = layer.sigma[:MOST_VALUES]
                result[row, : len(sigma)] = np.where(np.isfinite(sigma), sigma, np.nan)
                ranks[row] = layer.numerical_rank
        self._spectra.append(result)
        self._ranks.append(ranks)
