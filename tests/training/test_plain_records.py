"""Every record of a run is made of plain values that another process could send, not of numpy's."""

from dataclasses import fields, is_dataclass
from enum import Enum

import numpy as np
import pytest

from lora_lab.config import changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.presets import get_preset
from lora_lab.records import SpectrumRecord, State, StateRecord, StepRecord
from lora_lab.training.commands import (
    CountIntruders,
    EstimateMemory,
    Evaluate,
    Export,
    FindRate,
    GoBack,
    MeasureSpeed,
    MergePreview,
    Save,
    SuggestRank,
)
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New
from lora_lab.training.run import run


def odd(value, where):
    """Paths of what is no plain value."""
    if type(value) in (int, float, bool, str, type(None)) or isinstance(value, Hyperparameters):
        return []
    if isinstance(value, Enum):
        return []
    if isinstance(value, np.ndarray):
        return [] if not value.flags.writeable else [f"{where}: an array that may be written to"]
    if type(value) is tuple:
        return [x for i, item in enumerate(value) for x in odd(item, f"{where}[{i}]")]
    if is_dataclass(value):
        name = type(value).__name__
        return [x for f in fields(value) for x in odd(getattr(value, f.name), f"{name}.{f.name}")]
    return [f"{where}: {type(value)}"]


@pytest.mark.parametrize(
    ("preset", "settings"),
    [("digits", {}), ("digits", {"variant": "full"}), ("digits", {"variant": "dora"}),
     ("known-rank", {})],
)  # fmt: skip
def test_every_record_of_a_run_is_plain(tmp_path, preset, settings):
    config = changed(get_preset(preset).config, max_steps=6, eval_steps=2, **settings)
    controls, kinds, faults = Controls(config.hyper), set(), set()
    commands = [Evaluate(), MergePreview(), EstimateMemory(), MeasureSpeed(), FindRate(8),
                SuggestRank(), Save(), Export(str(tmp_path / "out")), GoBack(3)]  # fmt: skip
    for record in run(New(config, tmp_path / "run"), controls, serve_after_training=True):
        kinds.add(type(record))
        faults.update(odd(record, type(record).__name__))
        if isinstance(record, StepRecord) and record.step == 3:
            controls.set_hyper(changed(controls.hyper, rank=3, dropout=0.1))
        elif isinstance(record, StateRecord) and record.state is State.FINISHED:
            controls.request(CountIntruders("fc1" if preset == "digits" else "layer"))
            for command in commands:
                controls.request(command)
        elif isinstance(record, StateRecord) and record.state is State.PAUSED:
            controls.stop()
    assert SpectrumRecord in kinds
    assert not faults
    assert len(kinds) > 12
