"""Merging into a base and extracting again, on tiny models, against the dense truth."""

import shutil
import time

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from lora_lab.errors import AdapterError, ExportError, LabError
from lora_lab.models.shards import read_weights
from lora_lab.workshop.against_base import against_base
from lora_lab.workshop.extract import extract
from lora_lab.workshop.merge_base import real_delta, write_merged
from tests.formats.adapters import SPECIAL, weights_of
from tests.models import tiny

TARGETS = {"llama": ["q_proj", "down_proj"], "gpt2": ["c_attn", "c_fc"]}


@pytest.fixture(scope="module", params=TARGETS)
def merged(request, tmp_path_factory):
    """(kind, base folder, merged folder, adapter, report)"""
    folder = tmp_path_factory.mktemp("m")
    tiny.save(folder / "base", request.param, max_shard_size="40KB")
    weights = weights_of(
        tiny.MODELS[request.param](), "lora", base=folder / "base", targets=TARGETS[request.param]
    )
    report = write_merged(weights, folder / "base", folder / "merged")
    return request.param, folder / "base", folder / "merged", weights, report


def test_the_same_layout_with_the_changed_weights(merged):
    kind, base, out, weights, report = merged
    assert {f.name for f in base.iterdir()} == {f.name for f in out.iterdir()}
    before, after = read_weights(base), read_weights(out)
    assert list(before) == list(after) or set(before) == set(after)
    changed = {f"{layer.name}.weight": layer for layer in weights.layers}
    assert set(changed) <= set(before)
    for key, W in before.items():
        if key not in changed:
            assert torch.equal(after[key], W)
            continue
        delta = changed[key].delta_weight()
        delta = delta.t() if kind == "gpt2" else delta
        assert (after[key].double() - W.double() - delta).norm() <= 1e-6 * delta.norm()
    assert report.largest <= 1e-6
    assert {x.name for x in report.layers} == {x.name for x in weights.layers}


def test_transformers_opens_it_and_answers_as_w_plus_delta(merged):
    kind, base, out, weights, _ = merged
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    for layer in weights.layers:
        module = model.get_submodule(layer.name)
        delta = layer.delta_weight().float()
        module.weight.data += delta.t() if kind == "gpt2" else delta
    ids = torch.arange(12)[None]
    with torch.no_grad():
        wanted = model(ids).logits
        found = AutoModelForCausalLM.from_pretrained(out).eval()(ids).logits
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


@pytest.mark.parametrize("rank", [1, 3, 4])
def test_extraction_is_the_optimal_fit(merged, rank):
    _, base, out, weights, _ = merged
    found = extract(base, out, rank)
    assert {x.name for x in found.weights.layers} == {x.name for x in weights.layers}
    wanted = {x.name: x.delta_weight() for x in weights.layers}
    for layer, fit in zip(found.weights.layers, found.fits, strict=True):
        U, sigma, Vh = torch.linalg.svd(wanted[layer.name], full_matrices=False)
        best = (U[:, :rank] * sigma[:rank]) @ Vh[:rank]
        assert (layer.delta_weight() - best).norm() <= 1e-4 * best.norm()
        bound = float(sigma[rank:].norm() / sigma.norm())
        assert fit.error == pytest.approx(bound, abs=2e-5)
        assert fit.bound == pytest.approx(bound, abs=2e-5)


def test_what_is_not_a_matrix_is_named(merged, tmp_path):
    kind, base, out, _, _ = merged
    if kind != "llama":
        return
    import safetensors.torch

    shutil.copytree(out, tmp_path / "norms")
    for file in (tmp_path / "norms").glob("*.safetensors"):
        state = safetensors.torch.load_file(file)
        for key in state:
            if key == "model.norm.weight":
                state[key] = state[key] + 1
        safetensors.torch.save_file(state, file, {"format": "pt"})
    assert "model.norm.weight" in " ".join(extract(base, tmp_path / "norms", 2).notes)


def test_models_that_are_the_same_or_of_two_sorts_are_refused(merged, tmp_path):
    _, base, out, _, _ = merged
    with pytest.raises(AdapterError, match="No weight differs"):
        extract(base, base, 2)
    with pytest.raises(AdapterError, match="rank"):
        extract(base, out, 0)
    tiny.save(tmp_path / "vit", "vit")
    with pytest.raises(AdapterError, match="in common"):
        extract(base, tmp_path / "vit", 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("model", ["pictures", "grouped", "table"])
@pytest.mark.parametrize("variant", ["lora", "dora"])
def test_plain_nets_are_merged_too(tmp_path, model, variant, dtype):
    torch.manual_seed(0)
    net = SPECIAL[model]()
    base = tmp_path / "net.pt"
    torch.save({k: v.to(dtype) for k, v in net.state_dict().items()}, base)
    weights = weights_of(SPECIAL[model](), variant)
    report = write_merged(weights, base, tmp_path / "out.safetensors")
    import safetensors.torch

    after = safetensors.torch.load_file(tmp_path / "out.safetensors")
    for layer in weights.layers:
        W = net.get_submodule(layer.name).weight.detach().to(dtype)
        found = after[f"{layer.name}.weight"]
        assert found.dtype == dtype
        assert found.shape == W.shape
        matrix = W.t() if layer.kind == "embedding" else W.flatten(1)
        got = found.t() if layer.kind == "embedding" else found.flatten(1)
        delta = real_delta(layer, matrix)
        loss = float((got.double() - matrix.double() - delta).norm() / delta.norm())
        row = next(x for x in report.layers if x.name == layer.name)
        assert row.measured == pytest.approx(loss, rel=1e-6, abs=1e-12)
        assert loss <= (1e-6 if dtype == torch.float32 else 0.2)
        if variant == "dora":
            V = matrix.double() + layer.delta_weight()
            wanted = V * (layer.magnitude.double() / V.norm(dim=1))[:, None]
            assert (matrix.double() + delta - wanted).norm() <= 1e-12 * wanted.norm()


def test_a_tied_head_and_another_base_are_refused(tmp_path):
    tiny.save(tmp_path / "base", "llama")
    tied = weights_of(tiny.MODELS["llama"](), "lora", targets=["lm_head"])
    with pytest.raises(ExportError, match=r"lm_head shares its weight with model.embed_tokens"):
        write_merged(tied, tmp_path / "base", tmp_path / "out")
    other = weights_of(tiny.MODELS["gpt2"](), "lora", targets=["c_attn"])
    with pytest.raises(ExportError, match="another base"):
        write_merged(other, tmp_path / "base", tmp_path / "out")
    good = weights_of(tiny.MODELS["llama"](), "lora", targets=["q_proj"])
    with pytest.raises(ExportError, match="base itself"):
        write_merged(good, tmp_path / "base", tmp_path / "base", overwrite=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with pytest.raises(ExportError, match="exists"):
        write_merged(good, tmp_path / "base", tmp_path / "out")
    with pytest.raises(ExportError, match=r"other things than this model \(mine.txt\)"):
        write_merged(good, tmp_path / "base", tmp_path / "out", overwrite=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match="name a folder"):
        write_merged(good, tmp_path / "base", tmp_path / "file", overwrite=True)
    (tmp_path / "file").unlink()
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["mine.txt"]
    assert {f.name for f in tmp_path.iterdir()} == {"base", "out"}


def test_an_adapter_beside_its_base(tmp_path):
    module = tiny.save(tmp_path / "base", "llama")
    weights = weights_of(tiny.MODELS["llama"](), "lora", targets=["q_proj"])
    rows = against_base(weights, tmp_path / "base", intruders=True).rows
    for row, layer in zip(rows, weights.layers, strict=True):
        W = module.get_submodule(layer.name).weight.detach().double()
        assert row.weight_norm == pytest.approx(float(W.norm()))
        assert row.relative_norm == pytest.approx(float(layer.delta_weight().norm() / W.norm()))
        assert row.amplification > 0
        assert row.intruders >= 0
    tiny.save(tmp_path / "vit", "vit")
    with pytest.raises(LabError, match="another base"):
        against_base(weights, tmp_path / "vit")


def test_extraction_takes_the_same_time_for_each_layer(tmp_path):
    """Which weights are one is asked once, and not for each module of all others."""
    took = []
    for number, layers in enumerate((20, 80)):
        for seed in (0, 1):
            torch.manual_seed(seed)
            config = LlamaConfig(
                vocab_size=16, hidden_size=4, intermediate_size=4, num_hidden_layers=layers,
                num_attention_heads=1, num_key_value_heads=1, pad_token_id=0,
            )  # fmt: skip
            LlamaForCausalLM(config).save_pretrained(tmp_path / f"{number}{seed}")
        started = time.process_time()
        extract(tmp_path / f"{number}0", tmp_path / f"{number}1", 1)
        took.append(time.process_time() - started)
    assert took[1] < 10 * took[0] + 1  # 64 times as long, in the cube
