"""Whole files of every form that the lab reads, and who reads each: what a fuzz campaign breaks."""

from __future__ import annotations

import csv
import io
import json
import shutil
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from PIL import Image


@dataclass(frozen=True)
class Form:
    """One form of files: a whole one, and who reads it."""

    name: str  # of the file
    seed: Callable[[], bytes]
    read: Callable[[Path], Any]
    spell: Callable[[Any], bytes] | None = None  # a table as a whole file, where it has one in it
    table: Callable[[], Any] | None = None
    words: tuple[str, ...] = ()  # that may stand in such a table, beside any junk


def spelled(table: Any) -> bytes:
    return json.dumps(table).encode("utf-8", "surrogatepass")


def lines(table: Any) -> bytes:
    return b"".join(spelled(row) + b"\n" for row in (table if isinstance(table, list) else [table]))


@cache
def _run() -> Path:
    from tests.runs.sample_run import write_sample

    return write_sample(Path(tempfile.mkdtemp()))


def in_run(name: str, read: Callable[[Path], Any], many: bool = False) -> Form:
    """A file of a run's folder, which is read where all others are whole."""
    path = _run() / name

    def table() -> Any:
        if many:
            return [json.loads(line) for line in path.read_text().splitlines()]
        return json.loads(path.read_text())

    def within(broken: Path) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(shutil.copytree(_run(), Path(folder) / "run"))
            shutil.copy(broken, run / name)
            return read(run)

    return Form(name, path.read_bytes, within, lines if many else spelled, table)


def checkpoint() -> Form:
    """State and manifest agree always: what is fuzzed is what the state says."""
    from lora_lab.runs.checkpoints import read_checkpoint, write_checkpoint
    from lora_lab.training.experiment import Experiment
    from lora_lab.training.saving.state import restore
    from tests.training.saving.test_state import config_of, losses

    experiment = Experiment.build(config_of(eval_steps=2))
    _, (tensors, facts) = losses(experiment, {3: {"rank": 6}}, stop=6)
    fresh = Experiment.build(config_of(eval_steps=2))

    def read(path: Path) -> Any:
        try:
            told = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return None  # bytes are another form's: here what is said is broken
        told = told if isinstance(told, dict) else {}
        with tempfile.TemporaryDirectory() as folder:
            found = read_checkpoint(write_checkpoint(Path(folder), 6, tensors, told))
        return restore(fresh, found.tensors, found.facts)

    plain = json.loads(json.dumps(facts))
    return Form("facts.json", lambda: spelled(plain), read, spelled, lambda: plain)


def picture(kind: str) -> Callable[[], bytes]:
    def made() -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(buffer, kind)
        return buffer.getvalue()

    return made


def archived() -> bytes:
    buffer = io.BytesIO()
    torch.save({"a.weight": torch.ones(3, 2), "a.bias": torch.zeros(3)}, buffer)
    return buffer.getvalue()


def compressed() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{"a.weight": np.ones((3, 2), np.float32)})
    return buffer.getvalue()


def gguf() -> bytes:
    raw = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    raw += struct.pack("<Q", 20) + b"general.architecture" + struct.pack("<IQ", 8, 5) + b"llama"
    raw += struct.pack("<Q", 1) + b"a" + struct.pack("<IQQIQ", 2, 4, 4, 0, 0)
    return raw + bytes(-len(raw) % 32) + bytes(64)


def packed() -> bytes:
    from lora_lab.runs.archive import pack

    with tempfile.TemporaryDirectory() as folder:
        return pack(_run(), Path(folder) / "run.zip").read_bytes()


def unpacked(path: Path) -> Any:
    from lora_lab.runs.archive import unpack

    with tempfile.TemporaryDirectory() as folder:
        return unpack(path, Path(folder))


def config(path: Path) -> Any:
    from lora_lab.models.hf_config import read_config

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / "config.json")
        return read_config(folder)


def header(table: Any) -> bytes:
    """A safetensors file that says what is in `table`."""
    text = spelled(table)
    return struct.pack("<Q", len(text)) + text + bytes(512)


def table_of(data: bytes) -> Any:
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def of_header(name: str, read: Callable[[Path], Any], data: bytes) -> Form:
    """A file whose tensors are whole, and whose table says something else."""
    return Form(name, lambda: data, read, header, lambda: table_of(data))


def comma_separated(table: Any) -> bytes:
    text = io.StringIO()
    rows = table if isinstance(table, list) else [table]
    csv.writer(text).writerows(row if isinstance(row, list) else [row] for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


# Pieces of chat templates, some of which never end, fill the memory, or look where they may not.
PIECES = (
    "{% for m in messages %}", "{{ m.content }}", "{{ m['role'] }}", "{% endfor %}", "{% if m %}",
    "{% endif %}", "{{ 1 / 0 }}", "{{ 'a' * 10 ** 9 }}", "{{ range(10 ** 9) | list }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{{ messages.__class__.__mro__ }}", "{% macro x() %}{{ x() }}{% endmacro %}{{ x() }}",
    "{{ raise_exception('\x1b[2J') }}", "{{ 'x' | center(10 ** 9) }}", "{{ '%999999999d' % 1 }}",
    "{% generation %}", "{% endgeneration %}", "{% set m = messages[9] %}", "{{ eos_token }}",
    "{{ strftime_now('%Y') }}", "{{ tools | tojson }}", "{% include 'x' %}", "{{ m.content.x.y }}",
)  # fmt: skip


@cache
def _model(chat: bool = True) -> Path:
    from tests.models.tiny import save

    folder = Path(tempfile.mkdtemp()) / "model"
    save(folder, "llama", chat=chat)
    return folder


def read_rows(path: Path) -> Any:
    """As a run of a language model has its data read."""
    from lora_lab.presets import starting_config
    from lora_lab.tasks.causal_lm import CausalLmTask

    config = starting_config("causal_lm", model=str(_model()), data=str(path), max_length=64)
    return CausalLmTask.open(config).data


def of_tokenizer(path: Path) -> Any:
    """A model's folder with another file of its tokenizer, and chats that are read by it."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(shutil.copytree(_model(), Path(folder) / "model"))
        shutil.copy(path, model / path.name)
        from lora_lab.presets import starting_config
        from lora_lab.tasks.causal_lm import CausalLmTask

        data = Path(folder) / "chats.jsonl"
        data.write_bytes(lines(CHATS))
        config = starting_config("causal_lm", model=str(model), data=str(data), max_length=64)
        return CausalLmTask.open(config).data


def templated(table: Any) -> bytes:
    """tokenizer_config.json with a template of pieces."""
    pieces = table if isinstance(table, list) else [table]
    settings = json.loads((_model() / "tokenizer_config.json").read_text())
    return spelled({**settings, "chat_template": "".join(map(str, pieces))})


TURNS = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "the cat sat"}]
CHATS = [{"messages": TURNS}, {"messages": TURNS * 2}, {"messages": TURNS * 3}]


def texts() -> dict[str, Form]:
    """What data and tokenizers are written in."""
    rows = [{"text": f"the cat sat {i}"} for i in range(4)]
    cells = [["text", "n"], *([row["text"], str(i)] for i, row in enumerate(rows))]
    pieces = ["{% for m in messages %}", "{{ m.role }}: ", "{{ m.content }}", "{{ eos_token }}",
              "{% endfor %}"]  # fmt: skip

    def parquet() -> bytes:
        import pyarrow
        from pyarrow.parquet import write_table

        buffer = io.BytesIO()
        write_table(pyarrow.Table.from_pylist(rows), buffer)
        return buffer.getvalue()

    def beside(name: str) -> Form:
        def table() -> Any:
            return json.loads((_model() / name).read_text())

        return Form(name, lambda: spelled(table()), of_tokenizer, spelled, table)

    return {
        "rows": Form("x.jsonl", lambda: lines(rows), read_rows, lines, lambda: rows),
        "list of rows": Form("x.json", lambda: spelled(rows), read_rows, spelled, lambda: rows),
        "csv": Form("x.csv", lambda: comma_separated(cells), read_rows, comma_separated,
                    lambda: cells),
        "chats": Form("x.jsonl", lambda: lines(CHATS), read_rows, lines, lambda: CHATS),
        "parquet": Form("x.parquet", parquet, read_rows),
        "tokenizer": beside("tokenizer.json"),
        "tokenizer config": beside("tokenizer_config.json"),
        "chat template": Form("tokenizer_config.json", lambda: templated(pieces), of_tokenizer,
                              templated, lambda: pieces, PIECES),
    }  # fmt: skip


def adapters() -> dict[str, Form]:
    """What adapters are kept in."""
    from lora_lab.formats import FORMATS
    from lora_lab.formats.recognise import open_adapter
    from tests.formats.adapters import weights_of
    from tests.models.tiny import MODELS

    made = Path(tempfile.mkdtemp())
    weights = weights_of(MODELS["llama"](), "lora", targets=["model.layers.0.self_attn.q_proj"])
    FORMATS["peft"].save(weights, made)
    settings = json.loads((made / "adapter_config.json").read_text())
    tensors = (made / "adapter_model.safetensors").read_bytes()
    flat = {"lora_unet_a_b.lora_down.weight": torch.ones(2, 4),
            "lora_unet_a_b.lora_up.weight": torch.ones(4, 2),
            "lora_unet_a_b.alpha": torch.tensor(2.0)}  # fmt: skip
    kohya = safetensors.torch.save(flat, {"ss_network_dim": "2"})

    def among(path: Path) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copytree(made, Path(folder) / "adapter"))
            shutil.copy(path, copy / path.name)
            return open_adapter(copy)

    return {
        "adapter config": Form("adapter_config.json", lambda: spelled(settings), among, spelled,
                               lambda: settings),
        "adapter": of_header("adapter_model.safetensors", among, tensors),
        "kohya": of_header("x.safetensors", open_adapter, kohya),
    }  # fmt: skip


def queue(path: Path) -> Any:
    from lora_lab.runs.queue import Queue

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / "queue.json")
        opened = Queue(Path(folder))
        opened.close()
    return opened.items


def queued() -> Any:
    from lora_lab.presets import get_preset
    from lora_lab.runs.queue import Queue

    with tempfile.TemporaryDirectory() as folder:
        opened = Queue(Path(folder))
        opened.add([get_preset("digits").config])
        opened.close()
        return json.loads((Path(folder) / "queue.json").read_text())


def forms() -> dict[str, Form]:
    """Every form by its name."""
    from lora_lab.data.idx import read_images
    from lora_lab.data.images import Wanted, read_image
    from lora_lab.data.matrix import read_matrix
    from lora_lab.models.checkpoint import read_state
    from lora_lab.models.gguf_file import check_gguf
    from lora_lab.runs.listing import list_runs, summary_of
    from lora_lab.runs.recipe import recipe_of
    from lora_lab.runs.report import report_of
    from lora_lab.runs.saved_config import SavedConfig

    def listed(run: Path) -> Any:
        assert len(list_runs(run.parent)) <= 1
        return summary_of(run), SavedConfig.read(run), report_of(run)

    def told(run: Path) -> Any:
        return report_of(run).encode(), compile(recipe_of(run), "recipe", "exec")

    llama = {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 9,
             "rope_parameters": {"rope_type": "default"}}  # fmt: skip
    wanted = Wanted((8, 8), 3)
    npy = io.BytesIO()
    np.save(npy, np.ones((3, 2)))
    tensors = safetensors.torch.save({"a": torch.ones(3, 2), "b": torch.zeros(3)})
    idx = struct.pack(">IIII", 0x803, 2, 3, 3) + bytes(18)
    found = {
        "run config": in_run("config.json", listed),
        "run state": in_run("state.json", listed),
        "run label": in_run("label.json", listed),
        "run metrics": in_run("metrics.jsonl", told, many=True),
        "checkpoint": checkpoint(),
        "model config": Form("config.json", lambda: spelled(llama), config, spelled, lambda: llama),
        "run zip": Form("x.zip", packed, unpacked),
        "torch": Form("x.pt", archived, read_state),
        "safetensors": Form("x.safetensors", lambda: tensors, read_state),
        "gguf": Form("x.gguf", gguf, check_gguf),
        "idx": Form("x.idx", lambda: idx, read_images),
        "npy": Form("x.npy", npy.getvalue, read_matrix),
        "npz": Form("x.npz", compressed, read_state),
        "safetensors header": of_header("x.safetensors", read_state, tensors),
        "queue": Form("queue.json", lambda: spelled(queued()), queue, spelled, queued),
        **texts(),
        **adapters(),
        "matrix": Form("x.csv", lambda: b"1, 2/3; 4e-3\n-1 2 3\n", read_matrix),
    }
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        found[kind.lower()] = Form(
            f"x.{kind.lower()}", picture(kind), lambda path: read_image(path, wanted)
        )
    return found
