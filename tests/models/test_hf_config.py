"""A config that would run code, or that cannot be, is refused before anything is built of it."""

import json

import pytest

from lora_lab.errors import CheckpointError
from lora_lab.models.hf_config import LARGEST, check_counts, check_sizes, read_config

GOOD = {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 100}
BAD = {
    "auto_map": ({"auto_map": {"AutoModel": "theirs.Model"}}, "asks for code"),
    "nested auto_map": ({"text_config": {"auto_map": {"A": "b"}}}, "asks for code"),
    "remote code": ({"trust_remote_code": True}, "asks for code"),
    "classes that are none": ({"architectures": True}, "where a list of names belongs"),
    "a class alone": ({"architectures": "LlamaForCausalLM"}, "where a list of names belongs"),
    "numbers as classes": ({"architectures": [1]}, "where a list of names belongs"),
    "internal": ({"_attn_implementation_internal": "kernels-x/evil"}, "could load code"),
    "kernel": ({"attn_kernel": "someone/evil"}, "could load code"),
    "kernel by name": ({"attn_implementation": "evil/kernel:fn"}, "fetched and run"),
    "kernel by name, private": ({"_attn_implementation": "owner/k@rev:fn"}, "fetched and run"),
    "kernel by part": ({"attn_implementation": {"": "evil/k2"}}, "fetched and run"),
    "kernel by part of part": (
        {"text_config": {"_attn_implementation": {"a": {"b": "e/k"}}}},
        "fetched and run",
    ),
    "kernel of the community": (
        {"attn_implementation": "kernels-community/flash-attn2"},
        "fetched and run",
    ),
    "flash attention, which is fetched": (
        {"attn_implementation": "flash_attention_2"},
        "fetched and run",
    ),
    "paged kernel": ({"attn_implementation": "paged|evil/k"}, "fetched and run"),
    "experts by name": ({"experts_implementation": "evil/k"}, "fetched and run"),
    "list of ways": ({"attn_implementation": ["evil/k"]}, "fetched and run"),
    "table of kernels": ({"kernel_config": {"RMSNorm": "evil/k"}}, "could load code"),
    "unknown kind": ({"model_type": "no_such_kind"}, "none that this transformers knows"),
    "kind that is no word": ({"model_type": 7}, "no model_type"),
    "giant": ({"hidden_size": 10**12}, "cannot be"),
    "giant nested": ({"vision_config": {"width": 10**12}}, "cannot be"),
    "too deep": ({"num_hidden_layers": 10**6}, "cannot be"),
    "text for a number": ({"hidden_size": "32"}, "whole number"),
    "negative": ({"num_hidden_layers": -1}, "whole number"),
    "zero": ({"vocab_size": 0}, "whole number"),
    "true for a number": ({"hidden_size": True}, "whole number"),
    "infinite size": ({"hidden_size": {"__float__": "Infinity"}}, "cannot be"),
    "infinite depth": ({"num_hidden_layers": float("inf")}, "cannot be"),
    "no number": ({"time_step_limit": {"__float__": "NaN"}}, "cannot be"),
    "zero in a list": ({"num_attention_heads": [1, 0]}, "whole number"),
    "words in a list": ({"hidden_size": ["a"]}, "whole number"),
    "an empty list": ({"hidden_size": []}, "whole number"),
    "a list of many layers": ({"num_attention_heads": [1] * 3000}, "cannot be"),
    "giant in a list": ({"hidden_sizes": [8, 10**12]}, "cannot be"),
    "a vocabulary beyond all": ({"ngram_vocab_size": 10**12}, "cannot be"),
    "squares": (
        {"use_tpu_fourier_optimizations": True, "tpu_short_seq_length": 16_000},
        "up to 2,048",
    ),
    "squares nested": (
        {"text_config": {"use_tpu_fourier_optimizations": 1, "hidden_size": 16_000}},
        "up to 2,048",
    ),
    "kernel of a stranger": ({"step_kernel": "someone/evil:main"}, "could load code"),
    "quantized": ({"quantization_config": {"bits": 4}}, "quantized"),
}
RAW = {
    "no JSON": b"{", "a list": b"[]", "not a number": b'{"model_type": NaN}',
    "doubled": b'{"model_type": "llama", "model_type": "gpt2"}', "bytes": b"\xff\xfe{}",
    "deep": b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "empty": b"",
}  # fmt: skip


def write(folder, raw):
    (folder / "config.json").write_bytes(
        raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    )
    return folder


def test_a_sound_config_is_read(tmp_path):
    assert read_config(write(tmp_path, GOOD)) == GOOD
    off = {**GOOD, "trust_remote_code": False, "auto_map": None, "bos_token_id": 10**9,
           "attn_implementation": "sdpa", "_attn_implementation": None, "kernel_size": 3,
           "_attn_implementation_autoset": True, "use_mamba_kernels": True}  # fmt: skip
    assert read_config(write(tmp_path, off)) == off


LEGAL = {
    "infinity as transformers 5 writes it": (
        {"time_step_limit": [0.0, {"__float__": "Infinity"}]},
        {"time_step_limit": [0.0, float("inf")]},
    ),
    "a list for each stage": ({"num_attention_heads": [1, 2, 4], "hidden_size": [8, 16]}, None),
    "a base of angles": ({"rope_theta": 50_000_000, "rope_scaling": {"rope_theta": 10**9}}, None),
    "a kernel of transformers": (
        {"autocast_kernel_dtype": "bfloat16", "step_kernel": "native", "conv_kernel": 4}, None,
    ),
    "n-grams": ({"ngram_vocab_size": 20_000_000}, None),
    "texts inside": ({"text_config": {"hidden_size": 32, "vocab_size": 100}}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", LEGAL)
def test_what_transformers_own_configs_say_is_legal(tmp_path, name):
    values, read = LEGAL[name]
    assert read_config(write(tmp_path, {**GOOD, **values})) == {**GOOD, **(read or values)}


def test_a_bare_infinity_of_older_files_is_read(tmp_path):
    raw = b'{"model_type": "mamba2", "time_step_limit": [0.0, Infinity]}'
    assert read_config(write(tmp_path, raw))["time_step_limit"] == [0.0, float("inf")]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_refused(tmp_path, name):
    values, reason = BAD[name]
    with pytest.raises(CheckpointError, match=reason) as caught:
        read_config(write(tmp_path, {**GOOD, **values}))
    assert str(caught.value).startswith("config.json: ")


@pytest.mark.parametrize("name", RAW)
def test_a_bad_file_is_refused(tmp_path, name):
    with pytest.raises(CheckpointError, match=r"config\.json: ") as caught:
        read_config(write(tmp_path, RAW[name]))
    assert len(str(caught.value)) < 250


def test_a_file_of_a_hundred_megabytes_is_not_read(tmp_path):
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(100 * LARGEST)
    with pytest.raises(CheckpointError, match="too many"):
        read_config(tmp_path)


def test_a_place_without_a_config_says_what_to_choose(tmp_path):
    with pytest.raises(CheckpointError, match="no such folder"):
        read_config(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        read_config(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="is a file"):
        read_config(tmp_path / "file")


def test_sizes_are_held_against_the_weights():
    shapes = [(100, 32), (96, 32), (32,)]
    check_sizes({"vocab_size": 100, "hidden_size": 32, "intermediate_size": 96}, shapes)
    with pytest.raises(CheckpointError, match="hidden_size is 64"):
        check_sizes({"hidden_size": 64}, [(100, 33)])


def test_layers_are_counted_against_the_tensors():
    check_counts({"num_hidden_layers": 12, "num_hidden_groups": 1}, 25, "config.json")
    for values in ({"num_hidden_layers": 2000}, {"text_config": {"num_layers": 2000}},
                   {"inner_group_num": 10**5}, {"num_hidden_groups": 10**6}):  # fmt: skip
        with pytest.raises(CheckpointError, match="there are 25 tensors"):
            check_counts(values, 25, "config.json")
