"""Somebody's own code runs only when it is built, and what fails in it is said."""

import sys

import pytest
import torch

from lora_lab.errors import CheckpointError, ConfigError
from lora_lab.models.factory import agree, build, describe_factory, is_agreed

CODE = """
from pathlib import Path
Path("ran").write_text("yes")
from torch import nn
def make():
    return nn.Sequential(nn.Linear(3, 2), nn.Tanh())
def fail():
    raise RuntimeError("no disk")
def text():
    return "net"
"""


@pytest.fixture
def code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_net_of_a_test.py").write_text(CODE)
    package = tmp_path / "own_package_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "nets.py").write_text(CODE)
    yield tmp_path
    sys.modules.pop("own_net_of_a_test", None)


STATE = {"0.weight": torch.ones(2, 3), "0.bias": torch.zeros(2)}


@pytest.mark.parametrize("factory", ["own_net_of_a_test:make", "own_package_of_a_test.nets:make"])
def test_describing_runs_nothing(code, factory):
    assert str(code) in describe_factory(factory)
    assert not (code / "ran").exists()


def test_nobody_agreed_so_nothing_runs(code, tmp_path_factory, monkeypatch):
    """To one function of one file, and to nothing else of that name or in that file."""
    factory = "own_net_of_a_test:make"
    for name in (factory, "own_package_of_a_test.nets:make"):
        with pytest.raises(ConfigError, match="Nobody agreed"):
            build(name, STATE, "net.pt")
    agree(factory)
    assert is_agreed(factory)
    for other in ("own_net_of_a_test:fail", "own_package_of_a_test.nets:make"):
        with pytest.raises(ConfigError, match="Nobody agreed"):
            build(other, STATE, "net.pt")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "own_net_of_a_test.py").write_text(CODE)
    monkeypatch.chdir(elsewhere)
    with pytest.raises(ConfigError, match="Nobody agreed"):
        build(factory, STATE, "net.pt")
    assert not (code / "ran").exists()
    assert not (elsewhere / "ran").exists()


def test_the_net_has_the_weights(code):
    agree("own_net_of_a_test:make")
    net, new, note = build("own_net_of_a_test:make", STATE, "net.pt")
    assert (new, note) == ((), "")
    assert torch.equal(net(torch.ones(1, 3)), torch.tanh(torch.full((1, 2), 3.0)))
    assert (code / "ran").exists()
    assert str(code) not in sys.path


def agreed(factory):
    agree(factory)
    build(factory, STATE, "net.pt")


WRONG = ["make", "a b:make", "own_net_of_a_test:", "../x:make", "os.system('x'):f", ""]


@pytest.mark.parametrize("factory", WRONG)
def test_what_is_no_name_is_refused(code, factory):
    with pytest.raises(ConfigError, match="module:function"):
        describe_factory(factory)


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("own_net_of_a_test:fail", "RuntimeError: no disk"),
        ("own_net_of_a_test:text", "returned a str"),
        ("own_net_of_a_test:missing", "missing"),
        ("no_module_of_a_test:make", "no_module_of_a_test"),
    ],
)
def test_code_that_fails_says_how(code, factory, reason):
    with pytest.raises(ConfigError, match=reason):
        agreed(factory)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"0.weight": torch.ones(2, 3)}, r"no 0\.bias"),
        ({**STATE, "1.weight": torch.ones(1)}, r"no 1\.weight"),
        ({**STATE, "0.weight": torch.ones(2, 4)}, r"0\.weight is \(2, 4\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(code, state, reason):
    agree("own_net_of_a_test:make")
    with pytest.raises(CheckpointError, match=reason):
        build("own_net_of_a_test:make", state, "net.pt")


def test_a_module_that_is_nowhere_is_said(code):
    with pytest.raises(ConfigError, match="There is no module"):
        describe_factory("no_module_of_a_test:make")
