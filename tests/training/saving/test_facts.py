"""A checkpoint by hand: whatever it claims is compared with the run before a number moves."""

import copy
import json

import pytest
import torch

from lora_lab.errors import LabError
from lora_lab.training.experiment import Experiment
from lora_lab.training.saving.facts import compare
from lora_lab.training.saving.state import restore, state_of
from tests.training.saving.test_state import config_of, losses

HUGE = 10**30
JUNK = ("x", None, [1], {}, -1, 1.5, HUGE, float("nan"), True)
# What a fact may be all the same; of torch and device it is only said that they differ.
MAY_BE = {
    "seconds": (1.5,),
    "kept": (None,),
    "loss_scale": (None,),
    "machine": ({},),
    "version": (True,),
    "torch": ("x",),
    "device": ("x",),
}
MAY_BE_MISSING = ("edits", "kept", "loss_scale", "machine")  # in a checkpoint of an older lab
FACTS = ("step", "edits", "batches", "seconds", "parts", "loss_scale", "leg", "hyper",
         "layers", "ramps", "best", "kept", "base_fingerprint", "torch", "threads", "device",
         "version", "machine")  # fmt: skip


@pytest.fixture(scope="module")
def saved():
    """A run with a ramp under way and a best adapter: the experiment, its tensors and facts."""
    experiment = Experiment.build(config_of(eval_steps=2))
    _, (tensors, facts) = losses(experiment, {3: {"rank": 6}}, stop=6)
    return tensors, json.loads(json.dumps(facts))


def refused(saved, move, config=None, match="fit this run|other layers|of version|base model"):
    """`move` changes tensors and facts; the checkpoint is refused and nothing has moved."""
    tensors, facts = dict(saved[0]), copy.deepcopy(saved[1])
    move(tensors, facts)
    fresh = Experiment.build(config or config_of(eval_steps=2))
    before, told = state_of(fresh)
    with pytest.raises(LabError, match=match):
        restore(fresh, tensors, facts)
    after, told_after = state_of(fresh)
    del told["torch"], told_after["torch"]
    assert told == told_after
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_checkpoint_itself_is_taken(saved):
    fresh = Experiment.build(config_of(eval_steps=2))
    assert restore(fresh, dict(saved[0]), copy.deepcopy(saved[1])) == ()
    assert fresh.step == 6
    assert fresh.ramps
    assert fresh.best.weights is not None


@pytest.mark.parametrize("fact", FACTS)
def test_no_fact_is_believed(saved, fact):
    for junk in JUNK:
        if junk not in MAY_BE.get(fact, ()):
            refused(saved, lambda tensors, facts, junk=junk: facts.__setitem__(fact, junk))
    if fact not in MAY_BE_MISSING:
        refused(saved, lambda tensors, facts: facts.pop(fact))


def of_layer(name="fc1", **values):
    return lambda tensors, facts: facts["layers"][name].update(values)


def of_factor(**values):
    return lambda tensors, facts: facts["layers"]["fc1"]["trained"]["lora_A"].update(values)


def tensor(name, value):
    return lambda tensors, facts: tensors.__setitem__(name, value)


def cast(name, dtype):
    return lambda tensors, facts: tensors.update({name: tensors[name].to(dtype)})


def place(name, left, following):
    """A generator's state that says it is elsewhere."""

    def move(tensors, facts):
        tensors[name] = state = tensors[name].clone()
        state[8:12] = torch.tensor([left], dtype=torch.int32).view(torch.uint8)
        state[16:24] = torch.tensor([following]).view(torch.uint8)

    return move


def fact(name, value):
    return lambda tensors, facts: facts.__setitem__(name, value)


def in_best(path, value):
    def move(tensors, facts):
        at = facts["best"]
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return move


LIES = {
    # the heap: shapes of what the fused optimizer writes through
    "one square": tensor("fc1|lora_A|exp_avg_sq", torch.zeros(1)),
    "no square": tensor("fc1|lora_A|exp_avg_sq", torch.zeros(0)),
    "larger mean": tensor("fc1|lora_A|exp_avg", torch.zeros(600, 64)),
    "whole numbers": tensor("fc1|lora_A|exp_avg", torch.zeros(6, 64, dtype=torch.int64)),
    "step of two": tensor("fc1|lora_A|step", torch.zeros(2)),
    "step below 0": tensor("fc1|lora_A|step", torch.tensor(-1.0)),
    "step of nan": tensor("fc1|lora_A|step", torch.tensor(float("nan"))),
    "squares below 0": tensor("fc1|lora_A|exp_avg_sq", -torch.ones(6, 64)),
    "moment missing": lambda t, f: t.pop("fc1|lora_A|exp_avg"),
    "one moment only": of_factor(state=["exp_avg"]),
    "a moment too many": of_factor(state=["exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"]),
    "a moment as a number": of_factor(numbers={"exp_avg": 1.0}),
    "a momentum": of_factor(state=["momentum_buffer"]),
    "moments of words": of_factor(state="exp_avg"),
    "step in half precision": cast("fc1|lora_A|step", torch.float16),
    "step of 8 bits": cast("fc1|lora_A|step", torch.float8_e5m2),
    "squares of 8 bits": cast("fc1|lora_A|exp_avg_sq", torch.float8_e4m3fn),
    "squares in half precision": cast("fc1|lora_A|exp_avg_sq", torch.bfloat16),
    # factors
    "factor of 8 bits": cast("fc1|lora_A", torch.float8_e4m3fn),
    "factor in half precision": cast("fc1|lora_A", torch.float16),
    "one factor does not move": of_factor(moves=False),
    "factor missing": lambda t, f: t.pop("fc2|lora_B"),
    "other shape": tensor("fc1|lora_A", torch.zeros(6, 63)),
    "other rank": tensor("fc1|lora_A", torch.zeros(3, 64)),
    "rank 0": tensor("fc1|lora_A", torch.zeros(0, 64)),
    "a vector": tensor("fc1|lora_A", torch.zeros(64)),
    "a number": tensor("fc1|lora_A", torch.tensor(1.0)),
    "bytes": tensor("fc1|lora_A", torch.zeros(6, 64, dtype=torch.uint8)),
    "a tensor of nothing": tensor("fc9|lora_A", torch.zeros(6, 64)),
    "a start": tensor("fc1|start_A", torch.zeros(6, 64)),
    "moves: 1": of_factor(moves=1),
    "no factors": of_layer(trained={}),
    "another label": lambda t, f: f["layers"]["fc1"]["trained"].update(
        weight=f["layers"]["fc1"]["trained"].pop("lora_A")
    ),
    "scaling": of_layer(scaling=3.0),
    "scaling of words": of_layer(scaling="x"),
    "scaling of nan": of_layer(scaling=float("nan")),
    "no scaling": of_layer(scaling=None),
    "dropout": of_layer(dropout=0.5),
    "dropout over 1": of_layer(dropout=7),
    "layers swapped": lambda t, f: f.__setitem__(
        "layers", dict(reversed(list(f["layers"].items())))
    ),
    # settings
    "rank of settings": lambda t, f: f["hyper"].update(rank=2),
    "α of settings": lambda t, f: f["hyper"].update(alpha=1.0),
    "unknown setting": lambda t, f: f["hyper"].update(cheat=1),
    "frozen of none": lambda t, f: f["hyper"].update(frozen_layers=["fc9"]),
    # the course
    "10^30 steps": fact("step", HUGE),
    "step −5": fact("step", -5),
    "step as a word": fact("step", "6"),
    "many batches": fact("batches", 10**8),
    "many batches, many steps": lambda t, f: f.update(
        {"batches": 10**9, "step": 10**9, "leg": [0, 10**9]}
    ),
    "stage backwards": fact("leg", [24, 0]),
    "stage ahead": fact("leg", [10, 24]),
    "stage of words": fact("leg", ["a", "b"]),
    "stage of three": fact("leg", [0, 24, 1]),
    "0 parts": fact("parts", [0, 0]),
    "halved −1 times": fact("parts", [1, -1]),
    "seconds below 0": fact("seconds", -1.0),
    "0 threads": fact("threads", 0),
    # random states
    "short state": tensor("random|torch", torch.zeros(3, dtype=torch.uint8)),
    "state of zeros": tensor("random|torch", torch.zeros(5056, dtype=torch.uint8)),
    "state of 0xff": tensor("random|generator", torch.full((5056,), 255, dtype=torch.uint8)),
    "state of floats": tensor("random|generator", torch.zeros(5056)),
    "state past its words": place("random|generator", 624, 624),
    "state far past its words": place("random|torch", 1, 624 + 2**40),
    "state of one row": lambda t, f: t.update({"random|torch": t["random|torch"][None]}),
    "no state": lambda t, f: t.pop("random|torch"),
    # ramps
    "ramp of none": fact("ramps", [["fc9", 4, 6, 50, 3]]),
    "ramp of a list": fact("ramps", [[["fc1"], 4, 6, 50, 3]]),
    "ramp beyond": fact("ramps", [["fc1", 4, 60, 50, 3]]),
    "ramp backwards": fact("ramps", [["fc1", 6, 4, 50, 3]]),
    "ramp of 0 steps": fact("ramps", [["fc1", 4, 6, 0, 0]]),
    "ramp at its end": fact("ramps", [["fc1", 4, 6, 50, 50]]),
    "ramp of four": fact("ramps", [["fc1", 4, 6, 50]]),
    "ramp of words": fact("ramps", [["fc1", "a", "b", "c", "d"]]),
    # the best adapter
    "best step": in_best(["step"], -1),
    "best loss": in_best(["loss"], "x"),
    "best of 400 digits": in_best(["loss"], 10**400),
    "best weights": in_best(["weights"], [1]),
    "best variant": in_best(["weights", "variant"], "dora"),
    "best base": in_best(["weights", "base_fingerprint"], "x"),
    "best task": in_best(["weights", "extra"], {"task": "x"}),
    "best key": in_best(["weights", "cheat"], 1),
    "best layers": in_best(["weights", "layers"], []),
    "best layer": in_best(["weights", "layers", 0, "name"], "fc9"),
    "best key of a layer": in_best(["weights", "layers", 0, "cheat"], 1),
    "best scaling": in_best(["weights", "layers", 0, "scaling"], "x"),
    "best kind": in_best(["weights", "layers", 0, "kind"], "conv"),
    "best groups": in_best(["weights", "layers", 0, "groups"], 3),
    "best tensors": in_best(["weights", "layers", 0, "tensors"], ["lora_A"]),
    "best tensors are a number": in_best(["weights", "layers", 0, "tensors"], 5),
    "best tensors are one": in_best(["weights", "layers", 0, "tensors"], True),
    "best factor": tensor("best|fc1|lora_A", torch.zeros(6, 63)),
    "best of 8 bits": cast("best|fc1|lora_A", torch.float8_e4m3fn),
    "best rank": tensor("best|fc1|lora_A", torch.zeros(600, 64)),
    "best factor missing": lambda t, f: t.pop("best|fc1|lora_B"),
    "best whole": in_best(["weights", "whole"], [{"name": "fc1", "tensors": []}]),
    "kept of three": fact("kept", ["a", 1, 2]),
    "kept count": fact("kept", ["a", -1]),
    "nothing kept": fact("kept", ["a", 0]),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_believed(saved, lie):
    refused(saved, LIES[lie])


OTHERS = {
    "full": ({"variant": "full"}, tensor("fc1|tuned_weight", torch.zeros(2, 2))),
    "full, no bias": ({"variant": "full"}, lambda t, f: t.pop("fc1|tuned_bias")),
    "dora": ({"variant": "dora"}, tensor("fc1|magnitude", torch.zeros(3))),
    "pissa": ({"init": "pissa"}, tensor("fc1|start_A", torch.zeros(4, 3))),
    "pissa without start": ({"init": "pissa"}, lambda t, f: t.pop("fc1|start_B")),
    "full that does not move": (
        {"variant": "full"},
        lambda t, f: f["layers"]["fc1"]["trained"]["tuned_bias"].update(moves=False),
    ),
    "full of 8 bits": ({"variant": "full"}, cast("fc1|tuned_weight", torch.float8_e5m2)),
    "subspace of fewer": ({"variant": "subspace"}, tensor("fc1|theta", torch.zeros(7))),
    "subspace of 8 bits": ({"variant": "subspace"}, cast("fc1|theta", torch.float8_e5m2)),
    "subspace in half precision": ({"variant": "subspace"}, cast("fc1|theta", torch.float16)),
    "subspace that does not move": (
        {"variant": "subspace"},
        lambda t, f: f["layers"]["fc1"]["trained"]["theta"].update(moves=False),
    ),
    "subspace with two": (
        {"variant": "subspace"},
        lambda t, f: f["layers"]["fc2"].update(trained=f["layers"]["fc1"]["trained"]),
    ),
    "subspace of 0": ({"variant": "subspace"}, lambda t, f: f["hyper"].update(dimension=0)),
    "sgd": (
        {"optimizer": "sgd", "momentum": 0.9},
        tensor("fc1|lora_A|momentum_buffer", torch.zeros(1)),
    ),
    "full for lora": ({}, lambda t, f: f["layers"]["fc1"].update(trained={"tuned_weight": {}})),
}


@pytest.mark.parametrize("case", OTHERS)
def test_nor_of_another_variant(case):
    settings, move = OTHERS[case]
    _, (tensors, facts) = losses(Experiment.build(config_of(**settings)), {}, stop=2)
    saved = tensors, json.loads(json.dumps(facts))
    fresh = Experiment.build(config_of(**settings))
    assert restore(fresh, dict(tensors), copy.deepcopy(saved[1])) == ()
    refused(saved, move, config_of(**settings))


@pytest.mark.parametrize(
    "path", [("seconds",), ("tokens",), ("edits",), ("batches",), ("best", "unimproved")]
)
def test_what_is_saved_after_the_largest_that_is_taken_is_taken_as_well(saved, path):
    """Else a run that somebody made trains on, and its next save is refused."""
    tensors, facts = dict(saved[0]), copy.deepcopy(saved[1])
    experiment = Experiment.build(config_of(eval_steps=2))

    def taken(value):
        in_facts(path, value)(tensors, facts)
        try:
            compare(experiment, tensors, facts)
        except LabError:
            return False
        return True

    low, high = 0, 2**70
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if taken(middle) else (low, middle)
    assert taken(low)
    assert low > 1000
    restore(experiment, tensors, facts)
    _, (tensors, facts) = losses(experiment, {7: {"alpha": 3.0}}, stop=12)
    fresh = Experiment.build(config_of(eval_steps=2))
    restore(fresh, tensors, json.loads(json.dumps(facts)))
    assert fresh.step == 12


def in_facts(path, value):
    return in_best(path[1:], value) if path[0] == "best" else fact(path[0], value)
