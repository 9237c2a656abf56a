"""A tokenizer that cannot hang the lab, fill its memory or end it, whatever its file says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lora_lab.apart.client import ask
from lora_lab.errors import CheckpointError, DataError, LabError
from lora_lab.models.strict_json import read_json
from lora_lab.models.tokenizer_cost import surely_cheap
from lora_lab.names import shown
from lora_lab.time_limit import limited

SECONDS, MEGABYTE = 3.0, 5.0  # to make one, and for each megabyte; SentencePiece's take the most
MOST = 16  # megabytes that a vocabulary has of a file of weights
MEMORY = 2**30  # bytes that the child may take for a vocabulary and its texts
READ = (".json", ".txt", ".model", ".jinja", ".spm", ".tiktoken", ".vocab")  # endings of files
# Files that have added tokens, and what the library makes of each of their tables.
CONFIG, MAP, WHOLE = "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"
PLACES = ("a token", "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
          "mask_token", "additional_special_tokens")  # fmt: skip
OF_TOKENS = {"content", "lstrip", "rstrip", "single_word", "normalized", "special", "id", "__type"}
MOST_AROUND = 2**14  # tokens around a text; of fewer each text is tried out
LONGEST_TOKEN = 10_000  # characters of an added one
LONGEST_PIECE = 2000  # of Unigram's: the library goes down a level for each; others bear millions
LONGEST_SOUGHT = 20_000  # of all regular expressions: the library makes tables for their parts
LARGEST = 2**27  # bytes of one; the largest vocabularies take 40 million
TOO_LONG = "{} in it is far longer than any tokenizer has. Download it again."
# Files of SentencePiece by themselves, and with those that are never alone or not its own.
PIECES = ("tokenizer.model", "spiece.model", "spm.model", "sentencepiece.bpe.model", "source.spm")
OF_PIECES = (*PIECES, "target.spm", "sentencepiece.model", "spm_char.model", "tiktoken.model")
FIXED = {1: 8, 5: 4}  # wire type of protobuf → bytes of its numbers that are not of seven bits each
ADVICE = "Leave the row out, or choose a model with a usual tokenizer."


def guarded(tokenizer: Any) -> Any:
    """The same tokenizer, whose calls raise DataError where the library would panic.

    One that may take any time for a text is tried out on each text in a child process first.
    """
    longest = getattr(tokenizer, "model_max_length", 0)
    if isinstance(longest, bool) or not isinstance(longest, int | float):
        what = f"model_max_length is {shown(longest)}, where a number belongs"
        raise CheckpointError(f"tokenizer_config.json: {what}. Download it again.")
    kind = type(tokenizer)
    fast = getattr(tokenizer, "is_fast", False)
    if not fast and not hasattr(kind, "_decode"):
        return tokenizer  # of no kind that is known
    added = tokenizer.backend_tokenizer.num_special_tokens_to_add if fast else lambda pair: 0
    around = max(map(added, (False, True)))
    if around > MOST_AROUND:
        raise CheckpointError(
            f"The tokenizer puts {around:,} tokens around each text. Choose a model with a usual "
            "one."
        )
    cheap = not fast or surely_cheap(tokenizer.backend_tokenizer)
    rehearse = None if cheap else _Rehearsal(tokenizer)
    panic = no_panic if fast else no_failure

    def encoded(self: Any, *arguments: Any, **named: Any) -> Any:
        if rehearse is not None:
            given = [*arguments[:2], named.get("text"), named.get("text_pair")]
            rehearse.try_texts([text for value in given for text in _texts(value)])
        with panic():
            return kind._encode_plus(self, *arguments, **named)

    def decoded(self: Any, token_ids: Any, *arguments: Any, **named: Any) -> Any:
        if rehearse is not None:
            rehearse.try_ids([token_ids] if isinstance(token_ids, int) else list(token_ids))
        with panic():
            return kind._decode(self, token_ids, *arguments, **named)

    methods = {"_encode_plus": encoded, "_decode": decoded, "__module__": kind.__module__}
    tokenizer.__class__ = type(kind.__name__, (kind,), methods)
    return tokenizer


@contextmanager
def no_failure() -> Iterator[None]:
    """Let what a tokenizer in Python raises over a text be a DataError."""
    try:
        yield
    except (LabError, OSError):
        raise
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:100]
        raise DataError(f"The tokenizer fails on this text ({reason}). {ADVICE}") from error


@contextmanager
def no_panic() -> Iterator[None]:
    """Let what a library in Rust raises, a panic or a bare Exception, be a DataError."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException" and type(error) is not Exception:
            raise
        reason = str(error).strip().split("\n")[0][:100]
        raise DataError(f"The tokenizer fails on this text ({reason}). {ADVICE}") from error


def _texts(value: Any) -> Iterator[str]:
    """The texts in what a tokenizer is called with: one, many, pairs, or words."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


class _Endless(CheckpointError):
    """A tokenizer that is not made in any time that its files would explain."""

    def __init__(self, what: str = "takes far longer to be made than its size explains") -> None:
        super().__init__(f"The tokenizer {what}. Choose a model with a usual one.")


@contextmanager
def made_in_time(size: int) -> Iterator[None]:
    """A tokenizer of files of `size` bytes is made in this block; raises CheckpointError where it
    takes too long, and where the library panics."""
    with limited(SECONDS + MEGABYTE * min(size / 2**20, MOST), _Endless), no_panic():
        yield


class _Rehearsal:
    """Tries a tokenizer out, and remembers that the child knows it."""

    def __init__(self, tokenizer: Any) -> None:
        self._name = str(getattr(tokenizer, "name_or_path", "")).rstrip("/").rpartition("/")[2]
        self._written = tokenizer.backend_tokenizer.to_str().encode()
        self._digest = hashlib.sha256(self._written).hexdigest()

    def try_texts(self, texts: list[str]) -> None:
        self._try(texts, decode=False)

    def try_ids(self, ids: list[int]) -> None:
        self._try([[int(number) for number in ids]], decode=True)

    def _try(self, values: list[Any], *, decode: bool) -> None:
        """Raises DataError naming the text over which it does not end."""
        done = 0
        try:
            for _ in self._done(values, decode):
                done += 1
        except DataError as error:
            raise self._refused(values[done], error) from None

    def _refused(self, value: Any, error: DataError) -> DataError:
        what = f"the text that begins {shown(value[:40])}" if isinstance(value, str) else "a token"
        return DataError(f"{self._name}: its tokenizer does not end over {what}: {error}. {ADVICE}")

    def _done(self, values: list[Any], decode: bool) -> Iterator[None]:
        """One for each value that was tried out."""
        listed = json.dumps(values).encode()
        for written in (b"", self._written):
            known = True
            answers = ask(
                "lora_lab.models.rehearsal:tried", written + listed, memory=MEMORY,
                digest=self._digest, tokenizer=len(written), decode=decode,
            )  # fmt: skip
            for part, _ in answers:
                known = not part.get("unknown")
                if known:
                    yield
            if known:
                return


def check_tokens(folder: Path) -> None:
    """Raise CheckpointError for what the library would make far more of than there is.

    An added token with a setting that it does not know: it would write the setting's name,
    whatever that is, to the standard output. And texts too long for it: it goes down a level for
    each letter of a piece, until the process ends, and makes tables for each part of an expression.
    """
    for name in OF_PIECES:
        if _longest_piece(folder / name) > LONGEST_PIECE:
            raise CheckpointError(f"{name}: {TOO_LONG.format('a piece')}")
    for name in (CONFIG, MAP, WHOLE):
        try:
            _check_table(folder / name)
        except RecursionError:  # what is read level by level may be gone through by more
            raise CheckpointError(f"{name}: it is nested too deeply. Download it again.") from None


def _check_table(file: Path) -> None:
    table = _table(file) if file.exists() else None
    if file.name == WHOLE and table is not None:
        _check_texts(table)
    for token in _tokens(table):
        if len(str(token.get("content", ""))) > LONGEST_TOKEN:
            raise CheckpointError(f"{file.name}: {TOO_LONG.format('an added token')}")
        if (unknown := next((key for key in token if key not in OF_TOKENS), None)) is not None:
            raise CheckpointError(
                f"{file.name}: a token in it has the setting {shown(unknown)}, which no tokenizer "
                "knows. Download it again."
            )


def _table(file: Path) -> Any:
    """What of a file may be tokens, under names that say so."""
    if file.name == WHOLE:
        try:
            table = json.loads(file.read_bytes())
        except (ValueError, RecursionError):  # the library says what is wrong
            return None
        if not isinstance(table, dict):
            return None
        steps = [table.get(name) for name in ("normalizer", "pre_tokenizer", "decoder")]
        return {"a token": table.get("added_tokens"), "model": table.get("model"), "steps": steps}
    table = read_json(file)
    if file.name == CONFIG:
        return table
    more = table.pop("extra_special_tokens", None)
    found = [inner for inner in table.values() if isinstance(inner, dict)]
    return {**table, "a token": [*found, *(more if isinstance(more, list) else ())]}


def _check_texts(table: dict[str, Any]) -> None:
    """Raise CheckpointError for pieces and expressions of tokenizer.json that are too long."""
    model = table.pop("model")
    model = model if isinstance(model, dict) else {}
    vocabulary = model.get("vocab")
    is_unigram = model.get("type") == "Unigram" or isinstance(vocabulary, list)
    longest = LONGEST_PIECE if is_unigram else LONGEST_TOKEN
    for piece in vocabulary if isinstance(vocabulary, list | dict) else ():
        text = piece[0] if isinstance(piece, list) and piece else piece
        if isinstance(text, str) and len(text) > longest:
            raise CheckpointError(f"{WHOLE}: {TOO_LONG.format('a piece')}")
    if sum(map(len, _sought(table.pop("steps")))) > LONGEST_SOUGHT:
        raise CheckpointError(f"{WHOLE}: {TOO_LONG.format('an expression')}")


def _sought(value: Any) -> Iterator[str]:
    """Every regular expression in the steps of a tokenizer."""
    if isinstance(value, dict):
        if isinstance(value.get("Regex"), str):
            yield value["Regex"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _sought(inner)


def _longest_piece(path: Path) -> int:
    """Bytes of the longest piece of a SentencePiece model: field 1 of a message of protobuf.

    A file that is no such message, as tiktoken's, has none.
    """
    data = path.read_bytes() if path.is_file() else b""
    at, longest = 0, 0
    try:
        while at < len(data):
            tag, at = _whole(data, at)
            kind = tag & 7
            if kind == 0:
                _, at = _whole(data, at)
            elif kind in FIXED:
                at += FIXED[kind]
            elif kind == 2:
                length, at = _whole(data, at)
                longest = max(longest, length) if tag >> 3 == 1 else longest
                at += length
            elif kind > 4:  # 3 and 4 are around fields, which are looked at as well
                return longest
    except IndexError:
        pass
    return longest


def _whole(data: bytes, at: int) -> tuple[int, int]:
    """A whole number in seven bits of each byte, and the place behind it; IndexError for none."""
    value = shift = 0
    while data[at] & 128:
        if shift == 63:
            raise IndexError  # no number of protobuf: those have 64 bits
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1


def _tokens(value: Any, place: str = "") -> Iterator[dict[str, Any]]:
    """What may be read as an added token: by its keys, or by where it stands."""
    if isinstance(value, list):
        for inner in value:
            yield from _tokens(inner, place)
    elif isinstance(value, dict):
        if place in PLACES or not {"content", "__type"}.isdisjoint(value):
            yield value
        for key, inner in value.items():
            yield from _tokens(inner, "a token" if place == "added_tokens_decoder" else key)


def check_files(folder: Path) -> int:
    """How many bytes a tokenizer's files have together, as far as the library might read them.

    Raises CheckpointError for one that is none: a pipe would block, a device never end, and no
    vocabulary is that large.
    """
    total = 0
    for path in sorted(folder.iterdir()):
        if path.suffix in READ and not path.is_dir():
            if not path.is_file():
                raise CheckpointError(
                    f"{path.name}: this is not a regular file. Download it again."
                )
            if path.stat().st_size > LARGEST:
                raise CheckpointError(
                    f"{path.name}: {path.stat().st_size:,} bytes are more than any tokenizer has."
                )
            total += path.stat().st_size
    return total
