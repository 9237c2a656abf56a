"""What every test stands on: no display, a home of its own, seeds, and no thread left behind."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # each has its own share of the cores
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))

import gc
import itertools
import threading

import pytest
from pytestqt.qtbot import QtBot

if os.environ.get("LORA_LAB_VISION"):  # a folder with torchvision and timm, for the mark vision
    from tests.models.vision import add

    add()


PATIENCE = 60_000  # ms that a window test waits at least for its condition, on a busy machine


class PatientBot(QtBot):
    """Waits for what comes, however long a machine with other work takes for it."""

    def waitUntil(self, callback, *, timeout=PATIENCE):
        super().waitUntil(callback, timeout=max(timeout, PATIENCE))

    def waitSignal(self, signal, *, timeout=PATIENCE, **more):
        return super().waitSignal(signal, timeout=max(timeout, PATIENCE), **more)

    def waitSignals(self, signals, *, timeout=PATIENCE, **more):
        return super().waitSignals(signals, timeout=max(timeout, PATIENCE), **more)


@pytest.fixture
def qtbot(qapp, request):
    return PatientBot(request)


@pytest.fixture(autouse=True)
def garbage_waits(request):
    """No garbage collection within a window test: ui/shell/garbage.py says why."""
    collects = gc.isenabled()
    if "qapp" in request.fixturenames:
        gc.disable()
    yield
    if collects:
        gc.enable()


NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """User data of the test alone, at a place that is there when something is written to it."""
    place = tmp_path_factory.getbasetemp() / f"home{next(NUMBERS)}"
    monkeypatch.setenv("LORA_LAB_HOME", str(place))
    return place


MANY = 100_000  # objects; a collection of them takes some hundredths of a second


@pytest.fixture(autouse=True, scope="module")
def libraries_are_collected_once():
    """What earlier modules imported stays: a garbage collection, in the middle of a test that
    counts its seconds, would go through all of it, again and again."""
    if len(gc.get_objects()) > MANY:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def may_sleep(monkeypatch):
    """No run of a test is long enough to keep the machine awake for."""
    monkeypatch.setattr("lora_lab.awake.AFTER", 1e6)


@pytest.fixture
def room():
    """A function after which no file of this process grows beyond so many bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(autouse=True)
def no_thread_left_behind():
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and t.is_alive()]
    lab = [t.name for t in left if t.name.startswith("lora-lab")]
    assert not lab, f"threads left running: {lab}"


@pytest.fixture
def grown(tmp_path, monkeypatch):
    """The lab with one more of everything that is said to be a file and a line (tests/grown.py)."""
    from tests.grown import grow

    shrink = grow(monkeypatch, tmp_path)
    yield tmp_path
    shrink()
