"""The tests of accelerators on a device that is none (stand_in.py), in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Of language models those whose path on a device is their own; the others take minutes.
TEXT = "test_text and (packed or trunk or embedding or LoftQ or GGUF or moves or generated)"


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.skipif(sys.platform != "linux", reason="torch's library is loaded as Linux has it")
@pytest.mark.parametrize(
    ("kind", "chosen"), [("cuda", "not test_text"), ("cuda", TEXT), ("mps", "not test_text")]
)
def test_every_device_path_on_a_stand_in(kind, chosen, tmp_path):
    import torch

    if torch.version.cuda or torch.version.hip or torch.backends.mps.is_built():
        pytest.skip("this build of torch has the library of a real device")
    words = [sys.executable, "-m", "tests.gpu.stand_in", kind, "-m", "gpu", "-q", "tests/gpu"]
    words += ["-p", "no:cacheprovider", f"--basetemp={tmp_path / 'there'}"]
    words += ["-k", chosen, "-o", "timeout=900"]  # another machine may have other work
    own = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
           "OMP_NUM_THREADS": "1"}  # fmt: skip
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"} | own
    done = subprocess.run(words, cwd=ROOT, env=env, text=True, capture_output=True)
    said = done.stdout[-4000:] + done.stderr[-2000:]
    assert done.returncode == 0, said
    assert " passed" in said
