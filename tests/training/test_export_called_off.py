"""An export of a real small model that is called off on its way, stage by stage."""

import pytest

from lora_lab.records import (
    CancelledRecord,
    ErrorRecord,
    ExportedRecord,
    ExportingRecord,
    StepRecord,
)
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.run import run
from tests.training.course import Course, digits


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("after", range(6))
def test_it_ends_at_that_stage_and_what_stood_there_stands(tmp_path, after):
    course = Course(digits())
    course.steps(3)
    target = tmp_path / "out"
    course.controls.request(Export(str(target)))
    course.next(ExportedRecord)
    before = contents(tmp_path)
    course.steps(2)
    export = Export(str(target), overwrite=True)
    course.controls.request(export)
    for _ in range(after + 1):
        course.next(ExportingRecord)
    course.controls.cancel(export)
    assert course.next((CancelledRecord, ExportedRecord, StepRecord)) == CancelledRecord(
        5, "Export"
    )
    assert contents(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    course.steps(1)
    course.controls.request(Export(str(target), overwrite=True))  # the next try is another one
    assert course.next((CancelledRecord, ExportedRecord)).step == 6
    assert contents(tmp_path) != before


def test_one_that_waits_is_called_off_before_it_begins_and_no_other(tmp_path):
    course = Course(digits())
    course.steps(3)
    first, second = Export(str(tmp_path / "out")), Export(str(tmp_path / "out"))
    course.controls.cancel(second)  # equal, and not the same
    course.controls.request(first)
    course.controls.request(second)
    course.next(ExportedRecord)
    assert course.next((CancelledRecord, ErrorRecord)) == CancelledRecord(3, "Export")
    assert [r.what for r in course.seen if isinstance(r, ExportingRecord)][-1] == (
        "Copying the factors"
    )


def test_an_export_that_was_asked_for_before_the_end_is_written(tmp_path):
    course = Course(digits())
    course.steps(3)
    course.controls.request(Export(str(tmp_path / "out")))
    course.controls.stop()
    assert any(isinstance(record, ExportedRecord) for record in course._records)


def test_stages_are_told_and_not_kept_in_the_run(tmp_path):
    config = digits(steps=4)
    controls = Controls(config.hyper)
    told = []
    for record in run(config, controls, folder=tmp_path / "run"):
        told.append(record)
        if isinstance(record, StepRecord) and record.step == 2:
            export = Export(str(tmp_path / "out"))
            controls.request(export)
        if isinstance(record, ExportingRecord):
            controls.cancel(export)
    assert [r for r in told if isinstance(r, ExportingRecord | CancelledRecord)][1:] == [
        CancelledRecord(2, "Export")
    ]
    kept = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert "StepRecord" in kept
    assert "Exporting" not in kept
    assert "CalledOff" not in kept
