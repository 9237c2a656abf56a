"""GGUF models answer as what they were made of; a file that lies about a length is refused."""

import random
import struct

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, quantize

from lora_lab.errors import CheckpointError
from lora_lab.models.gguf_file import by_copy, check_gguf
from lora_lab.models.hf_folder import open_model
from lora_lab.models.inspect import describe
from lora_lab.models.tokenizer_file import open_tokenizer
from tests.models.tiny import MODELS, save

HEADS, KEYS = 4, 2
NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def permuted(weight, heads):
    """llama.cpp's order of the rotary halves (convert_hf_to_gguf.py, LlamaModel.permute)."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def write(path, module, kind=GGMLQuantizationType.F32):
    config = module.config
    writer = GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(config.hidden_size // HEADS)
    writer.add_vocab_size(config.vocab_size)
    letters = [chr(33 + i) for i in range(90)]
    tokens = ["<|end|>", "<|pad|>", "Ġ", "th", "the", *letters]
    tokens += [f"<{i}>" for i in range(config.vocab_size - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges(["t h", "th e"])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    for name, tensor in module.state_dict().items():
        if name == "lm_head.weight":
            continue  # tied
        plain = name.removeprefix("model.").removesuffix(".weight")
        if plain.startswith("layers."):
            _, layer, inner = plain.split(".", 2)
            target = f"blk.{layer}.{NAMES[inner]}.weight"
        else:
            target = {"embed_tokens": "token_embd.weight", "norm": "output_norm.weight"}[plain]
        values = tensor.float().numpy()
        if "attn_q" in target or "attn_k" in target:
            values = permuted(values, HEADS if "attn_q" in target else KEYS)
        values = np.ascontiguousarray(values, dtype=np.float32)
        fits = values.ndim == 2 and values.shape[1] % 32 == 0
        if kind is not GGMLQuantizationType.F32 and fits:
            packed = quantize(values, kind)
            writer.add_tensor(target, packed, raw_dtype=kind)
        else:
            writer.add_tensor(target, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(
    ("kind", "apart"),
    [
        (GGMLQuantizationType.F32, 1e-5),
        (GGMLQuantizationType.F16, 2e-2),
        (GGMLQuantizationType.Q8_0, 2e-1),
    ],
)
@pytest.mark.filterwarnings("ignore")  # of the readers' own
def test_the_model_answers_as_before_it_was_packed(tmp_path, kind, apart):
    module = save(tmp_path / "source", "llama")
    path = tmp_path / "tiny.gguf"
    write(path, module, kind)
    opened = open_model(path, "causal_lm")
    assert opened.new_layers == ()
    ids = torch.arange(2, 14)[None]
    with torch.no_grad():
        difference = opened.module(ids).logits - module(ids).logits
    assert difference.abs().max() < apart
    card = describe(path)
    assert card.kind == "GGUF"
    assert card.parameters == sum(p.numel() for p in module.parameters())


@pytest.mark.filterwarnings("ignore")
def test_the_tokenizer_lies_in_the_file(tmp_path):
    write(tmp_path / "tiny.gguf", save(tmp_path / "source", "llama"))
    found = open_tokenizer(tmp_path / "tiny.gguf")
    assert found.decode(found("the")["input_ids"]) == "the"


def test_what_lies_beside_it_names_a_tokenizer_too(tmp_path):
    write(tmp_path / "tiny.gguf", save(tmp_path / "source", "llama"))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaForCausalLM"}')
    with pytest.raises(CheckpointError, match="tokenizer_class is 'LlamaForCausalLM'"):
        open_tokenizer(tmp_path / "tiny.gguf")


def header(tensors=0, keys=0, version=3, rest=b""):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + rest


def text(words):
    return struct.pack("<Q", len(words)) + words


def words(kinds, inner=5):
    """300 tokens of 4,000 letters that share nothing, each of its kind."""
    texts = [random.Random(i).randbytes(2000).hex().encode() for i in range(300)]
    listed = struct.pack("<IIQ", 9, 8, 300) + b"".join(map(text, texts))
    form = "<300i" if inner == 5 else "<300f"
    told = struct.pack("<IIQ", 9, inner, 300) + struct.pack(form, *kinds)
    return text(b"tokenizer.ggml.tokens") + listed + text(b"tokenizer.ggml.token_type") + told


def nested(count):
    """Tokens that each begin with all those before."""
    texts = [text(b"a" * length) for length in range(1, count + 1)]
    listed = struct.pack("<IIQ", 9, 8, count) + b"".join(texts)
    return text(b"tokenizer.ggml.tokens") + listed


TENSOR = text(b"t") + struct.pack("<IQQIQ", 2, 4, 4, 0, 0)
KEY = {"tensors": 1, "keys": 1}
BAD = {
    "empty": (b"", "empty"),
    "another file": (b"PK\3\4" + bytes(60), "not a GGUF"),
    "old": (header(version=1), "version 1"),
    "no tensor": (header(), "no tensor"),
    "cut in the counts": (b"GGUF\3\0", "cut off"),
    "many tensors": (header(tensors=2**60), "claims"),
    "many keys": (header(tensors=1, keys=2**60), "claims"),
    "long name": (header(tensors=1, rest=struct.pack("<Q", 2**50)), "claims a text"),
    "a name of digits": (header(tensors=1, rest=struct.pack("<Q", 5000) + b"1" * 5000),
                         "claims a text of 5,000"),
    "added tokens": (header(tensors=1, keys=2, rest=words([3] * 300)),
                     "added tokens have [0-9,]+ letters"),
    "tokens of a user": (header(tensors=1, keys=2, rest=words([1, 4] * 150)), "added tokens have"),
    "kinds that are no whole numbers": (
        header(tensors=1, keys=2, rest=words([3.0] * 300, inner=6)), "added tokens have"),
    "tokens within each other": (
        header(tensors=1, keys=1, rest=nested(1000) + TENSOR), "begin with each other"),
    "tokens given twice": (
        header(tensors=1, keys=2, rest=nested(3) + nested(1000)), "tokens' is given twice"),
    "long list": (
        header(**KEY, rest=text(b"k") + struct.pack("<IIQ", 9, 4, 2**60)),
        "claims a list",
    ),
    "list of lists": (header(**KEY, rest=text(b"k") + struct.pack("<IIQ", 9, 9, 1)), "a list"),
    "unknown type": (header(**KEY, rest=text(b"k") + struct.pack("<I", 77)), "unknown type"),
    "many dimensions": (header(tensors=1, rest=text(b"t") + struct.pack("<I", 9)), "dimensions"),
    "unknown packing": (
        header(tensors=1, rest=text(b"t") + struct.pack("<IQIQ", 1, 4, 999, 0)),
        r"unknown way \(type 999 of ggml\).*Q8_0",
    ),
    "giant shape": (
        header(tensors=1, rest=text(b"t") + struct.pack("<IQQIQ", 2, 2**50, 2**50, 0, 0)),
        "cannot be",
    ),
    "no data": (header(tensors=1, rest=TENSOR), "incomplete"),
}  # fmt: skip


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", BAD)
def test_a_damaged_file_is_refused_at_once(tmp_path, name):
    raw, reason = BAD[name]
    path = tmp_path / "bad.gguf"
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match=reason) as caught:
        check_gguf(path)
    assert str(caught.value).startswith("bad.gguf: ")


def test_long_tokens_that_are_not_added_are_let_be(tmp_path):
    raw = header(tensors=1, keys=2, rest=words([1] * 300) + TENSOR)
    (tmp_path / "x.gguf").write_bytes(raw + bytes(-len(raw) % 32) + bytes(64))
    assert len(check_gguf(tmp_path / "x.gguf")) == 1


def test_a_sound_walk_lists_the_tensors(tmp_path):
    path = tmp_path / "good.gguf"
    raw = header(tensors=1, rest=TENSOR)
    path.write_bytes(raw + bytes(-len(raw) % 32) + bytes(64))
    (tensor,) = check_gguf(path)
    assert (tensor.name, tensor.shape, tensor.kind, tensor.bytes) == ("t", (4, 4), "F32", 64)


def aligned(value, kind="<I", number=4):
    return text(b"general.alignment") + struct.pack("<I", number) + struct.pack(kind, value)


@pytest.mark.parametrize("alignment", [1, 8, 64, 2**21])
def test_tensors_begin_where_the_library_has_them_begin(tmp_path, alignment):
    from gguf import GGUFReader

    raw = header(tensors=1, keys=1, rest=aligned(alignment) + TENSOR)
    (tmp_path / "x.gguf").write_bytes(raw + bytes(-len(raw) % alignment) + bytes(64))
    with by_copy():
        reader = GGUFReader(tmp_path / "x.gguf")
    (tensor,) = check_gguf(tmp_path / "x.gguf")
    assert tensor.begin == reader.tensors[0].data_offset


@pytest.mark.parametrize(
    "key",
    [aligned(0), aligned(48), aligned(2**32 - 1), aligned(32, "<Q", 10), aligned(32.0, "<f", 6)],
)
def test_an_alignment_that_the_library_refuses_is_refused(tmp_path, key):
    from gguf import GGUFReader

    raw = header(tensors=1, keys=1, rest=key + TENSOR)
    (tmp_path / "x.gguf").write_bytes(raw + bytes(-len(raw) % 64) + bytes(1024))
    with by_copy(), pytest.raises(ValueError, match="alignment"):
        GGUFReader(tmp_path / "x.gguf")
    with pytest.raises(CheckpointError, match=r"general\.alignment is .* power of two"):
        check_gguf(tmp_path / "x.gguf")


def placed(*tensors, keys=()):
    """A GGUF file of 4-byte numbers whose tensors lie where they say."""
    raw = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys)
    for name, count, offset in tensors:
        raw += (
            struct.pack("<Q", len(name)) + name.encode() + struct.pack("<IQIQ", 1, count, 0, offset)
        )
    return raw + bytes(-len(raw) % 32) + bytes(1024)


def array(kind, count, raw):
    return struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, kind, count) + raw


LIES = {
    "one place for all": (placed(("a", 64, 0), ("b", 64, 0)), "overlaps"),
    "half over another": (placed(("a", 64, 0), ("b", 32, 128)), "overlaps"),
    "backwards, over another": (placed(("a", 32, 128), ("b", 64, 0)), "overlaps"),
    "two million bytes": (placed(("a", 1, 0), keys=[array(0, 2**21, bytes(2**21))]), "a list of"),
    "booleans": (placed(("a", 1, 0), keys=[array(7, 2**21, bytes(2**21))]), "a list of"),
    "two million numbers": (placed(("a", 1, 0), keys=[array(4, 2**21, bytes(2**23))]), "a list of"),
}


@pytest.mark.parametrize("case", LIES)
def test_what_costs_far_more_than_its_bytes_is_refused(tmp_path, case):
    raw, reason = LIES[case]
    (tmp_path / "x.gguf").write_bytes(raw)
    with pytest.raises(CheckpointError, match=reason):
        check_gguf(tmp_path / "x.gguf")


def test_tensors_that_lie_side_by_side_are_taken(tmp_path):
    (tmp_path / "x.gguf").write_bytes(placed(("a", 32, 128), ("b", 32, 0), ("c", 8, 256)))
    assert [tensor.name for tensor in check_gguf(tmp_path / "x.gguf")] == ["a", "b", "c"]


def test_a_file_is_read_by_copy(tmp_path):
    """One that shrinks while it is mapped takes the process with it."""
    from gguf import GGUFReader

    newer = pytest.importorskip("transformers.integrations.gguf.reader")
    (tmp_path / "x.gguf").write_bytes(placed(("a", 8, 0)))
    with by_copy():
        reader = GGUFReader(tmp_path / "x.gguf")
        also = newer.np.memmap(str(tmp_path / "x.gguf"), mode="r", dtype=np.uint8)
    assert not isinstance(reader.data, np.memmap)
    assert not isinstance(also, np.memmap)
    assert isinstance(GGUFReader(tmp_path / "x.gguf").data, np.memmap)
    (tmp_path / "x.gguf").write_bytes(b"")
    assert reader.tensors[0].data.sum() == 0


def test_reading_is_told_of_and_draws_no_bar(tmp_path, capfd):
    write(tmp_path / "a.gguf", save(tmp_path / "model", "llama"))
    capfd.readouterr()
    said = []
    open_model(tmp_path / "a.gguf", "causal_lm", report=lambda what, share: said.append(share))
    assert [share for share in said if 0 < share < 1]
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore")
def test_layers_that_are_not_counted_are_compared_as_well(tmp_path):
    """Without its count a file has the library's usual one, whose names take it many seconds."""
    path = tmp_path / "x.gguf"
    write(path, MODELS["llama"]())
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"llama.block_count", b"llama.block_counT"))
    with pytest.raises(CheckpointError, match=r"^x\.gguf: num_hidden_layers is 32, and there"):
        open_model(path, "causal_lm")
