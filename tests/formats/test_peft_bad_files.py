"""Every kind of PEFT folder that must be refused, by the name of the file and of the key."""

import json

import pytest
import safetensors.torch
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.container import read_container
from lora_lab.formats.peft import CONFIG, PREFIX, TENSORS, load, save

SHAPES = {
    "parts.tail.up": (7, 6),
    "parts.tail.down": (6, 7),
    "parts.tailXup": (6, 6),
    "parts.1": (5, 6),
}
ADAPTER = AdapterWeights(
    "lora",
    tuple(
        LayerWeights(name, torch.ones(2, inside), torch.ones(out, 2), 4.0, 2.0)
        for name, (out, inside) in SHAPES.items()
    ),
)


def edit_config(folder, **changes):
    path = folder / CONFIG
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not ...}))


def edit_tensors(folder, edit):
    path = folder / TENSORS
    tensors = safetensors.torch.load_file(path)
    edit(tensors)
    safetensors.torch.save_file(tensors, path, {"format": "pt"})


def edit_bytes(name, edit):
    return lambda folder: (folder / name).write_bytes(edit((folder / name).read_bytes()))


def config(**changes):
    return lambda folder: edit_config(folder, **changes)


def tensors(edit):
    return lambda folder: edit_tensors(folder, edit)


def rename(old, new):
    def edit(found):
        for key in list(found):
            found[key.replace(old, new)] = found.pop(key)

    return tensors(edit)


FIRST = PREFIX + "parts.1.lora_A.weight"
EMBEDDING = PREFIX + "parts.1.lora_embedding_A"
MAGNITUDE = PREFIX + "parts.1.lora_magnitude_vector"


def put(value):
    return tensors(lambda found: found.update({FIRST: value}))


def nan_at(found):
    found[FIRST][0, 0] = float("nan")


def saved_over_a_target(folder):
    edit_config(folder, modules_to_save=["tail"])
    edit_tensors(folder, lambda t: t.update({PREFIX + "parts.tail.norm.weight": torch.ones(2)}))


def deep(data):
    return b"[" * 200_000


BAD = {
    # the settings
    "no config": (lambda f: (f / CONFIG).unlink(), "has no adapter_config.json"),
    "not JSON": (edit_bytes(CONFIG, lambda d: d[:-9]), "not valid JSON"),
    "not UTF-8": (edit_bytes(CONFIG, lambda d: b"\xff" + d), "not UTF-8"),
    "nested": (edit_bytes(CONFIG, deep), "nested too deeply"),
    "a list": (edit_bytes(CONFIG, lambda d: b"[]"), "not a JSON object"),
    "too long": (edit_bytes(CONFIG, lambda d: d + b" " * 5_000_000), "too many"),
    "doubled": (edit_bytes(CONFIG, lambda d: b'{"r": 2,' + d[1:]), "'r' is given twice"),
    "no dtype": (config(peft_type=...), "peft_type"),
    "other type": (config(peft_type="OFT"), "peft_type is .OFT.: adapters of this method"),
    "r zero": (config(r=0), "r is 0"),
    "r negative": (config(r=-1), "r is -1"),
    "r text": (config(r="2"), "r is '2'"),
    "r true": (config(r=True), "r is True"),
    "r huge": (config(r=10**12), "r is 1000"),
    "r other": (config(r=3), "lora_A.weight' has rank 2, but adapter_config.json says 3"),
    "alpha NaN": (config(lora_alpha=float("nan")), "NaN is not a number"),
    "alpha infinite": (config(lora_alpha=float("inf")), "Infinity is not a number"),
    "alpha beyond all scales": (config(lora_alpha=1e40), "lora_alpha is 1e.40: alpha is a number"),
    "a factor that is a number": (put(torch.tensor(1.0)), "is a single number"),
    "alpha far below": (config(lora_alpha=-1e40), "-1e.40: alpha is a number between -1e30 and"),
    "alpha text": (config(lora_alpha="4"), "lora_alpha is '4'"),
    "alpha overflows": (config(lora_alpha=10**400), "a number of 401 digits"),
    "dropout": (config(lora_dropout=1.0), "lora_dropout"),
    "rslora text": (config(use_rslora="yes"), "use_rslora"),
    "DoRA": (config(use_dora=True), "lora_magnitude_vector' is missing"),
    "DoRA text": (config(use_dora="yes"), "use_dora"),
    "bias": (config(bias="all"), "bias"),
    "no pattern": (config(target_modules="("), r"target_modules is '\('.*no regular expression"),
    "no pattern of others": (config(exclude_modules="["), "exclude_modules.*no regular expr"),
    "modules": (config(modules_to_save=["x"]), "modules_to_save"),
    "PiSSA": (config(init_lora_weights="pissa"), "init_lora_weights"),
    "no targets": (config(target_modules=...), "target_modules is None"),
    "targets of numbers": (config(target_modules=[1]), "target_modules"),
    "a target less": (config(target_modules=["tail.up", "down", "1"]), "lacks 'parts.tailXup'"),
    "an excluded one": (config(exclude_modules=["tail.up"]), "takes out 'parts.tail.up'"),
    "an excluded pattern": (config(exclude_modules=r".*Xup"), "takes out 'parts.tailXup'"),
    "a pattern of targets": (config(target_modules=r".*(up|down)"), "lacks 'parts.1'"),
    "another layer": (
        config(target_modules=["up", "down", "tailXup", "1"], layers_to_transform=[3]),
        "layers_to_transform takes out",
    ),
    "a module to save": (saved_over_a_target, "modules_to_save takes out"),
    "pattern text": (config(rank_pattern="x"), "rank_pattern"),
    "pattern rank": (config(rank_pattern={"parts.1": 0}), "rank_pattern['\"]*.*parts.1.* is 0"),
    "pattern that looks ahead": (config(alpha_pattern={"(?=a)b": 2}), "full module names instead"),
    "pattern that is none": (config(alpha_pattern={"a(": 2}), "is not one"),
    "pattern without an end": (config(alpha_pattern={".*" * 2000 + "z": 2}), "too long"),
    "patterns without an end": (
        config(alpha_pattern={f"{i}.*": 2 for i in range(20_000)}),
        "more than 300 patterns",
    ),
    # the tensors
    "no tensors": (lambda f: (f / TENSORS).unlink(), "safetensors: there is no such file"),
    "empty file": (edit_bytes(TENSORS, lambda d: b""), "is empty"),
    "cut": (edit_bytes(TENSORS, lambda d: d[:-7]), "incomplete"),
    "cut header": (
        edit_bytes(TENSORS, lambda d: d[:50]),
        "have 50 of at least",
    ),
    "more bytes": (edit_bytes(TENSORS, lambda d: d + b"x"), "1 bytes follow"),
    "huge header": (edit_bytes(TENSORS, lambda d: b"\xff" * 8 + d), "not a safetensors file"),
    "LFS": (edit_bytes(TENSORS, lambda d: b"version https://git-lfs.github.com/spec"), "Git LFS"),
    "web page": (edit_bytes(TENSORS, lambda d: b"<!DOCTYPE html><html>"), "web page"),
    "pickle": (edit_bytes(TENSORS, lambda d: b"PK\x03\x04" + d), "pickle"),
    "wrong prefix": (rename("base_model.model.", "model."), "begin with"),
    "no prefix": (rename("base_model.model.", ""), "begin with"),
    "adapter's name": (rename("lora_A.", "lora_A.default."), "adapter's name"),
    "kohya names": (rename("lora_A", "lora_down"), "kohya"),
    "half an embedding": (rename("lora_A.weight", "lora_embedding_A"), "lora_A.weight' is missing"),
    "two sorts": (tensors(lambda t: t.update({EMBEDDING: t[FIRST].clone()})), "two sorts of them"),
    "magnitude": (tensors(lambda t: t.update({MAGNITUDE: torch.ones(5)})), "use_dora is false"),
    "base weight": (
        tensors(lambda t: t.update({PREFIX + "parts.9.base_layer.weight": torch.ones(5, 6)})),
        "of a layer that has no factors",
    ),
    "part of a module to save": (
        tensors(lambda t: t.update({PREFIX + "head.weight_hh_l0": torch.ones(5, 6)})),
        "unexpected key",
    ),
    "a shard of ZeRO-3": (put(torch.zeros(6)), "ZeRO-3"),
    "attention": (
        rename("parts.1.lora", "parts.1.base_layer.out_proj.lora"),
        "attention modules with one weight for all",
    ),
    "a key more": (tensors(lambda t: t.update(x=torch.zeros(1))), "unexpected key 'x'"),
    "a key less": (tensors(lambda t: t.pop(FIRST)), "parts.1.lora_A.weight' is missing"),
    "no keys": (tensors(dict.clear), "no tensors"),
    "NaN": (tensors(nan_at), "1 values that are NaN"),
    "integers": (put(torch.zeros(2, 6, dtype=torch.int32)), "type int32"),
    "fp8": (put(torch.zeros(2, 6).to(torch.float8_e4m3fn)), "type float8_e4m3fn"),
    "convolution": (put(torch.zeros(2, 6, 1, 1)), "shape"),
    "empty tensor": (put(torch.zeros(0, 6)), "as DeepSpeed ZeRO-3"),
    "other rank": (put(torch.zeros(3, 6)), "has rank 3"),
}


def layer(kind, a, b, weight_shape=(), groups=1):
    A, B = torch.ones(a), torch.ones(b)
    if groups > 1:
        B = torch.block_diag(*B.chunk(groups))
    return LayerWeights(
        f"net.{kind}", A, B, 4.0, 2.0, kind, weight_shape, groups, torch.ones(B.shape[0])
    )


KINDS = AdapterWeights(
    "dora",
    (
        layer("conv", (4, 6), (8, 2), (8, 2, 3), groups=2),  # 4 channels in 2 groups, kernel 3
        layer("embedding", (4, 9), (5, 4), (9, 5)),
        layer("conv1d_linear", (4, 6), (5, 4), (6, 5)),
    ),
)
CONV, TABLE, MATRIX = (PREFIX + f"net.{kind}" for kind in ("conv", "embedding", "conv1d_linear"))


def set_to(key, value):
    return tensors(lambda found: found.update({key: value}))


def drop(key):
    return tensors(lambda found: found.pop(key))


def metadata(**changes):
    """The tensors as they are, with other metadata."""

    def spoil(folder):
        path = folder / TENSORS
        found = read_container(path).metadata
        safetensors.torch.save_file(safetensors.torch.load_file(path), path, {**found, **changes})

    return spoil


def kinds(**changes):
    given = {layer.name: layer.kind for layer in KINDS.layers}
    return metadata(kinds=json.dumps({**given, **{f"net.{k}": v for k, v in changes.items()}}))


BAD_KINDS = {
    "A reads other groups": (
        set_to(CONV + ".lora_A.weight", torch.ones(4, 4, 3)),
        "net.conv.lora_A.weight' reads channels of other groups",
    ),
    "one entry of another group": (
        tensors(lambda t: t[CONV + ".lora_A.weight"][0, 3, 2:].fill_(1e-30)),
        "reads channels of other groups",
    ),
    "groups that do not divide": (set_to(CONV + ".lora_B.weight", torch.ones(8, 3, 1)), "rank 3"),
    "channels that do not divide": (
        set_to(CONV + ".lora_A.weight", torch.ones(4, 5, 3)),
        "as if in 2 groups",
    ),
    "B with a kernel": (set_to(CONV + ".lora_B.weight", torch.ones(8, 2, 3)), r"\[8, 2, 3\]"),
    "B as a matrix": (set_to(CONV + ".lora_B.weight", torch.ones(8, 2)), r"\[8, 2\]"),
    "three dimensions": (set_to(CONV + ".lora_A.weight", torch.ones(4, 4, 3, 3, 3)), "1 or 2"),
    "A of a convolution, B of a matrix": (
        set_to(MATRIX + ".lora_B.weight", torch.ones(5, 4, 1, 1)),
        "not two sizes",
    ),
    "an embedding with positions": (
        set_to(TABLE + ".lora_embedding_A", torch.ones(4, 9, 1)),
        "not two sizes",
    ),
    "an embedding less": (drop(TABLE + ".lora_embedding_B"), "lora_embedding_B' is missing"),
    "other rank of an embedding": (
        set_to(TABLE + ".lora_embedding_B", torch.ones(5, 3)),
        "lora_embedding_B' has rank 3",
    ),
    "a magnitude less": (drop(TABLE + ".lora_magnitude_vector"), "lora_magnitude_vector' is miss"),
    "a magnitude for each input": (
        set_to(TABLE + ".lora_magnitude_vector", torch.ones(9)),
        r"has the shape \[9\], not \[5\]",
    ),
    "a flat magnitude": (
        set_to(CONV + ".lora_magnitude_vector", torch.ones(8)),
        r"has the shape \[8\], not \[1, 8, 1\]",
    ),
    "a magnitude of NaN": (
        set_to(MATRIX + ".lora_magnitude_vector", torch.full((5,), float("nan"))),
        "5 values that are NaN",
    ),
    "no DoRA": (config(use_dora=False), "use_dora is false"),
    "another variant": (metadata(variant="lora"), "use_dora is True, but .* of variant 'lora'"),
    "kinds that are no table": (metadata(kinds="[]"), "does not name just the layers"),
    "kinds that are no JSON": (metadata(kinds="{"), "not valid JSON"),
    "kinds of another layer": (kinds(more="linear"), "does not name just the layers"),
    "an unknown kind": (kinds(conv1d_linear="x"), "is of type 'x', but its tensors"),
    "a kind of no text": (kinds(conv=[1]), "but its tensors are of type conv"),
    "windows that are no table": (metadata(windows="[]"), "not a table of layers"),
    "layers not called that are no list": (metadata(not_called="5"), "not a list of layers"),
    "a window of a matrix": (metadata(windows='{"net.embedding": [[2], "zeros"]}'), "windows"),
    "an unknown padding": (metadata(windows='{"net.conv": [[2], "x"]}'), "windows"),
    "a dilation of 0": (metadata(windows='{"net.conv": [[0], "zeros"]}'), "windows"),
    "a dilation too long": (metadata(windows='{"net.conv": [[2, 2], "zeros"]}'), "does not fit"),
    "a kind that does not fit": (kinds(embedding="linear"), "tensors are of type embedding"),
}


@pytest.mark.parametrize("case", BAD_KINDS)
def test_a_bad_file_of_other_layers_is_refused_by_name(case, tmp_path):
    save(KINDS, tmp_path)
    assert len(load(tmp_path).layers) == 3
    spoil, message = BAD_KINDS[case]
    spoil(tmp_path)
    with pytest.raises(AdapterError, match=message) as error:
        load(tmp_path)
    assert "adapter_" in str(error.value)


@pytest.mark.parametrize("fan_in_fan_out", [False, True])
def test_without_our_metadata_the_config_tells_the_linear_layers(fan_in_fan_out, tmp_path):
    save(KINDS, tmp_path)
    edit_config(tmp_path, fan_in_fan_out=fan_in_fan_out)
    assert load(tmp_path).layers[1].kind == "conv1d_linear"
    edit_tensors(tmp_path, lambda found: None)  # written again, as by another program
    found = {layer.name: layer for layer in load(tmp_path).layers}
    assert found["net.conv"].groups == 2
    assert found["net.conv"].weight_shape == (8, 2, 3)
    assert found["net.embedding"].weight_shape == (9, 5)
    linear = found["net.conv1d_linear"]
    told = (linear.kind, linear.weight_shape)
    assert told == (("conv1d_linear", (6, 5)) if fan_in_fan_out else ("linear", (5, 6)))


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_by_name(case, tmp_path):
    save(ADAPTER, tmp_path)
    spoil, message = BAD[case]
    spoil(tmp_path)
    with pytest.raises(AdapterError, match=message) as error:
        load(tmp_path)
    assert "adapter_" in str(error.value)  # the file is named
    assert len(str(error.value)) < 600


def header(text, data=b"\0" * 8):
    raw = text.encode()
    return len(raw).to_bytes(8, "little") + raw + data


def tensor(name="x", dtype="F32", shape="[2]", offsets="[0,8]"):
    return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}'


HEADERS = {
    "doubled name": ("{" + tensor() + "," + tensor() + "}", "'x' is given twice"),
    "overlap": ("{" + tensor() + "," + tensor("y", offsets="[4,12]") + "}", "overlaps"),
    "hole": ("{" + tensor(offsets="[8,16]") + "}", "hole"),
    "negative shape": ("{" + tensor(shape="[-2]") + "}", "impossible shape"),
    "huge empty shape": ("{" + tensor(shape="[0,4611686018427387904]") + "}", "impossible shape"),
    "shape of text": ("{" + tensor(shape='["2"]') + "}", "list of integers"),
    "overflow": ("{" + tensor(shape="[2147483647,2147483647,2147483647]") + "}", "does not fit"),
    "negative offset": ("{" + tensor(offsets="[-8,0]") + "}", "impossible offsets"),
    "unknown type": ("{" + tensor(dtype="F7") + "}", "unknown type"),
    "metadata of numbers": ('{"__metadata__":{"a":1},' + tensor() + "}", "strings"),
    "more fields": ('{"x":{"dtype":"F32"}}', "not described"),
    "not a table": ("[1]", "not a table"),
    "nested": ("[" * 200_000, "nested too deeply"),
    "long name": ('{"' + "n" * 5_000_000 + '":{}}', "a name of 5,000,000 characters"),
    "odd name": ('{"\\u202e\\n<b>":{}}', r"u202e"),
    "many names": (
        "{" + ",".join(tensor(str(i), shape="[0]", offsets="[0,0]") for i in range(100_001)) + "}",
        "more than 100,000 tensors",
    ),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_bad_header_is_refused(case, tmp_path):
    save(ADAPTER, tmp_path)
    text, message = HEADERS[case]
    (tmp_path / TENSORS).write_bytes(header(text))
    with pytest.raises(AdapterError, match=message) as error:
        load(tmp_path)
    assert len(str(error.value)) < 600
    assert "\u202e" not in str(error.value)


class Runs:
    def __reduce__(self):
        return (print, ("a program of the file was run",))


def test_folders_and_pipes_are_refused(tmp_path):
    with pytest.raises(AdapterError, match="no such adapter folder"):
        load(tmp_path / "nowhere")
    save(ADAPTER, tmp_path)
    (tmp_path / TENSORS).unlink()
    (tmp_path / TENSORS).mkdir()
    with pytest.raises(AdapterError, match="not a regular file"):
        load(tmp_path)


def test_an_old_bin_is_read_as_tensors_only(tmp_path, capfd):
    save(ADAPTER, tmp_path)
    tensors = safetensors.torch.load_file(tmp_path / TENSORS)
    (tmp_path / TENSORS).unlink()
    torch.save(tensors, tmp_path / "adapter_model.bin")
    for path in (tmp_path, tmp_path / "adapter_model.bin"):
        found = {layer.name: layer for layer in load(path).layers}
        for layer in ADAPTER.layers:
            assert torch.equal(found[layer.name].lora_A, layer.lora_A)
    torch.save({**tensors, "more": Runs()}, tmp_path / "adapter_model.bin")
    with pytest.raises(AdapterError, match="would run"):
        load(tmp_path)
    assert not capfd.readouterr().out


def test_either_file_stands_for_the_folder(tmp_path):
    save(ADAPTER, tmp_path)
    assert len(load(tmp_path / CONFIG).layers) == len(load(tmp_path / TENSORS).layers) == 4
