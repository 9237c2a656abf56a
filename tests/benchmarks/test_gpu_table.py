"""The table of an accelerator on a tiny model of the CPU: each row has figures or says why not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHERE_IT_IS = {"trl", "unsloth", "peft, bitsandbytes' 4 bits", "lab, CUDA graphs, padded"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_row_has_figures_or_a_reason(tmp_path):
    words = [sys.executable, "tests/benchmarks/gpu_table.py", "--device", "cpu", "--tiny"]
    words += ["--shapes", "135M", "--rounds", "2", "--json", str(tmp_path / "rows.json")]
    own = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **own}, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    whole = json.loads((tmp_path / "rows.json").read_text())
    assert whole == json.loads(done.stdout.splitlines()[-1])
    assert len(whole["rows"]) == 14
    for row in whole["rows"]:
        assert row["step_ms"] is not None or row["name"] in WHERE_IT_IS, row
        assert row["step_ms"] is not None or row["note"], row
        assert not row["note"].startswith("failed") or row["name"] in WHERE_IT_IS, row
        assert f"| {row['name']} |" in done.stdout
    notes = {row["name"]: row["note"] for row in whole["rows"]}
    assert "1 graphs, 0 breaks; ranks 12 made 1 new ones" in notes["lab, compiled"]
    assert "1 graphs, 0 breaks; ranks 12 made 0 new ones" in notes["lab, compiled, padded"]
