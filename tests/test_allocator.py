"""Freed memory is kept where the C library can be told."""

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
x = torch.zeros(2**22)

def faults(steps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(steps):
        activations = [x + x for _ in range(8)]
        del activations
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults(3)
print(faults(30))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_memory_is_not_faulted_in_again():
    words = [sys.executable, "-c", FAULTS]
    kept, given_back = (
        int(subprocess.run([*words, how], capture_output=True, text=True, check=True).stdout)
        for how in ("keep", "default")
    )
    assert kept < 4096 < given_back  # one of the eight tensors is 4,096 pages of 4 KB


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert allocator.keep_freed_memory() is False
