"""Steps that run out of memory: made anew in smaller parts, with the same gradients."""

import pytest
import torch

from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.presets import get_preset
from lora_lab.records import ErrorRecord, NewsRecord, State, StateRecord, StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients, is_out_of_memory
from lora_lab.training.loop import train

ERRORS = {
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    "mps": RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    "cpu": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    "python": MemoryError(),
}


def experiment_of(**settings):
    return Experiment.build(
        changed(get_preset("digits").config, batch_size=32, max_steps=6, **settings)
    )


def short_above(experiment, rows, error):
    """Memory for `rows` examples at a time."""
    real, seen = experiment.task.loss, []

    def loss(model, part):
        seen.append(len(part[0]))
        if len(part[0]) > rows:
            real(model, part)  # what it had computed is in the way
            raise error
        return real(model, part)

    experiment.task.loss = loss
    return seen


@pytest.mark.parametrize("name", ERRORS)
def test_the_gradients_are_those_of_the_whole_batch(name):
    whole, halved = experiment_of(), experiment_of()
    batch = next(whole.batches)
    wanted = gradients(whole, batch)
    seen = short_above(halved, 8, ERRORS[name])
    found = gradients(halved, next(halved.batches))
    assert found.halvings == 2
    assert halved.accumulation == 4
    assert seen == [32, 16, 8, 8, 8, 8]
    assert found.loss == pytest.approx(wanted.loss, rel=1e-5)
    for p, q in zip(whole.parameters(), halved.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-6)


def test_other_errors_are_not_taken_for_it():
    experiment = experiment_of()
    short_above(experiment, 0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(LabError, match="own code fails in a step of training: mat1 and mat2"):
        gradients(experiment, next(experiment.batches))
    assert not is_out_of_memory(ValueError("x"))


def test_a_run_goes_on_and_says_so():
    experiment = experiment_of()
    short_above(experiment, 16, ERRORS["cpu"])
    seen = list(train(experiment, Controls(experiment.hyper)))
    assert len([r for r in seen if isinstance(r, StepRecord)]) == 6
    (news,) = [r for r in seen if isinstance(r, NewsRecord)]
    assert "Step 1 ran out of memory" in news.message
    assert "in 2 parts" in news.message


def test_where_nothing_helps_it_pauses_with_what_was_learned():
    experiment, seen = experiment_of(), []
    controls = Controls(experiment.hyper)
    for record in train(experiment, controls):
        seen.append(record)
        if isinstance(record, StepRecord) and record.step == 2:
            kept = [p.detach().clone() for p in experiment.parameters()]
            short_above(experiment, 0, ERRORS["cuda"])
        if isinstance(record, ErrorRecord):
            controls.stop()
    (error,) = [r for r in seen if isinstance(r, ErrorRecord)]
    assert "does not fit into memory even in 8 parts" in error.message
    assert "smaller batch" in error.message
    assert [r.state for r in seen if isinstance(r, StateRecord)][-1] is State.PAUSED
    assert experiment.step == 2
    for p, q in zip(experiment.parameters(), kept, strict=True):
        assert torch.equal(p, q)
