"""Blocks of bytes at random, whose scales are finite numbers."""

import torch

from lora_lab.blocks.forms import FORMS

HIGH = {  # the upper bytes of float16 scales in a block
    "q8_0": [1], "q4_0": [1], "q4_1": [1, 3], "q5_0": [1], "q5_1": [1, 3], "q2_K": [81, 83],
    "q3_K": [109], "q4_K": [1, 3], "q5_K": [1, 3], "q6_K": [209],
}  # fmt: skip


def random_blocks(form, rows, columns, seed=0):
    """Bytes of a matrix (rows, columns) in a form of ggml; its numbers are below a few hundred."""
    draw = torch.Generator().manual_seed(seed)
    size = FORMS[form].shape(rows, columns)
    raw = torch.randint(0, 256, size, dtype=torch.uint8, generator=draw)
    raw.view(-1, FORMS[form].bytes)[:, HIGH[form]] &= 0x2F  # below 2⁻³
    return raw
