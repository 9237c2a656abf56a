"""x Wᵀ in float32 by the quicker of the two libraries that torch was built with.

torch multiplies float32 matrices by MKL, which takes its widest kernels (AVX-512) on Intel's own
processors alone; oneDNN, which torch has for other types, asks any processor what it can do. On an
AMD EPYC with AVX-512 it makes 200 GFLOP/s on a core where MKL makes 100: the same sums of the same
products in float32, added up in another order. Which one is taken is a rule, and not what happens
to be quicker at the moment: a run that is resumed on the same machine takes the very same bits.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

import torch

LEAST = 2**21  # multiplications; below, oneDNN takes longer to be called than it saves


def product(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor | None = None) -> torch.Tensor:
    """x Wᵀ + b (…, out) of x (…, in), W (out, in), of one dtype; no view, and without a gradient.

    What no view is may be written to in place behind an autograd node (nn.ReLU(inplace=True)).
    """
    if is_onednns(x, W):
        rows = x.reshape(-1, x.shape[-1]).contiguous()  # not behind an estimate's back
        y = torch.ops.mkldnn._linear_pointwise(rows, W, b, "none", [], "")
        return y.resize_(*x.shape[:-1], len(W))
    if x.dim() == 2:  # of a small product the calls around it take as long as itself
        y = h = x.new_empty(len(x), len(W))
    else:
        y = torch.empty(*x.shape[:-1], len(W), dtype=x.dtype, device=x.device)
        x, h = x.reshape(-1, x.shape[-1]), y.view(-1, len(W))
    if b is None:  # into `out`, of which autocast keeps its hands off
        torch.mm(x, W.t(), out=h)
    else:
        torch.addmm(b, x, W.t(), out=h)
    return y


def onednn_is_quicker() -> bool:
    """Whether float32 products are made by oneDNN: on a processor with AVX-512, not Intel's."""
    return (
        torch.backends.mkl.is_available()
        and torch.backends.mkldnn.enabled
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and maker() not in ("GenuineIntel", "")
        and onednn_multiplies()
    )


def is_onednns(x: torch.Tensor, W: torch.Tensor) -> bool:
    """Whether oneDNN makes x Wᵀ; where there is no such product, torch says why."""
    return (
        x.dtype == W.dtype == torch.float32
        and x.shape[-1:] == W.shape[1:]
        and x.numel() * W.shape[0] >= LEAST
        and x.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and onednn_is_quicker()
    )


@cache
def onednn_multiplies() -> bool:
    """Whether this torch has oneDNN's product under the name and with the arguments of today.

    It is not tried out: this may be asked where tensors have no values, as by an estimate.
    """
    found = getattr(getattr(torch.ops.mkldnn, "_linear_pointwise", None), "default", None)
    if found is None or not torch.backends.mkldnn.is_available():
        return False
    names = [argument.name for argument in found._schema.arguments]
    return names == ["X", "W", "B", "attr", "scalars", "algorithm"]


@cache
def maker() -> str:
    """Who made the processor, in its own word; "" where the system does not tell."""
    if sys.platform == "win32":
        return os.environ.get("PROCESSOR_IDENTIFIER", "").rpartition(" ")[2]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    made = (line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id"))
    return next(made, "")
