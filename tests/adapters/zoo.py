"""ZOO: one layer of every type that can be adapted, with an input for it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D


@dataclass(frozen=True)
class Case:
    """How to build a layer and an input; `rank` is one that the layer can take."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]  # of the input; numbers of tokens where `tokens` says how many
    rank: int = 3
    tokens: int = 0

    def model(self, dtype: torch.dtype, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        return nn.ModuleDict({"layer": self.make()}).to(dtype)

    def input(self, dtype: torch.dtype, seed: int = 1) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        if self.tokens:
            return torch.randint(0, self.tokens, self.shape, generator=generator)
        return torch.randn(self.shape, generator=generator, dtype=torch.float64).to(dtype)


def gpt2_linear() -> nn.Module:
    layer = Conv1D(20, 12)
    nn.init.normal_(layer.bias)
    return layer


# Types of layers that a variant refuses, by a word of the reason.
REFUSED = {
    "lora-fa": {nn.Embedding: "an embedding, whose A starts at 0"},
    "vera": dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Embedding), "for linear layers"),
}
ZOO = {
    "linear": Case(lambda: nn.Linear(12, 20), (4, 5, 12)),
    "large linear": Case(lambda: nn.Linear(64, 48), (6, 64, 64)),  # beyond lora.SMALL
    "linear without bias": Case(lambda: nn.Linear(20, 7, bias=False), (6, 20)),
    "gpt2 linear": Case(gpt2_linear, (4, 5, 12)),
    "conv1d": Case(lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1), (2, 4, 9)),
    "conv2d": Case(lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1), (2, 4, 7, 8)),
    "conv2d of size 1": Case(lambda: nn.Conv2d(4, 6, 1, bias=False), (2, 4, 5, 5)),
    "conv2d oblong": Case(lambda: nn.Conv2d(4, 6, (1, 5), padding="same"), (2, 4, 5, 6)),
    "conv2d dilated": Case(lambda: nn.Conv2d(4, 6, 3, dilation=2), (2, 4, 7, 7)),
    "conv2d reflecting": Case(
        lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), (2, 4, 5, 5)
    ),
    "conv2d in groups": Case(lambda: nn.Conv2d(4, 6, 3, groups=2), (2, 4, 5, 5), rank=4),
    "conv1d depthwise": Case(lambda: nn.Conv1d(4, 4, 3, groups=4), (2, 4, 9), rank=4),
    "embedding": Case(lambda: nn.Embedding(11, 8), (3, 5), tokens=11),
    "embedding with padding": Case(lambda: nn.Embedding(11, 8, padding_idx=0), (3, 5), tokens=11),
}
