"""What the environment says of several processes, and what only one of them may do."""

import socket

import pytest
from typer.testing import CliRunner

from lora_lab.cli import app
from lora_lab.errors import ConfigError, LabError
from lora_lab.training.parallel.group import Group
from lora_lab.training.parallel.place import Place, place_here

TWO = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1",
       "MASTER_PORT": "1"}  # fmt: skip


def environment(monkeypatch, **values):
    for name, value in {**TWO, **values}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("values", "place"),
    [({}, Place(1, 2, 1)), ({"WORLD_SIZE": "1", "RANK": "0"}, None), ({"MASTER_ADDR": ""}, None)],
)
def test_a_process_knows_its_place(monkeypatch, values, place):
    environment(monkeypatch, **values)
    assert place_here() == place


@pytest.mark.parametrize(
    ("values", "words"), [({"RANK": "two"}, "are no numbers"), ({"RANK": "2"}, "not below")]
)
def test_an_environment_that_cannot_be_is_named(monkeypatch, values, words):
    environment(monkeypatch, **values)
    with pytest.raises(ConfigError, match=words):
        place_here()


def test_each_process_has_a_device_of_its_own():
    assert [Place(n, 2, n).device("cuda") for n in range(2)] == ["cuda:0", "cuda:1"]
    assert Place(1, 2, 1).device("cpu") == "cpu"
    with pytest.raises(ConfigError, match="give cpu or cuda, not cuda:1"):
        Place(1, 2, 1).device("cuda:1")


def test_a_port_that_is_taken_is_said(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment(monkeypatch, RANK="0", MASTER_PORT=str(taken.getsockname()[1]))
        with pytest.raises(LabError, match=r"did not meet: .*Look at the address and the port"):
            Group(place_here())


@pytest.mark.parametrize(("number", "said"), [("0", True), ("1", False)])
@pytest.mark.parametrize("verb", [["sweep", "--preset", "known-rank"], ["devices"], []])
def test_other_verbs_are_for_one_process_and_the_first_says_so(monkeypatch, number, said, verb):
    environment(monkeypatch, RANK=number)
    done = CliRunner().invoke(app, verb)
    assert done.exit_code == 1
    assert ("Only train and resume run in several processes" in done.stderr) == said
    assert bool(done.stderr) == said
