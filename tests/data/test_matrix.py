"""What is typed or read becomes a matrix, exact to the digit; what is none is named by its row."""

import pickle
import random
import time
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from lora_lab.data import matrix as rows_of
from lora_lab.data.matrix import MOST_EXACT, SIDE, matrix_of, parse_matrix, read_matrix
from lora_lab.errors import DataError

F = Fraction


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1 2 3\n2 4 6\n1 3 5", [[1, 2, 3], [2, 4, 6], [1, 3, 5]]),
        ("1,2;3,4", [[1, 2], [3, 4]]),
        ("1, 2,\r\n3, 4,\r\n", [[1, 2], [3, 4]]),
        ("  1\t2 \n\n\n 3 4  ", [[1, 2], [3, 4]]),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ("((1, 2), (3, 4))", [[1, 2], [3, 4]]),
        ("{{1, 2}, {3, 4}}", [[1, 2], [3, 4]]),
        ("1/3 -2/4 1 / 7", [[F(1, 3), F(-1, 2), F(1, 7)]]),
        ("0.1 .5 2. −3 +4", [[F(1, 10), F(1, 2), 2, -3, 4]]),
        ("1e-3 2E2 0.5/1e2", [[F(1, 1000), 200, F(1, 200)]]),
        ("0 0.0 0e99999", [[0, 0, 0]]),
        ("-0e99999/3e5 0e-99999 5/2e1", [[0, 0, F(1, 4)]]),
        ("7", [[7]]),
    ],
)
def test_typed_numbers_are_exact(text, rows):
    matrix = parse_matrix(text)
    assert [list(row) for row in matrix.exact] == rows
    assert matrix.values.dtype == np.float64
    assert matrix.values.tolist() == [[float(x) for x in row] for row in rows]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no number yet"),
        (" ;\n,", "no number yet"),
        ("1 2 3\n4 5", "Row 2 has 2 numbers, row 1 has 3 numbers"),
        ("1\n2 3", "Row 2 has 2 numbers, row 1 has 1 number:"),
        ("1 2\n3 x", "Row 2, column 2: “x” is not a number"),
        ("1,,2", "Row 1, column 2 is empty"),
        ("1 nan", "Row 1, column 2 is nan: a matrix with NaN or infinity has no SVD"),
        ("1\n-inf", "Row 2, column 1 is -inf"),
        ("1/0", "divides by zero"),
        ("1/0e-99999", "divides by zero"),
        ("1//2", "“1//2” is not a number"),
        ("2/", "“2/” is not a number"),
        ("1e101", "too large or too small"),
        ("1e-101", "too large or too small"),
        ("1e99999", "too large or too small"),
        ("1e-99999", "too large or too small"),
        ("1e60/1e-60", "too large or too small"),
        ("1e999999999", "is not a number"),
        ("9" * 500, "“99999999999999999999…” is not a number"),
        ("1 " * (SIDE + 1), "too large for the bench"),
        ("1;" * (SIDE + 1), "too large for the bench"),
    ],
)
def test_what_is_typed_wrong_is_named(text, said):
    started = time.process_time()
    with pytest.raises(DataError, match=said):
        parse_matrix(text)
    assert time.process_time() - started < 5  # no power of ten was written out


def test_a_large_table_is_read_as_floats_alone():
    values = np.random.default_rng(0).standard_normal((80, 70))
    assert values.size > MOST_EXACT
    matrix = parse_matrix("\n".join(" ".join(map(repr, row)) for row in values.tolist()))
    assert (matrix.values == values).all()
    assert matrix.exact is None
    with pytest.raises(DataError, match="Row 80, column 70"):
        parse_matrix("\n".join(["1 " * 70] * 79 + ["1 " * 69 + "one"]))


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "A.TSV"])
def test_text_files(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\xef\xbb\xbf1,2\r\n3,1/4\r\n")
    matrix = read_matrix(path)
    assert matrix.exact == ((1, 2), (3, F(1, 4)))
    assert matrix.title == name


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.int16).reshape(3, 2)),
        np.array([[True, False]]),
        np.arange(4, dtype=np.float16),
        np.array(3.0),
    ],
    ids=["float64", "int16", "bool", "one row", "no dimension"],
)
def test_npy_files(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    if array.ndim == 0:
        with pytest.raises(DataError, match="0 dimensions"):
            read_matrix(tmp_path / "a.npy")
        return
    matrix = read_matrix(tmp_path / "a.npy")
    assert (matrix.values == np.atleast_2d(array)).all()
    assert matrix.exact[0][0] == F(float(np.atleast_2d(array)[0, 0]))


def npy_claiming(path, shape, descr="<f8"):
    with path.open("wb") as file:
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
    return path


class Trap:
    def __reduce__(self):
        raise AssertionError("a pickle was opened")


BAD = {
    "cube": lambda p: np.save(p, np.zeros((2, 2, 2))) or "3 dimensions",
    "complex": lambda p: np.save(p, np.zeros((2, 2), complex)) or "complex128",
    "empty": lambda p: np.save(p, np.zeros((0, 2))) or "empty",
    "nan": lambda p: np.save(p, np.array([[1, np.nan]])) or "Row 1, column 2 is nan",
    "inf": lambda p: np.save(p, np.array([[-np.inf, 1]])) or "Row 1, column 1 is -inf",
    "huge": lambda p: np.save(p, np.array([[1e200, 1]])) or "too large or too small",
    "wide": lambda p: np.save(p, np.zeros((1, 600), np.float16)) or "too large for the bench",
    "claims": lambda p: npy_claiming(p, (10**9, 10**9)) and "too large for the bench",
    "short": lambda p: npy_claiming(p, (100, 100)) and "shorter than it says",
    "negative": lambda p: npy_claiming(p, (-2, 3)) and "no such matrix",
    "all there is": lambda p: npy_claiming(p, (-1, 1)) and "no such matrix",
    "a truth": lambda p: npy_claiming(p, (True, 3)) and "no such matrix",
    "garbage": lambda p: p.write_bytes(b"hello") and "no .npy file",
    "object": lambda p: np.save(p, np.array([[{}]], object), allow_pickle=True) or "type object",
    "pickle": lambda p: p.write_bytes(pickle.dumps([1, 2])) and "no .npy file",
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_npy_files_that_are_no_matrix_are_refused(tmp_path, make):
    said = make(tmp_path / "a.npy")
    with pytest.raises(DataError, match=f"a.npy: .*({said})"):
        read_matrix(tmp_path / "a.npy")


def test_an_image_is_grey_values_of_a_bounded_size(tmp_path):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None], 40, axis=0)
    Image.fromarray(ramp).save(tmp_path / "small.png")
    matrix = read_matrix(tmp_path / "small.png")
    assert matrix.picture
    assert (matrix.values == ramp).all()
    assert not matrix.notes
    Image.new("RGB", (1200, 300), (255, 255, 255)).save(tmp_path / "large.jpg")
    matrix = read_matrix(tmp_path / "large.jpg")
    assert matrix.values.shape == (64, 256)
    assert matrix.values.min() > 250
    assert matrix.notes == ("scaled down from 300 × 1,200 pixels",)


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("a.png", b"no image", "no image that can be read"),
        ("a.csv", b"\xff\xfe\x00", "not text"),
        ("a.csv", b"name,age\n1,2", "Row 1, column 1: “name” is not a number"),
        ("a.docx", b"x", "wanted is .csv"),
    ],
)
def test_files_that_are_no_matrix_are_refused(tmp_path, name, raw, said):
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError, match=f"{name}: .*{said}"):
        read_matrix(tmp_path / name)


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.npy"):
        with pytest.raises(DataError, match="no such file"):
            read_matrix(path)


def test_arrays_are_checked_like_files():
    assert matrix_of(np.array([[1, 2]], np.uint8)).exact == ((1, 2),)
    with pytest.raises(DataError, match="type <U1"):
        matrix_of(np.array([["a"]]))


LONG = {
    "blanks": "1" + " " * 400_000 + "2",
    "blanks before a slash": "1" + " " * 400_000 + "/ 2 3",
    "blanks and slashes": "1 " + " / " * 200_000,
    "tabs": "1" + "\t" * 400_000 + "x",
    "brackets": "[" * 400_000 + "1" + "]" * 400_000,
    "brackets and blanks": "] " * 400_000,
    "bracket and blanks": "1]" + " " * 400_000 + "2",
    "rows": "1\n" * 3_900_000,
    "semicolons": "1;" * 3_900_000,
    "columns": "1 " * 3_900_000,
    "commas": "1," * 3_900_000,
    "empty cells": "," * 7_000_000,
    "empty rows": "1" + ";" * 7_000_000,
    "empty rows of brackets": "1" + "]," * 3_900_000,
    "empty lines": "1" + "\n" * 7_000_000,
    "empty lines of blanks": "1" + " \n" * 3_900_000 + "2",
    "an empty line of brackets": "1" + "]" * 3_500_000 + " " * 3_500_000,
    "one number": "1" * 7_000_000,
    "zeros with an exponent": "0e99999," * 4000,
    "fractions of zeros": "0e99999/1e9," * 4000,
}


@pytest.mark.parametrize("case", LONG)
def test_text_of_any_form_is_judged_in_a_moment(case):
    """The bench reads as one types: a second is a window that stands still."""
    began = time.process_time()
    with suppress(DataError):
        parse_matrix(LONG[case])
    assert time.process_time() - began < 1.5


@pytest.mark.parametrize("part", [1, 2, 3, 7])
def test_a_text_that_is_searched_in_parts_has_the_rows_it_has_as_a_whole(part, monkeypatch):
    """Also where a bracket, blanks and the comma that makes them a row's end are parted."""
    choice = random.Random(part)
    monkeypatch.setattr(rows_of, "_PART", part)
    for _ in range(2000):
        text = "".join(choice.choices("1 ],;[)\n}x  ", k=choice.randrange(14)))
        assert list(rows_of._lines(text)) == rows_of._ROW_ENDS.split(text)
