"""The export of the digits preset, loaded by peft on the same base: equal outputs."""

import warnings

import pytest
import torch

from lora_lab.config import changed
from lora_lab.formats.verify import export
from lora_lab.presets import get_preset
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train


@pytest.mark.parametrize(
    ("variant", "init", "rank"),
    [
        ("lora", "kaiming", 4),
        ("lora", "kaiming", 32),
        ("rslora", "eva", 32),
        ("dora", "kaiming", 32),
        ("lora", "pissa", 4),
        ("dora", "olora", 4),
    ],
)
def test_peft_gives_the_same_outputs(tmp_path, variant, init, rank):
    """Rank 32 is capped at 10 in the last layer, so rank and α patterns are exercised as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peft's own imports
        from peft import PeftModel

    config = get_preset("digits").config
    hyper = {**config.hyper.model_dump(), "rank": rank, "learning_rate": 1e-3}
    config = changed(config, variant=variant, init=init, max_steps=60, hyper=hyper)
    experiment = Experiment.build(config)
    for _ in train(experiment, Controls(config.hyper)):
        continue
    report = export(experiment.weights(), tmp_path / "adapter")
    assert report.largest_error <= 1e-6
    base = experiment.task.base_model()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        loaded = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    assert not [w for w in said if "adapter" in str(w.message)]
    experiment.model.eval()
    images = experiment.task.test_images
    with torch.no_grad():
        ours, theirs = experiment.model(images), loaded(images)
        plain = experiment.task.base_model()(images)
    assert (ours - plain).abs().max() > 0.1, "the adapter does something"
    assert (ours - theirs).abs().max() <= 1e-6 * ours.abs().max()
