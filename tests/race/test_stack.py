"""A stack of lanes against the same lanes interleaved; what it refuses; what stops in it."""

import math

import pytest
import torch
from torch import nn

from lora_lab.config import changed
from lora_lab.errors import ConfigError
from lora_lab.presets import get_preset
from lora_lab.race.race import Race
from lora_lab.race.stack import Numbers, Stack, obstacle
from lora_lab.records import State


def digits(rank=4, steps=120, **settings):
    config = get_preset("digits").config
    hyper = {"rank": rank, "alpha": 8.0, "learning_rate": 3e-3, "weight_decay": 0.1}
    hyper |= settings.pop("hyper", {})
    settings = {"digits": (), "eval_steps": 40, "schedule": "cosine", **settings}
    return changed(
        config, max_steps=steps, **settings, hyper={**config.hyper.model_dump(), **hyper}
    )


def raced(configs, stacked, meanwhile=lambda race: None):
    race = Race(configs, stacked=stacked)
    while race.running:
        race.step()
        meanwhile(race)
    return race


def lanes(**settings):
    return {f"r {rank}": digits(rank, **settings) for rank in (1, 2, 8)}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("settings", "within"), [
    ({}, 1e-5),
    ({"dtype": "float64"}, 1e-13),
    ({"max_grad_norm": 0.05, "warmup_steps": 20}, 2e-5),
    ({"label_smoothing": 0.1, "class_weights": "balanced"}, 1e-5),
])  # fmt: skip
def test_a_stack_makes_the_steps_of_the_lanes_but_for_rounding(settings, within):
    apart, together = (raced(lanes(**settings), stacked) for stacked in (False, True))
    assert together.stacking.obstacle == ""
    assert together.steps == 120
    for name, lane in together.lanes.items():
        own = apart.lanes[name]
        assert len(lane.losses) == 120
        assert lane.losses[:100] == pytest.approx(own.losses[:100], rel=within), name
        assert lane.evaluation.loss == pytest.approx(own.evaluation.loss, rel=100 * within)
        assert lane.state is State.FINISHED
        assert [r.step for r in lane.kept if type(r) is type(lane.evaluation)] == [
            r.step for r in own.kept if type(r) is type(lane.evaluation)
        ], "validations come where they would"


def test_the_room_beyond_a_rank_stays_zero():
    race = Race(lanes(), stacked=True)
    race.step()
    numbers = Numbers([*race.lanes.values()])
    room = torch.ones_like(numbers.theta, dtype=torch.bool)
    for place, lane in enumerate(race.lanes.values()):
        factors = iter(numbers.places.split(room[place]))
        for layer in lane.experiment.lora_layers:
            next(factors)[: layer.rank] = False
            next(factors)[:, : layer.rank] = False
    assert room.any()
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):  # with a decay of 0.1
        g = torch.randn(numbers.theta.shape, generator=generator).masked_fill_(room, 0.0)
        numbers.descend(g, [1.0] * 3, [1.0] * 3)
    assert not numbers.theta.detach()[room].any()
    assert numbers.theta.detach()[~room].all()


def test_a_lane_that_is_not_finite_stands_and_the_others_go_on_without_it():
    def meanwhile(race):
        if race.steps >= 30 and not hurt:
            hurt.append(race.steps)
            with torch.no_grad():
                race.lanes["r 2"].experiment.lora_layers[0].lora_B.fill_(math.nan)

    hurt = []
    race = raced(lanes(), True, meanwhile)
    stands = race.lanes["r 2"]
    assert stands.state is State.PAUSED
    assert "not finite" in stands.message
    own = raced({n: c for n, c in lanes().items() if n != "r 2"}, False)
    for name in ("r 1", "r 8"):
        assert race.lanes[name].losses == pytest.approx(own.lanes[name].losses, rel=1e-3)
        assert race.lanes[name].state is State.FINISHED


def test_lanes_are_edited_added_and_dropped_while_they_are_stacked():
    done = []

    def meanwhile(race):
        if race.steps >= 45 and not done:
            done.append(race.lanes["r 1"].experiment.step)
            race.edit("r 1", learning_rate=1e-4)
            race.drop("r 2")
            race.clone("r 8", "copy")
            race.add("late", digits(3))

    race = raced(lanes(), True, meanwhile)
    assert all(lane.state is State.FINISHED for lane in race.lanes.values())
    assert all(len(lane.losses) == 120 for lane in race.lanes.values())
    assert race.lanes["copy"].losses == pytest.approx(race.lanes["r 8"].losses, rel=1e-5)
    own = raced({"late": digits(3)}, False)
    assert race.lanes["late"].losses == pytest.approx(own.lanes["late"].losses, rel=1e-3)


@pytest.mark.parametrize(("settings", "words"), [
    ({"variant": "dora"}, "only LoRA on linear layers"),
    ({"variant": "subspace"}, "only LoRA on linear layers"),
    ({"init": "pissa"}, "init"),
    ({"optimizer": "sgd"}, "AdamW"),
    ({"hyper": {"dropout": 0.1}}, "dropout"),
    ({"b_rate_ratio": 4.0}, r"LoRA\+"),
    ({"accumulation": 2}, "in parts"),
])  # fmt: skip
def test_what_is_not_stacked_is_said_and_interleaved_to_the_bit(settings, words):
    configs = {f"r {rank}": digits(rank, 20, eval_steps=0, **settings) for rank in (2, 4)}
    race = Race(configs, stacked=True)
    price = race.price()
    assert math.isnan(price.stacked)
    assert words.replace("\\", "") in price.obstacle
    assert words.replace("\\", "") in obstacle(race.lanes["r 2"])
    while race.running:
        race.step()
    own = raced(configs, False)
    assert race.lanes["r 4"].losses == own.lanes["r 4"].losses


class Mixing(nn.Module):
    """A net that looks at all rows of a batch at once, as a batch norm does."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x - x.mean(0))

    def get_submodule(self, name):
        return self.net.get_submodule(name)


def test_a_model_that_mixes_the_rows_of_a_batch_is_not_stacked():
    race = Race(lanes(hyper={"rank": 4}), stacked=True)
    race.step()
    race.edit("r 1", learning_rate=1e-2)
    with torch.no_grad():
        for place, lane in enumerate(race.lanes.values()):
            lane.experiment.lora_layers[0].lora_B.add_(0.1 * place)
    with pytest.raises(ConfigError, match="does not compute what they compute alone"):
        Stack(Mixing(race.base.bare()), [*race.lanes.values()])
