"""Tokens as a person reads them: what characters each one adds, spaces and emoji as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BACK = 12  # tokens that are decoded with one, so that what depends on neighbours comes out right


def token_texts(tokenizer: Any, ids: Sequence[int]) -> tuple[str, ...]:
    """What each token adds to the text before it; together they are the text.

    A character of several tokens (an emoji in bytes) stands at the last of them, the others are "".
    """
    texts: list[str] = []
    start = shown = 0  # of the window; tokens of it that have been shown
    for end in range(1, len(ids) + 1):
        before = tokenizer.decode(ids[start:shown], skip_special_tokens=False)
        whole = tokenizer.decode(ids[start:end], skip_special_tokens=False)
        if whole.endswith("�") and end < len(ids) and end - shown < BACK:
            texts.append("")  # half a character: it waits for the rest
            continue
        texts.append(whole[len(before) :])
        shown = end
        start = max(start, end - BACK)
    return tuple(texts)
