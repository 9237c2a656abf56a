"""The verb sweep on a cluster: what is said, what is refused, and letting go and coming back."""

import json
import signal

import pytest
from typer.testing import CliRunner

from lora_lab.cli import app
from lora_lab.cluster.sweep import ClusterSweep
from tests.cluster.fake_head import TOKEN, fake_head
from tests.cluster.over_there import work


@pytest.fixture
def head(monkeypatch):
    monkeypatch.setenv("LORA_LAB_CLUSTER_TOKEN", TOKEN)
    with fake_head() as found:
        yield found


def sweep(*arguments):
    return CliRunner().invoke(app, ["sweep", *(str(a) for a in arguments)])


def known_rank(*arguments):
    return sweep("--preset", "known-rank", "--steps", 20, *arguments)


def test_the_table_is_that_of_a_sweep_here(head, home):
    head.begin = work
    done = known_rank("--rank", "1,2", "--json", "--cluster", head.address)
    assert done.exit_code == 0, done.output
    there = json.loads(done.stdout)
    here = json.loads(known_rank("--rank", "1,2", "--json").stdout)
    for one, other in zip(there, here, strict=True):
        assert one.pop("run") != other.pop("run")
        assert one.pop("seconds") >= 0 <= other.pop("seconds")
        assert one == other


def test_what_was_let_go_is_shown_again_by_its_name(head, home, monkeypatch):
    polled = ClusterSweep.poll

    def interrupted(self):
        polled(self)
        signal.raise_signal(signal.SIGINT)

    head.begin = lambda head, id: work(head, id, validations=1)
    with monkeypatch.context() as patched:
        patched.setattr(ClusterSweep, "poll", interrupted)
        first = known_rank("--rank", "1,2", "--json", "--cluster", head.address)
    (folder,) = (home / "sweeps").iterdir()
    assert first.exit_code == 128 + signal.SIGINT
    assert f"it continues there; lora-lab sweep --continue {folder} shows it again" in first.stderr
    (job,) = head.jobs
    work(head, job)
    rest = sweep("--continue", folder.name, "--json")
    assert rest.exit_code == 0, rest.output
    assert [(row["state"], row["steps"]) for row in json.loads(rest.stdout)] == [("done", 20)] * 2


def test_a_stop_and_a_restore(head, home):
    head.begin = lambda head, id: (work(head, id, validations=1), head.end(id, "STOPPED"))
    first = known_rank("--rank", "1,2", "--json", "--cluster", head.address)
    assert first.exit_code == 0, first.output  # somebody stopped it there
    assert [row["state"] for row in json.loads(first.stdout)] == ["waiting"] * 2
    (folder,) = (home / "sweeps").iterdir()
    head.begin = work
    rest = sweep("--continue", folder.name, "--restore", "--json")
    assert rest.exit_code == 0, rest.output
    assert [row["state"] for row in json.loads(rest.stdout)] == ["done"] * 2
    assert len(head.jobs) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--cluster", "here"), "such as http://HEAD:8265"),
        (("--cluster", "http://127.0.0.1:1"), "Nothing answers at http://127.0.0.1:1"),
        (("--cluster", "http://127.0.0.1:1", "--storage", "x"), "whole path"),
        (("--cluster", "http://127.0.0.1:1", "--search", "tpe"), "To a cluster goes a grid"),
        (("--stop",), "name it with --continue"),
        (("--restore",), "name it with --continue"),
    ],
)
def test_what_cannot_be_sent_leaves_nothing_behind(home, arguments, words):
    done = known_rank("--rank", "1,2", *arguments)
    assert done.exit_code == 1
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (home / "sweeps").exists()


def test_stop_and_restore_at_once_and_a_sweep_of_here(head, home, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda *_: "20261130-120000")
    assert known_rank("--rank", "1,2").exit_code == 0
    (folder,) = (home / "sweeps").iterdir()
    done = sweep("--continue", folder, "--cluster", head.address)
    assert "was begun here" in done.stderr
    head.begin = work
    known_rank("--rank", "1,2", "--cluster", head.address)
    (other,) = set((home / "sweeps").iterdir()) - {folder}
    done = sweep("--continue", other.name, "--stop", "--restore")
    assert "say one of them" in done.stderr


def test_a_model_that_is_only_over_there_is_not_opened_here(head, home):
    head.begin = lambda head, id: head.end(id, "FAILED", "exit code 1")
    done = sweep("--task", "causal-lm", "--model", "/models/over/there", "--data", "/rows.jsonl",
                 "--rank", "1,2", "--cluster", head.address, "--json")  # fmt: skip
    assert "Layers and ranks are not checked beforehand" in done.stderr
    assert len(head.jobs) == 1
    assert (done.exit_code, "ended early: exit code 1" in done.stderr) == (1, True)


def test_the_token_goes_to_no_address_that_a_strangers_folder_names(head, home, tmp_path):
    head.begin = lambda head, id: head.end(id, "STOPPED")
    known_rank("--rank", "1,2", "--cluster", head.address)
    (folder,) = (home / "sweeps").iterdir()
    strange = folder.rename(tmp_path / "from-elsewhere")
    head.asked.clear()
    done = sweep("--continue", strange)
    assert done.exit_code == 1
    assert f"Say --cluster {head.address} where your token may be sent" in done.stderr
    assert head.asked == []
    assert sweep("--continue", strange, "--cluster", head.address).exit_code == 0


def test_a_sweep_that_has_ended_needs_no_cluster(head, home):
    head.begin = work
    known_rank("--rank", "1,2", "--cluster", head.address)
    (folder,) = (home / "sweeps").iterdir()
    head.answer = (404, {}, "")
    done = sweep("--continue", folder.name, "--json")
    assert [row["state"] for row in json.loads(done.stdout)] == ["done"] * 2


def test_one_that_is_sent_and_left_alone_is_shown_by_its_name(head, home):
    done = known_rank("--rank", "1,2", "--json", "--detach", "--cluster", head.address)
    assert done.exit_code == 0, done.output
    assert [row["state"] for row in json.loads(done.stdout)] == ["waiting"] * 2
    assert [job["status"] for job in head.jobs.values()] == ["RUNNING"]
    (folder,) = (home / "sweeps").iterdir()
    assert f"lora-lab sweep --continue {folder.name} shows it" in done.stderr
    for arguments in (("--rank", "1", "--detach"), ("--continue", folder.name, "--detach")):
        assert "--detach is of a sweep that is sent to a --cluster" in known_rank(*arguments).stderr
