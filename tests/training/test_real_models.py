"""Real pretrained checkpoints on real rows: opened, trained, measured, exported, loaded in PEFT."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from lora_lab.exported import ExportedRecord
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New
from lora_lab.training.run import run

REAL = Path(os.environ.get("LORA_LAB_REAL", "/nonexistent"))
pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not REAL.is_dir(), reason="LORA_LAB_REAL names no folder of checkpoints"),
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing"),  # peft asks by its old name
]
LM, ENCODER = REAL / "smollm2-135m", REAL / "minilm-l6"


def trained(config, folder, out):
    controls, seen = Controls(config.hyper), []
    for record in run(New(config, folder), controls):
        if isinstance(record, StepRecord) and record.step == config.max_steps:
            controls.request(Export(str(out)))
        seen.append(record)
    return seen


def test_a_language_model_learns_from_reviews_and_peft_answers_alike(tmp_path):
    config = starting_config(
        "causal_lm", model=str(LM), data=str(REAL / "reviews.jsonl"), max_steps=8,
        validation=0.01, warmup_steps=0, schedule="constant",
    )  # fmt: skip
    seen = trained(config, tmp_path / "run", tmp_path / "adapter")
    losses = [r.loss for r in seen if isinstance(r, StepRecord)]
    assert losses[-1] < 0.75 * losses[0]
    evaluations = [r for r in seen if isinstance(r, EvalRecord)]
    assert evaluations[-1].loss < 0.8 * evaluations[0].loss
    assert [r for r in seen if isinstance(r, ExportedRecord)]

    from transformers import AutoModelForCausalLM

    from lora_lab.adapters.inject import inject
    from lora_lab.formats import FORMATS
    from lora_lab.models.hf_folder import open_model

    base = AutoModelForCausalLM.from_pretrained(LM, dtype=torch.float32)
    tuned = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    ours = open_model(LM, "causal_lm").module
    weights = FORMATS["peft"].load(tmp_path / "run" / "adapter")
    layers = inject(ours, variant="lora", rank=8, alpha=16)
    for layer in weights.layers:
        layers[layer.name].lora_A.data.copy_(layer.lora_A)
        layers[layer.name].lora_B.data.copy_(layer.lora_B)
    ids = torch.arange(100, 164)[None]
    with torch.no_grad():
        wanted, found = tuned(ids).logits, ours(ids).logits
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_an_encoder_learns_to_judge_reviews(tmp_path):
    config = starting_config(
        "text_classification", model=str(ENCODER), data=str(REAL / "reviews.csv"), max_steps=120,
    )  # fmt: skip
    seen = trained(config, tmp_path / "run", tmp_path / "adapter")
    accuracy = [r.accuracy for r in seen if isinstance(r, EvalRecord) and r.enabled]
    assert accuracy[-1] > 0.8
    assert accuracy[-1] > accuracy[0] + 0.2


MEASURE = """
import sys, torch, transformers
from transformers import LlamaForCausalLM
from lora_lab.models.hf_folder import open_model
def status(key):
    return next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith(key)) * 1024
before = status("VmRSS")
model = open_model(sys.argv[1], "causal_lm").module
print(status("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
def test_opening_takes_little_more_memory_than_the_file():
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(LM)], capture_output=True, text=True, check=True
    )
    extra = int(done.stdout.strip())
    assert extra <= 1.1 * (LM / "model.safetensors").stat().st_size
