"""What a tokenizer's files say, counted before a library in C sees it, whose calls nobody can end.

Such a library goes down a level for each letter of a piece until the process ends, makes a branch
of a tree of each letter of the added tokens, and takes a length that it is told for the truth.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lora_lab.errors import CheckpointError
from lora_lab.models.shards import inside
from lora_lab.models.strict_json import check_parts, given_twice, read_json
from lora_lab.models.tokenizer_cost import steps_are_cheap
from lora_lab.models.tokenizer_guard import try_loading
from lora_lab.names import shown

READ = (".json", ".txt", ".model", ".jinja", ".spm", ".tiktoken", ".vocab")  # endings of files
TEMPLATES = "additional_chat_templates"  # a folder whose files are read as well
# Files that have added tokens, and what the library makes of each of their tables.
CONFIG, MAP, ADDED, WHOLE = ("tokenizer_config.json", "special_tokens_map.json",
                             "added_tokens.json", "tokenizer.json")  # fmt: skip
PLACES = ("a token", "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
          "mask_token", "additional_special_tokens")  # fmt: skip
OF_TOKENS = {"content", "lstrip", "rstrip", "single_word", "normalized", "special", "id", "__type"}
NO_TOKENS = ("template", "schema")  # parts of keys whose texts are none
LONGEST_TOKEN = 10_000  # characters of an added one
LONGEST_PIECE = 2000  # of Unigram's: the library goes down a level for each; others bear millions
LONGEST_SOUGHT = 20_000  # of all regular expressions: the library makes tables for their parts
# Branches that the texts have, as a tree: 65,000 added tokens of numbered sounds have 200,000, and
# half a million of them take a second that holds Python; of pieces, each takes 200 bytes.
MOST_ADDED, MOST_BRANCHES = 2**19, 6 * 2**20
MOST_STEPS = 2**16  # tables in the steps: the library has a kilobyte for each
MOST_TABLES = 2**18  # of the whole file: each token that is added is one
MOST_PARTS = 2**23  # of the whole file; the largest vocabularies have three million
LARGEST_ID = 2**21  # of a token: up to it all may be made; the largest vocabulary has a million
LARGEST = 2**27  # bytes of one; the largest vocabularies take 40 million
TOO_LONG = "{} in it is far longer than any tokenizer has. Download it again."
# Files of SentencePiece by themselves, and with those that are never alone or not its own.
PIECES = ("tokenizer.model", "spiece.model", "spm.model", "sentencepiece.bpe.model", "source.spm")
OF_PIECES = (*PIECES, "target.spm", "sentencepiece.model", "spm_char.model", "tiktoken.model")
# Older files of a vocabulary, and what stands between two of its tokens.
LISTS = (("vocab.txt", b"\n"), ("merges.txt", b"\n"), ("vocab.json", b","))
FIXED = {1: 8, 5: 4}  # wire type of protobuf → bytes of its numbers that are not of seven bits each
# In a piece, what it is, as one byte or more: an added token, where it is not a usual one.
KIND, KINDS, USUAL = 3, (b"\x18", b"\x98"), 1


def check_tokens(folder: Path) -> None:
    """Raise CheckpointError for what the library would make far more of than there is.

    An added token with a setting that it does not know: it would write the setting's name,
    whatever that is, to the standard output. And texts that are too long for it, or too many.
    """
    for name in OF_PIECES:
        if (folder / name).exists() and size_of(folder / name):
            _check_pieces(name, (folder / name).read_bytes())
    for name, mark in LISTS:
        path = folder / name
        if path.exists() and size_of(path) and path.read_bytes().count(mark) > LARGEST_ID:
            raise CheckpointError(
                f"{name}: it lists over {LARGEST_ID:,} tokens, which no tokenizer has. Download it "
                "again."
            )
    beside: set[str] = set()
    for name in (CONFIG, MAP, ADDED, WHOLE):
        try:
            if (folder / name).exists() and size_of(folder / name):
                beside |= _check_table(folder / name, beside)
        except RecursionError:  # what is read level by level may be gone through by more
            raise CheckpointError(f"{name}: it is nested too deeply. Download it again.") from None


def _check_table(file: Path, beside: set[str]) -> set[str]:
    """What of a file may be added tokens, `beside` being those of others."""
    table = _whole(file, sorted(beside)) if file.name == WHOLE else _beside(file)
    for token in _tokens(table):
        if (unknown := next((key for key in token if key not in OF_TOKENS), None)) is not None:
            raise CheckpointError(
                f"{file.name}: a token in it has the setting {shown(unknown)}, which no tokenizer "
                "knows. Download it again."
            )
    texts = set(_texts(table, keys=file.name != WHOLE))
    if any(len(text) > LONGEST_TOKEN for text in texts):
        raise CheckpointError(f"{file.name}: {TOO_LONG.format('an added token')}")
    check_branches(texts, MOST_ADDED, f"{file.name}: the added tokens in it")
    return texts


def _beside(file: Path) -> Any:
    """What of a file beside the tokenizer may be tokens, under names that say so."""
    table = read_json(file)
    listed = table if file.name == ADDED else table.get("added_tokens_decoder")
    for text, number in listed.items() if isinstance(listed, dict) else ():
        _check_id(file.name, number if file.name == ADDED else text)
    if file.name != MAP:
        return table
    more = table.pop("extra_special_tokens", None)
    found = [inner for inner in table.values() if isinstance(inner, dict)]
    return {**table, "a token": [*found, *(more if isinstance(more, list) else ())]}


def _whole(file: Path, beside: list[str]) -> Any:
    """The added tokens of tokenizer.json; all else in it is looked at here.

    Its names are held to be given once: the library makes something of each value.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if (twice := given_twice(pairs, table := dict(pairs))) is not None:
            raise CheckpointError(f"{WHOLE}: {shown(twice)} is given twice. Download it again.")
        return table

    data = file.read_bytes()
    check_parts(data, MOST_PARTS, WHOLE, CheckpointError)
    if (count := data.count(b"{")) > MOST_TABLES:
        raise CheckpointError(f"{WHOLE}: {count:,} tables are more than any tokenizer has.")
    try:
        table = json.loads(data, object_pairs_hook=once)
    except ValueError as wrong:  # the library may bear what Python does not, as endless numbers
        reason = ascii(str(wrong))[1:-1][:100]
        raise CheckpointError(f"{WHOLE}: not valid JSON: {reason}. Download it again.") from None
    if not isinstance(table, dict):
        return None
    _check_model(table.get("model"))
    steps = [table.get(name) for name in ("normalizer", "pre_tokenizer", "decoder")]
    found = list(_tables([*steps, table.get("post_processor")]))
    if len(found) > MOST_STEPS:
        raise CheckpointError(f"{WHOLE}: it has {len(found):,} steps, more than any tokenizer has.")
    sought = [step["Regex"] for step in found if isinstance(step.get("Regex"), str)]
    if sum(map(len, sought)) > LONGEST_SOUGHT:
        raise CheckpointError(f"{WHOLE}: {TOO_LONG.format('an expression')}")
    for step in found:
        if isinstance(text := step.get("precompiled_charsmap"), str):
            try:
                _check_charsmap(WHOLE, base64.b64decode(text))
            except ValueError:  # the library says that it is none
                continue
    if not steps_are_cheap(table.get("normalizer")):
        try_loading(data, beside)
    added = table.get("added_tokens")
    for token in added if isinstance(added, list) else ():
        _check_id(WHOLE, token.get("id", 0) if isinstance(token, dict) else 0)
    return {"a token": added}


def _check_model(model: Any) -> None:
    """Raise CheckpointError for pieces of tokenizer.json that are too long, or together so."""
    model = model if isinstance(model, dict) else {}
    vocabulary = model.get("vocab")
    is_unigram = model.get("type") == "Unigram" or isinstance(vocabulary, list)
    pieces = vocabulary if isinstance(vocabulary, list | dict) else ()
    first = (piece[0] if isinstance(piece, list) and piece else piece for piece in pieces)
    texts = [text for text in first if isinstance(text, str)]
    if max(map(len, texts), default=0) > (LONGEST_PIECE if is_unigram else LONGEST_TOKEN):
        raise CheckpointError(f"{WHOLE}: {TOO_LONG.format('a piece')}")
    if is_unigram:
        check_branches(texts, MOST_BRANCHES, f"{WHOLE}: the pieces in it")


def check_branches(texts: Iterable[str], most: int, what: str) -> None:
    """Raise CheckpointError for texts that have more branches, as a tree of bytes, than `most`."""
    texts = list(texts)
    if len("".join(texts).encode("utf-8", "surrogatepass")) <= most:
        return
    count, before = 0, b""
    for text in sorted(text.encode("utf-8", "surrogatepass") for text in texts):
        pairs = enumerate(zip(before, text, strict=False))
        shared = next((at for at, (a, b) in pairs if a != b), min(len(before), len(text)))
        count, before = count + len(text) - shared, text
    if count > most:
        raise CheckpointError(
            f"{what} have {count:,} letters, far more than any tokenizer has. Download it again."
        )


def _check_id(name: str, number: Any) -> None:
    if isinstance(number, str) and number.isascii() and number.isdecimal() and len(number) < 10:
        number = int(number)
    if type(number) is not int or number > LARGEST_ID:
        raise CheckpointError(
            f"{name}: a token in it has the number {shown(number)}, which none has. Download it "
            "again."
        )


def _check_charsmap(name: str, data: bytes) -> None:
    """Raise CheckpointError for a table of characters that is longer than what is there."""
    if int.from_bytes(data[:4], "little") > max(len(data) - 4, 0):
        raise CheckpointError(
            f"{name}: its table of characters claims more bytes than it has. Download it again."
        )


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    """Every table in the steps of a tokenizer."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _tables(inner)


def _texts(value: Any, keys: bool) -> Iterator[str]:
    """All texts that may be tokens, whoever reads them; keys as well, but numbers."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, keys)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if any(part in key for part in NO_TOKENS):
                continue
            if keys and not key.isdecimal():
                yield key
            yield from _texts(inner, keys)


def _tokens(value: Any, place: str | tuple[str, ...] = "") -> Iterator[dict[str, Any]]:
    """What may be read as an added token: by its keys, or by where it stands."""
    if isinstance(value, list):
        for inner in value:
            yield from _tokens(inner, place)
    elif isinstance(value, dict):
        if place in PLACES or "__type" in value or ("content" in value and place != NO_TOKENS):
            yield value
        for key, inner in value.items():
            if place == NO_TOKENS or any(part in key for part in NO_TOKENS):
                yield from _tokens(inner, NO_TOKENS)  # where the library looks for types alone
            else:
                yield from _tokens(inner, "a token" if place == "added_tokens_decoder" else key)


def _check_pieces(name: str, data: bytes) -> None:
    """Raise CheckpointError for pieces of a SentencePiece model that are too long, or too many.

    A file that is no message of protobuf, as tiktoken's, has none.
    """
    longest = total = added = 0
    for field, at, length in _fields(data, 0, len(data)):
        if field == 1:
            longest, total = max(longest, length), total + length
            added += length if _is_added(data[at : at + length]) else 0
        elif field in (3, 5):  # how texts are normalized, there and back
            for inner, begin, size in _fields(data, at, at + length):
                if inner == 2:
                    _check_charsmap(name, data[begin : begin + size])
    if longest > LONGEST_PIECE or total > 2 * MOST_BRANCHES or added > MOST_ADDED:
        raise CheckpointError(f"{name}: {TOO_LONG.format('a piece')}")


def _is_added(piece: bytes) -> bool:
    if not any(first in piece for first in KINDS):  # most pieces do not say it
        return False
    numbers = _fields(piece, 0, len(piece), numbers=True)
    return any(field == KIND and value != USUAL for field, value, length in numbers if not length)


def _fields(
    data: bytes, at: int, end: int, numbers: bool = False
) -> Iterator[tuple[int, int, int]]:
    """The fields of bytes in a message of protobuf: which, where and how long each is.

    With `numbers` those that are whole numbers as well, the number in the place of where, and 0.
    """
    try:
        while at < end:
            tag, at = _number(data, at)
            kind = tag & 7
            if kind == 0:
                value, at = _number(data, at)
                if numbers:
                    yield tag >> 3, value, 0
            elif kind in FIXED:
                at += FIXED[kind]
            elif kind == 2:
                length, at = _number(data, at)
                yield tag >> 3, at, length
                at += length
            elif kind > 4:  # 3 and 4 are around fields, which are looked at as well
                return
    except IndexError:
        pass


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A whole number in seven bits of each byte, and the place behind it; IndexError for none."""
    value = shift = 0
    while data[at] & 128:
        if shift == 63:
            raise IndexError  # no number of protobuf: those have 64 bits
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1


def check_files(folder: Path, home: Path | None = None) -> int:
    """How many bytes a tokenizer's files have together, as far as the library might read them.

    `home` is the model's folder, where this one lies in that. Raises CheckpointError for one that
    is none: a pipe would block, a device never end, and no vocabulary is that large; and for a link
    out of the model's folder, whose text would be shown, and written beside what is exported.
    """
    more = folder / TEMPLATES
    found = [*folder.iterdir(), *(more.iterdir() if more.is_dir() else ())]
    found = sorted(path for path in found if path.suffix in READ)
    size = sum(map(size_of, found))
    for path in found:
        if path.is_file():
            inside(home or folder, str(path.relative_to(home or folder)))
    return size


def size_of(path: Path) -> int:
    """Bytes of a file, 0 of a folder. Raises CheckpointError for what is neither, or too large."""
    if path.is_dir():
        return 0
    if not path.is_file():
        raise CheckpointError(f"{path.name}: this is not a regular file. Download it again.")
    if (size := path.stat().st_size) > LARGEST:
        raise CheckpointError(f"{path.name}: {size:,} bytes are more than any tokenizer has.")
    return size
