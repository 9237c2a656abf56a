"""The page of the handbook that says what opens here, made of the matrix' rows.

python -m tests.families.matrix --json ROWS    # in parts, with --task and --only
python -m tests.families.page ROWS …           # keeps them here, and writes the page
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lora_lab import paths

TITLES = {
    "causal_lm": "Causal language modelling",
    "text_classification": "Text classification",
    "image_classification": "Image classification",
}
NUMBERS = ("trains", "logits", "causal", "loss", "PEFT", "merged")  # what has to be the library's
RESULTS = Path(__file__).with_name("results.jsonl")  # of the whole matrix: family, task, cells
LONGEST, LESS = 180, 60  # characters of a reason that is kept; in columns that the page leaves out

Rows = list[tuple[str, str, dict[str, str]]]


def page_file() -> Path:
    """Where the handbook has the page."""
    return paths.resources() / "help" / "what-opens.md"


def kept() -> Rows:
    """The rows of the last run of the whole matrix."""
    return [tuple(json.loads(line)) for line in RESULTS.read_text("utf-8").splitlines()]


def page(rows: Rows) -> str:
    """Markdown: how many families of each task became what, and which."""
    made = [row for row in rows if not row[2]["opens"].startswith("not made")]
    parts = {task: [row for row in made if row[1] == task] for task in TITLES}
    text = [
        "# What opens here",
        "",
        f"{len(made)} tiny models of families of transformers, made from their own configs, were "
        "opened, trained and written, and held against transformers and PEFT: base logits; that no "
        "later token moves an earlier answer; the loss of rows padded in batches against the same "
        "rows one by one; logits of the PEFT folder and of the merged checkpoint, loaded by their "
        "own libraries, to 1e-5 of the largest. No cell is wrong: where a number would be, the lab "
        "refuses with the reason. `python -m tests.families.matrix` tries it again.",
        "",
        "| | families | right in all | PEFT cannot hold it, merged is right | no merged file "
        "| refused |",
        "|---|---|---|---|---|---|",
    ]
    for task, title in TITLES.items():
        groups = [_are(parts[task], kind) for kind in KINDS]
        counts = " | ".join(str(len(group)) for group in groups)
        text.append(f"| {title} | {len(parts[task])} | {counts} |")
    for task, title in TITLES.items():
        text += ["", f"## {title}", ""]
        for kind, words in KINDS.items():
            if some := _are(parts[task], kind):
                text += [f"**{words} ({len(some)}):**", ""] if kind == "refused" else [
                    f"**{words} ({len(some)}):** {', '.join(f'`{family}`' for family, _ in some)}",
                    "",
                ]  # fmt: skip
                if kind == "refused":
                    text += [f"- `{family}`: {_reason(cells)}" for family, cells in some]
    return "\n".join(text).rstrip() + "\n"


KINDS = {
    "right": "Right in all columns",
    "PEFT": "PEFT's own rules leave part of such an adapter out: its folder is refused, a merged "
    "checkpoint is right",
    "merged": "No merged checkpoint; a PEFT folder is right",
    "refused": "Refused",
}


def kind_of(cells: dict[str, str]) -> str:
    """What became of a family: a key of KINDS, or "wrong"."""
    wanted = [column for column in NUMBERS if cells[column] != "–"]
    wrong = [column for column in wanted if cells[column] != "yes"]
    if any(cell.startswith("WRONG") for cell in cells.values()):
        return "wrong"
    if cells["opens"] != "yes" or cells["trains"] != "yes":
        return "refused"
    if not wrong:
        return "right"
    return wrong[0] if len(wrong) == 1 and wrong[0] in KINDS else "refused"


def _are(rows: Rows, kind: str) -> list[tuple[str, dict[str, str]]]:
    return [(family, cells) for family, _, cells in rows if kind_of(cells) == kind]


def _reason(cells: dict[str, str]) -> str:
    cell = next(cells[c] for c in ("opens", *NUMBERS) if cells[c] not in ("yes", "–"))
    words = cell.partition(": ")[2].replace("|", "/").replace("\n", " ")
    return words if len(words) <= 160 else f"{words[:157]}…"


def main(files: list[str]) -> None:
    """Later files take the place of earlier ones' rows."""
    found = {}
    for name in files:
        for line in Path(name).read_text("utf-8").splitlines():
            family, task, cells = json.loads(line)
            found[task, family] = {
                column: cell.split("\n")[0][: LONGEST if column in ("opens", *NUMBERS) else LESS]
                for column, cell in cells.items()
            }
    order = sorted(found, key=lambda key: (list(TITLES).index(key[0]), key[1]))
    rows: Rows = [(family, task, found[task, family]) for task, family in order]
    RESULTS.write_text("".join(f"{json.dumps(r, ensure_ascii=False)}\n" for r in rows), "utf-8")
    page_file().write_text(page(rows), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
