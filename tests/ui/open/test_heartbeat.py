"""The window's own timer is never late for long, whatever is opened meanwhile."""

import gc
import sys

import pytest
from PySide6.QtCore import QObject

from lora_lab.config import RunConfig
from lora_lab.training.opening import New
from lora_lab.ui.app import SWITCH_INTERVAL, new_session
from lora_lab.ui.bench.dialog import BenchDialog
from lora_lab.ui.open.reader import ModelReader
from lora_lab.ui.session.sessions import Sessions
from tests.reliability.hostile_inputs import hostile, place_of
from tests.ui.heart import LATE, TRIES, Heart

HOSTILE = hostile()
CHAT = '{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n'


@pytest.fixture(scope="module", autouse=True)
def libraries():
    """They are loaded; threads take turns and garbage is collected as in the lab."""
    import transformers.modeling_utils  # noqa: F401

    gc.collect()
    gc.freeze()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    yield
    sys.setswitchinterval(interval)
    gc.unfreeze()


@pytest.fixture
def owner(qtbot):
    return QObject()


def looked_at(qtbot, owner, path):
    reader = ModelReader(owner)
    with qtbot.waitSignal(reader.ended, timeout=60_000):
        reader.open(str(path))
    reader.finish()


def on_the_bench(qtbot, owner, path):
    bench = BenchDialog()
    qtbot.addWidget(bench)
    bench.page.load(str(path))
    qtbot.waitUntil(lambda: path.name in bench.page.source.message.text(), timeout=60_000)
    bench.finish()


def trained_on(qtbot, owner, path):
    """Its folder, or the rows, as what is to be trained: refused, and nothing is shown."""
    rows = path.parent / "rows.jsonl"
    rows.write_text(CHAT * 20)
    if path.is_dir():
        config = RunConfig(preset="text", task="causal_lm", model=str(path), data=str(rows))
    else:
        from tests.models.tiny import save

        save(path.parent / "model", "llama", chat=True)
        config = RunConfig(
            preset="text", task="causal_lm", model=str(path.parent / "model"), data=str(path)
        )
    sessions = Sessions(new_session)
    failed = []
    sessions.failed.connect(failed.append)
    with qtbot.waitSignal(sessions.opening_failed, timeout=60_000):
        sessions.open(New(config))
    assert failed
    assert sessions.finish()


NASTY = {
    "tuples.pt": looked_at,
    "tensor of no bytes.pt": looked_at,
    "words.gguf": looked_at,
    "overlap.gguf": looked_at,
    "rows.csv": on_the_bench,
    "brackets.csv": on_the_bench,
    "a number.csv": on_the_bench,
    "100 MP.png on the bench": on_the_bench,
    "layers": trained_on,
    "loops of a template": trained_on,
    "run lengths.parquet": trained_on,
    "one line.jsonl": trained_on,
}


@pytest.mark.parametrize("name", NASTY)
def test_the_window_takes_its_turns(qtbot, owner, tmp_path, name):
    latest = []
    for number in range(TRIES):
        path = place_of(name, tmp_path / f"in {number}")
        HOSTILE[name].write(path)
        heart = Heart()
        NASTY[name](qtbot, owner, path)
        heart.timer.stop()
        latest.append(heart.latest)
        if heart.latest < LATE:
            return
    pytest.fail(f"late by {min(latest):.2f} s each time")
