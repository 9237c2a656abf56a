"""The run of an earlier lab: listed, resumed to the bit, gone back in, reported, kept."""

import pytest
import torch

from lora_lab.formats import FORMATS
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import (
    EvalRecord,
    PastEditRecord,
    ResumedRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import list_runs
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.past import last_spectrum, past_records
from lora_lab.runs.report import report_of
from lora_lab.runs.row_shape import flaw, known
from lora_lab.runs.story import story_of
from lora_lab.training.commands import GoBack
from lora_lab.training.controls import Controls
from lora_lab.training.opening import Resume
from lora_lab.training.run import run
from lora_lab.training.saving.keep import keep_adapter
from tests.runs.earlier.copied import CUT, END, earlier_losses, earlier_run


@pytest.fixture
def earlier(tmp_path):
    return earlier_run(tmp_path)


@pytest.fixture
def one_thread():
    """The lab that made it had one, and sums over several are rounded otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_it_is_listed(earlier):
    (found,) = list_runs(earlier.parent)
    assert (found.interrupted, found.step, found.max_steps, found.rank) == (True, CUT, END, 2)
    assert (found.title, found.alpha) == ("digits", 6.0)


def test_its_records_are_read(earlier):
    rows = read_metrics(earlier / "metrics.jsonl")
    assert all(known(row) and not flaw(row) for row in rows)
    assert [r["step"] for r in rows if r["record"] == "StepRecord"] == list(range(1, CUT + 1))
    past = list(past_records(earlier / "metrics.jsonl", CUT))
    assert [r.step for r in past if isinstance(r, PastEditRecord)] == [4, 7, 14]
    assert [r.step for r in past if isinstance(r, EvalRecord)] == [0, 0, 3, 6, 9, 9, 9, 12, 15]
    assert last_spectrum(earlier / "metrics.jsonl").step == CUT


@pytest.mark.usefixtures("one_thread")
def test_it_is_resumed_to_the_bit(earlier):
    wanted, tolerance = earlier_losses()
    config = RunFolder.at(earlier).load_config()
    controls, losses, resumed, last = Controls(config.hyper), {}, None, None
    for record in run(Resume.at(earlier), controls):
        if isinstance(record, ResumedRecord):
            resumed = record
        elif isinstance(record, StepRecord) and resumed is not None:
            losses[record.step] = record.loss
        elif isinstance(record, StateRecord):
            last = record
    assert (resumed.step, resumed.edits) == (CUT, 3)
    assert (last.state, last.step) == (State.FINISHED, END)
    assert losses == pytest.approx(wanted, rel=tolerance, abs=0.0)
    assert FORMATS["peft"].load(earlier / "adapter").layers
    stages = [(stage.begin, stage.end) for stage in story_of(earlier).stages()]
    assert stages == [(0, 12), (12, 24)]


def test_every_record_says_where_its_stage_ends(earlier):
    config = RunFolder.at(earlier).load_config()
    controls, goals, ends = Controls(config.hyper, paused=True), [], 0
    for record in run(Resume.at(earlier), controls, serve_after_training=True):
        if isinstance(record, LoadedRecord):
            goals.append(record.goal)
        elif isinstance(record, ResumedRecord):
            assert record.stage == (12, END)
        elif isinstance(record, StateRecord):
            goals.append(record.goal)
            if record.state is State.PAUSED:
                controls.resume()
            elif record.state is State.FINISHED:
                ends += 1
                controls.resume() if ends == 1 else controls.stop()
    assert goals == [END, END, END, END, END + 12, END + 12]


@pytest.mark.parametrize("step", [4, 14])
def test_it_goes_back_before_its_edits(earlier, step):
    config = RunFolder.at(earlier).load_config()
    controls, back, rest = Controls(config.hyper, paused=True), None, []
    controls.request(GoBack(step))
    for record in run(Resume.at(earlier), controls, serve_after_training=True):
        if isinstance(record, ResumedRecord):
            back = record
        elif isinstance(record, StateRecord) and record.state is State.PAUSED:
            if back.step == step:
                controls.resume()
        elif isinstance(record, StepRecord) and back is not None:
            rest.append(record.step)
            if len(rest) == 3:
                controls.stop()
    assert (back.step, back.edits) == (step, {4: 0, 14: 2}[step])
    assert rest == [step + 1, step + 2, step + 3]
    rows = read_metrics(earlier / "metrics.jsonl")
    assert [r["step"] for r in rows if r["record"] == "StepRecord"] == list(range(1, step + 4))


def test_it_is_reported(earlier):
    page = report_of(earlier)
    assert "rank 2 → 3" in page
    assert "dropout 0.1 → 0.2" in page


def test_its_adapter_is_kept(earlier):
    assert keep_adapter(earlier) == CUT
    (found,) = list_runs(earlier.parent)
    assert (found.state, found.max_steps) == ("stopped", END)
