"""GGUF files: walked first, so that no length in them is trusted, then dequantized.

The layout is magic, version, counts, key-value pairs, tensor infos, then aligned data
(ggml/docs/gguf.md, version 3). transformers turns names and numbers into its own.
"""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch

from lora_lab.apart.walled import Walled
from lora_lab.errors import CheckpointError, system_reason
from lora_lab.models.architecture import Purpose, architecture, first_line, quiet
from lora_lab.models.checkpoint import check_weights, regular_size
from lora_lab.models.frame import bounded
from lora_lab.models.gguf_arrays import quick_arrays
from lora_lab.models.hf_config import check_config, check_counts, check_frame
from lora_lab.models.tokenizer_merges import check_merges
from lora_lab.models.tokenizer_texts import MOST_ADDED, MOST_BRANCHES, check_branches
from lora_lab.names import LONGEST as LONGEST_NAME
from lora_lab.names import shown
from lora_lab.progress import Report, silent

# Bytes read at a time: a thread that keeps asking the system for little lets go of the interpreter
# and has it again before the window's thread wakes up, which may then wait for a second.
CHUNK = 2**20
MOST = 100_000  # tensors, and keys
LONGEST = 2**20  # bytes of one string
ELEMENTS, BYTES = 2**20, 2**16  # of one array: the largest tokenizers have half a million merges
TOKENS, TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
MERGES = "tokenizer.ggml.merges"
WHOLE, ADDED = (4, 5), (3, 4)  # types of whole numbers; of tokens, those that are added
WORD = 2**12  # bytes of one text of a list, as tokens are; making a tokenizer squares it
STRING, ARRAY = 8, 9
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes by type
DAMAGED = "Download it again."
READING = threading.RLock()  # the library's module is changed while it reads


class GgufTensor(NamedTuple):
    """One tensor: its name, shape (rows first), and how its numbers are packed."""

    name: str
    shape: tuple[int, ...]
    kind: str  # "F32", "Q8_0", …
    bytes: int
    begin: int = 0  # the byte of the file that it begins at


def read_gguf(
    path: Path, purpose: Purpose, report: Report = silent
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The config's values and the dequantized tensors, both as transformers names them.

    Raises CheckpointError for what is damaged, unsafe, or an architecture it does not know.
    """
    tensors = check_gguf(path)
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    report(f"Reading {path.name}", -1)
    try:
        with quiet(path.name), by_copy():
            with by_copy(header_of(tensors)):
                values = load_gguf_checkpoint(str(path))["config"]
            check_config(values, path.name)
            check_counts(values, len(tensors), path.name)
            config, kind = architecture(values, purpose, path.name)
            check_counts(config.to_dict(), len(tensors), path.name)  # what is missing has a default
            with torch.device("meta"), bounded(len(tensors)):
                frame = kind(config)
            numbers = sum(math.prod(tensor.shape) for tensor in tensors)
            check_frame(frame, numbers, path.name)
            with _told(report, f"Unpacking {path.name}"):
                loaded = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=frame)
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError(f"{path.name}: cannot be unpacked ({first_line(error)}).") from error
    state = loaded["tensors"]
    try:
        check_weights(state)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    return config.to_dict(), state


def gguf_config(path: Path) -> dict[str, Any]:
    """The checked values of a config, as transformers makes them of a file's header alone.

    Raises CheckpointError for what is damaged, unsafe, or an architecture it does not know.
    """
    tensors = check_gguf(path)
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    try:
        with quiet(path.name), by_copy(header_of(tensors)):
            values = load_gguf_checkpoint(str(path))["config"]
    except Walled:
        raise
    except Exception as error:
        raise CheckpointError(f"{path.name}: cannot be read ({first_line(error)}).") from error
    check_config(values, path.name)
    return values


def header_of(tensors: tuple[GgufTensor, ...]) -> int:
    """How many bytes stand before the first tensor."""
    return min(tensor.begin for tensor in tensors)


@contextmanager
def by_copy(header: int = 0) -> Iterator[None]:
    """Let the library read a file into memory of its own in place of mapping it.

    A mapped file that shrinks takes the process with it. The library has no word for this. Where
    only names and settings are wanted, `header` is how many bytes of it are read: the rest are
    zeros that take no memory.
    """
    import gguf.gguf_reader
    import numpy

    readers: list[Any] = [gguf.gguf_reader]
    with suppress(ImportError):  # the library has one of its own as well, in newer versions
        from transformers.integrations.gguf import reader

        readers.append(reader)

    class Copying:
        def __getattr__(self, name: str) -> Any:
            return getattr(numpy, name)

        @staticmethod
        def memmap(path: str, mode: str = "r", **_: Any) -> Any:
            if not header:
                return numpy.fromfile(path, numpy.uint8)
            data = numpy.zeros(Path(path).stat().st_size, numpy.uint8)
            data[:header] = numpy.fromfile(path, numpy.uint8, count=header)
            return data

    with READING, quick_arrays(), ExitStack() as undone:
        for reader in readers:
            before, reader.np = reader.np, Copying()
            undone.callback(setattr, reader, "np", before)
        yield


@contextmanager
def _told(report: Report, what: str) -> Iterator[None]:
    """Let the library say how far it is to `report`, and draw no bar on a terminal."""
    import transformers.modeling_gguf_pytorch_utils as library

    def told(values: Sequence[Any], **_: Any) -> Iterator[Any]:
        for number, value in enumerate(values):
            report(what, number / len(values))
            yield value

    usual, library.tqdm = library.tqdm, told
    try:
        yield
    finally:
        library.tqdm = usual


def check_gguf(path: Path) -> tuple[GgufTensor, ...]:
    """Every tensor that a file lists. Raises CheckpointError unless the file holds all of it."""
    try:
        size = regular_size(path)
        with path.open("rb", buffering=CHUNK) as file:
            return _walk(file, size)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    except OSError as error:
        reason = system_reason(error)
        raise CheckpointError(f"{path.name}: cannot be read ({reason}).") from error


def _walk(file: BinaryIO, size: int) -> tuple[GgufTensor, ...]:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    if file.read(4) != b"GGUF":
        raise CheckpointError("this is not a GGUF file. Choose another.")
    version, tensors, keys = _numbers(file, "<IQQ")
    if version not in (2, 3):
        raise CheckpointError(f"GGUF of version {version} is not read. Convert it to version 3.")
    if tensors > MOST or keys > MOST:
        raise CheckpointError(f"it claims {tensors:,} tensors and {keys:,} keys. {DAMAGED}")
    if not tensors:
        raise CheckpointError("there is no tensor in it. Choose a file with weights.")
    alignment = 32
    words: dict[str, Any] = {}
    seen: set[str] = set()
    for _ in range(keys):
        key = _string(file, size)
        if key in seen:  # of two, one reader takes the first and another the last
            raise CheckpointError(f"{shown(key)} is given twice. {DAMAGED}")
        seen.add(key)
        (kind,) = _numbers(file, "<I")
        value = _value(file, kind, size, kept=key in (TOKENS, TYPES))
        if key in (TOKENS, TYPES):
            words[key] = value
        if key == "general.alignment":
            alignment = _alignment(value)
    _check_words(words.get(TOKENS), words.get(TYPES, b""), MERGES in seen)
    walked: list[GgufTensor] = []
    places: list[tuple[int, int, str]] = []  # begin and end of each, behind the header
    for _ in range(tensors):
        name = _string(file, LONGEST_NAME)
        (dimensions,) = _numbers(file, "<I")
        if dimensions > 4:
            raise CheckpointError(f"tensor {shown(name)} has {dimensions} dimensions. {DAMAGED}")
        shape = _numbers(file, f"<{dimensions}Q")
        kind, offset = _numbers(file, "<IQ")
        try:
            packing = GGMLQuantizationType(kind)
        except ValueError:
            raise CheckpointError(
                f"tensor {shown(name)} is packed in an unknown way (type {kind} of ggml). The file "
                "is damaged, or newer than this lab: choose one that is packed as Q8_0 or Q4_K."
            ) from None
        block, length = GGML_QUANT_SIZES[packing]
        count = math.prod(shape)
        if count % block or count > 2**40:
            raise CheckpointError(f"tensor {shown(name)} has a shape that cannot be. {DAMAGED}")
        walked.append(
            GgufTensor(name, tuple(reversed(shape)), packing.name, count // block * length)
        )
        places.append((offset, offset + count // block * length, name))
    at = 0
    for begin, end, name in sorted(places):
        if begin < at:
            raise CheckpointError(f"tensor {shown(name)} overlaps another one. {DAMAGED}")
        at = end
    start = -(-file.tell() // alignment) * alignment
    if start + at > size:
        raise CheckpointError(
            f"incomplete download, have {size:,} of at least {start + at:,} bytes. {DAMAGED}"
        )
    return tuple(
        tensor._replace(begin=start + begin)
        for tensor, (begin, _, _) in zip(walked, places, strict=True)
    )


def _alignment(value: Any) -> int:
    """The bytes of which where the tensors begin is a multiple, as the library takes them."""
    if not value or value & (value - 1):
        what = "of another kind than a 32-bit number" if value is None else f"{value:,}"
        raise CheckpointError(
            f"its general.alignment is {what}, where a power of two belongs. {DAMAGED}"
        )
    return int(value)


def _numbers(file: BinaryIO, form: str) -> tuple[int, ...]:
    raw = file.read(struct.calcsize(form))
    if len(raw) < struct.calcsize(form):
        raise CheckpointError(f"the file is cut off inside its header. {DAMAGED}")
    return struct.unpack(form, raw)


def _string(file: BinaryIO, size: int) -> str:
    (length,) = _numbers(file, "<Q")
    if length > min(size, LONGEST):
        raise CheckpointError(f"it claims a text of {length:,} bytes. {DAMAGED}")
    return file.read(length).decode("utf-8", "replace")


def _check_words(tokens: Any, types: Any, merged: bool) -> None:
    """Raise CheckpointError for tokens that a tokenizer would grow too large a tree of."""
    if not isinstance(tokens, list):
        return
    check_branches(tokens, MOST_BRANCHES, "its tokens")
    if not merged:
        check_merges(tokens)
    if isinstance(types, bytes):  # else they may all be added
        tokens = [text for text, of in zip(tokens, types, strict=False) if of in ADDED]
    check_branches(tokens, MOST_ADDED, "its added tokens")


def _value(file: BinaryIO, kind: int, size: int, kept: bool = False) -> Any:
    """One value, where it is asked for: a 4-byte whole number, and where it is `kept` a list of
    texts, or the lowest bytes of a list of 4-byte whole ones."""
    if kind == STRING:
        _string(file, size)
        return None
    if kind == ARRAY:
        inner, count = _numbers(file, "<IQ")
        most = BYTES if SIZES.get(inner) == 1 else ELEMENTS  # no tokenizer has lists of bytes
        if count > min(size, most) or inner == ARRAY:
            raise CheckpointError(f"it claims a list of {count:,} values. {DAMAGED}")
        if inner == STRING:
            texts = (_string(file, min(size, WORD)) for _ in range(count))
            if kept:
                return list(texts)
            for _ in texts:
                pass
        elif inner in WHOLE and kept:
            return file.read(count * SIZES[inner])[:: SIZES[inner]]
        elif inner in SIZES:
            file.seek(count * SIZES[inner], 1)
        else:
            raise CheckpointError(f"it holds a value of an unknown type. {DAMAGED}")
        return None
    if kind not in SIZES:
        raise CheckpointError(f"it holds a value of an unknown type. {DAMAGED}")
    raw = file.read(SIZES[kind])
    return int.from_bytes(raw, "little") if kind == 4 else None
