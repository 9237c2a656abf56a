"""What one cell of a table says: text, a label, or nothing; a missing value has many spellings."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from lora_lab.data.json_text import TooMuch, literal, parsed
from lora_lab.data.left_out import BadRow

LONGEST = 2**23  # characters of a text: two long books; a tokenizer takes 60 to 250 bytes for each


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: null, NaN (as pandas and NumPy write null), NaT, or "".

    Words such as "nan", "NA" or "null" are words.
    """
    if value is None or value == "":
        return True
    if isinstance(value, float | Decimal):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType")


def from_text(text: str) -> Any:
    """Lists and objects from their JSON, or from what Python writes of them, as pandas does.

    Raises ValueError for other text.
    """
    try:
        return parsed(text)
    except ValueError as error:
        if isinstance(error, TooMuch) or not text.lstrip().startswith(("[", "{")):
            raise
        try:
            return literal(text)
        except TooMuch:
            raise
        except ValueError:
            raise error from None


def as_text(value: Any) -> str:
    """A cell as text, "" where it is missing.

    Raises BadRow for lists and objects, for what is too long, for bytes that are not UTF-8, and for
    text that holds half of a surrogate pair, which no tokenizer takes.
    """
    if is_missing(value):
        return ""
    if isinstance(value, list | dict | tuple):
        raise BadRow("there is a list where text belongs")
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise BadRow("there are bytes that are not UTF-8 where text belongs") from None
    text = str(value)
    if len(text) > LONGEST:
        raise BadRow(f"a text has over {LONGEST:,} characters: make several rows of it")
    return well_formed(text)


def well_formed(text: str) -> str:
    """`text` as it is; raises BadRow where it holds half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = ascii(text[error.start])[1:-1]
        where = f"at place {error.start + 1:,}"
        raise BadRow(f"the text holds half of a character ({half}) {where}") from None
    return text


def as_label(value: Any) -> str:
    """A label as a word, "" where it is missing: 1, 1.0 and "1" are the same, True is True."""
    if (
        isinstance(value, float | Decimal)
        and not is_missing(value)
        and math.isfinite(value)
        and value == int(value)
    ):
        value = int(value)
    return as_text(value).strip()


def look_alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that differ in case, space, spelling of a number or of accents alone, in groups."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(plain_form(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def plain_form(name: str) -> str:
    """What names have in common that differ in case, space and spelling alone."""
    form = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    with suppress(ArithmeticError):
        form = str(Decimal(form).normalize())
    return form


def natural_order(name: str) -> tuple[int, float, str]:
    """A key that sorts numbers by their value, before words; the same in every process."""
    try:
        number = float(name)
    except ValueError:
        return (1, 0.0, name)
    return (1, 0.0, name) if math.isnan(number) else (0, number, name)
