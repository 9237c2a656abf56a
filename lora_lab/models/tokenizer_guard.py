"""A tokenizer that cannot hang the lab, fill its memory or end it, whatever its file says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lora_lab.apart.client import ask
from lora_lab.errors import CheckpointError, DataError, LabError
from lora_lab.models.tokenizer_cost import surely_cheap
from lora_lab.names import shown
from lora_lab.time_limit import limited

SECONDS, MEGABYTE = 3.0, 5.0  # to make one, and for each megabyte; SentencePiece's take the most
MOST = 16  # megabytes that a vocabulary has of a file of weights
MEMORY = 2**30  # bytes that the child may take for a vocabulary and its texts
MOST_AROUND = 2**14  # tokens around a text; of fewer each text is tried out
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
    named = str(getattr(tokenizer, "name_or_path", "")).rstrip("/").rpartition("/")[2]
    written = b"" if cheap else tokenizer.backend_tokenizer.to_str().encode()
    rehearse = None if cheap else _Rehearsal(named, written)
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


class Endless(CheckpointError):
    """A tokenizer that is not made in any time that its files would explain."""

    def __init__(self, what: str = "takes far longer to be made than its size explains") -> None:
        super().__init__(f"The tokenizer {what}. Choose a model with a usual one.")


@contextmanager
def made_in_time(size: int) -> Iterator[None]:
    """A tokenizer of files of `size` bytes is made in this block; raises CheckpointError where it
    takes too long, and where the library panics."""
    with limited(SECONDS + MEGABYTE * min(size / 2**20, MOST), Endless), no_panic():
        yield


def try_loading(written: bytes, added: list[str]) -> None:
    """Try out a tokenizer.json, whose steps go over the added tokens, in it and beside, as soon as
    it is loaded. Raises CheckpointError where that does not end."""
    try:
        for _ in _Rehearsal("", written).done(added or [""], decode=False):
            pass
    except DataError as error:
        raise Endless(f"does not end over the tokens that are added ({error})") from None


class _Rehearsal:
    """Tries a tokenizer out, and remembers that the child knows it."""

    def __init__(self, name: str, written: bytes) -> None:
        self._name, self._written = name, written
        self._digest = hashlib.sha256(self._written).hexdigest()

    def try_texts(self, texts: list[str]) -> None:
        self._try(texts, decode=False)

    def try_ids(self, ids: list[int]) -> None:
        self._try([[int(number) for number in ids]], decode=True)

    def _try(self, values: list[Any], *, decode: bool) -> None:
        """Raises DataError naming the text over which it does not end."""
        done = 0
        try:
            for _ in self.done(values, decode):
                done += 1
        except DataError as error:
            raise self._refused(values[done], error) from None

    def _refused(self, value: Any, error: DataError) -> DataError:
        what = f"the text that begins {shown(value[:40])}" if isinstance(value, str) else "a token"
        return DataError(f"{self._name}: its tokenizer does not end over {what}: {error}. {ADVICE}")

    def done(self, values: list[Any], decode: bool) -> Iterator[None]:
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
