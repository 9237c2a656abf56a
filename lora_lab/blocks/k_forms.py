"""ggml's K-forms, undone: blocks of 256 numbers in parts with a scale, and a minimum, of their own.

Layouts and the order of the operations are those of gguf-py (gguf/quants.py), which follows ggml;
so each number is the same to the bit. Every function takes blocks (n, bytes) of uint8 and returns
float32 (n, 256).
"""

from __future__ import annotations

import torch

from lora_lab.blocks.plain_forms import bits, half, nibbles


def q2_K(blocks: torch.Tensor) -> torch.Tensor:
    """16 bytes of scale and minimum, 64 of four numbers, d, dmin: d·sc·q − dmin·m."""
    scales = nibbles(blocks[:, :16])  # (n, 2, 16): scales, minima
    d = (half(blocks, 80) * scales[:, 0]).unsqueeze(-1)
    m = (half(blocks, 82) * scales[:, 1]).unsqueeze(-1)
    q = bits(blocks[:, 16:80].view(-1, 2, 32), 4, 2).view(-1, 16, 16)
    return (d * q).sub_(m).view(-1, 256)


def q3_K(blocks: torch.Tensor) -> torch.Tensor:
    """32 bytes of third bits, 64 of four numbers, 12 of sixteen scales of six bits, d."""
    low, high = blocks[:, 96:104], blocks[:, 104:108]
    scales = nibbles(low).view(-1, 16) | (bits(high, 4, 2).view(-1, 16) << 4)
    d = (half(blocks, 108) * (scales.view(torch.int8) - 32)).unsqueeze(-1)  # (n, 16, 1)
    two = bits(blocks[:, 32:96].view(-1, 2, 32), 4, 2).view(-1, 16, 16)
    third = bits(blocks[:, :32].unsqueeze(1), 8, 1).view(-1, 16, 16) ^ 1  # set: nothing is taken
    return (d * (two.view(torch.int8) - (third << 2).view(torch.int8))).view(-1, 256)


def q4_K(blocks: torch.Tensor) -> torch.Tensor:
    """d, dmin, 12 bytes of eight scales and minima, 128 of two numbers: d·sc·q − dmin·m."""
    d, m = _scales_and_minima(blocks)
    q = nibbles(blocks[:, 16:].view(-1, 4, 32)).view(-1, 8, 32)
    return (d * q).sub_(m).view(-1, 256)


def q5_K(blocks: torch.Tensor) -> torch.Tensor:
    """As q4_K, with 32 bytes of fifth bits before the numbers."""
    d, m = _scales_and_minima(blocks)
    low = nibbles(blocks[:, 48:].view(-1, 4, 32)).view(-1, 8, 32)
    q = low | (bits(blocks[:, 16:48], 8, 1) << 4)
    return (d * q).sub_(m).view(-1, 256)


def q6_K(blocks: torch.Tensor) -> torch.Tensor:
    """128 bytes of two numbers, 64 of four high parts, 16 scales, d: d·sc·(q − 32)."""
    low = nibbles(blocks[:, :128].view(-1, 2, 64)).view(-1, 8, 32)
    high = bits(blocks[:, 128:192].view(-1, 2, 32), 4, 2).view(-1, 8, 32)
    q = (low | (high << 4)).view(torch.int8) - 32
    d = half(blocks, 208) * blocks[:, 192:208].view(torch.int8)  # (n, 16)
    return (d.unsqueeze(-1) * q.view(-1, 16, 16)).view(-1, 256)


def _scales_and_minima(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """d·scale and dmin·minimum of the eight parts of a block, (n, 8, 1) each.

    Twelve bytes have eight pairs of six bits: the first four of each whole, of the last four the
    low halves, whose upper two bits stand above those of the first.
    """
    first, second, third = blocks[:, 4:16].view(-1, 3, 4).unbind(1)
    scales = torch.cat([first & 63, (third & 15) | ((first >> 2) & 48)], 1)
    minima = torch.cat([second & 63, (third >> 4) | ((second >> 2) & 48)], 1)
    d, m = half(blocks, 0) * scales, half(blocks, 2) * minima
    return d.unsqueeze(-1), m.unsqueeze(-1)
