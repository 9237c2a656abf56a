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
        """D: weights and biases of all layers."""
        return self.projection.total

    def project(self, dimension: int) -> None:
        """Draw the projection of another d, where it is another; θ is the caller's."""
        if dimension != self.dimension:
            self._project(dimension)

    def _project(self, dimension: int) -> None:
        shapes = [tensor.shape for layer in self.layers for tensor in layer.moved()]
        try:
            self.projection = HashProjection([s.numel() for s in shapes], dimension, self.seed)
        except ValueError as error:
            raise AdapterError(f"The random subspace: {error}.") from None
        device = self.owner.base_layer.weight.device
        codes = (c.view(s).to(device) for c, s in zip(self.projection.codes(), shapes, strict=True))
        for layer in self.layers:
            layer.code = next(codes)
            layer.bias_code = None if layer.base_bias is None else next(codes)
        self.scales = self.projection.scales().to(device, self.owner.factor_dtype)

    def table(self) -> torch.Tensor:
        """What P·θ is looked up in (2d)."""
        return projection.table(self.theta, self.scales)

    def fingerprint(self) -> str:
        """SHA-256 of the projection as it is drawn here."""
        return self.fingerprint_of(self.dimension)

    def fingerprint_of(self, dimension: int) -> str:
        """That of another d from the same seed."""
        if dimension not in self._prints:
            drawn = HashProjection(self.projection.sizes, dimension, self.seed)
            self._prints[dimension] = drawn.fingerprint()
        return self._prints[dimension]

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

    def _changed_weight(self) -> torch.Tensor:
        W = self.base_layer.weight
        if not self.enabled:
            return W
        if self.merged is not None:
            return self.merged
        return _moved(W, self.space.table(), self.code)

    @property
    def bias(self) -> torch.Tensor | None:
        if not self.enabled or self.bias_code is None:
            return self.base_bias
        return _moved(self.base_bias, self.space.table(), self.bias_code)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        if not self.enabled:
            return self.base_layer(x)
        if self.merged is not None:
            return self.kind.apply(self.base_layer, x, self.merged, self.bias)
        base = self.base_layer
        if self.kind is Linear and x.dtype == base.weight.dtype:
            return _SubspaceLinear.apply(x, base.weight, self.space.table(), self.code, self.bias)
        return self.kind.apply(base, x, self._changed_weight(), self.bias)

    @torch.no_grad()
    def merged_layer(self) -> nn.Module:
        enabled, self.enabled = self.enabled, True
        try:
            return self._plain_layer(self.merged or self._changed_weight(), self.bias)
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


def space_of(layers: Iterable[AdapterLayer]) -> Subspace | None:
    """What the layers of a random subspace share; None for other layers."""
    return next((layer.space for layer in layers if isinstance(layer, SubspaceLayer)), None)


def joined(layers: Sequence[AdapterLayer], dimension: int, seed: int) -> Subspace | None:
    """Give the subspace layers among these their θ; None where there are none."""
    members = [layer for layer in layers if isinstance(layer, SubspaceLayer)]
    return Subspace(members, dimension, seed) if members else None


def noise_edge(norm: float, shape: tuple[int, int]) -> float:
    """σ₁ that noise of Frobenius norm `norm` has in a matrix (out × in): rms·(√out + √in).

    The edge of Marchenko and Pastur 1967; σ₁ of a random subspace's ΔW lies on it.
    """
    out_features, in_features = shape
    return (
        norm
        * (math.sqrt(out_features) + math.sqrt(in_features))
        / math.sqrt(out_features * in_features)
    )


def _moved(tensor: torch.Tensor, looked_up: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    """W + P·θ, formed in θ's dtype and rounded once to that of W."""
    return (tensor.to(looked_up.dtype) + _Up.apply(looked_up, code)).to(tensor.dtype)


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
