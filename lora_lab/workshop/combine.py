"""Several adapters as one: their weighted sum exactly, or by a method that makes something else.

Σ wᵢ·sᵢ·Bᵢ·Aᵢ has rank ≤ Σ rᵢ. Adding A's and B's apart computes (ΣB)(ΣA), which is another thing,
and so are TIES, DARE and SLERP on purpose; each is offered with its distance from the sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.analysis.subspace import singular_factors
from lora_lab.errors import AdapterError, Cancelled
from lora_lab.figures import counted
from lora_lab.progress import Report, silent
from lora_lab.variants import PLAIN
from lora_lab.workshop.dense_merges import DENSE, layer_seed, slerp_weights
from lora_lab.workshop.requests import Trim
from lora_lab.workshop.resize import cut_layer

METHODS = {
    "exact": "the weighted sum, re-factorised by SVD",
    "cat": "the weighted sum, factors side by side: rank Σr",
    "linear": "PEFT's: factors added, each times √(w·s); not the sum of the ΔWs",
    "slerp": "two ΔWs: a point of the arc between them, w₂/(w₁ + w₂) of the way",
    "ties": "each ΔW trimmed to its largest entries; mean of those with the majority's sign",
    "dare-linear": "each ΔW with entries dropped at random and the rest rescaled; added",
    "dare-ties": "the same, and the mean of those with the majority's sign",
    "magnitude": "each ΔW trimmed to its largest entries; added",
}
AS_ADDED = ("cat", "linear")  # whose factors are what they are, at their own rank
CARRIED = (  # of the first adapter
    "task", "task_type", "base_model_name_or_path", "revision", "auto_mapping", "as_read",
    "model_type",
)  # fmt: skip
NEGLIGIBLE = 1e-7  # σ/σ_1 below which a direction of the sum is rounding


@dataclass(frozen=True)
class Combined:
    """The outcome, and for each layer ‖ΔW − ΣwΔW‖_F/‖ΣwΔW‖_F.

    `cut` is the largest ‖ΔW − M‖_F/‖M‖_F of a layer, where the method makes an M of more than the
    rank that is kept; 0 for the others.
    """

    weights: AdapterWeights
    errors: tuple[tuple[str, float], ...]
    notes: tuple[str, ...] = ()
    cut: float = 0.0

    @property
    def error(self) -> float:
        """The largest of any layer."""
        return max((error for _, error in self.errors), default=0.0)


@torch.no_grad()
def combine(
    adapters: Sequence[tuple[AdapterWeights, float]],
    method: str = "exact",
    rank: int | None = None,
    trim: Trim | None = None,
    report: Report = silent,
) -> Combined:
    """One adapter for the same base; `rank` cuts the outcome further, by SVD of it.

    A method that trims makes a ΔW of full rank: without a `rank` its first Σr directions are kept.
    Raises AdapterError for adapters that cannot be added: DoRA, different shapes, layers trained
    whole in more than one, for `linear` different ranks, for `slerp` more than two or a negative
    weight; for a `rank` where the method has its own, and for a `trim` that is none.
    """
    if method not in METHODS:
        raise AdapterError(f"There is no method {method!r}; there are {', '.join(METHODS)}.")
    if len(adapters) < 2:
        raise AdapterError("Give at least two adapters.")
    if method == "slerp" and len(adapters) > 2:
        raise AdapterError("SLERP is between two ΔWs. Merge two, then the outcome with the third.")
    if rank is not None and rank < 1:
        raise AdapterError(f"Rank must be at least 1, not {rank}.")
    if rank is not None and method in AS_ADDED:
        raise AdapterError(f"{method} keeps the rank that its factors have: take exact to cut it.")
    trim = (trim or Trim()).checked()
    ways = {
        "exact": lambda name, terms: _factored(_side_by_side(terms), rank),
        "cat": lambda name, terms: _side_by_side(terms),
        "linear": _linear,
        "slerp": lambda name, terms: _factored(_side_by_side(_on_arc(terms, adapters)), rank),
    }
    way = ways.get(method) or partial(_trimmed, method, rank=rank, trim=trim)
    _check(adapters)
    all_terms: dict[str, list[tuple[LayerWeights, float]]] = {}
    for weights, w in adapters:
        for layer in weights.layers:
            all_terms.setdefault(layer.name, []).append((layer, w))
    layers, errors, alone, cut = [], [], [], 0.0
    for number, (name, terms) in enumerate(all_terms.items()):
        report(f"Merging by {method}", number / len(all_terms))
        if len(terms) < len(adapters):
            alone.append(name)
        try:
            combined = way(name, terms)
            if isinstance(combined, tuple):
                combined, lost = combined
                cut = max(cut, lost)
            errors.append((name, _error(combined, terms)))
        except torch.linalg.LinAlgError as error:  # of what is not finite
            raise _not_finite(name, method) from error
        if not (combined.lora_A.isfinite().all() and combined.lora_B.isfinite().all()):
            raise _not_finite(name, method)
        layers.append(combined)
    notes = []
    if alone:
        notes.append(
            f"{counted(len(alone), 'layer')} not in every adapter ({alone[0]}): ΔW = 0 there"
        )
    declared = dict.fromkeys(_declared(weights) for weights, _ in adapters if _declared(weights))
    if len(declared) > 1:
        notes.append(f"the adapters declare different bases: {', '.join(declared)}")
    if cut:
        notes.append(
            f"{method} makes a ΔW of full rank; the directions that are kept lose up to "
            f"{100 * cut:.3g} % of it"
        )
    first = adapters[0][0]
    whole = next((weights.whole for weights, _ in adapters if weights.whole), ())
    weights = replace(
        first,
        variant=PLAIN,
        layers=tuple(layers),
        whole=whole,
        extra={key: first.extra[key] for key in CARRIED if key in first.extra},
    )
    return Combined(weights, tuple(errors), tuple(notes), cut)


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
    adapters: Sequence[tuple[AdapterWeights, float]],
    report: Report = silent,
    trim: Trim | None = None,
    rank: int | None = None,
    most: float = float("inf"),
) -> dict[str, float | str]:
    """Method → its largest error of a layer, or the reason why it cannot add these adapters.

    A method that forms each ΔW is left out, with that reason, where all have over `most` entries.
    """
    errors: dict[str, float | str] = {}
    entries = sum(x.shape[0] * x.shape[1] for x in adapters[0][0].layers)
    for number, method in enumerate(METHODS):

        def part(what: str, share: float, number: int = number) -> None:
            report(what, (number + max(share, 0)) / len(METHODS))

        if method in DENSE and entries > most:
            errors[method] = f"not measured: it would form {entries:,} entries"
            continue
        try:
            cut = None if method in AS_ADDED else rank
            errors[method] = combine(adapters, method, cut, trim, part).error
        except Cancelled:
            raise
        except AdapterError as error:
            errors[method] = str(error)
    return errors


def _not_finite(name: str, method: str) -> AdapterError:
    return AdapterError(
        f"{name}: by {method}, with these weights and density, its ΔW is not finite. Take a larger "
        "density or smaller weights, or leave out the adapter whose factors are so large."
    )


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
    real = max(1, numerical_rank(sigma))
    wanted = min(real, rank) if rank else real
    return cut_layer(layer, wanted)[0]


def _on_arc(
    terms: list[tuple[LayerWeights, float]], adapters: Sequence[tuple[AdapterWeights, float]]
) -> list[tuple[LayerWeights, float]]:
    """The two with the weights that SLERP gives them; a layer of one alone keeps its own."""
    w = tuple(weight for _, weight in adapters)
    if len(terms) < 2:
        slerp_weights((0.0, 0.0), 0.0, w)  # what it refuses, it refuses for every layer
        return terms
    (one, _), (two, _) = terms
    sides = [(x.scaling * x.lora_B.double(), x.lora_A.double()) for x in (one, two)]
    norms = tuple(product_norm(*side) for side in sides)
    cosine = factor_inner(*sides) / math.prod(norms) if all(norms) else 0.0
    try:
        given = slerp_weights(norms, cosine, w)
    except AdapterError as error:
        raise AdapterError(f"{one.name}: {error}") from None
    return [(one, given[0]), (two, given[1])]


def factor_inner(
    one: tuple[torch.Tensor, torch.Tensor], two: tuple[torch.Tensor, torch.Tensor]
) -> float:
    """⟨B₁A₁, B₂A₂⟩ = tr((B₁·A₁)ᵀ·B₂·A₂) of (B, A) in float64, without forming a product."""
    (B1, A1), (B2, A2) = one, two
    return float(((B1.T @ B2) * (A1 @ A2.T)).sum())


def _trimmed(
    method: str,
    name: str,
    terms: list[tuple[LayerWeights, float]],
    *,
    rank: int | None,
    trim: Trim,
) -> tuple[LayerWeights, float]:
    """The first directions of what the method makes of the ΔWs, and ‖ΔW − M‖_F/‖M‖_F."""
    first = terms[0][0]
    if any(layer.groups > 1 for layer, _ in terms):
        raise AdapterError(f"{name}: convolutions in groups cannot be combined.")
    dtype = torch.promote_types(torch.float32, first.lora_A.dtype)
    generator = torch.Generator().manual_seed(layer_seed(trim.seed, name))
    M = DENSE[method]([(x.delta_weight().to(dtype), w) for x, w in terms], trim, generator)
    U, sigma, Vh = torch.linalg.svd(M.double(), full_matrices=False)
    kept = min(rank or sum(x.rank for x, _ in terms), max(1, numerical_rank(sigma)))
    root, total = sigma[:kept].sqrt(), float(sigma.square().sum())
    lost = (float(sigma[kept:].square().sum()) / total) ** 0.5 if total else 0.0
    return (
        replace(
            first,
            lora_A=(root[:, None] * Vh[:kept]).to(dtype).contiguous(),
            lora_B=(U[:, :kept] * root).to(dtype).contiguous(),
            alpha=float(kept),
            scaling=1.0,
        ),
        lost,
    )


def numerical_rank(sigma: torch.Tensor) -> int:
    """How many of σ, descending, are above rounding of a float32 sum."""
    return int((sigma > NEGLIGIBLE * sigma[0]).sum())


def _linear(name: str, terms: list[tuple[LayerWeights, float]]) -> LayerWeights:
    """PEFT's combination_type "linear" (tuners/lora/model.py, add_weighted_adapter).

    The sign of a negative w·s goes into A alone.
    """
    if len({layer.rank for layer, _ in terms}) > 1:
        raise AdapterError(f"{name}: linear needs equal ranks; exact and cat do not.")
    if any(layer.groups > 1 for layer, _ in terms):
        raise AdapterError(f"{name}: convolutions in groups cannot be combined.")
    strengths = [(x, abs(w * x.scaling) ** 0.5, 1 if w * x.scaling >= 0 else -1) for x, w in terms]
    A = sum(sign * root * x.lora_A.double() for x, root, sign in strengths)
    B = sum(root * x.lora_B.double() for x, root, _ in strengths)
    first = terms[0][0]
    dtype = torch.promote_types(torch.float32, first.lora_A.dtype)
    return replace(
        first, lora_A=A.to(dtype), lora_B=B.to(dtype), alpha=float(first.rank), scaling=1.0
    )


def _error(combined: LayerWeights, terms: list[tuple[LayerWeights, float]]) -> float:
    """‖ΔW − ΣwΔW‖/‖ΣwΔW‖; of terms that cancel out, relative to Σ‖wΔW‖."""
    sides = [(w * x.scaling * x.lora_B.double(), x.lora_A.double()) for x, w in terms]
    left = torch.cat([B for B, _ in sides], 1)
    right = torch.cat([A for _, A in sides])
    norm, size = product_norm(left, right), sum(product_norm(*side) for side in sides)
    lost = product_norm(
        torch.cat([left, -combined.scaling * combined.lora_B.double()], 1),
        torch.cat([right, combined.lora_A.double()]),
    )
    whole = norm if norm > NEGLIGIBLE * size else size
    return lost / whole if whole else float(lost > 0)
