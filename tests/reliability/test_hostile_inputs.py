"""No input takes more than two seconds, a hundred megabytes or the window's thread; each is refused
by name, or is none that harms and is opened."""

import gc
import re
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lora_lab.apart.client import pids
from lora_lab.errors import LabError
from tests.reliability.hostile_inputs import hostile, place_of

SECONDS, MEGABYTES, HELD = 2.0, 100, 0.1
PAGE = 90  # megabytes that a child has with its libraries
HOSTILE = hostile()
MORE = {
    "one line.jsonl": 160,  # a line of a table may have 64 megabytes, and one of a run's past 32
    **dict.fromkeys(
        ("lists of a record behind another", "a record without an end", "counts without an end"),
        200,
    ),
    "wrong targets": 120,  # pydantic names each of 100,000
}
LONGER = {"wrong targets": 0.4, "unknown settings": 0.3}  # so it does here, and holds Python


def peak(process="self"):
    """Megabytes that a process had at most since `forget`."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def forget(process="self"):
    Path(f"/proc/{process}/clear_refs").write_text("5")


@contextmanager
def heartbeat():
    """The most processor time that this process used between two turns of another thread.

    A busy machine stretches the wall's time, and not this one.
    """
    longest, stop = [0.0], threading.Event()

    def beat():
        last = time.process_time()
        while not stop.wait(0.005):
            now = time.process_time()
            longest[0], last = max(longest[0], now - last), now

    thread = threading.Thread(target=beat)
    thread.start()
    yield longest
    stop.set()
    thread.join()


@pytest.fixture(scope="module", autouse=True)
def libraries(tmp_path_factory):
    """What a first opening loads is not the file's to answer for."""
    folder = tmp_path_factory.mktemp("first")
    for name in ("labels", "loops of a template", "100 MP.png", "run lengths.parquet"):
        path = place_of(name, folder)
        HOSTILE[name].write(path)
        with pytest.raises(LabError):
            HOSTILE[name].open(path)
    gc.collect()
    gc.freeze()  # as the window does: garbage collection through libraries holds every thread up
    yield
    gc.unfreeze()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.oracle) if case.needs else name
     for name, case in HOSTILE.items()],
)  # fmt: skip
def test_it_costs_little_and_is_refused_by_name(tmp_path, name):
    case, path = HOSTILE[name], place_of(name, tmp_path / "in")
    if case.needs:
        pytest.importorskip(case.needs, reason="an extra installs it")
    case.write(path)
    linux = sys.platform == "linux"
    if linux:
        forget()
    before, began = psutil.Process().memory_info().rss / 2**20, time.process_time()
    said = ""
    with heartbeat() as held:
        try:
            case.open(path)
        except LabError as error:
            said = str(error)
    took = time.process_time() - began
    assert bool(said) == bool(case.words), said or "it was opened"
    assert re.search(case.words, said)
    assert said.isprintable()
    assert took < SECONDS
    assert held[0] < LONGER.get(name, HELD)
    if linux:
        assert peak() - before < MORE.get(name, MEGABYTES)
        assert all(peak(pid) < PAGE + MEGABYTES for pid in pids())


@pytest.mark.parametrize("name", ["loops of a template", "run lengths.parquet", "100 MP.png"])
def test_what_comes_after_it_is_read(tmp_path, name):
    from tests.data.test_arrow_file import read_table_of_one_row
    from tests.models.tiny import save

    path = place_of(name, tmp_path / "in")
    HOSTILE[name].write(path)
    with pytest.raises(LabError):
        HOSTILE[name].open(path)
    read_table_of_one_row(tmp_path)
    save(tmp_path / "model", "llama", chat=True)
    assert HOSTILE["layers"].open(tmp_path / "model").module.config.num_hidden_layers == 2
