"""The past of a run: in order, without what was lost, thinned where it is long."""

import math
import time

from lora_lab.config import Hyperparameters
from lora_lab.records import (
    AppliedRecord,
    EvalRecord,
    LayerSpectrum,
    PastEditRecord,
    ResumedRecord,
    SpectrumRecord,
    StepRecord,
    frozen_array,
)
from lora_lab.runs import past
from lora_lab.runs.metrics import MetricsFile
from lora_lab.runs.past import last_spectrum, past_records


def step(n, loss=0.5):
    return StepRecord(n, loss, 1e-3, 0.01 * n)


def write(path, *records):
    file = MetricsFile(path)
    file.append(records)
    file.close()


def test_what_was_lost_does_not_come_back(tmp_path):
    path = tmp_path / "metrics.jsonl"
    evaluation = EvalRecord(3, True, 0.4, 0.9, (1, 2), (2, 2), 0.1, ((1, 1), (0, 2)), True)
    write(path, *(step(n) for n in range(1, 4)), evaluation, step(4), step(5),
          ResumedRecord(3), step(4, 0.25), step(5, math.nan), step(6))  # fmt: skip
    with path.open("ab") as file:
        file.write(b'{"record":"StepRecord","step":7,"lo')
    found = list(past_records(path, 6))
    assert [r.step for r in found] == [1, 2, 3, 3, 4, 5, 6]
    assert found[3] == evaluation
    assert found[4].loss == 0.25
    assert math.isnan(found[5].loss)
    assert [r.step for r in past_records(path, 4)] == [1, 2, 3, 3, 4]
    assert list(past_records(tmp_path / "none", 9)) == []


def test_a_long_one_is_thinned_to_its_last(tmp_path, monkeypatch):
    monkeypatch.setattr(past, "MOST", 100)
    path = tmp_path / "metrics.jsonl"
    write(path, *(step(n) for n in range(1, 1006)))
    found = [r.step for r in past_records(path, 2000)]
    assert len(found) <= 101
    assert found[-1] == 1005
    assert found == sorted(found)


def test_a_million_steps_take_a_moment(tmp_path):
    path = tmp_path / "metrics.jsonl"
    line = '{"record":"StepRecord","step":%d,"loss":0.12345,"learning_rate":0.0001,"seconds":%.6f}'
    path.write_text("\n".join(line % (n, n / 1000) for n in range(1, 1_000_001)))
    began = time.process_time()  # others may be busy
    found = list(past_records(path, 1_000_000))
    took = time.process_time() - began
    assert found[-1].step == 1_000_000
    assert took < 5, took


def edit(step, *changes):
    return AppliedRecord(step, Hyperparameters(), changes)


def test_edits_come_back_and_those_that_no_longer_hold_do_not(tmp_path):
    """Gone back to step 3 with one edit made: what was edited there and later is forgotten."""
    path = tmp_path / "metrics.jsonl"
    write(path, step(1), edit(1, ("rank", 4, 8)), step(2), edit(2), step(3),
          edit(3, ("alpha", 4.0, 2.0)), step(4), edit(4, ("layer_ranks", [], [["fc1", 3]])),
          ResumedRecord(3, (), 1), step(4, 0.25), edit(4, ("dropout", 0.0, 0.1)))  # fmt: skip
    found = [r for r in past_records(path, 9) if isinstance(r, PastEditRecord)]
    assert found == [
        PastEditRecord(1, (("rank", 4, 8),)),
        PastEditRecord(4, (("dropout", 0.0, 0.1),)),
    ]
    assert [r.step for r in past_records(path, 9) if isinstance(r, StepRecord)] == [1, 2, 3, 4]


def test_the_last_spectrum_comes_back(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert last_spectrum(path) is None
    write(path, step(1))
    assert last_spectrum(path) is None
    layers = [
        LayerSpectrum("fc1", frozen_array(sigma), 2, 1.5, 1.2, 2.5, 4, 8.0, 2.0)
        for sigma in ([2.0, 1.0], [3.0, math.inf])
    ]
    write(path, SpectrumRecord(1, (layers[0],)), step(2), SpectrumRecord(2, (layers[1],)), step(3))
    found = last_spectrum(path)
    assert found.step == 2
    assert found.layers[0].sigma.tolist() == [3.0, math.inf]
    assert not found.layers[0].sigma.flags.writeable
    assert (found.layers[0].rank, found.layers[0].alpha) == (4, 8.0)
    with path.open("ab") as file:
        file.write(b'{"record":"SpectrumRecord","step":4,"layers":[{"na')
    assert last_spectrum(path) is None, "torn: better none than half of one"
