"""The adapter of a run that was cut off, kept without training on."""

import shutil

import pytest

from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.formats import FORMATS
from lora_lab.presets import get_preset
from lora_lab.records import StepRecord
from lora_lab.runs.checkpoints import listed
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import summary_of
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from lora_lab.training.saving.keep import keep_adapter


def cut_off(folder, **settings):
    """A copy of a run as a killed process leaves it, without its adapter; and the whole one."""
    config = changed(get_preset("digits").config, max_steps=40, **settings)
    controls = Controls(config.hyper)
    for record in run(New(config, folder / "whole"), controls):
        if isinstance(record, StepRecord) and record.step == 25:
            controls.stop()
    shutil.copytree(folder / "whole", folder / "cut")
    shutil.rmtree(folder / "cut" / "adapter", ignore_errors=True)
    RunFolder.at(folder / "cut").write_summary(state="running", step=25, max_steps=40)
    return folder / "cut", folder / "whole"


def test_it_is_the_adapter_of_the_newest_save(tmp_path):
    cut, whole = cut_off(tmp_path)
    assert summary_of(cut).interrupted
    heard = []
    assert keep_adapter(cut, lambda what, share: heard.append(what)) == 25
    assert heard
    a, b = (FORMATS["peft"].load(path / "adapter").layers for path in (cut, whole))
    for x, y in zip(a, b, strict=True):
        assert (x.lora_A == y.lora_A).all()
        assert (x.lora_B == y.lora_B).all()
    found = summary_of(cut)
    assert (found.state, found.step, found.max_steps) == ("stopped", 25, 40)
    assert found.best == summary_of(whole).best


def test_it_can_still_be_resumed(tmp_path):
    cut, _ = cut_off(tmp_path)
    keep_adapter(cut)
    config = get_preset("digits").config
    records = list(run(Resume.at(cut), Controls(config.hyper)))
    assert max(r.step for r in records if isinstance(r, StepRecord)) == 40


def test_what_cannot_be_kept_is_said(tmp_path):
    cut, _ = cut_off(tmp_path / "lora")
    holder = RunFolder.at(cut)
    holder.lock()
    with pytest.raises(LabError, match="is being trained"):
        keep_adapter(cut)
    holder.close()
    shutil.rmtree(cut / "checkpoints")
    with pytest.raises(LabError, match="has no checkpoint"):
        keep_adapter(cut)
    assert summary_of(cut).interrupted, "as it was"
    full, _ = cut_off(tmp_path / "full", variant="full")
    with pytest.raises(LabError, match="no adapter to keep"):
        keep_adapter(full)
    assert listed(full)
