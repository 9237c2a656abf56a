"""A watched race: its looks, requests from another thread, lanes kept as runs, and its end."""

import math
import threading

import pytest

from lora_lab.config import changed
from lora_lab.errors import Cancelled
from lora_lab.presets import get_preset
from lora_lab.race import live as live_race
from lora_lab.race.live import LiveRace
from lora_lab.race.looks import LaneKept, RaceNow, RaceRefused
from lora_lab.records import State, StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.opening import Resume
from lora_lab.training.run import run
from tests.training.driven_run import DrivenRun


def digits(rank=4, steps=120):
    config = get_preset("digits").config
    hyper = {**config.hyper.model_dump(), "rank": rank, "learning_rate": 1e-3}
    return changed(config, digits=(), max_steps=steps, eval_steps=30, hyper=hyper)


def watched(live, act):
    """All items; `act(item, live)` says when it is enough."""
    items, over = [], threading.Event()

    def report(what, share):
        if over.is_set():
            raise Cancelled("over")

    running = live.run(report)
    while not over.is_set():
        items.append(next(running))
        if act(items[-1], live):
            over.set()
    with pytest.raises(Cancelled):
        list(running)
    return items


def test_a_race_rests_runs_to_its_end_and_shows_every_loss_once():
    live = LiveRace({"A": digits(1), "B": digits(4)})
    assert live.price.seconds > 0
    assert live.goal == 120

    def act(item, live):
        if item.steps == 0:
            live.pause(False)
        return item.resting and item.steps == 120

    items = watched(live, act)
    assert items[0].resting
    seen = {"A": [], "B": []}
    for item in items:
        for lane in item.lanes:
            assert lane.begin == len(seen[lane.name])
            seen[lane.name] += lane.losses
    assert [len(losses) for losses in seen.values()] == [120, 120]
    last = {lane.name: lane for lane in items[-1].lanes}
    assert last["A"].state is State.FINISHED
    assert last["B"].change > 0
    assert len(last["B"].sigma) == 4
    assert last["A"].cut > 0, "the highest rank, cut to that of A"
    assert last["B"].cut != last["B"].cut, "the highest itself is cut to nothing"


def test_at_rest_what_has_moved_is_that_of_the_last_step():
    """While it runs each lane is measured now and then, and at its own moment."""
    live = LiveRace({"A": digits(1), "B": digits(4)})

    def act(item, live):
        live.pause(item.steps >= 20)
        return item.resting and item.steps >= 20

    lane = {lane.name: lane for lane in watched(live, act)[-1].lanes}["B"]
    alone = DrivenRun(digits(4))
    alone.steps(lane.step)
    layers = alone.experiment.layers.values()
    moved = math.hypot(*(float(delta.norm()) for delta in alone.deltas().values()))
    assert lane.change == pytest.approx(
        moved / math.hypot(*(layer.weight_norm for layer in layers)), rel=1e-4
    )


def test_requests_are_followed_between_two_steps_or_refused_with_the_reason():
    live = LiveRace({"A": digits(1), "B": digits(4)})
    asked = []

    def act(item, live):
        if not asked:
            asked.append(True)
            live.ask(lambda race: race.drop("Z"))
            live.ask(lambda race: race.drop("A"))
            live.ask(lambda race: race.add("C", digits(500)))
            live.ask(lambda race: race.add("D", digits(2)))
            live.pause(False)
        return isinstance(item, RaceNow) and item.resting and item.steps == 120

    items = watched(live, act)
    refused = [item.message for item in items if isinstance(item, RaceRefused)]
    assert len(refused) == 2
    assert "There is no lane Z" in refused[0]
    assert "500" in refused[1]
    assert [lane.name for lane in items[-1].lanes] == ["B", "D"]


def test_a_lane_is_kept_as_a_run_that_continues_as_the_lane_does(monkeypatch):
    monkeypatch.setattr(live_race, "EVERY", 0.0)  # each step is looked at, however quick they are
    live = LiveRace({"A": digits(1), "B": digits(4)}, stacked=True)
    asked = []

    def act(item, live):
        if not asked:
            asked.append(True)
            live.ask_to_keep("B")  # it has made no step
            live.pause(False)
        elif isinstance(item, RaceNow) and item.steps and len(asked) == 1:
            asked.append(item.steps)
            live.ask_to_keep("B")
        return isinstance(item, RaceNow) and item.resting and item.steps == 120

    items = watched(live, act)
    (refused,) = (item for item in items if isinstance(item, RaceRefused))
    assert "no step" in refused.message
    (kept,) = (item for item in items if isinstance(item, LaneKept))
    opening = Resume.at(kept.path)
    records = list(run(opening, Controls(opening.config.hyper)))
    steps = [record for record in records if isinstance(record, StepRecord)]
    assert steps[-1].step == 120
    losses = [loss for item in items if isinstance(item, RaceNow) for lane in item.lanes
              if lane.name == "B" for loss in lane.losses]  # fmt: skip
    assert [r.loss for r in steps[-20:]] == pytest.approx(losses[-20:], rel=1e-3)
