"""MLX folders: mlx-lm itself loads what is written, and what it wrote is read with its own ΔW."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import ExportError, LabError
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.workshop.merge_base import real_delta
from tests.formats.adapters import VARIANTS, weights_of
from tests.models import tiny

Q = "model.layers.0.self_attn.q_proj"
A, B, M = torch.randn(6, 3), torch.randn(3, 5), torch.rand(5) + 1  # (in, r), (r, out), (out)
PLAIN = {f"{Q}.lora_a": A, f"{Q}.lora_b": B}
DORA = {**PLAIN, f"{Q}.m": M}


def written(folder, tensors, settings):
    safetensors.torch.save_file(tensors, folder / "adapters.safetensors")
    if settings is not None:
        (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize("scale", [5, 0.25, 0.0, -1.0, 2e7])
def test_the_scale_is_taken_as_it_stands(tmp_path, scale):
    folder = written(tmp_path, PLAIN, {"lora_parameters": {"rank": 3, "scale": scale}})
    found = open_adapter(folder)
    assert found.layers[0].scaling == scale
    torch.testing.assert_close(
        found.layers[0].delta_weight(), scale * (A.double() @ B.double()).t()
    )
    assert f"{scale:g} multiplies" in found.extra["notes"][0]
    assert open_adapter(folder, scale=3.0).layers[0].scaling == 3.0


ASKED = {
    "no settings": (PLAIN, None, "there is no adapter_config.json"),
    "no scale": (PLAIN, {"lora_parameters": {"rank": 3, "alpha": 8}}, "said nowhere"),
    "no parameters": (PLAIN, {"rank": 3, "alpha": 8}, "said nowhere"),
    "a text": (PLAIN, {"lora_parameters": {"scale": "2"}}, "no number"),
    "too large a number": (
        PLAIN, {"lora_parameters": {"scale": 10**400}}, "a number of 401 digits cannot be used",
    ),
    "nothing": (PLAIN, {"lora_parameters": {"scale": None}}, "no number"),
    "dora without magnitudes": (
        PLAIN, {"fine_tune_type": "dora", "lora_parameters": {"scale": 2.0}}, "no magnitudes",
    ),
    "magnitudes without dora": (
        DORA, {"fine_tune_type": "lora", "lora_parameters": {"scale": 2.0}}, "mlx-lm would refuse",
    ),
    "half of dora": (
        {**DORA, "x.lora_a": A.clone(), "x.lora_b": B.clone()},
        {"lora_parameters": {"scale": 2.0}}, "only some",
    ),
    "whole weights": (
        {f"{Q}.weight": A}, {"fine_tune_type": "full", "lora_parameters": {"scale": 2.0}}, "fuse",
    ),
    "dora of an embedding": (
        {f"model.embed_tokens.{k.rpartition('.')[2]}": v for k, v in DORA.items()},
        {"fine_tune_type": "dora", "lora_parameters": {"scale": 2.0}}, "for each token",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_what_the_folder_does_not_say_is_asked_for(tmp_path, name):
    tensors, settings, words = ASKED[name]
    with pytest.raises(LabError, match=words):
        open_adapter(written(tmp_path, tensors, settings))


def test_an_alpha_beside_the_scale_is_said(tmp_path):
    settings = {"lora_parameters": {"rank": 4, "alpha": 16.0, "scale": 10.0, "dropout": 0.0}}
    notes = " ".join(open_adapter(written(tmp_path, PLAIN, settings)).extra["notes"])
    assert "--scale 40" in notes
    assert "cannot say" in notes


def test_magnitudes_are_those_of_dora(tmp_path):
    settings = {"fine_tune_type": "dora", "lora_parameters": {"rank": 3, "scale": 2.0}}
    found = open_adapter(written(tmp_path, DORA, settings))
    assert found.variant == "dora"
    assert torch.equal(found.layers[0].magnitude, M)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlx") / "llama"
    return folder, tiny.save(folder, "llama")


def loaded(folder, adapter=None):
    """The model in mlx-lm, with an adapter by its own loader; float32."""
    pytest.importorskip("mlx_lm", reason="mlx-lm is not installed")
    from mlx_lm.tuner.utils import load_adapters
    from mlx_lm.utils import load_model

    model, _ = load_model(folder, lazy=True)
    if adapter is not None:
        model = load_adapters(model, str(adapter))
    model.eval()
    return model


def logits(model):
    import mlx.core as mx

    return np.array(model(mx.array([[2, 3, 5, 7, 11, 13]])).astype(mx.float32))


@pytest.mark.oracle
@pytest.mark.parametrize("variant", VARIANTS)
def test_mlx_lm_computes_with_what_is_written(base, tmp_path, variant):
    folder, model = base
    targets = [
        f"model.layers.{i}.{m}" for i in range(2) for m in ("self_attn.q_proj", "mlp.up_proj")
    ]
    weights = weights_of(tiny.save(tmp_path / "copy", "llama"), variant, targets=targets[1:])
    export(weights, tmp_path / "a", "mlx")
    fused = {f"{x.name}.weight": x for x in weights.layers}
    theirs = loaded(folder, tmp_path / "a")
    found = logits(theirs)
    with torch.no_grad():
        tokens = torch.tensor([[2, 3, 5, 7, 11, 13]])
        before = model(tokens).logits.numpy()
        kept = {k: v.clone() for k, v in model.state_dict().items()}
        for key, layer in fused.items():
            W = model.get_parameter(key)
            W.copy_((W.double() + real_delta(layer, W)).float())
        wanted = model(tokens).logits.numpy()
        model.load_state_dict(kept)
    assert np.abs(wanted - before).max() > 1e-2 * np.abs(wanted).max()
    assert np.abs(found - wanted).max() <= 2e-4 * np.abs(wanted).max()


@pytest.mark.oracle
@pytest.mark.parametrize("dora", [False, True])
def test_what_mlx_lm_writes_is_read(base, tmp_path, dora):
    folder, _ = base
    model = loaded(folder)
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.tuner.utils import linear_to_lora_layers

    model.freeze()
    settings = {"rank": 3, "scale": -1.5, "dropout": 0.0, "keys": ["self_attn.q_proj"]}
    linear_to_lora_layers(model, 1, settings, use_dora=dora)
    layer = model.layers[-1].self_attn.q_proj
    layer.lora_b = 0.1 * mx.random.normal(layer.lora_b.shape)
    if dora:
        layer.m = layer.m * 1.2
    W = np.array(layer.linear.weight.astype(mx.float32))
    merged = np.array(layer.fuse().weight.astype(mx.float32))
    mx.save_safetensors(
        str(tmp_path / "adapters.safetensors"), dict(tree_flatten(model.trainable_parameters()))
    )
    whole = {
        "fine_tune_type": "dora" if dora else "lora",
        "num_layers": 1,
        "lora_parameters": settings,
    }
    (tmp_path / "adapter_config.json").write_text(json.dumps(whole))
    (found,) = open_adapter(tmp_path).layers
    delta = real_delta(found, torch.from_numpy(W)).numpy()
    assert np.abs(delta - (merged - W)).max() <= 1e-5 * np.abs(merged - W).max()


@pytest.mark.parametrize("name", ["transformer.h.0.attn.c_attn", "encoder.layer.0.query"])
def test_names_that_mlx_lm_has_not_are_refused(tmp_path, name):
    layer = LayerWeights(name, A.t(), B.t(), 3.0, 1.0)
    with pytest.raises(ExportError, match="no module of that name"):
        export(AdapterWeights("lora", (layer,)), tmp_path / "a", "mlx")
