"""The child process that reads: what it answers, what it may not do, and how it ends."""

import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

import lora_lab
from lora_lab.apart import client
from lora_lab.apart.client import ask, end_children, pids
from lora_lab.errors import Cancelled, DataError
from tests.waiting import wait_until

JOBS = "tests.apart.jobs"
FILTERED = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")


def asked(job, data=b"", **more):
    return list(ask(f"{JOBS}:{job}", data, **more))


def pid():
    return asked("echo", parts=1)[0][0]["pid"]


def test_an_answer_comes_part_by_part_and_the_child_is_kept():
    end_children()
    answers = asked("echo", b"abc" * 10**6, parts=3)
    assert [part["number"] for part, _ in answers] == [0, 1, 2]
    assert all(data == b"abc" * 10**6 for _, data in answers)
    assert pid() == answers[0][0]["pid"]
    assert pids() == (pid(),)


def test_nothing_is_started_before_something_is_asked():
    code = "import lora_lab.data.images, lora_lab.apart.client as c; print(c.pids())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "()", done.stderr


def test_an_answer_that_is_left_costs_no_child():
    first = pid()
    for part, _ in ask(f"{JOBS}:echo", parts=10**9):
        assert part["pid"] == first
        break
    assert pid() == first


def test_what_is_refused_is_raised_and_the_child_stays():
    first = pid()
    with pytest.raises(DataError, match=r"^it is wrong$"):
        asked("refuse")
    assert pid() == first


def test_what_was_not_asked_for_is_not_kept():
    end_children()
    before = psutil.Process().memory_info().rss
    answers = ask(f"{JOBS}:flood")
    next(answers)
    wait_until(lambda: not any(map(psutil.pid_exists, pids())))  # while the first is looked at
    with pytest.raises(DataError, match="ended the process"):
        list(answers)
    assert psutil.Process().memory_info().rss - before < 200 * 2**20


def test_a_refusal_is_no_book():
    with pytest.raises(DataError) as caught:
        asked("book")
    assert len(str(caught.value)) == 2000


@pytest.mark.parametrize(
    ("job", "words", "more"),
    [
        ("segfault", "it ended the process that reads it", {}),
        ("panic", "as a panic of Rust", {}),
        ("loop", "takes too long to read", {"seconds": 0.2}),
        ("loop_in_c", "takes too long to read", {"seconds": 0.2}),
        ("fill", "takes over 100 MB", {"size": 10**4, "memory": 100 * 2**20}),
        ("answer", "takes over", {"size": 10**9, "memory": 10**8}),
    ],
)
def test_a_child_that_goes_wrong_is_one_error_and_the_next_is_new(job, words, more, monkeypatch):
    if os.name != "posix" and job in ("loop", "loop_in_c", "fill"):
        pytest.skip("Windows has no limits of a process that it may set itself")
    if sys.platform == "darwin" and job == "fill":
        pytest.skip("the limit has no effect on macOS")
    monkeypatch.setattr(client, "PATIENCE", 10**6)  # its own limit ends it, and not the wall's
    first = pid()
    with pytest.raises(DataError, match=words):
        asked(job, **more)
    assert pid() != first
    wait_until(lambda: not psutil.pid_exists(first))


@pytest.mark.skipif(not FILTERED, reason="other systems have no filter of calls here")
def test_it_writes_connects_and_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    end_children()
    old = tmp_path / "x.old"
    old.write_text("kept")
    ((part, _),) = asked("tried", path=str(tmp_path / "x"))
    assert not any(part["could"].values()), part["could"]
    assert "HF_TOKEN" not in part["environment"]
    assert old.read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["x.old"]


def test_it_may_have_threads():
    ((part, _),) = asked("threads", count=3)
    assert part["found"] == [0, 1, 2]


@pytest.mark.parametrize("job", ["wait", "loop_in_c"])
def test_whoever_waits_may_cancel(job):
    first, looks = pid(), []

    def report(what, share):
        looks.append(what)
        raise Cancelled("Opening was cancelled.")

    with pytest.raises(Cancelled):
        asked(job, seconds=60, report=report)
    assert looks == ["Reading"]
    wait_until(lambda: not psutil.pid_exists(first))


def test_threads_that_ask_have_a_child_each():
    end_children()
    found = []
    gate = threading.Barrier(2)

    def work():
        for part, _ in ask(f"{JOBS}:echo", parts=1):
            gate.wait(60)
            found.append(part["pid"])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 2


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("job", ["told_pid", "echo"])
def test_a_lab_that_is_killed_leaves_no_child(job):
    code = (
        f"from lora_lab.apart.client import ask\n"
        f"for part, _ in ask('{JOBS}:{job}', seconds=60, "
        f"{'parts=10**9' if job == 'echo' else 'path=None'}):\n"
        "    print(part['pid'], flush=True)\n    input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as lab:
        child = int(lab.stdout.readline())
        assert psutil.pid_exists(child)
        lab.kill()
    wait_until(lambda: not psutil.pid_exists(child))


def test_a_lab_that_ends_leaves_no_child():
    code = (
        f"from lora_lab.apart.client import ask, pids\n"
        f"for part, _ in ask('{JOBS}:echo', parts=9): break\nprint(*pids(), flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    child = int(done.stdout)
    wait_until(lambda: not psutil.pid_exists(child))


FOUND_BY_A_HOOK = """
import importlib.util, sys
from pathlib import Path
home = Path(HOME)
sys.path[:] = [place for place in sys.path if Path(place).resolve() != home]
spec = importlib.util.spec_from_file_location(
    "lora_lab", home / "lora_lab" / "__init__.py",
    submodule_search_locations=[str(home / "lora_lab")])
sys.modules["lora_lab"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from lora_lab.data.images import Wanted, read_image
print(read_image(Path("x.png"), Wanted(None, 3)).shape)
"""


def test_a_lab_that_is_installed_editable_finds_itself(tmp_path):
    """Its package stands in no folder of the path: a hook of the installer finds it."""
    from PIL import Image

    Image.new("RGB", (3, 2)).save(tmp_path / "x.png")
    home = str(Path(lora_lab.__file__).resolve().parents[1])
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", FOUND_BY_A_HOOK.replace("HOME", repr(home))],
        cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "(2, 3, 3)", done.stderr
