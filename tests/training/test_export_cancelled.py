"""An export of a real small model that is cancelled on its way, stage by stage."""

import pytest

from lora_lab.exported import ExportedRecord, ExportingRecord
from lora_lab.records import CancelledRecord, ErrorRecord, StepRecord
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New
from lora_lab.training.run import run
from tests.training.driven_run import DrivenRun, digits


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("after", range(6))
def test_it_ends_at_that_stage_and_what_stood_there_stands(tmp_path, after):
    driven = DrivenRun(digits())
    driven.steps(3)
    target = tmp_path / "out"
    driven.controls.request(Export(str(target)))
    driven.next(ExportedRecord)
    before = contents(tmp_path)
    driven.steps(2)
    export = Export(str(target), overwrite=True)
    driven.controls.request(export)
    for _ in range(after + 1):
        driven.next(ExportingRecord)
    driven.controls.cancel(export)
    assert driven.next((CancelledRecord, ExportedRecord, StepRecord)) == CancelledRecord(
        5, "Export"
    )
    assert contents(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    driven.steps(1)
    driven.controls.request(Export(str(target), overwrite=True))  # the next try is another one
    assert driven.next((CancelledRecord, ExportedRecord)).step == 6
    assert contents(tmp_path) != before


def test_one_that_waits_is_cancelled_before_it_begins_and_no_other(tmp_path):
    driven = DrivenRun(digits())
    driven.steps(3)
    first, second = Export(str(tmp_path / "out")), Export(str(tmp_path / "out"))
    driven.controls.cancel(second)  # equal, and not the same
    driven.controls.request(first)
    driven.controls.request(second)
    driven.next(ExportedRecord)
    assert driven.next((CancelledRecord, ErrorRecord)) == CancelledRecord(3, "Export")
    assert [r.what for r in driven.seen if isinstance(r, ExportingRecord)][-1] == (
        "Copying the factors"
    )


def test_an_export_that_was_asked_for_before_the_end_is_written(tmp_path):
    driven = DrivenRun(digits())
    driven.steps(3)
    driven.controls.request(Export(str(tmp_path / "out")))
    driven.controls.stop()
    assert any(isinstance(record, ExportedRecord) for record in driven.rest())


def test_stages_are_told_and_not_kept_in_the_run(tmp_path):
    config = digits(steps=4)
    controls = Controls(config.hyper)
    told = []
    for record in run(New(config, tmp_path / "run"), controls):
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
