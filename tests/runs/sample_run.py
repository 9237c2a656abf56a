"""A run's folder written from records alone, for what is read from one."""

import json

from lora_lab.config import Origin, changed
from lora_lab.exported import ExportedRecord, ExportReport, LayerCheck
from lora_lab.opening_records import LayerInfo, LoadedRecord, TargetInfo
from lora_lab.presets import get_preset
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    EvalRecord,
    LayerSpectrum,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
    frozen_array,
)
from lora_lab.runs.folder import RunFolder

LAYERS = (
    LayerInfo("fc1", (128, 64), 3.0, max_rank=64),
    LayerInfo("fc<2>", (64, 128), 2.0, max_rank=64),
)
SIGMA = {"fc1": (2.0, 1.0, 0.5), "fc<2>": (4.0, 0.0, 0.0)}
LOSSES = (2.0, 1.5, 1.0, 0.75, 0.5)
HELD = {0: 2.0, 2: 1.25, 5: 1.0}


def spectrum(step):
    """σ of both layers; those of step 0 are all zero."""
    layers = [
        LayerSpectrum(
            name, frozen_array(values if step else (0, 0, 0)), 3, 1.3, 2.2, sum(values), 3, 6.0, 2.0
        )
        for name, values in SIGMA.items()
    ]
    return SpectrumRecord(step, tuple(layers))


def records():
    """Five steps with a rank edit before the third and a rate before the fifth."""
    hyper = get_preset("digits").config.hyper
    rank = changed(hyper, rank=8)
    rate = changed(rank, learning_rate=1e-5)
    yield LoadedRecord(
        "digits", "", "digits", "lora", "base <1>", "cpu", "float32", LAYERS, 17226, 64, 5, hyper,
        trained_classes=("9",),
        adaptable=tuple(TargetInfo(x.name, "linear", x.shape) for x in LAYERS),
    )  # fmt: skip
    yield CountsRecord(0, 1536, 17226, (("fc1", 768), ("fc<2>", 768)))
    yield spectrum(0)
    yield EvalRecord(0, False, 2.0, 0.9)
    yield EvalRecord(0, True, HELD[0], 0.9)
    yield StateRecord(State.RUNNING, 0)
    for step, loss in enumerate(LOSSES, 1):
        yield StepRecord(step, loss, 1e-3 / step, 0.5 * step)
        if step == 2:
            yield spectrum(2)
            yield EvalRecord(2, True, HELD[2], 0.8)
            yield AppliedRecord(2, rank, (("rank", 4, 8),), ("a note",))
        if step == 4:
            yield AppliedRecord(4, rate, (("learning_rate", 4e-6, 1e-5),))
    yield spectrum(5)
    yield EvalRecord(5, True, HELD[5], 0.75)
    yield StateRecord(State.FINISHED, 5)
    checks = (LayerCheck("fc1", 8, 2e-8), LayerCheck("fc<2>", 8, 3e-8))
    yield ExportedRecord(5, ExportReport("peft", "/a/mine", checks, 4, 4096, "ab12cd34ef"))


def write_sample(parent, name="run", written=None, origin=None):
    """The folder of that run, or of other records."""
    folder = RunFolder.create(parent, name)
    config = changed(get_preset("digits").config, max_steps=5, schedule="linear")
    folder.write_config(config, "fingerprint of the base", origin and Origin(*origin))
    folder.append(records() if written is None else written)
    folder.write_summary(state="finished", step=5, max_steps=5, loss=0.5, best=1.0, seconds=2.5,
                         hyper={"rank": 8, "alpha": 4.0})  # fmt: skip
    folder.close()
    (folder.path / "label.json").write_text(json.dumps({"name": "my <b>run</b>", "note": "a & b"}))
    return folder.path
