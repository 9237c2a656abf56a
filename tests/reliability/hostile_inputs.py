"""Inputs that once froze, filled or ended the lab, each made by a few lines, with who opens it.

Every kind stands with what was found first and with its nearest kin.
"""

from __future__ import annotations

import gzip
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import parquet
from safetensors.torch import load_file, save_file

from lora_lab.folders import remove_folder
from tests.models.tiny import save
from tests.reliability.hostile_tokenizers import tokenizers


class Hostile(NamedTuple):
    """One input: what writes it to a path, what opens it, and what the refusal says."""

    write: Callable[[Path], Any]
    open: Callable[[Path], Any]
    words: str  # a regular expression; "" where it is opened after all
    needs: str = ""  # a library without which nothing is opened


# -- who opens ---------------------------------------------------------------------------------


def state(path: Path) -> Any:
    from lora_lab.models.checkpoint import read_state

    return read_state(path)


def looked_at(path: Path) -> Any:
    from lora_lab.models.inspect import describe

    return describe(path)


def model(path: Path) -> Any:
    from lora_lab.models.hf_folder import open_model

    return open_model(path, "causal_lm")


def classifier(path: Path) -> Any:
    from lora_lab.models.hf_folder import open_model

    return open_model(path, "sequence_classification", classes=("a", "b"))


def words(path: Path) -> Any:
    from lora_lab.models.tokenizer_file import open_tokenizer

    return open_tokenizer(path)


def rows(path: Path) -> Any:
    from lora_lab.data.rows import read_table

    return read_table(path)


def chats(path: Path) -> Any:
    from tests.reliability.fuzz_data_forms import read_rows

    return read_rows(path)


def predicted(path: Path, task: str = "text_classification") -> Any:
    from lora_lab.data.mapping import map_columns

    return map_columns(rows(path), task)


def scored(path: Path) -> Any:
    return predicted(path, "regression")


def tagged(path: Path) -> Any:
    return predicted(path, "multi_label")


def matrix(path: Path) -> Any:
    from lora_lab.data.matrix import read_matrix

    return read_matrix(path)


def digits(path: Path) -> Any:
    from lora_lab.data.idx import read_images

    return read_images(path)


def picture(path: Path) -> Any:
    from lora_lab.data.images import Wanted, read_image

    return read_image(path, Wanted((28, 28), 3))


def adapter(path: Path) -> Any:
    from lora_lab.formats.recognise import open_adapter

    return open_adapter(path)


def run_zip(path: Path) -> Any:
    from lora_lab.runs.archive import unpack

    return unpack(path, path.parent / "runs")


def chat(path: Path) -> Any:
    from lora_lab.data.chat import read_chat
    from lora_lab.data.chat_template import ChatTemplate

    said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    return ChatTemplate(words(path)).examples(read_chat(said, None, ""))


# -- who writes --------------------------------------------------------------------------------


def gguf(pairs: bytes, keys: int, tensors: list[tuple[str, int]] | None = None) -> bytes:
    """Keys and values as they are, and float32 matrices of 64 × 64 at these offsets."""
    places = [("a", 0)] if tensors is None else tensors
    raw = b"GGUF" + struct.pack("<IQQ", 3, len(places), keys) + pairs
    for name, offset in places:
        raw += text(name) + struct.pack("<IQQIQ", 2, 64, 64, 0, offset)
    return raw + bytes(-len(raw) % 32) + bytes(64 * 64 * 4)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def array(kind: int, count: int, values: bytes) -> bytes:
    return text("x") + struct.pack("<IIQ", 9, kind, count) + values


def many_words() -> bytes:
    return gguf(array(8, 300_000, text("a word") * 300_000), 1)


def llama(folder: Path, **config: Any) -> None:
    """A tiny model whose config says something else in part."""
    save(folder, "llama", chat=True)
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**told, **config}))


def bert(folder: Path, **config: Any) -> None:
    save(folder, "bert", chat=True)
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**told, **config}))


def templated(folder: Path, template: str) -> None:
    llama(folder)
    (folder / "chat_template.jinja").write_text(template)


def file_of(folder: Path, name: str, how: Callable[[Path], Any]) -> None:
    """A model's folder in which one file is something else."""
    llama(folder)
    (folder / name).unlink(missing_ok=True)
    how(folder / name)


def peft(folder: Path, count: int = 300, **settings: Any) -> None:
    import torch

    folder.mkdir()
    factors = {f"base_model.model.layers.{n}.q.lora_{k}.weight": torch.ones(4, 4)
               for n in range(count) for k in "AB"}  # fmt: skip
    save_file(factors, str(folder / "adapter_model.safetensors"))
    told = {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "target_modules": ["q"], **settings}
    (folder / "adapter_config.json").write_text(json.dumps(told))


def overlapping(path: Path) -> None:
    """A run's zip whose members are all the same bytes: 40 names for one of 4 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run/0", bytes(4 * 2**20))
    raw = path.read_bytes()
    place = raw.index(b"PK\x01\x02")
    local, entry = raw[:place], raw[place : raw.index(b"PK\x05\x06")]
    central = b"".join(entry[:-1] + b"%c" % (48 + n) for n in range(40))
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 40, 40, len(central), place, 0)
    path.write_bytes(local + central + end)


def to_bytes(data: bytes | Callable[[], bytes]) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(data() if callable(data) else data)


def zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def many_values(path: Path) -> None:
    parquet.write_table(pa.table({"text": pa.array(["a word"] * 3_000_000)}), path)


def idx(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(struct.pack(">IIII", 0x803, 400, 1000, 1000))
        for _ in range(400):
            file.write(bytes(10**6))


def claims_gigabytes(path: Path) -> None:
    path.write_bytes(struct.pack(">IIII", 0x803, 4000, 1000, 1000))


def twice(folder: Path) -> None:
    """Weights of a model, all there, under a config of two thousand layers."""
    llama(folder, num_hidden_layers=2000)
    whole = load_file(str(folder / "model.safetensors"))
    save_file(whole, str(folder / "model.safetensors"), {"format": "pt"})


def nested_array(deep: int) -> bytes:
    return b'{"text": ' + b"[" * deep + b"]" * deep + b"}\n"


def splits(folder: Path, said: bytes, size: int = 0) -> None:
    """A data set that was saved with splits, by what it says they are."""
    folder.mkdir()
    with (folder / "dataset_dict.json").open("wb") as file:
        file.write(said)
        file.truncate(max(len(said), size))


def beside(path: Path, said: bytes) -> None:
    """An Arrow file of one row, with what `datasets` keeps beside it."""
    table = pa.table({"text": ["a"]}).replace_schema_metadata({b"huggingface": said})
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)


def hidden(path: Path) -> None:
    """Two kilobytes of one text that 250 rows say, under a name of its own."""
    said = pa.DictionaryArray.from_arrays(pa.array([0] * 250, pa.int8()), ["x" * 10**6])
    column = pa.ExtensionArray.from_storage(pa.opaque(said.type, "a", "b"), said)
    table = pa.table({"text": ["a"] * 250, "x": column})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(str(path), table.schema, options=options) as file:
        file.write_table(table)


def one_by_one(path: Path) -> None:
    """Rows that come one by one, beside 14 megabytes that say nothing of them."""
    table = pa.table({"text": ["a"] * 5000}).replace_schema_metadata({"x": "y" * 14_000_000})
    with pa.ipc.new_stream(str(path), table.schema) as file:
        file.write_table(table, max_chunksize=1)


def wide(columns: int, rows: int, name: str = "x", cell: str = "1") -> Callable[[Path], Any]:
    """A text, and so many columns that may all be what is to be predicted."""

    def write(path: Path) -> None:
        names = (f"{name}{'' if not n and name == 'label' else n}" for n in range(columns))
        with path.open("w") as file:
            print("text", *names, sep=",", file=file)
            for row in range(rows):
                values = (cell.format(row * columns + n) for n in range(columns))
                print("some words of a text", *values, sep=",", file=file)

    return write


def cell(text: str) -> Callable[[Path], Any]:
    """A chat whose messages are this text."""
    return to_bytes(lambda: json.dumps({"messages": text}).encode() + b"\n")


LOOPS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


def hostile() -> dict[str, Hostile]:
    """Every input by its name."""
    from tests.data.test_image_file import black, many_scans, png
    from tests.models.test_torch_pickle import HOSTILE, archive, called, nested
    from tests.reliability.hostile_runs import hostile_runs
    from tests.reliability.hostile_weights import hostile_weights

    found = {
        "tuples.pt": Hostile(lambda p: archive(p, nested(40)), state, "named tensors"),
        "tensor of no bytes.pt": Hostile(
            lambda p: archive(p, called(b"torch\nTensor", 10**9)), state, "call torch.Tensor"
        ),
        **{f"{name}.pt": Hostile(lambda p, name=name: archive(p, HOSTILE[name]), state, ".")
           for name in ("sets of one list", "UTF-32", "punycode", "a table of a table")},
        "bytes.gguf": Hostile(to_bytes(lambda: gguf(array(0, 2 * 10**6, bytes(2 * 10**6)), 1)),
                              looked_at, "list of 2,000,000 values"),
        "words.gguf": Hostile(to_bytes(many_words), looked_at, ""),
        "words.gguf as a tokenizer": Hostile(to_bytes(many_words), words, "."),
        "a long word.gguf": Hostile(
            to_bytes(lambda: gguf(array(8, 2, text("a" * 2**19) * 2), 1)), words, "524,288 bytes"),
        "overlap.gguf": Hostile(
            to_bytes(lambda: gguf(b"", 0, [(f"blk.{n}.a", 0) for n in range(2000)])), looked_at,
            "overlaps another one"),
        "layers": Hostile(lambda p: llama(p, num_hidden_layers=2000), model, "num_hidden_layers"),
        "layers beside weights": Hostile(twice, model, "num_hidden_layers"),
        "positions": Hostile(lambda p: bert(p, max_position_embeddings=3 * 10**7), classifier,
                             "different models|cannot be"),
        "labels": Hostile(lambda p: bert(p, num_labels=2**24), classifier, "num_labels"),
        "types": Hostile(lambda p: bert(p, type_vocab_size=2**24), classifier,
                         "different models|cannot be"),
        "experts": Hostile(lambda p: llama(p, model_type="mixtral", num_local_experts=10**6,
                                           architectures=["MixtralForCausalLM"]), model, "."),
        "heads": Hostile(lambda p: llama(p, num_attention_heads=2000), model, "."),
        "names of labels": Hostile(
            lambda p: llama(p, id2label={str(n): "x" for n in range(60_000)}), model, ""),
        "loops of a template": Hostile(lambda p: templated(p, LOOPS), chat, "takes over 1 s"),
        "stars of a template": Hostile(
            lambda p: templated(p, "{{ '%*d' % (10**9, 1) }}"), chat, "."),
        "indent of a template": Hostile(
            lambda p: templated(p, "{{ messages|tojson(indent=10**9) }}"), chat, "."),
        "addresses of a template": Hostile(
            lambda p: templated(p, "{{ ('www.a' * 10**6)|urlize }}"), chat, "."),
        "tags of a template": Hostile(
            lambda p: templated(p, "{{ ('<!-- ' * 10**6)|striptags }}"), chat, "."),
        "lorem of a template": Hostile(
            lambda p: templated(p, "{{ lipsum(10**9) }}"), chat, "."),
        "sorted in a template": Hostile(
            lambda p: templated(p, "{{ ('ab' * 10**6)|list|sort|length }}"), chat, "."),
        "blanks.csv": Hostile(to_bytes(b"1" + b" " * 7_000_000 + b"2/3"), matrix, ""),
        "brackets.csv": Hostile(to_bytes(b"[" * 7_000_000), matrix, "no number"),
        "rows.csv": Hostile(to_bytes(b"1\n" * 3_900_000), matrix, "too large for the bench"),
        "a number.csv": Hostile(to_bytes(b"1" * 7_000_000), matrix, "is not a number"),
        "run lengths.parquet": Hostile(many_values, rows, "rows in"),
        "digits.gz": Hostile(idx, digits, "more than it holds"),
        "digits of nothing": Hostile(claims_gigabytes, digits, "more than it holds"),
        "100 MP.png": Hostile(to_bytes(lambda: black(10_000, 10_000)), picture, "pixels in"),
        "a thin one.png": Hostile(to_bytes(lambda: png(1, 10**8)), picture, "too many"),
        "scans.jpg": Hostile(to_bytes(many_scans), picture, "goes over its picture"),
        "100 MP.png on the bench": Hostile(to_bytes(lambda: black(10_000, 10_000)), matrix,
                                           "pixels in"),
        "overlap.zip": Hostile(overlapping, run_zip, "."),
        "dots and stars": Hostile(lambda p: peft(p, rank_pattern={".*" * 2000 + "z": 8}), adapter,
                                  ""),
        "dots and stars to target": Hostile(lambda p: peft(p, target_modules=".*" * 2000 + "z"),
                                            adapter, ""),
        "fewer dots and stars": Hostile(
            lambda p: peft(p, rank_pattern={".*" * 600 + f"z{n}": 8 for n in range(300)}), adapter,
            ""),
        "dots and stars of alphas": Hostile(
            lambda p: peft(p, alpha_pattern={".*" * 600 + f"z{n}": 8 for n in range(300)}), adapter,
            "too long to be followed"),
        "20,000 patterns": Hostile(
            lambda p: peft(p, rank_pattern={f"(a|b){n}": 8 for n in range(20_000)}), adapter, ""),
        "many targets beside parameters": Hostile(
            lambda p: peft(p, 3000, target_modules=["q", *(f"m{n}" for n in range(50_000))],
                           target_parameters=["z.y"]), adapter, ""),
        "targets": Hostile(lambda p: peft(p, target_modules="(a+)+$"), adapter, "."),
        "excluded": Hostile(lambda p: peft(p, exclude_modules="(.*)*z"), adapter, ""),
        "wide, classes.csv": Hostile(wide(4000, 30), predicted, "which column is the label"),
        "wide, scores.csv": Hostile(wide(4000, 30), scored, "which column is the score"),
        "wide, several.csv": Hostile(wide(4000, 30), tagged, "which column is the labels"),
        "wide with a label.csv": Hostile(wide(2000, 30, "label", "[1]"), scored,
                                         "which column is the score"),
        "wide with other values.csv": Hostile(wide(1000, 600, cell="{}"), predicted,
                                              "which column is the label"),
        "labels in a cell.jsonl": Hostile(
            to_bytes(lambda: json.dumps({"text": "a", "labels": ",".join(map(str, range(10**6)))})
                     .encode() + b"\n"), tagged, "which column is the labels"),
        "deep.jsonl": Hostile(to_bytes(nested_array(10**6)), rows, "nested|not valid|deep"),
        "lists.jsonl": Hostile(
            to_bytes(lambda: b'{"text": "a", "x": [' + b"[]," * 4_000_000 + b"[]]}"), rows,
            "over 2,097,152 values"),
        "lists in a cell.jsonl": Hostile(cell('[{"a": [' + "[]," * 4_000_000 + "[]]}]"), chats,
                                         "over 2,097,152 values"),
        "a list of Python.jsonl": Hostile(cell("[{'a': [" + "1," * 2_000_000 + "'']}]"), chats,
                                          "write it as JSON"),
        "splits nested in a folder": Hostile(lambda p: splits(p, b"[" * 200_000), rows,
                                             "dataset_dict.json"),
        "splits of gigabytes in a folder": Hostile(lambda p: splits(p, b"{}", 2**32), rows,
                                                   "too long for a list of splits"),
        "a million splits in a folder": Hostile(
            lambda p: splits(p, json.dumps({"splits": ["x"] * 10**6}).encode()), rows, "too long"),
        "classes nested.arrow": Hostile(lambda p: beside(p, b"[" * 200_000), rows, ""),
        "hidden.arrow": Hostile(hidden, rows, "over 200 times"),
        "one by one.arrow": Hostile(one_by_one, rows, ""),
        "one line.jsonl": Hostile(to_bytes(b'{"text": "' + b"a" * 2**26), rows, "."),
        "letters.jsonl.gz": Hostile(
            to_bytes(lambda: gzip.compress(b'{"text": "' + bytes(2**27) + b'"}')), rows, "."),
    }  # fmt: skip
    found |= hostile_weights()
    found |= {name: Hostile(how, words, said) for name, (how, said) in tokenizers().items()}
    if os.name == "posix":
        found |= special()
    return found | hostile_runs()


def special() -> dict[str, Hostile]:
    """Pipes, which block, and devices, which never end, in the place of files."""
    ways = {"pipe": os.mkfifo, "endless": zero}
    doors = {"state.pt": state, "model.safetensors": looked_at, "model.gguf": looked_at,
             "rows.jsonl": rows, "rows.parquet": rows, "matrix.npy": matrix, "matrix.csv": matrix,
             "a.png": picture, "digits": digits, "run.zip": run_zip, "kohya.safetensors": adapter,
             "adapter.gguf": adapter, "adapter.pt": adapter}  # fmt: skip
    inside = {"config.json": (model, looked_at, words), "model.safetensors": (model, looked_at),
              "generation_config.json": (model,), "tokenizer.json": (words,),
              "tokenizer_config.json": (words,), "chat_template.jinja": (words,),
              "preprocessor_config.json": (words,)}  # fmt: skip
    found = {}
    for way, how in ways.items():
        for name, door in doors.items():
            found[f"{way}: {name}"] = Hostile(how, door, ".")
        for name, readers in inside.items():
            for reader in readers:
                found[f"{way}: {name} in a folder, {reader.__name__}"] = Hostile(
                    lambda p, name=name, how=how: file_of(p, name, how), reader, "."
                )
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            found[f"{way}: {name} in a folder"] = Hostile(
                lambda p, name=name, how=how: in_adapter(p, name, how), adapter, "."
            )
    return found


def in_adapter(folder: Path, name: str, how: Callable[[Path], Any]) -> None:
    peft(folder)
    (folder / name).unlink()
    how(folder / name)


def place_of(name: str, folder: Path) -> Path:
    """Where an input of this name is written."""
    if folder.exists():
        remove_folder(folder)
    folder.mkdir(parents=True)
    plain = name.rpartition(": ")[2].partition(" as ")[0].partition(" on ")[0]
    return folder / ("folder" if " in a folder" in plain else plain.replace(" ", "-"))
