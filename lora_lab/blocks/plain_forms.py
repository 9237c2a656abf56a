"""ggml's forms of 32 numbers to a block, undone: q8_0, q4_0, q4_1, q5_0, q5_1.

Layouts and the order of the operations are those of gguf-py (gguf/quants.py), which follows ggml;
so each number is the same to the bit. Every function takes blocks (n, bytes) of uint8 and returns
float32 (n, 32).
"""

from __future__ import annotations

import torch


def half(blocks: torch.Tensor, at: int) -> torch.Tensor:
    """The float16 at a byte of each block, (n, 1) in float32."""
    return blocks[:, at : at + 2].contiguous().view(torch.float16).float()


def nibbles(packed: torch.Tensor) -> torch.Tensor:
    """Low halves of the bytes and then the high ones: uint8 (…, k) → uint8 (…, 2, k)."""
    return torch.stack([packed & 15, packed >> 4], -2)


def bits(packed: torch.Tensor, count: int, width: int) -> torch.Tensor:
    """`count` parts of `width` bits of each byte, the lowest first: (…, k) → (…, count, k)."""
    mask = 2**width - 1
    return torch.stack([(packed >> (i * width)) & mask for i in range(count)], -2)


def q8_0(blocks: torch.Tensor) -> torch.Tensor:
    """d (2 bytes), 32 × int8: q·d."""
    return blocks[:, 2:].view(torch.int8) * half(blocks, 0)


def q4_0(blocks: torch.Tensor) -> torch.Tensor:
    """d, 16 bytes of two numbers: (q − 8)·d."""
    q = nibbles(blocks[:, 2:]).view(-1, 32).view(torch.int8) - 8
    return q * half(blocks, 0)


def q4_1(blocks: torch.Tensor) -> torch.Tensor:
    """d, m, 16 bytes of two numbers: q·d + m."""
    q = nibbles(blocks[:, 4:]).view(-1, 32)
    return (q * half(blocks, 0)).add_(half(blocks, 2))


def q5_0(blocks: torch.Tensor) -> torch.Tensor:
    """d, 32 fifth bits, 16 bytes of two numbers: (q − 16)·d."""
    return (_five(blocks[:, 2:6], blocks[:, 6:]).view(torch.int8) - 16) * half(blocks, 0)


def q5_1(blocks: torch.Tensor) -> torch.Tensor:
    """d, m, 32 fifth bits, 16 bytes of two numbers: q·d + m."""
    q = _five(blocks[:, 4:8], blocks[:, 8:])
    return (q * half(blocks, 0)).add_(half(blocks, 2))


def _five(fifth: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
    """Numbers of five bits (n, 32) of their fifth bits (n, 4) and their low four (n, 16)."""
    high = bits(fifth, 8, 1).transpose(1, 2).reshape(-1, 32)  # bit i of the word is number i's
    return nibbles(low).view(-1, 32) | (high << 4)
