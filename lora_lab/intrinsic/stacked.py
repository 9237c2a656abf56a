"""Many small nets trained as one: a batched product a layer, each copy with a subspace of its own.

Beside a net of some thousand weights the calls cost more than the arithmetic, so K runs in one
stack take little more time than one. Full training is the copy whose d is D.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from lora_lab.adapters.projection import HashProjection, down, up
from lora_lab.adapters.targets import find_targets
from lora_lab.training.draw_anew import draw_anew

BETAS, EPS = (0.9, 0.999), 1e-8
ROWS = 20_000  # rows of all copies together that are evaluated at a time


@dataclass(frozen=True)
class Copy:
    """One run of a stack: d numbers from the weights of `net`, at a learning rate."""

    dimension: int
    seed: int
    net: nn.Module
    rate: float


def stackable(net: nn.Module, image: torch.Tensor) -> bool:
    """Whether copies of `net` (inputs (n, …) as `image`) can be stacked: tried, and compared.

    Every parameter must be one of a plain nn.Linear, and a stack must answer as the net does.
    """
    linear = {id(p) for m in net.modules() if type(m) is nn.Linear for p in m.parameters()}
    if not linear or any(id(p) not in linear for p in net.parameters()):
        return False
    with torch.no_grad():
        try:
            expected = net(image)
            found = Stack([Copy(1, 0, net, 0.0)] * 2, ())(image.expand(2, *image.shape))
        except (RuntimeError, ValueError, TypeError):
            return False
    return found.shape == (2, *expected.shape) and torch.allclose(found[1], expected, atol=1e-5)


class Stack:
    """K copies of a net over stacked weights, trained together by Adam with a linear decay."""

    def __init__(self, copies: Sequence[Copy], targets: tuple[str, ...]) -> None:
        net = copies[0].net
        wanted = set(find_targets(net, targets))
        names = [name for name, m in net.named_modules() if type(m) is nn.Linear]
        modules = [dict(c.net.named_modules()) for c in copies]
        moved = [
            [t.detach() for t in (m[name].weight, m[name].bias) if t is not None]
            for name in names if name in wanted for m in modules[:1]
        ]  # fmt: skip
        sizes = [t.numel() for row in moved for t in row]
        self.copies, self.weights = tuple(copies), sum(sizes)
        total = sum(c.dimension for c in copies)
        self.theta = torch.zeros(total, requires_grad=True)
        projections = [HashProjection(sizes, c.dimension, c.seed) for c in copies]
        self.scales = torch.cat([p.scales() for p in projections]).float()
        self.rates = torch.cat([torch.full((c.dimension,), c.rate) for c in copies])
        self.codes = _stacked_codes(projections, total)
        self.net = copy.deepcopy(net).requires_grad_(False)
        self._means, self._squares = torch.zeros(total), torch.zeros(total)
        self._steps = 0
        self._table: torch.Tensor | None = None
        codes = iter(self.codes)
        for name in names:
            Ws = torch.stack([m[name].weight.detach() for m in modules])
            has_bias = modules[0][name].bias is not None
            bs = torch.stack([m[name].bias.detach() for m in modules]) if has_bias else None
            code = next(codes).view(Ws.shape) if name in wanted else None
            bias_code = next(codes).view(bs.shape) if bs is not None and name in wanted else None
            _replace(self.net, name, _StackedLinear(self, Ws, bs, code, bias_code))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:  # (K, B, …) → (K, B, …)
        scaled = self.theta * self.scales
        self._table = torch.cat([scaled, -scaled])
        return self.net(x)

    def table(self) -> torch.Tensor:
        assert self._table is not None
        return self._table

    def step(self, loss: torch.Tensor, factor: float) -> None:
        """One step of Adam on a `loss` that sums those of all copies; `factor` of their rates."""
        (g,) = torch.autograd.grad(loss, self.theta)
        self._steps += 1
        first, second = (1 - beta**self._steps for beta in BETAS)
        with torch.no_grad():
            self._means.lerp_(g, 1 - BETAS[0])
            self._squares.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
            root = (self._squares / second).sqrt_().add_(EPS)
            self.theta.addcdiv_(self._means * self.rates, root, value=-factor / first)

    @torch.no_grad()
    def answers(self, rows: torch.Tensor) -> torch.Tensor:
        """What every copy says to the same rows (n, …): (K, n, classes)."""
        count = len(self.copies)
        parts = rows.split(max(1, ROWS // count))
        return torch.cat([self(part.expand(count, *part.shape)) for part in parts], 1)


def train_stack(
    copies: Sequence[Copy],
    targets: tuple[str, ...],
    batches: Callable[[int], Any],
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    steps: int,
    each: Callable[[float], None],
    factor: Callable[[int], float] | None = None,
) -> tuple[Stack, torch.Tensor]:
    """Train copies for `steps`; each seed has batches of its own, the same for all of its copies.

    `loss` is the mean over rows that (K·B, classes) and (K·B) give. `each` is told how far it is
    and may raise. `factor` of the rates at a step; none: they fall to 0 in a line.
    Returns the stack and the mean loss (K) of the last tenth of its steps.
    """
    stack = Stack(copies, targets)
    seeds = list(dict.fromkeys(c.seed for c in copies))
    place = torch.tensor([seeds.index(c.seed) for c in copies])
    courses = [batches(seed) for seed in seeds]
    late, counted = torch.zeros(len(copies)), 0
    scale = factor or (lambda step: 1 - step / steps)
    for step in range(steps):
        drawn = [next(course) for course in courses]
        fewest = min(len(labels) for _, labels in drawn)  # the last batch of an epoch is smaller
        x = torch.stack([images[:fewest] for images, _ in drawn])[place]  # (K, B, …)
        y = torch.stack([labels[:fewest] for _, labels in drawn])[place]  # (K, B)
        logits = stack(x)
        stack.step(loss(logits.flatten(0, 1), y.flatten()) * len(copies), scale(step))
        if step >= steps * 0.9:
            with torch.no_grad():
                late += torch.stack([loss(a, b) for a, b in zip(logits, y, strict=True)])
            counted += 1
        if step % 50 == 0:
            each(step / steps)
    return stack, late / max(counted, 1)


def redrawn(net: nn.Module, seed: int) -> nn.Module:
    """A copy of a net with weights as torch draws them."""
    fresh = copy.deepcopy(net)
    draw_anew(fresh, seed)
    return fresh


class _StackedLinear(nn.Module):
    """K linear layers side by side: (K, B, in) → (K, B, out)."""

    def __init__(
        self,
        stack: Stack,
        Ws: torch.Tensor,  # (K, out, in)
        bs: torch.Tensor | None,  # (K, out)
        code: torch.Tensor | None,
        bias_code: torch.Tensor | None,
    ) -> None:
        super().__init__()
        self._stack = [stack]  # no module of this one
        self.Ws, self.bs, self.code, self.bias_code = Ws, bs, code, bias_code

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        table = self._stack[0].table()
        return _Moved.apply(x, table, self.Ws, self.bs, self.code, self.bias_code)


class _Moved(torch.autograd.Function):
    """x (W + P·θ)ᵀ + b of all copies; the gradient of the table is a sum per number.

    In one node, since autograd's own gradient of W comes transposed: to be copied before it is
    added up costs as much as the sums.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,  # (K, B, in)
        table: torch.Tensor,
        Ws: torch.Tensor,
        bs: torch.Tensor | None,
        code: torch.Tensor | None,
        bias_code: torch.Tensor | None,
    ) -> torch.Tensor:
        W = Ws if code is None else up(table, code).add_(Ws)
        ctx.save_for_backward(x, W, code, bias_code)
        ctx.length = len(table)
        if bs is None:
            return torch.bmm(x, W.mT)
        b = bs if bias_code is None else up(table, bias_code).add_(bs)
        return torch.baddbmm(b.unsqueeze(1), x, W.mT)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, W, code, bias_code = ctx.saved_tensors
        dx = torch.bmm(dy, W) if ctx.needs_input_grad[0] else None
        sums = dy.new_zeros(ctx.length)
        if code is not None:
            down(sums, code, torch.bmm(dy.mT, x))
        if bias_code is not None:
            down(sums, bias_code, dy.sum(1))
        return dx, sums, None, None, None, None


def _stacked_codes(projections: Sequence[HashProjection], total: int) -> list[torch.Tensor]:
    """The codes (K, n) of each tensor, into one table [θ, −θ] of all copies."""
    rows: list[list[torch.Tensor]] = []
    begin = 0
    for projection in projections:
        d = projection.dimension
        for index, code in enumerate(projection.codes()):
            code = code.int()
            negative = (code >= d).int()
            if index == len(rows):
                rows.append([])
            rows[index].append(code + begin + negative * (total - d))  # int32, as `up` takes them
        begin += d
    return [torch.stack(row) for row in rows]


def _replace(net: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, module)
