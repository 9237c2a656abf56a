"""A random subspace of all weights: W′ = W + (P·θ) with one θ of d numbers for all layers.

Li et al. 2018 (arXiv 1804.08838) and Aghajanyan et al. 2020 (arXiv 2012.13255): a pre-trained model
learns well even where only d numbers, thrown at random into all weights, may move.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from lora_lab.adapters import projection
from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.kinds import Linear
from lora_lab.adapters.projection import HashProjection
from lora_lab.adapters.weights import WholeLayer
from lora_lab.errors import AdapterError
from lora_lab.variants import SUBSPACE, VARIANTS


class Subspace:
    """The one θ of a model's layers, and the projection that they share.

    θ is a parameter of the first layer, so that the optimizer, the counts and the checkpoints meet
    it once. It is trained in float32, or in float64 beside weights of float64.
    """

    def __init__(self, layers: Sequence[SubspaceLayer], dimension: int, seed: int) -> None:
        """Raises AdapterError for a d that the layers do not have room for."""
        self.layers, self.seed = tuple(layers), seed
        self._prints: dict[int, str] = {}
        self.owner = self.layers[0]
        weight = self.owner.base_layer.weight
        self._project(dimension)
        theta = torch.zeros(dimension, dtype=self.owner.factor_dtype, device=weight.device)
        self.owner.theta = nn.Parameter(theta)
        for layer in self.layers:
            layer.space = self

    @property
    def theta(self) -> nn.Parameter:
        """θ (d)."""
        return self.owner.theta

    @property
    def dimension(self) -> int:
        return self.projection.dimension

    @property
    def total(self) -> int:
        """D: weights and biases of all layers; one that two of them share counts once."""
        return self.projection.total

    def project(self, dimension: int) -> None:
        """Draw the projection of another d, where it is another; θ is the caller's."""
        if dimension != self.dimension:
            self._project(dimension)

    def _project(self, dimension: int) -> None:
        moved = {id(tensor): tensor for layer in self.layers for tensor in layer.moved()}  # once
        try:
            sizes = [tensor.numel() for tensor in moved.values()]
            self.projection = HashProjection(sizes, dimension, self.seed)
        except ValueError as error:
            raise AdapterError(f"The random subspace: {error}.") from None
        device = self.owner.base_layer.weight.device
        drawn = zip(moved.items(), self.projection.codes(), strict=True)
        codes = {key: code.view(tensor.shape).to(device) for (key, tensor), code in drawn}
        for layer in self.layers:  # a weight that two of them share has one code
            layer.code = codes[id(layer.base_layer.weight)]
            layer.bias_code = None if layer.base_bias is None else codes[id(layer.base_bias)]
        self.scales = self.projection.scales().to(device, self.owner.factor_dtype)

    def table(self) -> torch.Tensor:
        """What P·θ is looked up in (2d)."""
        return projection.table(self.theta, self.scales)

    def fingerprint(self, dimension: int = 0) -> str:
        """SHA-256 of the projection as it is drawn here; of another d where one is given.

        Another version of torch may draw another one from the same seed.
        """
        d = dimension or self.dimension
        if d not in self._prints:
            codes = HashProjection(self.projection.sizes, d, self.seed).codes()
            if d == self.dimension:  # drawn already
                pairs = (zip(x.moved(), (x.code, x.bias_code), strict=False) for x in self.layers)
                drawn = {id(tensor): code for pair in pairs for tensor, code in pair}
                codes = (code.flatten() for code in drawn.values())
            self._prints[d] = projection.digest(codes)
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
        halves = [v.detach().double().cpu() * old for v in vectors]
        wide = [torch.cat([v, -v]) for v in halves]
        wide += [torch.cat([q, q]) for v in squares for q in [v.detach().double().cpu() * old**2]]
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
        energy = float(theta.detach().double().square().sum())
        shares: list[tuple[int, float]] = []
        values, members = theta.detach().double().cpu(), self.projection.scales().pow(-2)
        while d % 2 == 0:
            d //= 2
            pairs = members.view(2, d)
            values = (values.view(2, d) * pairs.sqrt()).sum(0) / pairs.sum(0).sqrt()
            members = pairs.sum(0)
            shares.append((d, float(values.square().sum()) / energy if energy else 1.0))
        return shares


class SubspaceLayer(AdapterLayer):
    """h = (W + P_W·θ) x + b + P_b·θ: a layer of a model whose θ (d) moves all weights together.

    W′ is formed for each product, in the forward and again in the backward, and freed at once:
    beside W only the code of P stays, 2 or 4 bytes a weight.
    """

    locked = VARIANTS[SUBSPACE].locked
    vectors = ("theta",)

    def __init__(
        self,
        base_layer: nn.Module,
        name: str,
        rank: int,
        alpha: float,
        init: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__(base_layer, name)
        self.space: Subspace | None = None
        self.register_buffer("code", None, persistent=False)  # native shape of W
        self.register_buffer("bias_code", None, persistent=False)  # (out,)

    @classmethod
    def share(cls, layers: Sequence[SubspaceLayer], dimension: int, seed: int) -> None:
        Subspace(layers, dimension, seed)

    @property
    def base_bias(self) -> torch.Tensor | None:
        return getattr(self.base_layer, "bias", None)

    def moved(self) -> list[torch.Tensor]:
        """The tensors that θ moves: W, and b where there is one."""
        return [t for t in (self.base_layer.weight, self.base_bias) if t is not None]

    @property
    def frozen(self) -> bool:
        """Never one layer alone: θ is shared."""
        return not self.space.theta.requires_grad

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        if frozen:
            raise AdapterError(f"Layer {self.name} cannot be frozen: θ is shared by all layers.")

    def delta_weight(self) -> torch.Tensor:
        delta = _Up.apply(self.space.table(), self.code)
        return self.kind.matrix(self.base_layer, delta)

    @property
    def bias(self) -> torch.Tensor | None:
        return self._moved_bias(self.space.table()) if self.enabled else self.base_bias

    def _moved_bias(self, table: torch.Tensor) -> torch.Tensor | None:
        b = self.base_bias
        return None if b is None else (b + _Up.apply(table, self.bias_code)).to(b.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        W = self.base_layer.weight
        plain = self.kind is Linear and x.dtype == W.dtype
        if not (plain and self.enabled and self.merged is None):
            return super().forward(x)
        table = self.space.table()  # once for W and b
        return _SubspaceLinear.apply(x, W, table, self.code, self._moved_bias(table))

    @torch.no_grad()
    def merged_layer(self) -> nn.Module:
        """A plain layer with W′ and b′, the switch notwithstanding."""
        enabled, self.enabled = self.enabled, True
        try:
            return super().merged_layer()
        finally:
            self.enabled = enabled

    @torch.no_grad()
    def whole_layer(self) -> WholeLayer:
        """W′ and b′ as plain CPU tensors."""
        plain = self.merged_layer()
        return WholeLayer(
            self.name,
            plain.weight.detach().cpu(),
            None if self.base_bias is None else plain.bias.detach().cpu(),
        )


def rate_factor(total: int, dimension: int) -> float:
    """8·√(D/d): what Adam's rate of θ is beside that of full training.

    Each weight moves by rate·√(d/D); 8 was the best of three models.
    """
    return 8 * math.sqrt(total / dimension)


def space_of(layers: Iterable[AdapterLayer]) -> Subspace | None:
    """What the layers of a random subspace share; None for other layers."""
    return next((layer.space for layer in layers if isinstance(layer, SubspaceLayer)), None)


class _Up(torch.autograd.Function):
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


class _SubspaceLinear(torch.autograd.Function):
    """y = x (W + P·θ)ᵀ + b that keeps x and the code, and nothing else of the size of W."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,  # (…, in)
        W: torch.Tensor,  # (out, in)
        looked_up: torch.Tensor,  # (2d)
        code: torch.Tensor,  # (out, in)
        b: torch.Tensor | None,  # (out)
    ) -> torch.Tensor:
        ctx.save_for_backward(x, W, looked_up, code)
        return torch.nn.functional.linear(x, _formed(W, looked_up, code), b)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, W, looked_up, code = ctx.saved_tensors
        rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        wants_x, _, wants_theta, _, wants_b = ctx.needs_input_grad
        dx = sums = None
        if wants_theta:
            sums = looked_up.new_zeros(len(looked_up))
            projection.down(sums, code, (dy_rows.t() @ rows).to(sums.dtype))
        if wants_x:
            dx = torch.empty_like(x, memory_format=torch.contiguous_format)  # no view
            torch.mm(dy_rows, _formed(W, looked_up, code), out=dx.view(-1, x.shape[-1]))
        return dx, None, sums, None, dy_rows.sum(0) if wants_b else None


def _formed(W: torch.Tensor, looked_up: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    return projection.up(looked_up, code).add_(W).to(W.dtype)
