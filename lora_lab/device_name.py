"""A device's name, of one or of several at once: cpu, cuda:1, or 2 × cuda for two processes."""

from __future__ import annotations

import re

SEVERAL = re.compile(r"(\d+)\s*[×xX*]\s*(.*)")
KINDS = ("cpu", "cuda")  # of which each of several processes finds one of its own
MOST = 64  # processes of one machine


def split(name: str) -> tuple[int, str]:
    """The number of processes, and the device that the first of them finds under its own name."""
    found = SEVERAL.fullmatch(name.strip())
    return (int(found[1]), found[2]) if found else (1, name)


def first(name: str) -> str:
    """The device of the first process of a run on the device of this name."""
    return split(name)[1]


def normal(name: str) -> str:
    """The name as it is written down; raises ValueError for several of what there is one of."""
    processes, kind = split(name)
    if not SEVERAL.fullmatch(name.strip()):
        return name
    if kind not in KINDS or not 1 <= processes <= MOST:
        several = " or ".join(f"N × {one}" for one in KINDS)
        raise ValueError(
            f"must be {several} with N from 1 to {MOST}, as 2 × cuda, for a run in several "
            "processes: each takes a device of its own"
        )
    return kind if processes == 1 else f"{processes} × {kind}"
