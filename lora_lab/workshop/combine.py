"""Several adapters as one: their weighted sum exactly, by concatenation, or PEFT's factor-wise sum.

Σ wᵢ·sᵢ·Bᵢ·Aᵢ has rank ≤ Σ rᵢ. Adding A's and B's apart computes (ΣB)(ΣA), which is another thing;
it is offered because others offer it, with its error beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.analysis.subspace import singular_factors
from lora_lab.errors import AdapterError
from lora_lab.figures import counted
from lora_lab.progress import Report, silent
from lora_lab.variants import PLAIN
from lora_lab.workshop.resize import cut_layer

METHODS = {
    "exact": "the weighted sum, re-factorised by SVD",
    "cat": "the weighted sum, factors side by side: rank Σr",
    "linear": "PEFT's: factors added, each times √(w·s); not the sum of the ΔWs",
}
CARRIED = (  # of the first adapter
    "task", "task_type", "base_model_name_or_path", "revision", "auto_mapping", "as_read",
    "model_type",
)  # fmt: skip
NEGLIGIBLE = 1e-7  # σ/σ_1 below which a direction of the sum is rounding


@dataclass(frozen=True)
class Combined:
    """The outcome, and for each layer ‖ΔW − ΣwΔW‖_F/‖ΣwΔW‖_F."""

    weights: AdapterWeights
    errors: tuple[tuple[str, float], ...]
    notes: tuple[str, ...] = ()

    @property
    def error(self) -> float:
        """The largest of any layer."""
        return max((error for _, error in self.errors), default=0.0)


@torch.no_grad()
def combine(
    adapters: Sequence[tuple[AdapterWeights, float]], method: str = "exact", rank: int | None = None
) -> Combined:
    """One adapter for the same base; `rank` cuts the exact sum further.

    Raises AdapterError for adapters that cannot be added: DoRA, different shapes, layers trained
    whole in more than one, and for `linear` different ranks or a negative w·s.
    """
    if method not in METHODS:
        raise AdapterError(f"There is no method {method!r}; there are {', '.join(METHODS)}.")
    if len(adapters) < 2:
        raise AdapterError("Give at least two adapters.")
    _check(adapters)
    names = dict.fromkeys(x.name for weights, _ in adapters for x in weights.layers)
    layers, errors, alone = [], [], []
    for name in names:
        terms = [
            (layer, w) for weights, w in adapters for layer in weights.layers if layer.name == name
        ]
        if len(terms) < len(adapters):
            alone.append(name)
        combined = _linear(name, terms) if method == "linear" else _side_by_side(terms)
        if method == "exact":
            combined = _factored(combined, rank)
        layers.append(combined)
        errors.append((name, _error(combined, terms)))
    notes = []
    if alone:
        notes.append(
            f"{counted(len(alone), 'layer')} not in every adapter ({alone[0]}): ΔW = 0 there"
        )
    declared = dict.fromkeys(_declared(weights) for weights, _ in adapters if _declared(weights))
    if len(declared) > 1:
        notes.append(f"the adapters declare different bases: {', '.join(declared)}")
    first = adapters[0][0]
    whole = next((weights.whole for weights, _ in adapters if weights.whole), ())
    weights = replace(
        first,
        variant=PLAIN,
        layers=tuple(layers),
        whole=whole,
        extra={key: first.extra[key] for key in CARRIED if key in first.extra},
    )
    return Combined(weights, tuple(errors), tuple(notes))


def _declared(weights: AdapterWeights) -> str:
    """The name of the base that an adapter's file gives, without the folder where it was."""
    named = str(weights.extra.get("base_model_name_or_path") or weights.base)
    return named.rstrip("/").rpartition("/")[2]


def product_norm(left: torch.Tensor, right: torch.Tensor) -> float:
    """‖left (out × r) · right (r × in)‖_F without forming it, in float64."""
    R_left = torch.linalg.qr(left.double(), mode="r").R
    R_right = torch.linalg.qr(right.double().T, mode="r").R
    return float(torch.linalg.matrix_norm(R_left @ R_right.T))


def errors_by_method(
    adapters: Sequence[tuple[AdapterWeights, float]], report: Report = silent
) -> dict[str, float | str]:
    """Method → its largest error of a layer, or the reason why it cannot add these adapters."""
    errors: dict[str, float | str] = {}
    for number, method in enumerate(METHODS):
        report(f"Measuring {method}", number / len(METHODS))
        try:
            errors[method] = combine(adapters, method).error
        except AdapterError as error:
            errors[method] = str(error)
    return errors


def _check(adapters: Sequence[tuple[AdapterWeights, float]]) -> None:
    shapes: dict[str, tuple[int, int]] = {}
    prints = {w.base_fingerprint for w, _ in adapters if w.base_fingerprint}
    if len(prints) > 1:
        raise AdapterError("The adapters are for different base models: their fingerprints differ.")
    if sum(bool(weights.whole) for weights, _ in adapters) > 1:
        raise AdapterError("More than one adapter has fully trained layers; those cannot be added.")
    for weights, w in adapters:
        if not abs(w) < 1e6:
            raise AdapterError(f"A weight must be a finite number, not {w}.")
        for layer in weights.layers:
            if layer.magnitude is not None:
                raise AdapterError(
                    f"{layer.name}: DoRA's ΔW depends on W, so it cannot be added from files "
                    "alone. Merge it into the base and extract it instead."
                )
            if shapes.setdefault(layer.name, layer.shape) != layer.shape:
                raise AdapterError(
                    f"{layer.name} is {shapes[layer.name]} in one adapter and {layer.shape} in "
                    "another: they are for different bases."
                )


def _side_by_side(terms: list[tuple[LayerWeights, float]]) -> LayerWeights:
    first = terms[0][0]
    if any(layer.groups > 1 for layer, _ in terms):
        raise AdapterError(f"{first.name}: convolutions in groups cannot be combined.")
    dtype = torch.promote_types(torch.float32, first.lora_A.dtype)
    A = torch.cat([layer.lora_A.double() for layer, _ in terms])
    B = torch.cat([w * layer.scaling * layer.lora_B.double() for layer, w in terms], 1)
    return replace(first, lora_A=A.to(dtype), lora_B=B.to(dtype), alpha=float(len(A)), scaling=1.0)


def _factored(layer: LayerWeights, rank: int | None) -> LayerWeights:
    _, sigma, _ = singular_factors(layer.lora_A, layer.lora_B, layer.scaling)
    real = max(1, int((sigma > NEGLIGIBLE * sigma[0]).sum()))
    wanted = min(real, rank) if rank else real
    return cut_layer(layer, wanted)[0]


def _linear(name: str, terms: list[tuple[LayerWeights, float]]) -> LayerWeights:
    """PEFT's combination_type "linear" (tuners/lora/model.py, add_weighted_adapter)."""
    if len({layer.rank for layer, _ in terms}) > 1:
        raise AdapterError(f"{name}: linear needs equal ranks; exact and cat do not.")
    if any(w * layer.scaling < 0 for layer, w in terms):
        raise AdapterError(f"{name}: linear takes √(w·s), so no weight may be negative.")
    A = sum((w * x.scaling) ** 0.5 * x.lora_A.double() for x, w in terms)
    B = sum((w * x.scaling) ** 0.5 * x.lora_B.double() for x, w in terms)
    first = terms[0][0]
    dtype = torch.promote_types(torch.float32, first.lora_A.dtype)
    return replace(
        first, lora_A=A.to(dtype), lora_B=B.to(dtype), alpha=float(first.rank), scaling=1.0
    )


def _error(combined: LayerWeights, terms: list[tuple[LayerWeights, float]]) -> float:
    left = torch.cat([w * x.scaling * x.lora_B.double() for x, w in terms], 1)
    right = torch.cat([x.lora_A.double() for x, _ in terms])
    norm = product_norm(left, right)
    lost = product_norm(
        torch.cat([left, -combined.scaling * combined.lora_B.double()], 1),
        torch.cat([right, combined.lora_A.double()]),
    )
    return lost / norm if norm else float(lost > 0)
