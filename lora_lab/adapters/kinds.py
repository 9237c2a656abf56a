"""KINDS: how each type of layer holds its W, multiplies by it, and takes a product of factors.

Everywhere else W and ΔW are matrices (out × in), A is (r × in) and B is (out × r). A kind is the
one place that knows the native shape: Conv1D and Embedding hold W transposed, a convolution folds
its kernel into `in`, and a grouped convolution has a block of factors for each group.
"""

from __future__ import annotations

import sys
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.blocks.frozen import FrozenBlocks, FrozenEmbedding, FrozenLinear
from lora_lab.blocks.frozen_linear import linear
from lora_lab.errors import AdapterError


class Linear:
    """nn.Linear: W is (out, in) as stored."""

    name = "linear"
    drops_input = True  # whether dropout can act on the input

    @staticmethod
    def shape(base: nn.Module) -> tuple[int, int]:
        """(out, in) of W as a matrix."""
        return base.weight.shape[0], base.weight.shape[1:].numel()

    @staticmethod
    def weight_shape(base: nn.Module) -> tuple[int, ...]:
        """The native shape of the parameter that W is, or is a part of."""
        return tuple(base.weight.shape)

    @staticmethod
    def device_and_dtype(base: nn.Module) -> tuple[torch.device, torch.dtype]:
        """Where W is, and what it is computed with."""
        return base.weight.device, base.weight.dtype

    @staticmethod
    def operand(base: nn.Module) -> torch.Tensor | FrozenLinear:
        """What `product.LowRankLinear` multiplies by: W itself, or the layer that undoes it."""
        return base.weight

    @staticmethod
    def groups(base: nn.Module) -> int:
        return 1

    @staticmethod
    def window(base: nn.Module) -> dict[str, Any]:
        """How a convolution moves its kernel where that is unusual: dilation, padding_mode."""
        return {}

    @staticmethod
    def matrix(base: nn.Module, W: torch.Tensor) -> torch.Tensor:
        """A native weight as a matrix (out × in)."""
        return W

    @staticmethod
    def native(base: nn.Module, M: torch.Tensor) -> torch.Tensor:
        """A matrix (out × in) in the shape of the layer's own weight."""
        return M

    @staticmethod
    def apply(
        base: nn.Module, x: torch.Tensor, W: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """What the layer would answer with another native weight and bias."""
        return linear(x, W, bias)

    @staticmethod
    def low_rank(
        base: nn.Module, x: torch.Tensor, A: torch.Tensor, B: torch.Tensor
    ) -> torch.Tensor:
        """B·A·x, never forming B·A."""
        return F.linear(F.linear(x, A), B)

    @staticmethod
    def per_output(base: nn.Module, c: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """One number per output (out,), shaped to multiply an output y."""
        return c


class TransposedLinear(Linear):
    """transformers' Conv1D, a linear layer of GPT-2 that holds W as (in, out)."""

    name = "conv1d_linear"

    @staticmethod
    def shape(base: nn.Module) -> tuple[int, int]:
        return base.weight.shape[1], base.weight.shape[0]

    @staticmethod
    def matrix(base: nn.Module, W: torch.Tensor) -> torch.Tensor:
        return W.t()

    @staticmethod
    def native(base: nn.Module, M: torch.Tensor) -> torch.Tensor:
        return M.t()

    @staticmethod
    def apply(
        base: nn.Module, x: torch.Tensor, W: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        return F.linear(x, W.t(), bias)


class Convolution(Linear):
    """nn.Conv1d and nn.Conv2d: W (out, c/groups, *kernel) is a matrix (out × c/groups·kernel).

    A convolves with the layer's own kernel, stride, padding and dilation down to r channels, B is
    a convolution of size 1. With groups g, A's rows and B's rows fall into g blocks: A is
    (r × in) and B (out × r/g), and block i of ΔW is s·B_i·A_i; so r must be a multiple of g.
    """

    name = "conv"

    @staticmethod
    def groups(base: nn.Module) -> int:
        return base.groups

    @staticmethod
    def window(base: nn.Module) -> dict[str, Any]:
        dilated = any(d > 1 < k for d, k in zip(base.dilation, base.kernel_size, strict=True))
        padded = any(base._reversed_padding_repeated_twice)
        return {
            "dilation": tuple(base.dilation) if dilated else (),
            "padding_mode": base.padding_mode if padded else "zeros",
        }

    @staticmethod
    def matrix(base: nn.Module, W: torch.Tensor) -> torch.Tensor:
        return W.flatten(1)

    @staticmethod
    def native(base: nn.Module, M: torch.Tensor) -> torch.Tensor:
        return M.reshape(base.weight.shape)

    @staticmethod
    def apply(
        base: nn.Module, x: torch.Tensor, W: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        return base._conv_forward(x, W, bias)  # minds padding modes, as the layer itself does

    @staticmethod
    def low_rank(
        base: nn.Module, x: torch.Tensor, A: torch.Tensor, B: torch.Tensor
    ) -> torch.Tensor:
        low = base._conv_forward(x, A.view(-1, *base.weight.shape[1:]), None)
        ones = (1,) * (base.weight.dim() - 2)
        convolve = F.conv1d if len(ones) == 1 else F.conv2d
        return convolve(low, B.view(*B.shape, *ones), groups=base.groups)

    @staticmethod
    def per_output(base: nn.Module, c: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return c.view(-1, *(1,) * (base.weight.dim() - 2))  # beside (…, out, *positions)


class Embedding(Linear):
    """nn.Embedding: W is (tokens, dim), so as a matrix (dim × tokens) it is transposed.

    The input is a token's number, the column of the matrix: A (r × tokens) is looked up, B is
    (dim × r). Here A starts at zero and B is random (loralib and PEFT do the same).
    """

    name = "embedding"
    drops_input = False

    shape = TransposedLinear.shape
    matrix = TransposedLinear.matrix
    native = TransposedLinear.native

    @staticmethod
    def apply(
        base: nn.Module, x: torch.Tensor, W: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        return F.embedding(x, W, base.padding_idx, scale_grad_by_freq=base.scale_grad_by_freq)

    @staticmethod
    def low_rank(
        base: nn.Module, x: torch.Tensor, A: torch.Tensor, B: torch.Tensor
    ) -> torch.Tensor:
        return F.linear(Embedding.apply(base, x, A.t(), None), B)


class LinearInBlocks(Linear):
    """A linear layer whose W stays in blocks: all that is asked of W but its numbers is known."""

    @staticmethod
    def shape(base: nn.Module) -> tuple[int, int]:
        return base.shape

    weight_shape = shape

    @staticmethod
    def device_and_dtype(base: nn.Module) -> tuple[torch.device, torch.dtype]:
        return base.device, base.dtype

    @staticmethod
    def operand(base: nn.Module) -> torch.Tensor | FrozenLinear:
        return base


class EmbeddingInBlocks(Embedding):
    """An embedding whose W (tokens, dim) stays in blocks."""

    @staticmethod
    def shape(base: nn.Module) -> tuple[int, int]:
        return base.shape[1], base.shape[0]

    weight_shape = LinearInBlocks.shape
    device_and_dtype = LinearInBlocks.device_and_dtype


KINDS: dict[type[nn.Module], type[Linear]] = {
    FrozenLinear: LinearInBlocks,
    FrozenEmbedding: EmbeddingInBlocks,
    nn.Linear: Linear,
    nn.Conv1d: Convolution,
    nn.Conv2d: Convolution,
    nn.Embedding: Embedding,
}


def kind_of(module: nn.Module, name: str) -> type[Linear]:
    """The kind of a layer. Raises AdapterError, with the reason, for one that cannot be adapted."""
    kind = kind_or_none(module)
    if kind is None:
        raise AdapterError(
            f"Layer {name} is a {type(module).__name__}; only linear, convolution and embedding "
            "layers can be adapted."
        )
    if isinstance(module, FrozenBlocks):
        return kind
    weight = module.weight
    if weight.is_meta:
        raise AdapterError(f"Layer {name} has no data yet (meta device); load its weights first.")
    if not weight.is_floating_point():
        raise AdapterError(
            f"Layer {name} holds quantized numbers ({weight.dtype}); open the model in float32, "
            "bfloat16 or float16."
        )
    if kind is Embedding and (module.max_norm is not None or module.sparse):
        raise AdapterError(
            f"Layer {name} is an embedding that changes its own rows (max_norm) or has sparse "
            "gradients; it cannot be frozen and adapted. Leave it out of the targets."
        )
    return kind


def kind_or_none(module: nn.Module) -> type[Linear] | None:
    """The kind of a layer, or None; a subclass counts only while it computes as its parent does."""
    gpt2 = sys.modules.get("transformers.pytorch_utils")  # imported if a layer of it can exist
    if gpt2 is not None and isinstance(module, gpt2.Conv1D):
        return TransposedLinear
    for parent, kind in KINDS.items():
        if isinstance(module, parent) and (
            type(module).forward is parent.forward or (parent is nn.Linear and _multiplies(module))
        ):
            return kind
    return None


PROBED: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


@torch.no_grad()
def _multiplies(module: nn.Module) -> bool:
    """Whether a subclass of nn.Linear with a forward of its own answers W x + b all the same.

    It is tried on two inputs, as one row and as rows of rows: Falcon's does, a router does not.
    """
    W = module.weight
    if W.is_meta or not W.is_floating_point() or W.dim() != 2:
        return False
    if module not in PROBED:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(2, 3, W.shape[1], generator=generator).to(W.device, W.dtype)
        same = []
        for given in (x, x[0, 0]):
            try:
                found = type(module).forward(module, given)
            except Exception:  # noqa: BLE001, it takes something else, or fails in its own way
                break
            wanted = F.linear(given, W, module.bias)
            limit = 1e-5 if W.dtype in (torch.float32, torch.float64) else 2e-2
            same.append(
                isinstance(found, torch.Tensor)
                and found.shape == wanted.shape
                and bool((found - wanted).abs().max() <= limit * wanted.abs().max())
            )
        PROBED[module] = len(same) == 2 and all(same)
    return PROBED[module]
