"""The job on the cluster, with a Tune that has lost a part of its state or all of it."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from lora_lab.cluster.driver import TUNE, main
from lora_lab.cluster.order import VARIABLE, Order
from lora_lab.cluster.relay import MARK
from lora_lab.cluster.trial import DONE, outcome_of
from lora_lab.config import changed
from lora_lab.presets import get_preset


class Tuner:
    """Trains its runs one after another, as Tune does where there is one core."""

    kept = ()  # runs that its state knows of when it is restored; None: it cannot be read

    def __init__(self, kind, param_space, **_):
        self.kind, self.ids = kind, param_space["item"]

    @staticmethod
    def can_restore(path):
        return Path(path).is_dir()

    @classmethod
    def restore(cls, path, kind, **_):
        if cls.kept is None:
            raise ValueError("half a pickle")
        return cls(kind, {"item": cls.kept})

    def fit(self):
        for id in self.ids:
            trial = self.kind()
            trial.setup({"item": id})
            while not trial.step()["done"]:
                continue
            trial.cleanup()
        return [SimpleNamespace(config={"item": id}, error=None) for id in self.ids]


@pytest.fixture
def ray(monkeypatch):
    found = ModuleType("ray")
    found.init = found.shutdown = lambda **_: None
    found.cluster_resources = lambda: {"CPU": 1}
    found.tune = SimpleNamespace(
        Trainable=object, Tuner=Tuner, with_resources=lambda kind, _: kind, grid_search=list,
        TuneConfig=dict, RunConfig=dict, FailureConfig=dict,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "ray", found)
    return found


@pytest.mark.parametrize("kept", [("a", "b", "c"), ("b",), (), None], ids=str)
def test_a_run_that_tune_has_lost_is_trained_all_the_same(ray, tmp_path, monkeypatch, capsys, kept):
    short = changed(get_preset("known-rank").config, max_steps=10, eval_steps=5)
    order = Order("s", tuple((id, short) for id in "abc"), str(tmp_path))
    (order.place / TUNE).mkdir(parents=True)
    monkeypatch.setenv(VARIABLE, order.written())
    monkeypatch.setattr(Tuner, "kept", kept)
    assert main() == 0
    assert {outcome_of(order.place, id).state for id in "abc"} == {DONE}
    lines = capsys.readouterr().out.splitlines()
    facts = [json.loads(line.removeprefix(MARK)) for line in lines if line.startswith(MARK)]
    ends = sorted((f["item"], f["state"]) for f in facts if "state" in f)
    assert ends == [("a", DONE), ("b", DONE), ("c", DONE)]
    assert facts[-1] == {"complete": True}
