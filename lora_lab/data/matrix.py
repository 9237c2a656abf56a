"""One matrix that a person brings: typed, or read from .csv, .txt, .npy or an image.

Typed numbers are kept as exact fractions beside their float64, so that 0.1 is a tenth. What a file
claims is checked before memory is given to it, and no pickle is ever opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from lora_lab.data.images import ENDINGS, Wanted, read_image
from lora_lab.door import door
from lora_lab.errors import DataError, LabError, system_reason

SIDE = 512  # most rows, and most columns
MOST_LINES = 100 * SIDE  # with the empty ones, which are passed over
PICTURE = 256  # an image's longer side is scaled down to this
MOST_TEXT = 8_000_000  # characters of typed text, bytes of a text file
MOST_EXACT = 4096  # numbers that are kept as fractions too
SMALLEST, LARGEST = 1e-100, 1e100  # so that squares and quotients stay within float64
TEXTS = (".csv", ".tsv", ".txt", ".dat")
FILES = " ".join(f"*{ending}" for ending in (*TEXTS, ".npy", *ENDINGS))

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,5})?")
_LONGEST = 400  # characters of one number
_INSIDE = re.compile(r"[^\s\]})]")  # a row's end never stretches over one
_PART = 2**18  # characters of one search, which keeps the window's thread waiting
_ROW_ENDS = re.compile(r"[\r\n;]|[\]})]\s*,")
_DROPPED = str.maketrans({"−": "-", "\t": " ", **dict.fromkeys("[](){}|", " ")})


@dataclass(frozen=True)
class Matrix:
    """A finite matrix of at least one number, each 0 or of a size between 1e-100 and 1e100."""

    values: np.ndarray  # (rows, columns) of float64
    exact: tuple[tuple[Fraction, ...], ...] | None  # as it was written; None where too large
    title: str = ""
    notes: tuple[str, ...] = ()
    picture: bool = False  # grey values, from 0 for black to 255


def parse_matrix(text: str, title: str = "") -> Matrix:
    """A row per line or up to a semicolon; numbers by commas or spaces; 1/3 and 2e-3 are numbers.

    Brackets around rows are passed over, and so are empty lines. Raises DataError naming the row.
    """
    if len(text) > MOST_TEXT:
        raise DataError(f"That is {len(text):,} characters of text; {MOST_TEXT:,} are taken.")
    rows: list[list[str]] = []
    for number, line in enumerate(_lines(text)):
        if number >= MOST_LINES:
            raise DataError(
                f"It has over {MOST_LINES:,} lines, of which {len(rows):,} hold numbers. Take the "
                "empty ones out."
            )
        if words := _words(line):
            rows.append(words)
        if len(rows) > SIDE or len(words) > SIDE:  # before millions are made
            _check_sides(max(len(rows), 1), len(words))
    if not rows:
        raise DataError("There is no number yet. Type a row per line, as in: 1 2 3")
    columns = len(rows[0])
    for number, words in enumerate(rows, 1):
        if len(words) != columns:
            raise DataError(
                f"Row {number} has {_count(len(words))}, row 1 has {_count(columns)}: every row "
                "of a matrix has as many. Add or remove some."
            )
    _check_sides(len(rows), columns)
    exact = None
    if len(rows) * columns <= MOST_EXACT:
        exact = tuple(
            tuple(_number(word, i, j) for j, word in enumerate(words, 1))
            for i, words in enumerate(rows, 1)
        )
        values = np.array([[float(number) for number in row] for row in exact])
    else:
        values = np.array(
            [
                [float(_number(word, i, j)) if "/" in word else _float(word, i, j)
                 for j, word in enumerate(words, 1)]
                for i, words in enumerate(rows, 1)
            ]
        )  # fmt: skip
    return Matrix(values, exact, title)


@door(DataError)
def read_matrix(path: str | Path) -> Matrix:
    """A matrix from a text file, a .npy file of numbers, or an image as grey values.

    An image is scaled down to 256 pixels on its longer side. Raises DataError saying what is wrong
    and where.
    """
    path = Path(path)
    ending = path.suffix.lower()
    try:
        if not path.is_file():  # a pipe would block
            raise DataError("there is no such file")
        if ending == ".npy":
            return _from_npy(path)
        if ending in ENDINGS:
            return _from_image(path)
        if ending in TEXTS:
            return _from_text(path)
        raise DataError("wanted is .csv, .txt, .npy, or an image such as .png")
    except OSError as error:
        reason = system_reason(error)
        raise DataError(f"{path.name}: cannot be read ({reason}).") from error
    except LabError as error:
        raise DataError(f"{path.name}: {str(error).rstrip('.')}.") from error


def matrix_of(values: np.ndarray, title: str = "") -> Matrix:
    """A matrix of numbers that are there already. Raises DataError naming the place."""
    _check_kind(values.dtype)
    if values.ndim == 1:
        values = values[None]
    _check_dimensions(values.ndim)
    if values.size == 0:
        raise DataError(f"it is empty ({values.shape[0]} × {values.shape[1]})")
    _check_sides(*values.shape)
    wide = values.astype(np.float64)
    with np.errstate(invalid="ignore"):
        good = (wide == 0) | ((np.abs(wide) >= SMALLEST) & (np.abs(wide) <= LARGEST))
    if not good.all():
        row, column = (int(i) for i in np.argwhere(~good)[0])
        raise _refused(str(wide[row, column]), row + 1, column + 1)
    exact = None
    if wide.size <= MOST_EXACT:
        exact = tuple(tuple(Fraction(number) for number in row) for row in wide.tolist())
    return Matrix(wide, exact, title)


def _lines(text: str) -> Iterator[str]:
    """The rows of a text, one after the other: there may be millions of them."""
    at = begin = until = 0  # of the row, of what is searched, and the end of that part
    while begin < len(text):
        if begin >= until:
            inside = _INSIDE.search(text, begin + _PART)
            until = inside.end() if inside else len(text)
        if end := _ROW_ENDS.search(text, begin, until):
            yield text[at : end.start()]
            at = begin = end.end()
        else:
            begin = until
    yield text[at:]


def _words(line: str) -> list[str]:
    """The numbers of a row as they were typed; "" where nothing stands between two commas."""
    line = "/".join(part.strip() for part in line.translate(_DROPPED).split("/"))
    if "," not in line:
        return line.split(None, SIDE)
    cells = [cell.split(None, SIDE) or [""] for cell in line.removesuffix(",").split(",", SIDE)]
    return [word for words in cells for word in words] if line.strip(" ,") else []


def _float(word: str, row: int, column: int) -> float:
    """A number without a fraction line."""
    if len(word) > _LONGEST or not _PLAIN.fullmatch(word):
        raise _refused(word, row, column)
    value = float(word)
    lost = value == 0 and re.search("[1-9]", re.split("[eE]", word)[0])  # too small
    if lost or (value and not SMALLEST <= abs(value) <= LARGEST):
        raise _refused(word, row, column)
    return value


def _number(word: str, row: int, column: int) -> Fraction:
    above, line, below = word.partition("/")
    if not line:
        below = "1"
    exact = []
    for part in (above, below):
        if len(part) > _LONGEST or not _PLAIN.fullmatch(part):
            raise _refused(word, row, column)
        value = _float(part, row, column)  # before a fraction is made of 10⁹⁹⁹⁹⁹, or of 0e99999
        exact.append(Fraction(part) if value else Fraction())
    if exact[1] == 0:
        raise DataError(f"Row {row}, column {column}: {word} divides by zero.")
    number = exact[0] / exact[1]
    if number and not SMALLEST <= abs(number) <= LARGEST:
        raise _refused(word, row, column)
    return number


def _refused(word: str, row: int, column: int) -> DataError:
    where = f"Row {row}, column {column}"
    shown = word if len(word) <= 24 else f"{word[:20]}…"
    if not word:
        return DataError(f"{where} is empty: write 0 where nothing is meant.")
    if re.fullmatch(r"[+-]?(nan|inf|infinity)", word, re.IGNORECASE):
        return DataError(f"{where} is {shown}: a matrix with NaN or infinity has no SVD.")
    if len(word) > _LONGEST or not all(map(_PLAIN.fullmatch, word.split("/", 1))):
        return DataError(f"{where}: “{shown}” is not a number.")
    return DataError(f"{where}: {shown} is too large or too small; 1e-100 to 1e100 are taken.")


def _count(number: int, noun: str = "number") -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _over(side: int) -> str:
    """A side, which is counted no further than it has to be."""
    return f"over {SIDE}" if side > SIDE else f"{side}"


def _check_sides(rows: int, columns: int) -> None:
    if max(rows, columns) > SIDE:
        raise DataError(
            f"A matrix of {_over(rows)} × {_over(columns)} is too large for the bench: {SIDE} × "
            f"{SIDE} are taken. Choose a part of it."
        )


def _check_dimensions(number: int) -> None:
    if number != 2:
        raise DataError(f"it has {_count(number, 'dimension')}; a matrix has 2")


def _check_kind(dtype: np.dtype) -> None:
    if dtype.kind not in "biuf":
        raise DataError(f"its entries are of type {dtype}; wanted are real numbers")


def _from_text(path: Path) -> Matrix:
    if path.stat().st_size > MOST_TEXT:
        raise DataError(f"it has {path.stat().st_size:,} bytes; {MOST_TEXT:,} are taken")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("this is not text. Wanted are numbers, a row per line") from None
    return parse_matrix(text, path.name)


def _from_npy(path: Path) -> Matrix:
    """The header is read first: it may claim more than there is memory for, or hold a pickle."""
    form = np.lib.format
    with path.open("rb") as file:
        try:
            version = form.read_magic(file)
            wide = version != (1, 0)
            read = form.read_array_header_2_0 if wide else form.read_array_header_1_0
            shape, _, dtype = read(file)
        except MemoryError:
            raise
        except Exception as error:  # numpy reads the header as a program text, which may be any
            raise DataError("this is no .npy file that can be read") from error
        _check_kind(dtype)
        _check_dimensions(max(2, len(shape)) if shape else 0)  # one dimension is one row
        if not all(type(side) is int and side >= 0 for side in shape):  # numpy reads all for -1
            raise DataError("its header tells of no such matrix. Save it again")
        _check_sides(*(1, *shape)[-2:])
        file.seek(0)
        try:
            values = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, TypeError) as error:
            raise DataError("it is shorter than it says. Save it again") from error
    return matrix_of(values, path.name)


def _from_image(path: Path) -> Matrix:
    from PIL import Image

    grey = read_image(path, Wanted(None, 1))[:, :, 0]
    rows, columns = grey.shape
    notes: tuple[str, ...] = ()
    if max(rows, columns) > PICTURE:
        image = Image.fromarray(grey)
        image.thumbnail((PICTURE, PICTURE), Image.Resampling.BILINEAR)
        grey = np.asarray(image)
        notes = (f"scaled down from {rows:,} × {columns:,} pixels",)
    matrix = matrix_of(grey, path.name)
    return Matrix(matrix.values, matrix.exact, path.name, notes, picture=True)
