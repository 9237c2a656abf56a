"""Whether a cluster would train our runs, as a small job there says."""

import json

import pytest

from lora_lab import __version__ as here
from lora_lab.cluster.checking import COMMAND, check
from lora_lab.cluster.jobs import Cluster
from lora_lab.errors import Cancelled, LabError


def nothing():
    """Nobody cancels."""


def ends(log, status="FAILED", message="exit 137"):
    def begin(head, id):
        head.logs[id] = log
        head.end(id, status, message)

    return begin


def test_the_same_lab_there(head):
    head.begin = ends(f"words of Ray\nthe lab there is {here}\n", "SUCCEEDED")
    assert check(Cluster(head.address), nothing) == "2.60.0"
    (job,) = head.jobs.values()
    assert job["asked"]["entrypoint"] == COMMAND
    assert json.dumps(job).count("Bearer") == 0


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("the lab there is 0.0.7\n", rf"has lora-lab 0\.0\.7, and {here} asks"),
        ("ModuleNotFoundError: No module named 'lora_lab'\n", "has no lora_lab"),
        ("ModuleNotFoundError: No module named 'ray'\n", "has no ray"),
        ("Killed\n", "a job there ends early: exit 137"),
    ],
)
def test_what_a_job_would_meet(head, log, words):
    head.begin = ends(log)
    with pytest.raises(LabError, match=words):
        check(Cluster(head.address), nothing)


def test_a_job_that_does_not_begin_and_one_who_does_not_wait(head, monkeypatch):
    def cancel():
        raise Cancelled("")

    with pytest.raises(Cancelled):
        check(Cluster(head.address), cancel)
    monkeypatch.setattr("lora_lab.cluster.checking.PATIENCE", 0.0)
    monkeypatch.setattr("lora_lab.cluster.checking.LOOK", 0.0)
    with pytest.raises(LabError, match="lets us in, and has not come to a small job"):
        check(Cluster(head.address), nothing)
    assert [job["status"] for job in head.jobs.values()] == ["RUNNING", "STOPPED"]
