"""Singular values of every layer's ΔW, the costly ones taken in turn."""

from __future__ import annotations

import math
import time

from lora_lab.adapters import AdapterLayer, LoRALayer
from lora_lab.analysis import rank as measures
from lora_lab.analysis.randomized import Spectrum
from lora_lab.analysis.spectrum import stated_spectra
from lora_lab.records import LayerSpectrum, frozen_array


class LayerSpectra:
    """The newest spectra of some layers; of a ΔW without factors they may be of an earlier step."""

    def __init__(self, layers: dict[str, AdapterLayer], factor_dtype: str) -> None:
        """`factor_dtype` of the factors: rounding in it bounds the numerical rank."""
        self._layers, self._factor_dtype = layers, factor_dtype
        self._newest: dict[str, Spectrum] = {}  # those of longest ago first

    def measured(self, seconds: float = math.inf) -> tuple[LayerSpectrum, ...]:
        """σ(ΔW) of every layer, with its rank measures, in the model's order.

        A ΔW without factors takes long. Of those, one at least is decomposed anew; what `seconds`
        do not suffice for keeps the values it had, and is the first in turn the next time.
        """
        began = time.perf_counter()
        newest = self._newest
        quick = {n: layer for n, layer in self._layers.items() if layer.factors() is not None}
        slow = self._layers.keys() - quick.keys()
        waiting = [*(slow - newest.keys()), *(name for name in newest if name in slow)]
        newest.update(zip(quick, stated_spectra(quick.values()), strict=True))
        for turn, name in enumerate(waiting):
            if turn and name in newest and time.perf_counter() - began > seconds:
                break
            newest.pop(name, None)  # to the end of the order
            newest[name] = stated_spectra([self._layers[name]])[0]
        return tuple(self._row(layer, newest[name]) for name, layer in self._layers.items())

    def _row(self, layer: AdapterLayer, spectrum: Spectrum) -> LayerSpectrum:
        """Plain numbers: what leaves the session thread holds none of numpy's."""
        sigma = spectrum.sigma
        factored = isinstance(layer, LoRALayer)
        largest, norm = float(sigma[0]), float(spectrum.norm)
        return LayerSpectrum(
            name=layer.name,
            sigma=frozen_array(sigma),
            numerical_rank=int(measures.numerical_rank(sigma, layer.shape, self._factor_dtype)),
            stable_rank=(norm / largest) ** 2 if largest > 0 else math.nan,
            effective_rank=float(measures.effective_rank(sigma)) if spectrum.exact else math.nan,
            delta_norm=norm,
            rank=layer.rank if factored else min(layer.shape),
            alpha=float(layer.alpha) if factored else math.nan,
            scaling=float(layer.scaling) if factored else 1.0,
            error=float(spectrum.error.max()),
            frozen=layer.frozen,
        )
