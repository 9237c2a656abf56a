"""How many directions of each layer to keep: by rank, energy, norm or σ ratio.

Uniform keeps one rank everywhere. Per layer spends the same number of parameters where it saves
most: the next direction of a layer costs out + in numbers and keeps σ², so directions are taken in
the order of σ²/(out + in) (greedy water-filling; since σ descends in each layer, taking them in
this order never leaves a gap).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.analysis.spectrum import spectra
from lora_lab.errors import AdapterError

ROUNDING = 1e-6  # of float32 factors: values that are equal stay together
HEADER = 120  # bytes of a safetensors header for one tensor, about


@dataclass(frozen=True)
class Spectra:
    """σ(s·B·A) of every layer, descending, with what a rank of it costs."""

    names: tuple[str, ...]
    sigma: tuple[np.ndarray, ...]  # float64 (r,) each
    costs: tuple[int, ...]  # parameters of one rank: out + in
    fixed: tuple[bool, ...]  # layers whose rank stays: convolutions in groups
    whole: int  # parameters beside the factors: magnitudes, layers fully trained
    itemsize: int  # bytes of a factor's number

    @property
    def most(self) -> int:
        return max(len(sigma) for sigma in self.sigma)

    @cached_property
    def _sums(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Σσ² of the first 0, 1 … r directions, of one layer after the other; where each begins.

        And how many directions each has. Worked out once: a curve asks for every rank.
        """
        sizes = np.array([len(sigma) for sigma in self.sigma])
        begins = np.concatenate([[0], np.cumsum(sizes + 1)[:-1]])
        sums = np.zeros(int((sizes + 1).sum()))
        for sigma, begin in zip(self.sigma, begins.tolist(), strict=True):
            np.cumsum(sigma**2, out=sums[begin + 1 : begin + 1 + len(sigma)])
        return sums, begins, sizes

    def kept(self, ranks: Sequence[int]) -> float:
        """The share of Σσ² over all layers that `ranks` keep."""
        sums, begins, sizes = self._sums
        total = float(sums[begins + sizes].sum())
        kept = float(sums[begins + np.minimum(ranks, sizes)].sum())
        return kept / total if total else 1.0

    def lost(self, ranks: Sequence[int]) -> np.ndarray:
        """The share of each layer's Σσ² that `ranks` do not keep."""
        sums, begins, sizes = self._sums
        kept = sums[begins + np.minimum(ranks, sizes)]
        return 1 - kept / np.maximum(sums[begins + sizes], 1e-300)

    @cached_property
    def curve(self) -> np.ndarray:
        """What one rank everywhere keeps (`kept` of `uniform`), from rank 1 to the largest."""
        gains = np.zeros(self.most)
        for sigma, fixed in zip(self.sigma, self.fixed, strict=True):
            energy = sigma**2
            if fixed:
                gains[0] += energy.sum()
            else:
                gains[: len(energy)] += energy
        sums = np.cumsum(gains)
        return sums / sums[-1] if sums[-1] else np.ones(self.most)

    def uniform(self, rank: int) -> tuple[int, ...]:
        """`rank` everywhere, or all that a layer has."""
        return tuple(
            len(s) if fixed else min(rank, len(s))
            for s, fixed in zip(self.sigma, self.fixed, strict=True)
        )

    def parameters(self, ranks: Sequence[int]) -> int:
        return sum(r * cost for r, cost in zip(ranks, self.costs, strict=True)) + self.whole

    def bytes(self, ranks: Sequence[int]) -> int:
        """Bytes of a safetensors file with these ranks, about."""
        return self.parameters(ranks) * self.itemsize + 2 * HEADER * len(self.names)


def measured(weights: AdapterWeights) -> Spectra:
    """σ of every layer by the QR core; raises AdapterError for an adapter without layers."""
    if not weights.layers:
        raise AdapterError("The adapter has no layers.")
    layers = weights.layers
    whole = sum(t.numel() for layer in weights.whole for t in layer.tensors().values())
    whole += sum(x.magnitude.numel() for x in layers if x.magnitude is not None)
    return Spectra(
        names=tuple(layer.name for layer in layers),
        sigma=tuple(spectra(layers)),
        costs=tuple(sum(layer.shape) // layer.groups for layer in layers),
        fixed=tuple(layer.groups > 1 for layer in layers),
        whole=whole,
        itemsize=layers[0].lora_A.element_size(),
    )


def by_rank(spectra: Spectra, rank: int, per_layer: bool = False) -> tuple[int, ...]:
    """`rank` everywhere, or as many parameters spread over the layers. Raises AdapterError."""
    if rank < 1:
        raise AdapterError(f"A rank must be a whole number from 1, not {rank}.")
    ranks = spectra.uniform(rank)
    return spread(spectra, spectra.parameters(ranks) - spectra.whole) if per_layer else ranks


def by_energy(spectra: Spectra, share: float, per_layer: bool = False) -> tuple[int, ...]:
    """The fewest ranks that keep `share` of Σσ² over all layers. Raises AdapterError."""
    if not 0 < share <= 1:
        raise AdapterError(f"A share of the energy must be above 0 and at most 1, not {share:g}.")
    enough = spectra.curve >= share - 1e-12
    ranks = spectra.uniform(1 + int((~enough).sum()))  # more than there are is all
    if not per_layer:
        return ranks
    return _fewest(spectra, share, spectra.parameters(ranks) - spectra.whole)


def by_norm(spectra: Spectra, share: float, per_layer: bool = False) -> tuple[int, ...]:
    """The fewest ranks with ‖ΔW_kept‖_F ≥ share·‖ΔW‖_F: energy is the norm's square."""
    if not 0 < share <= 1:
        raise AdapterError(f"A share of the norm must be above 0 and at most 1, not {share:g}.")
    return by_energy(spectra, share**2, per_layer)


def by_ratio(spectra: Spectra, ratio: float) -> tuple[int, ...]:
    """In each layer the directions with σ ≥ σ_1/ratio (sd-scripts' sv_ratio)."""
    if not ratio >= 1:
        raise AdapterError(f"σ_1/σ must be at least 1, not {ratio:g}.")
    kept = [max(1, int((s * ratio >= s[0] * (1 - ROUNDING)).sum())) for s in spectra.sigma]
    layers = zip(spectra.sigma, kept, spectra.fixed, strict=True)
    return tuple(len(sigma) if fixed else k for sigma, k, fixed in layers)


def spread(spectra: Spectra, budget: int) -> tuple[int, ...]:
    """Ranks (each ≥ 1) of at most `budget` parameters that keep the most energy, greedily."""
    ranks = [len(s) if fixed else 1 for s, fixed in zip(spectra.sigma, spectra.fixed, strict=True)]
    left = budget - sum(r * c for r, c in zip(ranks, spectra.costs, strict=True))
    open_steps = [
        (-(float(s[i]) ** 2) / cost, i, layer)
        for layer, (s, cost, fixed) in enumerate(
            zip(spectra.sigma, spectra.costs, spectra.fixed, strict=True)
        )
        if not fixed
        for i in range(1, len(s))
    ]
    closed: set[int] = set()  # layers whose next direction did not fit: what follows would be a gap
    for _, _, layer in sorted(open_steps):
        if layer not in closed:
            if spectra.costs[layer] > left:
                closed.add(layer)
                continue
            ranks[layer] += 1
            left -= spectra.costs[layer]
    return tuple(ranks)


def _fewest(spectra: Spectra, share: float, enough: int) -> tuple[int, ...]:
    """The smallest budget whose spread keeps `share`, between rank 1 and `enough` parameters."""
    low, high = sum(spectra.costs), enough
    best = spread(spectra, high)
    if spectra.kept(best) < share - 1e-12:  # a rounding of the greedy order: uniform is no worse
        return spectra.uniform(math.ceil(enough / max(1, sum(spectra.costs))))
    while high - low > max(spectra.costs):
        middle = (low + high) // 2
        ranks = spread(spectra, middle)
        if spectra.kept(ranks) >= share - 1e-12:
            best, high = ranks, middle
        else:
            low = middle
    return best
