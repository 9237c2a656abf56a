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


def libraries() -> tuple[ModuleType, ModuleType]:
    """Both, or the test is skipped.

    torchvision's operators come as a program for one build of torch. Nets that classify use none of
    them, so that their names are enough.
    """
    if not (folder := os.environ.get("LORA_LAB_VISION")):
        pytest.skip("LORA_LAB_VISION names no folder with torchvision and timm")
    if "torchvision" not in sys.modules:
        sys.path.append(folder)
        own = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, name):
                own.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        OPERATORS.append(own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (
            pytest.importorskip("torchvision", reason="torchvision is not installed"),
            pytest.importorskip("timm", reason="timm is not installed"),
        )
