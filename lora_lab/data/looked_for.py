"""Contents of a chat that are looked for in the texts that its template wrote of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property

from lora_lab.data.left_out import BadRow

MOST = 2**30  # characters that are gone through for one chat: a second, and ten of odd ones


class Texts:
    """Some texts, mostly asked about in the order in which they say things."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self._text = self._at = 0  # where the last content was found
        self._seen = 0  # characters that were gone through

    def hold(self, content: str) -> bool:
        """Whether one of them says this: as it is, as JSON writes it, or with other blanks.

        Raises BadRow where so much was looked for in vain that it takes too long.
        """
        if self._find(content):
            return True
        spellings = (json.dumps(content, ensure_ascii=a)[1:-1] for a in (False, True))
        if any(self._is_in(spelling, self.texts) for spelling in spellings):
            return True
        return self._is_in(" ".join(content.split()), self._folded)

    def _find(self, content: str) -> bool:
        """Look behind what was found last, in the texts after it, then in those before."""
        start, begin = self._text, self._at
        for number in (*range(start, len(self.texts)), *range(start + 1)):
            at = self.texts[number].find(content, begin)
            self._count((at + 1 or len(self.texts[number])) - begin)
            if at >= 0:
                self._text, self._at = number, at + len(content)
                return True
            begin = 0
        return False

    def _is_in(self, content: str, texts: Sequence[str]) -> bool:
        self._count(sum(map(len, texts)))
        return any(content in text for text in texts)

    @cached_property
    def _folded(self) -> list[str]:
        return [" ".join(text.split()) for text in self.texts]

    def _count(self, characters: int) -> None:
        self._seen += max(0, characters)
        if self._seen > MOST:
            raise BadRow(
                "the chat template leaves out so many of its messages that it takes too long to "
                "look for them: make several chats of it"
            )


def last_place(text: str, sought: str) -> int:
    """`text.rfind(sought)`, which looks at each place of a long text for all of what is sought."""
    found = text[::-1].find(sought[::-1])
    return len(text) - found - len(sought) if found >= 0 else -1
