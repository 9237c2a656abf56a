"""Checkpoints as frameworks write them: read by their owner's names, or named as what they are."""

import argparse
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.parallel import DataParallel
from transformers import CLIPConfig, CLIPForImageClassification

from lora_lab.errors import CheckpointError
from lora_lab.models.checkpoint import read_state
from lora_lab.models.hf_config import read_config
from lora_lab.models.hf_folder import open_model
from lora_lab.models.inspect import describe
from lora_lab.models.shards import read_weights
from lora_lab.models.state_names import fitted, owners_names, unwrapped
from tests.models.test_hf_folder import answer
from tests.models.tiny import save


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


STATE = net().state_dict()
OPTIMIZER = torch.optim.AdamW(net().parameters()).state_dict()
NESTED = {
    "imagenet example": {
        "epoch": 3, "arch": "mlp", "state_dict": STATE, "best_acc1": torch.tensor(0.7),
        "optimizer": OPTIMIZER, "scheduler": {"last_epoch": 3},
    },
    "loss as a tensor": {"model_state_dict": STATE, "loss": torch.tensor(1.0)},
    "net": {"net": STATE, "acc": 91.2, "epoch": 4},
    "unknown word": {"generator_weights": STATE, "step": 3},
    "weights and their average": {"model": STATE, "ema": {k: v * 0.9 for k, v in STATE.items()}},
    "twice nested": {"model": {"state_dict": STATE, "cfg": "x"}, "iteration": 2},
    "lightning": {
        "state_dict": STATE, "pytorch-lightning_version": "2.5", "callbacks": {},
        "loops": {"fit": {"x": 1}}, "hyper_parameters": {"lr": 1e-3},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NESTED)
def test_weights_inside_of_what_a_script_saves_are_found(tmp_path, name):
    torch.save(NESTED[name], tmp_path / "checkpoint.pth.tar")
    found = read_state(tmp_path / "checkpoint.pth.tar")
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[key], STATE[key]) for key in STATE)


OTHERS = {k: v * 0.9 for k, v in STATE.items()}
# What a script saves → what the file calls the weights that are not used; "" where there are none.
BESIDE = {
    "an average": ({"model": STATE, "ema": OTHERS}, "'ema'"),
    "an average of timm": ({"state_dict": STATE, "state_dict_ema": OTHERS}, "'state_dict_ema'"),
    "an average that is wrapped": ({"model": STATE, "model_ema": {"module": OTHERS}},
                                   "'model_ema'"),
    "two more": ({"net": STATE, "ema": OTHERS, "critic": OTHERS}, "'ema', 'critic'"),
    "inside": ({"model": {"state_dict": STATE, "ema": OTHERS}, "step": 2}, "'ema'"),
    "none": (NESTED["imagenet example"], ""),
    "single numbers": ({"model": STATE, "metrics": {"acc": torch.tensor(0.9)}}, ""),
    "the weights alone": (STATE, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_weights_beside_those_that_are_read_are_said(tmp_path, name):
    saved, others = BESIDE[name]
    torch.save(saved, tmp_path / "net.pt")
    state = read_state(tmp_path / "net.pt")
    assert all(torch.equal(state[key], STATE[key]) for key in STATE)
    said = (unwrapped(state)[1], fitted(state, STATE)[1], *describe(tmp_path / "net.pt").notes)
    assert {f"{others} beside them is not used" in note for note in said} == {bool(others)}


def test_a_folder_whose_weights_have_an_average_beside_them_says_so(tmp_path):
    module = save(tmp_path, "llama")
    path = tmp_path / "model.safetensors"
    state = load_file(path)
    path.unlink()
    torch.save({"model": state, "ema": {k: 0.9 * v for k, v in state.items()}},
               tmp_path / "pytorch_model.bin")  # fmt: skip
    opened = open_model(tmp_path, "causal_lm")
    assert torch.equal(answer("llama", opened.module), answer("llama", module))
    assert any("'ema' beside them is not used" in note for note in opened.notes)


REFUSED = {
    "two nets": ({"generator": STATE, "discriminator": STATE}, "holds 2 tables.*generator"),
    "settings as objects": (
        {"state_dict": STATE, "args": argparse.Namespace(lr=1)}, r"weights_only=False",
    ),
    "under another name": (
        {"model": STATE, "args": argparse.Namespace(lr=1)}, r"own key for 'state_dict'",
    ),
    "a path": ({"state_dict": STATE, "dir": PurePosixPath("x")}, r"weights_only=False"),
    "a module": (net(), r"state_dict\(\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_more_is_refused_with_the_line_that_saves_it(tmp_path, name):
    saved, reason = REFUSED[name]
    torch.save(saved, tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match=reason):
        read_state(tmp_path / "checkpoint.pt")


class Lightning(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = net()


WRAPPED = {
    "compiled": lambda: torch.compile(net()),
    "parallel": lambda: DataParallel(net()),
    "both": lambda: DataParallel(torch.compile(net())),
    "compiled inside": lambda: nn.Sequential(net()[0], nn.ReLU(), torch.compile(net()[2])),
    "averaged": lambda: torch.optim.swa_utils.AveragedModel(net()),
}


@pytest.mark.filterwarnings("ignore:.torch.jit")  # torch.compile imports it
@pytest.mark.parametrize("name", WRAPPED)
def test_names_are_those_of_the_owners_module(name):
    state = WRAPPED[name]().state_dict()
    found, note = unwrapped(state)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[key], STATE[key]) for key in STATE)
    assert "put around the module" in note


def test_a_net_that_a_module_holds_is_read_as_the_factory_builds_it():
    state = {**Lightning().state_dict(), "accuracy.total": torch.tensor(3)}
    found, note = fitted(state, STATE)
    assert found.keys() == STATE.keys()
    assert "without 'model'" in note
    assert "1 other tensors" in note
    assert owners_names(["module.weight", "module.bias"]) == {
        "module.weight": "module.weight", "module.bias": "module.bias",
    }, "a layer may be called so"  # fmt: skip


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod."])
def test_a_folder_with_names_of_training_opens_as_it_was(tmp_path, prefix):
    module = save(tmp_path, "llama")
    path = tmp_path / "model.safetensors"
    save_file({prefix + k: v for k, v in load_file(path).items()}, path, {"format": "pt"})
    opened = open_model(tmp_path, "causal_lm")
    assert torch.equal(answer("llama", opened.module), answer("llama", module))
    assert any("put around the module" in note for note in opened.notes)


def test_named_arrays_of_numpy_are_read(tmp_path):
    arrays = {key: tensor.numpy() for key, tensor in STATE.items()}
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "net.npz", **arrays)
        found = read_state(tmp_path / "net.npz")
        assert found.keys() == STATE.keys()
        assert all(torch.equal(found[key], STATE[key]) for key in STATE)
    assert describe(tmp_path / "net.npz").kind == "NumPy archive"


def test_arrays_that_are_no_numbers_or_a_bomb_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{"x": 1}], dtype=object))
    with pytest.raises(CheckpointError, match="arrays cannot be read"):
        read_state(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", a=np.zeros(10**7))
    with pytest.raises(CheckpointError, match="larger inside"):
        read_state(tmp_path / "b.npz")
    np.savez_compressed(tmp_path / "c.npz", a=np.ones((3, 2), np.float32))
    whole = (tmp_path / "c.npz").read_bytes()
    first = 30 + whole[26] + whole[28]  # behind the name and what the archive says besides
    for at in range(first, 120):  # in the packed bytes, whose decompressor has errors of its own
        (tmp_path / "c.npz").write_bytes(whole[:at] + b"\x01\x00\x10" + whole[at + 3 :])
        with pytest.raises(CheckpointError):
            read_state(tmp_path / "c.npz")


def packed(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in members:
            archive.writestr(member, b"{}")
    return buffer.getvalue()


def tarred():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights"))
    return buffer.getvalue()


FILES = {
    "model.h5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5.*keras"),
    "model.onnx": (b"\x08\x07\x12\x07pytorch" + bytes(100), "ONNX.*made from"),
    "model.tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(100), "TensorFlow Lite"),
    "array.npy": (b"\x93NUMPY" + bytes(100), r"numpy\.savez"),
    "model.keras": (packed("metadata.json", "config.json", "model.weights.h5"), "Keras"),
    "model.pt2": (packed("model/archive_format", "model/models/model.json"), r"torch\.export"),
    "flax_model.msgpack": (b"\x81\xa6params" + bytes(100), "Flax.*from_flax"),
    "__0_0.distcp": (b"\x50\x01" + bytes(100), "dcp_to_torch"),
    "weights.tar": (tarred(), "unpack"),
    "weights.gz": (b"\x1f\x8b\x08" + bytes(100), "unpack"),
    "model.ckpt.index": (bytes(100), "TensorFlow checkpoint"),
    "bare.pkl": (pickle.dumps({"a": 1}, 4) + bytes(100), "bare pickle"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_framework_is_named_with_the_way_out(tmp_path, name):
    data, reason = FILES[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=reason):
        read_state(tmp_path / name)


FOLDERS = {
    "diffusers": (["model_index.json", "unet/"], "diffusers pipeline"),
    "deepspeed": (["zero_to_fp32.py", "global_step5/"], "zero_to_fp32"),
    "dcp": (["__0_0.distcp", ".metadata"], "dcp_to_torch"),
    "megatron": (["mp_rank_00/"], "Megatron"),
    "megatron's run": (["latest_checkpointed_iteration.txt", "iter_0001000/"], "Megatron"),
    "meta": (["params.json", "consolidated.00.pth"], "convert_"),
    "savedmodel": (["saved_model.pb", "variables/"], "SavedModel"),
    "onnx": (["model.onnx"], "ONNX"),
    "flax": (["flax_model.msgpack"], "from_flax"),
    "tensorflow": (["tf_model.h5"], "from_tf"),
    "gguf": (["model.Q8_0.gguf"], r"choose the \.gguf"),
    "hub cache": (["refs/", "snapshots/", "blobs/"], "snapshots"),
    "trainer": (["checkpoint-500/", "checkpoint-1000/"], "choose one of the checkpoints"),
}


@pytest.mark.parametrize("config", [False, True])
@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_another_framework_is_named_with_the_way_out(tmp_path, name, config):
    entries, reason = FOLDERS[name]
    for entry in entries:
        place = tmp_path / entry
        place.mkdir() if entry.endswith("/") else place.write_text("x")
    if config:
        (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(CheckpointError, match=reason):
        read_weights(tmp_path) if config else read_config(tmp_path)


def test_an_adapter_given_as_a_model_names_its_base(tmp_path):
    (tmp_path / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": "org/base"})
    )
    with pytest.raises(CheckpointError, match=r"is an adapter.*'org/base'.*--adapter"):
        read_config(tmp_path)


def test_an_old_gptq_folder_is_said_to_be_quantized(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "quantize_config.json").write_text('{"bits": 4}')
    with pytest.raises(CheckpointError, match="quantized"):
        read_config(tmp_path)


@pytest.mark.parametrize("end", ["layers.1.mlp.fc1.weight", "patch_embedding.weight", "*"])
def test_a_body_that_is_missing_is_refused_where_it_has_no_name_of_its_own(tmp_path, end):
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
             "num_attention_heads": 4}  # fmt: skip
    config = CLIPConfig(
        text_config={**sizes, "vocab_size": 64}, projection_dim=16,
        vision_config={**sizes, "image_size": 16, "patch_size": 8},
    )  # fmt: skip
    CLIPForImageClassification(config).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    whole = load_file(path)
    opened = open_model(tmp_path, "image_classification", classes=("a", "b", "c"))
    assert opened.new_layers == ("classifier",)
    some = {k: v for k, v in whole.items() if not (k.endswith(end) or end == "*")}
    if end == "*":
        some = {f"other.{k}": v for k, v in whole.items()}
    assert len(some) < len(whole) or end == "*"
    save_file(some, path, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks .*vision_model"):
        open_model(tmp_path, "image_classification", classes=("a", "b", "c"))
