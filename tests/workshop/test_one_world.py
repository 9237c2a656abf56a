"""Adapters of several programs for one base: added under its names, or refused; seen by PEFT."""

import json

import peft
import pytest
import safetensors.torch
import torch
import transformers as T

from lora_lab.errors import AdapterError, LabError
from lora_lab.formats.recognise import base_names, open_adapter
from lora_lab.formats.verify import export
from lora_lab.workshop.against_base import against_base
from lora_lab.workshop.combine import combine
from lora_lab.workshop.compare import compare
from lora_lab.workshop.merge_base import write_merged
from lora_lab.workshop.one_world import aligned, settled
from tests.workshop.families import adapted, answer, distance, saved

pytestmark = [
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning"),
]


def opened(path, base=None):
    names = base_names(base) if base else ()
    return settled(open_adapter(path, names=names, base=str(base or "")), base)


def kohya_of(folder, path):
    """The adapter as a file of others: no table of names, no kinds."""
    export(open_adapter(folder), path, "kohya", component="unet")
    safetensors.torch.save_file(safetensors.torch.load_file(path), path)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A base, the logits of an adapter on it, and the adapter under three sets of names."""
    place = tmp_path_factory.mktemp("world")
    wanted = answer(adapted(saved(place / "base", "llama"), place / "causal", ["q_proj"]))
    kohya_of(place / "causal", place / "kohya.safetensors")
    alone = T.LlamaModel.from_pretrained(place / "base")
    adapted(alone, place / "model", ["q_proj"], task_type="FEATURE_EXTRACTION")
    return place, wanted


@pytest.mark.parametrize("other", ["kohya.safetensors", "model"])
def test_one_adapter_under_two_names_has_its_whole_effect(world, other, tmp_path):
    place, wanted = world
    base = place / "base"
    pair = [opened(place / "causal", base), opened(place / other, base)]
    both = combine([(weights, 0.5) for weights in aligned(pair, base)]).weights
    assert len(both.layers) == 2
    export(both, tmp_path / "both")
    model = T.LlamaForCausalLM.from_pretrained(base).eval()
    found = answer(peft.PeftModel.from_pretrained(model, str(tmp_path / "both")).eval())
    assert distance(found, wanted) <= 1e-5


@pytest.mark.parametrize("other", ["kohya.safetensors", "model"])
@pytest.mark.parametrize("turned", [False, True])
def test_without_the_base_two_names_for_one_layer_are_refused(world, other, turned):
    place, _ = world
    pair = [opened(place / "causal"), opened(place / other)]
    with pytest.raises(AdapterError, match=r"one layer under two names.*--base"):
        aligned(pair[::-1] if turned else pair, None)


def test_another_layer_is_another_layer(world):
    place, _ = world
    mine = opened(place / "causal")
    one, two = (type(mine)("lora", (layer,)) for layer in mine.layers)
    assert aligned((one, two), None) == (one, two)


def test_old_and_new_names_of_a_family_are_one(tmp_path):
    model = saved(tmp_path / "base", "gemma3")
    wanted = answer(adapted(model, tmp_path / "new", r".*language_model.*q_proj"))
    state = safetensors.torch.load_file(tmp_path / "new" / "adapter_model.safetensors")
    old = {k.replace("model.model.language_model", "model.language_model.model"): v
           for k, v in state.items()}  # fmt: skip
    (tmp_path / "old").mkdir()
    safetensors.torch.save_file(old, tmp_path / "old" / "adapter_model.safetensors")
    text = (tmp_path / "new" / "adapter_config.json").read_text()
    (tmp_path / "old" / "adapter_config.json").write_text(text)
    pair = [opened(tmp_path / name) for name in ("new", "old")]
    with pytest.raises(AdapterError, match="under two names"):
        aligned(pair, None)
    both = combine([(weights, 0.5) for weights in aligned(pair, tmp_path / "base")]).weights
    write_merged(both, tmp_path / "base", tmp_path / "out")
    found = answer(type(model).from_pretrained(tmp_path / "out").eval())
    assert distance(found, wanted) <= 1e-5


def test_different_bases_are_said(world):
    place, _ = world
    one, two = opened(place / "causal"), opened(place / "causal")
    two = type(two)(two.variant, two.layers, extra={"base_model_name_or_path": "hub/other"})
    notes = combine([(one, 1.0), (two, 1.0)]).notes
    assert "the adapters declare different bases: base, other" in notes


@pytest.mark.parametrize("name", ["gpt2", "openai", "imagegpt"])
def test_a_format_without_kinds_takes_them_from_the_base(name, tmp_path):
    model = saved(tmp_path / "base", name)
    targets = ["c_attn", "c_proj", "c_fc"]
    wanted = answer(adapted(model, tmp_path / "adapter", targets))
    kohya_of(tmp_path / "adapter", tmp_path / "k.safetensors")
    weights = opened(tmp_path / "k.safetensors", tmp_path / "base")
    assert {layer.kind for layer in weights.layers} == {"conv1d_linear"}
    write_merged(weights, tmp_path / "base", tmp_path / "out")
    assert distance(answer(type(model).from_pretrained(tmp_path / "out").eval()), wanted) <= 1e-5
    bare = tmp_path / "base" / "model.safetensors"
    (tmp_path / "base" / "config.json").unlink()
    with pytest.raises(LabError, match="square, and its orientation is not known"):
        write_merged(opened(tmp_path / "adapter"), bare, tmp_path / "m.safetensors")


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_fan_in_fan_out_is_corrected_by_the_module(name, flag, tmp_path):
    """PEFT warns and takes the module's word; so does a merge, of square layers as well."""
    model = saved(tmp_path / "base", name)
    targets = {"llama": ["q_proj", "o_proj", "v_proj"], "gpt2": ["c_proj", "c_attn"]}[name]
    wanted = answer(adapted(model, tmp_path / "adapter", targets))
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    config["fan_in_fan_out"] = flag
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    again = type(model).from_pretrained(tmp_path / "base").eval()
    assert (
        distance(answer(peft.PeftModel.from_pretrained(again, tmp_path / "adapter")), wanted) == 0
    )
    write_merged(open_adapter(tmp_path / "adapter"), tmp_path / "base", tmp_path / "out")
    assert distance(answer(type(model).from_pretrained(tmp_path / "out").eval()), wanted) <= 1e-5


def test_an_embedding_that_came_as_a_matrix_is_one_in_peft(tmp_path):
    """MLX keeps lora_a (tokens, r) and lora_b (r, dim) of an embedding, and says no kind."""
    model = saved(tmp_path / "base", "llama")
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(*n, generator=generator) * 0.3 for n in ((64, 4), (4, 32)))
    (tmp_path / "mlx").mkdir()
    stem = "model.embed_tokens."
    safetensors.torch.save_file(
        {f"{stem}lora_a": a, f"{stem}lora_b": b}, tmp_path / "mlx" / "adapters.safetensors"
    )
    config = {"fine_tune_type": "lora", "lora_parameters": {"rank": 4, "scale": 2.0}}
    (tmp_path / "mlx" / "adapter_config.json").write_text(json.dumps(config))
    weights = opened(tmp_path / "mlx", tmp_path / "base")
    assert weights.layers[0].kind == "embedding"
    export(weights, tmp_path / "peft")
    found = answer(peft.PeftModel.from_pretrained(model, str(tmp_path / "peft")).eval())
    plain = type(model).from_pretrained(tmp_path / "base").eval()
    plain.model.embed_tokens.weight.data += 2.0 * a @ b
    assert distance(found, answer(plain)) <= 1e-5


def test_dora_is_compared_by_its_real_change(world, tmp_path):
    place, _ = world
    base = place / "base"
    model = T.LlamaForCausalLM.from_pretrained(base)
    adapted(model, tmp_path / "dora", ["q_proj"], use_dora=True)
    dora, plain = opened(tmp_path / "dora"), opened(place / "causal")
    with pytest.raises(AdapterError, match="DoRA needs the base"):
        compare(dora, plain)
    found = compare(dora, plain, base)
    merged = peft.PeftModel.from_pretrained(
        T.LlamaForCausalLM.from_pretrained(base), str(tmp_path / "dora")
    ).merge_and_unload()
    for row in found.layers:
        before = T.LlamaForCausalLM.from_pretrained(base).get_submodule(row.name).weight
        theirs = (merged.get_submodule(row.name).weight - before).double()
        ours = next(x for x in plain.layers if x.name == row.name).delta_weight()
        cosine = (theirs * ours).sum() / theirs.norm() / ours.norm()
        assert row.cosine == pytest.approx(float(cosine), abs=1e-5)
        assert row.ratio == pytest.approx(float(ours.norm() / theirs.norm()), rel=1e-5)
        assert row.phi.shape == (4, 4)


def test_dora_beside_its_base_is_its_real_change(world, tmp_path):
    place, _ = world
    model = T.LlamaForCausalLM.from_pretrained(place / "base")
    wrapped = adapted(model, tmp_path / "dora", ["q_proj"], use_dora=True)
    found = against_base(opened(tmp_path / "dora"), place / "base")
    merged = wrapped.merge_and_unload()
    for row in found.rows:
        before = T.LlamaForCausalLM.from_pretrained(place / "base").get_submodule(row.name).weight
        theirs = merged.get_submodule(row.name).weight - before
        assert row.delta_norm == pytest.approx(float(theirs.norm()), rel=1e-5)


def test_a_quantized_base_is_shown_by_what_it_stands_for(world, tmp_path):
    place, _ = world
    plain = against_base(opened(place / "causal"), place / "base")
    state = safetensors.torch.load_file(place / "base" / "model.safetensors")
    for key in [k for k in state if k.endswith("proj.weight")]:
        scale = state[key].abs().amax(1, keepdim=True) / 127
        state[key] = (state[key] / scale).round().to(torch.int8)
        state[f"{key}_scale"] = scale
    safetensors.torch.save_file(state, tmp_path / "int8.safetensors")
    found = against_base(opened(place / "causal"), tmp_path / "int8.safetensors")
    assert "int8.safetensors is quantized (int8)" in found.notes[0]
    for row, wanted in zip(found.rows, plain.rows, strict=True):
        assert row.relative_norm == pytest.approx(wanted.relative_norm, rel=0.01)


def test_layers_that_the_base_lacks_are_counted(world, tmp_path):
    place, _ = world
    weights = opened(place / "causal")
    state = safetensors.torch.load_file(place / "base" / "model.safetensors")
    state = {key: tensor for key, tensor in state.items() if "layers.1" not in key}
    safetensors.torch.save_file(state, tmp_path / "part.safetensors")
    found = against_base(weights, tmp_path / "part.safetensors")
    assert len(found.rows) == 1
    assert found.notes[0].startswith("part.safetensors has no weight for 1 layer (model.layers.1")
