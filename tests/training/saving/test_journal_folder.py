"""A run's folder that is taken away, comes back, cannot be written: the training goes on."""

import errno
import os
import shutil

import pytest

from lora_lab.config import Origin, changed
from lora_lab.errors import LabError
from lora_lab.presets import get_preset
from lora_lab.records import CheckpointRecord, ErrorRecord, FolderRecord, NewsRecord, StepRecord
from lora_lab.runs import writer
from lora_lab.runs.checkpoints import latest
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import summary_of
from lora_lab.runs.lock import is_live
from lora_lab.runs.metrics import read_metrics
from lora_lab.tasks.base import Evaluation
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.run import run
from lora_lab.training.saving import autosave, run_home
from lora_lab.training.time_budget import TimeBudget
from tests.training.opened import opening

STEPS = 120


@pytest.fixture(autouse=True)
def saves_at_every_step(monkeypatch):
    """However long a copy takes on a busy machine, and done before the next step."""

    class Prompt(writer.Writer):
        def offer(self, job, lasting=False):
            super().offer(job, lasting)
            self.wait()

    monkeypatch.setattr(autosave, "Writer", Prompt)
    monkeypatch.setattr(autosave, "TimeBudget", lambda share, interval: TimeBudget(1e9, interval))


def trained(folder, acts, resume=None, **settings):
    """Every record of a run in which `acts` (step → what is done) are done."""
    config = changed(
        get_preset("digits").config, max_steps=STEPS, autosave_seconds=1e-6, **settings
    )
    how = {"resume": resume} if resume else {"folder": folder}
    records = []
    try:
        for record in run(opening(config, **how), Controls(config.hyper)):
            records.append(record)
            if isinstance(record, StepRecord) and record.step in acts:
                acts.pop(record.step)()
    except LabError as error:  # at the end: what could not be kept
        records.append(ErrorRecord(STEPS, str(error)))
    return records


def losses(records):
    return [r.loss for r in records if isinstance(r, StepRecord)]


def told(records):
    return [r.message for r in records if isinstance(r, ErrorRecord)]


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    return losses(trained(tmp_path_factory.mktemp("wanted") / "run", {}))


def test_a_folder_that_is_deleted_is_made_anew(tmp_path, wanted):
    folder = tmp_path / "run"
    records = trained(folder, {40: lambda: shutil.rmtree(folder)})
    assert losses(records) == wanted
    assert "was missing and has been recreated" in told(records)[-1]
    assert len(told(records)) <= 2, "that a record was refused, and what became of the folder"
    assert latest(folder).step == STEPS
    assert summary_of(folder).state == "finished"
    assert (folder / "adapter" / "adapter_model.safetensors").exists()
    steps = [r["step"] for r in read_metrics(folder / "metrics.jsonl")
             if r["record"] == "StepRecord"]  # fmt: skip
    assert steps[-1] == STEPS
    assert steps == list(range(steps[0], STEPS + 1)), "no gap behind the loss"
    assert steps[0] <= 41


def test_a_drive_that_is_pulled_out_and_put_back(tmp_path, wanted):
    drive, aside = tmp_path / "drive", tmp_path / "aside"
    folder = drive / "run"
    acts = {40: lambda: drive.rename(aside), 80: lambda: aside.rename(drive)}
    records = trained(folder, acts)
    assert losses(records) == wanted
    messages = told(records)
    assert any("is gone" in m and "export the adapter" in m for m in messages)
    assert len(messages) <= 2, "of records and of saves, once each"
    saved = [r.step for r in records if isinstance(r, CheckpointRecord)]
    assert not [step for step in saved if 40 < step < 80], "no false saved"
    assert [r for r in records if isinstance(r, NewsRecord) and "Saved again" in r.message]
    assert latest(folder).step == STEPS
    rows = read_metrics(folder / "metrics.jsonl")
    assert [r["loss"] for r in rows if r["record"] == "StepRecord"] == wanted, "nothing is lost"


def test_a_drive_that_stays_away(tmp_path, wanted):
    drive = tmp_path / "drive"
    records = trained(drive / "run", {40: lambda: drive.rename(tmp_path / "aside")})
    assert losses(records) == wanted
    assert any("is gone" in message for message in told(records))
    assert "records could not be written and are lost" in told(records)[-1]
    assert len(told(records)) <= 4, "and at the end what was not saved"
    again = trained(None, {}, resume=tmp_path / "aside" / "run")
    assert losses(again) == wanted, "and it goes on from where it was"


def test_a_read_only_folder(tmp_path, wanted, monkeypatch):
    """As when a file system is mounted anew after an error of the drive."""
    folder = tmp_path / "run"
    real = {name: getattr(os, name) for name in ("open", "write", "mkdir", "replace", "rename")}

    def refuse():
        for name, call in real.items():

            def refused(*arguments, call=call, name=name, **more):
                reads = name == "open" and not arguments[1] & (os.O_WRONLY | os.O_RDWR)
                if reads or not (name == "write" or str(folder) in str(arguments[0])):
                    return call(*arguments, **more)
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))

            monkeypatch.setattr(os, name, refused)

    def allow():
        monkeypatch.undo()
        monkeypatch.setattr(
            autosave, "TimeBudget", lambda share, interval: TimeBudget(1e9, interval)
        )

    records = trained(folder, {40: refuse, 80: allow})
    assert losses(records) == wanted
    assert 1 <= len(told(records)) <= 2, "of records and of saves, once each"
    assert all("ead-only" in message for message in told(records))
    saved = [r.step for r in records if isinstance(r, CheckpointRecord)]
    assert not [step for step in saved if 41 < step < 80], "no false saved"
    assert latest(folder).step == STEPS
    rows = read_metrics(folder / "metrics.jsonl")
    assert [r["loss"] for r in rows if r["record"] == "StepRecord"] == wanted


@pytest.mark.parametrize("how", ["new", "branch", "resume"])
def test_what_cannot_be_begun_is_told_as_a_writing(tmp_path, monkeypatch, how):
    """The run that it goes on from is read well."""
    config = changed(get_preset("digits").config, max_steps=3)
    before, folder = tmp_path / "before", tmp_path / "run"
    controls = Controls(config.hyper)
    list(run(opening(config, folder=before), controls))

    def refuse(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(RunFolder, "append", refuse)
    asked = {
        "new": {"folder": folder},
        "branch": {"branch": Origin(str(before), 3), "folder": folder},
        "resume": {"resume": before, "until": 6},
    }[how]
    where = before if how == "resume" else folder
    with pytest.raises(LabError, match=f"^{where} was not written: input/output error.$"):
        list(run(opening(config, **asked), Controls(config.hyper)))
    assert not is_live(where)


def test_where_no_folder_can_be_made_it_is_tried_again(tmp_path, wanted, monkeypatch):
    """A home that is full at the first step and has room later: nothing is missing."""
    monkeypatch.setattr(run_home, "RETRY_SECONDS", 0.0)
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path / "file" / "home"))
    (tmp_path / "file").write_text("in the way")
    records = trained(None, {50: (tmp_path / "file").unlink})
    assert losses(records) == wanted
    (message,) = told(records)
    assert "The run is not recorded" in message
    (made,) = [r for r in records if isinstance(r, FolderRecord)]
    rows = read_metrics(type(tmp_path)(made.path) / "metrics.jsonl")
    assert [r["loss"] for r in rows if r["record"] == "StepRecord"] == wanted


def test_what_a_run_dies_of_is_in_its_log(tmp_path, monkeypatch):
    from lora_lab.training.experiment import Experiment

    def broken(self, *_, **__):
        if self.step >= 30:
            raise ZeroDivisionError("no such luck")
        return real(self)

    real = Experiment.spectrum
    monkeypatch.setattr(Experiment, "spectrum", broken)
    with pytest.raises(ZeroDivisionError):
        trained(tmp_path / "run", {})
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "failed: ZeroDivisionError: no such luck" in log
    assert "in broken" in log, "with the traceback"
    assert summary_of(tmp_path / "run").state == "failed"
    assert latest(tmp_path / "run").step >= 30


def test_with_a_folder_that_is_made_anew_the_best_adapter_comes_back(tmp_path, monkeypatch):
    folder, found = tmp_path / "run", []

    def held_out(self, enabled, should_stop=None):
        return Evaluation(loss=1.0 if self.step == 20 else 9.0)

    def look():
        found.append((folder / "adapter-best").is_dir())

    monkeypatch.setattr(Experiment, "held_out", held_out)
    acts = {39: look, 40: lambda: shutil.rmtree(folder), 45: look}
    trained(folder, acts, eval_steps=20)
    assert found == [True, True], "though no better one has come"


def put_in_the_way(path):
    path.unlink()
    path.mkdir()


LOGS = {
    "deleted": [lambda path: path.unlink(), lambda path: None],
    "a folder in its place": [put_in_the_way, lambda path: path.rmdir()],
}


@pytest.mark.parametrize("case", LOGS)
def test_a_log_that_is_lost_stops_no_save(tmp_path, wanted, case):
    """It is said once where it cannot be opened again, and tried again until it can."""
    folder = tmp_path / "run"
    lose, give_back = LOGS[case]
    acts = {40: lambda: lose(folder / "log.txt"), 80: lambda: give_back(folder / "log.txt")}
    records = trained(folder, acts)
    assert losses(records) == wanted
    saved = {r.step for r in records if isinstance(r, CheckpointRecord)}
    assert saved >= set(range(42, STEPS + 1)), "metrics and checkpoints go on"
    assert not told(records), "nothing that a person needs is lost"
    news = [r.message for r in records if isinstance(r, NewsRecord)]
    assert ["log" in message for message in news] == [True] * (case != "deleted")
    rows = read_metrics(folder / "metrics.jsonl")
    assert [r["loss"] for r in rows if r["record"] == "StepRecord"] == wanted
    assert [r["record"] for r in rows].count("LoadedRecord") == 1, "it is the same run"
    assert "finished" in (folder / "log.txt").read_text()


def test_a_run_without_a_log_begins_and_is_resumed(tmp_path, wanted):
    folder, cut = tmp_path / "run", tmp_path / "cut"
    trained(folder, {60: lambda: shutil.copytree(folder, cut)})
    put_in_the_way(cut / "log.txt")
    records = trained(None, {}, resume=cut)
    assert losses(records) == wanted
    assert not told(records)
    assert latest(cut).step == STEPS


def test_a_lock_that_is_taken_away_is_taken_anew(tmp_path):
    folder, held = tmp_path / "run", []
    acts = {40: (folder / "lock").unlink, 60: lambda: held.append(is_live(folder))}
    assert not told(trained(folder, acts))
    assert held == [True]
