"""LyCORIS' products are read with the ΔW that its own layers have, and never taken for models."""

import warnings

import pytest
import safetensors.torch
import torch
from torch import nn

from lora_lab.errors import ExportError, LabError
from lora_lab.formats.recognise import base_names, is_adapter, open_adapter
from lora_lab.formats.verify import export
from lora_lab.workshop.deliver import deliver
from lora_lab.workshop.merge_base import real_delta
from lora_lab.workshop.requests import Delivery
from lora_lab.workshop.resize import resized

REASON = "LyCORIS is not installed"


class Block(nn.Module):
    """A linear layer, a square one, a convolution and one of 1 × 1, as in a UNet."""

    def __init__(self):
        super().__init__()
        self.to_q, self.square = nn.Linear(16, 32), nn.Linear(16, 16)
        self.wide, self.point = nn.Conv2d(8, 16, 3), nn.Conv2d(8, 16, 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mid_block = Block()


# algorithm, options, what is told of it
KINDS = {
    "locon": ("lora", {}, ""),
    "locon with a core": ("lora", {"use_tucker": True}, "Tucker"),
    "locon, dora of outputs": ("lora", {"dora_wd": True, "wd_on_output": True}, ""),
    "locon, dora of inputs": ("lora", {"dora_wd": True, "wd_on_output": "false"}, ""),
    "loha": ("loha", {}, "LoHa"),
    "loha with cores": ("loha", {"use_tucker": True}, "LoHa"),
    "loha, dora": ("loha", {"dora_wd": True, "wd_on_output": True}, "LoHa"),
    "loha, dora of inputs": ("loha", {"dora_wd": True, "wd_on_output": "false"}, "LoHa"),
    "lokr": ("lokr", {}, "LoKr"),
    "lokr, factor 4": ("lokr", {"factor": 4}, "LoKr"),
    "lokr, both in two": ("lokr", {"decompose_both": True, "factor": 2}, "LoKr"),
    "lokr with a core": ("lokr", {"use_tucker": True}, "LoKr"),
    "lokr, whole": ("lokr", {"full_matrix": True}, "LoKr"),
    "lokr, dora of inputs": ("lokr", {"dora_wd": True, "wd_on_output": "false"}, "LoKr"),
    "full": ("full", {}, "differences"),
}
ON_W = {"diag-oft": "turns", "boft": "turns", "glora": "GLoRA", "ia3": "IA3"}


def made(folder, algorithm, options, dim=2, alpha=3.0):
    """The base as a file, LyCORIS' own file of it, and what its layers compute beside W (and W).

    Its merge is not asked: that of 4.1.3 applies s twice to LoHa and LoKr, unlike its own layers.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lycoris = pytest.importorskip("lycoris", reason=REASON)
        torch.manual_seed(0)
        net = Net()
        base = folder / "diffusion_pytorch_model.safetensors"
        safetensors.torch.save_file(net.state_dict(), base)
        before = {k: v.clone() for k, v in net.state_dict().items()}
        wrapped = lycoris.create_lycoris(
            net, 1.0, linear_dim=dim, linear_alpha=alpha, conv_dim=dim, conv_alpha=alpha,
            algo=algorithm, **options,
        )  # fmt: skip
        wrapped.apply_to()
        for key, value in wrapped.named_parameters():
            if "dora_scale" in key:
                value.data *= 1 + 0.3 * torch.rand_like(value)
            elif not key.endswith(("scalar", "bias")):
                value.data += 0.2 * torch.randn_like(value)
        file = folder / "lycoris.safetensors"
        state = {k: v.detach().clone().contiguous() for k, v in wrapped.state_dict().items()}
        assert any("dora_scale" in key for key in state) == bool(options.get("dora_wd"))
        safetensors.torch.save_file(state, file)
        changes = {}
        for key in (key for key in before if key.endswith(".weight")):
            name = key.removesuffix(".weight")
            bias = before[f"{name}.bias"]
            changes[key] = change_of(net.get_submodule(name), before[key], bias), before[key]
        return base, file, changes


@torch.no_grad()
def change_of(module, W, bias):
    """ΔW column by column: the layer's answers to inputs that are 1 in one place."""
    columns = W[0].numel()
    answers = module(torch.eye(columns).reshape(columns, *W.shape[1:])).reshape(columns, -1)
    return (answers - bias).t().reshape(W.shape) - W


@pytest.mark.oracle
@pytest.mark.parametrize("name", KINDS)
def test_the_change_is_that_of_lycoris_itself(tmp_path, name):
    base, file, wanted = made(tmp_path, *KINDS[name][:2])
    assert is_adapter(file)
    found = open_adapter(file, names=base_names(base), base=str(base))
    assert {f"{x.name.removeprefix('unet.')}.weight" for x in found.layers} == set(wanted)
    for layer in found.layers:
        delta, W = wanted[f"{layer.name.removeprefix('unet.')}.weight"]
        assert delta.norm() > 0.01
        ours = real_delta(layer, W.flatten(1)).reshape(delta.shape)
        assert (ours - delta).norm() <= 2e-5 * delta.norm(), layer.name
    assert KINDS[name][2] in " ".join(found.extra["notes"])


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["loha", "lokr, factor 4", "full", "locon, dora of inputs"])
def test_it_is_cut_to_a_lora_and_merged(tmp_path, name):
    base, file, wanted = made(tmp_path, *KINDS[name][:2])
    found = open_adapter(file, names=base_names(base), base=str(base))
    deliver(found, Delivery(str(tmp_path / "merged.safetensors"), "merged"))
    merged = safetensors.torch.load_file(tmp_path / "merged.safetensors")
    for key, (delta, W) in wanted.items():
        assert (merged[key] - W - delta).norm() <= 2e-5 * delta.norm()
    smaller, cuts = resized(found, [2] * len(found.layers))
    export(smaller, tmp_path / "k.safetensors", "kohya")
    again = {x.name: x for x in open_adapter(tmp_path / "k.safetensors").layers}
    for cut in cuts:
        delta = wanted[f"{cut.name.removeprefix('unet.')}.weight"][0].flatten(1).double()
        error = float((again[cut.name].delta_weight() - delta).norm() / delta.norm())
        assert error == pytest.approx(cut.error, rel=1e-3, abs=1e-6)
        assert again[cut.name].rank == 2


@pytest.mark.oracle
def test_without_the_base_a_convolution_is_not_taken_for_a_linear_layer(tmp_path):
    _, file, wanted = made(tmp_path, *KINDS["loha"][:2])
    found = open_adapter(file)
    assert "convolution is not in the file" in " ".join(found.extra["notes"])
    by_name = {x.name: x for x in found.layers}
    for key, (delta, _) in wanted.items():
        layer = by_name["lycoris_" + key.removesuffix(".weight").replace(".", "_")]
        assert (layer.delta_weight() - delta.flatten(1)).norm() <= 2e-5 * delta.norm()
    with pytest.raises(ExportError, match=r"linear layer or a convolution.*--base"):
        export(found, tmp_path / "k.safetensors", "kohya")


@pytest.mark.oracle
def test_magnitudes_of_inputs_need_the_base(tmp_path):
    _, file, _ = made(tmp_path, *KINDS["locon, dora of inputs"][:2])
    with pytest.raises(LabError, match="depends on W"):
        open_adapter(file)


@pytest.mark.oracle
@pytest.mark.parametrize("algorithm", ON_W)
def test_what_depends_on_w_is_named(tmp_path, algorithm):
    base, file, _ = made(tmp_path, algorithm, {}, dim=4)
    assert is_adapter(file)
    with pytest.raises(LabError, match=ON_W[algorithm]) as refused:
        open_adapter(file, names=base_names(base), base=str(base))
    assert "extract" in str(refused.value)


MODELS = {
    "rwkv": ["model.layers.0.attn.w_lora.lora.0.weight", "model.layers.0.attn.w_lora.lora.2.bias"],
    "norms": ["blocks.0.w_norm", "blocks.0.diff"],
    "experts": ["layers.0.a1.weight", "layers.0.on_input"],
    "plain": ["fc.weight", "alpha"],
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_whose_names_say_lora_is_no_adapter(tmp_path, name):
    file = tmp_path / "m.safetensors"
    safetensors.torch.save_file({key: torch.ones(2, 2) for key in MODELS[name]}, file)
    assert not is_adapter(file)
    with pytest.raises(LabError, match="a model or another kind"):
        open_adapter(file)
