"""What a row says: pieces of text, each given or asked for, in the words of its form.

The loss looks at what is asked for. Chats are another room: `chat.py`.
"""

from __future__ import annotations

from typing import Any

from lora_lab.data.chat import Chat, read_chat
from lora_lab.data.left_out import BadRow
from lora_lab.data.mapping import Mapping
from lora_lab.data.rows import Row
from lora_lab.data.values import as_text, from_text, is_missing

Piece = tuple[str, bool]  # text, and whether it is in the loss

PREAMBLE = "Below is an instruction that describes a task"
REQUEST = "Write a response that appropriately completes the request."


def pieces(row: Row, mapping: Mapping) -> list[Piece]:
    """The texts of one row in order. Raises BadRow with the reason."""
    texts = {role: as_text(row.get(c)) for role, c in mapping.roles if role != "history"}
    if mapping.form == "text":
        if not texts["text"].strip():
            raise BadRow("the text is empty")
        return [(texts["text"], True)]
    if mapping.form == "instruction":
        prompt, answer = _instruction(row, mapping, texts), "output"
    else:
        prompt, answer = texts["prompt"], "completion"
    if not texts[answer].strip():
        raise BadRow(f"the {answer} is empty")
    return [(prompt, False), (texts[answer], True)]


def chat(row: Row, mapping: Mapping) -> Chat:
    """The chat of one row, with its tools and its system prompt. Raises BadRow with the reason."""
    value, tools, system = (
        row.get(column) if (column := mapping.column(role)) else None
        for role in ("messages", "tools", "system")
    )
    if (prompt := mapping.column("prompt")) is not None:
        before, after = row.get(prompt), row.get(mapping.column("completion") or "")
        if not isinstance(before, list) or not isinstance(after, list):
            raise BadRow("its prompt and completion are not lists of messages")
        value = [{**turn, "train": False} if isinstance(turn, dict) else turn for turn in before]
        value += after
    return read_chat(value, tools, as_text(system))


def instruction_prompt(instruction: str, context: str = "", system: str = "") -> str:
    """An instruction in the wording of Stanford Alpaca (2023), which its data sets are made for.

    A `system` text of the row's own stands in place of the usual preamble.
    """
    if context.strip():
        preamble = f"{PREAMBLE}, paired with an input that provides further context. {REQUEST}"
        request = f"### Instruction:\n{instruction}\n\n### Input:\n{context}"
    else:
        preamble = f"{PREAMBLE}. {REQUEST}"
        request = f"### Instruction:\n{instruction}"
    return f"{system.strip() or preamble}\n\n{request}\n\n### Response:\n"


def _instruction(row: Row, mapping: Mapping, texts: dict[str, str]) -> str:
    if not texts["instruction"].strip():
        raise BadRow("the instruction is empty")
    asked = (texts["instruction"], texts.get("input", ""))
    earlier = _history(row.get(mapping.column("history") or ""))
    if not earlier:
        return instruction_prompt(*asked, texts.get("system", ""))
    (question, answer), *rest = earlier
    whole = instruction_prompt(question, "", texts.get("system", "")) + answer
    for question, answer in rest:
        whole += f"\n\n### Instruction:\n{question}\n\n### Response:\n{answer}"
    context = f"\n\n### Input:\n{asked[1]}" if asked[1].strip() else ""
    return f"{whole}\n\n### Instruction:\n{asked[0]}{context}\n\n### Response:\n"


def _history(value: Any) -> list[tuple[str, str]]:
    """Earlier questions with their answers, as Alpaca's `history` has them."""
    if is_missing(value):
        return []
    if isinstance(value, str):  # a cell of a table
        try:
            value = from_text(value)
        except ValueError:
            raise BadRow("its history is text that is no list") from None
    if not isinstance(value, list) or any(
        not isinstance(pair, list | tuple) or len(pair) != 2 for pair in value
    ):
        raise BadRow("its history is no list of pairs of question and answer")
    return [(as_text(question), as_text(answer)) for question, answer in value]
