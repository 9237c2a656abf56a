"""Folders whose tokenizers once froze, filled or ended the lab, each by a few lines of one file."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.models.tiny import save

CONFIG, MAP, ADDED, WHOLE = ("tokenizer_config.json", "special_tokens_map.json",
                             "added_tokens.json", "tokenizer.json")  # fmt: skip
LONG = "a" * 5_000_000
DEEP = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a" * 400_000, -1], ["a", -2]]}

# Of one letter, a ligature of eighteen.
GROWING: list[dict[str, Any]] = [
    {"type": "Replace", "pattern": {"Regex": "."}, "content": "\ufdfa"}, {"type": "NFKD"},
]  # fmt: skip


def changed(folder: Path, name: str, more: dict[str, Any] | bytes) -> None:
    """A tiny model's folder in which one file says more, or is something else."""
    save(folder, "llama", chat=True)
    file = folder / name
    if isinstance(more, bytes):
        file.write_bytes(more)
        return
    had = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**had, **more}))


def random_texts(count: int, length: int) -> list[str]:
    letters = random.Random(0)
    return ["".join(letters.choices("abcdefghijklmnop", k=length)) for _ in range(count)]


def tokens(texts: list[str]) -> list[dict[str, Any]]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return [{"id": 320 + i, "content": x, "special": True, **flags} for i, x in enumerate(texts)]


def charsmap() -> str:
    return base64.b64encode((2**32 - 4).to_bytes(4, "little") + b"a" * 40).decode()


def by_another_name(folder: Path) -> None:
    changed(folder, CONFIG, {"fast_tokenizer_files": ["tokenizer.4.0.0.json"]})
    told = json.loads((folder / WHOLE).read_text())
    (folder / "tokenizer.4.0.0.json").write_text(json.dumps({**told, "model": DEEP}))


def twice() -> bytes:
    names = "".join(f'"{i}":0,' for i in range(90_000))
    return f'{{{names}"z":0,"z":0}}'.encode()


def tokenizers() -> dict[str, tuple[Callable[[Path], Any], str]]:
    """What writes each, and what its refusal says."""
    many = random_texts(300, 9000)
    told: dict[str, tuple[str, Any, str]] = {
        "a token of 5 MB": (CONFIG, {"bos_token": LONG}, "far longer"),
        "one of its own": (CONFIG, {"image_token": LONG}, "far longer"),
        "one of the old file": (MAP, {"pad_token": LONG}, "far longer"),
        "one by its key": (ADDED, {LONG: 321}, "far longer"),
        "added tokens": (WHOLE, {"added_tokens": tokens(many)}, "have [0-9,]+ letters"),
        "added tokens in a list": (
            CONFIG, {"additional_special_tokens": many}, "have [0-9,]+ letters"),
        "added tokens by key": (ADDED, {text: 320 + i for i, text in enumerate(many)}, "letters"),
        "many words": (CONFIG, {"tokenizer_class": "T5Tokenizer", "extra_ids": 10**9}, "extra_ids"),
        "many words of bytes": (
            CONFIG, {"tokenizer_class": "ByT5Tokenizer", "extra_ids": 10**9}, "extra_ids"),
        "many words by the old file": (MAP, {"extra_ids": 10**9}, "extra_ids"),
        "an offset": (CONFIG, {"tokenizer_class": "PegasusTokenizer", "offset": 10**9}, "offset"),
        "a table of characters": (
            WHOLE, {"normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap()}},
            "claims more bytes"),
        "many letters of pieces": (
            WHOLE, {"model": {**DEEP, "vocab": [["<unk>", 0.0],
                              *([text, -1.0] for text in random_texts(4000, 2000))]}}, "letters"),
        "steps that grow what is added": (
            WHOLE, {"normalizer": {"type": "Sequence", "normalizers": GROWING * 5},
                    "added_tokens": [
                {**tokens(["the cat"])[0], "special": False, "normalized": True}]},
            "does not end over"),
        "many steps": (WHOLE, {"normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"}] * 500_000}}, "tables are more"),
        "pieces in the settings": (CONFIG, {"vocab": DEEP["vocab"]}, "vocab|far longer"),
        "names given twice": (CONFIG, twice(), "given twice"),
        "names of a config given twice": ("config.json", twice(), "given twice"),
        "lists of a config": (CONFIG, b'{"x": [' + b"[]," * 5_000_000 + b"[]]}", "too many"),
        "lists of a tokenizer": (WHOLE, b'{"x": [' + b"[]," * 5_000_000 + b"[]]}", "too many"),
        "a model in front of another": (
            WHOLE, b'{"model": %s, "model": {}}' % json.dumps(DEEP).encode(), "given twice"),
        "a number that ends all looks": (
            WHOLE, b'{"x": %s, "model": %s}' % (b"1" * 5000, json.dumps(DEEP).encode()),
            "not valid JSON"),
    }  # fmt: skip
    found = {
        name: (lambda p, file=file, more=more: changed(p, file, more), words)
        for name, (file, more, words) in told.items()
    }
    found["a file by another name"] = (by_another_name, "fast_tokenizer_files")
    return {f"{name} in a folder of words": how for name, how in found.items()}
