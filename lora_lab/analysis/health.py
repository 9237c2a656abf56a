"""Spectral health: how far σ(ΔW) stands out of noise, and how it moves. Hints, never verdicts.

numpy only, so that the window, the command line and the report read the same rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lora_lab.records import LayerSpectrum, SpectrumRecord

SPIKE, DEAD, FALLING = "spike", "dead", "falling"
EARLY = 50  # steps in which a spectrum is still taking shape
SHARE, ALONE, SETTLED = 0.5, 3.0, 0.8  # σ₁²/Σσ², σ₁/σ₂, and a share that need not have grown
GROWN = 0.05
UNUSED = 1e-3  # of σ₁: a direction that carries less than a millionth of its energy
FALLEN = 0.75  # of the largest effective rank so far
MOST = 64  # snapshots that are kept


@lru_cache(maxsize=4096)
def edge_of_noise(shape: tuple[int, int], rank: int) -> float:
    """σ₁ over ‖·‖_F of random matrices (out × in) of this rank, as they grow large.

    Of full rank it is Marchenko and Pastur's edge: iid entries have σ₁ → rms·(√out + √in). Below
    it is that of a product of two such factors, (out × r)·(r × in): the eigenvalues of AAᵀ·BᵀB are
    the free product of two Marchenko-Pastur laws with ratios r/out and r/in, and by its S-transform
    1/((1+c₁z)(1+c₂z)) the upper edge is the least (1+z)(1+c₁z)(1+c₂z)/z over z > 0, in units of
    their mean.
    """
    small, large = min(shape), max(shape)
    if rank >= small:
        return (math.sqrt(small) + math.sqrt(large)) / math.sqrt(small * large)
    first, second = rank / shape[0], rank / shape[1]
    z = np.geomspace(0.05, 50, 4001)  # the least lies between 0.6, for ratios of 1, and 1/√c
    z = np.concatenate([z, np.geomspace(50, 1e6, 2001)])
    least = float(((1 + z) * (1 + first * z) * (1 + second * z) / z).min())
    return math.sqrt(least / rank)


def noise_edge(
    sigma: np.ndarray, norm: float, shape: tuple[int, int], rank: int
) -> tuple[float, int]:
    """The largest σ that noise as large as the rest would have, and how many σ stand above it.

    `sigma` are the leading values of a matrix (out × in) with ‖·‖_F = `norm` and this `rank`. One
    that stands above the edge of what remains without it is taken out, until none does any more,
    and the edge is that of the remainder. Of n values the first of pure noise lies within a share
    n^(−2/3) of the edge (Tracy and Widom), so that much is no sign. nan, 0 for ΔW = 0 and where it
    is not finite.
    """
    energy = norm * norm
    if not (math.isfinite(energy) and energy > 0 and len(sigma) and np.isfinite(sigma).all()):
        return math.nan, 0
    rest = np.sqrt(np.maximum(energy - np.concatenate([[0.0], np.cumsum(np.square(sigma))]), 0.0))
    rest[rest <= 1e-9 * norm] = 0.0  # rounding
    full = min(rank, *shape)

    def edge(taken: int) -> float:
        """That of noise as large as what remains without the first `taken`."""
        left = full - taken
        if left <= 0 or not rest[taken]:
            return 0.0
        return float(rest[taken]) * edge_of_noise((shape[0] - taken, shape[1] - taken), left)

    above = 0
    while above < min(len(sigma), full) and rest[above]:
        slack = 1 + max(1, full - above - 1) ** (-2 / 3)
        if sigma[above] <= edge(above + 1) * slack:
            break
        above += 1
    return edge(above), above


def layer_edge(layer: LayerSpectrum, shape: tuple[int, int], exact: bool) -> tuple[float, int]:
    """`noise_edge` of one layer's ΔW; where that is not s·B·A alone, noise would have full rank."""
    rank = len(layer.sigma) if exact else min(shape)
    return noise_edge(layer.sigma, layer.delta_norm, shape, rank)


@dataclass(frozen=True)
class Finding:
    """One thing that is worth a look in one layer."""

    kind: str
    layer: str
    step: int
    value: float  # σ₁²/‖ΔW‖²; directions that are unused; effective rank
    before: float  # the same at `since`; of unused directions: how many there are
    since: int
    keep: int  # the clip whose loss tells: so many σ stay
    ceiling: float  # and those above it become this

    def words(self) -> str:
        """One sentence for a person; a hint."""
        if self.kind == SPIKE:
            return (
                f"σ₁ holds {100 * self.value:.3g} % of ΔW's energy ({100 * self.before:.3g} % at "
                f"step {self.since:,})"
            )
        if self.kind == DEAD:
            return f"{self.value:.0f} of {self.before:.0f} directions are unused"
        return f"effective rank {self.value:.3g}, from {self.before:.3g} at step {self.since:,}"


@dataclass(frozen=True)
class _Snapshot:
    step: int
    share: np.ndarray  # (layers,)
    effective: np.ndarray  # (layers,) nan where it is not known
    unused: np.ndarray  # (layers,) directions


class Health:
    """What a run's spectra come to; a few numbers per layer and snapshot."""

    def __init__(self, shapes: Mapping[str, tuple[int, int]], exact: bool = True) -> None:
        """`shapes` (out, in) of the layers; `exact`: ΔW is s·B·A and nothing else."""
        self._shapes, self._exact = dict(shapes), exact
        self._held: list[_Snapshot] = []
        self._newest: SpectrumRecord | None = None

    def add(self, record: SpectrumRecord) -> None:
        """One more spectrum, of the same layers in the same order; costs microseconds a layer."""
        if self._held and self._held[-1].step >= record.step:
            self.cut(record.step - 1)
        self._newest = record
        if record.step >= EARLY:
            self._held.append(_snapshot(record))
            if len(self._held) > MOST:
                self._held = [*self._held[:-1:2], self._held[-1]]

    def cut(self, step: int) -> None:
        """The run stands at `step` again."""
        self._held = [snapshot for snapshot in self._held if snapshot.step <= step]

    def findings(self) -> tuple[Finding, ...]:
        """What is worth a look now, in the model's order."""
        if not self._held or self._newest is None or self._newest.step != self._held[-1].step:
            return ()
        rows = enumerate(self._newest.layers)
        return tuple(finding for n, layer in rows for finding in self._of(n, layer))

    def _of(self, n: int, layer: LayerSpectrum) -> Iterable[Finding]:
        held, step = self._held, self._newest.step
        now, first = held[-1], held[0]
        sigma, shape = layer.sigma, self._shapes.get(layer.name)
        if shape is None or len(sigma) < 2 or not now.share[n] > 0:
            return
        second = float(sigma[1])
        share, was = float(now.share[n]), float(first.share[n])
        alone = share >= SHARE and sigma[0] >= ALONE * second and layer.rank > 1
        stands = alone and (share >= SETTLED or share - was >= GROWN)
        if stands and layer_edge(layer, shape, self._exact)[1]:
            yield Finding(SPIKE, layer.name, step, share, was, first.step, len(sigma), second)
        earlier = [snapshot for snapshot in held if snapshot.step <= step - EARLY]
        if self._exact and earlier and now.unused[n] and earlier[-1].unused[n]:
            count = float(min(now.unused[n], earlier[-1].unused[n]))
            keep, all_of_them = len(sigma) - int(count), float(len(sigma))
            yield Finding(DEAD, layer.name, step, count, all_of_them, step, keep, math.inf)
        effective = np.array([snapshot.effective[n] for snapshot in held])
        if np.isfinite(effective).all():
            most = int(effective.argmax())
            if effective[-1] <= FALLEN * effective[most]:
                yield Finding(
                    FALLING, layer.name, step, float(effective[-1]), float(effective[most]),
                    held[most].step, len(sigma), second,
                )  # fmt: skip


def _snapshot(record: SpectrumRecord) -> _Snapshot:
    layers = record.layers
    first = np.array([layer.sigma[0] if len(layer.sigma) else 0.0 for layer in layers])
    norms = np.array([layer.delta_norm for layer in layers])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(norms > 0, np.square(first / norms), 0.0)
    effective = np.array([layer.effective_rank for layer in layers])
    pairs = zip(layers, first, strict=True)
    unused = [int(np.count_nonzero(layer.sigma <= UNUSED * top)) for layer, top in pairs]
    return _Snapshot(record.step, share, effective, np.array(unused))
