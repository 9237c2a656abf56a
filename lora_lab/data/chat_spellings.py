"""The spellings in which chat templates may want a message, and what one of them left out.

Templates disagree on arguments of calls (an object, or its JSON), on content that is absent, and on
content as a list of parts; what they cannot place they drop without a word, so it is looked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from lora_lab.data.chat import IMAGE, REASONING_KEYS, Chat, reasoning_of
from lora_lab.data.json_text import parsed
from lora_lab.data.looked_for import Texts

Messages = tuple[dict[str, Any], ...]
# What is looked for by what it says, or says nothing by itself.
ELSEWHERE = ("role", "content", "tool_calls", "tool_call_id", "id", *REASONING_KEYS)


class Written(Protocol):
    """One example of a chat: its text, and the spans in it that the loss asks for."""

    text: str
    spans: tuple[tuple[int, int], ...]


def spellings(messages: Messages) -> Iterator[Messages]:
    """The messages as they are, then in the other spellings that templates know.

    Arguments of calls as objects and as JSON, absent content as "", text as a list of parts.
    """
    as_objects = tuple(_with_arguments(m, objects=True) for m in messages)
    as_json = tuple(_with_arguments(m, objects=False) for m in messages)
    seen = []
    for one in (as_objects, as_json):
        for two in (one, tuple({"content": "", **m} for m in one)):
            if two not in seen:
                seen.append(two)
                yield two
    parts = tuple(
        {**m, "content": [{"type": "text", "text": m["content"]}]} if "content" in m else m
        for m in as_objects
    )
    yield parts


def _with_arguments(message: dict[str, Any], *, objects: bool) -> dict[str, Any]:
    if not message.get("tool_calls"):
        return message
    calls = []
    for call in message["tool_calls"]:
        arguments = call["function"]["arguments"]
        if objects and isinstance(arguments, str):
            with suppress(ValueError):
                arguments = parsed(arguments)
        elif not objects and not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        calls.append({**call, "function": {**call["function"], "arguments": arguments}})
    return {**message, "tool_calls": calls}


def parts_as_text(chat: Chat, examples: Sequence[Written]) -> bool:
    """Whether a template wrote a list of parts as it stands, in place of their text."""
    marks = ('{"type": "text"', "{'type': 'text'")
    there = [mark for mark in marks if any(mark in example.text for example in examples)]
    if not there:
        return False
    own = str(chat.messages) + json.dumps(chat.messages, ensure_ascii=False)
    return any(mark not in own for mark in there)


def left_out(chat: Chat, examples: Sequence[Written]) -> Counter[str]:
    """Which kinds of content of a chat stand in none of its examples, and of how many messages.

    What is to be learned has to stand in its own span, the rest anywhere.
    """
    texts = Texts([example.text for example in examples])
    spans = iter([e.text[begin:end] for e in examples for begin, end in e.spans])
    missing: Counter[str] = Counter()

    def note(kind: str, content: str, places: Texts) -> None:
        content = content.strip()
        missing[kind] += bool(content) and not places.hold(content)

    read = max(i for i, trained in enumerate(chat.trained) if trained)
    for message, trained in zip(chat.messages[: read + 1], chat.trained, strict=False):
        role, content = message["role"], str(message.get("content") or "")
        places = Texts([next(spans)]) if trained else texts
        if trained:
            reasoning = reasoning_of(message)
            if "</think>" in content:
                inside, _, content = content.rpartition("</think>")
                reasoning = reasoning or inside.rpartition("<think>")[2]
            note("reasoning", reasoning, places)
            calls = Counter(c["function"]["name"] for c in message.get("tool_calls") or ())
            for name, count in calls.items():  # some templates write the first call alone
                note(
                    "tool calls",
                    name if places.texts[0].count(name) >= count else f"\0{name}",
                    places,
                )
        kind = {"assistant": "answers" if trained else "earlier answers", "user": "user messages",
                "tool": "tool results"}.get(role, f"{role} messages")  # fmt: skip
        for said in content.split(IMAGE):
            note(kind, said, places)
    for tool in chat.tools:
        note("tools", str(tool.get("function", tool).get("name", "")), texts)
    return +missing


def unread(chat: Chat, source: str) -> set[str]:
    """What messages of a chat hold beside their content that its template never asks for."""
    keys = {
        key
        for message in chat.messages
        for key, value in message.items()
        if value not in ("", [], {}) and not (key == "name" and message["role"] == "tool")
    }
    return {f"{key[:40]!r} of messages" for key in keys.difference(ELSEWHERE) if key not in source}
