"""A run that is trained elsewhere, watched by what comes into its folder."""

import json
from dataclasses import replace

import pytest

from lora_lab.config import changed
from lora_lab.engine.mirrored import MirroredRun
from lora_lab.engine.wire import record_of
from lora_lab.exported import ExportedRecord, ExportingRecord, ExportReport
from lora_lab.measured import CutRecord
from lora_lab.opening_records import OpeningRecord
from lora_lab.presets import get_preset
from lora_lab.records import (
    CheckpointRecord,
    ErrorRecord,
    FolderRecord,
    LayerSpectrum,
    SavedRecord,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
    frozen_array,
)
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import METRICS, MIRROR
from lora_lab.runs.metrics import line
from lora_lab.training.commands import Save
from tests.runs.sample_run import records
from tests.waiting import wait_until


def steps(*numbers):
    return "".join(line(StepRecord(n, 1.0 / n, 1e-3, 0.1 * n)) for n in numbers)


@pytest.fixture
def run(tmp_path):
    folder = RunFolder.create(tmp_path, "run")
    folder.write_config(changed(get_preset("known-rank").config, max_steps=4))
    folder.close()
    (folder.path / MIRROR).write_text("{}")
    (folder.path / METRICS).write_text(line(StateRecord(State.RUNNING, 0)) + steps(1, 2))
    return folder.path


@pytest.fixture
def watched(run, monkeypatch):
    monkeypatch.setattr("lora_lab.engine.mirrored.LOOK", 0.01)
    session = MirroredRun(run)
    session.start()
    yield session
    session.let_go()
    session.join()
    assert session.drain()[-1] == StateRecord(State.CLOSED, session.step)


class Heard:
    def __init__(self, session):
        self.session, self.records = session, []

    def until(self, condition):
        def look():
            self.records += self.session.drain()
            return condition(self.records)

        wait_until(look)

    def numbers(self):
        return [r.step for r in self.records if isinstance(r, StepRecord)]


def test_no_more_rows_are_read_than_are_shown(run, watched, monkeypatch):
    monkeypatch.setattr("lora_lab.engine.mirrored.ROOM", 5)
    with (run / METRICS).open("a") as file:
        file.write(steps(*range(3, 200)))
    heard = Heard(watched)
    most = []

    def look():
        records = watched.drain()
        most.append(len(records))
        heard.records += records
        return heard.numbers() == [*range(1, 200)]

    wait_until(look)
    assert max(most[1:]) <= 6


def test_rows_are_records_as_they_come_each_once(run, watched):
    heard = Heard(watched)
    heard.until(lambda _: heard.numbers() == [1, 2])
    with (run / METRICS).open("a") as file:
        file.write(steps(3)[:9])
        file.flush()
        heard.until(lambda _: True)
        file.write(steps(3)[9:] + line(FolderRecord(3, "/over/there")))
    heard.until(lambda _: heard.numbers() == [1, 2, 3])
    assert watched.controls.paused is False
    assert not [r for r in heard.records if isinstance(r, FolderRecord)]


def test_a_folder_that_comes_as_a_whole_adds_what_is_missing(run, watched):
    heard = Heard(watched)
    heard.until(lambda _: heard.numbers() == [1, 2])
    (run / MIRROR).unlink()
    whole = run / "whole"
    whole.write_text(
        line(StateRecord(State.RUNNING, 0)) + steps(1, 2, 3, 4)
        + line(StateRecord(State.FINISHED, 4))
    )  # fmt: skip
    whole.replace(run / METRICS)
    heard.until(lambda _: watched.state is State.FINISHED)
    heard.until(lambda _: heard.numbers() == [1, 2, 3, 4])
    states = [r.state for r in heard.records if isinstance(r, StateRecord)]
    assert states == [State.LOADING, State.RUNNING, State.FINISHED]


def test_whatever_is_asked_of_it_is_refused_in_one_message(watched):
    heard = Heard(watched)
    asked = (watched.controls.pause, watched.controls.resume, watched.controls.finish,
             lambda: watched.controls.request(Save()))  # fmt: skip
    for ask in asked:
        ask()
    heard.until(lambda records: sum(isinstance(r, ErrorRecord) for r in records) == len(asked))
    assert any(isinstance(r, ErrorRecord) and r.ends(Save) for r in heard.records)


def test_what_is_a_record_in_a_file_is_one_again():
    layer = LayerSpectrum("fc1", frozen_array([2.0, 1.0]), 2, 1.5, 1.2, 1.0, 2, 4.0, 2.0)
    record = SpectrumRecord(7, (layer,))
    again = record_of(json.loads(line(record)))
    assert again.layers[0].sigma.tolist() == [2.0, 1.0]
    assert not again.layers[0].sigma.flags.writeable
    assert record_of({"record": "StepRecord", "step": "x"}) is None
    assert record_of({"record": "Strange"}) is None


def test_of_records_that_no_lab_says_one_is_told_and_the_others_come(run, watched):
    heard = Heard(watched)
    heard.until(lambda _: heard.numbers() == [1, 2])
    with (run / METRICS).open("a") as file:
        said = [record for record in records() if not isinstance(record, StepRecord)]
        file.write("".join(map(line, said)))
        for rank in (0, -4, 2**60):
            row = replace(said[2].layers[0], rank=rank)
            file.write(line(replace(said[2], step=5, layers=(row, *said[2].layers[1:]))))
        file.write(steps(6))
    heard.until(lambda _: heard.numbers() == [1, 2, 6])
    (error,) = [r for r in heard.records if isinstance(r, ErrorRecord)]
    assert "metrics.jsonl is damaged: the SpectrumRecord of step 5 has no layers" in error.message
    assert all(r.layers[0].rank > 0 for r in heard.records if isinstance(r, SpectrumRecord))


def test_no_path_of_elsewhere_and_nothing_that_was_asked_for_there_is_said(run, watched):
    heard = Heard(watched)
    report = ExportReport("peft", "/over/there", (), 1, 1, "x")
    with (run / METRICS).open("a") as file:
        file.write("".join(map(line, (
            ExportedRecord(2, report), ExportingRecord(2, "x", 0.5), SavedRecord(2, "/over/there"),
            CheckpointRecord(2, "/over/there"), CutRecord(2, "/over/there", (1,), 1.0),
            ErrorRecord(2, "x", command="Export"), FolderRecord(2, "/over/there"),
        ))))  # fmt: skip
        file.write(steps(3))
    heard.until(lambda _: heard.numbers() == [1, 2, 3])
    kinds = {type(record) for record in heard.records}
    assert kinds == {StateRecord, OpeningRecord, StepRecord}


def test_few_costly_records_are_shown_at_once(run, watched):
    heard, most = Heard(watched), []
    with (run / METRICS).open("a") as file:
        file.write(line(StateRecord(State.RUNNING, 2)) * 1000 + steps(3))

    def look():
        new = watched.drain()
        most.append(len(new))
        heard.records += new
        return heard.numbers() == [1, 2, 3]

    wait_until(look)
    assert max(most) <= 110


def test_a_model_that_cannot_be_ends_it_with_the_reason(run):
    with (run / METRICS).open("a") as file:
        file.write(line(replace(next(records()), variant="zzz")) + steps(3))
    session = MirroredRun(run)
    session.start()
    assert session.join(60)
    heard = session.drain()
    assert heard[-2].state is State.FAILED
    assert heard[-2].message.endswith("the LoadedRecord has no variant as it should be.")
    assert [r.step for r in heard if isinstance(r, StepRecord)] == [1, 2]
