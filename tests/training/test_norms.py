"""A base with batch norms: what they have measured is the base's own, whatever is trained on it."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from lora_lab.config import changed
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run


@pytest.fixture
def config(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(4 * 16, 2),
    )  # fmt: skip
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    random = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 100)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(20):
            pixels = random.integers(low, low + 140, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    start = starting_config(
        "image_classification", model=str(tmp_path / "net.safetensors"),
        data=str(tmp_path / "images"), batch_size=4, hyper={"rank": 2, "learning_rate": 1e-2},
        reading="relu/p1max2",
    )  # fmt: skip
    return changed(start, max_steps=20, epochs=None, eval_steps=5, autosave_seconds=1000)


def measured(records):
    return {r.step: r.loss for r in records if isinstance(r, EvalRecord) and r.enabled and r.step}


def test_the_base_without_its_adapter_stays_what_it_was(config):
    """Or the adapter that is exported would not do on the base what was shown of it."""
    experiment = Experiment.build(config)
    before = {name: t.clone() for name, t in experiment.model.named_buffers()}
    untrained = experiment.evaluate(enabled=False).loss
    records = list(train(experiment, Controls(config.hyper)))
    assert measured(records)[20] < untrained
    assert experiment.evaluate(enabled=False).loss == untrained
    assert len(before) == 3
    for name, t in experiment.model.named_buffers():
        assert torch.equal(t, before[name]), name


def test_a_run_that_goes_on_measures_what_it_would_have(config, tmp_path):
    wanted = measured(run(New(config, tmp_path / "whole"), Controls(config.hyper)))
    controls = Controls(config.hyper)
    for record in run(New(config, tmp_path / "cut"), controls):
        if isinstance(record, StepRecord) and record.step == 12:
            controls.stop()
    found = measured(run(Resume.at(tmp_path / "cut"), Controls(config.hyper)))
    assert [found[step] for step in (15, 20)] == [wanted[step] for step in (15, 20)]
