"""bfloat16 and float16 bases of every kind begin to train as float32's do, or say why not."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.presets import starting_config
from lora_lab.records import StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.measure.memory_preview import memory_preview
from tests.families.tiny_configs import write
from tests.models.families import bert_tokens
from tests.models.tiny import save
from tests.training.driven_run import digits

pytestmark = pytest.mark.filterwarnings("ignore")  # of transformers about the shapes of tiny models

STEPS = 4
APART = 0.02  # of float32's loss
SAID = ("the film is good and the sound is clear", "a bad film, and the sound is poor")
ROWS = {
    "causal_lm": lambda i: {"text": f"{SAID[i % 2]} {i}"},
    "masked_lm": lambda i: {"text": f"{SAID[i % 2]} {i}"},
    "text_classification": lambda i: {"text": f"{SAID[i % 2]} {i}", "label": "pn"[i % 2]},
    "regression": lambda i: {"text": f"{SAID[i % 2]} {i}", "score": float(i % 2)},
    "token_classification": lambda i: {"tokens": SAID[i % 2].split()[:4], "tags": list("OBOI")},
    "seq2seq": lambda i: {"source": SAID[i % 2], "target": SAID[1 - i % 2]},
    "preference": lambda i: {"prompt": "the film", "chosen": f"is good {i}", "rejected": "is bad"},
}  # fmt: skip
MADE = {"seq2seq": "causal_lm", "preference": "causal_lm", "regression": "text_classification",
        "token_classification": "text_classification"}  # fmt: skip
COMMON = [
    ("causal_lm", "llama"), ("causal_lm", "gpt2"), ("causal_lm", "mixtral"), ("causal_lm", "mamba"),
    ("preference", "llama"), ("text_classification", "distilbert"), ("seq2seq", "t5"),
    ("image_classification", "vit"), ("image_classification", "convnext"),
    ("image_classification", "mlp.safetensors"), ("image_classification", "cnn.pt"),
]  # fmt: skip
OTHERS = [
    ("masked_lm", "bert"), ("regression", "bert"), ("token_classification", "bert"),
    *(("causal_lm", family) for family in (
        "qwen3", "gemma3_text", "falcon", "mamba2", "bloom", "rwkv", "recurrent_gemma", "gpt_neox",
        "opt", "lfm2", "qwen3_next", "gpt_oss")),
    *(("text_classification", family) for family in (
        "bert", "roberta", "deberta-v2", "t5", "bart", "modernbert", "longformer")),
    *(("image_classification", family) for family in (
        "resnet", "swin", "clip", "siglip", "mobilenet_v2", "efficientnet", "segformer", "levit",
        "mobilevit", "hiera", "regnet")),
]  # fmt: skip


def base(folder, task, name):
    """Write a model, and data for it: (model, data, settings)."""
    if task == "image_classification":
        random = np.random.default_rng(0)
        for label, low in (("dark", 0), ("light", 120)):
            (folder / "images" / label).mkdir(parents=True)
            for i in range(8):
                pixels = random.integers(low, low + 130, (8, 8, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / "images" / label / f"{i}.png")
        torch.manual_seed(0)
        if name == "mlp.safetensors":
            net = nn.Sequential(nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 2))
            save_file(net.state_dict(), folder / name)
            return folder / name, folder / "images", {"reading": "relu"}
        if name == "cnn.pt":
            net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                                nn.Flatten(), nn.Linear(64, 2))  # fmt: skip
            torch.save(net.state_dict(), folder / name)
            return folder / name, folder / "images", {"reading": "relu/p1max2"}
        write(folder / name, name, task)
        return folder / name, folder / "images", {}
    rows = "\n".join(json.dumps(ROWS[task](i)) for i in range(16))
    (folder / "rows.jsonl").write_text(rows)
    if task == "masked_lm":
        save(folder / name, "bert_masked")
        bert_tokens().save_pretrained(folder / name)  # with [MASK]
    elif task == "seq2seq":
        from transformers import T5Config, T5ForConditionalGeneration

        from tests.models.tiny import VOCABULARY, tokenizer

        torch.manual_seed(0)
        T5ForConditionalGeneration(T5Config(
            vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
            decoder_start_token_id=1, pad_token_id=1, eos_token_id=0, dropout_rate=0.0,
        )).save_pretrained(folder / name)  # fmt: skip
        tokenizer().save_pretrained(folder / name)
    else:
        write(folder / name, name, MADE.get(task, task))
    return folder / name, folder / "rows.jsonl", {}


def losses(task, model, data, settings, dtype):
    config = starting_config(
        task, model=str(model), data=str(data), max_steps=STEPS, epochs=None, batch_size=4,
        accumulation=1, validation=0.25, eval_steps=1000, dtype=dtype,
        hyper={"rank": 2, "learning_rate": 1e-3}, **settings,
    )  # fmt: skip
    experiment = Experiment.build(config)
    steps = train(experiment, Controls(experiment.hyper))
    return np.array([record.loss for record in steps if isinstance(record, StepRecord)])


@pytest.mark.parametrize(
    ("task", "name"),
    [*COMMON, *(pytest.param(*case, marks=pytest.mark.slow) for case in OTHERS)],
)
def test_the_first_losses_are_those_of_float32(tmp_path, task, name):
    made = base(tmp_path, task, name)
    wanted = losses(task, *made, "float32")
    assert len(wanted) == STEPS
    assert np.isfinite(wanted).all()
    for dtype in ("bfloat16", "float16"):
        found = losses(task, *made, dtype)
        assert found == pytest.approx(wanted, rel=APART), dtype


@pytest.mark.slow
@pytest.mark.parametrize("name", ["xlnet", "fnet"])
def test_what_its_library_does_not_compute_in_halves_is_said_with_the_way_out(tmp_path, name):
    made = base(tmp_path, "text_classification", name)
    for dtype in ("bfloat16", "float16"):
        with pytest.raises(CheckpointError, match="Choose float32"):
            losses("text_classification", *made, dtype)


@pytest.mark.parametrize(("flags", "said"), [({}, True), ({"avx512_bf16": True}, False)])
def test_a_processor_that_imitates_bfloat16_is_said_to(flags, said, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    notes = Experiment.build(digits(dtype="bfloat16")).loaded().notes
    assert any("imitates bfloat16" in note for note in notes) == said


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("variant", ["lora", "dora", "full"])
def test_the_memory_of_a_step_is_foretold(dtype, variant):
    """Of tensors without numbers, which nothing in a step may ask for one."""
    found = memory_preview(Experiment.build(digits(dtype=dtype, variant=variant)))
    assert found.reason == ""
    assert found.weights > 0


@pytest.mark.parametrize(("dtype", "said"), [("float16", True), ("float32", False)])
def test_that_float16_is_slow_on_a_cpu_is_said(dtype, said):
    notes = Experiment.build(digits(dtype=dtype)).loaded().notes
    assert any("ten times as long" in note for note in notes) == said
