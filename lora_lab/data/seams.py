"""Prompt and completion as tokens: each as the model meets it, with nothing added where they meet.

At generation the prompt comes alone, so it is tokenized alone. SentencePiece tokenizers put a space
before every text; a completion is not the beginning of one, and gets none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lora_lab.data.dialogue import Piece

BEFORE = "\n"  # what a completion is tokenized behind, where a space would be added before it


def encode_pieces(
    rows: Sequence[Sequence[Piece]], tokenizer: Any
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(ids (tokens) of int32, supervised (tokens) of bool) of each row of one or two pieces.

    The first piece has the tokenizer's beginning, whatever the other rows are, and the last one its
    end; neither is doubled where the text says it already.
    """
    bos, eos = tokenizer.bos_token, tokenizer.eos_token_id
    starts = [parts[0][0] for parts in rows]
    own = [bool(bos) and text.startswith(bos) for text in starts]
    first = _tokenized(tokenizer, starts, own)
    rest = [parts[1][0] if len(parts) > 1 else "" for parts in rows]
    second = completions(tokenizer, starts, first, rest)
    ends = {eos, getattr(tokenizer, "sep_token_id", None)} - {None}
    for parts, a, b in zip(rows, first, second, strict=True):
        while a and a[-1] in ends and not parts[0][0].endswith(tokenizer.decode(a[-1:])):
            a = a[:-1]  # some tokenizers end every text
        asked = [parts[0][1]] * len(a) + [True] * len(b)
        ids = [*a, *b]
        if eos is not None and ids[-1:] != [eos]:
            ids.append(eos)
        asked += [True] * (len(ids) - len(asked))
        yield np.array(ids, dtype=np.int32), np.array(asked, dtype=bool)


def adds_space(tokenizer: Any) -> bool:
    """Whether the tokenizer puts a space before a text, as SentencePiece does (`▁`)."""
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("a", add_special_tokens=False)["input_ids"])
    return bool(pieces) and pieces[0].startswith("▁")


def completions(
    tokenizer: Any, prompts: Sequence[str], prompt_ids: Sequence[list[int]], texts: Sequence[str]
) -> list[list[int]]:
    """The ids of what follows each prompt, with no space that its text does not have."""
    alone = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    if not any(texts) or not adds_space(tokenizer):
        return alone
    behind = tokenizer([BEFORE + text for text in texts], add_special_tokens=False)["input_ids"]
    before = tokenizer(BEFORE, add_special_tokens=False)["input_ids"]
    together = tokenizer(
        [p + t for p, t in zip(prompts, texts, strict=True)], add_special_tokens=False
    )["input_ids"]
    special = tokenizer.num_special_tokens_to_add() and _beginning(tokenizer)
    found = []
    for prompt, text, start, one, two, whole in zip(
        prompts, texts, prompt_ids, alone, behind, together, strict=True
    ):
        own = start[len(special) :] if special and start[: len(special)] == special else start
        if not prompt:
            found.append(one)  # it is the beginning of a text
        elif whole[: len(own)] == own:
            found.append(whole[len(own) :])
        elif two[: len(before)] == before:
            found.append(two[len(before) :])
        else:
            found.append(one if text else [])
    return found


def _beginning(tokenizer: Any) -> list[int]:
    """What the tokenizer writes before the tokens of a text."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    for at in range(len(whole) - len(plain) + 1):
        if whole[at : at + len(plain)] == plain:
            return whole[:at]
    return []


def _tokenized(tokenizer: Any, texts: Sequence[str], own: Sequence[bool]) -> list[list[int]]:
    """Texts with the tokenizer's beginning, but for those that bring their `own`."""
    ids = tokenizer(list(texts))["input_ids"]
    if any(own):
        plain = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        ids = [p if mine else i for i, p, mine in zip(ids, plain, own, strict=True)]
    return ids
