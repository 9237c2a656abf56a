"""What passes into a job's log: all events, and of the thousands of steps an even share."""

import itertools
import json
import time

from lora_lab.cluster import relay
from lora_lab.cluster.order import Order
from lora_lab.cluster.relay import MARK, Relay
from lora_lab.cluster.trial import OUTCOMES, RUNS
from lora_lab.config import changed
from lora_lab.presets import get_preset

STEPS = 30_000


def written(tmp_path, rows, state="going"):
    """A run's folder with these rows, and what is known of it."""
    order = Order(
        "s", (("a", changed(get_preset("digits").config, max_steps=STEPS)),), str(tmp_path)
    )
    folder = order.place / RUNS / "a-0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (order.place / OUTCOMES).mkdir(exist_ok=True)
    known = {"run": "a-0", "state": state, "message": ""}
    (order.place / OUTCOMES / "a.json").write_text(json.dumps(known))
    return order, folder / "metrics.jsonl"


def step(number):
    return {"record": "StepRecord", "step": number, "loss": 0.1 * number, "learning_rate": 1e-3,
            "seconds": 0.25}  # fmt: skip


def steps_of(lines):
    rows = [row for line in lines for row in json.loads(line.removeprefix(MARK)).get("rows", ())]
    return [row["step"] for row in rows if row["record"] == "StepRecord"]


def test_a_short_run_is_told_whole(tmp_path):
    rows = [step(n) for n in range(1, 101)]
    order, _ = written(tmp_path, [{"record": "LoadedRecord", "goal": 100}, *rows])
    lines = []
    Relay(order, lines.append).look()
    assert steps_of(lines) == list(range(1, 101))


def test_millions_of_rows_are_told_in_a_moment_and_what_is_no_record_is_not(tmp_path):
    order, metrics = written(tmp_path, [])
    row = {"record": "EditRecord"}
    metrics.write_text("{}\n" * 500_000 + f"{json.dumps(row)}\n" * 100_000)
    lines, began = [], time.process_time()
    Relay(order, lines.append).look()
    assert time.process_time() - began < 3
    told = [row for line in lines for row in json.loads(line.removeprefix(MARK))["rows"]]
    assert told == [row] * 100_000


def test_a_long_run_is_told_evenly_and_its_last_step_is(tmp_path):
    order, _ = written(tmp_path, [step(n) for n in range(1, STEPS + 1)])
    lines = []
    found = Relay(order, lines.append)
    found.look()
    told = steps_of(lines)
    assert sum(map(len, lines)) < relay.ROWS
    assert max(b - a for a, b in itertools.pairwise(told)) < 20
    written(tmp_path, [step(n) for n in range(1, STEPS + 1)], "done")
    found.look()
    assert steps_of(lines)[-1] == STEPS
    assert json.loads(lines[-1].removeprefix(MARK))["state"] == "done"


def test_a_line_that_is_still_being_written_waits_for_its_end(tmp_path):
    order, path = written(tmp_path, [{"record": "NewsRecord", "step": 0, "message": "one"}])
    lines = []
    found = Relay(order, lines.append)
    found.look()
    with path.open("a") as file:
        file.write('{"record":"NewsRecord","step":1,')
        file.flush()
        found.look()
        assert len(lines) == 1
        file.write('"message":"two"}\n')
    found.look()
    assert json.loads(lines[1].removeprefix(MARK))["rows"][0]["message"] == "two"


def test_a_log_that_is_full_tells_ends_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(relay, "FULL", 10_000)
    news = [{"record": "NewsRecord", "step": n, "message": "x" * 1000} for n in range(500)]
    order, _ = written(tmp_path, news, "done")
    lines = []
    Relay(order, lines.append).look()
    assert [list(json.loads(line.removeprefix(MARK))) for line in lines] == [
        ["capped"], ["item", "run", "state", "message", "summary"]
    ]  # fmt: skip
