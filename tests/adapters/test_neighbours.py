"""LoRA-FA, VeRA and LoRA-XS against PEFT and their papers' formulas; what they keep and count."""

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.resize import rescale, resize
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError, ExportError
from lora_lab.formats.verify import export
from lora_lab.variants import VARIANTS

with warnings.catch_warnings():  # what peft's own imports say is not ours to mend
    warnings.simplefilter("ignore")
    import peft
    from peft.optimizers import create_lorafa_optimizer

NEIGHBOURS = ("lora-fa", "vera", "lora-xs")


def net(dtype=torch.float64):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(24, 40), nn.Tanh(), nn.Linear(40, 16, bias=False)).to(dtype)


def adapted(variant, rank=6, dtype=torch.float64, **settings):
    model = net(dtype)
    return model, inject(model, variant=variant, rank=rank, alpha=9.0, **settings)


def stirred(layers):
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for layer in layers.values():
            for p in layer.adapter_parameters():
                p += 0.3 * torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p)


def data(dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(5, 24, generator=generator, dtype=torch.float64).to(dtype)


def weights_of(layers, variant):
    rows = tuple(layer.layer_weights() for layer in layers.values())
    pair = getattr(next(iter(layers.values())), "pair", None)
    shared = None if pair is None else tuple(pair.owner.beside().values())
    return AdapterWeights(variant, rows, shared=shared)


def peft_model(config):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.get_peft_model(net(), config).double()


def from_folder(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.PeftModel.from_pretrained(net(), folder).double()


def test_lora_fa_is_lora_in_peft_with_its_A_frozen():
    """Logits, ∇B, and twenty steps of AdamW; PEFT freezes A as its own LoRA-FA optimizer does."""
    model, layers = adapted("lora-fa")
    theirs = peft_model(peft.LoraConfig(r=6, lora_alpha=9, target_modules=["0", "2"]))
    create_lorafa_optimizer(theirs, r=6, lora_alpha=9, lr=0.1)
    moving = {n: p for n, p in theirs.named_parameters() if p.requires_grad}
    assert all("lora_B" in name for name in moving)
    assert len(moving) == sum(len(x.adapter_parameters()) for x in layers.values())
    for name, layer in layers.items():
        their = theirs.base_model.model.get_submodule(name)
        their.lora_A["default"].weight.data.copy_(layer.lora_A)
    x, losses = data(), []
    for net_, parameters in (
        (model, [p for layer in layers.values() for p in layer.adapter_parameters()]),
        (theirs, list(moving.values())),
    ):
        optimizer = torch.optim.AdamW(parameters, lr=0.02)
        losses.append([])
        for _ in range(20):
            optimizer.zero_grad()
            loss = (net_(x) - 1).square().mean()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)
    assert losses[0][-1] < 0.7 * losses[0][0]
    for name, layer in layers.items():
        B = theirs.base_model.model.get_submodule(name).lora_B["default"].weight
        torch.testing.assert_close(layer.lora_B, B, rtol=1e-9, atol=1e-12)


def test_vera_is_that_of_peft():
    """Logits and gradients of d and b, with PEFT's own pair and with the lab's in PEFT."""
    model, layers = adapted("vera")
    stirred(layers)
    config = peft.VeraConfig(r=6, target_modules=["0", "2"])
    theirs = peft_model(config)
    shared = theirs.base_model.vera_A["default"], theirs.base_model.vera_B["default"]
    pair = layers["0"].pair.owner
    assert (pair.shared_A.shape, pair.shared_B.shape) == tuple(t.shape for t in shared)
    for ours, their in zip((pair.shared_A, pair.shared_B), shared, strict=True):
        assert ours.abs().max() == pytest.approx(their.abs().max().item(), rel=0.05)
        assert ours.std() == pytest.approx(their.std().item(), rel=0.1)
    pair.shared_A, pair.shared_B = (t.double() for t in shared)
    for name, layer in layers.items():
        their = theirs.base_model.model.get_submodule(name)
        assert torch.equal(their.vera_lambda_d["default"], torch.full((6,), 0.1).double())
        their.vera_lambda_d["default"].data.copy_(layer.vera_d)
        their.vera_lambda_b["default"].data.copy_(layer.vera_b)
        torch.testing.assert_close(layer.delta_weight(), their.get_delta_weight("default"))
    x = data()
    torch.testing.assert_close(model(x), theirs(x), rtol=1e-12, atol=1e-12)
    model(x).square().sum().backward()
    theirs(x).square().sum().backward()
    for name, layer in layers.items():
        their = theirs.base_model.model.get_submodule(name)
        for ours, wanted in (
            (layer.vera_d, their.vera_lambda_d["default"]),
            (layer.vera_b, their.vera_lambda_b["default"]),
        ):
            torch.testing.assert_close(ours.grad, wanted.grad, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("variant", "format"),
    [("lora-fa", "peft"), ("lora-xs", "peft"), ("vera", "peft"), ("vera", "peft-vera")],
)
def test_an_exported_folder_answers_alike_in_peft(variant, format, tmp_path):
    model, layers = adapted(variant, dtype=torch.float32)
    stirred(layers)
    folder = tmp_path / "adapter"
    report = export(weights_of(layers, variant), folder, format, ask_library=True)
    assert report.largest_error < 1e-6
    assert report.proved.startswith("peft ")
    theirs = from_folder(folder)
    kinds = {"peft": peft.PeftType.LORA, "peft-vera": peft.PeftType.VERA}
    assert theirs.peft_config["default"].peft_type == kinds[format]
    x = data()
    torch.testing.assert_close(model.double()(x), theirs(x), rtol=1e-6, atol=1e-6)


def test_a_vera_folder_is_refused_where_peft_has_none(tmp_path):
    _, layers = adapted("lora")
    stirred(layers)
    with pytest.raises(ExportError, match="Only a run with the variant VeRA"):
        export(weights_of(layers, "lora"), tmp_path / "a", "peft-vera")
    _, layers = adapted("vera")
    resize(layers["2"], 4, 1.0, torch.optim.SGD(layers["2"].adapter_parameters()), None)
    stirred(layers)
    with pytest.raises(ExportError, match="one r for all layers of VeRA, and here they have 4, 6"):
        export(weights_of(layers, "vera"), tmp_path / "a", "peft-vera")
    assert not (tmp_path / "a").exists()


def test_lora_xs_moves_within_the_largest_singular_directions():
    """ΔW = s·U_rΣ_r·R·V_rᵀ, by numpy's SVD; ∇R = s·(U_rΣ_r)ᵀ·G·V_r; and 0 at the start."""
    model, layers = adapted("lora-xs")
    assert not any(layer.core.any() for layer in layers.values())
    stirred(layers)
    x = data()
    for layer in layers.values():
        U, S, Vt = (torch.from_numpy(t) for t in np.linalg.svd(layer.matrix.numpy()))
        left, right = U[:, :6], Vt[:6]
        inside = left @ left.T @ layer.delta_weight() @ right.T @ right
        torch.testing.assert_close(layer.delta_weight(), inside, rtol=1e-10, atol=1e-10)
        size = layer.scaling * torch.linalg.norm(S[:6, None] * layer.core)
        assert torch.linalg.norm(layer.delta_weight()).item() == pytest.approx(size.item())
    model(x).square().sum().backward()
    layer = layers["2"]
    W = layer.weight.detach().requires_grad_()
    nn.functional.linear(layers["0"](x).detach().tanh(), W).square().sum().backward()
    wanted = layer.scaling * layer.lora_B.T @ W.grad @ layer.lora_A.T
    torch.testing.assert_close(layer.core.grad, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("variant", "rank", "count"),
    [
        ("lora", 1, 458), ("lora", 8, 3_664), ("lora", 16, 6_884), ("lora-fa", 1, 202),
        ("lora-fa", 8, 1_616), ("vera", 1, 205), ("vera", 4, 214), ("vera", 16, 250),
        ("lora-xs", 8, 192), ("lora-xs", 12, 388), ("subspace", 1, 27),
    ],
)  # fmt: skip
def test_the_counts_of_the_net_of_the_digits(variant, rank, count):
    """64-128-64-10: an axis of equal counts; fc3 has ten outputs, which cap a rank."""
    shapes = [(128, 64), (64, 128), (10, 64)]
    model = nn.Sequential(*(nn.Linear(i, o) for o, i in shapes))
    layers = inject(model, variant=variant, rank=rank, alpha=1.0, dimension=27)
    assert sum(p.numel() for x in layers.values() for p in x.adapter_parameters()) == count
    row = VARIANTS[variant]
    if not row.shared:
        capped = [rank if not row.capped else min(rank, *shape) for shape in shapes]
        told = sum(row.parameters(s, r) for s, r in zip(shapes, capped, strict=True))
        assert told == count


def kept(layer, x, loss):
    """Elements of each tensor that the graph from x to the loss holds, the model's own left out."""
    own = {t.untyped_storage().data_ptr() for t in [*layer.parameters(), *layer.buffers()]}
    sizes = []

    def pack(tensor):
        if tensor.untyped_storage().data_ptr() not in own:
            sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss(layer(x))
    return sizes


@pytest.mark.parametrize("variant", ["lora", *NEIGHBOURS])
@pytest.mark.parametrize("tokens", [8, 512])
def test_nothing_of_the_width_of_a_layer_is_kept(variant, tokens):
    """Of x (tokens × 256) LoRA keeps all; the others A·x (tokens × 4), on small nets as well."""
    model = nn.Sequential(nn.Linear(256, 200))
    (layer,) = inject(model, variant=variant, rank=4, alpha=4.0).values()
    x = torch.randn(tokens, 256)
    sizes = kept(layer, x, torch.sum)
    if variant == "lora":
        assert max(sizes) >= 256 * tokens or tokens == 8
    else:
        assert max(sizes) <= max(4 * tokens, 200 * 4)
        assert sum(size == 4 * tokens for size in sizes) == 1


@pytest.mark.parametrize("variant", NEIGHBOURS)
@pytest.mark.parametrize("way", [torch.optim.AdamW, torch.optim.SGD])
def test_a_live_rank_keeps_what_was_learned_or_says_what_is_lost(variant, way):
    _, layers = adapted(variant)
    layer, x = layers["0"], data()
    stirred(layers)
    optimizer = way(layer.adapter_parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        layer(x).square().sum().backward()
        optimizer.step()
    before = layer.delta_weight().detach()
    grown = resize(layer, 10, layer.scaling_for(9.0, 10), optimizer, torch.Generator())
    assert (layer.rank, grown.discarded) == (10, 0.0)
    torch.testing.assert_close(layer.delta_weight(), before, rtol=1e-13, atol=1e-14)
    optimizer.zero_grad()
    layer(x).square().sum().backward()
    optimizer.step()
    assert all(p.grad is not None and p.grad.any() for p in layer.adapter_parameters())
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert trained == {id(p) for p in layer.adapter_parameters()}
    before = layer.delta_weight().detach()
    cut = resize(layer, 3, layer.scaling_for(9.0, 3), optimizer, torch.Generator())
    lost = (before - layer.delta_weight()).square().sum() / before.square().sum()
    if variant == "vera":  # the directions that go are not orthogonal to those that stay
        energy = layer.delta_weight().square().sum() / before.square().sum()
        assert cut.discarded == pytest.approx(1 - energy.item(), rel=1e-9)
    else:
        assert cut.discarded == pytest.approx(lost.item(), rel=1e-9)
    optimizer.zero_grad()
    layer(x).square().sum().backward()
    optimizer.step()
    assert all(torch.isfinite(p).all() for p in layer.adapter_parameters())


def test_a_cut_of_lora_xs_is_the_nearest_of_the_smaller_space():
    _, layers = adapted("lora-xs")
    layer = layers["0"]
    stirred(layers)
    before = layer.delta_weight().detach()
    resize(layer, 3, layer.scaling_for(9.0, 3), torch.optim.SGD([layer.core]), torch.Generator())
    with torch.no_grad():
        best = (before - layer.delta_weight()).norm()
        for _ in range(20):
            layer.core += 1e-3 * torch.randn_like(layer.core)
            assert (before - layer.delta_weight()).norm() > best


def test_a_rank_of_vera_adds_to_the_pair_that_all_share():
    _, layers = adapted("vera")
    first = [t.clone() for t in layers["0"].beside().values()]
    _, wide = adapted("vera", rank=9)
    optimizer = torch.optim.SGD([p for x in layers.values() for p in x.adapter_parameters()])
    resize(layers["2"], 9, 1.0, optimizer, torch.Generator())
    A, B = layers["0"].beside().values()
    assert torch.equal(A[:6], first[0])
    assert torch.equal(B[:, :6], first[1])
    assert torch.equal(A, wide["0"].beside()["shared_A"])
    assert (layers["0"].rank, layers["2"].rank) == (6, 9)
    assert layers["2"].vera_d.tolist() == pytest.approx([0.1] * 9), "b is 0: all start alike"


@pytest.mark.parametrize("variant", ["lora-fa", "lora-xs"])
@pytest.mark.parametrize("keep", [True, False])
def test_alpha_moves_the_function_or_the_number_that_carries_it(variant, keep):
    _, layers = adapted(variant)
    layer = layers["0"]
    stirred(layers)
    before, carrier = layer.delta_weight().detach(), layer.carrier.detach().clone()
    rescale(layer, 2 * layer.scaling, keep, torch.optim.SGD(layer.adapter_parameters()))
    factor = 1.0 if keep else 2.0
    torch.testing.assert_close(layer.delta_weight(), factor * before)
    torch.testing.assert_close(layer.carrier.detach(), carrier / (2 if keep else 1))


@pytest.mark.parametrize("variant", NEIGHBOURS)
def test_they_start_alike_from_a_seed_and_leave_nothing_to_the_optimizer(variant):
    model, layers = adapted(variant, seed=4)
    again = adapted(variant, seed=4)[1]
    for one, two in zip(layers.values(), again.values(), strict=True):
        for a, b in zip(one.effective(), two.effective(), strict=True):
            assert torch.equal(a, b)
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    labels = {"lora-fa": {"lora_B"}, "vera": {"vera_d", "vera_b"}, "lora-xs": {"core"}}
    assert {n.rpartition(".")[2] for n in trained} == labels[variant]
    twin = copy.deepcopy(model)
    x = data()
    stirred(layers)
    assert torch.equal(twin(x), net()(x)), "a copy shares no number with its original"


def test_bad_targets_are_named():
    with pytest.raises(AdapterError, match="whose A starts at 0"):
        inject(nn.Sequential(nn.Embedding(5, 4)), variant="lora-fa", rank=2, targets=("0",))
    with pytest.raises(AdapterError, match="is a Conv2d; the pair that the layers of VeRA share"):
        inject(nn.Sequential(nn.Conv2d(2, 3, 3)), variant="vera", rank=2, targets=("0",))
    model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=2))
    with pytest.raises(AdapterError, match="decomposes a whole weight"):
        inject(model, variant="lora-xs", rank=2, targets=("0",))
