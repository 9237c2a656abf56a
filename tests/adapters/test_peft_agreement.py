"""Every type of layer against PEFT's own, with the same factors; and against loralib's formulas."""

import warnings

import pytest
import torch
import torch.nn.functional as F

from lora_lab.adapters.inject import inject
from tests.adapters.zoo import ZOO

with warnings.catch_warnings():  # what peft's own imports say is not ours to mend
    warnings.simplefilter("ignore")
    import peft

# PEFT builds lora_A of a convolution without the layer's dilation and padding mode.
OTHERWISE = {"conv2d dilated": "must match the size", "conv2d reflecting": ""}
ALIKE = {name: case for name, case in ZOO.items() if name not in OTHERWISE}
# Its DoRA takes the norms of a grouped convolution over the wrong entries (of a depthwise one with
# one output for each group they are right by chance).
WRONG_NORMS = "conv2d in groups"

each_variant = pytest.mark.parametrize("variant", ["lora", "rslora", "dora"])
each_case = pytest.mark.parametrize("name", ALIKE)


def pair(name, variant, dtype=torch.float32):
    """Our layer and PEFT's on the same base, with the same factors, and an input."""
    case = ZOO[name]
    settings = {"use_dora": variant == "dora", "use_rslora": variant == "rslora"}
    config = peft.LoraConfig(r=case.rank, lora_alpha=5, target_modules=["layer"], **settings)
    with warnings.catch_warnings():  # of fan_in_fan_out, and that groups cannot be merged
        warnings.simplefilter("ignore")
        theirs = peft.get_peft_model(case.model(dtype), config).base_model.model["layer"]
    model = case.model(dtype)
    ours = inject(model, variant=variant, rank=case.rank, alpha=5.0, targets=("layer",))["layer"]
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in ours.adapter_parameters():
            noise = torch.randn(p.shape, generator=generator)
            p.copy_(0.3 * noise if p.dim() > 1 else p * (1 + 0.1 * noise))
        copy_factors(ours.layer_weights(), theirs)
    return ours.eval(), theirs.eval(), case.input(dtype)


def copy_factors(weights, theirs):
    """Fill PEFT's parameters in place: what has not their number of entries does not fit."""
    A, B, g = weights.lora_A, weights.lora_B, weights.groups
    if weights.kind == "embedding":
        theirs.lora_embedding_A["default"].copy_(A)
        theirs.lora_embedding_B["default"].copy_(B)
    else:
        a, b = theirs.lora_A["default"].weight, theirs.lora_B["default"].weight
        if g > 1:  # theirs reads all channels, ours those of its own group
            A = torch.block_diag(*A.view(g, len(A) // g, -1)).view(len(A), g, -1)
            kernel = a[0, 0].numel()
            A = A.reshape(len(A), -1, kernel)
            blocks = zip(B.chunk(g), range(g), strict=True)
            B = torch.cat([rows.chunk(g, 1)[i] for rows, i in blocks])
        a.copy_(A.reshape(a.shape))
        b.copy_(B.reshape(b.shape))
    if weights.magnitude is not None:
        m = theirs.lora_magnitude_vector["default"].weight
        m.copy_(weights.magnitude.reshape(m.shape))


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


@each_variant
@each_case
def test_outputs_equal_those_of_peft(name, variant):
    ours, theirs, x = pair(name, variant)
    y, wanted = ours(x), theirs(x)
    error = (y - wanted).abs().max() / wanted.abs().max()
    assert (wanted - ours.base_layer(x)).abs().max() > 0.05, "the adapter does something"
    if (name, variant) == (WRONG_NORMS, "dora"):
        assert error > 0.01  # and ours is the definition's: the next test
    else:
        assert error <= 1e-6


@each_variant
@each_case
def test_half_precision_is_as_near_to_the_truth_as_peft(name, variant):
    """PEFT rounds to bfloat16 once, at the end; ours may do it at up to three places."""
    ours, theirs, x = pair(name, variant, torch.bfloat16)
    y, answer = ours(x), theirs(x)
    assert y.dtype == torch.bfloat16
    base, kind = ours.base_layer.double(), ours.kind
    W = base.weight + kind.native(base, ours.delta_weight().double())
    bias = getattr(base, "bias", None)
    truth = kind.apply(base, x.double() if x.is_floating_point() else x, W, bias)

    def error(found):
        return float((found.double() - truth).norm() / truth.norm())

    assert error(y) <= 5e-3
    if (name, variant) != (WRONG_NORMS, "dora"):
        assert error(y) <= 1.2 * error(answer)


@pytest.mark.parametrize("share", [1e-3, 0.03, 0.2, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("name", ["linear", "large linear", "linear without bias"])
def test_so_it_is_whatever_the_share_of_the_adapter(name, share):
    """The larger of W x and s·B·A·x is rounded with the sum; PEFT always rounds W x alone."""
    ours, theirs, x = pair(name, "lora", torch.bfloat16)
    W = ours.base_layer.weight.double()
    factor = share * W.norm() / ours.delta_weight().double().norm()
    ours.lora_B *= factor
    theirs.lora_B["default"].weight *= factor
    truth = x.double() @ (W + ours.delta_weight().double()).t()
    truth = truth if ours.bias is None else truth + ours.bias.double()
    error, answer = ((y.double() - truth).norm() for y in (ours(x), theirs(x)))
    assert error <= (1.2 if ours.bias is None else 1.5) * answer  # a bias is one rounding more


@each_variant
@each_case
def test_delta_weight_equals_that_of_peft(name, variant):
    """PEFT's get_delta_weight is s·B·A in W's own shape, also in DoRA; in groups it has none."""
    ours, theirs, _ = pair(name, variant)
    if ours.kind.groups(ours.base_layer) > 1:
        with pytest.raises(RuntimeError, match="Given groups=1"):
            theirs.get_delta_weight("default")
        return
    wanted = theirs.get_delta_weight("default")
    A, B = ours.lora_A, ours.lora_B
    found = ours.kind.native(ours.base_layer, ours.scaling * (B @ A))
    assert found.shape == wanted.shape == ours.base_layer.weight.shape
    assert (found - wanted).abs().max() <= 1e-6 * wanted.abs().max()
    if variant != "dora":
        delta = ours.kind.native(ours.base_layer, ours.delta_weight())
        assert (delta - wanted).abs().max() <= 1e-6 * wanted.abs().max()
        return
    merged = ours.merged_layer().weight
    theirs.merge()
    assert (merged - theirs.base_layer.weight).abs().max() <= 1e-6 * merged.abs().max()


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_peft_cannot_express(name):
    """It breaks, or answers otherwise without a word, while ours is s·B·A added to W."""
    ours, theirs, x = pair(name, "lora")
    base = ours.base_layer
    wanted = base._conv_forward(x, base.weight + theirs.get_delta_weight("default"), base.bias)
    torch.testing.assert_close(ours(x), wanted)
    if OTHERWISE[name]:
        with pytest.raises(RuntimeError, match=OTHERWISE[name]):
            theirs(x)
    else:
        assert (theirs(x) - wanted).abs().max() > 0.1 * wanted.abs().max()


def loralib_linear(ours, x):
    """loralib/layers.py, Linear.forward."""
    base = ours.base_layer
    result = F.linear(x, base.weight, bias=base.bias)
    return result + (x @ ours.lora_A.transpose(0, 1) @ ours.lora_B.transpose(0, 1)) * ours.scaling


def loralib_embedding(ours, x):
    """loralib/layers.py, Embedding.forward."""
    base = ours.base_layer
    after_A = F.embedding(x, ours.lora_A.transpose(0, 1), base.padding_idx)
    return base(x) + (after_A @ ours.lora_B.transpose(0, 1)) * ours.scaling


LORALIB = {
    "linear": loralib_linear,
    "linear without bias": loralib_linear,
    "embedding": loralib_embedding,
    "embedding with padding": loralib_embedding,
}


@pytest.mark.parametrize("name", LORALIB)
def test_outputs_equal_those_of_loralib(name):
    ours, _, x = pair(name, "lora")
    assert ours.scaling == 5 / ours.rank
    wanted = LORALIB[name](ours, x)
    assert (ours(x) - wanted).abs().max() <= 1e-6 * wanted.abs().max()
