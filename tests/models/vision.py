"""torchvision and timm for tests, from a folder of their own that LORA_LAB_VISION names.

Beside a torch that they are not built for they break transformers, so they are not installed.
"""

import os
import sys
import warnings
from types import ModuleType

import pytest
import torch

OPERATORS: list[torch.library.Library] = []


def add() -> None:
    """Let both be imported; before transformers, which looks once whether torchvision is there.

    torchvision's operators come as a program for one build of torch. Nets that classify use none of
    them, so that their names are enough.
    """
    sys.path.append(os.environ["LORA_LAB_VISION"])
    own = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            own.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    OPERATORS.append(own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import timm  # noqa: F401
        import torchvision  # noqa: F401


def libraries() -> tuple[ModuleType, ModuleType]:
    """Both, or the test is skipped."""
    if not os.environ.get("LORA_LAB_VISION"):
        pytest.skip("LORA_LAB_VISION names no folder with torchvision and timm")
    return sys.modules["torchvision"], sys.modules["timm"]
