"""FrozenLinear and FrozenEmbedding: layers whose W stays in blocks, and is undone where it is used.

W is made for a product and dropped behind it, in the forward and again in the backward pass: what
autograd keeps has the size of the blocks. Results and gradients are those of the dense layer over
the same numbers, to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from lora_lab.blocks.forms import checked, dense, fits, packed
from lora_lab.blocks.gemm import product
from lora_lab.errors import CheckpointError


class FrozenBlocks(nn.Module):
    """W (rows, columns) in blocks of `form`; `dtype` is what it is undone to.

    `norm` is ‖W_blocks‖. `rounding` is ‖W_blocks − W‖/‖W‖ of the W that it was made of, nan where
    that is not known, and `original` reads that W again.
    """

    def __init__(self, rows: int, columns: int, form: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.shape, self.form = (rows, columns), form
        self.register_buffer("blocks", None)  # uint8
        # Where it is and what it is undone to, moved and cast along with the model.
        self.register_buffer("like", torch.empty(0, dtype=dtype), persistent=False)
        self.rounding, self.norm = math.nan, math.nan
        self.original: Callable[[], torch.Tensor] | None = None

    def fill(self, blocks: torch.Tensor, name: str) -> None:
        """Take `blocks`; raises CheckpointError where they are not those of this layer's W."""
        checked(blocks, self.form, *self.shape, name)
        self.blocks = blocks
        size = float(torch.linalg.vector_norm(self.dense(torch.float32)))
        if not math.isfinite(size):
            raise CheckpointError(
                f"{name} has values in its blocks that are NaN or infinite. Download it again."
            )
        self.norm = size

    @property
    def dtype(self) -> torch.dtype:
        return self.like.dtype

    @property
    def device(self) -> torch.device:
        return self.blocks.device

    @property
    def weight(self) -> torch.Tensor:
        """W (rows, columns), made anew: for what reads a weight instead of calling its layer."""
        return self.dense()

    def dense(self, dtype: torch.dtype | None = None) -> torch.Tensor:
        """W (rows, columns) in `dtype`; none: in the layer's own."""
        return dense(self.blocks, self.form, *self.shape, dtype or self.dtype)

    def extra_repr(self) -> str:
        return f"{self.shape[0]} × {self.shape[1]}, {self.form}"


class FrozenLinear(FrozenBlocks):
    """nn.Linear over blocks: y = x Wᵀ + b."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool, form: str, dtype: torch.dtype
    ) -> None:
        super().__init__(out_features, in_features, form, dtype)
        self.in_features, self.out_features = in_features, out_features
        self.bias = nn.Parameter(torch.empty(out_features, dtype=dtype)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        return Product.apply(x, self, self.bias)


class FrozenEmbedding(FrozenBlocks):
    """nn.Embedding over blocks: of the rows that are looked up, only those are undone."""

    padding_idx, scale_grad_by_freq, max_norm, sparse = None, False, None, False

    def __init__(self, rows: int, columns: int, form: str, dtype: torch.dtype) -> None:
        super().__init__(rows, columns, form, dtype)
        self.num_embeddings, self.embedding_dim = rows, columns

    def forward(self, ids: torch.Tensor) -> torch.Tensor:  # (…) → (…, columns)
        rows = self.blocks.index_select(0, ids.flatten())
        found = dense(rows, self.form, len(rows), self.shape[1], self.dtype)
        return found.view(*ids.shape, -1)


class Product(torch.autograd.Function):
    """y = x Wᵀ + b with W of a FrozenLinear, which is undone in both passes; a gradient for x."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, layer: FrozenLinear, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.layer = layer
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        ctx.kind = x.dtype
        bias = None if bias is None else bias.to(x.dtype)
        return product(x, layer.dense(x.dtype), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        if not ctx.needs_input_grad[0]:
            return None, None, None
        return product(dy, ctx.layer.dense(ctx.kind).t()), None, None


def in_blocks(layer: nn.Linear, W: torch.Tensor, form: str, name: str) -> FrozenLinear:
    """A FrozenLinear in the place of `layer`, whose weight may be without data, of W (out, in).

    Raises CheckpointError where W has rows that are no whole blocks of `form`.
    """
    out_features, in_features = W.shape
    made = FrozenLinear(in_features, out_features, layer.bias is not None, form, layer.weight.dtype)
    wide = W.float()
    blocks = packed(wide, form) if fits(form, in_features) else wide.new_empty(0, dtype=torch.uint8)
    made.fill(blocks, name)
    size = float(torch.linalg.vector_norm(wide))
    lost = float(torch.linalg.vector_norm(made.dense(torch.float32).sub_(wide)))
    made.rounding = lost / size if size else 0.0
    return made


def numbers_of(model: nn.Module) -> int:
    """How many numbers a model is made of, those in blocks among them; shared ones count once."""
    own = {id(m.blocks): math.prod(m.shape) for m in model.modules() if isinstance(m, FrozenBlocks)}
    return sum(p.numel() for p in model.parameters()) + sum(own.values())
