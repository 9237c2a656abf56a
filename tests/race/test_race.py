"""Lanes of a race against the same runs alone: losses to the bit, whatever happens beside them."""

import json
import math

import pytest
import torch

from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.presets import get_preset, starting_config
from lora_lab.race.race import Race
from lora_lab.records import State, StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from tests.models import tiny

RANKS = (1, 2, 4, 8)


def digits(rank=4, steps=100, **settings):
    config = get_preset("digits").config
    hyper = {"rank": rank, "dropout": 0.1, **settings.pop("hyper", {})}
    return changed(
        config, max_steps=steps, eval_steps=settings.pop("eval_steps", 25), **settings,
        hyper={**config.hyper.model_dump(), **hyper},
    )  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """For nets as small as these a second one costs more than it does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    """A config of a tiny Llama with dropout, by rank."""
    folder = tmp_path_factory.mktemp("causal")
    tiny.save(folder / "base", "llama")
    rows = [{"prompt": f"the film is {n}", "completion": " good" * (1 + n % 3)} for n in range(30)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def config(rank, steps=100, **settings):
        return starting_config(
            "causal_lm", model=str(folder / "base"), data=str(folder / "rows.jsonl"),
            batch_size=4, validation=0.2, max_steps=steps, eval_steps=50,
            hyper={"rank": rank, "dropout": 0.1}, **settings,
        )  # fmt: skip

    return config


def alone(config, edits=None):
    """Losses of the run by itself; `edits` maps a step to the settings asked for behind it."""
    experiment = Experiment.build(config)
    controls, losses = Controls(config.hyper), []
    for record in train(experiment, controls):
        if isinstance(record, StepRecord):
            losses.append(record.loss)
            if values := (edits or {}).get(record.step):
                controls.set_hyper(changed(controls.hyper, **values))
    return losses, experiment.held_out(True).loss


def raced(configs, meanwhile=lambda race: None):
    race = Race(configs)
    while race.running:
        race.step()
        meanwhile(race)
    return race


def lanes(make, **settings):
    return {f"r {rank}": make(rank, **settings) for rank in RANKS}


@pytest.mark.parametrize("variant", ["lora", "dora"])
def test_every_lane_makes_the_steps_that_it_makes_alone(variant):
    configs = lanes(digits, variant=variant)
    race = raced(configs)
    for name, config in configs.items():
        losses, held_out = alone(config)
        assert len(losses) == 100
        assert race.lanes[name].losses == losses, name
        assert race.lanes[name].evaluation.loss == held_out
        assert race.lanes[name].state is State.FINISHED


def test_lanes_of_a_language_model_draw_their_own_dropout(causal):
    configs = {f"r {rank}": causal(rank, 40) for rank in (1, 8)}
    race = raced(configs)
    for name, config in configs.items():
        assert race.lanes[name].losses == alone(config)[0], name


def test_lanes_may_differ_in_variant_init_and_targets():
    configs = {
        "lora": digits(2, 40), "pissa": digits(2, 40, init="pissa"),
        "subspace": digits(2, 40, variant="subspace", hyper={"dimension": 64}),
        "one layer": digits(2, 40, targets=("fc2",), optimizer="sgd"),
    }  # fmt: skip
    race = raced(configs)
    for name, config in configs.items():
        assert race.lanes[name].losses == alone(config)[0], name


def test_the_price_that_is_asked_for_moves_nothing(causal):
    race = Race({"a": causal(2, 20), "b": causal(4, 20)})
    price = race.price()
    assert price.seconds > 0
    assert price.trained == race.lanes["a"].trained + race.lanes["b"].trained
    while race.running:
        race.step()
    assert race.lanes["b"].losses == alone(causal(4, 20))[0]


@pytest.mark.parametrize("kind", ["digits", "causal"])
def test_the_base_is_held_once(kind, causal):
    race = Race(lanes(digits if kind == "digits" else causal))
    held = []
    for lane in race.lanes.values():
        own = {id(p) for p in lane.experiment.parameters()}
        held.append([p for p in lane.experiment.model.parameters() if id(p) not in own])
    assert held[0]
    for others in held[1:]:
        assert [id(p) for p in others] == [id(p) for p in held[0]]
    assert sum(p.nbytes for p in held[0]) == race.base.nbytes
    before = [p.clone() for p in held[0]]
    race.step()
    assert all(torch.equal(p, q) for p, q in zip(held[0], before, strict=True))


def test_a_lane_that_is_not_finite_stands_alone_and_can_go_on():
    configs = lanes(digits)
    race = Race(configs)
    for _ in range(30):
        race.step()
    with torch.no_grad():
        race.lanes["r 2"].experiment.lora_layers[0].lora_B.fill_(math.nan)
    race.step()
    hurt = race.lanes["r 2"]
    assert hurt.state is State.PAUSED
    assert "not finite" in hurt.message
    assert len(hurt.losses) == 30
    for _ in range(10):
        race.step()
    assert len(hurt.losses) == 30, "it stands until somebody says otherwise"
    race.edit("r 2", learning_rate=1e-4)
    while race.running:
        race.step()
    assert hurt.state is State.FINISHED
    assert all(map(math.isfinite, hurt.losses))
    for name in ("r 1", "r 4", "r 8"):
        assert race.lanes[name].losses == alone(configs[name])[0], name


def test_lanes_are_dropped_added_cloned_and_edited_beside_others_that_feel_nothing():
    configs = lanes(digits)

    def meanwhile(race):
        if race.steps == 20:
            race.drop("r 1")
            late = race.add("late", digits(3))
            assert "step 20" in late.note
            assert "step 0" in late.note
        if race.steps == 40:
            copy = race.clone("r 4", "copy")
            assert copy.losses == race.lanes["r 4"].losses
            race.clone("r 4", "slower", learning_rate=1e-4)
            race.edit("r 8", rank=16)

    race = raced(configs, meanwhile)
    assert set(race.lanes) == {"r 2", "r 4", "r 8", "late", "copy", "slower"}
    assert race.lanes["late"].losses == alone(digits(3))[0]
    unmoved = alone(configs["r 4"])[0]
    assert race.lanes["r 4"].losses == unmoved
    assert race.lanes["copy"].losses == unmoved
    assert race.lanes["slower"].losses == alone(configs["r 4"], {40: {"learning_rate": 1e-4}})[0]
    assert race.lanes["r 8"].losses == alone(configs["r 8"], {40: {"rank": 16}})[0]
    assert race.lanes["r 8"].experiment.hyper.rank == 16


def test_a_refused_edit_is_said_and_changes_nothing():
    race = Race({"a": digits(4, 20)})
    race.step()
    race.edit("a", rank=500)
    while race.running:
        race.step()
    lane = race.lanes["a"]
    losses = alone(digits(4, 20), {1: {"rank": 500}})[0]
    assert lane.losses == losses
    with pytest.raises(LabError, match="at its end"):
        race.edit("a", rank=2)
    with pytest.raises(LabError, match="at its end"):
        race.clone("a", "b")


def test_the_cut_of_the_highest_rank_is_that_of_a_truncated_svd():
    race = raced(lanes(digits, hyper={"dropout": 0.0}))
    top, cuts = race.cuts()
    assert top == "r 8"
    assert set(cuts) == {"r 1", "r 2", "r 4"}
    experiment = race.lanes["r 8"].experiment
    for name, found in cuts.items():
        rank = race.lanes[name].experiment.hyper.rank
        net = experiment.task.base_model().double()
        modules = dict(net.named_modules())
        for layer in experiment.lora_layers:
            U, S, Vh = torch.linalg.svd(layer.delta_weight().detach().double())
            cut = U[:, :rank] * S[:rank] @ Vh[:rank]
            modules[layer.name].weight.data += cut
        answers = net(experiment.task.test_images.double())
        assert found.loss == pytest.approx(experiment.task.judged(answers).loss, rel=1e-5)


@pytest.mark.parametrize(
    ("configs", "words"),
    [
        ({"a": digits(), "b": digits(variant="full")}, "no base to share"),
        ({"a": digits(variant="full")}, "no base to share"),
        ({"a": digits(), "b": digits(seed=1)}, "seed must be the same"),
        ({"a": digits(), "b": digits(batch_size=7)}, "batch_size must be the same"),
        ({"a": digits(), "b": digits(500)}, "above what any layer can use"),
        ({}, "a lane at least"),
    ],
)
def test_lanes_that_cannot_race_are_refused_with_the_reason(configs, words):
    with pytest.raises(LabError, match=words):
        Race(configs)


def test_the_lane_says_what_moved():
    race = raced({"a": digits(2, 60)})
    lane = race.lanes["a"]
    delta, base = 0.0, 0.0
    for layer in lane.experiment.layers.values():
        delta += float(layer.delta_weight().detach().square().sum())
        base += float(layer.base_layer.weight.square().sum())
    assert lane.change == pytest.approx(math.sqrt(delta / base), rel=1e-4)
    assert {row.name for row in lane.spectrum.layers} == set(lane.experiment.layers)
    assert lane.loss == pytest.approx(sum(lane.losses[-6:]) / 6)
