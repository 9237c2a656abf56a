"""A lab that has grown by one row in every registry, for one test."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace

import torch
from torch import nn

from lora_lab import adapters, inits, paths, task_info, tasks, variants
from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.init import Start
from lora_lab.adapters.lora import LoRALayer
from lora_lab.formats import FORMATS
from lora_lab.runs import row_shape
from lora_lab.tasks.text_classification import TextClassificationTask
from lora_lab.workshop import requests
from tests.models.tiny import save

VARIANTS = ("quarter", "gain")  # one with factors, one without
INIT, TASK, PRESET, FORMAT = "signs", "tone", "grown", "copy"

ROWS = {
    "quarter": variants.Variant(
        "quarter:QuarterLayer", "quarter", "ΔW = (α/r^¼)·B·A", mark="p", sample="⬟",
        divisor=lambda rank: rank**0.25, formula="α / r^¼",
    ),
    "gain": variants.Variant(
        "gain:GainLayer", "gain", "ΔW = (g − 1) ∘ W, g: (out)", mark="h", sample="⬢",
        factored=False, exact_sigma=False, magnitude=True,
        locked=(("rank", "a gain has no rank"), ("alpha", "a gain has no scaling"),
                ("dropout", "a gain has no adapter path to drop")),
    ),
}  # fmt: skip


class QuarterLayer(LoRALayer):
    """h = W x + b + s·B·A·x,   s = α/r^¼."""

    scaling_for = staticmethod(ROWS["quarter"].scaling)


class GainLayer(AdapterLayer):
    """h = g ∘ W x + b,   g: (out) starts as 1: a variant that has no factors."""

    locked = ROWS["gain"].locked

    def __init__(self, base_layer, name, rank, alpha, init, generator):
        super().__init__(base_layer, name)
        out_features, _ = self.shape
        device = base_layer.weight.device
        self.gain = nn.Parameter(torch.ones(out_features, dtype=self.factor_dtype, device=device))

    def delta_weight(self):
        return (self.gain - 1)[:, None] * self.matrix.to(self.factor_dtype)


def signs(rows, in_features, rank, generator):
    """Entries of ±1/√in, as likely one as the other."""
    drawn = torch.randint(0, 2, (rows, in_features), generator=generator)
    return (2.0 * drawn - 1) / in_features**0.5


class ToneTask(TextClassificationTask):
    """Text classification under another name, as a task of one's own would begin."""

    name = TASK


@dataclass(frozen=True)
class PulseRecord:
    """How many layers answered a command."""

    step: int
    layers: int


@dataclass(frozen=True)
class Pulse:
    """A command that emits a record of its own."""

    def run(self, experiment, folder):
        yield PulseRecord(experiment.step, len(experiment.layers))


def grow(monkeypatch, folder):
    """One row more everywhere; what a row names by file and class stands above."""
    row = task_info.TASKS["text_classification"]
    tone = replace(row, task="tone:ToneTask", title="Tone of a text", wants="texts and their tone")
    rows = (
        (variants.VARIANTS, ROWS),
        (inits.INITS, {INIT: inits.Init("signs:signs", "signs", "A = ±1/√in, B = 0")}),
        (task_info.TASKS, {TASK: tone}),
        (adapters.VARIANTS, {"quarter": QuarterLayer, "gain": GainLayer}),
        (adapters.INITS, {INIT: Start(signs)}),
        (tasks.TASKS, {TASK: ToneTask}),
        (FORMATS, {FORMAT: replace(FORMATS["peft"], name=FORMAT, title="A copy")}),
        (row_shape.KINDS, {PulseRecord.__name__: PulseRecord}),
    )
    for registry, more in rows:
        for name, value in more.items():
            monkeypatch.setitem(registry, name, value)
    listed = (FORMAT, "A copy", False, "")
    requests.FORMATS.append(listed)
    presets = folder / "presets"
    shutil.copytree(paths.presets(), presets)
    preset = json.loads((presets / "digits.json").read_text("utf-8"))
    preset |= {"title": "A grown lab", "order": 99}
    preset["config"] |= {"variant": "quarter", "init": INIT, "max_steps": 30}
    preset["config"]["hyper"] = {**preset["config"].get("hyper", {}), "learning_rate": 0.03}
    (presets / f"{PRESET}.json").write_text(json.dumps(preset), encoding="utf-8")
    monkeypatch.setattr(paths, "presets", lambda: presets)
    return lambda: requests.FORMATS.remove(listed)


def texts(folder):
    """A small encoder, and rows with a label each: the places of both."""
    save(folder / "encoder", "bert_classifier")
    data = folder / "tones.csv"
    rows = [
        f"the film is {'good' if i % 2 else 'bad'},{'up' if i % 2 else 'down'}" for i in range(24)
    ]
    data.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    return str(folder / "encoder"), str(data)
