"""A few forms of files, each thing in them grown: none costs more than it holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("growth_campaign.py")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform != "linux", reason="its measures are Linux's")
@pytest.mark.parametrize("form", ["run label", "adapter config", "model config"])
def test_nothing_grows_out_of_hand(form):
    told = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--form", form, "--size", "300000"],
        capture_output=True, text=True, timeout=280, env=told, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{form}: " in done.stdout
