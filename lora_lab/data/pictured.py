"""Rows of images with text: the text as the model's chat template writes it, and the images in it.

An image is a file beside the data. It stands where a part of a message's content says so, or where
"<image>" is in a text, as in LLaVA's data; otherwise before what the user says first.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_lab.data.chat import IMAGE, Chat, read_chat
from lora_lab.data.chat_template import MARKERS, ChatTemplate, Span
from lora_lab.data.left_out import BadRow, LeftOut
from lora_lab.data.mapping import Mapping as Columns
from lora_lab.data.rows import Table
from lora_lab.data.values import as_text, is_missing

ELSEWHERE = re.compile(
    r"[\\/]{2}|[\\/]\?\?"
)  # how Windows begins the name of another machine's file
PLACE = re.compile(rf"\n?<image>\n?|{IMAGE}")


@dataclass(frozen=True)
class Pictured:
    """One example: its text, in which the images have their marks, and what is learned of it."""

    text: str
    spans: tuple[Span, ...]
    images: tuple[Path, ...]
    number: int  # of its row in the file


class WithParts:
    """A tokenizer for `ChatTemplate`, of a processor whose template takes images as parts."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor.tokenizer, name)

    def get_chat_template(self, *_: Any, **__: Any) -> str:
        """The template, without the marks of answers, which would be read past the images."""
        return MARKERS.sub("", str(self._processor.chat_template))

    def apply_chat_template(self, messages: list[dict[str, Any]], **how: Any) -> str:
        return str(self._processor.apply_chat_template([*map(_with_parts, messages)], **how))


def pictured_rows(
    table: Table, columns: Columns, processor: Any, stops: frozenset[str], left: LeftOut
) -> tuple[list[Pictured], tuple[str, ...]]:
    """The examples of all rows that can be read, and notes on what the template does to them."""
    template = ChatTemplate(WithParts(processor), stops)
    folder = table.path if table.path.is_dir() else table.path.parent
    found = []
    for number, row in table.rows:
        try:
            chat, images = _chat(row, columns, folder)
            for example in template.examples(chat):
                found.append(Pictured(example.text, example.spans, images, number))
        except BadRow as error:
            left.add(number, error)
    return found, template.notes()


def _chat(row: Mapping[str, Any], columns: Columns, folder: Path) -> tuple[Chat, tuple[Path, ...]]:
    """The chat of a row with a mark for each image, and their files in the order of the marks."""
    cells = {role: row.get(column) for role, column in columns.roles}
    system = as_text(cells.get("system"))
    given, named = deque(_listed(cells.get("image"))), list[str]()
    if columns.column("messages") is None:
        turns: Any = [
            {"role": "user", "content": as_text(cells["prompt"])},
            {"role": "assistant", "content": as_text(cells["completion"])},
        ]
        if not given:
            raise BadRow("there is no image")
    else:
        turns = cells["messages"]
    chat = read_chat(turns, cells.get("tools"), system, named)
    places = iter(named)
    images: list[str] = []

    def mark(found: re.Match[str]) -> str:
        place = next(places) if found.group() == IMAGE else ""
        if not place and not given:
            raise BadRow("there are fewer images than places for them")
        images.append(place or given.popleft())
        return IMAGE

    messages = []
    for message in chat.messages:
        content = message.get("content")
        if isinstance(content, str) and (given or named):
            if message["role"] == "assistant" and PLACE.search(content):
                raise BadRow("an answer holds an image, and only text is learned")
            content = PLACE.sub(mark, content)
            message = {**message, "content": content}
        messages.append(message)
    if given and images:
        raise BadRow("there are more images than places for them")
    if given:
        images = list(given)
        first = next((i for i, m in enumerate(messages) if m["role"] == "user"), None)
        if first is None:
            raise BadRow("no user speaks, so there is no place for the image")
        said = messages[first].get("content") or ""
        messages[first] = {**messages[first], "content": IMAGE * len(given) + said}
    files = {name: _file(name, folder) for name in dict.fromkeys(images)}
    return replace(chat, messages=tuple(messages)), tuple(files[name] for name in images)


def _listed(value: Any) -> Iterator[str]:
    """The images that a cell names."""
    if is_missing(value) or value == "":
        return
    for entry in value if isinstance(value, list | tuple) else [value]:
        if isinstance(entry, Mapping):  # as `datasets` keeps an image
            if entry.get("bytes") is not None:
                raise BadRow("its image is in the table itself: save it and name its file")
            entry = entry.get("path")
        if not isinstance(entry, str) or not entry:
            raise BadRow("its image is not the name of a file")
        yield entry


def _file(name: str, folder: Path) -> Path:
    if name.startswith(("http:", "https:")):
        raise BadRow("its image is at an address, and nothing is fetched: save it beside the data")
    if name.startswith("data:"):
        raise BadRow("its image is in the row itself: save it and name its file")
    name = name.removeprefix("file://")
    if ELSEWHERE.match(name):  # to look for it would be a connection
        raise BadRow("its image is on another machine: save it beside the data")
    path = folder / name
    if "\0" in name or not path.is_file():
        raise BadRow(f"there is no image {name[:60]!r}")
    return path


def _with_parts(message: dict[str, Any]) -> dict[str, Any]:
    """A message with its images as parts; as it is where it has none."""
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": _parts(content)} if IMAGE in content else message
    if isinstance(content, list):
        inner = [
            p for part in content for p in (_parts(part["text"]) if "text" in part else [part])
        ]
        return {**message, "content": inner}
    return message


def _parts(text: str) -> list[dict[str, str]]:
    parts: list[dict[str, str]] = []
    for number, said in enumerate(text.split(IMAGE)):
        if number:
            parts.append({"type": "image"})
        if said or text == said:
            parts.append({"type": "text", "text": said})
    return parts
