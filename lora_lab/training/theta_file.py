"""The file of a random subspace: θ, and what draws its projection again; written, and read back.

A safetensors file with `theta` (d) and, of layers that are fully trained beside it, their tensors
by name. Its metadata has the seed, the SHA-256 of the projection, the layers that θ moves and the
fingerprint of the base. Nothing else of the adapter exists: 27 numbers are 108 bytes of it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lora_lab import inits
from lora_lab.adapters import AdapterLayer, FullLayer, LoRALayer
from lora_lab.adapters.space import Subspace, space_of
from lora_lab.adapters.weights import AdapterWeights, WholeLayer
from lora_lab.atomic import write_file
from lora_lab.blocks.frozen import numbers_of
from lora_lab.config import RunConfig, changed
from lora_lab.door import door
from lora_lab.errors import AdapterError, CheckpointError, ConfigError, LabError
from lora_lab.formats.factors import FLOATS
from lora_lab.formats.safetensors_out import packed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.models.checkpoint import regular_size
from lora_lab.models.safetensors_file import read_header, read_safetensors
from lora_lab.models.strict_json import parse_json
from lora_lab.names import shown
from lora_lab.projections import FLAT, HASH, PROJECTIONS, SAID, STRUCTURES
from lora_lab.training.saving.counted_twice import REASON, as_counted_twice
from lora_lab.variants import SUBSPACE, THETA, VARIANTS

NAME = THETA  # in the folder of a run
FACTORS = VARIANTS[SUBSPACE].large
FORMAT = "lora-lab theta"
MOST_BYTES = 2**32


def save(
    path: Path, space: Subspace, layers: Mapping[str, AdapterLayer], base: str, fingerprint: str
) -> None:
    """Write the subspace of these layers; raises LabError where the file cannot be written."""
    numbers = {"theta": space.theta, "lambdas": space.lambdas}
    tensors = {k: t.detach().cpu().contiguous() for k, t in numbers.items() if t is not None}
    for layer in layers.values():
        if isinstance(layer, FullLayer):
            tensors |= {k: t.contiguous() for k, t in layer.whole_layer().tensors().items()}
    about = {
        "format": FORMAT, "version": "1", "seed": str(space.seed), "base": base,
        "drawn_by": space.asked.projection, "structure": space.asked.structure,
        **_of_factors(space),
        "projection": space.fingerprint(), "base_fingerprint": fingerprint,
        "layers": json.dumps([layer.name for layer in space.layers]),
    }  # fmt: skip
    try:
        write_file(path, *packed(tensors, about))
    except OSError as error:
        raise LabError(
            f"The numbers of the subspace cannot be written to {path}: {error}."
        ) from None


@dataclass(frozen=True)
class FromTheta:
    """A file of θ as a run goes on from it: what it settles, and its numbers in the model."""

    path: str
    theta: torch.Tensor  # (d)
    seed: int
    projection: str  # its SHA-256
    drawn_by: str  # a name in PROJECTIONS
    structure: str  # a name in STRUCTURES
    lambdas: torch.Tensor  # (m) of SAID; else (0)
    variant: str
    factors: Mapping[str, Any]  # rank and alpha, where the numbers move factors
    names: tuple[str, ...]
    weights: AdapterWeights  # the layers that are fully trained, and the base
    hyper: Hyperparameters = field(default_factory=Hyperparameters)
    ratios: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def settings(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a run has from the file: fixed settings, and live ones."""
        fixed = {
            "variant": self.variant, "init": inits.PLAIN, "seed": self.seed, "targets": self.names,
            "projection": self.drawn_by, "structure": self.structure,
        }  # fmt: skip
        return fixed, {"dimension": self.numbers, **self.factors}

    @property
    def numbers(self) -> int:
        """d: all that is trained of the file's numbers."""
        return len(self.theta) + len(self.lambdas)

    def check_base(self, fingerprint: str) -> None:
        """Raise AdapterError for another base than that of the file: P·θ would mean nothing."""
        if self.weights.base_fingerprint != fingerprint:
            of = f" ({self.weights.base[:200]})" if self.weights.base else ""
            raise AdapterError(
                f"{self.path} is of another base{of}: its numbers move just those weights. Open "
                "the base that it was trained on."
            )

    @torch.no_grad()
    def fill(self, layers: Mapping[str, AdapterLayer]) -> None:
        """Put θ into layers that were just made by the file's settings; raises AdapterError."""
        space = space_of(layers.values())
        if space is None or tuple(layer.name for layer in space.layers) != self.names:
            raise AdapterError(
                f"The targets are not those of {self.path}, whose numbers move "
                f"{len(self.names)} layers together. Leave the targets out."
            )
        for what, own, other in (
            ("projection", self.drawn_by, space.asked.projection),
            ("structure", self.structure, space.asked.structure),
        ):
            if own != other:
                raise AdapterError(
                    f"The numbers of {self.path} move their weights by the {what} {own}, and not "
                    f"by {other}. Leave the {what} out."
                )
        if self.projection == as_counted_twice(space, len(self.theta)):
            raise AdapterError(f"{self.path} {REASON}.")
        if space.seed != self.seed or space.fingerprint() != self.projection:
            raise AdapterError(
                f"{self.path}: its seed {self.seed} draws another random subspace here, by torch "
                f"{torch.__version__} and seed {space.seed}. Leave the seed out, or use the "
                "version of torch that made it."
            )
        space.theta.copy_(self.theta)
        if space.lambdas is not None:
            space.lambdas.copy_(self.lambdas)
        for row in self.weights.whole:
            layer = layers.get(row.name)
            if not isinstance(layer, FullLayer) or not _alike(layer.whole_layer(), row):
                raise AdapterError(f"{self.path}: {shown(row.name)} does not fit this model.")
            layer.tuned_weight.copy_(row.weight)
            if layer.tuned_bias is not None and row.bias is not None:
                layer.tuned_bias.copy_(row.bias)


def _alike(one: WholeLayer, other: WholeLayer) -> bool:
    """Whether both have the same tensors of the same shapes."""
    shapes = [{name: t.shape for name, t in x.tensors().items()} for x in (one, other)]
    return shapes[0] == shapes[1]


def _of_factors(space: Subspace) -> dict[str, str]:
    """What the file says of factors that the numbers move; nothing where they move weights."""
    first = space.owner
    if not isinstance(first, LoRALayer):
        return {}
    rank = max(layer.rank for layer in space.layers if isinstance(layer, LoRALayer))
    alpha = VARIANTS[FACTORS].alpha(first.scaling, rank)
    return {"variant": FACTORS, "rank": str(rank), "alpha": repr(float(f"{alpha:.12g}"))}


def _variant_of(about: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The variant of a file, with rank and α of factors; raises CheckpointError."""
    if (variant := about.get("variant", SUBSPACE)) == SUBSPACE:
        return variant, {}
    if variant != FACTORS:
        raise CheckpointError(f"its numbers move {shown(variant)}, which is none of this version")
    try:
        found = changed(Hyperparameters(), rank=about["rank"], alpha=about["alpha"])
    except ConfigError as error:
        raise CheckpointError(str(error)) from None
    return variant, {"rank": found.rank, "alpha": found.alpha}


def theta_of(path: str | Path) -> Path | None:
    """The file of θ that is meant by a path: itself, or that of a run; None for other adapters."""
    at = Path(path)
    if at.is_dir():
        at = at / NAME
    return at if at.name == NAME and at.is_file() else None


@door(AdapterError)
def read(path: Path, most: int | None = None) -> FromTheta:
    """The file; raises AdapterError for one that is damaged or something else, or of over `most`.

    Numbers are read where the model says how many there may be; else they are of shapes alone (on
    the meta device).
    """
    try:
        if (size := regular_size(path)) > MOST_BYTES:
            raise CheckpointError(f"it has {size:,} bytes")
        with path.open("rb") as file:
            entries, about = read_header(file, size)
            count = sum(math.prod(entry.shape) for entry in entries.values())
            if most is not None and count > most:
                raise CheckpointError(f"it has {count:,} numbers, more than the model has weights")
            file.seek(0)
            tensors = (
                {k: torch.empty(e.shape, dtype=e.dtype, device="meta") for k, e in entries.items()}
                if most is None
                else read_safetensors(file, size)[0]
            )
        if about.get("format") != FORMAT or about.get("version") != "1":
            raise CheckpointError("it does not say that it is a file of θ, of version 1")
        for name, tensor in tensors.items():
            if tensor.dtype not in FLOATS or not (tensor.is_meta or tensor.isfinite().all()):
                raise CheckpointError(f"{shown(name)} holds other than finite numbers")
        theta, seed = tensors.pop("theta"), about["seed"]
        if theta.dim() != 1 or not len(theta) or not re.fullmatch(r"[0-9]{1,19}", seed):
            raise CheckpointError("its θ is no vector, or its seed no number")
        if (drawn_by := about.get("drawn_by", HASH)) not in PROJECTIONS:
            raise CheckpointError(f"no projection is called {shown(drawn_by)}")
        if (structure := about.get("structure", FLAT)) not in STRUCTURES:
            raise CheckpointError(f"no structure is called {shown(structure)}")
        lambdas = tensors.pop("lambdas") if structure == SAID else torch.zeros(0)
        if lambdas.dim() != 1:
            raise CheckpointError("its λ are no vector")
        variant, factors = _variant_of(about)
        names = parse_json(about["layers"].encode(), "its layers", CheckpointError)
        if not isinstance(names, list) or {*map(type, names)} != {str}:
            raise CheckpointError("its layers are no list of names")
        own = {key.rpartition(".")[0] for key in tensors}
        whole = tuple(
            WholeLayer(name, tensors.pop(f"{name}.weight"), tensors.pop(f"{name}.bias", None))
            for name in sorted(own)
        )
        if tensors:
            raise CheckpointError(f"{shown(next(iter(tensors)))} belongs to no layer")
    except (OSError, CheckpointError, KeyError, TypeError) as error:
        why = f"it has no {shown(error.args[0])[1:-1]}" if isinstance(error, KeyError) else error
        why = str(why).rstrip(".")
        raise AdapterError(f"{path} is no file of a subspace's numbers: {why}.") from None
    base, print_ = about.get("base", ""), about.get("base_fingerprint", "")
    weights = AdapterWeights(variant, (), whole, base=base, base_fingerprint=print_)
    sha = about.get("projection", "")
    return FromTheta(
        str(path),
        theta,
        int(seed),
        sha,
        drawn_by,
        structure,
        lambdas,
        variant,
        factors,
        tuple(names),
        weights,
    )


def fitted(path: Path, config: RunConfig, model: nn.Module, new_layers: Iterable[str]) -> FromTheta:
    """The file as `config` goes on from it; raises ConfigError for another variant or d."""
    del new_layers
    weights = numbers_of(model)
    found = read(path, 3 * weights)  # of factors are up to twice as many, beside whole layers
    if config.variant != found.variant:
        raise ConfigError(
            f"{path} is {VARIANTS[found.variant]} and cannot be continued as "
            f"{VARIANTS[config.variant]}. Leave the variant out, or choose {found.variant}."
        )
    d = found.numbers
    note = (
        f"continues {path.name}: {d:,} numbers, {found.theta.nbytes + found.lambdas.nbytes:,} bytes"
    )
    hyper = changed(config.hyper, dimension=d, **found.factors)
    return replace(found, hyper=hyper, notes=(note,))
