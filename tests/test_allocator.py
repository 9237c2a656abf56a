"""Freed memory is kept where the C library can be told."""

import os
import platform
import subprocess
import sys

import pytest

from lora_lab import allocator

FAULTS = """
import resource, sys
from lora_lab.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
import torch

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    activations = [torch.zeros(2**k) for k in (18, 20, 22, 21, 19)]  # 1 to 16 MB
    activations = [x * x for x in activations for _ in range(2)]
    del activations
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

# The heap grows a few times until the holes fit: the median of the steps is what a step costs.
print(sorted(faults() for _ in range(31))[15])
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_memory_is_not_faulted_in_again():
    words = [sys.executable, "-c", FAULTS]
    # What malloc does of its own accord goes by what it met before; here it gives all back.
    lean = {"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}
    settings = {"env": {**os.environ, **lean}, "capture_output": True, "text": True, "check": True}
    kept, given_back = (
        int(subprocess.run([*words, how], **settings).stdout) for how in ("keep", "default")
    )
    assert kept < 100 < 1000 < given_back  # pages of 4 KB in one step


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert allocator.keep_freed_memory() is False
