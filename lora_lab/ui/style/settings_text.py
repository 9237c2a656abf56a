"""The text of the settings file: plain texts and bytes, as Qt's INI files hold them, nothing else.

Qt itself would read anything out of such a file, objects of Python among it, which run what they
say. So it never reads one; a lab that lets it can still read what is written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lora_lab.names import shown
from lora_lab.runs.own_files import well_formed

Value = str | bytes

GENERAL = "General"  # the group of what has none
GROUP = re.compile(r"\[([\w.-]+)\]", re.ASCII)
LINE = re.compile(r'([\w.\\-]+)=(?:"((?:[^"\\]|\\.)*)"|((?:[^"\\]|\\.)*))', re.ASCII)
ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]+)|(0[0-7]*|.))")
LETTERS = dict(zip("0abfnrtv\"?'\\", "\0\a\b\f\n\r\t\v\"?'\\", strict=True))
ESCAPED = re.compile(r'["\\\x00-\x1f\x7f][0-9A-Fa-f]*')  # a digit would be read as one of \x…


def parsed(data: bytes) -> dict[str, Value]:
    """What a file says, by group/key; raises ValueError for what the lab does not write."""
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    values: dict[str, Value] = {}
    before = ""
    for number, line in enumerate(lines, 1):
        line = line.strip(" \t\r")
        if not line or line.startswith(";"):
            continue
        if match := GROUP.fullmatch(line):
            before = "" if match[1] == GENERAL else f"{match[1]}/"
        elif match := LINE.fullmatch(line):
            key = before + match[1].replace("\\", "/")
            values[key] = _value(match[3] if match[2] is None else match[2], number)
        else:
            raise ValueError(f"line {number:,} of it is no setting")
    return values


def written(values: Mapping[str, Value]) -> bytes:
    """The file that says so."""
    groups: dict[str, list[str]] = {}
    for key, value in values.items():
        group, _, name = key.rpartition("/")
        text = f"@{value}" if isinstance(value, str) and value.startswith("@") else value
        text = f"@ByteArray({text.decode('latin-1')})" if isinstance(text, bytes) else text
        text = ESCAPED.sub(lambda m: "".join(f"\\x{ord(sign):x}" for sign in m[0]), text)
        groups.setdefault(group or GENERAL, []).append(f'{name}="{well_formed(text)}"\n')
    parts = (f"[{group}]\n{''.join(lines)}" for group, lines in groups.items())
    return "\n".join(parts).encode()


def _value(text: str, number: int) -> Value:
    text = ESCAPE.sub(_sign, text)
    if not text.startswith("@"):
        return text
    if text.startswith("@@"):
        return text[1:]
    kind, _, inner = text[:-1].partition("(")
    if text.endswith(")") and kind == "@String":  # so Qt holds a text with a zero in it
        return inner
    if text.endswith(")") and kind == "@ByteArray" and max(inner, default="") <= "\xff":
        return inner.encode("latin-1")
    raise ValueError(f"line {number:,} is nothing that the lab writes there: {shown(text)}")


def _sign(match: re.Match[str]) -> str:
    digits, letter = match.groups()
    if letter is not None and letter in LETTERS:
        return LETTERS[letter]
    if digits and (code := int(digits[:8], 16)) < 0x110000 and len(digits) <= 8:
        return well_formed(chr(code))
    raise ValueError(f"{match[0][:20]} in it is no letter")
