"""The ranks whose file takes at most so many bytes: it is written, and its bytes are counted.

Nothing is estimated: a format's header, tables of names, padding to one rank and widening of a
folded scale all count, because a trial file is made by the format's own writer and thrown away.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.formats import FORMATS
from lora_lab.progress import Report, silent
from lora_lab.workshop.deliver import in_type
from lora_lab.workshop.ranks import Spectra, spread
from lora_lab.workshop.requests import MERGED, Delivery
from lora_lab.workshop.resize import resized

Ranks = tuple[int, ...]
SECANTS = 3  # trials on the line before the middle is taken


def fitting(
    weights: AdapterWeights,
    spectra: Spectra,
    delivery: Delivery,
    size: float,
    per_layer: bool = False,
    report: Report = silent,
) -> Ranks:
    """The largest ranks of `weights`, uniform or spread, that `delivery` writes in `size` bytes.

    Raises AdapterError where even rank 1 takes more, and for a merged checkpoint, whose size is
    that of its base.
    """
    if delivery.format == MERGED:
        raise AdapterError("A merged checkpoint is as large as its base, whatever the rank.")
    if not size > 0:
        raise AdapterError(f"A size must be above 0 bytes, not {size:g}.")
    taken: dict[Ranks, int] = {}

    def bytes_of(ranks: Ranks) -> int:
        if ranks not in taken:
            report("Measuring the file", -1)
            taken[ranks] = written_bytes(weights, ranks, delivery)
        return taken[ranks]

    least = spectra.uniform(1)
    if bytes_of(least) > size:
        raise AdapterError(
            f"Even rank 1 takes {bytes_of(least):,} bytes, so {size:,} cannot be reached. Use a "
            "smaller dtype, or fewer layers."
        )
    if not per_layer:
        return _largest(spectra.uniform, 1, spectra.most, size, bytes_of)
    low = spectra.parameters(least) - spectra.whole
    high = spectra.parameters(spectra.uniform(spectra.most)) - spectra.whole
    return _largest(
        lambda budget: spread(spectra, budget), low, high, size, bytes_of, max(spectra.costs)
    )


def written_bytes(weights: AdapterWeights, ranks: Sequence[int], delivery: Delivery) -> int:
    """Bytes of the file of tensors that `delivery` would write with these ranks."""
    made, _ = resized(weights, ranks)
    if delivery.base:
        made = replace(made, base=delivery.base)
    if delivery.dtype:
        made = in_type(made, delivery.dtype, delivery.format)
    if delivery.format not in FORMATS:
        raise AdapterError(
            f"{delivery.format!r} is not an export format; there are {', '.join(FORMATS)}"
        )
    format = FORMATS[delivery.format]
    made, _ = format.named(made, delivery.component)
    with tempfile.TemporaryDirectory() as folder:
        format.save(made, Path(folder))
        return (Path(folder) / format.files[0]).stat().st_size


def _largest(
    ranks_of: Callable[[int], Ranks],
    low: int,
    high: int,
    size: float,
    bytes_of: Callable[[Ranks], int],
    step: int = 1,
) -> Ranks:
    """The ranks of the largest number in low … high that fit; those of `low` do.

    The bytes grow nearly linearly with the number, so the first trials are where the line through
    the two ends meets `size`, and few files are written; the middle is tried where that fails.
    """
    best, fits = ranks_of(low), bytes_of(ranks_of(low))
    over = bytes_of(ranks_of(high))
    if over <= size:
        return ranks_of(high)
    tries = 0
    while high - low > step:
        tries += 1
        share = (size - fits) / (over - fits) if tries <= SECANTS else 0.5
        middle = max(low + step, min(high - step, low + int((high - low) * share)))
        found = bytes_of(ranks_of(middle))
        if found <= size:
            best, low, fits = ranks_of(middle), middle, found
        else:
            high, over = middle, found
    return best
