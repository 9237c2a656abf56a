"""What α, strength and learning rate mean in other programs, whose defaults of s differ 320-fold.

ΔW = s·B·A. A program that multiplies by another s' makes the same ΔW of the same factors at the
strength s/s'. Trained there from the start, Adam moves A and B by their rate whatever s is, so that
the effect per step of B at the start is s·rate: the same course wants rate·s/s'.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """A program's defaults: α and r, or an absolute scale."""

    name: str
    alpha: float
    rank: int
    absolute: float | None = None

    @property
    def scaling(self) -> float:
        return self.alpha / self.rank if self.absolute is None else self.absolute


TOOLS = (
    Tool("PEFT", 8, 8),
    Tool("LLaMA Board", 16, 8),
    Tool("Unsloth", 16, 16),
    Tool("text-generation-webui", 64, 32),
    Tool("ai-toolkit", 1, 1, 1.0),
    Tool("kohya_ss", 1, 8),
    Tool("ComfyUI (training)", 1, 8),
    Tool("OneTrainer", 1, 16),
    Tool("MLX", 8, 8, 20.0),
)


@dataclass(frozen=True)
class Translation:
    """The same adapter in another program."""

    tool: str
    default: float  # its s out of the box
    alpha: float  # that gives the same s at the same rank there; nan where s is set as it is
    strength: float  # of the same factors where its own default s is applied
    rate: float  # that moves ΔW as much per step with its default s


def translations(alpha: float, rank: int, rate: float, scaling: float) -> tuple[Translation, ...]:
    """One row for each program; `scaling` is the s that holds here."""
    return tuple(
        Translation(
            tool.name,
            tool.scaling,
            scaling * rank if tool.absolute is None else float("nan"),
            scaling / tool.scaling,
            rate * scaling / tool.scaling,
        )
        for tool in TOOLS
    )
