"""Going back in a run and branching off from it: what is put back is what stood there."""

import errno
import json
import shutil
import threading

import pytest

from lora_lab.config import Origin, changed
from lora_lab.errors import LabError
from lora_lab.measured import ClippedRecord
from lora_lab.presets import get_preset
from lora_lab.records import (
    AppliedRecord,
    ErrorRecord,
    FolderRecord,
    NewsRecord,
    ResumedRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs import checkpoints
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import summary_of
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.saves import listed
from lora_lab.training.commands import Clip, GoBack
from lora_lab.training.controls import Controls
from lora_lab.training.opening import Branch, New, Resume
from lora_lab.training.run import run
from lora_lab.training.saving import autosave, journal
from tests.training.opened import opening
from tests.waiting import wait_until


def config_of(steps=60, **hyper):
    preset = get_preset("digits").config
    values = {**preset.hyper.model_dump(), "rank": 4, "dropout": 0.1, "learning_rate": 1e-3}
    return changed(preset, max_steps=steps, autosave_seconds=1000, hyper={**values, **hyper})


def train(config, folder, acts, **more):
    """Every record of a run in which `acts` (step → what is done to the controls) are done."""
    controls, records, done = Controls(config.hyper), [], set()
    for record in run(opening(config, folder=folder, **more), controls, serve_after_training=True):
        records.append(record)
        step = getattr(record, "step", -1)
        if isinstance(record, StepRecord) and step in acts and step not in done:
            done.add(step)
            acts[step](controls)
        if isinstance(record, StateRecord) and record.state is State.FINISHED:
            controls.stop()
    return records


def losses(records):
    found = {}
    for record in records:
        if isinstance(record, ResumedRecord):
            found = {step: loss for step, loss in found.items() if step <= record.step}
        if isinstance(record, StepRecord):
            found[record.step] = record.loss
    return found


def edit(**values):
    return lambda controls: controls.set_hyper(changed(controls.hyper, **values))


def drive(config, folder, edits, back_at, to, then=None):
    """Edit on the way, go back at `back_at`, and train to the end."""
    controls, records = Controls(config.hyper), []
    gone = False
    for record in run(New(config, folder), controls, serve_after_training=True):
        records.append(record)
        if isinstance(record, StepRecord) and not gone:
            if record.step in edits:
                controls.set_hyper(changed(controls.hyper, **edits[record.step]))
            if record.step == back_at:
                gone = True
                controls.request(GoBack(to))
        if isinstance(record, StateRecord):
            if record.state is State.FINISHED:
                controls.stop()
            elif record.state is State.PAUSED and gone:
                if then:
                    controls.set_hyper(changed(controls.hyper, **then))
                controls.resume()
    return records


def test_an_edit_is_undone_to_the_bit(tmp_path):
    """Back before the edit, and on: the run is the one that was never edited."""
    plain = losses(train(config_of(), tmp_path / "plain", {}))
    records = drive(config_of(), tmp_path / "edited", {20: {"rank": 8}}, back_at=40, to=20)
    assert losses(records) == plain
    kept = [path.name for _, path in listed(tmp_path / "edited") if "kept" in path.name]
    assert kept == ["kept-000000020"]
    rows = read_metrics(tmp_path / "edited" / "metrics.jsonl")
    assert [r["step"] for r in rows if r["record"] == "StepRecord"] == list(range(1, 61))
    assert not [r for r in rows if r["record"] == "AppliedRecord" and r["changes"]]
    assert "resumed from the checkpoint of step 20" in (tmp_path / "edited" / "log.txt").read_text()


def test_the_newest_edit_is_undone_while_its_save_is_on_its_way_to_the_disk(tmp_path, monkeypatch):
    asked, write = threading.Event(), autosave.write_checkpoint

    def slow(*args):
        assert asked.wait(60)
        return write(*args)

    def undo(controls):
        controls.request(GoBack(None, before_edit=True))
        asked.set()

    monkeypatch.setattr(autosave, "write_checkpoint", slow)
    acts = {20: edit(rank=8), 30: undo}
    folder, config, controls = tmp_path / "run", config_of(), Controls(config_of().hyper)
    for record in run(New(config, folder), controls, serve_after_training=True):
        if isinstance(record, StepRecord) and record.step in acts:
            acts.pop(record.step)(controls)
        if isinstance(record, ResumedRecord):
            assert record.step == 20
            controls.stop()
        assert not isinstance(record, StateRecord) or record.state is not State.FINISHED
    assert not acts


def test_that_there_is_no_edit_to_undo_is_news(tmp_path):
    undo = GoBack(None, before_edit=True)
    records = train(config_of(30), tmp_path / "run", {20: lambda controls: controls.request(undo)})
    assert [r.message for r in records if isinstance(r, NewsRecord) and "No setting" in r.message]
    assert not any(isinstance(r, ErrorRecord | ResumedRecord) for r in records)


def test_an_edit_that_was_undone_where_it_was_made_stays_undone(tmp_path):
    """Edited, saved and undone in one pause: no save of the edited state is left to resume from."""
    folder, copied, config = tmp_path / "run", tmp_path / "copy", config_of()
    controls, applied = Controls(config.hyper), False
    for record in run(New(config, folder), controls, serve_after_training=True):
        if isinstance(record, StepRecord) and record.step == 20:
            controls.pause()
            controls.set_hyper(changed(controls.hyper, rank=8))
        elif isinstance(record, AppliedRecord) and record.changes:
            applied = True
        elif isinstance(record, StateRecord) and record.state is State.PAUSED and applied:
            applied = False
            controls.request(GoBack(20))
        elif isinstance(record, ResumedRecord):
            shutil.copytree(folder, copied)  # as a process leaves it that is killed here
            controls.stop()
    found = checkpoints.latest(copied)
    assert (found.step, found.facts["edits"], found.facts["hyper"]["rank"]) == (20, 0, 4)
    records = train(config, None, {}, resume=copied)
    assert losses(records) == losses(train(config_of(), tmp_path / "plain", {}))


def test_going_back_pauses_and_tells_the_settings_of_then(tmp_path):
    records = drive(config_of(), tmp_path / "run", {20: {"alpha": 3.0}}, back_at=30, to=21)
    at = next(i for i, r in enumerate(records) if isinstance(r, ResumedRecord))
    applied = next(r for r in records[at:] if isinstance(r, AppliedRecord))
    assert applied.hyper.alpha == config_of().hyper.alpha
    assert applied.changes == ()
    state = next(r for r in records[at:] if isinstance(r, StateRecord))
    assert (state.state, state.step) == (State.PAUSED, 20)


def test_whoever_reads_that_the_run_went_back_finds_the_settings_of_then_requested(tmp_path):
    config, requested = config_of(), []
    controls = Controls(config.hyper)
    for record in run(New(config, tmp_path / "run"), controls, serve_after_training=True):
        if isinstance(record, StepRecord) and record.step == 20:
            controls.set_hyper(changed(controls.hyper, alpha=3.0))
        elif isinstance(record, StepRecord) and record.step == 30:
            controls.request(GoBack(21))
        elif isinstance(record, ResumedRecord | AppliedRecord):
            requested.append(controls.hyper.alpha)
        elif isinstance(record, StateRecord) and record.state is State.PAUSED:
            controls.stop()
    assert requested == [3.0, config.hyper.alpha, config.hyper.alpha]


def test_without_a_save_nothing_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "listed", lambda run: [])
    records = drive(config_of(20), tmp_path / "run", {}, back_at=10, to=5)
    (error,) = [r for r in records if isinstance(r, ErrorRecord)]
    assert "no intact checkpoint" in error.message
    assert losses(records) == losses(train(config_of(20), tmp_path / "plain", {}))


def test_the_nearest_save_is_taken(tmp_path):
    """The first step is saved at once; a run that is left alone is the same from there on."""
    records = drive(config_of(20), tmp_path / "run", {}, back_at=10, to=5)
    assert [r.step for r in records if isinstance(r, ResumedRecord)] == [1]
    assert losses(records) == losses(train(config_of(20), tmp_path / "plain", {}))


@pytest.mark.parametrize("folder", ["given", "own"])
def test_a_branch_goes_another_way_and_the_parent_stays(tmp_path, monkeypatch, folder):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path / "home"))
    parent = tmp_path / "parent"
    before = losses(train(config_of(), parent, {20: edit(alpha=3.0)}))
    size = (parent / "metrics.jsonl").stat().st_size
    config = config_of(learning_rate=3e-4)
    where = tmp_path / "branch" if folder == "given" else None
    records = train(config, where, {}, branch=Origin(str(parent), 20))
    after = losses(records)
    assert {s: x for s, x in after.items() if s <= 20} == {
        s: x for s, x in before.items() if s <= 20
    }
    assert after[21] == before_edit_loss(tmp_path)
    assert after[60] != before[60]
    if where is None:
        where = type(parent)(next(r for r in records if isinstance(r, FolderRecord)).path)
    assert (parent / "metrics.jsonl").stat().st_size == size
    found = summary_of(where)
    assert (found.parent, found.parent_step) == ("parent", 20)
    rows = read_metrics(where / "metrics.jsonl")
    assert [r["step"] for r in rows if r["record"] == "StepRecord"] == list(range(1, 61))
    applied = [r for r in rows if r["record"] == "AppliedRecord" and r["changes"]]
    assert [[c[0] for c in r["changes"]] for r in applied] == [["learning_rate"]]
    assert "branch of parent" in (where / "log.txt").read_text()


def test_a_branch_knows_where_it_came_from_whatever_becomes_of_the_folders(tmp_path):
    """Its own is taken away while it goes on from a save, and the parent is gone by then."""
    parent, branch = tmp_path / "parent", tmp_path / "branch"
    train(config_of(), parent, {20: edit(alpha=3.0)})
    config = config_of(learning_rate=3e-4)
    train(config, branch, {}, branch=Origin(str(parent), 20))
    shutil.rmtree(parent)
    lost = {70: lambda controls: branch.rename(tmp_path / "gone")}
    train(config, None, lost, resume=branch, until=80)
    found = summary_of(branch)
    assert (found.parent, found.parent_step, found.step) == ("parent", 20, 80)
    assert checkpoints.latest(branch).step == 80


def test_a_branch_whose_parent_is_deleted_before_its_first_step_is_recorded(tmp_path):
    """What cannot be had any more is said; the run is kept all the same."""
    parent, config = tmp_path / "parent", config_of(learning_rate=3e-4)
    train(config_of(), parent, {20: edit(alpha=3.0)})
    wanted = losses(train(config, tmp_path / "wanted", {}, branch=Origin(str(parent), 20)))
    controls, records = Controls(config.hyper, paused=True), []
    for record in run(Branch(Origin(str(parent), 20), config), controls, serve_after_training=True):
        records.append(record)
        if isinstance(record, StateRecord) and record.state is State.PAUSED:
            shutil.rmtree(parent)
            controls.resume()
        elif isinstance(record, StateRecord) and record.state is State.FINISHED:
            controls.stop()
    assert losses(records) == wanted
    assert not [r for r in records if isinstance(r, ErrorRecord)]
    assert ["parent is gone" in r.message for r in records if isinstance(r, NewsRecord)] == [True]
    where = type(parent)(next(r for r in records if isinstance(r, FolderRecord)).path)
    assert (summary_of(where).parent, summary_of(where).step) == ("parent", 60)
    steps = [r["step"] for r in read_metrics(where / "metrics.jsonl")
             if r["record"] == "StepRecord"]  # fmt: skip
    assert steps == list(range(21, 61))


def before_edit_loss(tmp_path):
    """The loss of step 21 without the edit: the rate moves only what comes after it."""
    return losses(train(config_of(), tmp_path / "plain", {}))[21]


def test_a_branch_may_have_another_precision_and_length(tmp_path):
    train(config_of(), tmp_path / "parent", {20: edit(alpha=3.0)})
    config = changed(config_of(), dtype="float64", max_steps=30)
    records = train(config, tmp_path / "b", {}, branch=Origin(str(tmp_path / "parent"), 20))
    assert max(losses(records)) == 30
    other = changed(config_of(), optimizer="sgd")
    with pytest.raises(LabError, match="keeps its optimizer"):
        train(other, tmp_path / "c", {}, branch=Origin(str(tmp_path / "parent"), 20))


@pytest.mark.parametrize("missing", ["fc1|lora_A", "fc3|lora_B|exp_avg", "random|torch"])
def test_a_checkpoint_of_another_run_leaves_everything_as_it_was(tmp_path, monkeypatch, missing):
    """One whose tensors do not fit is refused and the run goes on."""
    plain = losses(train(config_of(40), tmp_path / "plain", {20: edit(alpha=3.0)}))
    real = checkpoints.nearest

    def damaged(run, step):
        found = real(run, step)
        found.tensors.pop(missing)
        return found

    monkeypatch.setattr(checkpoints, "nearest", damaged)
    records = drive(config_of(40), tmp_path / "run", {20: {"alpha": 3.0}}, back_at=30, to=20)
    (error,) = [r for r in records if isinstance(r, ErrorRecord)]
    assert "does not fit this run" in error.message
    assert losses(records) == plain


def test_a_drag_keeps_one_checkpoint(tmp_path):
    acts = {step: edit(alpha=float(step)) for step in range(20, 30)}
    train(config_of(), tmp_path / "run", acts)
    kept = [path.name for _, path in listed(tmp_path / "run") if "kept" in path.name]
    assert kept == ["kept-000000020"]


@pytest.mark.parametrize(
    ("variant", "cut"), [("lora", {"rank": 2}), ("subspace", {"dimension": 16})]
)
def test_a_cut_is_kept_from_whatever_was_moved_just_before(tmp_path, variant, cut):
    config = changed(config_of(30, dropout=0.0), variant=variant)
    train(config, tmp_path / "run", {20: edit(weight_decay=0.1), 21: edit(**cut)})
    kept = [path.name for _, path in listed(tmp_path / "run") if "kept" in path.name]
    assert kept == ["kept-000000020", "kept-000000021"]


@pytest.mark.parametrize("full", [False, True])
def test_a_clip_says_whether_what_stood_right_before_it_is_kept(tmp_path, monkeypatch, full):
    """A mark of an earlier edit is no way back to this one."""

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    def clip(controls):
        wait_until((tmp_path / "run/checkpoints/kept-000000010/manifest.json").is_file)
        if full:
            monkeypatch.setattr(autosave, "write_checkpoint", refuse)
        controls.request(Clip("fc2", 1, 1e-3))

    records = train(config_of(30), tmp_path / "run", {10: edit(alpha=3.0), 20: clip})
    (clipped,) = [r for r in records if isinstance(r, ClippedRecord)]
    assert (clipped.step, clipped.kept) == (20, not full)
    kept = {path.name for _, path in listed(tmp_path / "run")}
    assert "kept-000000010" in kept
    assert ("kept-000000020" in kept) == clipped.kept


def test_old_marks_leave(tmp_path, monkeypatch):
    from lora_lab.training.saving import journal

    monkeypatch.setattr(journal, "GESTURE_SECONDS", -1.0)
    acts = {step: edit(alpha=float(step)) for step in range(10, 40)}
    train(config_of(), tmp_path / "run", acts)
    kept = [path.name for _, path in listed(tmp_path / "run") if "kept" in path.name]
    assert len(kept) == checkpoints.MARKS
    assert kept[-1] == "kept-000000039"


def test_a_finished_run_opens_again_as_it_ended(tmp_path):
    config = config_of(30)
    train(config, tmp_path / "run", {})
    controls, states = Controls(config.hyper, paused=True), []
    records = []
    for record in run(Resume.at(tmp_path / "run"), controls, serve_after_training=True):
        records.append(record)
        if isinstance(record, StateRecord):
            states.append((record.state, record.step))
            controls.stop()
    assert states[0] == (State.FINISHED, 30)
    assert sorted(losses(records)) == list(range(1, 31))
    about = json.loads((tmp_path / "run" / "state.json").read_text())
    assert about["state"] == "finished"


def test_two_edits_at_one_step_are_undone_to_what_stood_before_the_first(tmp_path, monkeypatch):
    """A rank that was cut in a pause comes back, whatever was moved after it."""
    monkeypatch.setattr(journal, "GESTURE_SECONDS", 0.0)
    config, controls, stage = config_of(), Controls(config_of().hyper), []
    for record in run(New(config, tmp_path / "run"), controls, serve_after_training=True):
        if isinstance(record, StepRecord) and record.step == 20 and not stage:
            controls.pause()
        elif isinstance(record, StateRecord) and record.state is State.PAUSED and record.step:
            if not stage:
                stage.append("rank")
                controls.set_hyper(changed(config.hyper, rank=1))
        elif isinstance(record, AppliedRecord) and record.changes and stage[-1:] == ["rank"]:
            stage.append("alpha")
            controls.set_hyper(changed(controls.hyper, alpha=1.0))
        elif isinstance(record, AppliedRecord) and record.changes and stage[-1:] == ["alpha"]:
            stage.append("back")
            controls.request(GoBack(20))
        elif isinstance(record, AppliedRecord) and not record.changes and stage[-1:] == ["back"]:
            found = record.hyper
            controls.stop()
    assert (found.rank, found.alpha) == (config.hyper.rank, config.hyper.alpha)


def test_the_best_adapter_stands_before_the_checkpoint_that_names_it(tmp_path, monkeypatch):
    """And it is taken away where the run goes back to before it: no file is of a lost step."""
    real, forget, stands, left = autosave.write_checkpoint, RunFolder.forget_best, [], []

    def write(path, step, tensors, facts, *keep):
        if facts["best"]["step"] and not left:
            stands.append((path / "adapter-best").is_dir())
        return real(path, step, tensors, facts, *keep)

    def forgotten(folder):
        forget(folder)
        left.append((folder.path / "adapter-best").exists())

    monkeypatch.setattr(autosave, "write_checkpoint", write)
    monkeypatch.setattr(RunFolder, "forget_best", forgotten)
    config = changed(config_of(learning_rate=1e-4), eval_steps=5)
    drive(config, tmp_path / "run", {20: {"alpha": 3.0}}, back_at=40, to=20)
    assert stands
    assert all(stands)
    assert left == [False]
