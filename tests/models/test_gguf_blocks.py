"""A GGUF file trained on as it lies there answers as the file unpacked does, to the bit."""

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader

from lora_lab.blocks.frozen import FrozenBlocks, FrozenEmbedding, numbers_of
from lora_lab.errors import CheckpointError, ConfigError
from lora_lab.models.gguf_file import by_copy, check_gguf, header_of
from lora_lab.models.hf_folder import open_model
from lora_lab.models.inspect import describe
from tests.models.test_gguf_file import write
from tests.models.tiny import save

pytestmark = pytest.mark.filterwarnings("ignore")  # of the readers' own


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return save(tmp_path_factory.mktemp("source"), "llama")


def packed(path, source, kind):
    write(path, source, kind)
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", [Kind.Q8_0, Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q5_1])
def test_it_answers_as_unpacked(tmp_path, source, kind, dtype):
    path = packed(tmp_path / "x.gguf", source, kind)
    lying = open_model(path, "causal_lm", bits="auto", dtype=dtype)
    unpacked = open_model(path, "causal_lm", bits="float", dtype=dtype)
    ids = torch.arange(2, 14)[None]
    with torch.no_grad():
        assert torch.equal(lying.module(ids).logits, unpacked.module(ids).logits)
    held = {n: m for n, m in lying.module.named_modules() if isinstance(m, FrozenBlocks)}
    assert {type(m).__name__ for m in held.values()} == {"FrozenLinear", "FrozenEmbedding"}
    for name, layer in held.items():  # rows of q and k among them
        wanted = unpacked.module.get_submodule(name).weight
        assert torch.equal(layer.dense(dtype), wanted), name
    assert numbers_of(lying.module) == numbers_of(unpacked.module) == describe(path).parameters
    assert type(lying.module) is type(unpacked.module)
    assert dict(describe(path).details)["matrices in"].startswith(f"{kind.name} × ")


def test_a_tied_head_has_the_very_blocks_of_its_embedding(tmp_path, source):
    path = packed(tmp_path / "x.gguf", source, Kind.Q8_0)
    model = open_model(path, "causal_lm", bits="auto").module
    assert isinstance(model.get_input_embeddings(), FrozenEmbedding)
    assert model.get_output_embeddings().blocks is model.get_input_embeddings().blocks


def test_rows_that_are_no_whole_blocks_come_as_floats(tmp_path, source):
    path = packed(tmp_path / "x.gguf", source, Kind.Q8_0)
    model = open_model(path, "causal_lm", bits="auto").module
    assert type(model.model.layers[0].mlp.down_proj) is torch.nn.Linear  # 48 numbers to a row


def test_a_form_that_is_not_known_is_refused_with_the_way_out(tmp_path, source):
    path = packed(tmp_path / "x.gguf", source, Kind.Q4_0)
    tensor = next(t for t in GGUFReader(path).tensors if t.name == "blk.0.attn_q.weight")
    raw = bytearray(path.read_bytes())
    name = b"blk.0.attn_q.weight"
    at = raw.index(name) + len(name) + 4 + 8 * len(tensor.shape)
    raw[at] = Kind.IQ4_NL.value  # blocks of as many bytes
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"packed as IQ4_NL.*--base-bits float"):
        open_model(path, "causal_lm", bits="auto")
    assert open_model(path, "causal_lm", bits="float").module is not None


def test_a_file_that_is_packed_is_not_packed_anew(tmp_path, source):
    path = packed(tmp_path / "x.gguf", source, Kind.Q8_0)
    with pytest.raises(ConfigError, match="round it twice"):
        open_model(path, "causal_lm", bits="4")


def test_of_names_and_settings_the_header_alone_is_read(tmp_path, source):
    path = packed(tmp_path / "x.gguf", source, Kind.Q8_0)
    header = header_of(check_gguf(path))
    with by_copy(header):
        fields, data = GGUFReader(path).fields, GGUFReader(path).data
    with by_copy():
        whole = GGUFReader(path)
    assert fields.keys() == whole.fields.keys()
    assert not data[header:].any()
    assert whole.data[header:].any()


def test_where_a_tensor_begins_is_where_the_library_reads_it(tmp_path, source):
    path = packed(tmp_path / "x.gguf", source, Kind.Q5_1)
    theirs = {t.name: t.data_offset for t in GGUFReader(path).tensors}
    assert {t.name: t.begin for t in check_gguf(path)} == theirs


def test_infinite_scales_are_refused(tmp_path, source):
    path = packed(tmp_path / "x.gguf", source, Kind.Q8_0)
    begin = next(t.begin for t in check_gguf(path) if t.name == "blk.1.ffn_up.weight")
    raw = bytearray(path.read_bytes())
    raw[begin : begin + 2] = np.float16(np.inf).tobytes()
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        open_model(path, "causal_lm", bits="auto")
