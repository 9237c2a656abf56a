"""Records of runs of weeks and of files made by hand: what is kept of them, and that it ends."""

import json
import random
import tracemalloc
from itertools import pairwise

import pytest

from lora_lab.errors import LabError
from lora_lab.runs import lines, past
from lora_lab.runs.inputs import recorded_layers
from lora_lab.runs.lines import held_lines, whole_lines
from lora_lab.runs.measure import UNKNOWN, measure_of
from lora_lab.runs.metrics import copy_holding, read_metrics
from lora_lab.runs.recipe import written
from tests.runs.sample_run import write_sample
from tests.runs.test_metrics import STEP, course, wanted


def is_step(row):
    return row.get("record") == "StepRecord"


def test_of_too_many_steps_some_are_left_out_that_lie_between_steps(tmp_path):
    path, thinned = tmp_path / "metrics.jsonl", 0
    for seed in range(100):
        chance = random.Random(seed)
        rows = course(chance) + [json.loads(STEP % (1000 + i)) for i in range(chance.randrange(90))]
        path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
        kept, whole = [json.loads(raw) for raw in held_lines(path, most=8)], wanted(rows)
        assert [r for r in kept if not is_step(r)] == [r for r in whole if not is_step(r)]
        steps = iter([row for row in whole if is_step(row)])
        assert all(row in steps for row in kept if is_step(row)), "in their order"
        assert kept[-1] == whole[-1]
        if not any(row.get("record") == "ResumedRecord" for row in rows):
            for before, row in pairwise(whole):  # where a stage of the schedule may begin
                assert row in kept or (is_step(before) and is_step(row))
        thinned += len(kept) < len(whole)
        assert sum(map(is_step, kept)) <= 17 + 8 * sum(not is_step(r) for r in rows)
    assert thinned > 50


def test_a_run_of_a_million_steps_is_read_in_little_memory(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(STEP % i + "\n" for i in range(20_000)))
    monkeypatch.setattr("lora_lab.runs.metrics.MOST_STEPS", 100)
    tracemalloc.start()
    try:
        rows = read_metrics(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 100 <= len(rows) <= 201
    assert (rows[0]["step"], rows[-1]["step"]) == (0, 19_999)
    assert peak < 2**20


def test_a_branch_of_a_million_steps_is_made_in_little_memory(tmp_path):
    path, copy = tmp_path / "metrics.jsonl", tmp_path / "copy.jsonl"
    back = '{"record":"ResumedRecord","step":9000,"edits":0}\n'
    path.write_text("".join(STEP % i + "\n" for i in range(20_000)) + back + STEP % 9001 + "\n")
    tracemalloc.start()
    try:
        copy_holding(path, copy, 9001, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert copy.read_bytes().count(b"\n") == 9003
    assert peak < 2**18


def test_lists_of_many_records_count_beside_their_text(tmp_path, monkeypatch):
    path, text = (
        tmp_path / "metrics.jsonl",
        '{"record":"EvalRecord","x":[' + "[]," * 1000 + "[]]}\n",
    )
    path.write_text(text * 20)
    monkeypatch.setattr(lines, "MOST_BYTES", 20 * (len(text) + 1003 * lines.LIST))
    assert len(read_metrics(path)) == 20
    monkeypatch.setattr(lines, "MOST_BYTES", 2 * 20 * len(text))
    with pytest.raises(LabError, match="too long to be read whole"):
        read_metrics(path)


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_line_that_holds_more_than_any_record_is_passed_over(tmp_path, end):
    path = tmp_path / "metrics.jsonl"
    step = STEP % 1 + "\n"
    path.write_text('{"record":"EvalRecord","x":[' + "[]," * 2**20 + "[]]}\n" + step + end)
    assert [row["record"] for row in read_metrics(path)] == ["StepRecord"]


def test_lines_that_are_still_being_written_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 10)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"one\ntwo\nthr")
    with path.open("rb") as file:
        assert list(whole_lines(file)) == [b"one\n", b"two\n"]
        assert list(whole_lines(file)) == []
        with path.open("ab") as more:
            more.write(b"ee\n" + b"x" * 25)
        assert list(whole_lines(file)) == [b"three\n", b"x" * 10, b"x" * 10]
        with path.open("ab") as more:
            more.write(b"\nfour\n")
        assert list(whole_lines(file)) == [b"x" * 5 + b"\n", b"four\n"]


def test_of_hours_of_spectra_the_first_the_last_and_some_between_are_read(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    spectrum = '{"record":"SpectrumRecord","step":%d,"layers":[]}'
    rows = [line % step for step in range(1, 401) for line in (STEP, spectrum)]
    path.write_text("".join(row + "\n" for row in rows))
    assert len(read_metrics(path)) == 800
    size = len(spectrum) + 2 * lines.LIST
    monkeypatch.setattr(lines, "MOST_SPECTRA", 20 * size)
    monkeypatch.setattr(lines, "MOST_BYTES", 2 * size)
    found = read_metrics(path)
    assert [row["step"] for row in found if is_step(row)] == [*range(1, 401)]
    kept = [row["step"] for row in found if not is_step(row)]
    assert kept == [*range(1, 401, kept[1] - 1), 400]
    assert 10 < len(kept) < 23
    path.write_text(path.read_text() + '{"record":"ResumedRecord","step":200,"edits":0}\n')
    assert max(row["step"] for row in read_metrics(path)) == 200
    assert sum(1 for _ in held_lines(path)) == 401  # where all are asked for, all come


def test_more_records_than_can_be_held_are_refused_by_name(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"record":"EvalRecord"}\n' * 20)
    assert len(read_metrics(path)) == 20
    monkeypatch.setattr(lines, "MOST_BESIDE", 10)
    with pytest.raises(LabError, match=r"too long to be read whole: .* over 10 records"):
        read_metrics(path)


def test_a_line_without_an_end_is_passed_over_in_little_memory(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes((STEP % 1 + "\n").encode())
    with path.open("rb+") as file:
        file.truncate(2**23)
    monkeypatch.setattr(lines, "LONGEST", 2**16)
    monkeypatch.setattr(past, "LONGEST", 2**16)
    tracemalloc.start()
    try:
        assert [row["step"] for row in read_metrics(path)] == [1]
        assert [record.step for record in past.past_records(path, 9)] == [1]
        assert measure_of(path) == UNKNOWN
        assert recorded_layers(path) == ()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**22


def test_what_is_no_table_is_not_decoded():
    class Raw(bytes):
        def decode(self, *_):
            raise AssertionError("decoded")

    assert lines.parsed(Raw(bytes(99))) is None
    assert lines.parsed(b'  {"a":1}\n') == {"a": 1}


def test_a_run_that_was_moved_too_often_has_no_script(tmp_path, monkeypatch):
    run = write_sample(tmp_path)
    row = {"record": "AppliedRecord", "step": 20, "changes": [["rank", 8, 8]], "notes": []}
    story = [json.loads(raw) for raw in (run / "metrics.jsonl").read_bytes().splitlines()]
    row["hyper"] = next(each["hyper"] for each in story if "hyper" in each)
    with (run / "metrics.jsonl").open("a") as file:
        file.write((json.dumps(row) + "\n") * 20)
    monkeypatch.setattr("lora_lab.runs.story.MOST_MOVES", 10)
    with pytest.raises(LabError, match="no script repeats"):
        written(run)
