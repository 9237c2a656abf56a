"""Which column means what: guessed from names and from what stands in them, or as the user says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lora_lab.data.rows import Table
from lora_lab.data.targets import COUNTED, JUDGES
from lora_lab.data.values import from_text
from lora_lab.errors import DataError
from lora_lab.names import few
from lora_lab.task_info import TASKS, TaskInfo

# Different values that are held at once where columns are looked for, and of each of them.
HELD, FEWEST = 500_000, 20
FEEDBACK = {"true", "false", "1", "0", "1.0", "0.0"}  # on an answer, as tables write it

# Names that columns go by, the likeliest first; matched in lower case.
NAMES = {
    "messages": ("messages", "conversations", "conversation", "dialog", "dialogue", "chat"),
    "image": ("image", "images", "image_path", "image_paths", "picture", "photo", "img",
              "file_name"),
    "tools": ("tools", "functions"),
    "system": ("system", "system_prompt"),
    "history": ("history",),
    "prompt": ("prompt", "question", "query", "source", "context"),
    "completion": ("completion", "response", "answer", "target", "chosen"),
    "chosen": ("chosen", "preferred", "chosen_response", "response_chosen", "answer_chosen"),
    "rejected": ("rejected", "dispreferred", "rejected_response", "response_rejected",
                 "answer_rejected"),
    "instruction": ("instruction",),
    "input": ("input", "context"),
    "output": ("output", "response", "completion", "answer"),
    "text": (
        "text", "content", "sentence", "review", "document", "body", "comment", "message", "tweet",
        "question", "title",
    ),
    "label": ("label", "labels", "class", "category", "target", "sentiment", "intent", "topic",
              "stars", "rating", "score", "y"),
    "score": ("score", "label", "labels", "similarity_score", "similarity", "rating", "stars",
              "target", "value", "y"),
    "labels": ("labels", "label", "tags", "categories", "topics", "genres", "emotions"),
    "tokens": ("tokens", "words", "text", "sentence"),
    "tags": ("tags", "ner_tags", "labels", "ner", "pos_tags", "chunk_tags", "label"),
    "source": ("source", "instruction", "input", "input_text", "source_text", "src", "article",
               "document", "dialogue", "prompt", "question", "text", "inputs"),
    "target": ("target", "output", "target_text", "output_text", "tgt", "highlights", "summary",
               "abstract", "completion", "response", "answer", "headline", "title", "targets"),
    "context": ("context", "input"),
    "pair": ("text_pair", "sentence2", "hypothesis", "text2", "question2"),
}  # fmt: skip


@dataclass(frozen=True)
class Mapping:
    """What kind of rows these are, and (role, column) of every column that is used."""

    form: str  # "text", "prompt + completion", "instruction", "chat", "text + label" …
    roles: tuple[tuple[str, str], ...]

    def column(self, role: str) -> str | None:
        return dict(self.roles).get(role)


def map_columns(table: Table, task: str, requested: Iterable[tuple[str, str]] = ()) -> Mapping:
    """Say what the columns mean to that task; `requested` (role, column) pairs come first.

    Raises DataError that names the columns there are where something needed is not among them.
    """
    given, row = dict(requested), TASKS[task]
    for role, column in given.items():
        if role not in row.roles:
            raise _unknown(table, f"There is no role {role!r}: {few(row.roles)}")
        if column not in table.columns and not (row.answers and column in _entries(table)):
            raise _unknown(table, f"There is no column {few([column])!r}")
    if row.answers:
        return _answered(table, row, given)
    if row.compares:
        return _compared(table, row, given)
    if row.tags:
        return _tagged(table, row, given)
    return _predicted(table, row, given) if row.target else _said(table, row, given)


def unused(table: Table, mapping: Mapping) -> tuple[str, ...]:
    """A note that names the columns which no role takes; none where all are used."""
    taken = {name for _, column in mapping.roles for name in (column, column.partition(".")[0])}
    rest = [column for column in table.columns if column not in taken]
    if not rest:
        return ()
    one = len(rest) == 1
    return (f"{'column' if one else 'columns'} not used: {few(rest)}",)


def _said(table: Table, row: TaskInfo, given: dict[str, str]) -> Mapping:
    """Text to continue, in the first of the forms that has all its columns."""
    _refuse_feedback(table, given)
    if not given and "chat" in row.forms and (turns := _turns(table)):
        return Mapping("chat", turns)
    for form, (needed, further) in row.forms.items():
        known = (*needed, *further)
        if given and not set(given) <= set(known):
            continue
        columns = _columns(table, known, given)
        if set(needed) <= set(columns):
            return Mapping(form, tuple(columns.items()))
    if (
        not given
        and "chat" in row.forms
        and len(table.columns) == 1
        and any(_is_json_list(value) for value in _values(table, table.columns[0]))
    ):
        return Mapping("chat", (("messages", table.columns[0]),))
    if not given and len(table.columns) == 1:
        return Mapping("text", (("text", table.columns[0]),))
    raise _unknown(
        table,
        "It is not clear what to learn: wanted is a column "
        + ", or ".join(" and ".join(needed) for needed, _ in reversed(row.forms.values())),
    )


def _predicted(table: Table, row: TaskInfo, given: dict[str, str]) -> Mapping:
    """A text, perhaps a second one, and what is to be predicted of them."""
    target = row.target
    columns = _columns(table, (target, "text", "pair"), given)
    if target in columns and target not in given and _objection(table, target, columns[target]):
        del columns[target]  # another one may do

    def free() -> list[str]:
        rest = [column for column in table.columns if column not in columns.values()]
        return _likely(table, target, rest)

    if target not in columns and len(rest := free()) == 1:
        columns[target] = rest[0]
    if "text" not in columns:
        rest = [c for c in table.columns if c not in columns.values() and _is_text(table, c)]
        if len(rest) == 1:
            columns["text"] = rest[0]
    for role in ("text", target):
        if role not in columns:
            raise _unknown(table, f"It is not clear which column is the {role}")
    if reason := _objection(table, target, columns[target], target in given):
        others = [column for column in free() if column != columns["text"]]
        better = f" {few(others)} would do." if others else ""
        raise _unknown(table, f"Column {few([columns[target]])!r} {reason}.{better}")
    if columns["text"] == columns[target]:
        raise _unknown(table, f"Text and {target} are the same column")
    ((form, _),) = row.forms.items()
    return Mapping(form, tuple((role, columns[role]) for role in row.roles if role in columns))


def _tagged(table: Table, row: TaskInfo, given: dict[str, str]) -> Mapping:
    """Words, and a tag for each of them."""
    ((form, (needed, _)),) = row.forms.items()
    columns = _columns(table, needed, given)
    if missing := [role for role in needed if role not in columns]:
        raise _unknown(table, f"It is not clear which column is {few(missing)}")
    return Mapping(form, tuple((role, columns[role]) for role in needed))


def _answered(table: Table, row: TaskInfo, given: dict[str, str]) -> Mapping:
    """A text and what it is to become, in two columns or in two entries of one (translations)."""
    ((form, (needed, further)),) = row.forms.items()
    columns = _columns(table, (*needed, *further), given)
    if not set(needed) & set(columns) and len(entries := _entries(table)) == 2:
        columns = dict(
            zip(needed, entries, strict=True)
        )  # WMT: {"translation": {"de": …, "en": …}}
    if missing := [role for role in needed if role not in columns]:
        raise _unknown(table, f"It is not clear which column is {few(missing)}")
    return Mapping(form, tuple((role, columns[role]) for role in row.roles if role in columns))


def _entries(table: Table) -> tuple[str, ...]:
    """The texts within columns of objects, as "translation.de", in the order of the first row."""
    found: dict[str, None] = {}
    for row in table.sample:
        for column, value in row.items():
            if isinstance(value, dict):
                inner = (key for key, text in value.items() if isinstance(text, str))
                found.update(dict.fromkeys(f"{column}.{key}" for key in inner))
    return tuple(found)


def _compared(table: Table, row: TaskInfo, given: dict[str, str]) -> Mapping:
    """Two answers of which the first is preferred, with what both of them answer, if it is apart.

    Tools and a system prompt are of chats alone: a plain text has no place for them.
    """
    _refuse_feedback(table, given)
    ((form, (needed, further)),) = row.forms.items()
    lower = {column.lower().strip(): column for column in reversed(table.columns)}
    columns = {role: given[role] for role in (*needed, *further) if role in given}
    for role in (*needed, *further):
        names = (*NAMES[role], *(NAMES["instruction"] if role == "prompt" else ()))
        found = (lower.get(name) for name in names)
        free = [name for name in found if name is not None and name not in columns.values()]
        if free and role not in columns:
            columns[role] = free[0]
    if missing := [role for role in needed if role not in columns]:
        raise _unknown(table, f"It is not clear which column is {few(missing)}")
    answers = _values(table, columns["chosen"])
    if not any(isinstance(value, list) or _is_json_list(value) for value in answers):
        columns = {r: c for r, c in columns.items() if r in (*needed, "prompt") or r in given}
    kept = [role for role in row.roles if role in columns]
    return Mapping(form, tuple((role, columns[role]) for role in kept))


def _turns(table: Table) -> tuple[tuple[str, str], ...]:
    """Roles of rows whose prompt and completion are lists of messages, as TRL has them."""
    found = {}
    for role in ("prompt", "completion"):
        values = _values(table, role) if role in table.columns else []
        if not values or not all(isinstance(value, list) for value in values):
            return ()
        found[role] = role
    return (*found.items(), *((role, role) for role in ("tools",) if role in table.columns))


def _refuse_feedback(table: Table, given: dict[str, str]) -> None:
    """Raise DataError for answers marked as good or bad: the bad ones are not to be learned."""
    if given or not {"prompt", "completion", "label"} <= set(table.columns):
        return
    flags = {str(value).strip().lower() for value in _values(table, "label")}
    if flags and flags <= FEEDBACK:
        raise DataError(
            f"{table.path.name}: these rows have a prompt, a completion and a label that is true "
            "or false, or 1 or 0: feedback (KTO), of which the bad answers are not to be learned. "
            "Keep the good rows and leave the column label out, or name the columns to learn from."
        )


def _columns(table: Table, roles: Iterable[str], given: dict[str, str]) -> dict[str, str]:
    """Role → column by name; what is given comes first, and no column is taken twice."""
    lower = {column.lower().strip(): column for column in reversed(table.columns)}
    columns = {role: given[role] for role in roles if role in given}
    for role in roles:
        if role in columns:
            continue
        for name in NAMES[role]:
            column = lower.get(name)
            if column is not None and column not in columns.values() and _fits(table, role, column):
                columns[role] = column
                break
    return {role: columns[role] for role in roles if role in columns}


def _fits(table: Table, role: str, column: str) -> bool:
    values = _values(table, column)
    if role == "messages":
        return any(
            isinstance(value, list)
            or _is_json_list(value)  # what looks like it is named where it cannot be read
            or (isinstance(value, str) and value.lstrip().startswith(("[{", "array([")))
            for value in values
        )
    if role in ("image", "tools", "history", "labels", "tokens", "tags"):
        return True
    return not any(isinstance(value, list | dict) for value in values)


def _is_json_list(value: Any) -> bool:
    """Whether a cell is a list of objects that was written as text."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return False
    try:
        entries = from_text(value)
    except ValueError:
        return False
    return isinstance(entries, list) and bool(entries) and isinstance(entries[0], dict)


def _is_text(table: Table, column: str) -> bool:
    values = [value for value in _values(table, column) if isinstance(value, str)]
    return bool(values) and sum(map(len, values)) / len(values) > 8


def _objection(table: Table, role: str, column: str, chosen: bool = False) -> str:
    """Why a column cannot be what is predicted, or nothing."""
    judge = JUDGES[role](COUNTED)
    for _, row in table.rows:
        if (value := row.get(column)) not in (None, ""):
            judge.add(value)
    return judge.objection(chosen)


def _likely(table: Table, role: str, columns: Sequence[str]) -> list[str]:
    """Those of these columns which can be what is predicted, in one walk through the rows.

    Of hundreds of columns, those with fewer values: together they hold no more than a few would.
    """
    most = max(FEWEST, HELD // max(1, len(columns)))
    judges = {column: JUDGES[role](most) for column in columns}
    for _, row in table.rows:
        for column, value in row.items():
            judge = judges.get(column)
            if judge is not None and value not in (None, ""):
                judge.add(value)
                if judge.settled:
                    del judges[column]
        if not judges:
            break
    return [column for column, judge in judges.items() if not judge.objection()]


def _values(table: Table, column: str) -> list[Any]:
    return [row[column] for row in table.sample if row.get(column) is not None]


def _unknown(table: Table, reason: str) -> DataError:
    return DataError(
        f"{table.path.name}: {reason.rstrip('.')}. Its columns are: {few(table.columns)}."
    )
