"""A chat up to each of its answers: one text with all of them, or one for each, within bounds."""

from __future__ import annotations

from dataclasses import dataclass

from lora_lab.data.chat import Chat
from lora_lab.data.left_out import BadRow

Span = tuple[int, int]  # [begin, end) in characters

# Messages, and characters, of all beginnings of one chat that end with an answer: of a thousand
# messages with an answer in each second. Characters of those that become examples of their own.
MESSAGES, CHARACTERS, APART = 2**18, 2**28, 2**24


@dataclass(frozen=True)
class ChatText:
    """One example of a chat: its text, and the spans in it that the loss asks for."""

    text: str
    spans: tuple[Span, ...]


def beginnings(chat: Chat, whole: str) -> list[int]:
    """The places of the answers that a chat is written up to; BadRow where that takes too long."""
    places = [place for place, trained in enumerate(chat.trained) if trained]
    if sum(places) > MESSAGES or len(places) * len(whole) > CHARACTERS:
        raise BadRow(
            f"to write it up to each of its {len(places):,} answers takes too long: make several "
            f"chats of its {len(chat.messages):,} messages"
        )
    return places


class Answers:
    """The beginnings of a chat, of which each ends with an answer, as a template writes them.

    Raises BadRow, before they are written, where they would be too many or too long.
    """

    def __init__(self, chat: Chat, whole: str) -> None:
        self._whole, self._messages = whole, len(chat.messages)
        self._found: list[tuple[str | int, Span]] = []  # a text, or how much of the whole it is
        self._alike = True  # what stands before each answer is the same once more has been said
        self._size = 0
        self.places = beginnings(chat, whole)

    def add(self, place: int, text: str, span: Span) -> None:
        """The chat up to the answer at `place`, which stands in `span`."""
        same, last = self._whole.startswith(text), place == self._messages - 1
        self._alike &= same or (last and self._whole.startswith(text[: span[0]]))
        self._found.append((len(text) if same else text, span))
        self._size += len(text)
        if not self._alike and self._size > APART:
            raise BadRow(
                "with one example for each answer, since the chat template rewrites earlier turns, "
                f"it has over {APART:,} characters: make several chats of it"
            )

    def examples(self) -> list[ChatText]:
        """One with all answers where that is the same text, or one for each."""
        if self._alike:
            last = self._found[-1][0]  # longer than the whole where its stop token was added
            text = last if isinstance(last, str) and len(last) > len(self._whole) else self._whole
            return [ChatText(text, tuple(span for _, span in self._found))]
        return [
            ChatText(self._whole[:text] if isinstance(text, int) else text, (span,))
            for text, span in self._found
        ]
