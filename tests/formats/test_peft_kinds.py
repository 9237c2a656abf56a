"""Trained layers of every type and variant through the PEFT folder: ours read by peft, and back."""

import copy
import json
import warnings
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers.pytorch_utils import Conv1D

from lora_lab.adapters.inject import inject
from lora_lab.adapters.kinds import kind_of
from lora_lab.adapters.resize import resize
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.analysis.inspect import inspect_adapter
from lora_lab.errors import ExportError
from lora_lab.formats.peft import TENSORS, load, save
from lora_lab.formats.peft_limits import limits
from lora_lab.formats.peft_reread import reread
from lora_lab.formats.verify import export
from tests.formats.adapters import delta_of

with warnings.catch_warnings():  # what peft's own imports say is not ours to mend
    warnings.simplefilter("ignore")
    import peft


class Pictures(nn.Module):
    """Convolutions of one and two dimensions, with strides, groups and kernels of size 1."""

    def __init__(self, grouped=True):
        super().__init__()
        g = 2 if grouped else 1
        self.first = nn.Conv2d(4, 6, (3, 2), stride=2, padding=(1, 0))
        self.parts = nn.ModuleDict({"wide": nn.Conv2d(6, 8, 3, padding="same", groups=g)})
        self.point = nn.Conv2d(8, 6, 1, bias=False)
        self.line = nn.Conv1d(6, 4, 3, stride=2)
        self.deep = nn.Conv1d(4, 4, 3, padding=1, groups=4 if grouped else 1)

    def forward(self, x):
        x = self.point(torch.tanh(self.parts["wide"](self.first(x))))
        return self.deep(torch.tanh(self.line(x.flatten(2))))


class Mixed(nn.Module):
    """Three layers that keep two numbers for each weight in different orders."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(13, 8, padding_idx=0)
        self.block = nn.ModuleDict({"gpt2": Conv1D(10, 8), "linear": nn.Linear(10, 5)})

    def forward(self, x):
        return self.block["linear"](torch.tanh(self.block["gpt2"](self.table(x))))


def gpt2():
    config = GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=23, n_positions=12)
    return GPT2LMHeadModel(config)


def llama():
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "vocab_size": 23}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return LlamaForCausalLM(LlamaConfig(**sizes, **heads, max_position_embeddings=16))


PICTURES = torch.randn(2, 4, 8, 9, generator=torch.Generator().manual_seed(5))
TOKENS = torch.arange(20).reshape(2, 10) % 13
MODELS = {  # how it is built, its input, what is adapted
    "gpt2": (gpt2, TOKENS, ("c_attn", "c_proj", "c_fc", "wte")),
    "llama": (llama, TOKENS, ("q_proj", "v_proj", "down_proj", "embed_tokens")),
    "pictures": (Pictures, PICTURES, ("first", "wide", "point", "line", "deep")),
    "undivided": (lambda: Pictures(False), PICTURES, ("first", "wide", "point", "line", "deep")),
    "mixed": (Mixed, TOKENS, ("table", "gpt2", "linear")),
}
ADAPTERS = {  # variant, init
    "lora": ("lora", "kaiming"),
    "rslora": ("rslora", "kaiming"),
    "dora": ("dora", "kaiming"),
    "pissa": ("lora", "pissa"),
    "olora, rslora": ("rslora", "olora"),
    "pissa, dora": ("dora", "pissa"),
}
CASES = [
    (model, adapter)
    for model in MODELS
    for adapter in ADAPTERS
    if (model, ADAPTERS[adapter][1]) not in {("pictures", "pissa"), ("pictures", "olora")}
]
each_case = pytest.mark.parametrize(("model", "adapter"), CASES, ids=map(" ".join, CASES))


def base(model, dtype=torch.float32):
    torch.manual_seed(0)
    built = MODELS[model][0]().to(dtype).eval()
    for parameter in built.parameters():  # not so near to zero that nothing matters
        parameter.data.mul_(3)
    return built


def logits(model, x):
    with torch.no_grad():
        answer = model(x)
    return getattr(answer, "logits", answer)


def trained(model, adapter, dtype=torch.float32):
    """A model with an adapter that has moved, one layer of it at another rank."""
    variant, init = ADAPTERS[adapter]
    network = base(model, dtype)
    targets = [t for t in MODELS[model][2] if not (model == "pictures" and variant == "dora")]
    if not targets:  # DoRA of a grouped convolution is what PEFT cannot do
        targets = ["first", "point", "line", "deep"]
    rank = 4
    layers = inject(network, variant=variant, rank=rank, alpha=6.0, init=init, targets=targets)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in layers.values():
            for p in layer.adapter_parameters():
                p += 0.2 * torch.randn(p.shape, generator=generator)
    odd = next(
        layer for layer in reversed(layers.values()) if init != "kaiming" or not layer.locked
    )
    optimizer = torch.optim.SGD(odd.adapter_parameters(), lr=0.1)
    resize(odd, 2, odd.scaling_for(3.0, 2), optimizer, generator)
    return network.eval(), layers


def weights_of(layers, variant="lora"):
    return AdapterWeights(variant, tuple(layer.layer_weights() for layer in layers.values()))


# What PEFT says whenever it meets such a model; anything else it says is a failure.
MEANT = {
    "pictures": "LoRA adapter added to ConvNd layer with groups",
    "mixed": "fan_in_fan_out is set to True but the target module is `torch.nn.Linear`",
}


def peft_opens(folder, model):
    network = base(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", FutureWarning)  # PEFT's use of transformers
        if model in MEANT:
            warnings.filterwarnings("ignore", message=MEANT[model])
        return peft.PeftModel.from_pretrained(network, str(folder)).eval()


@each_case
def test_peft_computes_the_same_from_what_we_export(model, adapter, tmp_path):
    network, layers = trained(model, adapter)
    x = MODELS[model][1]
    report = export(weights_of(layers, ADAPTERS[adapter][0]), tmp_path / "a")
    assert report.largest_error <= 1e-12
    opened = peft_opens(tmp_path / "a", model)
    # In double precision: what rounding adds up to in single differs from processor to processor.
    x = x.double() if x.is_floating_point() else x
    wanted, plain = logits(network.double(), x), logits(base(model).double(), x)
    found = logits(opened.double(), x)
    assert (wanted - plain).abs().max() > 0.05 * wanted.abs().max(), "the adapter does something"
    assert (found - wanted).abs().max() <= 1e-6 * wanted.abs().max()

    written = safetensors.torch.load_file(tmp_path / "a" / TENSORS)
    theirs = peft.get_peft_model_state_dict(opened)
    assert set(written) == set(theirs)
    assert all(torch.equal(written[key], theirs[key]) for key in theirs)
    if ADAPTERS[adapter][1] == "kaiming":
        assert len({layer.rank for layer in report.layers}) > 1, "a rank of its own is among them"


@each_case
def test_what_we_export_comes_back(model, adapter, tmp_path):
    _, layers = trained(model, adapter)
    weights = weights_of(layers, ADAPTERS[adapter][0])
    save(weights, tmp_path)
    found = load(tmp_path)
    assert found.variant == weights.variant
    assert {x.name for x in found.layers} == set(layers)
    again = {x.name: (delta_of(x), x.magnitude) for x in reread(tmp_path)}
    for layer in found.layers:
        wanted = layers[layer.name].layer_weights()
        for field in ("kind", "weight_shape", "groups"):
            assert getattr(layer, field) == getattr(wanted, field)
        assert layer.scaling == pytest.approx(wanted.scaling, rel=1e-14)
        assert layer.alpha == pytest.approx(wanted.alpha, rel=1e-14)
        delta, magnitude = again[layer.name]
        torch.testing.assert_close(
            torch.from_numpy(delta), wanted.delta_weight(), rtol=1e-12, atol=1e-14
        )
        for name in ("lora_A", "lora_B", "magnitude"):
            ours, theirs = getattr(wanted, name), getattr(layer, name)
            assert theirs is None if ours is None else torch.equal(ours, theirs)
        if wanted.magnitude is None:
            assert magnitude is None
        else:
            assert torch.equal(torch.from_numpy(magnitude), wanted.magnitude.double())


@pytest.mark.parametrize("variant", ["lora", "rslora", "dora"])
@pytest.mark.parametrize("model", ["gpt2", "llama", "undivided", "mixed"])
def test_we_read_what_peft_saves(model, variant, tmp_path):
    network, x = base(model), MODELS[model][1]
    config = peft.LoraConfig(
        r=3,
        lora_alpha=5,
        use_rslora=variant == "rslora",
        use_dora=variant == "dora",
        target_modules=list(MODELS[model][2]),
        rank_pattern={MODELS[model][2][0]: 2},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = peft.get_peft_model(copy.deepcopy(network), config).eval()
        for name, parameter in theirs.named_parameters():
            if "lora_magnitude" in name:
                parameter.data.mul_(1 + 0.1 * torch.randn_like(parameter))
            elif "lora_" in name:
                nn.init.normal_(parameter, std=0.2)
        theirs.save_pretrained(tmp_path, save_embedding_layers=False)
    found = load(tmp_path)
    assert found.variant == variant
    modules = {
        name.removeprefix("base_model.model."): module
        for name, module in theirs.named_modules()
        if hasattr(module, "get_delta_weight")
    }
    assert {layer.name for layer in found.layers} == set(modules)
    for layer in found.layers:
        original = network.get_submodule(layer.name)
        kind = kind_of(original, layer.name)
        if kind.name == layer.kind or model != "mixed":  # there is one fan_in_fan_out for both
            assert (layer.kind, layer.weight_shape) == (kind.name, tuple(original.weight.shape))
        delta = kind.native(original, layer.delta_weight().float())
        with torch.no_grad():
            torch.testing.assert_close(delta, modules[layer.name].get_delta_weight("default"))
            changed = original.weight + delta
            if layer.magnitude is not None:
                V = kind.matrix(original, changed)
                V = V * (layer.magnitude / V.norm(dim=1))[:, None]
                changed = kind.native(original, V)
            original.weight = nn.Parameter(changed)  # where W is tied, the other use keeps its own
    wanted = logits(theirs, x)
    assert (logits(network, x) - wanted).abs().max() <= 2e-6 * wanted.abs().max()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("model", ["pictures", "mixed"])
def test_other_floats_are_kept(model, dtype, tmp_path):
    _, layers = trained(model, "lora")
    rows = weights_of(layers).layers
    rows = [replace(x, lora_A=x.lora_A.to(dtype), lora_B=x.lora_B.to(dtype)) for x in rows]
    export(AdapterWeights("lora", tuple(rows)), tmp_path / "a")
    for layer in load(tmp_path / "a").layers:
        assert layer.lora_A.dtype == layer.lora_B.dtype == dtype


WINDOWS = {
    "dilated": (lambda: nn.Conv2d(4, 6, 3, dilation=(1, 2)), ((1, 2), "zeros")),
    "dilated, of size 1": (lambda: nn.Conv2d(4, 6, 1, dilation=2), None),
    "dilated, one long": (lambda: nn.Conv1d(4, 6, 2, dilation=2, padding="same"), ((2,), "zeros")),
    "reflecting": (lambda: nn.Conv1d(4, 6, 3, padding=1, padding_mode="reflect"), ((), "reflect")),
    "reflecting nothing": (lambda: nn.Conv1d(4, 6, 3, padding_mode="reflect"), None),
    "plain": (lambda: nn.Conv2d(4, 6, 3, padding=1), None),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_a_convolution_that_peft_would_move_otherwise_is_saved_but_not_exported(case, tmp_path):
    make, window = WINDOWS[case]
    layers = inject(nn.ModuleDict({"conv": make()}), rank=2, alpha=4.0, targets=["conv"])
    layers["conv"].lora_B.data += 0.5
    weights = weights_of(layers)
    save(weights, tmp_path / "run")
    (found,) = load(tmp_path / "run").layers
    assert (found.dilation, found.padding_mode) == (window or ((), "zeros"))
    assert found.weight_shape == weights.layers[0].weight_shape
    for adapter in (weights, load(tmp_path / "run")):
        if window is None:
            export(adapter, tmp_path / "a", overwrite=True)
        else:
            with pytest.raises(ExportError, match="neither dilates nor pads otherwise"):
                export(adapter, tmp_path / "a")


@pytest.mark.parametrize("model", ["gpt2", "mixed"])
def test_only_two_types_of_linear_layers_are_noted(model, tmp_path):
    _, layers = trained(model, "lora")
    notes = " ".join(save(weights_of(layers), tmp_path))
    assert ("fan_in_fan_out" in notes) == (model == "mixed")


@pytest.mark.parametrize("adapter", ["lora", "dora"])
def test_what_is_read_can_be_inspected(adapter, tmp_path):
    _, layers = trained("mixed", adapter)
    save(weights_of(layers, adapter), tmp_path)
    rows = json.loads(json.dumps(inspect_adapter(load(tmp_path)), allow_nan=False))
    assert {row["name"] for row in rows} == set(layers)
    for row in rows:
        layer = layers[row["name"]].layer_weights()
        assert row["kind"] == layer.kind
        assert row["weight_shape"] == list(layer.weight_shape)
        sigma = torch.linalg.svdvals(layer.delta_weight())[: layer.rank]
        torch.testing.assert_close(
            torch.tensor(row["singular_values"]).double(), sigma, rtol=1e-5, atol=1e-6
        )
        if adapter == "lora":
            assert row["magnitude"] is None
        else:
            m = layer.magnitude
            assert row["magnitude"]["least"] == float(m.min()) < row["magnitude"]["mean"]
            assert row["magnitude"]["largest"] == float(m.max()) > row["magnitude"]["mean"]


def test_dora_that_peft_would_compute_otherwise_is_saved_but_not_exported(tmp_path):
    """PEFT's norms of a grouped convolution are wrong: shown by its own output."""
    network = base("pictures")
    layers = inject(network, variant="dora", rank=4, alpha=6.0, targets=["wide"])
    with torch.no_grad():
        for p in layers["parts.wide"].adapter_parameters():
            p += 0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1))
    weights = weights_of(layers, "dora")
    with pytest.raises(ExportError, match=r"parts\.wide: PEFT takes DoRA's norms"):
        export(weights, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    save(weights, tmp_path / "b")
    assert limits(load(tmp_path / "b")) == limits(weights)
    opened = peft_opens(tmp_path / "b", "pictures")
    wanted = logits(network, PICTURES)
    assert (logits(opened, PICTURES) - wanted).abs().max() > 1e-3 * wanted.abs().max()


def test_dora_of_an_output_without_weights_is_not_exported(tmp_path):
    def blank():
        network = base("mixed")
        network.block["linear"].weight.data[3] = 0
        return network

    network = blank()
    layers = inject(network, variant="dora", rank=2, alpha=4.0, targets=["linear"])
    layers["block.linear"].lora_B.data[:3] = 1.0
    weights = weights_of(layers, "dora")
    with pytest.raises(ExportError, match=r"block\.linear: some outputs have no weights at all"):
        export(weights, tmp_path / "a")
    save(weights, tmp_path / "b")
    opened = peft.PeftModel.from_pretrained(blank(), str(tmp_path / "b")).eval()
    assert logits(opened, TOKENS).isnan().any()
    assert not logits(network, TOKENS).isnan().any()


def test_a_start_from_w_that_has_not_moved_is_not_exported(tmp_path):
    """The factors of PiSSA are not zero, but their sum of products is, up to rounding."""
    network = base("llama")
    layers = inject(network, rank=4, alpha=6.0, init="pissa", targets=["q_proj"])
    with pytest.raises(ExportError, match="untrained"):
        export(weights_of(layers), tmp_path / "a")
    layers["model.layers.0.self_attn.q_proj"].lora_B.data[0, 0] += 1e-4
    report = export(weights_of(layers), tmp_path / "a")
    assert report.notes[0] == "ΔW = 0 in model.layers.1.self_attn.q_proj"
    assert report.largest_error <= 1e-6
