"""The past of a run: in order, without what was lost, thinned where it is long."""

import math
import time
import tracemalloc
from collections import Counter
from dataclasses import replace

import pytest

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import ClippedRecord
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    EvalRecord,
    LayerSpectrum,
    PaceRecord,
    PastEditRecord,
    ResumedRecord,
    SpectrumRecord,
    StepRecord,
    frozen_array,
)
from lora_lab.runs import past
from lora_lab.runs.metrics import MetricsFile, line
from lora_lab.runs.past import last_spectrum, last_trained, past_records

LINE = '{"record":"StepRecord","step":%d,"loss":0.12345,"learning_rate":0.0001,"seconds":%.6f}'


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
          ResumedRecord(3, (0, 9)), step(4, 0.25), step(5, math.nan), step(6))  # fmt: skip
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
    path.write_text("\n".join(LINE % (n, n / 1000) for n in range(1, 1_000_001)))
    began = time.process_time()  # others may be busy
    found = list(past_records(path, 1_000_000))
    took = time.process_time() - began
    assert found[-1].step == 1_000_000
    assert took < 5, took


@pytest.mark.slow
def test_memory_does_not_grow_with_the_run(tmp_path):
    """Of a window's or a resumed run's memory a long past takes what comes back, no more."""
    path = tmp_path / "metrics.jsonl"
    peaks = []
    for count in (100_000, 400_000):
        path.write_text("\n".join(LINE % (n, n / 1000) for n in range(1, count + 1)))
        tracemalloc.start()
        for record in past_records(path, count):
            last = record
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert last.step == count
    assert peaks[1] < 1.2 * peaks[0], peaks


def test_the_step_that_a_long_run_goes_on_from_comes_back(tmp_path, monkeypatch):
    """However it is thinned; and what was recorded after it does not, in whatever order."""
    monkeypatch.setattr(past, "MOST", 100)
    path = tmp_path / "metrics.jsonl"
    held = [EvalRecord(n, True, 0.4) for n in (700, 1003)]
    write(path, *(step(n) for n in range(1, 701)), held[0], *(step(n) for n in range(701, 1004)),
          held[1], *(step(n) for n in range(1004, 1501)))  # fmt: skip
    found = list(past_records(path, 1003))
    assert [r.step for r in found if isinstance(r, StepRecord)][-1] == 1003
    assert found[-1] == held[1]
    assert [r for r in found if isinstance(r, EvalRecord)] == held
    assert [r.step for r in found] == sorted(r.step for r in found)
    write(path, ResumedRecord(1003, (0, 9)), *(step(n, 0.25) for n in range(1004, 1201)))
    found = [r for r in past_records(path, 9999) if isinstance(r, StepRecord)]
    assert [r.loss == 0.25 for r in found] == [r.step > 1003 for r in found]
    assert found[-1].step == 1200
    assert 50 <= len(found) <= 101


def test_a_file_that_somebody_made_takes_no_longer(tmp_path, monkeypatch):
    monkeypatch.setattr(past, "MOST", 10)
    path = tmp_path / "metrics.jsonl"
    write(path, *(step(0) for _ in range(100_000)))
    with path.open("ab") as file:
        file.write(b'{"record":"ResumedRecord"}\n')
    began = time.process_time()
    assert [record.step for record in past_records(path, 1)] == [0], "no curve goes back"
    assert time.process_time() - began < 5


def edit(step, *changes):
    return AppliedRecord(step, Hyperparameters(), changes)


def test_edits_come_back_and_those_that_no_longer_hold_do_not(tmp_path):
    """Gone back to step 3 with one edit made: what was edited there and later is forgotten."""
    path = tmp_path / "metrics.jsonl"
    write(path, step(1), edit(1, ("rank", 4, 8)), step(2), edit(2), step(3),
          edit(3, ("alpha", 4.0, 2.0)), step(4), edit(4, ("layer_ranks", [], [["fc1", 3]])),
          ResumedRecord(3, (0, 9), edits=1), step(4, 0.25),
          edit(4, ("dropout", 0.0, 0.1)))  # fmt: skip
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


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_what_is_looked_for_from_the_end_is_found_wherever_a_block_begins(
    tmp_path, monkeypatch, block
):
    monkeypatch.setattr(past, "BLOCK", block)
    path = tmp_path / "metrics.jsonl"
    counts = [CountsRecord(n, 10 + n, 100, ()) for n in (0, 5)]
    write(path, step(1), counts[0], step(2), counts[1], *(step(n) for n in range(6, 20)))
    assert last_trained(path) == 15
    assert last_spectrum(path) is None


def test_of_everything_beside_steps_some_thousands_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr("lora_lab.runs.past.MOST", 100)
    rows = []
    for i in range(1, 1001):
        rows += [EvalRecord(i, True, 0.5), EvalRecord(i, False, 0.7)]
        rows += [PaceRecord(i, i / 9, 1.0, 0.1, 0, 0), edit(i, ("alpha", i, i + 1))]
        rows += [ClippedRecord(i, "fc1", 2, 0.1, False)]
    write(tmp_path / "metrics.jsonl", *rows)
    found = list(past_records(tmp_path / "metrics.jsonl", 2000))
    counts = Counter(type(record) for record in found)
    assert set(counts) == {EvalRecord, PastEditRecord, PaceRecord, ClippedRecord}
    assert all(60 <= count <= 200 for count in counts.values())
    assert {r.enabled for r in found if isinstance(r, EvalRecord)} == {True, False}
    assert all(max(r.step for r in found if type(r) is kind) == 1000 for kind in counts)


def test_an_edit_says_no_more_than_is_told_of_one(tmp_path):
    path = tmp_path / "metrics.jsonl"
    many = (("rank", i, "a b " * 999) for i in range(100))
    write(path, edit(1, *many), edit(2, ("x" * 9999, [1] * 9999, 2.5)))
    first, second = past_records(path, 9)
    assert len(first.changes) < 50
    told = [part for record in (first, second) for change in record.changes for part in change]
    assert all(len(str(part)) <= 100 for part in told)
    assert second.changes[0][2] == 2.5


def test_what_no_lab_has_said_does_not_come_back(tmp_path):
    path = tmp_path / "metrics.jsonl"
    whole = EvalRecord(3, True, 1.0, 0.5, (1, 1), (2, 2), confusion=((1, 1), (1, 1)))
    path.write_text("".join(map(line, (
        replace(whole, correct=(1,)), replace(whole, correct=(3, 1)),
        replace(whole, confusion=((1,), (1, 1))), ClippedRecord(3, "x" * 1001, 1, 1.0, False),
        whole,
    ))))  # fmt: skip
    assert list(past_records(path, 9)) == [whole]
