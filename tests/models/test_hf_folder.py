"""A folder opens as transformers would open it, number for number, or says in words why not."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.utils import is_protobuf_available, is_sentencepiece_available

from lora_lab.errors import Cancelled, CheckpointError, LabError
from lora_lab.models.hf_folder import open_model
from lora_lab.models.tokenizer_file import open_tokenizer
from tests.models.tiny import PURPOSES, save

IDS = torch.arange(2, 12)[None]


def answer(kind, module):
    with torch.no_grad():
        if kind == "vit":
            images = torch.linspace(-1, 1, 192).view(1, 3, 8, 8)
            return module(pixel_values=images).logits
        return module(input_ids=IDS).logits


def change(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def shards(folder, module):
    """The weights in two shards with an index, in place of the one file."""
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(state)
    files = {"a.safetensors": names[: len(names) // 2], "b.safetensors": names[len(names) // 2 :]}
    for file, part in files.items():
        save_file({name: state[name] for name in part}, folder / file, {"format": "pt"})
    index = {"weight_map": {name: file for file, part in files.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def archive(folder, module):
    """The weights as PyTorch's archive."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize("layout", [None, shards, archive])
@pytest.mark.parametrize("kind", PURPOSES)
def test_the_model_answers_as_it_was_saved(tmp_path, kind, layout):
    module = save(tmp_path, kind)
    if layout is not None:
        layout(tmp_path, module)
    classes = () if PURPOSES[kind] == "causal_lm" else ("no", "yes")
    opened = open_model(tmp_path, PURPOSES[kind], classes=classes)
    assert opened.new_layers == ()
    assert torch.equal(answer(kind, opened.module), answer(kind, module))


def test_models_that_are_opened_at_once_by_several_threads_come_whole(tmp_path):
    module, together = save(tmp_path, "llama"), Barrier(4)

    def opened(_):
        together.wait()
        return open_model(tmp_path, "causal_lm").module

    for _ in range(4):
        with ThreadPoolExecutor(4) as threads:
            models = list(threads.map(opened, range(4)))
        assert all(torch.equal(answer("llama", m), answer("llama", module)) for m in models)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_come_in_the_type_that_is_asked_for(tmp_path, dtype):
    module = save(tmp_path, "llama")
    opened = open_model(tmp_path, "causal_lm", dtype=dtype).module
    assert {p.dtype for p in opened.parameters()} == {dtype}
    wanted = type(module).from_pretrained(tmp_path, dtype=dtype)
    assert torch.equal(answer("llama", opened), answer("llama", wanted))
    assert opened.lm_head.weight is opened.model.embed_tokens.weight, "tied weights stay one"


def test_a_head_that_is_missing_is_drawn_from_the_seed_and_named(tmp_path):
    save(tmp_path, "bert")
    first, again, other = (
        open_model(tmp_path, "sequence_classification", classes=("a", "b", "c"), seed=seed)
        for seed in (1, 1, 2)
    )
    assert first.new_layers == ("classifier",)
    assert any("classifier" in note for note in first.notes)
    weights = [opened.module.classifier.weight for opened in (first, again, other)]
    assert weights[0].shape == (3, 32)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert first.module.config.id2label == {0: "a", 1: "b", 2: "c"}


def test_a_head_for_other_classes_is_drawn_anew(tmp_path):
    save(tmp_path, "vit")
    opened = open_model(tmp_path, "image_classification", classes=("a", "b", "c"))
    assert opened.new_layers == ("classifier",)
    assert any("for another number of classes" in note for note in opened.notes)


def test_the_checkpoints_own_names_of_classes_are_told(tmp_path):
    save(tmp_path, "bert_classifier")
    change(tmp_path, id2label={"0": "NEGATIVE", "1": "POSITIVE"})
    opened = open_model(tmp_path, "sequence_classification", classes=("0", "1"))
    assert opened.new_layers == ()
    assert any("NEGATIVE, POSITIVE" in note for note in opened.notes)


def without(folder, end):
    path = folder / "model.safetensors"
    state = {k: v for k, v in load_file(path).items() if not k.endswith(end)}
    save_file(state, path, {"format": "pt"})


MISFITS = {
    "weights missing": (lambda f: without(f, "layers.1.mlp.up_proj.weight"), "lacks.*up_proj"),
    "another width": (lambda f: change(f, hidden_size=36), "hidden_size is 36"),
    "another vocabulary": (lambda f: change(f, vocab_size=300), "vocab_size is 300"),
    "another number of heads": (lambda f: change(f, num_key_value_heads=1), "another shape"),
    "more layers than weights": (lambda f: change(f, num_hidden_layers=3), "lacks.*layers.2"),
    "a config that contradicts itself": (lambda f: change(f, num_attention_heads=7), "."),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no weights"),
    "no config": (lambda f: (f / "config.json").unlink(), "no config.json"),
    "no folder": (lambda f: None, "no such folder"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_refused_in_one_sentence(tmp_path, name):
    spoil, reason = MISFITS[name]
    save(tmp_path, "llama")
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=reason) as caught:
        open_model(tmp_path / "nowhere" if name == "no folder" else tmp_path, "causal_lm")
    assert "\n" not in str(caught.value)


def test_a_width_that_the_model_makes_nothing_of_is_let_through(tmp_path):
    module = save(tmp_path, "llama")
    change(tmp_path, dim=37)
    assert torch.equal(answer("llama", open_model(tmp_path, "causal_lm").module),
                       answer("llama", module))  # fmt: skip
    change(tmp_path, dim=400_000)
    with pytest.raises(CheckpointError, match="dim is 400,000"):
        open_model(tmp_path, "causal_lm")


def test_a_config_of_a_giant_is_refused_before_memory_is_taken(tmp_path):
    save(tmp_path, "llama")
    change(tmp_path, head_dim=2**21)
    with pytest.raises(CheckpointError, match=r"the model would have [\d,]+ parameters"):
        open_model(tmp_path, "causal_lm")


def test_the_text_part_of_a_composite_opens_as_transformers_opens_it(tmp_path):
    from transformers import AutoModelForCausalLM, Qwen3_5Config, Qwen3_5ForConditionalGeneration

    text = {
        "vocab_size": 320,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"],
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
    }
    vision = {"depth": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 16,
              "out_hidden_size": 32, "num_position_embeddings": 16}  # fmt: skip
    torch.manual_seed(0)
    whole = Qwen3_5ForConditionalGeneration(Qwen3_5Config(text_config=text, vision_config=vision))
    whole.save_pretrained(tmp_path)
    opened = open_model(tmp_path, "causal_lm").module
    wanted = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert type(opened) is type(wanted)
    with torch.no_grad():
        assert torch.equal(opened(input_ids=IDS).logits, wanted(input_ids=IDS).logits)


def test_a_model_for_something_else_is_refused_before_it_is_read(tmp_path, monkeypatch):
    save(tmp_path, "vit")
    monkeypatch.setattr("lora_lab.models.hf_folder.read_weights", lambda *_: pytest.fail("read"))
    with pytest.raises(CheckpointError, match="vit model, not a causal language model"):
        open_model(tmp_path, "causal_lm")


def test_progress_is_told_and_heard(tmp_path):
    save(tmp_path, "llama")
    told = []
    open_model(tmp_path, "causal_lm", report=lambda what, share: told.append((what, share)))
    shares = [share for what, share in told if what.startswith("Reading")]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0

    def give_up(what, share):
        if share > 0.1:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        open_model(tmp_path, "causal_lm", report=give_up)


def test_generation_ends_where_the_folder_says(tmp_path):
    save(tmp_path, "llama")
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [7, 9]}')
    assert open_model(tmp_path, "causal_lm").module.generation_config.eos_token_id == [7, 9]


def test_the_tokenizer_comes_with_its_template(tmp_path):
    save(tmp_path, "llama", chat=True)
    found = open_tokenizer(tmp_path)
    assert found.eos_token == "<|end|>"
    assert found.chat_template
    assert found.decode(found("a bad film")["input_ids"]) == "a bad film"


def _remove_tokenizer(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()


TOKENIZERS = {
    "missing": (_remove_tokenizer, "has no tokenizer"),
    "broken": (lambda f: (f / "tokenizer.json").write_text("{"), "not valid JSON"),
    "code": (
        lambda f: (f / "tokenizer_config.json").write_text(
            '{"auto_map": {"AutoTokenizer": "x.Y"}}'
        ),
        "asks for code",
    ),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_tokenizer_that_cannot_be_had_is_an_error(tmp_path, name):
    spoil, reason = TOKENIZERS[name]
    save(tmp_path, "llama")
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=reason):
        open_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("kind", "lie"),
    [
        ("llama", {"num_hidden_layers": 2000}),
        ("bert_classifier", {"max_position_embeddings": 30_000_000}),
        ("bert_classifier", {"type_vocab_size": 2**24}),
        ("bert_classifier", {"num_labels": 2**24, "id2label": None}),
        ("gpt2", {"n_positions": 2**24}),
        ("vit", {"image_size": 2**15}),
        ("vit", {"num_labels": 2**24}),
    ],
)
def test_a_small_file_is_no_giant(tmp_path, kind, lie):
    """What a config counts is held against the tensors before memory is given to it."""
    save(tmp_path, kind)
    change(tmp_path, **lie)
    before, began = psutil.Process().memory_info().rss, time.process_time()
    with pytest.raises(CheckpointError):
        open_model(tmp_path, PURPOSES[kind])
    assert time.process_time() - began < 2
    assert psutil.Process().memory_info().rss - before < 100 * 2**20


@pytest.mark.skipif(os.name != "posix", reason="links need a right elsewhere")
def test_where_to_stop_is_not_read_through_a_link(tmp_path):
    save(tmp_path / "model", "llama")
    ends = tmp_path / "model" / "generation_config.json"
    (tmp_path / "ends").write_text('{"eos_token_id": 7}')
    ends.unlink(missing_ok=True)
    ends.symlink_to(tmp_path / "ends")
    with pytest.raises(CheckpointError, match="is a link that leads out of model"):
        open_model(tmp_path / "model", "causal_lm")


def test_a_tokenizer_of_bytes_needs_no_file_of_words(tmp_path):
    from transformers import ByT5Tokenizer

    ByT5Tokenizer(extra_ids=0).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    text = "ü 🎬"
    wanted = [byte + 3 for byte in text.encode()]
    assert open_tokenizer(tmp_path)(text, add_special_tokens=False)["input_ids"] == wanted


PIECES = [("spm.model", "deberta-v2"), ("sentencepiece.bpe.model", "xlm-roberta")]


@pytest.mark.filterwarnings("ignore")  # of protobuf's own
@pytest.mark.parametrize(("file", "kind"), PIECES)
def test_a_folder_with_a_sentencepiece_model_alone(tmp_path, monkeypatch, file, kind):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    (tmp_path / file).write_bytes(b"\n\x05\n\x01a\x15")
    is_sentencepiece_available(), is_protobuf_available()  # which they remember
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"SentencePiece.*lora-lab\[sentencepiece\]"):
        open_tokenizer(tmp_path)
    monkeypatch.undo()
    pieces = pytest.importorskip("sentencepiece", reason="trains the model that is read")
    text = tmp_path / "text"
    text.write_text("a good film and a bad film are two films and no more films\n" * 50)
    pieces.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(tmp_path / "made"), vocab_size=20, minloglevel=2
    )
    (tmp_path / "made.model").rename(tmp_path / file)
    found = open_tokenizer(tmp_path)
    assert (
        found.decode(found("a good film")["input_ids"], skip_special_tokens=True) == "a good film"
    )
    processor = pieces.SentencePieceProcessor(model_file=str(tmp_path / file))
    wanted = processor.encode("a good film", out_type=str)
    special = set(found.all_special_tokens)
    mine = found.convert_ids_to_tokens(found("a good film")["input_ids"])
    assert [t for t in mine if t not in special] == wanted


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"num_attention_heads": 5}, "multiple of the number"),
        ({"rms_norm_eps": "1e-5"}, "rms_norm_eps"),
    ],
)
def test_a_config_that_transformers_refuses_is_not_told_as_a_tokenizers_fault(
    tmp_path, change, reason
):
    save(tmp_path / "m", "llama")
    config = json.loads((tmp_path / "m" / "config.json").read_text()) | change
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=f"config.json does not hold together: .*{reason}"):
        open_tokenizer(tmp_path / "m")


@pytest.mark.parametrize(
    "name",
    [lambda n: f"base_model.model.{n}", lambda n: n.replace("q_proj.", "q_proj.base_layer.")],
)
def test_weights_with_peft_around_them_are_named_so(tmp_path, name):
    save(tmp_path / "m", "llama")
    state = load_file(tmp_path / "m" / "model.safetensors")
    save_file(
        {name(n): t for n, t in state.items()}, tmp_path / "m" / "model.safetensors",
        {"format": "pt"},
    )  # fmt: skip
    with pytest.raises(CheckpointError, match="that PEFT is wrapped around"):
        open_model(tmp_path / "m", "causal_lm")


@pytest.mark.parametrize(
    "value", ["\x1b]0;owned\x07\x1b[2J", 5, {"a": []}], ids=["text", "number", "table"]
)
def test_what_a_library_says_of_a_files_values_steers_no_terminal(tmp_path, value, capfd):
    """Its own line of an attribute that cannot be set quotes the whole file as it is."""
    save(tmp_path, "llama")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "sub_configs": value}))
    with suppress(LabError):
        open_model(tmp_path, "causal_lm")
    said = capfd.readouterr()
    assert "sub_configs" not in said.out + said.err
