"""From the window to a cluster on loopback that answers as Ray does."""

import errno
import json
from pathlib import Path

import pytest
from PySide6.QtTest import QTest

from lora_lab import paths
from lora_lab.atomic import write_file
from lora_lab.cluster.relay import told
from lora_lab.cluster.sweep import FILE
from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import State, StateRecord
from lora_lab.runs.listing import ELSEWHERE, METRICS, MIRROR, summary_of
from lora_lab.runs.metrics import line
from lora_lab.runs.queue import DONE, WAITING, Queue, items_of
from lora_lab.ui.queue import cluster_flow, follower
from lora_lab.ui.style.settings import keep, kept
from tests.cluster.fake_head import TOKEN, fake_head
from tests.cluster.over_there import pretend
from tests.ui.conftest import FakeSession
from tests.ui.seen import curve


@pytest.fixture
def head(monkeypatch):
    monkeypatch.setenv("LORA_LAB_CLUSTER_TOKEN", TOKEN)
    with fake_head() as found:
        yield found


@pytest.fixture
def flow(qtbot, window, presets, head, monkeypatch):
    """The window of clusters over a queue of two."""
    for module in (cluster_flow, follower):
        monkeypatch.setattr(module, "PATIENCE", 60.0)
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.commands.queue.trigger()
    config = changed(get_preset("known-rank").config, max_steps=10)
    window.flows.queue.runner.queue.add([config, changed(config, seed=1)])
    window.flows.queue.dialog.cluster_requested.emit()
    window.flows.cluster.dialog.address.setText(head.address)
    return window.flows.cluster


def waiting(window):
    return [item.state for item in window.flows.queue.runner.queue.items]


def send(qtbot, flow):
    """Send the queue; the sweep's name, and who follows it."""
    flow.dialog.send_button.click()
    (name,) = flow.followers
    qtbot.waitUntil(lambda: flow.dialog.answer.text() == "Sent, runs: 2")
    return name, flow.followers[name]


def shown(flow):
    return [item.state for item in flow.dialog.table.queue.rows]


def test_what_is_sent_leaves_the_queue_and_its_runs_come_back(qtbot, window, flow, head):
    head.begin = pretend  # as soon as it is there, to its end
    name, follower = send(qtbot, flow)
    assert waiting(window) == []
    qtbot.waitUntil(lambda: not follower.following)
    assert shown(flow) == [DONE, DONE]
    assert not flow.dialog.follow_button.isEnabled()
    assert not flow.dialog.send_button.isEnabled()
    window.flows.queue.runner.queue.add([follower.seen.items[0].config])
    flow.dialog.activated.emit()
    assert flow.dialog.send_button.isEnabled()
    runs = [summary_of(path) for path in paths.runs().iterdir()]
    assert [(run.step, run.best) for run in runs] == [(10, 0.25)] * 2
    assert kept(cluster_flow.FOLLOWED) == ""
    assert kept(cluster_flow.ADDRESS) == head.address
    for path in paths.user_data().rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    Queue(paths.user_data() / "sweeps" / name).close()  # nobody holds it


def test_a_sweep_is_let_go_found_again_stopped_restored_and_forgotten(qtbot, window, flow, head):
    name, follower = send(qtbot, flow)
    follower.close()  # as with the window
    assert kept(cluster_flow.FOLLOWED) == name
    flow.dialog.follow_button.click()
    qtbot.waitUntil(flow.dialog.stop_button.isEnabled)
    flow.dialog.stop_button.click()
    qtbot.waitUntil(flow.dialog.restore_button.isEnabled)
    assert [job["status"] for job in head.jobs.values()] == ["STOPPED"]
    head.begin = lambda head, id: pretend(head, id, ended=False)
    flow.dialog.restore_button.click()
    qtbot.waitUntil(lambda: any(item.run for item in flow.followers[name].seen.items))
    assert [(item.step, item.best) for item in flow.followers[name].seen.items] == [(10, 0.25)] * 2
    job = list(head.jobs)[1]
    head.jobs.clear()
    flow.followers[name].look()
    qtbot.waitUntil(lambda: not flow.followers[name].following)
    assert flow.dialog.status.text().endswith(
        f"has forgotten the job {job}; its files are in /nowhere/that/is/here there."
    )
    assert flow.dialog.restore_button.property("role") == "primary"
    assert shown(flow) == [WAITING, WAITING]


def test_a_run_of_a_cluster_is_shown_in_the_panels_as_it_comes(qtbot, window, flow, head):
    config = window.flows.queue.runner.queue.items[0].config
    rows = [json.loads(line(FakeSession(config).loaded())), {"record": "StateRecord", "step": 0,
                                                             "state": "running"}]  # fmt: skip
    head.begin = lambda head, id: pretend(head, id, ended=False, first=rows)
    follower = send(qtbot, flow)[1]
    qtbot.waitUntil(lambda: any(item.run for item in follower.seen.items))
    run = Path(follower.seen.items[0].run)
    assert summary_of(run).state == "running"
    flow.dialog.table.selectRow(0)
    flow.dialog.run_button.click()
    qtbot.waitUntil(lambda: window.sessions.folder == run and window.sessions.step == 10)
    qtbot.waitUntil(lambda: curve(window.panels[0], "validation")[0] == [10])
    assert not window.sessions.edits
    refused = []
    window.sessions.failed.connect(lambda record: refused.append(record.message))
    before = window.hyper_dock.requested.rank
    window.hyper_dock.request(rank=before + 1)
    qtbot.waitUntil(lambda: bool(refused) and window.hyper_dock.requested.rank == before)
    assert "it cannot be changed" in refused[0]
    (job,) = head.jobs
    head.logs[job] += told(item=follower.seen.items[0].id, run=f"{follower.seen.items[0].id}-0",
                           rows=[{"record": "StepRecord", "step": 11, "loss": 0.1,
                                  "learning_rate": 1e-3, "seconds": 1.1}])  # fmt: skip
    follower.look()
    qtbot.waitUntil(lambda: window.sessions.step == 11)
    follower.close()  # nobody follows: the run is no interrupted one
    assert summary_of(run).state == ELSEWHERE
    said = []
    window.notices.shown.connect(lambda notice: said.append(notice.message))
    (run / MIRROR).unlink()  # as where the cluster's folder could be seen, and was copied
    whole = run / "whole"
    whole.write_text((run / METRICS).read_text() + line(StateRecord(State.FINISHED, 11)))
    whole.replace(run / METRICS)
    qtbot.waitUntil(lambda: f"{run.name} has come back whole, and can be trained on." in said)


def checked(qtbot, flow):
    flow.dialog.check_button.click()
    qtbot.waitUntil(flow.dialog.check_button.isEnabled)
    return flow.dialog.answer.text()


def test_who_answers_is_said_and_what_cannot_be_sent_waits_here_again(
    qtbot, window, flow, head, monkeypatch
):
    head.answer = (200, {"Content-Type": "text/html"}, "<html>")
    assert "a web page" in checked(qtbot, flow)
    flow.dialog.send_button.click()
    qtbot.waitUntil(lambda: bool(waiting(window)) and flow.dialog.send_button.isEnabled())
    assert "a web page" in flow.dialog.answer.text()
    assert waiting(window) == [WAITING, WAITING]
    assert not flow.followers
    assert not list((paths.user_data() / "sweeps").iterdir())
    head.answer = None
    QTest.keyClicks(flow.dialog.token, "wrong")
    assert "refuses the token" in checked(qtbot, flow)
    flow.dialog.token.clear()
    flow.dialog.address.setText("http://127.0.0.1:1")
    assert "Nothing answers at" in checked(qtbot, flow)
    assert not head.jobs
    flow.dialog.send_button.click()
    assert waiting(window) == []
    flow.close()  # with the window, before it is known what came of it
    assert waiting(window) == [WAITING, WAITING]


def test_what_the_disk_refuses_is_neither_trained_twice_nor_lost(
    qtbot, window, flow, head, monkeypatch
):
    own, full = window.flows.queue.runner.queue.folder, [True]

    def write(path, *parts):
        if full and path.parent == own:
            raise OSError(errno.ENOSPC, "")
        write_file(path, *parts)

    monkeypatch.setattr("lora_lab.runs.queue.write_file", write)
    flow.dialog.send_button.click()
    assert waiting(window) == [WAITING, WAITING]
    assert not flow.followers
    assert not list((paths.user_data() / "sweeps").iterdir())
    full.clear()
    head.answer = (200, {"Content-Type": "text/html"}, "<html>")
    flow.dialog.send_button.click()
    full.append(True)
    qtbot.waitUntil(lambda: "a web page" in flow.dialog.answer.text())
    assert waiting(window) == []
    assert [len(items_of(path)) for path in (paths.user_data() / "sweeps").iterdir()] == [2]
    full.clear()
    flow.close()
    assert waiting(window) == [WAITING, WAITING]
    assert not list((paths.user_data() / "sweeps").iterdir())
    assert not head.jobs


def test_a_sweep_that_was_taken_back_is_not_offered(window, flow):
    said = []
    window.notices.posted.connect(lambda notice: said.append(notice.message))
    keep(cluster_flow.FOLLOWED, "20261130-120000")
    flow.find_again()
    assert not said
    folder = paths.user_data() / "sweeps" / "20261130-120000"
    folder.mkdir(parents=True)
    (folder / FILE).write_text("{}")
    flow.find_again()
    assert len(said) == 1


def test_settings_that_hold_no_number_open_the_window_all_the_same(qtbot, window):
    keep(cluster_flow.CPUS, "many")
    window.commands.queue.trigger()
    window.flows.queue.dialog.cluster_requested.emit()
    assert window.flows.cluster.dialog.cpus.value() == 1
