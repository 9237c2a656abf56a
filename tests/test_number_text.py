"""What people type as a number, and what is not taken for one."""

import math

import pytest

from lora_lab.errors import ConfigError
from lora_lab.number_text import parts, read_number, read_whole, within

READ = {
    "16": 16, " 0.05 ": 0.05, "1e-4": 1e-4, "1E-4": 1e-4, "2e4": 2e4, ".5": 0.5, "5.": 5,
    "1,000": 1000, "40,000": 40_000, "1,234,567.5": 1_234_567.5, "-1,000": -1000,
    "1,5": 1.5, "0,01": 0.01, "0,001": 0.001, "12,3456": 12.3456, "1,5e-3": 1.5e-3,
    "1 000": 1000, "1\u00a0000": 1000, "1\u202f000,5": 1000.5, "1'000": 1000, "1_000": 1000,
    "5%": 0.05, "5 %": 0.05, "12,5 %": 0.125,
    "−3": -3, "1e−4": 1e-4, "–3": -3, "+3": 3,
    "10^-4": 1e-4, "10⁻⁴": 1e-4, "10**-4": 1e-4, "-10^2": -100, "10^3": 1000,
    "2·10⁻³": 2e-3, "2 × 10^-3": 2e-3, "2*10^-3": 2e-3, "2x10^3": 2000, "1,5·10^-3": 1.5e-3,
}  # fmt: skip

REFUSED = (
    "", " ", "abc", "1e", "e5", "--3", "1.000,5", "1,00,0", "1,2,3", "01,000", "1 5", "1,000,00",
    "0x10", "inf", "nan", "1e999", "5%%", "%", "10^", "^2", "1,0001,000", "1.2.3", "٣٫٥",
)  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_a_number_is_read_as_it_is_meant(text):
    assert math.isclose(read_number(text), READ[text], rel_tol=1e-15)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_number_is_refused_with_its_words(text):
    with pytest.raises(ConfigError, match=r"not a number|larger than any"):
        read_number(text)


def test_the_lab_reads_what_it_prints():
    from lora_lab.config import plain_number

    for value in (16, 0.05, 1e-4, 3.3e-7, 40_000, 1e6, 0.9, 2.5):
        assert read_number(plain_number(value)) == value
        assert read_number(f"{value:,}") == value


def test_a_whole_number_is_not_rounded():
    assert read_whole("1,000") == 1000
    assert read_whole("1e3") == 1000
    with pytest.raises(ConfigError, match="whole"):
        read_whole("1,5")


def test_limits_say_which_end_was_passed():
    within(1, 1, 2)
    with pytest.raises(ConfigError, match=r"20000 is above the largest value, 10\."):
        within(2e4, 1e-6, 10)
    with pytest.raises(ConfigError, match=r"-3 is below the least value, 1e-06\."):
        within(-3, 1e-6, 10)


@pytest.mark.parametrize(
    ("text", "whole", "expected"),
    [
        ("1, 2, 4", True, ["1", "2", "4"]), ("1,2,4", True, ["1", "2", "4"]),
        ("4,8", True, ["4", "8"]), ("1,000", True, ["1,000"]), ("8, 1,000", True, ["8", "1,000"]),
        ("1 2\t4", True, ["1", "2", "4"]), ("1;2", True, ["1", "2"]), ("", True, []),
        ("1, 2, ", True, ["1", "2"]), ("1e-3,3e-3", False, ["1e-3", "3e-3"]),
        ("16, r, 2r", False, ["16", "r", "2r"]), ("16,r,2r", False, ["16", "r", "2r"]),
        ("0.1,0.2", False, ["0.1", "0.2"]), ("1,000", False, ["1,000"]),
    ],
)  # fmt: skip
def test_a_list_is_taken_apart_where_no_number_is(text, whole, expected):
    assert parts(text, whole) == expected


def test_a_comma_that_may_mean_two_things_asks():
    with pytest.raises(ConfigError, match=r"1,5 may mean 1\.5 or two values"):
        parts("1,5")
