"""A file of rows as tokens, read anew or as it was kept at an earlier opening.

What is kept is found by all that it was made of: the bytes of the files, the tokenizer and its chat
template, the settings, the versions of the libraries, and the lab's own code that reads rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lora_lab import data as data_room
from lora_lab.data.kept_tokens import Damaged, Kept, keep, load
from lora_lab.data.mapping import Mapping as Columns
from lora_lab.data.preferences import Pair
from lora_lab.data.rows import table_files
from lora_lab.data.sources import Answered
from lora_lab.data.tags import Tagged
from lora_lab.data.token_rows import Example, TokenRows
from lora_lab.errors import DataError, system_reason
from lora_lab.progress import Report

KINDS = {kind.__name__: kind for kind in (Answered, Example, Pair, Tagged)}  # that are kept
SMALLEST = 2 * 2**20  # bytes of files; smaller ones are read as fast as they are looked up
CHUNK = 2**20


class Reading(NamedTuple):
    """What became of a table."""

    path: Path
    columns: tuple[str, ...]
    mapping: Columns
    examples: TokenRows[Any]
    labels: np.ndarray | None
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def kept_or(
    read: Callable[[], Reading],
    path: str,
    tokenizer: Any,
    settings: Mapping[str, Any],
    report: Report,
) -> Reading:
    """What `read` gives, or what it gave when the same was opened before.

    `settings` are all that it depends on besides the files and the tokenizer. Where nothing can be
    kept, a note says so once.
    """
    made_by = maker(tokenizer, settings)
    key = key_of(path, made_by, report)
    if not key:
        return read()
    notes: list[str] = []
    try:
        if kept := load(key):
            return _restored(kept)
    except Damaged:
        notes.append("what was kept of it since an earlier opening was damaged: it was read anew")
    except OSError:
        pass  # it is read, and what stands in the way is said where it is to be kept
    reading = read()
    # A file that has changed meanwhile is not the one that the key is of.
    if reading.examples.kind.__name__ in KINDS and key == key_of(path, made_by, report):
        try:
            keep(key, _as_kept(reading))
        except OSError as error:
            notes.append(f"its tokens were not kept for the next opening ({system_reason(error)})")
    return reading._replace(notes=(*reading.notes, *notes))


def maker(tokenizer: Any, settings: Mapping[str, Any]) -> bytes:
    """All that makes tokens of rows; b"" where it cannot be told apart from another."""
    if not getattr(tokenizer, "is_fast", False):
        return b""
    about = [settings, _tokenizer(tokenizer), versions()]
    return json.dumps(about, sort_keys=True, default=repr).encode()


def key_of(path: str, made_by: bytes, report: Report) -> str:
    """The name of an entry; "" for what is not worth keeping, or cannot be told apart."""
    if not made_by:
        return ""
    digest = blake2b(made_by, digest_size=20)
    digest.update(path.encode(errors="surrogatepass"))
    done = 0
    try:
        files, _ = table_files(Path(path))
        total = sum(file.stat().st_size for file in files)
        if total < SMALLEST or not all(file.is_file() for file in files):  # a pipe would block
            return ""
        for name in files:
            about = f"\0{name.name}\0{name.stat().st_size}\0"
            digest.update(about.encode(errors="surrogatepass"))
            with name.open("rb") as file:
                while part := file.read(CHUNK):
                    digest.update(part)
                    done += len(part)
                    if done % (2**26) < CHUNK:
                        report("Looking whether it was read before", done / total)
    except (OSError, ValueError, DataError):
        return ""  # reading it says what is wrong
    return digest.hexdigest()


def _tokenizer(tokenizer: Any) -> list[Any]:
    """All that decides what a fast tokenizer makes of a text or of messages."""
    own = {k: v for k, v in tokenizer.init_kwargs.items() if k not in ("name_or_path", "backend")}
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()  # every call asks for what it wants of these
    backend.no_padding()
    whole = blake2b(backend.to_str().encode(), digest_size=16).hexdigest()
    return [
        type(tokenizer).__name__,
        whole,
        str(tokenizer.chat_template),
        tokenizer.special_tokens_map,
        tokenizer.model_input_names,
        repr(sorted(own.items(), key=str)),
    ]


@cache
def versions() -> list[str]:
    """Versions of the libraries, and a digest of the lab's code that reads rows."""
    import jinja2
    import tokenizers
    import transformers

    digest = blake2b(digest_size=16)
    for folder in (Path(data_room.__file__).parent, Path(__file__).parent):
        for file in sorted(folder.glob("*.py")):
            with suppress(OSError):
                digest.update(file.read_bytes())
    return [m.__version__ for m in (jinja2, tokenizers, transformers)] + [digest.hexdigest()]


def _as_kept(reading: Reading) -> Kept:
    rows = reading.examples
    arrays = (
        {**rows.columns} if reading.labels is None else {**rows.columns, "labels": reading.labels}
    )
    facts = {
        "kind": rows.kind.__name__,
        "tags": None if rows.tags is None else rows.tags.tolist(),
        "columns": reading.columns,
        "form": reading.mapping.form,
        "roles": reading.mapping.roles,
        "classes": reading.classes,
        "notes": reading.notes,
        "path": str(reading.path),
    }
    return Kept(arrays, facts)


def _restored(kept: Kept) -> Reading:
    facts, arrays = kept.facts, dict(kept.arrays)
    labels = arrays.pop("labels", None)
    tags = None if facts["tags"] is None else np.array(facts["tags"], dtype=np.int64)

    def words(name: str) -> tuple[str, ...]:
        return tuple(facts[name])

    return Reading(
        Path(facts["path"]),
        words("columns"),
        Columns(facts["form"], tuple((role, column) for role, column in facts["roles"])),
        TokenRows(KINDS[facts["kind"]], arrays, tags=tags),
        labels,
        words("classes"),
        words("notes"),
    )
