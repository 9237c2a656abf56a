"""What is measured of a model on a device, against the same measured on the CPU."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from lora_lab.exported import ExportedRecord
from lora_lab.measured import WrongRecord
from lora_lab.records import ErrorRecord
from lora_lab.training.commands import Export
from lora_lab.training.measure.clip import measure_clip
from lora_lab.training.measure.directions import explain
from lora_lab.training.measure.intruder_count import count_intruders
from lora_lab.training.measure.memory_preview import memory_preview
from lora_lab.training.measure.merge_preview import merge_preview
from lora_lab.training.measure.rank_hint import rank_hints
from lora_lab.training.measure.speed import measure_speed
from lora_lab.training.questions import ShowWrong
from tests.gpu.devices import STAND_IN, here_too, on_each
from tests.training.driven_run import DrivenRun, digits

CLOCK = ("seconds", "seconds_per_step", "device")  # fields that tell of the machine
MEASURES = {
    "merge": merge_preview,
    "clip": lambda e: measure_clip(e, "fc1", 2, 1e9),
    "rank hints": lambda e: list(rank_hints(e, (0.5, 0.9))),
    "intruders": lambda e: count_intruders(e, "fc1", 4, 0.6),
    "directions": lambda e: explain(e, "fc1", 2, True),
    "answers": lambda e: e.held_out(enabled=True),
}
SPECTRA = ("lora", "rslora", "dora", "vera", "lora-xs", "full", "uni-lora")


def trained(device, **settings):
    """A run whose adapters have a ΔW of size."""
    run = DrivenRun(digits(device=device, dtype="float32", **settings))
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in run.experiment.parameters():
            p += 0.1 * torch.randn(p.shape, generator=draw).to(device)
    return run


def numbers(found):
    """Every number in a record, in order."""
    if dataclasses.is_dataclass(found):
        fields = ((f.name, getattr(found, f.name)) for f in dataclasses.fields(found))
        return [n for name, value in fields if name not in CLOCK for n in numbers(value)]
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list | tuple):
        return [n for value in found for n in numbers(value)]
    if isinstance(found, np.ndarray):
        return found.astype(float).ravel().tolist()
    assert not isinstance(found, torch.Tensor), "no tensor leaves the engine"
    return [float(found)] if isinstance(found, bool | int | float) else []


def assert_close(found, wanted):
    found, wanted = (np.array(numbers(x)) for x in (found, wanted))
    assert len(wanted)
    largest = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6 * min(largest, 1e3))


@on_each
@pytest.mark.parametrize("variant", SPECTRA)
def test_spectra(variant, device):
    on_device, wanted = (trained(where, variant=variant) for where in (device, "cpu"))
    assert_close(on_device.experiment.spectrum(), wanted.experiment.spectrum())


@here_too
def test_spectra_of_lora(device):
    experiment = trained(device).experiment
    dense = [torch.linalg.svdvals(x.delta_weight().detach().cpu().double())
             for x in experiment.layers.values()]  # fmt: skip
    for row, sigma in zip(experiment.spectrum().layers, dense, strict=True):
        np.testing.assert_allclose(row.sigma, sigma[: len(row.sigma)].numpy(), rtol=1e-4)


@on_each
@pytest.mark.parametrize("name", MEASURES)
def test_measures(name, device):
    on_device, wanted = (MEASURES[name](trained(where).experiment) for where in (device, "cpu"))
    assert_close(on_device, wanted)


@on_each
def test_speed_is_measured_and_nothing_moves(device):
    experiment = trained(device).experiment
    before = [p.detach().clone() for p in experiment.parameters()]
    record = measure_speed(experiment)
    assert all(map(torch.equal, before, experiment.parameters()))
    assert max(numbers(record)) > 0


@on_each
def test_memory_is_estimated_as_on_the_cpu_but_for_its_kernels(device):
    found, wanted = (memory_preview(trained(where).experiment) for where in (device, "cpu"))
    if found.reason and (STAND_IN or device == "mps"):
        pytest.skip(found.reason)  # torch's fake tensors share no storage there
    assert not found.reason, found.reason
    for part in ("weights", "gradients", "optimizer"):
        assert math.isclose(getattr(found, part), getattr(wanted, part), rel_tol=0.02), part
    assert found.activations > 0
    assert found.device > 0


@on_each
@pytest.mark.parametrize("variant", ["lora", "dora"])
def test_an_export_proves_itself(variant, device, tmp_path):
    run = trained(device, variant=variant)
    run.steps(1)
    run.controls.request(Export(str(tmp_path / "out")))
    record = run.next((ExportedRecord, ErrorRecord))
    assert isinstance(record, ExportedRecord), record
    assert (tmp_path / "out" / "adapter_model.safetensors").stat().st_size > 0


@on_each
def test_rows_that_are_wrong_are_shown(device):
    run = trained(device)
    run.steps(1)
    run.controls.request(ShowWrong())
    assert isinstance(run.next((WrongRecord, ErrorRecord)), WrongRecord)
