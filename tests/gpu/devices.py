"""Marks of a test that runs on each accelerator that is here, against what the CPU has found."""

import os

import pytest
import torch

STAND_IN = os.environ.get("LORA_LAB_STAND_IN", "")  # a device that stand_in.py plays, and no other
CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # of sums in float32 that are made in another order


def _missing(name: str) -> str:
    if STAND_IN:
        return "" if name == STAND_IN else f"{STAND_IN} is stood in for here"
    found = torch.cuda.is_available() if name == "cuda" else torch.backends.mps.is_available()
    return "" if found else f"no {name} device is here"


def _devices(*also: str) -> pytest.MarkDecorator:
    rows = [
        pytest.param(name, marks=[pytest.mark.gpu, pytest.mark.skipif(bool(why), reason=why)])
        for name, why in ((name, _missing(name)) for name in ("cuda", "mps"))
    ]
    return pytest.mark.parametrize("device", [*also, *rows])


on_each = _devices()
here_too = _devices("cpu")  # that the test itself runs
