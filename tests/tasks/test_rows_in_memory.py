"""A file of ten times the rows takes no more memory than an index of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.tiny import save

OPEN = """
import sys
from lora_lab.config import RunConfig
from lora_lab.models.tokenizer_file import open_tokenizer
from lora_lab.tasks import TASKS
def status(key):
    return next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith(key)) * 1024
for data in sys.argv[2:]:  # the first warms everything up
    before = status("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    task = TASKS["causal_lm"].open(RunConfig(task="causal_lm", model=sys.argv[1], data=data,
                                             validation=0.05))
    print(task.rows, status("VmHWM") - before)
    batches = task.batches(8, 0)
    [next(batches) for _ in range(100)]
    del task, batches
"""
PER_ROW = 400  # bytes: the index, and its order once more; a row of tokens by itself has over 2,500
HELD = 48 * 2**20  # bytes of tokens that are in memory until they go to the disk, and blocks


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="memory is read from /proc")
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_ten_times_the_rows_take_no_more_than_their_index(tmp_path, packed):
    import gzip

    save(tmp_path / "model", "llama")
    sizes = {"warm": 2000, "few": 15_000, "many": 150_000}
    paths = [tmp_path / f"{name}.jsonl{packed}" for name in sizes]
    text = "the film is good and it is a bad film and " * 6
    for path, count in zip(paths, sizes.values(), strict=True):
        with (gzip.open if packed else open)(path, "wt") as file:
            for i in range(count):
                file.write(json.dumps({"text": f"{text}{i}"}) + "\n")
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(tmp_path / "model"), *map(str, paths)],
        capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    rows, memory = zip(*(map(int, line.split()) for line in done.stdout.splitlines()), strict=True)
    assert rows[2] == round(0.95 * sizes["many"])
    assert memory[2] < memory[1] + PER_ROW * sizes["many"] + HELD, memory
