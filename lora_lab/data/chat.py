"""A chat as a row says it, in the words that chat templates know: messages, tools, what is trained.

Other programs' spellings (ShareGPT, OpenAI, Alpaca's history, reasoning under several names) become
one; nothing that a message holds is dropped. What cannot be written as text is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lora_lab.data.left_out import BadRow
from lora_lab.data.values import from_text, is_missing

# Who speaks, in ShareGPT's words and a few more.
SPEAKERS = {
    "human": "user", "user": "user", "prompter": "user", "gpt": "assistant", "bot": "assistant",
    "assistant": "assistant", "model": "assistant", "chatgpt": "assistant", "ai": "assistant",
    "system": "system", "developer": "developer", "tool": "tool", "function": "tool",
    "observation": "tool", "function_response": "tool", "tool_response": "tool", "ipython": "tool",
    "function_call": "call", "tool_call": "call",
}  # fmt: skip
ROLE_KEYS, CONTENT_KEYS = ("role", "from", "speaker"), ("content", "value", "text")
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking", "thought", "thoughts", "think")
WEIGHT_KEYS = ("weight", "loss_weight", "loss_mask")
UNTRAINED_KEYS = (*WEIGHT_KEYS, "train", "training", "trainable", "loss", "masked")
OFF = ("0", "0.0", "false", "no")
CALL_KEYS = ("name", "arguments", "parameters")
IMAGE = "\ufffc"  # Unicode's object replacement character stands in a content for each image


@dataclass(frozen=True)
class Chat:
    """Messages as transformers' chat templates take them, and which of them the loss asks for."""

    messages: tuple[dict[str, Any], ...]
    trained: tuple[bool, ...]  # of every message: an answer of the assistant to be learned
    tools: tuple[dict[str, Any], ...] = ()


def read_chat(
    value: Any, tools: Any = None, system: Any = None, images: list[str] | None = None
) -> Chat:
    """The messages of a row, its tools and its system prompt, each a list or a string of JSON.

    `images` gets the place of each image that a message holds, "" where it names none. Raises
    BadRow where they are none, hold sound, or images that nobody asked for, or the assistant says
    nothing.
    """
    value = _parsed(value, "messages")
    if isinstance(value, Mapping) and isinstance(value.get("messages"), list):
        tools = tools if tools is not None else value.get("tools")
        value = value["messages"]
    if not isinstance(value, list) or not value:
        raise BadRow("there are no messages")
    messages: list[dict[str, Any]] = []
    trained: list[bool] = []
    for entry in value:
        message = _message(entry, images)
        messages.append(message)
        trained.append(message["role"] == "assistant" and _asked(entry))
    if isinstance(system, str) and system.strip():
        if messages[0]["role"] in ("system", "developer"):
            if messages[0]["content"] != system:
                raise BadRow("there is a system column beside another system message")
        else:
            messages.insert(0, {"role": "system", "content": system})
            trained.insert(0, False)
    spoken = [m for m in messages if m["role"] == "assistant"]
    if not any(_says_something(message) for message in spoken):
        raise BadRow("the assistant says nothing")
    trained = [t and _says_something(m) for t, m in zip(trained, messages, strict=True)]
    if not any(trained):
        raise BadRow("every answer of the assistant is marked as not to be trained")
    return Chat(tuple(messages), tuple(trained), _tools(tools))


def reasoning_of(message: Mapping[str, Any]) -> str:
    """The reasoning that a message holds beside its content; "" where there is none."""
    said = (message.get(key) for key in REASONING_KEYS)
    return next((text for text in said if isinstance(text, str) and text.strip()), "")


def _message(entry: Any, images: list[str] | None) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise BadRow("a message is not an object")
    if not all(isinstance(key, str) for key in entry):  # Python's lists and Arrow's maps have any
        raise BadRow("a message has a key that is no text")
    # A NaN is what pandas writes of null. An empty reasoning may stand beside the one that is said.
    empty = {key for key in REASONING_KEYS if entry.get(key) == ""} if reasoning_of(entry) else ()
    entry = {k: v for k, v in entry.items() if k not in empty and (v == "" or not is_missing(v))}
    who = _first(entry, ROLE_KEYS)
    if not isinstance(who, str) or not who.strip():
        raise BadRow("a message has no role")
    role = SPEAKERS.get(who.strip().lower(), who.strip())
    content = _content(_first(entry, CONTENT_KEYS), images)
    known = {*ROLE_KEYS, *CONTENT_KEYS, *UNTRAINED_KEYS}
    further = {key: v for key, v in entry.items() if key not in known}
    if "tool_calls" in further:
        calls = _parsed(further.pop("tool_calls"), "tool_calls")
        if calls:
            further["tool_calls"] = [_call(call) for call in _listed(calls, "tool_calls")]
    if isinstance(further.get("function_call"), Mapping):  # OpenAI's older spelling of one call
        further["tool_calls"] = [_call(further.pop("function_call"))]
    if role == "call":
        calls = _parsed(content or "", "a function call")
        further["tool_calls"] = [_call(call) for call in _listed(calls, "a function call")]
        role, content = "assistant", None
    if content is None and not further.get("tool_calls") and not reasoning_of(further):
        content = ""
    message = {"role": role, **({} if content is None else {"content": content}), **further}
    return message


def _content(value: Any, images: list[str] | None) -> str | None:
    """Text as it is, or the texts of a list of parts in one; None where there is none."""
    if images is not None and IMAGE in str(value):
        raise BadRow("a message holds the character U+FFFC, which stands for an image")
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    texts = []
    for part in _listed(value, "content"):
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
        text = part.get("text", part.get("content")) if isinstance(part, Mapping) else None
        if isinstance(part, Mapping) and "type" not in part and text is None:
            raise BadRow("the content of a message is an object: write it as text, such as JSON")
        if images is not None and kind in ("image", "image_url", "input_image"):
            images.append(_place(part))
            texts.append(IMAGE)
            continue
        if kind not in ("text", "input_text", "output_text") or not isinstance(text, str):
            raise BadRow(f"a message holds a part of type {str(kind)[:20]!r}: only text is trained")
        texts.append(text)
    return "".join(texts)


def _place(part: Mapping[str, Any]) -> str:
    """Where the image of a part is; "" where it does not say."""
    value = _first(part, ("image", "path", "url", "image_url"))
    if isinstance(value, Mapping):
        value = _first(value, ("url", "path"))
    if value is not None and not isinstance(value, str):
        raise BadRow(f"an image is a {type(value).__name__}: save it and name its file")
    return value or ""


def _call(entry: Any) -> dict[str, Any]:
    """One call as {type, function: {name, arguments}}, whatever it was wrapped in."""
    entry = _parsed(entry, "a tool call")
    if not isinstance(entry, Mapping):
        raise BadRow("a tool call is not an object")
    inner = entry.get("function") if isinstance(entry.get("function"), Mapping) else entry
    name = inner.get("name")
    if not isinstance(name, str) or not name:
        raise BadRow("a tool call has no name")
    arguments = inner.get("arguments", inner.get("parameters"))
    try:
        json.dumps(arguments)
    except (TypeError, ValueError, RecursionError):
        raise BadRow("the arguments of a tool call hold what JSON has not") from None
    function = {**inner, "name": name, "arguments": {} if arguments is None else arguments}
    function.pop("parameters", None)
    if inner is entry:
        return {"type": "function", "function": function}
    return {"type": "function", **entry, "function": function}


def _tools(value: Any) -> tuple[dict[str, Any], ...]:
    value = _parsed(value, "tools")
    if is_missing(value) or not value:
        return ()
    tools = []
    for tool in _listed(value, "tools"):
        tool = _parsed(tool, "a tool")
        if not isinstance(tool, Mapping):
            raise BadRow("a tool is not an object")
        if not isinstance(tool.get("function", {}), Mapping):
            raise BadRow("a tool's function is not an object")
        wrapped = "function" in tool or tool.get("type") == "function"
        tools.append(dict(tool) if wrapped else {"type": "function", "function": dict(tool)})
    return tuple(tools)


def _asked(entry: Mapping[str, Any]) -> bool:
    """Whether a turn's own flags leave it in the loss: `weight: 0` and `train: false` do not."""
    given = {key: entry[key] for key in UNTRAINED_KEYS if not is_missing(entry.get(key))}
    for key in WEIGHT_KEYS:
        value = given.get(key, 1)
        number = value
        if isinstance(value, str):  # as tables write of it
            with suppress(ValueError):
                number = float(value)
        if isinstance(number, int | float) and number not in (0, 1):
            raise BadRow(f"a message has {key} {value}: an answer is learned (1) or not (0)")
    if "masked" in given and not _is_off(given.pop("masked")):
        return False
    return not any(map(_is_off, given.values()))


def _is_off(flag: Any) -> bool:
    """Whether a flag is 0 or false, as itself or as the text that tables write of it."""
    return flag.strip().lower() in OFF if isinstance(flag, str) else not flag


def _says_something(message: Mapping[str, Any]) -> bool:
    said = str(message.get("content") or "").strip() or reasoning_of(message).strip()
    return bool(said or message.get("tool_calls"))


def _first(entry: Mapping[str, Any], keys: Iterable[str]) -> Any:
    """The value of the first of `keys` that has one: merged tables leave null in the others."""
    return next((entry[key] for key in keys if entry.get(key) is not None), None)


def _parsed(value: Any, what: str) -> Any:
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return from_text(value)
    except ValueError as error:
        raise BadRow(f"{what} is text that is not JSON ({str(error)[:60]})") from None


def _listed(value: Any, what: str) -> list[Any]:
    if isinstance(value, Mapping):
        return [value]
    if not isinstance(value, list | tuple):
        raise BadRow(f"{what} is not a list")
    return list(value)
