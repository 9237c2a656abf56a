"""NF4: four bits a number by quantiles of a normal distribution, 64 to a block, scales in eight.

Dettmers et al. 2023, arXiv 2305.14314, §3 (QLoRA), with its double quantization; codes, scales and
numbers are those of bitsandbytes to the bit. A block has its absmax; those are kept, less their
mean, as bytes of a dynamic code (arXiv 1511.04561), 256 of them to one float32.

All of a matrix is one row of bytes: mean (float32), scales of scales (float32), scales, codes.
"""

from __future__ import annotations

import functools
import math

import torch

BLOCK, SCALES = 64, 256  # numbers to an absmax, and those to a scale of theirs
CHUNK = 2**18  # numbers undone at a time: what is made meanwhile stays in the cache
QUANTILES = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
)  # fmt: skip


def size(count: int) -> int:
    """Bytes of so many numbers."""
    blocks = math.ceil(count / BLOCK)
    return 4 + 4 * math.ceil(blocks / SCALES) + blocks + math.ceil(count / 2)


def pack(W: torch.Tensor) -> torch.Tensor:
    """W (out, in) as bytes (size): what bitsandbytes' quantize_4bit makes of it, scales and all."""
    flat = W.detach().float().flatten()
    absmax = _by_blocks(flat.abs(), BLOCK).amax(1)  # (blocks)
    parts = []
    middles = _middles(_quantiles(flat.device)).tolist()
    for begin in range(0, len(flat), CHUNK):
        part = _by_blocks(flat[begin : begin + CHUNK], BLOCK)
        own = absmax[begin // BLOCK :][: len(part)].clamp(min=1e-38)
        scaled = (part * (1.0 / own)[:, None]).clamp_(-1, 1)
        codes = torch.zeros(scaled.shape, dtype=torch.uint8, device=flat.device)
        for middle in middles:  # a third of the time of torch.bucketize, which goes one by one
            codes += scaled > middle
        codes = codes.flatten()
        parts.append((codes[::2] << 4) | codes[1::2])
    packed = torch.cat(parts)[: math.ceil(len(flat) / 2)]
    mean = absmax.mean()
    rest = _by_blocks(absmax - mean, SCALES)
    scales = rest.abs().amax(1)
    eight = _nearest(rest / scales.clamp(min=1e-38)[:, None], _dynamic(flat.device)).flatten()
    header = torch.cat([mean.reshape(1), scales]).view(torch.uint8)
    return torch.cat([header, eight[: len(absmax)], packed])


def unpack(blocks: torch.Tensor, out: torch.Tensor) -> None:
    """Write the numbers of `blocks` into `out`, of any shape and type; each is rounded once."""
    flat = out.view(-1)
    absmax, packed = absmaxima(blocks, len(flat))
    pairs = _pairs(blocks.device)
    for begin in range(0, len(flat), CHUNK):
        part = flat[begin : begin + CHUNK]
        codes = packed[begin // 2 : (begin + CHUNK) // 2]
        two = pairs.index_select(0, codes.to(torch.int32)).view(torch.float32)
        own = absmax[begin // BLOCK :][: math.ceil(len(part) / BLOCK), None]
        made = _by_blocks(two[: len(part)], BLOCK).mul_(own)
        part.copy_(made.view(-1)[: len(part)])


def absmaxima(blocks: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The absmax of each block (float32), and the codes of `count` numbers, two to a byte."""
    number = math.ceil(count / BLOCK)
    head = 4 + 4 * math.ceil(number / SCALES)
    header = blocks[:head].clone().view(torch.float32)
    eight = blocks[head : head + number].to(torch.int32)
    wide = _dynamic(blocks.device).index_select(0, eight)
    scales = header[1:].repeat_interleave(SCALES)[:number]
    return wide * scales + header[0], blocks[head + number :]


def _by_blocks(flat: torch.Tensor, length: int) -> torch.Tensor:
    """(n) → (blocks, length), the last one filled with zeros."""
    rest = -len(flat) % length
    return (torch.nn.functional.pad(flat, (0, rest)) if rest else flat).view(-1, length)


def _middles(code: torch.Tensor) -> torch.Tensor:
    return (code[:-1] + code[1:]) / 2


def _nearest(values: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    """The number of the nearest entry of an ascending code (uint8), for values in −1 … 1.

    As bitsandbytes on a CPU: of a value's nearest point among 65,536 even ones, whose entry it has
    in a table; so that near the middle of two entries the farther one may be taken.
    """
    points = ((values + 1) * 32767.5 + 0.5).floor_().double() / 32767.5 - 1
    middles = (code.double()[:-1] + code.double()[1:]) / 2
    return torch.bucketize(points, middles).to(torch.uint8)


@functools.cache
def _quantiles(device: torch.device) -> torch.Tensor:
    return torch.tensor(QUANTILES, device=device)


@functools.cache
def _pairs(device: torch.device) -> torch.Tensor:
    """The two numbers of each byte, the high half first, as one of 64 bits (256): it is looked up
    in one read, which is ten times as quick as two."""
    code = torch.tensor(QUANTILES)
    both = torch.stack([code.repeat_interleave(16), code.repeat(16)], 1)
    return both.contiguous().view(torch.int64).view(-1).to(device)


@functools.cache
def _dynamic(device: torch.device) -> torch.Tensor:
    """The 256 numbers of the signed dynamic code of eight bits, ascending.

    ±10^(i−6) times the middles of 2^i equal parts of 0.1 … 1, for i = 0 … 6, then 0 and 1.
    """
    numbers = [0.0, 1.0]
    for i in range(7):
        bounds = torch.linspace(0.1, 1, 2**i + 1, dtype=torch.float32)
        middles = (bounds[:-1] + bounds[1:]) / 2.0
        for sign in (1, -1):
            numbers += (sign * 10 ** (i - 6) * middles).tolist()
    return torch.tensor(sorted(numbers), device=device)
