"""The projections of the papers' letter, which move all weights at once: a dense P, and Fastfood.

Both are of the flat vector of all D weights, as Li et al. 2018 (arXiv 1804.08838, §2) have it, and
take and give float32, or float64 beside such weights: half precision loses the small columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from lora_lab.adapters.projection import Projection

MOST_ENTRIES = 20_000_000  # of a dense P: 80 MB
MOST_WEIGHTS = 3_000_000  # of Fastfood: a step takes some 0.3 s then, where hash takes 0.01
WAY_OUT = "The projection hash has no such limit"


class AtOnce(Projection):
    """A linear map P that is applied to all weights together."""

    def __init__(
        self, sizes: Sequence[int], dimension: int, seed: int, apart: bool = False
    ) -> None:
        """`apart`: its parts are of the same θ. Raises ValueError for what would be too large."""
        super().__init__(sizes, dimension, seed, apart)
        self.draw(torch.Generator().manual_seed(seed))

    def draw(self, generator: torch.Generator) -> None:
        """Draw what P is made of, float32 on the CPU."""
        raise NotImplementedError

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Compute there, in that dtype."""
        raise NotImplementedError

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """What is held of P."""
        raise NotImplementedError

    def up(self, theta: torch.Tensor) -> torch.Tensor:
        """P·θ (D) of θ (d)."""
        raise NotImplementedError

    def down(self, G: torch.Tensor) -> torch.Tensor:
        """Pᵀ·G (d) of G (D)."""
        raise NotImplementedError


class DenseProjection(AtOnce):
    """P of entries N(0, 1), drawn tensor by tensor, each of its d columns divided by its norm."""

    def draw(self, generator: torch.Generator) -> None:
        entries = self.total * self.dimension
        if entries > MOST_ENTRIES:
            raise ValueError(
                f"a dense P of {self.total:,} weights by {self.dimension:,} numbers has "
                f"{entries:,} entries, and {MOST_ENTRIES:,} are held at most. {WAY_OUT}; dense, d "
                f"can be {MOST_ENTRIES // self.total:,} here"
            )
        drawn = [torch.randn(n, self.dimension, generator=generator) for n in self.sizes]
        self.P = torch.cat(drawn)

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        parts = self.P.split(self.sizes) if self.apart else [self.P]
        norms = [torch.linalg.vector_norm(part, dim=0, dtype=torch.float64) for part in parts]
        scaled = [part / norm for part, norm in zip(parts, norms, strict=True)]
        self.P = torch.cat(scaled).to(device, dtype)

    def tensors(self) -> tuple[torch.Tensor, ...]:
        return (self.P,)

    def codes(self) -> Iterator[torch.Tensor]:
        for part in self.P.split(self.sizes):
            yield part < 0

    def up(self, theta: torch.Tensor) -> torch.Tensor:
        return self.P.mv(theta)

    def down(self, G: torch.Tensor) -> torch.Tensor:
        return self.P.t().mv(G)


class Fastfood(AtOnce):
    """P·θ = c·[H G Π H B θ]_{:D},   c = 1/√(D·ΣG²)   (Le et al. 2013; Li et al. 2018).

    H is Walsh and Hadamard's matrix of the next power of two above D, B signs, Π an order, G
    N(0, 1), and θ stands before zeros. So E‖P·θ‖² = ‖θ‖². Down is the same in reverse order.
    """

    def draw(self, generator: torch.Generator) -> None:
        if self.total > MOST_WEIGHTS:
            raise ValueError(
                f"Fastfood transforms all {self.total:,} weights four times a step, and it is "
                f"offered up to {MOST_WEIGHTS:,}. {WAY_OUT}"
            )
        rows = self.sizes if self.apart else (self.total,)
        self.transforms = [_Transform(n, self.dimension, generator) for n in rows]

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        for one in self.transforms:
            one.to(device, dtype)

    def tensors(self) -> tuple[torch.Tensor, ...]:
        return tuple(t for one in self.transforms for t in (one.B, one.order, one.G))

    def codes(self) -> Iterator[torch.Tensor]:
        for one in self.transforms:
            yield from (one.B < 0, one.order, one.G < 0)

    def up(self, theta: torch.Tensor) -> torch.Tensor:
        return torch.cat([one.up(theta) for one in self.transforms])

    def down(self, G: torch.Tensor) -> torch.Tensor:
        parts = G.split([one.rows for one in self.transforms])
        return sum(one.down(part) for one, part in zip(self.transforms, parts, strict=True))


class _Transform:
    """c·[H G Π H B θ]_{:rows} with a length for all of θ as well: none of it is cut off."""

    def __init__(self, rows: int, dimension: int, generator: torch.Generator) -> None:
        self.rows, self.dimension = rows, dimension
        length = 1 << (max(rows, dimension) - 1).bit_length()
        self.B = 1.0 - 2.0 * torch.randint(2, (dimension,), generator=generator)
        self.order = torch.randperm(length, generator=generator)
        self.G = torch.randn(length, generator=generator)

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        G = self.G.double()
        c = (self.rows * G.square().sum()).rsqrt()
        self.B, self.G = self.B.to(device, dtype), (c * G).to(device, dtype)
        self.order = self.order.to(device)

    def up(self, theta: torch.Tensor) -> torch.Tensor:
        x = theta.new_zeros(len(self.G))
        x[: self.dimension] = theta * self.B
        return transform(transform(x)[self.order] * self.G)[: self.rows]

    def down(self, G: torch.Tensor) -> torch.Tensor:
        x = G.new_zeros(len(self.G))
        x[: self.rows] = G
        y = torch.empty_like(x)
        y[self.order] = transform(x).mul_(self.G)
        return transform(y)[: self.dimension] * self.B


def transform(x: torch.Tensor) -> torch.Tensor:
    """H·x (2^k) in place, where H = Hᵀ and H·H = 2^k: a += b; b = a − 2b."""
    half = 1
    while half < len(x):
        a, b = x.view(-1, 2, half).unbind(1)
        a += b
        b.mul_(-2).add_(a)
        half *= 2
    return x
