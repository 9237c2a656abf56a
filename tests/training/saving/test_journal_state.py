"""state.json: whatever the writer's thread is late with, it tells how the run stands now."""

import json
import threading

import pytest

from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.presets import get_preset
from lora_lab.records import State, StateRecord, StepRecord
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import summary_of
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New
from lora_lab.training.run import run
from lora_lab.training.saving import autosave


def test_a_slow_writer_does_not_put_the_middle_of_a_run_over_its_end(tmp_path, monkeypatch):
    write = RunFolder.write_summary
    writing, ended, written = (threading.Event() for _ in range(3))

    def slow(self, **facts):
        late = threading.current_thread().name == "lora-lab-writer"
        if late:
            writing.set()
            ended.wait(0.2)  # at most, since the end may well wait for this thread
        write(self, **facts)
        if late:
            written.set()
        elif facts["state"] == "finished":
            ended.set()

    monkeypatch.setattr(RunFolder, "write_summary", slow)
    config = changed(get_preset("digits").config, max_steps=3, autosave_seconds=1e-6)
    for record in run(New(config, tmp_path / "run"), Controls(config.hyper)):
        if isinstance(record, StepRecord) and record.step == 2:
            assert writing.wait(60)  # of the first save, and not done with it
        if isinstance(record, StateRecord) and record.state is State.FINISHED:
            assert written.wait(60)
    assert summary_of(tmp_path / "run").state == "finished"


@pytest.mark.parametrize("name", ["save_adapter", "write_checkpoint"])
def test_a_kill_before_all_of_the_end_stands_leaves_a_run_that_was_interrupted(
    tmp_path, monkeypatch, name
):
    where, seen = (RunFolder, autosave)[name == "write_checkpoint"], []
    write = getattr(where, name)

    def watched(*arguments, **named):
        state = json.loads((tmp_path / "run" / "state.json").read_text())
        seen.append(state["state"])
        return write(*arguments, **named)

    monkeypatch.setattr(where, name, watched)
    config = changed(get_preset("digits").config, max_steps=3, autosave_seconds=1e-6)
    for _ in run(New(config, tmp_path / "run"), Controls(config.hyper)):
        pass
    assert set(seen) <= {"loading", "running"}
    assert seen
    assert summary_of(tmp_path / "run").state == "finished"


def test_an_end_at_whose_save_the_device_is_lost_is_none(tmp_path, monkeypatch):
    def lost(*_):
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(RunFolder, "save_adapter", lost)
    config = changed(get_preset("digits").config, max_steps=3, autosave_seconds=1000)
    with pytest.raises(LabError, match="was lost at step 3"):
        list(run(New(config, tmp_path / "run"), Controls(config.hyper)))
    assert summary_of(tmp_path / "run").state == "failed"
