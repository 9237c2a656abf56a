"""What a row says: pieces of text, each given or asked for, in the words of its form.

The loss looks at what is asked for. Chats are written by the tokenizer's own template, which runs
in transformers' sandbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lora_lab.data.mapping import Mapping
from lora_lab.data.rows import Row
from lora_lab.errors import DataError

Piece = tuple[str, bool]  # text, and whether the loss asks for it

# ShareGPT's words for who speaks, and a few more.
SPEAKERS = {
    "human": "user", "user": "user", "prompter": "user", "gpt": "assistant", "bot": "assistant",
    "assistant": "assistant", "model": "assistant", "chatgpt": "assistant", "system": "system",
    "tool": "tool", "function": "tool", "observation": "tool",
}  # fmt: skip


class BadRow(Exception):
    """A row that does not say what its form needs, with the reason."""


def pieces(row: Row, mapping: Mapping, tokenizer: Any) -> list[Piece]:
    """The texts of one row in order. Raises BadRow with the reason, and DataError for all rows."""
    if mapping.form == "chat":
        return _chat(turns(row.get(mapping.column("messages") or "")), tokenizer)
    said = {role: _text(row.get(column)) for role, column in mapping.roles}
    if mapping.form == "text":
        if not said["text"].strip():
            raise BadRow("the text is empty")
        return [(said["text"], True)]
    if mapping.form == "instruction":
        prompt, answer = instruction_prompt(said["instruction"], said.get("input", "")), "output"
        if not said["instruction"].strip():
            raise BadRow("the instruction is empty")
    else:
        prompt, answer = said["prompt"], "completion"
    if not said[answer].strip():
        raise BadRow(f"the {answer} is empty")
    return [(prompt, False), (said[answer], True)]


def instruction_prompt(instruction: str, context: str = "") -> str:
    """An instruction in the wording of Stanford Alpaca (2023), which its data sets are made for."""
    if context.strip():
        return (
            "Below is an instruction that describes a task, paired with an input that provides "
            "further context. Write a response that appropriately completes the request.\n\n"
            f"### Instruction:\n{instruction}\n\n### Input:\n{context}\n\n### Response:\n"
        )
    return (
        "Below is an instruction that describes a task. Write a response that appropriately "
        f"completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n"
    )


def turns(value: Any) -> list[dict[str, str]]:
    """Messages as {role, content}, from these or ShareGPT's {from, value}; raises BadRow."""
    if not isinstance(value, list) or not value:
        raise BadRow("there are no messages")
    found = []
    for message in value:
        if not isinstance(message, dict):
            raise BadRow("a message is not an object")
        who = message.get("role", message.get("from"))
        said = message.get("content", message.get("value"))
        if not isinstance(who, str) or not isinstance(said, str):
            raise BadRow("a message has no role and content")
        found.append({"role": SPEAKERS.get(who.lower(), who), "content": said})
    if not any(turn["role"] == "assistant" and turn["content"].strip() for turn in found):
        raise BadRow("nothing is said by the assistant")
    return found


def _chat(messages: list[dict[str, str]], tokenizer: Any) -> list[Piece]:
    """The chat as the template writes it, cut where the assistant begins and ends.

    What a template writes of the first messages has to be the beginning of what it writes of all;
    where it is not, nobody can say which of the text is the assistant's.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise DataError(
            "The tokenizer has no chat template, and these rows are messages. Take a model that "
            "was made for chats, or data with prompt and completion"
        )
    whole = _written(tokenizer, messages)
    found: list[Piece] = []
    at = 0
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _written(tokenizer, messages[:index], prompt=True) if index else ""
        after = _written(tokenizer, messages[: index + 1])
        if not (whole.startswith(before) and whole.startswith(after) and at <= len(before)):
            raise BadRow("the chat template rewrites earlier messages, so the answer is not found")
        found += [(whole[at : len(before)], False), (whole[len(before) : len(after)], True)]
        at = len(after)
    if at < len(whole):
        found.append((whole[at:], False))
    return [(text, asked) for text, asked in found if text]


def _written(tokenizer: Any, messages: list[dict[str, str]], prompt: bool = False) -> str:
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
    except (TemplateError, TypeError, ValueError, KeyError) as error:
        raise BadRow(f"the chat template refuses it ({str(error)[:80]})") from error


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        raise BadRow("there is a list where text belongs")
    return str(value)


def asked_characters(parts: Iterable[Piece]) -> tuple[str, list[tuple[int, int]]]:
    """The whole text, and [begin, end) of what is asked for in it."""
    whole, spans = "", []
    for text, asked in parts:
        if asked:
            spans.append((len(whole), len(whole) + len(text)))
        whole += text
    return whole, spans
