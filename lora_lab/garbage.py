"""Garbage collection where memory is short: here and now, or as a window has it done."""

import gc
from collections.abc import Callable

collect: Callable[[], object] = gc.collect
