"""The space that d numbers span: one θ for all layers of a model, and the projection P they share.

Which tensors P·θ moves is the layers' own: each names them in `moved`, and asks for its part.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.autograd.function import once_differentiable

from lora_lab.adapters import projection
from lora_lab.adapters.at_once import MOST_ENTRIES, AtOnce, DenseProjection, Fastfood
from lora_lab.adapters.base import AdapterLayer, Sharing
from lora_lab.adapters.projection import HashProjection, Projection
from lora_lab.blocks.frozen import FrozenBlocks
from lora_lab.errors import AdapterError
from lora_lab.projections import FLAT, PROJECTIONS, SAID, STRUCTURES

KINDS: dict[str, type[Projection]] = {
    "hash": HashProjection, "dense": DenseProjection, "fastfood": Fastfood,
}  # fmt: skip


class SharesTheta(AdapterLayer):
    """A layer whose change is a part of P·θ, which moves all layers together."""

    vectors = ("theta",)
    space: Subspace | None = None
    places: tuple[int, ...] = ()  # of its `moved` among those of all layers

    @classmethod
    def share(cls, layers: Sequence[SharesTheta], asked: Sharing) -> None:
        Subspace(layers, asked)

    def moved(self) -> dict[Hashable, torch.Size]:
        """The tensors that θ moves; one that two layers have in common has one key."""
        raise NotImplementedError

    def drawn(self) -> Iterator[torch.Tensor]:
        """Signs of what was drawn of the seed beside the projection, if anything was."""
        yield from ()

    @property
    def frozen(self) -> bool:
        """Never one layer alone: θ is shared."""
        return not self.space.theta.requires_grad

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        if frozen:
            raise AdapterError(f"Layer {self.name} cannot be frozen: θ is shared by all layers.")


class Subspace:
    """The one θ of a model's layers, and the projection that they share.

    θ is a parameter of the first layer, so that the optimizer, the counts and the checkpoints meet
    it once. It is trained in float32, or in float64 beside weights of float64.
    """

    def __init__(self, layers: Sequence[SharesTheta], asked: Sharing) -> None:
        """Raises AdapterError for a d that the layers, or the projection, have no room for."""
        self.layers, self.asked = tuple(layers), asked
        self._prints: dict[int, str] = {}
        self._change: tuple[Any, ...] = ()
        self.owner = self.layers[0]
        moved: dict[Hashable, torch.Size] = {}
        for layer in self.layers:
            moved |= layer.moved()
        self.shapes = tuple(moved.values())
        self.scaled = len(self.shapes) if asked.structure == SAID else 0  # numbers that are λ
        self._project(asked.dimension)
        place: dict[str, Any] = {"dtype": self.owner.factor_dtype, "device": self.device}
        self.owner.theta = nn.Parameter(torch.zeros(self.numbers_of(asked.dimension), **place))
        if self.scaled:
            self.owner.lambdas = nn.Parameter(torch.ones(self.scaled, **place))
        places = {key: place for place, key in enumerate(moved)}
        for layer in self.layers:
            layer.space, layer.places = self, tuple(places[key] for key in layer.moved())

    @property
    def theta(self) -> nn.Parameter:
        """θ (d)."""
        return self.owner.theta

    @property
    def lambdas(self) -> nn.Parameter | None:
        """λ of each tensor (m), by which SAID multiplies its part of P·θ; else None."""
        return self.owner.lambdas if self.scaled else None

    def numbers_of(self, dimension: int) -> int:
        """How many of d numbers are θ."""
        return dimension - self.scaled

    @property
    def seed(self) -> int:
        return self.asked.seed

    @property
    def device(self) -> torch.device:
        return self.owner.device

    @property
    def dimension(self) -> int:
        """d: all numbers that are trained."""
        return self.projection.dimension + self.scaled

    @property
    def total(self) -> int:
        """D: all that θ moves; a weight that two layers share counts once."""
        return self.projection.total

    @property
    def locked(self) -> tuple[tuple[str, str], ...]:
        """That d cannot change in mid-run, with the reason; nothing where it can."""
        rows = PROJECTIONS[self.asked.projection], STRUCTURES[self.asked.structure]
        reason = next((row.fixed for row in rows if row.fixed), "")
        return (("dimension", reason),) if reason else ()

    def project(self, dimension: int) -> None:
        """Draw the projection of another d, where it is another; θ is the caller's."""
        if dimension != self.dimension:
            self._project(dimension)

    def _project(self, dimension: int) -> None:
        self.projection = self._drawn(dimension)
        self._change = ()
        if isinstance(self.projection, AtOnce):
            self.projection.to(self.device, self.owner.factor_dtype)
            self._hold(self.projection.tensors())
            return
        drawn = zip(self.projection.codes(), self.shapes, strict=True)
        self.codes = [code.view(shape).to(self.device) for code, shape in drawn]
        apart = len(self.shapes) if self.projection.apart else 1
        scales = (self.projection.scales(tensor) for tensor in range(apart))
        self.scales = [row.to(self.device, self.owner.factor_dtype) for row in scales]
        self._hold([*self.codes, *self.scales])

    def _hold(self, tensors: Sequence[torch.Tensor]) -> None:
        """Let the model have what P is made of among its buffers, so that its memory is counted."""
        for number, tensor in enumerate(tensors):
            self.owner.register_buffer(f"P{number}", tensor, persistent=False)

    def _drawn(self, dimension: int) -> Projection:
        sizes = [shape.numel() for shape in self.shapes]
        apart, numbers = self.asked.structure != FLAT, self.numbers_of(dimension)
        if self.scaled and numbers < 1:
            raise AdapterError(
                f"SAID keeps one of its d numbers as the λ of each of the {self.scaled:,} tensors, "
                f"so d must be above {self.scaled:,}, not {dimension:,}. Choose a larger d, or the "
                "structure DID."
            )
        try:
            return KINDS[self.asked.projection](sizes, numbers, self.seed, apart)
        except ValueError as error:
            raise AdapterError(f"The random subspace: {error}.") from None

    def code(self, place: int) -> torch.Tensor | None:
        """The hash projection's own at a tensor, in its shape; None of one that moves all."""
        return None if isinstance(self.projection, AtOnce) else self.codes[place]

    def tables(self, places: Sequence[int]) -> list[torch.Tensor]:
        """What the hash projection looks P·θ up in (2d), for each of these tensors."""
        theta, lambdas = self.theta, self.lambdas
        if not self.projection.apart:
            return [projection.table(theta, self.scales[0])] * len(places)
        if lambdas is None:
            return [projection.table(theta, self.scales[i]) for i in places]
        return [projection.table(theta * lambdas[i], self.scales[i]) for i in places]

    def change(self, place: int) -> torch.Tensor:
        """P·θ at one of the tensors that θ moves, in its shape."""
        code = self.code(place)
        if code is not None:
            return Up.apply(*self.tables((place,)), code)
        part, lambdas = self._parts()[place], self.lambdas
        return part if lambdas is None else part * lambdas[place]

    def _parts(self) -> tuple[torch.Tensor, ...]:
        """P·θ at all tensors; made once for all layers, until θ is another one.

        Their gradients meet in one node, so that Pᵀ is applied once as well.
        """
        theta, state = self.theta, (torch.is_grad_enabled(), torch.is_inference_mode_enabled())
        if self._change:
            known, values, before, parts = self._change
            same = known is theta and before == (*state, theta.requires_grad)
            # Fused optimizers write past torch's count of versions, so the numbers are compared.
            if same and (isinstance(theta, FakeTensor) or torch.equal(values, theta)):
                return parts
        whole = _AllAtOnce.apply(theta, self.projection)
        split = whole.split([shape.numel() for shape in self.shapes])
        parts = tuple(part.view(shape) for part, shape in zip(split, self.shapes, strict=True))
        before = (*state, theta.requires_grad)
        self._change = (theta, theta.detach().clone(), before, parts)
        return parts

    def fingerprint(self, dimension: int = 0) -> str:
        """SHA-256 of the projection as it is drawn here; of another d where one is given.

        Another version of torch may draw another one from the same seed.
        """
        d = dimension or self.dimension
        if d not in self._prints:
            drawn = self.projection if d == self.dimension else self._drawn(d)
            held = d == self.dimension and not isinstance(drawn, AtOnce)
            codes = self.codes if held else drawn.codes()
            more = chain.from_iterable(layer.drawn() for layer in self.layers)
            apart = list(STRUCTURES).index(self.asked.structure)  # a dense P is drawn alike in all
            told = [torch.tensor([apart])] if apart else []
            self._prints[d] = projection.digest(chain(codes, more, told))
        return self._prints[d]

    @torch.no_grad()
    def carried(
        self, dimension: int, vectors: Sequence[torch.Tensor], squares: Sequence[torch.Tensor] = ()
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """What another subspace holds of P·θ: P′ᵀ·P of each vector (d → d′), float64 on the CPU.

        With d′ a multiple of d that is all of it; the other way round it is the part that comes
        nearest. `squares` are means of squares, as of gradients; they are dealt out by the weights
        that the numbers have in common.
        """
        other = HashProjection(self.projection.sizes, dimension, self.seed)
        old, new = self.projection.scales(), other.scales()
        halves = [v.detach().cpu().double() * old for v in vectors]
        wide = [torch.cat([v, -v]) for v in halves]
        wide += [torch.cat([q, q]) for v in squares for q in [v.detach().cpu().double() * old**2]]
        sums = [torch.zeros(2 * dimension, dtype=torch.float64) for _ in wide]
        for code, other_code in zip(self.projection.codes(), other.codes(), strict=True):
            for looked_up, total in zip(wide, sums, strict=True):
                projection.down(total, other_code, projection.up(looked_up, code))
        moved = [projection.folded(total, new) for total in sums[: len(vectors)]]
        dealt = [torch.add(*total.chunk(2)) for total in sums[len(vectors) :]]
        return moved, dealt

    def kept(self) -> list[tuple[int, float]]:
        """For d halved again and again, how much of ‖ΔW‖² that subspace holds, of 1."""
        theta, d = self.theta, self.dimension
        if self.locked:  # no other d holds a part of it
            return []
        shares: list[tuple[int, float]] = []
        values, members = theta.detach().cpu().double(), self.projection.scales().pow(-2)
        energy = float(values.square().sum())
        while d % 2 == 0:
            d //= 2
            pairs = members.view(2, d)
            values = (values.view(2, d) * pairs.sqrt()).sum(0) / pairs.sum(0).sqrt()
            members = pairs.sum(0)
            shares.append((d, float(values.square().sum()) / energy if energy else 1.0))
        return shares


def weights_moved(layers: Mapping[str, nn.Module]) -> int:
    """Weights and biases of bare layers; one that two of them have in common counts once."""
    found: dict[Hashable, int] = {}
    for name, layer in layers.items():
        if isinstance(layer, FrozenBlocks):
            found[name] = math.prod(layer.shape)
            continue
        tensors = (getattr(layer, "weight", None), getattr(layer, "bias", None))
        found |= {id(t): t.numel() for t in tensors if isinstance(t, torch.Tensor)}
    return sum(found.values())


def most_numbers(kind: str, total: int) -> int:
    """The largest d of a projection of that name over D weights."""
    return min(total, MOST_ENTRIES // total) if KINDS[kind] is DenseProjection else total


def rate_factor(total: int, dimension: int) -> float:
    """8·√(D/d): what Adam's rate of θ is beside that of full training.

    Each weight moves by rate·√(d/D); 8 was the best of three models.
    """
    return 8 * math.sqrt(total / dimension)


def space_of(layers: Iterable[AdapterLayer]) -> Subspace | None:
    """What the layers of a random subspace share; None for other layers."""
    return next((layer.space for layer in layers if isinstance(layer, SharesTheta)), None)


class Up(torch.autograd.Function):
    """P·θ from the table [θ, −θ]/√n; its gradient is a sum per number."""

    @staticmethod
    def forward(ctx: Any, looked_up: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(code)
        ctx.length = len(looked_up)
        return projection.up(looked_up, code)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, G: torch.Tensor) -> tuple[torch.Tensor, None]:
        (code,) = ctx.saved_tensors
        sums = G.new_zeros(ctx.length)
        projection.down(sums, code, G)
        return sums, None


class _AllAtOnce(torch.autograd.Function):
    """P·θ (D) of θ (d), without mixed precision; nothing is kept, so that parts of a step can meet.

    A step whose rows are computed in parts goes back through one node several times.
    """

    @staticmethod
    def forward(ctx: Any, theta: torch.Tensor, P: AtOnce) -> torch.Tensor:
        ctx.P = P
        with torch.autocast(theta.device.type, enabled=False):
            return P.up(theta)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, G: torch.Tensor) -> tuple[torch.Tensor, None]:
        with torch.autocast(G.device.type, enabled=False):
            return ctx.P.down(G), None
