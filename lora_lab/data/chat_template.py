"""A chat as its tokenizer's template writes it, and the characters of it that the loss asks for.

The reference is inference: what `apply_chat_template(…, add_generation_prompt=True)` gives is read,
what the model says after it is trained, its stop token included. The templates run in transformers'
sandbox.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lora_lab.data.answers import Answers, ChatText, Span, beginnings
from lora_lab.data.chat import Chat
from lora_lab.data.chat_spellings import left_out, parts_as_text, spellings, unread
from lora_lab.data.left_out import BadRow
from lora_lab.data.looked_for import last_place
from lora_lab.data.template_budget import TemplateBudget, budget
from lora_lab.data.values import well_formed

Messages = Sequence[Mapping[str, Any]]

LONGEST_HEADER = 1000  # characters of one that is looked for piece by piece; usual ones have 30
ANSWERING = ("user", "tool")  # roles whose turn comes when the assistant has ended its own
MARKERS = re.compile(r"\{%-?\+?\s*generation\s*[-+]?%\}")
# What a template writes for "no reasoning": a block with nothing in it, or its end alone.
EMPTY_THINKING = re.compile(
    r"\s*(?:<(think|thinking|reasoning|thought)>\s*</\1>|</think>|"
    r"<\|channel>thought\s*<channel\|>)\s*"
)


@dataclass
class ChatTemplate:
    """The template of one tokenizer, with what it left out of the chats it has written so far.

    `stops` are the texts of the tokens that end an answer at generation.
    """

    tokenizer: Any
    stops: frozenset[str] = frozenset()
    left_out: Counter[str] = field(default_factory=Counter)  # kind of content: number of chats
    without_stop: int = 0  # answers after which the template writes no stop token
    split: int = 0  # chats that became one example per answer
    marked: bool = False  # it says itself where the answers stand

    def __post_init__(self) -> None:
        with suppress(ValueError):  # named templates, none of which is the default
            self.marked = bool(MARKERS.search(self.tokenizer.get_chat_template()))
        tokens = [t for t in self.tokenizer.added_tokens_decoder.values() if t.content.strip()]
        special = {t.content for t in tokens if t.special}  # </tool_call> is none, and ends nothing
        self._ends = self.stops | {t for t in (self.tokenizer.eos_token,) if t}
        # What may end an answer; the longest first, as one of them may begin with another.
        self._stops = _longest_first(self._ends | special)
        self._stop = _any_of(self._stops)
        self._token = _any_of(_longest_first({*self._stops, *(t.content for t in tokens)}))
        self._longest = max((len(t.content) for t in tokens), default=0)
        self._header: str | None = None

    def examples(self, chat: Chat) -> list[ChatText]:
        """The chat as one example, or as one for every answer where its history is rewritten.

        Raises BadRow where the template refuses the chat, with the template's own reason, and
        where it leaves out what the assistant is to learn.
        """
        refusals: list[BadRow] = []
        best: tuple[list[ChatText], Counter[str]] | None = None
        for messages in spellings(chat.messages):
            stopped = self.without_stop
            try:
                examples = self._written(Chat(messages, chat.trained, chat.tools))
            except BadRow as error:
                refusals.append(error)
                continue
            if parts_as_text(chat, examples):  # it knows no parts, and wrote what stands for them
                self.without_stop = stopped
                continue
            missing = left_out(chat, examples)
            if best is None or missing.total() < best[1].total():
                best = examples, missing
            else:
                self.without_stop = stopped
            if not missing:
                break
        if best is None:
            named = [error for error in refusals if "has no attribute" not in str(error)]
            raise (named or refusals)[0]
        examples, missing = best
        for lost in ("answers", "tool calls"):
            if missing[lost]:
                raise BadRow(f"the chat template leaves out {lost} of the assistant")
        self.left_out.update(missing.keys() | unread(chat, self._source(chat)))
        self.split += len(examples) > 1
        return examples

    def notes(self) -> tuple[str, ...]:
        """What the template left out of all chats, and what it did to them, each with a count."""
        notes = [
            f"the chat template leaves out {kind} in {chats:,} chat{'s' if chats > 1 else ''}"
            for kind, chats in sorted(self.left_out.items())
        ]
        if self.without_stop:
            many = "answers" if self.without_stop > 1 else "answer"
            notes.append(
                f"after {self.without_stop:,} {many} the chat template writes no token that ends "
                "them, so the model will not learn to stop"
            )
        if self.split:
            many = "chats are" if self.split > 1 else "chat is"
            notes.append(
                f"{self.split:,} {many} trained as one example for each answer, since the chat "
                "template rewrites earlier turns"
            )
        return tuple(notes)

    def prompt(self, messages: Messages, tools: Sequence[Any] = ()) -> str:
        """What the model reads before it answers."""
        return self._render(messages, tools, prompt=True)

    def _written(self, chat: Chat) -> list[ChatText]:
        if self._is_marked(chat) and (marked := self._by_markers(chat)) is not None:
            return [marked]
        whole = self._render(chat.messages, chat.tools)
        answers = Answers(chat, whole)
        for place in answers.places:
            turn = self._turn(chat, place, whole)
            answers.add(place, turn.text, turn.spans[0])
        return answers.examples()

    def _turn(self, chat: Chat, index: int, whole: str) -> ChatText:
        """The chat up to the answer `index`, and where that one stands."""
        if index == len(chat.messages) - 1:
            text = whole
        else:
            try:
                text = self._render(chat.messages[: index + 1], chat.tools)
            except BadRow:  # some want a user to have spoken: it is read from the whole
                return self._in_whole(chat, index, whole)
        begin = self._begin(chat, index, text)
        text = self._with_stop(chat, index, text)
        return ChatText(text, ((begin, len(text)),))

    def _in_whole(self, chat: Chat, index: int, whole: str) -> ChatText:
        """An answer where no beginning of the chat can be written that ends with it."""
        header, content = self._generation_header(), str(chat.messages[index].get("content") or "")
        place = whole.find(content.strip()) if content.strip() else -1
        if index or place < 0:
            raise BadRow("the chat template does not show where an answer begins")
        at = whole.find(header)
        begin = at + len(header) if header and 0 <= at < place else place
        begin = self._behind_boilerplate(chat.messages[index], whole, begin)
        end = place + len(content.strip())
        return ChatText(whole[: end + self._stop_after(whole, end)],
                        ((begin, end + self._stop_after(whole, end)),))  # fmt: skip

    def _begin(self, chat: Chat, index: int, text: str) -> int:
        """Where an answer begins in `text`, which ends with it: behind its generation prompt."""
        header = self._generation_header()
        before = chat.messages[:index]
        begin, earlier, prompt = -1, 0, ""
        if before:
            prompt = self._render(before, chat.tools, prompt=True)
            begin = self._common(prompt, text)
            if begin < len(prompt):  # a header that only inference has, such as an open <think>
                history = self._render(before, chat.tools)
                if begin < self._common(history, prompt):
                    begin, earlier = -1, self._common(history, text)
        if begin < 0:
            content = str(chat.messages[index].get("content") or "").strip()
            said = last_place(text, content) if content else -1
            # An answer may quote the header, and may stand in one turn with what was said before.
            place = last_place(text[:said] if said >= 0 else text, header) if header else -1
            if place < 0:
                place, header = said, ""
            if place < 0:
                raise BadRow("the chat template does not show where an answer begins")
            begin = max(place + len(header), earlier)
        elif header and not prompt.endswith(header) and text.startswith(header, begin):
            begin += len(header)  # no header is ever learned
        return self._behind_boilerplate(chat.messages[index], text, begin)

    def _behind_boilerplate(self, message: Mapping[str, Any], text: str, begin: int) -> int:
        """Past an empty block of reasoning that the template wrote of its own accord."""
        empty = EMPTY_THINKING.match(text, begin)
        said = str(message.get("content") or "")
        if not empty or said.lstrip().startswith(empty.group().strip()):
            return begin
        block = begin + len(empty.group().rstrip())
        whole = text.find(said, block, empty.end() - 1 + len(said)) if said else -1
        return whole if whole >= 0 else empty.end()  # space that the answer begins with is its own

    def _with_stop(self, chat: Chat, index: int, text: str) -> str:
        """`text` with the stop token of the answer that it ends with.

        Some templates write it at the beginning of the next message only.
        """
        if self._stopped(text):
            return text
        calls = bool(chat.messages[index].get("tool_calls"))
        if index + 1 < len(chat.messages) and chat.messages[index + 1]["role"] in ANSWERING:
            following = chat.messages[index + 1]
        else:  # what another role begins with ends no answer at generation
            following = {"role": "tool" if calls else "user", "content": "?"}
        try:
            more = self._render([*chat.messages[: index + 1], following], chat.tools)
        except BadRow:
            more = ""
        if not more.startswith(text):  # the answer is written otherwise once more is said
            more = text + self._usual_end() if following["role"] == "user" else text
        stop = self._stop_after(more, len(text))
        self.without_stop += not stop
        return more[: len(text) + stop]

    def _usual_end(self) -> str:
        """What stands between a plain answer and the next message of a user."""
        asked = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
        try:
            answered, more = self._render(asked), self._render([*asked, asked[0]])
        except BadRow:
            return ""
        return more[len(answered) :] if more.startswith(answered) else ""

    def _by_markers(self, chat: Chat) -> ChatText | None:
        """The spans of the template's own generation markers, one for every answer.

        None where they do not tell the answers apart, as of two that follow each other.
        """
        text, marked = self._render_marked(chat)
        spans: list[Span] = []
        for begin, end in marked:
            if spans and spans[-1][1] == begin:  # markers around the pieces of one answer
                spans[-1] = spans[-1][0], end
            else:
                spans.append((begin, end))
        answers = [i for i, m in enumerate(chat.messages) if m["role"] == "assistant"]
        if len(spans) != len(answers):
            spans = [(begin, end) for begin, end in spans if begin < end]
        if len(spans) != len(answers):
            return None
        both = [(span, i) for span, i in zip(spans, answers, strict=True) if chat.trained[i]]
        if not all(self._is_behind_header(text, begin) for (begin, _), _ in both):
            beginnings(chat, text)  # which are written to see what stands before an answer
        return ChatText(text, tuple(self._marked_span(chat, i, span, text) for span, i in both))

    def _marked_span(self, chat: Chat, index: int, span: Span, text: str) -> Span:
        """A marked span without the header and the empty reasoning, and with its stop token."""
        begin, end = span
        header = self._generation_header()
        if not self._is_behind_header(text, begin):
            try:
                prompt = (
                    self._render(chat.messages[:index], chat.tools, prompt=True) if index else ""
                )
            except BadRow:
                prompt = ""
            if begin < len(prompt) < end and text.startswith(prompt):
                begin = len(prompt)
            else:
                most = min(len(header), begin, LONGEST_HEADER)
                for length in range(most, -1, -1):  # what stands before the span
                    if text.endswith(header[:length], 0, begin):
                        begin += self._common(header[length:], text[begin:end])
                        break
        begin = min(self._behind_boilerplate(chat.messages[index], text, begin), end)
        if not self._stopped(text[begin:end]):
            stop = self._stop_after(text, end)
            following = chat.messages[index + 1 : index + 2]
            if following and following[0]["role"] not in ANSWERING:  # its header ends no answer
                stop = stop if text[end : end + stop].strip() in self._ends else 0
            self.without_stop += not stop
            end += stop
        return begin, end

    def _is_behind_header(self, text: str, place: int) -> bool:
        header = self._generation_header()
        return bool(header) and text.endswith(header, 0, place)

    def _stopped(self, text: str) -> bool:
        return text.rstrip().endswith(self._stops)

    def _stop_after(self, text: str, end: int) -> int:
        """Characters of the stop token that stands at `end`, with the space before it; or 0."""
        start = end
        while start < len(text) and text[start].isspace():
            start += 1
        stop = self._stop.match(text, start)
        return stop.end() - end if stop else 0

    def _generation_header(self) -> str:
        """What a generation prompt adds to a chat that a user has spoken in last."""
        if self._header is None:
            asked = [{"role": "user", "content": "?"}]
            try:
                plain, prompt = self._render(asked), self._render(asked, prompt=True)
                self._header = prompt[self._common(plain, prompt) :]
            except BadRow:
                self._header = ""
        return self._header

    def _common(self, one: str, other: str) -> int:
        """Characters that two texts begin with alike, no token of the template cut in two."""
        length = _alike(one, other)
        for text in (one, other):
            around = max(0, length - self._longest), length + self._longest
            for token in self._token.finditer(text, *around):
                if token.start() < length < token.end():
                    length = token.start()
        return length

    def _render(self, messages: Messages, tools: Sequence[Any] = (), prompt: bool = False) -> str:
        try:
            with budget():
                text = self.tokenizer.apply_chat_template(
                    list(messages),
                    tools=list(tools) or None,
                    tokenize=False,
                    add_generation_prompt=prompt,
                )
        except TemplateBudget:
            raise
        except Exception as error:
            raise BadRow(f"the chat template refuses it ({str(error)[:80]})") from error
        return well_formed(text)

    def _is_marked(self, chat: Chat) -> bool:
        return bool(MARKERS.search(self._source(chat)))

    def _source(self, chat: Chat) -> str:
        """The template: of several with names, the one that transformers takes for these tools."""
        try:
            return str(self.tokenizer.get_chat_template(tools=list(chat.tools) or None))
        except ValueError as error:
            raise BadRow(f"the chat template refuses it ({str(error)[:80]})") from error

    def _render_marked(self, chat: Chat) -> tuple[str, list[Span]]:
        from transformers.utils.chat_template_utils import render_jinja_template

        messages = [{k: v for k, v in m.items() if v is not None} for m in chat.messages]
        try:
            with budget():
                texts, spans = render_jinja_template(
                    conversations=[messages],
                    tools=list(chat.tools) or None,
                    chat_template=self._source(chat),
                    return_assistant_tokens_mask=True,
                    **self.tokenizer.special_tokens_map,
                )
        except TemplateBudget:
            raise
        except Exception as error:
            raise BadRow(f"the chat template refuses it ({str(error)[:80]})") from error
        return well_formed(texts[0]), [(int(a), int(b)) for a, b in spans[0]]


def _longest_first(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(texts, key=len, reverse=True))


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, texts)) or r"(?!)")


def _alike(one: str, other: str) -> int:
    """Characters that two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
