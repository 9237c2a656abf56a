"""What rows of data are written in, and the tasks that read them."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tempfile
from collections.abc import Callable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tests.reliability.fuzz_form import Form, in_folder, lines, of_table, spelled, within

TURNS = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "the cat sat"}]
CHATS = [{"messages": TURNS}, {"messages": TURNS * 2}, {"messages": TURNS * 3}]
ROWS = [{"text": f"the cat sat {i}"} for i in range(4)]
TASKS = {  # rows of a task, and the tiny model that learns it
    "preference": ("llama", [{"prompt": "so?", "chosen": f" yes {i}", "rejected": " no"}
                             for i in range(4)]),
    "token_classification": ("bert", [{"tokens": ["the", "cat", "sat"], "ner_tags": ["O", "B", "I"]}
                                      for _ in range(4)]),
    "regression": ("bert", [{"text": f"a film {i}", "score": i / 3} for i in range(4)]),
    "multi_label": ("bert", [{"text": f"a film {i}", "labels": ["a", "b"][: 1 + i % 2]}
                             for i in range(4)]),
    "text_classification": ("bert", [{"text": f"a film {i}", "label": "ab"[i % 2]}
                                     for i in range(4)]),
}  # fmt: skip


@cache
def model(kind: str = "llama") -> Path:
    from tests.models.tiny import save

    folder = Path(tempfile.mkdtemp()) / "model"
    save(folder, kind, chat=True)
    return folder


def opened(task: str, kind: str, data: Path) -> Any:
    """As a run of a task has its data read."""
    from lora_lab.presets import starting_config
    from lora_lab.tasks import TASKS as CLASSES

    config = starting_config(task, model=str(model(kind)), data=str(data), max_length=64)
    return CLASSES[task].open(config).data


def read_rows(path: Path) -> Any:
    return opened("causal_lm", "llama", path)


def comma_separated(table: Any, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    rows = table if isinstance(table, list) else [table]
    written = csv.writer(text, delimiter=delimiter)
    written.writerows(row if isinstance(row, list) else [row] for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def columns(write: Callable[[Any, Any], None]) -> Callable[[], bytes]:
    """A file of Arrow's or Parquet's with a text, a number, a list, names and a time."""

    def made() -> bytes:
        import pyarrow as pa

        table = pa.table({
            "text": [row["text"] for row in ROWS], "n": [1, 2, None, 4], "f": [0.5, 1.5, 2.5, 3.5],
            "list": [["a"], [], ["b", "c"], None],
            "named": pa.array(["x", "y", "x", "x"]).dictionary_encode(),
            "at": pa.array([0, 1, 2, 3], pa.timestamp("ns")),
            "given": pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "a", "b"),
                                                    pa.array(["x", "y", "x", "x"])),
        })  # fmt: skip
        buffer = io.BytesIO()
        write(table, buffer)
        return buffer.getvalue()

    return made


def _parquet(table: Any, buffer: Any) -> None:
    from pyarrow.parquet import write_table

    write_table(table, buffer)


def _arrow(kind: str) -> Callable[[Any, Any], None]:
    def write(table: Any, buffer: Any) -> None:
        from pyarrow import ipc

        with getattr(ipc, f"new_{kind}")(buffer, table.schema) as writer:
            writer.write_table(table)

    return write


def _feather(table: Any, buffer: Any) -> None:
    from pyarrow.feather import write_feather

    write_feather(table, buffer, compression="lz4")


def _zstd() -> bytes:
    import pyarrow

    return pyarrow.compress(lines(ROWS), "zstd", asbytes=True)


@cache
def _data_set() -> Path:
    """A folder as `datasets` saves it, with two splits."""
    folder = Path(tempfile.mkdtemp()) / "set"
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        (folder / split / "data-00000-of-00001.arrow").write_bytes(columns(_arrow("stream"))())
        (folder / split / "state.json").write_text(json.dumps({"_data_files": []}))
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    return folder


def _kept(path: Path) -> Any:
    """The index of tokens that were kept, beside whole arrays; a damaged one is made anew."""
    import numpy as np

    from lora_lab.data import kept_tokens

    with tempfile.TemporaryDirectory() as folder:
        home, usual = Path(folder), kept_tokens.folder
        kept_tokens.folder = lambda: home  # type: ignore[assignment]
        try:
            made = kept_tokens.Kept({"ids": np.arange(9, dtype=np.int32)}, {"rows": 3})
            kept_tokens.keep("key", made)
            body = json.loads(path.read_bytes())
            if isinstance(body, dict):  # as whoever wrote it would have signed it
                body.pop("digest", None)
                signed = blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=16)
                body["digest"] = signed.hexdigest()
            (home / "key" / kept_tokens.INDEX).write_text(json.dumps(body))
            return kept_tokens.load("key")
        except (ValueError, RecursionError):
            return None
        except kept_tokens.Damaged:
            return None
        finally:
            kept_tokens.folder = usual


def data_forms() -> dict[str, Form]:
    cells = [["text", "n"], *([row["text"], str(i)] for i, row in enumerate(ROWS))]
    plain = "\n".join(row["text"] for row in ROWS).encode()
    index = {"digest": "x", "format": 1, "facts": {"rows": 3},
             "arrays": {"ids": {"type": "<i4", "shape": [9], "digest": "x"}}}  # fmt: skip
    found = {
        "rows": Form("x.jsonl", lambda: lines(ROWS), read_rows, lines, lambda: ROWS),
        "list of rows": of_table("x.json", read_rows, ROWS),
        "csv": Form("x.csv", lambda: comma_separated(cells), read_rows, comma_separated,
                    lambda: cells),
        "tsv": Form("x.tsv", lambda: comma_separated(cells, "\t"), read_rows,
                    lambda table: comma_separated(table, "\t"), lambda: cells),
        "plain text": Form("x.txt", lambda: plain, read_rows, megabyte=1.5),
        "chats": Form("x.jsonl", lambda: lines(CHATS), read_rows, lines, lambda: CHATS),
        "parquet": Form("x.parquet", columns(_parquet), read_rows),
        "arrow file": Form("x.arrow", columns(_arrow("file")), read_rows),
        "arrow stream": Form("x.arrow", columns(_arrow("stream")), read_rows),
        "feather": Form("x.arrow", columns(_feather), read_rows),
        "rows.gz": Form("x.jsonl.gz", lambda: gzip.compress(lines(ROWS)), read_rows),
        "rows.bz2": Form("x.jsonl.bz2", lambda: bz2.compress(lines(ROWS)), read_rows),
        "rows.xz": Form("x.jsonl.xz", lambda: lzma.compress(lines(ROWS)), read_rows),
        "rows.zst": Form("x.jsonl.zst", _zstd, read_rows),
        "data set": in_folder(_data_set, "dataset_dict.json", read_rows),
        "split of a data set": Form(
            "data.arrow", columns(_arrow("stream")),
            within(_data_set, read_rows, "train/data-00000-of-00001.arrow"),
        ),
        "kept tokens": Form("index.json", lambda: spelled(index), _kept, spelled, lambda: index),
    }  # fmt: skip
    for task, (kind, rows) in TASKS.items():
        found[f"rows of {task.replace('_', ' ')}"] = Form(
            "x.jsonl", lambda rows=rows: lines(rows),
            lambda path, task=task, kind=kind: opened(task, kind, path),
            lines, lambda rows=rows: rows,
        )  # fmt: skip
    return found
