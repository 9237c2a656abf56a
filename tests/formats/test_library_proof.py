"""The library that a file is for loads it, and what it computes is what was to be written."""

import json
import socket
from importlib.metadata import PackageNotFoundError, version

import pytest
import safetensors.torch
import torch
from torch import nn

from lora_lab.adapters.weights import WholeLayer
from lora_lab.errors import ExportError, LabError
from lora_lab.formats import FORMATS, library_proof
from lora_lab.formats.factors import cast
from lora_lab.formats.library_proof import LIBRARIES, library_of, prove_by_library
from lora_lab.formats.verify import export
from tests.formats.adapters import SPECIAL, VARIANTS, weights_of
from tests.models import tiny

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")


class Pipeline(nn.Module):
    """Components of a pipeline as diffusers calls them."""

    def __init__(self):
        super().__init__()
        attention = {"to_q": nn.Linear(8, 8), "to_out": nn.ModuleList([nn.Linear(8, 12)])}
        blocks = {"conv": nn.Conv2d(4, 6, 3), "attn1": nn.ModuleDict(attention)}
        clip = {"q_proj": nn.Linear(8, 8), "fc1": nn.Linear(8, 16)}
        self.unet = nn.ModuleDict(blocks)
        self.text_encoder = nn.ModuleDict({"text_model": nn.ModuleDict(clip)})


MODELS = {
    **{name: (kind, None) for name, kind in SPECIAL.items()},
    "llama": (tiny.MODELS["llama"], ["q_proj", "down_proj", "embed_tokens"]),
    "gpt2": (tiny.MODELS["gpt2"], ["c_attn", "c_fc", "wte"]),
    "blocks": (tiny.MODELS["llama"], ["q_proj", "down_proj"]),
    "pipeline": (Pipeline, None),
}
CASES = [
    *(
        (format, name)
        for format in ("peft", "peft-portable")
        for name in (*SPECIAL, "llama", "gpt2")
    ),
    pytest.param("diffusers", "pipeline", marks=pytest.mark.oracle),
    pytest.param("mlx", "blocks", marks=pytest.mark.oracle),
]


def asked(format):
    """Skip where the library of a format is not installed."""
    pytest.importorskip(LIBRARIES[format].package.replace("-", "_"), reason="it is not installed")


def adapter(name, variant="lora"):
    kind, targets = MODELS[name]
    return weights_of(kind(), variant, targets=targets)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("format", "name"), CASES)
def test_the_library_computes_with_what_is_written(tmp_path, format, name, variant):
    asked(format)
    weights = adapter(name, variant)
    if FORMATS[format].limits(weights):
        pytest.skip("it is refused, as the matrix of round trips shows")
    report = export(weights, tmp_path / "out", format, ask_library=True)
    package = LIBRARIES[format].package
    assert report.proved.startswith(f"{package} {version(package)} (largest error of ΔW ")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("format", "name"), [("peft", "llama"), pytest.param("mlx", "blocks", marks=pytest.mark.oracle)]
)
def test_half_precision_is_proved_to_its_own_digits(tmp_path, format, name, dtype):
    asked(format)
    export(cast(adapter(name), dtype), tmp_path / "out", format, ask_library=True)


def test_a_head_that_is_fully_trained_is_compared_bit_for_bit(tmp_path):
    weights = adapter("llama")
    head = WholeLayer("score", torch.randn(3, 32), torch.randn(3))
    weights = type(weights)(**{**vars(weights), "whole": (head,)})
    FORMATS["peft"].save(weights, tmp_path)
    assert "largest error" in prove_by_library(weights, tmp_path, "peft")
    file = tmp_path / "adapter_model.safetensors"
    tensors = safetensors.torch.load_file(file)
    tensors["base_model.model.score.bias"][1] += 1e-6
    safetensors.torch.save_file(tensors, file)
    with pytest.raises(ExportError, match=r"something else than the adapter in score\.bias"):
        prove_by_library(weights, tmp_path, "peft")


def settings(folder, **values):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def tensors(folder, change):
    path = folder / "adapter_model.safetensors"
    held = safetensors.torch.load_file(path)
    change(held)
    safetensors.torch.save_file(held, path)


Q = "model.layers.0.self_attn.q_proj"
WRONG = {  # what is wrong with the file → how it comes about, and what is said
    "another alpha": (lambda f: settings(f, lora_alpha=7), "something else than the adapter"),
    "another rule": (lambda f: settings(f, use_rslora=True), "something else than the adapter"),
    "a layer less": (
        lambda f: settings(f, target_modules=["down_proj"]), "does not adapt",
    ),
    "a layer that is not adapted": (
        lambda f: settings(f, exclude_modules=[Q]), f"does not adapt {Q}",
    ),
    "a name with another beginning": (
        lambda f: tensors(f, lambda t: t.update(
            {f"x{Q}": t.pop(f"base_model.model.{Q}.lora_B.weight")})), "something else",
    ),
    "another shape": (
        lambda f: tensors(f, lambda t: t.update(
            {f"base_model.model.{Q}.lora_A.weight": torch.zeros(4, 31)})), "cannot load",
    ),
    "no settings": (lambda f: (f / "adapter_config.json").unlink(), "cannot load"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_the_library_computes_otherwise_is_found(tmp_path, name):
    damage, words = WRONG[name]
    weights = adapter("llama")
    FORMATS["peft"].save(weights, tmp_path)
    prove_by_library(weights, tmp_path, "peft")
    damage(tmp_path)
    with pytest.raises(ExportError, match=words):
        prove_by_library(weights, tmp_path, "peft")


def test_a_file_that_the_library_refuses_is_not_delivered(tmp_path, monkeypatch):
    format = FORMATS["peft"]
    wrong = type(format)(**{**vars(format), "reread": format.reread})

    def save(weights, folder):
        notes = format.save(weights, folder)
        settings(folder, init_lora_weights="no such start")
        return notes

    monkeypatch.setitem(FORMATS, "peft", type(wrong)(**{**vars(wrong), "save": save}))
    with pytest.raises(ExportError, match="cannot load the written file"):
        export(adapter("llama"), tmp_path / "out", "peft", ask_library=True)
    assert not list(tmp_path.iterdir())


def test_a_library_that_is_missing_is_said_before_anything_is_written(tmp_path, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(library_proof, "version", missing)
    with pytest.raises(LabError, match=r"peft is not installed.*pip install peft"):
        export(adapter("llama"), tmp_path / "out", "peft", ask_library=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", [*sorted(set(FORMATS) - set(LIBRARIES)), "merged"])
def test_a_format_without_a_library_says_why(format):
    with pytest.raises(LabError, match=r"proved by re-reading alone: (sd-scripts|llama|it is)"):
        library_of(format)


def test_a_library_that_would_connect_delivers_nothing(tmp_path, monkeypatch):
    def merged(folder, weights):
        socket.getaddrinfo("127.0.0.1", 9)
        yield

    asked("peft")
    monkeypatch.setattr("lora_lab.formats.in_peft.merged", merged)
    with pytest.raises(ExportError, match=r"^peft .* a connection .*, which .*not delivered\.$"):
        prove_by_library(adapter("blocks"), tmp_path, "peft")
