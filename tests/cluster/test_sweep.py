"""A sweep on a cluster that answers as Ray does: sent, followed, let go, stopped, restored."""

import base64
import json
import os
import string
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from lora_lab import paths
from lora_lab.cluster.driver import main
from lora_lab.cluster.jobs import Cluster
from lora_lab.cluster.mirror import Mirror
from lora_lab.cluster.order import VARIABLE, Order
from lora_lab.cluster.relay import told
from lora_lab.cluster.sent import taken_aside
from lora_lab.cluster.sweep import FILE, ClusterSweep, where
from lora_lab.config import changed
from lora_lab.errors import ConfigError, LabError
from lora_lab.presets import get_preset
from lora_lab.runs.listing import list_runs, summary_of
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.queue import DONE, FAILED, WAITING, Queue, items_of
from tests.cluster.fake_head import TOKEN
from tests.cluster.over_there import order_of, work


def config(**values):
    return changed(get_preset("known-rank").config, max_steps=40, eval_steps=10, **values)


@pytest.fixture
def queue(tmp_path):
    found = Queue(tmp_path / "sweep-1")
    found.add([config(), config(seed=1)])
    yield found
    found.close()


@pytest.fixture
def sweep(head, queue, tmp_path):
    found = ClusterSweep.send(queue, Cluster(head.address), storage=str(tmp_path / "over"))
    yield found
    found.close()


def losses(path):
    """Of a run's validations, by step."""
    rows = read_metrics(path / "metrics.jsonl")
    return {r["step"]: r["loss"] for r in rows if r["record"] == "EvalRecord" and r["enabled"]}


def over_there(head, sweep, number):
    order = order_of(head, sweep.job)
    return order.place / "runs" / f"{order.runs[number][0]}-0"


def test_runs_stand_here_as_those_of_a_sweep_that_trained_here(head, queue, sweep):
    work(head, sweep.job)
    sweep.poll()
    assert sweep.ended
    for number, item in enumerate(queue.items):
        there = over_there(head, sweep, number)
        run = summary_of(Path(item.run))
        assert (item.state, item.step, item.parameters > 0) == (DONE, 40, True)
        assert (run.state, run.step, run.max_steps) == ("finished", 40, 40)
        assert losses(there) == losses(Path(item.run))
        assert list(losses(there)) == [0, 10, 20, 30, 40]
        assert (Path(item.run) / "adapter").is_dir()  # the folder could be seen


def test_rows_come_once_whoever_looks_and_how_often(head, queue, sweep, tmp_path):
    work(head, sweep.job, place="/nowhere/that/is/here")
    whole = head.logs[sweep.job]
    for end in (3, len(whole) // 3, 2 * len(whole) // 3):  # in the middle of lines
        head.logs[sweep.job] = whole[:end]
        head.end(sweep.job, "RUNNING")
        sweep.poll()
    sweep.close()
    again = ClusterSweep.attach(queue, where(queue.folder), Cluster(head.address))  # a new window
    head.logs[sweep.job] = whole
    head.end(sweep.job, "SUCCEEDED")
    again.poll()
    assert again.ended
    for number, item in enumerate(queue.items):
        there = over_there(head, sweep, number)
        here = read_metrics(Path(item.run) / "metrics.jsonl")
        wanted = read_metrics(there / "metrics.jsonl")
        kinds = {"StepRecord", "EvalRecord", "StateRecord", "LoadedRecord"}
        for kind in kinds:
            assert [r for r in here if r["record"] == kind] == [
                r for r in wanted if r["record"] == kind
            ]
        known = summary_of(Path(item.run))
        assert "its checkpoints and adapter are in /nowhere" in known.note
        assert known.label.startswith("r ")


def test_a_log_that_is_full_is_said(head, queue, sweep):
    work(head, sweep.job, validations=1)
    sweep.poll()
    assert "full" not in sweep.words
    head.logs[sweep.job] += '@lora-lab {"capped":"/over/there"}\n'
    sweep.poll()
    assert "log is full: what is new stands on the cluster alone" in sweep.words


def test_a_job_that_is_forgotten_is_restored_from_its_files(head, queue, sweep):
    work(head, sweep.job, validations=2)  # and then the head dies
    sweep.poll()
    job = sweep.job
    del head.jobs[job]
    with pytest.raises(LabError, match=rf"has forgotten the job {job}; its files are in .*over.*"
                                       r"--continue .*sweep-1 --restore"):  # fmt: skip
        sweep.poll()
    sweep.restore()
    work(head, sweep.job)
    sweep.poll()
    assert [item.state for item in queue.items] == [DONE, DONE]
    rows = read_metrics(over_there(head, sweep, 0) / "metrics.jsonl")
    assert [r["step"] for r in rows if r["record"] == "ResumedRecord"] != []
    assert losses(over_there(head, sweep, 0)) == losses(Path(queue.items[0].run))


def test_a_stop_is_no_failure_and_a_restore_has_another_id(head, queue, sweep):
    work(head, sweep.job, validations=1)
    sweep.poll()
    with pytest.raises(LabError, match="still at work"):
        sweep.restore()
    sweep.stop()
    sweep.poll()
    assert sweep.ended
    assert [item.state for item in queue.items] == [WAITING, WAITING]
    first = sweep.job
    sweep.restore()
    assert sweep.job != first
    assert head.jobs[sweep.job]["status"] == "RUNNING"


@pytest.mark.parametrize(
    ("log", "message", "words"),
    [
        ("ModuleNotFoundError: No module named 'lora_lab'\n", "exit code 1", "has no lora_lab"),
        ("ModuleNotFoundError: No module named 'ray'\n", "exit code 1", "has no ray"),
        ("", "Job entrypoint command failed with exit code 137\nmore", "exit code 137. To go on"),
        ("", "Job entrypoint command failed with exit code -9, last available logs (truncated to "
         "20,000 chars):\nmore", "exit code -9. To go on"),
        ('@lora-lab {"refused":"another lab"}\n', "exit code 1", "^another lab$"),
        ("@lora-lab {\n@lora-lab []\n@lora-lab {\"item\":3,\"rows\":5}\n", "x", "ended early: x"),
    ],
)  # fmt: skip
def test_a_job_that_fails_is_one_message(head, queue, sweep, log, message, words):
    head.logs[sweep.job] = log
    head.end(sweep.job, "FAILED", message)
    with pytest.raises(LabError, match=words):
        sweep.poll()


def test_a_head_that_is_gone_for_a_while_is_asked_again(head, queue, sweep):
    head.answer = (503, {}, "")
    sweep.poll()
    assert "Asking again" in sweep.words
    assert not sweep.ended
    head.answer = None
    work(head, sweep.job)
    sweep.poll()
    assert sweep.ended


def test_the_token_is_in_no_file(head, queue, sweep, tmp_path, home):
    work(head, sweep.job)
    sweep.poll()
    found = [*tmp_path.rglob("*"), *home.rglob("*")]
    files = [path for path in found if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
    assert TOKEN not in json.dumps(head.jobs)
    assert (queue.folder / FILE).stat().st_size


def test_another_lab_and_another_sweep_of_a_name_are_refused_there(
    head, sweep, monkeypatch, capsys
):
    order = order_of(head, sweep.job)
    monkeypatch.setenv(VARIABLE, replace(order, version="0.0.7").written())
    assert main() == 1
    assert "The cluster has lora-lab " in capsys.readouterr().out
    work(head, sweep.job, validations=1)
    monkeypatch.setenv(VARIABLE, replace(order, cpus=2).written())
    assert main() == 1
    assert "holds another sweep of this name" in capsys.readouterr().out
    monkeypatch.setenv(VARIABLE, "no order")
    assert main() == 1
    assert "holds no order" in capsys.readouterr().out


def test_a_run_that_cannot_be_opened_fails_with_its_reason(head, queue, sweep, tmp_path):
    job = sweep.job
    order = order_of(head, job)
    runs = tuple((id, changed(c, targets=("nowhere",))) for id, c in order.runs)
    broken = replace(order, runs=runs)
    head.jobs[job]["asked"]["runtime_env"]["env_vars"][VARIABLE] = broken.written()
    work(head, job)
    sweep.poll()
    assert {item.state for item in queue.items} == {FAILED}
    assert "nowhere" in queue.items[0].message


def test_ray_replaces_nothing_in_an_order(monkeypatch):
    # as its workers do with $NAME and ${NAME} in whatever a variable is to hold
    for name in (*string.ascii_letters, "_", *string.digits):
        monkeypatch.setenv(name, "/somewhere/else")
    order = Order("s", tuple((f"{n}", config(seed=n * 7919**3)) for n in range(60)))
    text = order.written()
    assert os.path.expandvars(text) == text
    assert "$" not in text
    assert Order.read(text) == order


@pytest.mark.parametrize(
    ("data", "words"),
    [(b'{"runs":[' + b"[]," * 2**23, "grows to over"), (b"[" * 100_000, "nested too deeply"),
     (b"\xff", "UTF-8")],
    ids=["bomb", "deep", "bytes"],
)  # fmt: skip
def test_what_is_no_order_is_refused(data, words):
    with pytest.raises(LabError, match=words):
        Order.read(base64.urlsafe_b64encode(zlib.compress(data)).decode())


LIES = [
    {"record": "StepRecord", "step": -1}, {"record": "StepRecord", "step": 10**18},
    {"record": "StepRecord", "step": True}, {"record": "StepRecord", "step": 1, "loss": "low"},
    {"record": "ResumedRecord", "step": -3}, {"record": "LoadedRecord", "goal": -5},
    {"record": "LoadedRecord", "goal": 10**18}, {"record": "CountsRecord", "adapter": True},
    {"record": "NewerRecord", "step": -1}, [], None,
]  # fmt: skip


@pytest.mark.parametrize("row", LIES, ids=str)
@pytest.mark.parametrize("ended", [False, True])
def test_what_a_cluster_tells_makes_no_queue_unreadable(queue, tmp_path, monkeypatch, row, ended):
    """What no run records is passed over; what is written here can be read here again."""
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    item, other = queue.items
    mirror = Mirror(queue, "sweep", "http://head")
    log = told(item=item.id, run="r-0", rows=[row])
    if ended:
        log += told(item=item.id, run="r-0", state="done", message="", summary={"step": 3})
    mirror.take(log)
    queue.note(other.id, state=FAILED, message="x")
    mirror.close()
    assert items_of(queue.folder) == queue.items
    assert not list_runs(paths.runs())[0].flaw


def test_an_order_of_an_earlier_lab_is_read():
    order = Order("s", (("a", config()),))
    packed = base64.urlsafe_b64decode(order.written())
    assert Order.read(base64.b85encode(packed).decode()) == order


def test_orders_that_cannot_be_sent(tmp_path):
    long = tuple((f"{n}", config(prompts=(f"{n * 7919**40}" * 5,))) for n in range(900))
    with pytest.raises(LabError, match="Send fewer"):
        Order("s", long).written()
    queue = Queue(tmp_path / "sweep-2")
    queue.add([config(device="cuda:1")])
    for storage, words in (("here", "whole path"), ("", "Ray chooses the GPU")):
        with pytest.raises(ConfigError, match=words):
            ClusterSweep.send(queue, Cluster("http://127.0.0.1:1", ""), storage)
    queue.close()


def test_what_is_taken_back_cannot_be_sent_any_more(head, queue):
    aside = taken_aside(queue.folder)
    assert [len(items_of(aside)), queue.folder.exists()] == [2, False]
    with pytest.raises(LabError, match="was not written"):  # as on a thread that was late
        ClusterSweep.send(queue, Cluster(head.address))
    assert not head.jobs
    aside.rename(queue.folder)
    ClusterSweep.send(queue, Cluster(head.address)).close()
    assert taken_aside(queue.folder) is None
    assert where(queue.folder) is not None
