"""GGUF adapters by llama.cpp's rules, seen through the gguf package."""

import json
import warnings
from dataclasses import replace

import gguf
import numpy as np
import peft
import pytest
import torch

from lora_lab.errors import AdapterError, ExportError
from lora_lab.formats import gguf_adapter, gguf_names
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from tests.formats.adapters import weights_of
from tests.models import tiny


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base") / "llama"
    return folder, tiny.save(folder, "llama")


def adapter(llama, variant, *targets):
    folder, _ = llama
    wanted = targets or ("q_proj", "k_proj", "v_proj", "down_proj")
    return weights_of(tiny.MODELS["llama"](), variant, base=folder, targets=list(wanted))


def fields(path):
    reader = gguf.GGUFReader(str(path))
    return reader, {name: field.contents() for name, field in reader.fields.items()}


@pytest.mark.parametrize("variant", ["lora", "rslora", "ranks"])
def test_the_scale_is_llama_cpps(llama, tmp_path, variant):
    weights = adapter(llama, variant)
    export(weights, tmp_path / "a.gguf", "gguf")
    reader, said = fields(tmp_path / "a.gguf")
    assert said["general.type"] == "adapter"
    assert said["adapter.type"] == "lora"
    assert said["general.architecture"] == "llama"
    alpha = said["adapter.lora.alpha"]
    by_name = {t.name: t for t in reader.tensors}
    layer = next(x for x in weights.layers if x.name.endswith("1.mlp.down_proj"))
    a, b = (by_name[f"blk.1.ffn_down.weight.lora_{x}"].data for x in "ab")
    s = alpha / b.shape[1] if alpha else 1.0
    np.testing.assert_allclose(s * b @ a, layer.delta_weight().numpy(), rtol=1e-5, atol=1e-7)
    assert (alpha == 0) == (variant == "ranks") or layer.scaling * layer.rank == alpha


def test_llama_cpps_names_are_listed_once_for_all_layers(llama, tmp_path, monkeypatch):
    listed, make = [], gguf.get_tensor_name_map
    monkeypatch.setattr(
        gguf, "get_tensor_name_map", lambda *asked: listed.append(asked) or make(*asked)
    )
    gguf_names._names.cache_clear()
    export(adapter(llama, "lora"), tmp_path / "a.gguf", "gguf")
    assert listed == [(gguf.MODEL_ARCH.LLAMA, 2)]


@pytest.mark.parametrize(("name", "heads"), [("q_proj", 4), ("k_proj", 2)])
def test_rows_are_turned_as_the_converter_turns_those_of_w(llama, tmp_path, name, heads):
    """LlamaModel.permute of llama.cpp's convert_hf_to_gguf.py, written as it stands there."""
    weights = adapter(llama, "lora", name)
    export(weights, tmp_path / "a.gguf", "gguf")
    reader, _ = fields(tmp_path / "a.gguf")
    tensor = f"blk.0.attn_{name[0]}.weight.lora_b"
    b = next(t.data for t in reader.tensors if t.name == tensor)
    B = weights.layers[0].lora_B
    halves = B.reshape(heads, 2, B.shape[0] // heads // 2, *B.shape[1:])
    assert np.array_equal(b, halves.swapaxes(1, 2).reshape(B.shape).numpy())
    assert torch.equal(gguf_adapter.restored(torch.from_numpy(np.array(b)), heads), B)
    assert torch.equal(gguf_adapter.load(tmp_path / "a.gguf").layers[0].lora_B, B)


def test_gpt2_stands_as_it_is_and_embeddings_are_turned(tmp_path):
    folder = tmp_path / "gpt2"
    tiny.save(folder, "gpt2")
    weights = weights_of(tiny.MODELS["gpt2"](), "lora", base=folder, targets=["c_attn", "wte"])
    with pytest.raises(ExportError, match=r"wte: the base ties it to the head"):  # by default
        export(weights, tmp_path / "a.gguf", "gguf")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    export(weights, tmp_path / "a.gguf", "gguf")
    reader, said = fields(tmp_path / "a.gguf")
    shapes = {t.name: t.data.shape for t in reader.tensors}
    assert shapes["blk.0.attn_qkv.weight.lora_a"] == (4, 32)
    assert shapes["blk.0.attn_qkv.weight.lora_b"] == (96, 4)
    assert shapes["token_embd.weight.lora_a"] == (tiny.VOCABULARY, 4)
    assert shapes["token_embd.weight.lora_b"] == (32, 4)
    assert said["general.architecture"] == "gpt2"


def test_a_file_of_others_keeps_llama_cpps_names(llama, tmp_path):
    export(adapter(llama, "lora", "v_proj"), tmp_path / "a.gguf", "gguf")
    reader, _ = fields(tmp_path / "a.gguf")
    writer = gguf.GGUFWriter(str(tmp_path / "b.gguf"), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.array(tensor.data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = gguf_adapter.load(tmp_path / "b.gguf")
    assert {x.name for x in found.layers} == {"blk.0.attn_v", "blk.1.attn_v"}
    assert all(x.scaling == 1 for x in found.layers), "no alpha means that it is folded in"
    assert "llama.cpp's" in " ".join(found.extra["notes"])


def test_what_llama_cpp_cannot_load_is_refused(llama, tmp_path):
    folder, _ = llama
    for weights, reason in (
        (adapter(llama, "dora"), "no DoRA"),
        (weights_of(tiny.MODELS["llama"](), "lora", base="", targets=["q_proj"]), "--base"),
        (
            weights_of(tiny.MODELS["llama"](), "lora", base=folder, targets=["lm_head"]),
            "ties it to the embedding",
        ),
    ):
        with pytest.raises(ExportError, match=reason):
            export(weights, tmp_path / "a.gguf", "gguf")
    tiny.save(tmp_path / "bert", "bert_classifier")
    bert = weights_of(
        tiny.MODELS["bert_classifier"](), "lora", base=tmp_path / "bert", targets=["query"]
    )
    with pytest.raises(ExportError, match="bert models are not written"):
        export(bert, tmp_path / "a.gguf", "gguf")


def test_a_model_is_no_adapter(llama, tmp_path):
    writer = gguf.GGUFWriter(str(tmp_path / "m.gguf"), "llama")
    writer.add_tensor("x", np.zeros((2, 2), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(AdapterError, match="is a model"):
        gguf_adapter.load(tmp_path / "m.gguf")


def test_the_table_of_names_is_not_trusted(llama, tmp_path):
    weights = adapter(llama, "lora", "q_proj")
    export(weights, tmp_path / "a.gguf", "gguf")
    data = (tmp_path / "a.gguf").read_bytes()
    good = json.dumps(4).encode()
    bad = data.replace(b'"linear", ' + good, b'"linear", 7')
    assert bad != data
    (tmp_path / "b.gguf").write_bytes(bad)
    with pytest.raises(AdapterError):
        gguf_adapter.load(tmp_path / "b.gguf")


def foreign(folder, base, weights, *, kind=gguf.GGMLQuantizationType.F32, **more):
    """An adapter as llama.cpp's converter writes it: no table of ours, any type of numbers."""
    config = gguf_names.base_config(weights)
    path = folder / "theirs.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", weights.layers[0].alpha)
    for key, add in more.items():
        add(writer, key.replace("__", "."))
    for layer in weights.layers:
        name = gguf_names.tensor_name(layer, config)
        B = layer.lora_B
        if layer.name.endswith(("q_proj", "k_proj")):  # LlamaModel.permute of the converter
            heads = config["num_attention_heads"]
            if layer.name.endswith("k_proj"):
                heads = config["num_key_value_heads"]
            B = B.reshape(heads, 2, len(B) // heads // 2, -1).swapaxes(1, 2).reshape(B.shape)
        for part, tensor in (("a", layer.lora_A), ("b", B)):
            numbers = np.ascontiguousarray(tensor.float().numpy())
            if kind != gguf.GGMLQuantizationType.F32:
                numbers = gguf.quants.quantize(numbers, kind)
            writer.add_tensor(f"{name}.lora_{part}", numbers, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_file_of_llama_cpp_is_put_back_by_the_base(llama, tmp_path):
    folder, _ = llama
    weights = adapter(llama, "lora")
    path = foreign(tmp_path, folder, weights)
    found = open_adapter(path, base=str(folder))
    assert {x.name for x in found.layers} == {x.name for x in weights.layers}
    by_name = {x.name: x for x in found.layers}
    for layer in weights.layers:
        torch.testing.assert_close(by_name[layer.name].delta_weight(), layer.delta_weight())
    export(found, tmp_path / "peft", "peft")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers by an old name
        theirs = peft.PeftModel.from_pretrained(tiny.MODELS["llama"](), str(tmp_path / "peft"))
    for layer in weights.layers:
        module = theirs.base_model.model.get_submodule(layer.name)
        torch.testing.assert_close(
            module.get_delta_weight("default"), layer.delta_weight().float(), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("to", ["peft", "peft-portable", "kohya", "diffusers", "mlx"])
def test_without_the_base_nothing_is_written(llama, tmp_path, to):
    path = foreign(tmp_path, llama[0], adapter(llama, "lora"))
    found = open_adapter(path)
    assert "--base" in " ".join(found.extra["notes"])
    part = "unet" if to in ("kohya", "diffusers") else ""
    with pytest.raises(ExportError, match=r"llama.cpp's name.*--base"):
        export(found, tmp_path / "out", to, component=part)


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0"])
def test_other_types_of_numbers(tmp_path, kind):
    """Factors of 32 columns and more, as packed types need."""
    torch.manual_seed(0)
    quantization = gguf.GGMLQuantizationType[kind]
    A, B = torch.randn(32, 64), torch.randn(64, 32)
    path = tmp_path / "x.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", -64.0)
    for part, tensor in (("a", A), ("b", B)):
        packed = gguf.quants.quantize(tensor.numpy(), quantization)
        writer.add_tensor(f"blk.0.ffn_down.weight.lora_{part}", packed, raw_dtype=quantization)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (layer,) = open_adapter(path).layers
    assert layer.scaling == -2.0, "a negative alpha is an alpha"
    wanted = [
        gguf.quants.dequantize(gguf.quants.quantize(x.numpy(), quantization), quantization)
        for x in (B, A)
    ]
    torch.testing.assert_close(
        layer.delta_weight(), -2.0 * torch.from_numpy(wanted[0].astype(float) @ wanted[1])
    )


@pytest.mark.parametrize("write", [
    lambda writer, key: writer.add_string(key, "1"), lambda writer, key: writer.add_array(key, [1]),
    lambda writer, key: writer.add_float32(key, float("nan")),
])  # fmt: skip
def test_an_alpha_that_is_no_number_is_named(llama, tmp_path, write):
    path = foreign(tmp_path, llama[0], adapter(llama, "lora"), adapter__lora__alpha=write)
    with pytest.raises(AdapterError, match="its alpha is"):
        open_adapter(path)


def test_a_text_in_no_encoding_is_named(llama, tmp_path):
    export(adapter(llama, "lora"), tmp_path / "a.gguf", "gguf")
    data = (tmp_path / "a.gguf").read_bytes()
    place = data.index(b"adapter.type") + len(b"adapter.type") + 4 + 8  # its kind and length
    (tmp_path / "a.gguf").write_bytes(data[:place] + b"\x80" + data[place + 1 :])
    with pytest.raises(AdapterError, match=r"adapter\.type cannot be read"):
        open_adapter(tmp_path / "a.gguf")


def test_an_alora_is_named(llama, tmp_path):
    def tokens(writer, key):
        writer.add_array(key, [5, 6])

    path = foreign(
        tmp_path, llama[0], adapter(llama, "lora"), adapter__alora__invocation_tokens=tokens
    )
    with pytest.raises(AdapterError, match="aLoRA"):
        open_adapter(path)


def test_another_base_is_named(llama, tmp_path):
    path = foreign(tmp_path, llama[0], adapter(llama, "lora"))
    tiny.save(tmp_path / "gpt2", "gpt2")
    with pytest.raises(AdapterError, match="another base"):
        open_adapter(path, base=str(tmp_path / "gpt2"))


def test_factors_of_two_types(llama, tmp_path):
    weights = adapter(llama, "lora")
    rows = tuple(replace(x, lora_A=x.lora_A.half()) for x in weights.layers)
    export(replace(weights, layers=rows), tmp_path / "a.gguf", "gguf")


EXPERTS = {"blk.0.ffn_down_exps.weight": ["a.down_proj", "down_proj", 0]}
HEADS = {"blk.0.attn_q.weight": ["q", "linear", 4]}
ODD = {
    "experts that are all zero": (EXPERTS, (2, 8, 4), (2, 4, 8), "adapts no layer"),
    "experts of rank 0": (EXPERTS, (2, 0, 4), (2, 4, 0), "it is empty"),
    "more experts than any mixture": (
        EXPERTS,
        (5000, 1, 1),
        (5000, 1, 1),
        "down_proj.*5,000 experts",
    ),
    "experts beside a matrix": (EXPERTS, (2, 8, 4), (4, 8), "do not multiply"),
    "one number": ({}, (), (), "."),
    "rows with heads": (HEADS, (8, 4), (8,), "."),
    "three sizes with heads": (HEADS, (8, 4), (2, 4, 8), "."),
}


@pytest.mark.parametrize("case", ODD)
def test_factors_in_other_shapes_are_refused_with_the_file(tmp_path, case):
    table, a, b, said = ODD[case]
    writer = gguf.GGUFWriter(str(tmp_path / "x.gguf"), "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 1.0)
    writer.add_string(gguf_adapter.NAMES, json.dumps(table))
    for part, shape in (("a", a), ("b", b)):
        stem = next(iter(table), "blk.0.ffn_down.weight")
        writer.add_tensor(f"{stem}.lora_{part}", np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(AdapterError, match=said) as refused:
        open_adapter(tmp_path / "x.gguf")
    assert "x.gguf" in str(refused.value)
    assert "not known here" not in str(refused.value), "nobody foresaw it"
