"""The hash projection P of a random subspace: each weight belongs to one of d numbers, with a sign.

θ_D = θ₀ + P·θ (Li et al. 2018, arXiv 1804.08838, §2). Here row j of P has one entry, s_j/√n_h(j),
in column h(j), with s_j = ±1 and n_k the number of weights of column k (Uni-LoRA, arXiv 2506.00799,
§3, with the signs of a count sketch). So PᵀP = I exactly, d = D trains each weight by a number of
its own, and the subspaces of one seed are nested where one d is a multiple of the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import torch

SHORT = 2**14  # the largest d whose 2d codes fit into int16


class Projection:
    """P (D × d) over some tensors of together D entries, drawn from a seed."""

    def __init__(
        self, sizes: Sequence[int], dimension: int, seed: int, apart: bool = False
    ) -> None:
        """`apart`: each tensor has a P of its own. Raises ValueError for a d below 1 or above D."""
        self.apart = apart
        self.sizes, self.seed, self.total = tuple(sizes), seed, sum(sizes)
        if not 1 <= dimension <= self.total:
            raise ValueError(f"d must be from 1 to {self.total:,}, not {dimension:,}")
        self.dimension = dimension

    def codes(self) -> Iterator[torch.Tensor]:
        """Whole numbers that tell what was drawn, which no processor rounds otherwise."""
        raise NotImplementedError


class HashProjection(Projection):
    """P of one entry a row, in the columns h(j).

    The entries have places 0 … D−1 in an order that is random within each tensor, and h(j) is
    place mod d. All that is kept of P is a code per entry: h(j), or d + h(j) where s_j is −1, so
    that P·θ is looked up in the table [θ, −θ]/√n.
    """

    def scales(self, tensor: int = 0) -> torch.Tensor:
        """1/√n_k (d) in float64: what makes every column a unit vector; 0 where n_k is.

        The same for all tensors, unless these are `apart`.
        """
        few, more = divmod(self.sizes[tensor] if self.apart else self.total, self.dimension)
        members = torch.full((self.dimension,), few, dtype=torch.float64)
        members[:more] += 1
        return torch.where(members > 0, members.rsqrt(), 0.0)

    def codes(self) -> Iterator[torch.Tensor]:
        """The codes of each tensor in turn: int16 (2 bytes an entry) where they fit, else int32."""
        kind = torch.int16 if self.dimension <= SHORT else torch.int32
        generator = torch.Generator().manual_seed(self.seed)
        begin = 0
        for size in self.sizes:
            code = torch.randperm(size, generator=generator, dtype=torch.int32)
            code.add_(begin).remainder_(self.dimension)
            minus = torch.randint(2, (size,), generator=generator, dtype=torch.int32)
            yield code.add_(minus.mul_(self.dimension)).to(kind)
            begin += 0 if self.apart else size


def digest(codes: Iterable[torch.Tensor]) -> str:
    """SHA-256 over codes."""
    found = hashlib.sha256()
    for code in codes:
        found.update(code.cpu().to(torch.int32).numpy().astype("<i4").tobytes())
    return found.hexdigest()


def table(theta: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """[θ, −θ]/√n (2d), which `up` looks P·θ up in."""
    scaled = theta * scales
    return torch.cat([scaled, -scaled])


def up(looked_up: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    """P·θ at the entries of `code`, in its shape, from θ's `table`."""
    return looked_up.index_select(0, code.flatten().to(torch.int32)).view(code.shape)


def down(sums: torch.Tensor, code: torch.Tensor, G: torch.Tensor) -> None:
    """Add the entries of G, which has the shape of `code`, to their `sums` (2d)."""
    sums.index_add_(0, code.flatten().to(torch.int32), G.flatten())


def folded(sums: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Pᵀ·G (d) from the sums of `down`."""
    plus, minus = sums.chunk(2)
    return (plus - minus) * scales
