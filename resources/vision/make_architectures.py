"""Writes architectures.txt: what the tensors of each net of torchvision and timm are called.

    python resources/vision/make_architectures.py

Needs both libraries. A line is: library, name, digest of the tensors' names, digest of their names
and shapes without the head, the head's layers ("-" for a net that classifies no images).
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision.models as tv

from lora_lab.models.vision_nets import names_digest, shapes_digest

warnings.simplefilter("ignore")


def shapes(make: Callable[..., Any], **how: int) -> dict[str, tuple[int, ...]]:
    try:
        with torch.device("meta"):
            net = make(**how)
    except (NotImplementedError, RuntimeError):  # some look at numbers while they are made
        net = make(**how)
    return {name: tuple(t.shape) for name, t in net.state_dict().items()}


def line(library: str, name: str, make: Callable[..., Any], classifies: bool = True) -> str:
    one = shapes(make, num_classes=1000) if classifies else shapes(make)
    other = shapes(make, num_classes=7) if classifies else one
    heads = {n.rpartition(".")[0] for n in one if other.get(n) != one[n]}
    digests = names_digest(one), shapes_digest(one, heads)
    return " ".join((library, name, *digests, ",".join(sorted(heads)) or "-"))


def main() -> None:
    classify = set(tv.list_models(module=tv))
    nets = [("torchvision", name, _of_torchvision(name), name in classify)
            for name in tv.list_models() if not name.startswith("quantized")]  # fmt: skip
    nets += [("timm", name, partial(timm.create_model, name), True) for name in timm.list_models()]
    lines = []
    for net in nets:
        try:
            lines.append(line(*net))
        except Exception as error:  # noqa: BLE001, which ones cannot be made is looked at
            sys.stderr.write(f"left out: {net[1]}: {error}\n")
    text = "\n".join(lines) + "\n"
    Path(__file__).with_name("architectures.txt").write_text(text, "utf-8")


def _of_torchvision(name: str) -> Callable[..., Any]:
    how: dict[str, Any] = {"weights": None}
    if "weights_backbone" in inspect.signature(tv.get_model_builder(name)).parameters:
        how["weights_backbone"] = None  # or it would be downloaded
    return partial(tv.get_model, name, **how)


if __name__ == "__main__":
    main()
