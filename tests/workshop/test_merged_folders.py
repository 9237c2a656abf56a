"""What a merged folder holds beside W + ΔW: heads with their labels, names of files, side files."""

import json
import os
import time
from dataclasses import replace

import pytest
import safetensors.torch
import torch
import transformers as T

from lora_lab.errors import LabError
from lora_lab.folders import remove_folder
from lora_lab.formats.recognise import open_adapter
from lora_lab.models.base import Base
from lora_lab.models.checkpoint import read_state
from lora_lab.workshop.against_base import against_base
from lora_lab.workshop.merge_base import write_merged
from tests.workshop.families import adapted, answer, distance, saved

pytestmark = [
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning"),
]
HEADS = {  # base → the class with a head, its targets, PEFT's word
    "llama": (T.LlamaForSequenceClassification, ["q_proj"], "SEQ_CLS"),
    "bert": (T.BertForSequenceClassification, ["query"], "SEQ_CLS"),
    "bert_mlm": (T.BertForTokenClassification, ["query"], "TOKEN_CLS"),
    "gpt2": (T.GPT2ForSequenceClassification, ["c_attn"], "SEQ_CLS"),
    "vit": (T.ViTForImageClassification, ["q_proj"], None),
    "gemma3": (T.Gemma3ForSequenceClassification, r".*language_model.*q_proj", "SEQ_CLS"),
}


@pytest.mark.parametrize("labels", [2, 5])
@pytest.mark.parametrize("name", HEADS)
def test_a_fresh_head_is_written_with_its_class_and_labels(name, labels, tmp_path):
    saved(tmp_path / "base", name)
    kind, targets, task = HEADS[name]
    options = {} if task else {"modules_to_save": ["classifier"]}
    model = kind.from_pretrained(tmp_path / "base", num_labels=labels, ignore_mismatched_sizes=True)
    if task:  # a row alone ends where its tokens do
        model.config.get_text_config().pad_token_id = 0
    wanted = answer(adapted(model, tmp_path / "adapter", targets, task_type=task, **options))
    write_merged(open_adapter(tmp_path / "adapter"), tmp_path / "base", tmp_path / "out")
    merged = kind.from_pretrained(tmp_path / "out").eval()
    if task:
        merged.config.get_text_config().pad_token_id = 0
    assert merged.config.num_labels == labels
    assert merged.config.architectures == [kind.__name__]
    assert distance(answer(merged), wanted) <= 1e-5


@pytest.mark.parametrize(
    ("task", "problem"),
    [("regression", "regression"), ("multi_label", "multi_label_classification"), ("x", None)],
)
def test_names_of_classes_and_the_sort_of_problem_are_in_the_config(task, problem, tmp_path):
    saved(tmp_path / "base", "bert")
    model = T.BertForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=2)
    adapted(model, tmp_path / "adapter", ["query"], task_type="SEQ_CLS")
    weights = open_adapter(tmp_path / "adapter")
    told = {**weights.extra, "task": task, "classes": ("good", "bad")}
    write_merged(replace(weights, extra=told), tmp_path / "base", tmp_path / "out")
    config = T.AutoConfig.from_pretrained(tmp_path / "out")
    assert config.id2label == {0: "good", 1: "bad"}
    assert config.problem_type == problem


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_embeddings_that_were_trained_whole_replace_the_bases(dtype, tmp_path):
    model = saved(tmp_path / "base", "llama")
    model.to(dtype).save_pretrained(tmp_path / "base")
    saves = ["embed_tokens", "lm_head"]
    wanted = answer(adapted(model, tmp_path / "adapter", ["q_proj"], modules_to_save=saves))
    write_merged(open_adapter(tmp_path / "adapter"), tmp_path / "base", tmp_path / "out")
    state = safetensors.torch.load_file(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in state.values()} == {dtype}
    found = answer(T.LlamaForCausalLM.from_pretrained(tmp_path / "out").eval())
    assert distance(found, wanted) <= (1e-5 if dtype == torch.float32 else 3e-2)


@pytest.mark.parametrize("ends", [["embed_tokens"], ["lm_head"], ["embed_tokens", "lm_head"]])
def test_whole_ends_of_a_tied_weight_are_parted_on_request(ends, tmp_path):
    model = saved(tmp_path / "base", "llama_tied")
    wanted = answer(adapted(model, tmp_path / "adapter", ["q_proj"], modules_to_save=ends))
    weights = open_adapter(tmp_path / "adapter")
    with pytest.raises(LabError, match="shares its weight with"):
        write_merged(weights, tmp_path / "base", tmp_path / "out")
    write_merged(weights, tmp_path / "base", tmp_path / "out", untie=True)
    found = answer(T.LlamaForCausalLM.from_pretrained(tmp_path / "out").eval())
    assert distance(found, wanted) <= 1e-5


def test_a_vocabulary_of_another_size_is_named(tmp_path):
    model = saved(tmp_path / "base", "llama")
    model.resize_token_embeddings(70)
    saves = ["embed_tokens", "lm_head"]
    adapted(model, tmp_path / "adapter", ["q_proj"], modules_to_save=saves)
    with pytest.raises(LabError, match=r"\(70, 32\) in the adapter.*another vocabulary"):
        write_merged(open_adapter(tmp_path / "adapter"), tmp_path / "base", tmp_path / "out")


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("name", ["llama", "llama_tied", "gemma3"])
def test_a_base_of_archives_becomes_a_folder_that_opens(name, shards, tmp_path):
    """PyTorch's own files, of one or several with their index; as torch saves ties, both names."""
    base = tmp_path / "base"
    model = saved(base, name)
    state = safetensors.torch.load_file(base / "model.safetensors")
    (base / "model.safetensors").unlink()
    if shards == 1:
        torch.save(state, base / "pytorch_model.bin")
    else:
        keys, where = list(state), {}
        for i in range(shards):
            file = f"pytorch_model-0000{i + 1}-of-0000{shards}.bin"
            torch.save({k: state[k] for k in keys[i::shards]}, base / file)
            where |= dict.fromkeys(keys[i::shards], file)
        index = {"metadata": {}, "weight_map": where}
        (base / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    targets = r".*language_model.*q_proj" if name == "gemma3" else ["q_proj"]
    wanted = answer(adapted(model, tmp_path / "adapter", targets))
    write_merged(open_adapter(tmp_path / "adapter"), base, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.bin*"))
    assert distance(answer(type(model).from_pretrained(tmp_path / "out").eval()), wanted) <= 1e-5
    write_merged(
        open_adapter(tmp_path / "adapter"), base, tmp_path / "out", overwrite=True
    )  # what was written counts as this model's


def test_folders_of_the_model_come_along_and_old_weights_do_not(tmp_path):
    base = tmp_path / "base"
    adapted(saved(base, "bert"), tmp_path / "adapter", ["query"])
    for file in ("1_Pooling/config.json", "2_Dense/model.safetensors", "onnx/model.onnx",
                 "onnx/config.json", ".cache/x.json", "tokenizer.json"):  # fmt: skip
        (base / file).parent.mkdir(exist_ok=True)
        (base / file).write_text("{}")
    parts = [{"idx": i, "path": p} for i, p in enumerate(("", "1_Pooling", "2_Dense"))]
    (base / "modules.json").write_text(json.dumps(parts))
    report = write_merged(open_adapter(tmp_path / "adapter"), base, tmp_path / "out")
    found = {str(f.relative_to(tmp_path / "out")) for f in (tmp_path / "out").rglob("*.*")}
    assert {"1_Pooling/config.json", "2_Dense/model.safetensors", "onnx/config.json"} <= found
    assert "tokenizer.json" in found
    assert not any(name.startswith(".") or name.endswith(".onnx") for name in found)
    assert report.notes == ("left behind, as they hold the old weights: onnx/model.onnx",)


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_what_links_bring_in_from_elsewhere_stays_there(tmp_path):
    base = tmp_path / "models--a" / "snapshots" / "1"
    adapted(saved(base, "bert"), tmp_path / "adapter", ["query"])
    (tmp_path / "secret").write_text("mine")
    blobs = base.parent.parent / "blobs"
    blobs.mkdir()
    (blobs / "ab12").write_text("theirs")
    (base / "sub").mkdir()
    for place in (base, base / "sub"):
        (place / "notes.txt").symlink_to(tmp_path / "secret")
        (place / "more.txt").symlink_to(blobs / "ab12")
        (place / "config.txt").symlink_to(base / "config.json")
        (place / "all").symlink_to(tmp_path, target_is_directory=True)
    report = write_merged(open_adapter(tmp_path / "adapter"), base, tmp_path / "out")
    for place in (tmp_path / "out", tmp_path / "out" / "sub"):
        assert (place / "more.txt").read_text() == "theirs"
        assert (place / "config.txt").exists()
        assert not (place / "notes.txt").exists()
        assert not (place / "all").exists()
    said = "left behind, as they are links that lead out of the base: notes.txt, sub/notes.txt"
    assert said in report.notes


def test_folders_in_each_other_without_end_are_left_behind(tmp_path, monkeypatch, request):
    base = tmp_path / "base"
    request.addfinalizer(lambda: remove_folder(base))  # pytest cannot
    adapted(saved(base, "bert"), tmp_path / "adapter", ["query"])
    monkeypatch.chdir(base)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    monkeypatch.chdir(tmp_path)
    report = write_merged(open_adapter(tmp_path / "adapter"), base, tmp_path / "out")
    assert "left behind, as they lie too deep in it: d/d/" in " ".join(report.notes)


def test_names_of_the_same_numbers_are_found_among_thousands_at_once(tmp_path):
    shared = torch.ones(2, 2)
    tensors = {f"net.{i}.weight": torch.ones(1) for i in range(6000)}
    torch.save({"a": shared, **tensors, "b": shared, "c": shared[0]}, tmp_path / "many.pt")
    base = Base(tmp_path / "many.pt")
    began = time.process_time()
    found = {name: twin for name in base.tensors if (twin := base.twin(name))}
    assert time.process_time() - began < 3  # the archive is read once, and it took 7 s besides
    assert found == {"a": "b", "b": "a"}


def test_archives_whose_tensors_are_asked_for_in_turn_are_read_once(tmp_path, monkeypatch):
    files = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    held = {f"h.{i}.weight": torch.full((2, 2), float(i)) for i in range(200)}
    places = {name: files[i % 2] for i, name in enumerate(held)}
    for file in files:
        torch.save({name: held[name] for name in held if places[name] == file}, tmp_path / file)
    index = {"metadata": {}, "weight_map": places}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_text("{}")
    read = []

    def counted(path):
        read.append(path.name)
        return read_state(path)

    monkeypatch.setattr("lora_lab.models.base.read_state", counted)
    base = Base(tmp_path)
    for _ in range(2):
        assert all(torch.equal(base.raw(name), W) for name, W in held.items())
        assert not any(base.twin(name) for name in held)
    assert sorted(read) == files
    monkeypatch.setattr("lora_lab.models.base.KEPT", 1)  # of archives larger than that, the newest
    base = Base(tmp_path)
    assert all(torch.equal(base.raw(name), W) for name, W in held.items())
    assert len(read) == 2 + len(held)


def test_a_weight_with_two_names_in_a_file_without_config_is_refused(tmp_path):
    W = torch.randn(6, 6)
    torch.save({"net.a.weight": W, "net.b.weight": W}, tmp_path / "tied.pt")
    from lora_lab.adapters.weights import AdapterWeights, LayerWeights

    layer = LayerWeights("net.a", torch.randn(2, 6), torch.randn(6, 2), 2.0, 1.0)
    with pytest.raises(LabError, match=r"net.a.weight and net.b.weight are one weight"):
        write_merged(
            AdapterWeights("lora", (layer,)), tmp_path / "tied.pt", tmp_path / "o.safetensors"
        )


def test_a_quantized_base_is_refused_by_name(tmp_path):
    model = saved(tmp_path / "base", "llama")
    adapted(model, tmp_path / "adapter", ["q_proj"])
    state = safetensors.torch.load_file(tmp_path / "base" / "model.safetensors")
    for key in [k for k in state if k.endswith("proj.weight")]:
        scale = state[key].abs().max() / 448
        state[key] = (state[key] / scale).to(torch.float8_e4m3fn)
        state[f"{key}_scale"] = scale[None]
    safetensors.torch.save_file(state, tmp_path / "base" / "model.safetensors")
    for base in (tmp_path / "base", tmp_path / "base" / "model.safetensors"):
        with pytest.raises(LabError, match=r"quantized \(float8 with a scale\)"):
            write_merged(open_adapter(tmp_path / "adapter"), base, tmp_path / "out")


def in_eights(state, key):
    """As mlx-lm quantizes to 4 bit: eight numbers in a word, scales and biases beside it."""
    out, width = state[key].shape
    state[key] = torch.zeros(out, width // 8, dtype=torch.uint32)
    for label in ("scales", "biases"):
        state[key.removesuffix("weight") + label] = torch.ones(out, 1)


def in_halves(state, key):
    """As bitsandbytes quantizes to 4 bit."""
    state[f"{key}.absmax"] = torch.ones(-(-state[key].numel() // 64))
    state[key] = torch.zeros(state[key].numel() // 2, 1, dtype=torch.uint8)


def in_columns(state, key):
    """As AWQ does, under another name."""
    out, width = state.pop(key).shape
    state[key.replace("weight", "qweight")] = torch.zeros(width, out // 8, dtype=torch.int32)


@pytest.mark.parametrize("pack", [in_eights, in_halves, in_columns])
def test_a_packed_base_is_no_other_base(pack, tmp_path):
    adapted(saved(tmp_path / "base", "llama"), tmp_path / "adapter", ["q_proj"])
    file = tmp_path / "base" / "model.safetensors"
    state = safetensors.torch.load_file(file)
    for key in [k for k in state if k.endswith("proj.weight")]:
        pack(state, key)
    safetensors.torch.save_file(state, file, {"format": "pt"})
    weights = open_adapter(tmp_path / "adapter")
    with pytest.raises(LabError, match=r"is quantized \(.*cannot be read as a matrix"):
        against_base(weights, tmp_path / "base")
    with pytest.raises(LabError, match="is quantized"):
        write_merged(weights, tmp_path / "base", tmp_path / "out")


@pytest.mark.parametrize("name", ["llama", "gemma3"])
@pytest.mark.parametrize("around", ["module.", "_orig_mod.", "module._orig_mod."])
def test_a_base_that_training_had_wrapped_is_merged_under_its_owners_names(name, around, tmp_path):
    model = saved(tmp_path / "base", name)
    targets = r".*language_model.*q_proj" if name == "gemma3" else ["q_proj"]
    wanted = answer(adapted(model, tmp_path / "adapter", targets))
    file = tmp_path / "base" / "model.safetensors"
    state = safetensors.torch.load_file(file)
    safetensors.torch.save_file({around + key: t for key, t in state.items()}, file)
    write_merged(open_adapter(tmp_path / "adapter"), tmp_path / "base", tmp_path / "out")
    merged = type(model).from_pretrained(tmp_path / "out").eval()
    assert distance(answer(merged), wanted) <= 1e-5
