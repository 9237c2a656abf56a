"""Language models on a device: opened, trained, kept trunks, blocks, generated text, resumed."""

import json

import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from lora_lab.presets import starting_config
from lora_lab.records import ErrorRecord, EvalRecord, StepRecord
from lora_lab.sampling import Sampling
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from tests.gpu.devices import on_each
from tests.models.test_gguf_file import write
from tests.models.tiny import save

pytestmark = pytest.mark.filterwarnings("ignore")  # of transformers about the shapes of tiny models
STEPS = 6
UPPER = tuple(f"layers.1.{n}" for n in ("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj"))
CASES = {
    "as it is": {},
    "dropout and parts": {"hyper": {"dropout": 0.2}, "accumulation": 2},
    "packed": {"batching": "packed", "max_length": 40},
    "a kept trunk": {"targets": UPPER},
    "checkpointing": {"checkpointing": True},
    "embedding": {"targets": ("embed_tokens", "q_proj")},
    "4 bits": {"base_bits": "4", "dtype": "float32"},
    "4 bits, DoRA": {"base_bits": "4", "variant": "dora", "dtype": "float32"},
    "4 bits, LoftQ": {"base_bits": "4", "init": "loftq", "dtype": "float32"},
    "8 bits": {"base_bits": "8", "dtype": "float32"},
    "a GGUF": {"model": "x.gguf", "dtype": "float32"},
    "EVA": {"init": "eva"},
    "VeRA": {"variant": "vera"},
    "a subspace": {"variant": "subspace"},
    "Uni-LoRA": {"variant": "uni-lora"},
    "a common prefix": {"rows": "prefixed.jsonl"},
    "float64": {"dtype": "float64"},
}
APART = ("dropout and parts", "EVA")  # another generator; eigenvectors of near-equal values


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder, the same as a GGUF file, and rows."""
    folder = tmp_path_factory.mktemp("text")
    write(folder / "x.gguf", save(folder / "llama", "llama"), Kind.Q8_0)
    texts = [f"the film is good and the sound is clear {i}" for i in range(24)]
    rows = {
        "rows.jsonl": [{"prompt": t[:9], "completion": t[9:]} for t in texts],
        "prefixed.jsonl": [{"prompt": f"question: is it? {t}", "completion": " no"} for t in texts],
    }  # fmt: skip
    for name, found in rows.items():
        (folder / name).write_text("\n".join(map(json.dumps, found)))
    return folder


def config_of(files, device, model="llama", rows="rows.jsonl", **settings):
    hyper = {"rank": 3, "learning_rate": 1e-3, **settings.pop("hyper", {})}
    if settings.get("variant") in ("subspace", "uni-lora"):
        hyper |= {"dimension": 64}
    how = {"batch_size": 4, "max_steps": STEPS, "eval_steps": 3, "autosave_seconds": 1000,
           "device": device, **settings}  # fmt: skip
    data = str(files / rows)
    return starting_config("causal_lm", model=str(files / model), data=data, hyper=hyper, **how)


def told(opening, stop=0):
    """The loss of every step, and of every validation."""
    controls, losses, held = Controls(opening.config.hyper), {}, {}
    for record in run(opening, controls):
        assert not isinstance(record, ErrorRecord), record
        if isinstance(record, EvalRecord):
            held[record.step] = record.loss
        if isinstance(record, StepRecord):
            losses[record.step] = record.loss
            if record.step == stop:
                controls.stop()
    return losses, held


@on_each
@pytest.mark.parametrize("case", CASES)
def test_losses_are_the_cpus_and_a_closed_run_goes_on_to_the_bit(files, tmp_path, case, device):
    settings = CASES[case]
    if device == "mps" and settings.get("dtype") == "float64":
        pytest.skip("mps has no float64, and says so")
    losses, held = told(New(config_of(files, device, **settings), tmp_path / "whole"))
    assert list(losses) == list(range(1, STEPS + 1))
    if case not in APART:
        wanted, wanted_held = told(New(config_of(files, "cpu", **settings), tmp_path / "cpu"))
        assert losses == pytest.approx(wanted, rel=2e-3)
        assert held == pytest.approx(wanted_held, rel=2e-3)
    first, _ = told(New(config_of(files, device, **settings), tmp_path / "run"), stop=3)
    rest, _ = told(Resume.at(tmp_path / "run"))
    assert {**first, **rest} == losses


@on_each
def test_bfloat16_begins_as_float32_does(files, tmp_path, device):
    wide, _ = told(New(config_of(files, "cpu"), tmp_path / "wide"))
    near, _ = told(New(config_of(files, device, dtype="bfloat16"), tmp_path / "near"))
    assert near == pytest.approx(wide, rel=0.02)


@on_each
def test_a_run_moves_to_the_cpu_and_back(files, tmp_path, device):
    wanted, _ = told(New(config_of(files, device), tmp_path / "whole"))
    losses, _ = told(New(config_of(files, device), tmp_path / "run"), stop=2)
    more, _ = told(Resume.at(tmp_path / "run").on("cpu"), stop=4)
    rest, _ = told(Resume.at(tmp_path / "run").on(device))
    assert {**losses, **more, **rest} == pytest.approx(wanted, rel=2e-3)


@on_each
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_text_is_generated_and_draws_nothing_of_the_run(files, temperature, device):
    found = {}
    for where in (device, "cpu"):
        experiment = Experiment.build(config_of(files, where))
        torch.manual_seed(5)
        before = torch.rand(3, device=where)
        torch.manual_seed(5)
        said = [experiment.inference.answer("the film", on, 12, Sampling(temperature, seed=1))
                for on in (False, True)]  # fmt: skip
        assert torch.equal(torch.rand(3, device=where), before)
        assert said[0] == said[1], "the same seed draws alike, off and on"
        found[where] = said
    assert temperature or found[device] == found["cpu"]
