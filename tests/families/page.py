"""The page of the handbook that says what opens here, made of the matrix' rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

TITLES = {
    "causal_lm": "Causal language modelling",
    "text_classification": "Text classification",
    "image_classification": "Image classification",
}
NUMBERS = ("trains", "logits", "loss", "PEFT", "merged")  # what has to be the library's

Rows = list[tuple[str, str, dict[str, str]]]


def page(rows: Rows) -> str:
    """Markdown: for each task the families by what became of them."""
    made = [row for row in rows if not row[2]["opens"].startswith("not made")]
    right = [row for row in made if all(row[2][c] == "yes" for c in NUMBERS)]
    text = [
        "# What opens here",
        "",
        f"{len(made)} tiny models of families of transformers, made from their own configs, were "
        f"opened, trained and written; {len(right)} are right in every column: base logits equal "
        "to transformers', the same loss row by row, and the PEFT folder and the merged checkpoint "
        "loaded by their own libraries give the lab's logits to 1e-5 of the largest. The others "
        "are refused before a number is wrong, with the reason. "
        "`python -m tests.families.matrix` makes this page again.",
        "",
    ]
    for task, title in TITLES.items():
        some = [(family, cells) for family, of, cells in made if of == task]
        if not some:
            continue
        whole = [f for f, cells in some if all(cells[c] == "yes" for c in NUMBERS)]
        text += [f"## {title}", "", f"**Right in all columns ({len(whole)}):** {_names(whole)}", ""]
        for column, words in (
            ("PEFT", "PEFT computes otherwise; a merged checkpoint is right"),
            ("merged", "No merged checkpoint; a PEFT folder is right"),
        ):
            without = [f for f, c in some if c["trains"] == "yes" and c[column] != "yes"]
            if without:
                text += [f"**{words} ({len(without)}):** {_names(without)}", ""]
        closed = [(f, c) for f, c in some if c["opens"] != "yes" or c["trains"] != "yes"]
        text += [f"- `{family}`: {_reason(cells)}" for family, cells in closed]
        text += [""] * bool(closed)
    return "\n".join(text).rstrip() + "\n"


def _names(families: list[str]) -> str:
    return ", ".join(f"`{family}`" for family in families) or "none"


def _reason(cells: dict[str, str]) -> str:
    cell = cells["trains"] if cells["opens"] == "yes" else cells["opens"]
    words = cell.partition(": ")[2].replace("|", "/").replace("\n", " ")
    return words if len(words) <= 160 else f"{words[:157]}…"


if __name__ == "__main__":
    read: Rows = [tuple(row) for path in sys.argv[2:] for row in json.loads(Path(path).read_text())]
    Path(sys.argv[1]).write_text(page(read), "utf-8")
