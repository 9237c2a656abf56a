"""How a number that a person typed is read: one reading of commas, blanks, signs and powers."""

from __future__ import annotations

import math
import re

from lora_lab.errors import ConfigError

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+")
# A power of ten alone or after a factor: 10^-4, 10**-4, 2·10^-3, 2 x 10^-3.
_POWER = re.compile(r"(?:(.*?)\s*[·*×x]\s*)??([+-]?)10\s*(?:\^|\*\*)\s*([+-]?\d+)", re.IGNORECASE)
# Groups of three after a first one that is no zero: 1,000 is a thousand, 0,001 a thousandth.
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:([,\s'’_])\d{3})(?:\1\d{3})*(?:\.\d*)?")
_SPACED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\s\d{3})+,\d*")
_PLAIN = re.compile(r"[+-]?(?!0\d+,)(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?", re.IGNORECASE)


def read_number(text: str) -> float:
    """The finite number that `text` means; raises ConfigError, with the reason, for what is none.

    A comma with three digits after it parts thousands, as in the numbers that the lab prints; any
    other single comma is a decimal one. Blanks and apostrophes part thousands, "%" divides by 100,
    and signs and powers may be typographic: −3, 1e−4, 10⁻⁴, 2·10^-3.
    """
    clean = _RAISED.sub(lambda m: "^" + m[0].translate(_SUPERSCRIPTS), text.strip())
    clean = re.sub("[−–‐‑﹣－]", "-", clean)
    share = clean.endswith("%")
    clean = clean.removesuffix("%").rstrip()
    if power := _POWER.fullmatch(clean):
        factor, sign, exponent = power.groups()
        clean = f"{factor}e{exponent}" if factor else f"{sign}1e{exponent}"
    if _GROUPED.fullmatch(clean):
        clean = re.sub(r"[,\s'’_]", "", clean)
    elif _SPACED.fullmatch(clean):
        clean = re.sub(r"\s", "", clean)
    if not _PLAIN.fullmatch(clean):
        raise ConfigError(f"{_shown(text)} is not a number.")
    value = float(clean.replace(",", ".")) / (100 if share else 1)
    if not math.isfinite(value):
        raise ConfigError(f"{_shown(text)} is larger than any number here.")
    return value


def read_whole(text: str) -> int:
    """The whole number that `text` means; raises ConfigError for what is none."""
    value = read_number(text)
    if value != round(value):
        raise ConfigError(f"{_shown(text)} is not a whole number.")
    return round(value)


def within(value: float, low: float, high: float) -> None:
    """Raises ConfigError where `value` is outside of low … high, and says which end it passed."""
    if value < low:
        raise ConfigError(f"{value:.12g} is below the least value, {low:.12g}.")
    if value > high:
        raise ConfigError(f"{value:.12g} is above the largest value, {high:.12g}.")


def parts(text: str, whole: bool = False) -> list[str]:
    """The values of a list that a person typed, apart by blanks, semicolons or commas.

    1,000 stays one number, as everywhere. Two digits with one comma between them are a list only of
    `whole` numbers; elsewhere they may mean a decimal comma: raises ConfigError, which asks.
    """
    found = []
    for part in re.split(r"\s*[;\s]\s*|,\s+", text.strip().rstrip(",;")):
        bare = part.strip(",")
        if "," not in bare or _GROUPED.fullmatch(bare):
            found.append(bare)
        elif not whole and re.fullmatch(r"\d+,\d+", bare):
            one, other = bare.split(",")
            raise ConfigError(
                f"{bare} may mean {one}.{other} or two values: "
                f"write {one}.{other}, or {one}, {other} with a blank."
            )
        else:
            found += bare.split(",")
    return [part for part in found if part]


def _shown(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 40 else text[:39] + "…")
