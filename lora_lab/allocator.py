"""Freed memory is kept for the next step: one setting of the C library, made at the start."""

from __future__ import annotations

import ctypes
import sys

# glibc's mallopt(3): parameter numbers from <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST_KEPT = 2**25  # bytes of one block; glibc takes no more, and larger ones are few


def keep_freed_memory() -> bool:
    """Let malloc keep what a training step frees, instead of giving it back to the system.

    By default each temporary of some MB is new memory, and the system clears it page by page: an
    elementwise operation on it takes two to three times as long. Call it before threads start.
    Returns whether this C library could be told; elsewhere than on glibc nothing happens.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    # One arena: the others are heaps of 64 MB, which are unmapped whole when they fall empty.
    wanted = (
        (M_ARENA_MAX, 1),
        (M_MMAP_THRESHOLD, LARGEST_KEPT),
        (M_TRIM_THRESHOLD, 2**31 - 1),
    )
    return all(mallopt(parameter, value) for parameter, value in wanted)
