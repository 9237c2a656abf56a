"""Files of other programs: recognised, scaled by their rules, refused where they are not whole."""

import json
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from torch import nn

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import LabError
from lora_lab.formats.recognise import is_adapter, open_adapter
from lora_lab.formats.verify import export

A, B = torch.randn(3, 6), torch.randn(5, 3)  # rank 3, 6 inputs, 5 outputs
KOHYA = {"lora_unet_a_b.lora_down.weight": A, "lora_unet_a_b.lora_up.weight": B}
MLX = {"fc.lora_a": A.t().contiguous(), "fc.lora_b": B.t().contiguous()}
NUMBER, SINGLE = torch.tensor(1.0), "is a single number"
TUTORIAL = "fc.parametrizations.weight.0.lora_"

# tensors, what is told, s
READ = {
    "kohya with alpha": ({**KOHYA, "lora_unet_a_b.alpha": torch.tensor(6.0)}, {}, 2.0),
    "kohya without alpha": (KOHYA, {}, 1.0),
    "kohya with alpha 0": ({**KOHYA, "lora_unet_a_b.alpha": torch.tensor(0.0)}, {}, 1.0),
    "diffusers": ({"unet.a.b.lora_A.weight": A, "unet.a.b.lora_B.weight": B}, {}, 1.0),
    "diffusers with alpha": (
        {"unet.a.lora_A.weight": A, "unet.a.lora_B.weight": B, "unet.a.alpha": torch.tensor(6.0)},
        {}, 2.0,
    ),
    "old diffusers": ({"unet.a.lora.down.weight": A, "unet.a.lora.up.weight": B}, {}, 1.0),
    "older diffusers": (
        {"unet.a.processor.to_q_lora.down.weight": A, "unet.a.processor.to_q_lora.up.weight": B},
        {}, 1.0,
    ),
    "loralib": ({"fc.lora_A": A, "fc.lora_B": B, "fc.bias": torch.ones(5)}, {"alpha": 6}, 2.0),
    "the tutorial": ({TUTORIAL + "A": A, TUTORIAL + "B": B}, {"alpha": 6.0}, 2.0),
    "an embedding of minLoRA": (
        {TUTORIAL + "A": A.t().contiguous(), TUTORIAL + "B": B.t().contiguous()},
        {"alpha": 6.0}, 2.0,
    ),
    "peft without config": (
        {"base_model.model.fc.lora_A.weight": A, "base_model.model.fc.lora_B.weight": B},
        {"alpha": 6.0}, 2.0,
    ),
    "mlx": (MLX, {"scale": 20.0}, 20.0),
    "mlx with a negative scale": (MLX, {"scale": -1.0}, -1.0),
    "mlx of which the α is known": (MLX, {"alpha": 6.0}, 2.0),
    "loralib of which s is known": ({"fc.lora_A": A, "fc.lora_B": B}, {"scale": -0.5}, -0.5),
    "loralib with a negative α": ({"fc.lora_A": A, "fc.lora_B": B}, {"alpha": -6.0}, -2.0),
    "kohya with a negative α": (
        {**KOHYA, "lora_unet_a_b.alpha": torch.tensor(-6.0)}, {}, -2.0,
    ),
    "diffusers with a negative α": (
        {"unet.a.lora_A.weight": A, "unet.a.lora_B.weight": B, "unet.a.alpha": torch.tensor(-6.0)},
        {}, -2.0,
    ),
}  # fmt: skip


def write(folder, tensors, suffix=".safetensors", metadata=None):
    path = folder / f"adapter{suffix}"
    if suffix == ".safetensors":
        safetensors.torch.save_file({k: t.clone() for k, t in tensors.items()}, path, metadata)
    else:
        torch.save(tensors, path)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("name", READ)
def test_the_scale_is_that_of_the_convention(tmp_path, name, suffix):
    tensors, told, s = READ[name]
    path = write(tmp_path, tensors, suffix)
    assert is_adapter(path)
    found = open_adapter(path, **told)
    (layer,) = found.layers
    assert layer.scaling == pytest.approx(s)
    torch.testing.assert_close(layer.delta_weight(), s * B.double() @ A.double())
    assert found.extra["notes"], "it says how the scale was found"


def test_an_alpha_of_0_is_told_apart_from_none(tmp_path):
    path = write(tmp_path, READ["kohya with alpha 0"][0])
    note = open_adapter(path).extra["notes"][0]
    assert "1 of 1 layer with α = 0" in note
    assert "without" not in note
    assert "without α" in open_adapter(write(tmp_path, KOHYA)).extra["notes"][0]


def test_a_scale_that_the_file_says_itself_is_not_replaced(tmp_path):
    found = open_adapter(write(tmp_path, KOHYA), scale=5.0)
    assert found.layers[0].scaling == 1.0
    assert "not used" in " ".join(found.extra["notes"])


@pytest.mark.parametrize("alpha", [-6.0, 0.0])
def test_no_alpha_is_written_that_another_program_stumbles_on(tmp_path, alpha):
    """diffusers 0.42 halves a scale until it is reached, and never ends with one below 0."""
    layer = LayerWeights("unet.a", A, B, alpha, alpha / 3)
    other = replace(layer, name="unet.b", alpha=3.0, scaling=1.0)
    export(AdapterWeights("lora", (layer, other)), tmp_path / "k.safetensors", "kohya")
    assert (
        float(safetensors.torch.load_file(tmp_path / "k.safetensors")["lora_unet_a.alpha"]) == 3.0
    )
    found = open_adapter(tmp_path / "k.safetensors").layers[0]
    torch.testing.assert_close(found.delta_weight(), layer.delta_weight())


def test_names_are_put_back_from_the_base(tmp_path):
    path = write(tmp_path, KOHYA)
    assert open_adapter(path).layers[0].name == "lora_unet_a_b"
    assert "underscores" in " ".join(open_adapter(path).extra["notes"])
    assert open_adapter(path, names=("x.y", "a.b")).layers[0].name == "a.b"
    assert open_adapter(path, names=("a_b", "a.b")).layers[0].name == "lora_unet_a_b"


def test_settings_of_diffusers_hold_by_component(tmp_path):
    said = {
        "unet.r": 3,
        "unet.lora_alpha": 3,
        "unet.alpha_pattern": {"b": 12},
        "unet.rank_pattern": {},
    }
    tensors = {
        f"unet.{n}.lora_{f}.weight": t.clone() for n in "ab" for f, t in (("A", A), ("B", B))
    }
    path = write(tmp_path, tensors, metadata={"lora_adapter_metadata": json.dumps(said)})
    found = {layer.name: layer.scaling for layer in open_adapter(path).layers}
    assert found == {"unet.a": 1.0, "unet.b": 4.0}
    said["unet.r"] = 4
    path = write(tmp_path, tensors, metadata={"lora_adapter_metadata": json.dumps(said)})
    with pytest.raises(LabError, match="rank 3, but the metadata says 4"):
        open_adapter(path)


def test_the_tutorials_parametrization_is_read(tmp_path):
    """The state dict of a parametrized net, W and all, as the tutorial leaves it."""

    class LoRA(nn.Module):
        def __init__(self):
            super().__init__()
            self.lora_A, self.lora_B = nn.Parameter(A), nn.Parameter(B)

        def forward(self, W):
            return W + 2.0 * self.lora_B @ self.lora_A

    net = nn.Sequential(nn.Linear(6, 5))
    W = net[0].weight.detach().clone()
    nn.utils.parametrize.register_parametrization(net[0], "weight", LoRA())
    path = write(tmp_path, net.state_dict(), ".pt")
    found = open_adapter(path, alpha=6.0)
    assert found.layers[0].name == "0"
    torch.testing.assert_close(W + found.layers[0].delta_weight().float(), net[0].weight.detach())
    assert "2 other tensors" in " ".join(found.extra["notes"])


BAD = {
    "no alpha": ({"fc.lora_A": A, "fc.lora_B": B}, {}, "--alpha"),
    "alpha NaN of loralib": (
        {"fc.lora_A": A, "fc.lora_B": B}, {"alpha": float("nan")}, "no number",
    ),
    "two scales": ({"fc.lora_A": A, "fc.lora_B": B}, {"alpha": 1.0, "scale": 1.0}, "not both"),
    "mlx without a scale": (MLX, {}, "--scale"),
    "mlx with more": ({**MLX, "fc.weight": A.clone()}, {"scale": 1.0}, "no place"),
    "mlx of experts": (
        {"fc.lora_a": torch.ones(2, 3, 6), "fc.lora_b": torch.ones(2, 5, 3)}, {"scale": 1.0},
        "experts",
    ),
    "half": ({"fc.lora_A": A}, {"alpha": 1.0}, "lora_B of 'fc' is missing"),
    "half of kohya": ({"lora_te_a.lora_down.weight": A}, {}, "lora_up.weight' is missing"),
    "half of diffusers": ({"unet.a.lora_A.weight": A}, {}, "up factor of 'unet.a' is missing"),
    "glora": ({"lora_unet_a.a1.weight": A, "lora_unet_a.a2.weight": B}, {}, "GLoRA"),
    "oft": ({"lora_unet_a.oft_blocks": torch.ones(2, 3, 3)}, {}, "turns the rows of W"),
    "half of loha": ({"lora_unet_a.hada_w1_a": A}, {}, "do not multiply"),
    "half of lokr": ({"lora_unet_a.lokr_w1": A}, {}, "do not multiply"),
    "a bias": ({**KOHYA, "lora_unet_a_b.diff_b": torch.ones(5)}, {}, "changes a bias"),
    "a norm with points": (
        {**KOHYA, "diffusion_model.norm3.diff": torch.ones(5)}, {}, "changes a norm",
    ),
    "a bias of the factors": (
        {"unet.a.lora_A.weight": A, "unet.a.lora_B.weight": B, "unet.a.lora_B.bias": torch.ones(5)},
        {}, "lora_bias",
    ),
    "a norm": ({**KOHYA, "lora_unet_n.w_norm": torch.ones(5)}, {}, "changes a norm"),
    "a key of something else": ({**KOHYA, "other.weight": A.clone()}, {}, "no place"),
    "a model": ({"fc.weight": A}, {}, "no key of it is a factor"),
    "fp8": ({k: v.to(torch.float8_e4m3fn) for k, v in KOHYA.items()}, {}, "float8_e4m3fn"),
    "int8": ({k: v.to(torch.int8) for k, v in KOHYA.items()}, {}, "int8"),
    "NaN": ({**KOHYA, "lora_unet_a_b.lora_up.weight": B * float("nan")}, {}, "NaN"),
    "another rank": ({**KOHYA, "lora_unet_a_b.lora_up.weight": B[:, :2].clone()}, {}, "multiply"),
    "alpha of two": ({**KOHYA, "lora_unet_a_b.alpha": torch.ones(2)}, {}, "not one number"),
    "alpha NaN": ({**KOHYA, "lora_unet_a_b.alpha": torch.tensor(float("nan"))}, {}, "alpha"),
    "old dora": ({**KOHYA, "lora_unet_a_b.dora_scale": torch.ones(1, 6)}, {}, "each input.*base"),
    "a factor that is a number": ({"fc.lora_A": NUMBER, "fc.lora_B": B}, {"alpha": 1.0}, SINGLE),
    "numbers of kohya": (dict.fromkeys(KOHYA, NUMBER), {}, SINGLE),
    "numbers of mlx": (dict.fromkeys(MLX, NUMBER), {"scale": 1.0}, SINGLE),
    "a number beside experts of mlx": (
        {"fc.lora_a": NUMBER, "fc.lora_b": torch.ones(2, 2, 2)}, {"scale": 1.0}, SINGLE,
    ),
    "numbers of diffusers": (
        {"unet.a.lora.down.weight": NUMBER, "unet.a.lora.up.weight": NUMBER}, {}, SINGLE,
    ),
    "a number of xlabs": (
        {f"double_blocks.0.processor.qkv_lora1.{part}.weight": NUMBER for part in ("up", "down")},
        {}, SINGLE,
    ),
    "numbers of lokr": (
        {"lora_unet_a.lokr_w1": NUMBER, "lora_unet_a.lokr_w2": NUMBER}, {}, SINGLE,
    ),
    "a magnitude for all": ({**KOHYA, "lora_unet_a_b.dora_scale": NUMBER}, {}, SINGLE),
    "rows of lokr": (
        {"lora_unet_a.lokr_w1": torch.ones(4), "lora_unet_a.lokr_w2": torch.ones(4)}, {},
        "do not multiply",
    ),
    "cubes of lokr": (
        {"lora_unet_a.lokr_w1_a": torch.ones(2, 2, 2), "lora_unet_a.lokr_w1_b": torch.ones(2, 2),
         "lora_unet_a.lokr_w2": torch.ones(2, 2)}, {}, "do not multiply",
    ),
    "ranks of loha the wrong way round": (
        {f"lora_unet_a.hada_{key}": torch.ones(shape) for key, shape in
         (("w1_a", (4, 2)), ("w1_b", (3, 4)), ("w2_a", (4, 3)), ("w2_b", (2, 4)))}, {},
        "do not multiply",
    ),
    "complex": ({**KOHYA, "lora_unet_a_b.alpha": torch.tensor(1 + 2j)}, {}, "complex"),
    "a bias in float8": (
        {**KOHYA, "lora_unet_a_b.diff_b": torch.ones(5).to(torch.float8_e4m3fn)}, {},
        "changes a bias",
    ),
    "no end of a scale": ({"fc.lora_A": A, "fc.lora_B": B}, {"alpha": 1e40}, "no number"),
    "no end of mlx's": (MLX, {"scale": -1e40}, "no number"),
    "loralib convolution": (
        {"c.lora_A": torch.ones(6, 12), "c.lora_B": torch.ones(15, 6, 1)}, {"alpha": 1.0},
        "convolution",
    ),
    "a stranger": (
        {"fc.lora_A": A, "fc.lora_B": B, "lora_x": A.clone()}, {"alpha": 1.0}, "no place",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_whole_is_refused_by_name(tmp_path, name):
    tensors, told, reason = BAD[name]
    path = write(tmp_path, tensors)
    with pytest.raises(LabError, match=reason) as refused:
        open_adapter(path, **told)
    assert "adapter.safetensors" in str(refused.value)


def test_an_archive_is_asked_what_a_safetensors_file_is(tmp_path):
    path = write(tmp_path, {"fc.lora_a": torch.ones(6, 0), "fc.lora_b": torch.ones(0, 5)}, ".pt")
    with pytest.raises(LabError, match="it is empty"):
        open_adapter(path, alpha=1.0)


def test_a_stranger_may_not_name_the_kind_of_a_layer(tmp_path):
    path = write(tmp_path, KOHYA, metadata={"lora_lab_kinds": '{"lora_unet_a_b": "conv"}'})
    assert open_adapter(path).layers[0].kind == "linear"


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(LabError, match="no such file"):
        open_adapter(tmp_path / "x.safetensors")
    with pytest.raises(LabError, match="no adapter here"):
        open_adapter(tmp_path)
    assert not is_adapter(tmp_path)
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + bytes(80))
    with pytest.raises(LabError):
        open_adapter(tmp_path / "x.gguf")


@pytest.mark.parametrize("field", ["alpha_pattern", "rank_pattern"])
def test_a_pattern_of_the_metadata_that_is_none_is_refused_with_the_file(tmp_path, field):
    settings = {"unet.lora_alpha": 4, "unet.r": 3, f"unet.{field}": {"(": 3}}
    file = tmp_path / "m.safetensors"
    tensors = {"unet.a.lora_A.weight": A, "unet.a.lora_B.weight": B}
    safetensors.torch.save_file(tensors, file, {"lora_adapter_metadata": json.dumps(settings)})
    with pytest.raises(LabError, match=r"m.safetensors, lora_adapter_metadata: the pattern"):
        open_adapter(file)
