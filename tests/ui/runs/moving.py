"""A run that trains, and one that moves, as a test waits for them."""

from lora_lab.records import State
from lora_lab.runs.metrics import read_metrics

LONG = {"timeout": 60_000}


def steps_on(qtbot, lab, count=20):
    qtbot.waitUntil(lambda: lab.state is State.RUNNING and lab.sessions.step > 0, **LONG)
    start = lab.sessions.step
    qtbot.waitUntil(lambda: lab.sessions.step > start + count, **LONG)


def move(qtbot, lab, out=True):
    lab.commands.background.trigger()
    qtbot.waitUntil(lambda: lab.sessions.apart is out and lab.state is State.RUNNING, **LONG)
    steps_on(qtbot, lab)


def steps_of(run):
    return [row["step"] for row in read_metrics(run / "metrics.jsonl")
            if row["record"] == "StepRecord"]  # fmt: skip
