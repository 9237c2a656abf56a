"""The PEFT folder against peft itself, both ways."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.formats import FORMATS
from lora_lab.formats.peft import TENSORS, load, save
from lora_lab.formats.peft_patterns import matches
from lora_lab.formats.peft_reread import reread
from tests.formats.adapters import delta_of


@pytest.fixture(scope="module")
def peft():
    with warnings.catch_warnings():  # what peft's own imports say is not ours to mend
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        import peft
    return peft


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 7)
        self.down = nn.Linear(7, width)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(x)))


def network():
    """Names that can be mistaken for one another: '1', 'up' and 'tail.up', 'tailXup'."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"tail": Block(6), "tailXup": nn.Linear(6, 6), "1": nn.Linear(6, 5)})

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = model

        def forward(self, x):
            return self.parts["1"](self.parts["tailXup"](self.parts["tail"](x)))

    return Net().eval()


SHAPES = {
    "parts.tail.up": (7, 6),
    "parts.tail.down": (6, 7),
    "parts.tailXup": (6, 6),
    "parts.1": (5, 6),
}


def adapter(ranks=(2, 2, 2, 2), alphas=(4.0, 4.0, 4.0, 4.0), rule="lora", dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    layers = []
    for (name, (out, inside)), rank, alpha in zip(SHAPES.items(), ranks, alphas, strict=True):
        a = torch.randn(rank, inside, generator=generator).to(dtype)
        b = torch.randn(out, rank, generator=generator).to(dtype)
        scaling = {"lora": alpha / rank, "rslora": alpha / rank**0.5, "odd": 0.3 * alpha}[rule]
        layers.append(LayerWeights(name, a, b, alpha, scaling))
    return AdapterWeights(
        "lora", tuple(layers), base="somewhere/base", base_fingerprint="f00d", dropout=0.1
    )


def expected_output(weights, x):
    """What the base computes with ΔW added to each weight, without PEFT."""
    model = network()
    for layer in weights.layers:
        linear = model.get_submodule(layer.name)
        linear.weight.data = (linear.weight.double() + layer.delta_weight()).float()
    with torch.no_grad():
        return model(x)


CASES = {
    "one rank": adapter(),
    "ranks and alphas per layer": adapter((1, 2, 3, 2), (4.0, 1.5, 8.0, 4.0)),
    "ranks per layer": adapter((1, 2, 3, 5)),
    "alphas per layer": adapter(alphas=(4.0, 4.0, 0.25, 4.0)),
    "rslora": adapter((3, 3, 3, 3), rule="rslora"),
    "rslora, ranks per layer": adapter((1, 2, 3, 5), rule="rslora"),
    "scaling moved apart from alpha": adapter((1, 2, 3, 5), rule="odd"),
}


@pytest.mark.parametrize("case", CASES)
def test_peft_loads_what_we_save_and_computes_the_same(case, peft, tmp_path):
    weights = CASES[case]
    notes = save(weights, tmp_path / "a")
    assert bool(notes) == (case == "scaling moved apart from alpha")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = peft.PeftModel.from_pretrained(network(), str(tmp_path / "a")).eval()
    x = torch.randn(16, 6)
    expected = expected_output(weights, x)
    with torch.no_grad():
        found = model(x)
    assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()

    written = safetensors.torch.load_file(tmp_path / "a" / TENSORS)
    theirs = peft.get_peft_model_state_dict(model)
    assert set(written) == set(theirs)
    assert all(torch.equal(written[key], theirs[key]) for key in theirs)
    rank = sum(p.numel() for n, p in model.named_parameters() if "lora_" in n)
    assert rank == sum(x.rank * sum(x.shape) for x in weights.layers)


@pytest.mark.parametrize("case", CASES)
def test_what_we_save_comes_back(case, tmp_path):
    weights = CASES[case]
    save(weights, tmp_path)
    found = load(tmp_path)
    assert (found.base, found.base_fingerprint) == (weights.base, weights.base_fingerprint)
    assert (found.variant, found.dropout) == ("lora", 0.1)
    by_name = {layer.name: layer for layer in found.layers}
    again = {layer.name: delta_of(layer) for layer in reread(tmp_path)}
    assert set(by_name) == set(again) == set(SHAPES)
    for layer in weights.layers:
        other = by_name[layer.name]
        assert torch.equal(other.lora_A, layer.lora_A)
        assert torch.equal(other.lora_B, layer.lora_B)
        assert other.scaling == pytest.approx(layer.scaling, rel=1e-14)
        np.testing.assert_allclose(again[layer.name], layer.delta_weight().numpy(), rtol=1e-12)


THEIRS = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "patterns": {
        "rank_pattern": {"tail.up": 5, "^parts.1": 1},
        "alpha_pattern": {r"parts\.tail\..*": 3, "1": 7},
    },
    "rank pattern alone": {"rank_pattern": {"up": 3}},
    "suffixes": {"target_modules": ["up", "1"]},
    "a pattern of targets": {"target_modules": r".*\.(up|down)"},
    "all-linear": {"target_modules": "all-linear"},
}


@pytest.mark.parametrize("case", THEIRS)
def test_we_load_what_peft_saves(case, peft, tmp_path):
    targets = {"target_modules": list(SHAPES)}
    config = peft.LoraConfig(r=2, lora_alpha=5, **{**targets, **THEIRS[case]})
    model = peft.get_peft_model(network(), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    model.save_pretrained(tmp_path)
    found = {layer.name: layer for layer in load(tmp_path).layers}
    theirs = {
        name.removeprefix("base_model.model."): module.get_delta_weight("default")
        for name, module in model.named_modules()
        if hasattr(module, "get_delta_weight")
    }
    assert set(found) == set(theirs)
    for name, delta in theirs.items():
        torch.testing.assert_close(found[name].delta_weight().float(), delta)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floats_are_kept(dtype, tmp_path):
    weights = adapter(dtype=dtype)
    save(weights, tmp_path)
    found = {layer.name: layer for layer in load(tmp_path).layers}
    again = {layer.name: delta_of(layer) for layer in reread(tmp_path)}
    for layer in weights.layers:
        assert found[layer.name].lora_A.dtype == dtype
        np.testing.assert_array_equal(again[layer.name], layer.delta_weight().numpy())


def test_layers_come_in_the_order_of_their_numbers(tmp_path):
    one = CASES["one rank"].layers[0]
    names = [f"layers.{i}.q" for i in (0, 1, 2, 10, 11)]
    layers = tuple(LayerWeights(n, one.lora_A, one.lora_B, 4.0, 2.0) for n in names)
    save(AdapterWeights("lora", layers[::-1]), tmp_path)
    assert [layer.name for layer in load(tmp_path).layers] == names


def test_a_bare_name_is_noted(tmp_path):
    one = CASES["one rank"].layers[0]
    layers = (LayerWeights("fc1", one.lora_A, one.lora_B, 4.0, 2.0),)
    (note,) = save(AdapterWeights("lora", layers), tmp_path)
    assert "fc1" in note


WRITE_REFUSALS = {
    "empty": ((), "no layers"),
    "no name": (("", "linear"), "without a name"),
    "twice": (("a", "linear", "a", "linear"), "used 2 times"),
    "unknown type": (("a", "attention"), "layers of type attention cannot be written"),
    "no shape of a kernel": (("a", "conv"), "is no shape of a 7 × 6 convolution"),
}


@pytest.mark.parametrize("case", WRITE_REFUSALS)
def test_what_the_format_cannot_say_is_refused(case, tmp_path):
    given, message = WRITE_REFUSALS[case]
    one = CASES["one rank"].layers[0]
    layers = tuple(
        LayerWeights(name, one.lora_A, one.lora_B, 4.0, 2.0, kind)
        for name, kind in zip(given[::2], given[1::2], strict=True)
    )
    with pytest.raises(AdapterError, match=message):
        save(AdapterWeights("lora", layers), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def conv(**changes):
    """A convolution of 4 channels in 2 groups, kernel 3, to 6 channels."""
    B = torch.block_diag(torch.ones(3, 2), torch.ones(3, 2))
    given = LayerWeights("net.conv", torch.ones(4, 6), B, 4.0, 1.0, "conv", (6, 2, 3), 2)
    return replace(given, **changes)


BAD_LAYERS = {
    "outside its groups": ((conv(lora_B=torch.ones(6, 4)),), "not block-diagonal in its 2 groups"),
    "another shape": ((conv(weight_shape=(6, 3, 3)),), "is no shape of a 6 × 6 convolution"),
    "another number of groups": ((conv(groups=3),), "does not divide into 3 groups"),
    "two ranks": ((conv(lora_A=torch.ones(5, 6)),), "differ in rank"),
    "magnitudes of inputs": ((conv(magnitude=torch.ones(4)),), "not one magnitude for each output"),
    "magnitudes of some": (
        (conv(), conv(name="net.other", magnitude=torch.ones(6))),
        "net.other: only some layers have a magnitude",
    ),
}


@pytest.mark.parametrize("case", BAD_LAYERS)
def test_layers_that_do_not_fit_together_are_refused(case, tmp_path):
    layers, message = BAD_LAYERS[case]
    save(AdapterWeights("lora", (conv(),)), tmp_path / "good")
    with pytest.raises(AdapterError, match=message):
        save(AdapterWeights("lora", layers), tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


PATTERNS = ["up", "tail.up", "^tail.up", r"tail\.up", "^parts\\.1$", ".*", ".+up", "t.*p", r"\d+",
            "parts.\\d", "tail", "x", "", "p", ".*\\.tail\\..*", "^up", "a*"]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_mean_what_peft_means(pattern):
    for name in ["up", "tail.up", "parts.tail.up", "parts.tailXup", "parts.1", "1", "parts.12"]:
        wanted = re.match(rf"(.*\.)?({pattern})$", name) is not None
        assert matches(pattern, name) == wanted, name


def test_a_pattern_takes_linear_time():
    assert not matches(".*" * 200 + "b", "a" * 2000)


def test_every_format_names_its_files():
    for name, kind in FORMATS.items():
        assert kind.name == name
        assert kind.files
