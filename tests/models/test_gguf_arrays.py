"""Lists of a GGUF file are what the library reads, in a fraction of its time."""

import time

import numpy as np
import pytest
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from lora_lab.models.gguf_file import by_copy, check_gguf

LISTS = {
    "words": (GGUFValueType.STRING, ["a", "", "straße", "日本", "<b>"]),
    "bytes": (GGUFValueType.UINT8, [0, 7, 255]),
    "signed": (GGUFValueType.INT8, [-128, 0, 127]),
    "short": (GGUFValueType.INT16, [-(2**15), 1]),
    "unsigned": (GGUFValueType.UINT32, [2**32 - 1, 0, 0]),
    "whole": (GGUFValueType.INT32, [-1, 2, 2]),
    "long": (GGUFValueType.UINT64, [2**64 - 1]),
    "half the way": (GGUFValueType.FLOAT32, [0.5, -1.25, float("inf")]),
    "exact": (GGUFValueType.FLOAT64, [0.1, 1e300]),
    "flags": (GGUFValueType.BOOL, [True, False]),
}


def write(path, lists):
    writer = GGUFWriter(path, "llama")
    writer.add_name("x")
    for name, (kind, values) in lists.items():
        writer.add_key_value(name, values, GGUFValueType.ARRAY, sub_type=kind)
    writer.add_tensor("a", np.ones((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return str(path)


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_is_what_the_library_reads(tmp_path, kind):
    path = write(tmp_path / "x.gguf", {kind: LISTS[kind], "behind it": LISTS["whole"]})
    theirs = GGUFReader(path)
    with by_copy():
        ours = GGUFReader(path)
    assert list(ours.fields) == list(theirs.fields)
    for name, field in theirs.fields.items():
        assert ours.fields[name].contents() == field.contents()
        assert ours.fields[name].types == field.types
    assert ours.fields[kind].contents() == LISTS[kind][1]
    assert (ours.tensors[0].data == 1).all()


def test_transformers_makes_the_same_of_it(tmp_path):
    from transformers.integrations.ggml import _gguf_parse_value

    path = write(tmp_path / "x.gguf", LISTS)
    theirs = GGUFReader(path)
    with by_copy():
        ours = GGUFReader(path)

    def parsed(field):
        return [_gguf_parse_value(field.parts[place], field.types) for place in field.data]

    for name in LISTS:
        assert parsed(ours.fields[name]) == parsed(theirs.fields[name])


def test_a_large_vocabulary_takes_a_moment(tmp_path):
    words = (GGUFValueType.STRING, [f"word {n}" for n in range(200_000)])
    path = write(tmp_path / "x.gguf", {"words": words})
    began = time.process_time()
    check_gguf(tmp_path / "x.gguf")
    with by_copy():
        assert GGUFReader(path).fields["words"].contents() == words[1]
    assert time.process_time() - began < 2.5  # 15 s as the library reads it
