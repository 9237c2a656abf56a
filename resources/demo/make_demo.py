"""Make the demo data: python resources/demo/make_demo.py

Writes `digits.safetensors` and `digits_base.safetensors` beside this file, the same bytes each time
on one machine. It needs scikit-learn; the lab does not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save
from sklearn.datasets import load_digits

from lora_lab.models.plain import mlp
from lora_lab.tasks.digits import DigitsTask

HERE = Path(__file__).resolve().parent
UNSEEN = 9  # the digit that the base never sees
TEST_SHARE = 0.25  # of each digit
SPLIT_SEED, NET_SEED = 2, 1
SIZES = (64, 128, 64, 10)
EPOCHS, BATCH, LEARNING_RATE = 100, 32, 1e-3
NOISE = 0.5  # on the normalised pixels, so that the net is as sure of itself as a larger one


def data() -> dict[str, torch.Tensor]:
    """Images (1797, 8, 8) of uint8 from 0 to 16, labels, and the indices of train and test."""
    found = load_digits()
    labels = found.target
    rng = np.random.RandomState(SPLIT_SEED)  # its stream is fixed for ever, unlike default_rng's
    train, test = [], []
    for digit in range(10):
        rows = rng.permutation(np.flatnonzero(labels == digit))
        cut = round(TEST_SHARE * len(rows))
        test.append(rows[:cut])
        train.append(rows[cut:])
    return {
        "images": torch.from_numpy(found.images.astype(np.uint8)),
        "labels": torch.from_numpy(labels.astype(np.uint8)),
        "train": torch.from_numpy(np.sort(np.concatenate(train)).astype(np.int32)),
        "test": torch.from_numpy(np.sort(np.concatenate(test)).astype(np.int32)),
    }


def base(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A net trained on every digit but one."""
    labels = tensors["labels"].long()
    rows = tensors["train"].long()
    rows = rows[labels[rows] != UNSEEN]
    pixels = tensors["images"][rows].flatten(1).float()
    x = (pixels / DigitsTask.white - DigitsTask.mean) / DigitsTask.std  # (N, 64)
    y = labels[rows]
    torch.manual_seed(NET_SEED)
    net = mlp(SIZES)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE)
    for epoch in range(EPOCHS):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - epoch / EPOCHS)
        for batch in torch.randperm(len(y)).split(BATCH):
            noisy = x[batch] + NOISE * torch.randn(len(batch), x.shape[1])
            optimizer.zero_grad()
            F.cross_entropy(net(noisy), y[batch]).backward()
            optimizer.step()
    return net.state_dict()


def main() -> None:
    torch.set_num_threads(1)  # sums in one order, so that the bytes are the same each time
    tensors = data()
    # One metadata entry a file: the library writes several in no fixed order.
    files = {
        "digits": (tensors, "UCI optical recognition of handwritten digits, CC BY 4.0"),
        "digits_base": (base(tensors), f"64-128-64-10 with ReLU; trained without {UNSEEN}"),
    }
    for name, (content, about) in files.items():
        (HERE / f"{name}.safetensors").write_bytes(save(content, {"about": about}))


if __name__ == "__main__":
    main()
