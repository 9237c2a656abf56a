"""The rank that school teaches, by elimination: in floating point, where it errs, and exactly.

Partial pivoting takes the largest entry that is left in a column as its pivot, and counts pivots.
Which number is still one and which is rounding the method itself cannot say: with "≠ 0" rounding
errors become pivots, and with a tolerance a matrix next to a singular one may show no small pivot
at all (Golub & Van Loan, §5.4: only σ tells the distance to the next lower rank).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lora_lab.analysis.matrix import Decomposition
from lora_lab.analysis.rank import EPS, numerical_rank

DTYPES = ("float64", "float32")
MOST_WORK = 4e8  # rows · columns · rank · bits of the largest minor; about 0.2 s


@dataclass(frozen=True)
class Ranks:
    """The rank of one matrix by each way; pairs are in float64 and in float32."""

    by_sigma: tuple[int, int]  # σ_i > max(m, n)·eps·σ_1
    by_elimination: tuple[int, int]  # pivots ≠ 0
    with_tolerance: tuple[int, int]  # pivots > max(m, n)·eps·max|w_ij|
    smallest_pivot: float  # of those that were taken as ≠ 0 in float64; nan where there was none
    exact: int | None  # in exact fractions of the numbers as written; None where too large


def eliminated(W: np.ndarray, dtype: str = "float64", tolerance: float = 0.0) -> list[float]:
    """|pivots| of Gaussian elimination with partial pivoting in `dtype`, in the order found.

    W (m × n). A column with no entry above `tolerance` is passed over; the rank is the length.
    """
    M = np.array(W, dtype=dtype)
    pivots: list[float] = []
    for column in range(M.shape[1]):
        top = len(pivots)
        if top == M.shape[0]:
            break
        best = top + int(np.argmax(np.abs(M[top:, column])))
        pivot = abs(float(M[best, column]))
        if pivot <= tolerance:
            continue
        M[[top, best]] = M[[best, top]]
        factors = M[top + 1 :, column] / M[top, column]
        M[top + 1 :, column + 1 :] -= np.outer(factors, M[top, column + 1 :])
        pivots.append(pivot)
    return pivots


def exact_rank(rows: Sequence[Sequence[Fraction]]) -> int | None:
    """The rank of a matrix of fractions, without any rounding (Bareiss 1968, in whole numbers).

    None where that would take long.
    """
    whole = []
    for row in rows:
        least = math.lcm(*(number.denominator for number in row))
        whole.append([int(number * least) for number in row])
    # Hadamard: no minor that is met has more bits than the rows have together.
    bits = sum(max(abs(number) for number in row).bit_length() + 4 for row in whole)
    columns = len(whole[0])
    if len(whole) * columns * min(len(whole), columns) * bits > MOST_WORK:
        return None
    rank, last = 0, 1
    for column in range(columns):
        best = next((i for i in range(rank, len(whole)) if whole[i][column]), None)
        if best is None:
            continue
        whole[rank], whole[best] = whole[best], whole[rank]
        head = whole[rank]
        for row in whole[rank + 1 :]:
            lead = row[column]
            for j in range(column + 1, columns):
                row[j] = (row[j] * head[column] - lead * head[j]) // last
            row[column] = 0
        last = head[column]
        rank += 1
        if rank == len(whole):
            break
    return rank


def ranks(parts: Decomposition, exact: Sequence[Sequence[Fraction]] | None = None) -> Ranks:
    """Every rank of a matrix; `exact` are its numbers as they were written, where known."""
    size = float(np.abs(parts.W).max())
    shift = math.frexp(size)[1]
    W = np.ldexp(parts.W, -shift)  # by a power of two: every rounding stays, and float32 holds it
    size = math.ldexp(size, -shift)
    half = np.linalg.svd(W.astype(np.float32), compute_uv=False)
    naive = [eliminated(W, dtype) for dtype in DTYPES]
    careful = []
    for dtype, pivots in zip(DTYPES, naive, strict=True):
        tolerance = max(W.shape) * EPS[dtype] * size
        alike = all(pivot > tolerance for pivot in pivots)  # then none would have been passed over
        careful.append(pivots if alike else eliminated(W, dtype, tolerance))
    return Ranks(
        (parts.rank, numerical_rank(half, parts.shape, "float32")),
        (len(naive[0]), len(naive[1])),
        (len(careful[0]), len(careful[1])),
        math.ldexp(min(naive[0]), shift) if naive[0] else math.nan,
        None if exact is None else exact_rank(exact),
    )
