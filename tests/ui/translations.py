"""The window's words in its languages: `python -m tests.ui.translations` brings them up to date.

lupdate reads every mark, but neither the context that a mark has at run time (`tr = dialog.tr`) nor
what the engine declares. So the marks are read here and handed to lupdate as one list in one
context; lrelease makes of the .ts file what the window loads. `--check` changes nothing and lists
what is missing, unfinished or stale.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import PySide6

import lora_lab
from lora_lab import paths
from lora_lab.analysis.similarity import VIEWS
from lora_lab.choices import ALPHA_MODES, OPTIMIZERS, PRUNERS, SAMPLERS
from lora_lab.config import RunConfig
from lora_lab.hyperparameters import KNOBS, Hyperparameters
from lora_lab.presets import list_presets
from lora_lab.records import State
from lora_lab.runs.search import NEEDED
from lora_lab.setting import settings_of
from lora_lab.studies.claim_list import AGREES, CLAIMS, DIFFERS, OPEN
from lora_lab.task_info import TASKS
from lora_lab.ui.style.language import CONTEXT, LANGUAGES
from lora_lab.variants import VARIANTS

UI = Path(lora_lab.__file__).parent / "ui"
MARKS = {"tr": 0, "translate": 1, "QT_TRANSLATE_NOOP": 1}  # call → which argument has the words


def marked() -> dict[str, str]:
    """What is marked in the window's code → file and line where it is first."""
    return _arguments(sorted(UI.rglob("*.py")), MARKS)


def reported() -> set[str]:
    """What the engine says that it is doing, where the words are fixed."""
    engine = set(UI.parent.rglob("*.py")) - set(UI.rglob("*.py"))
    return set(_arguments(sorted(engine), {"report": 0, "_report": 0})) - {""}


def _arguments(files: Iterable[Path], calls: Mapping[str, int]) -> dict[str, str]:
    """The texts that these calls are given at that place → where it is first."""
    found: dict[str, str] = {}
    for path in files:
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            place = calls.get(ast.unparse(call.func).rpartition(".")[2])
            for word in call.args[place : place + 1] if place is not None else ():
                if isinstance(word, ast.Constant) and isinstance(word.value, str):
                    found.setdefault(word.value, f"{path.relative_to(UI.parent)}:{call.lineno}")
    return found


def declared() -> set[str]:
    """What the engine says of settings, tasks and presets, and the window translates."""
    texts = {text for preset in list_presets()
             for text in (preset.title, preset.summary, preset.needs_data)}  # fmt: skip
    texts |= {text for task in TASKS.values() for text in (task.title, task.wants)}
    for variant in VARIANTS.values():
        texts |= {variant.subject, *(reason for _, reason in variant.locked)}
    texts |= {state.value for state in State} | {"interrupted", "damaged"}  # of a run in the list
    texts |= {mode.title for mode in ALPHA_MODES.values()}
    texts |= {text for x in (SAMPLERS | PRUNERS).values() for text in (x.title, x.about)}
    texts |= {row.momentum for row in OPTIMIZERS.values()}
    for claim in CLAIMS.values():
        texts |= {claim.title, claim.says, claim.source, claim.expected}
    texts |= {AGREES, DIFFERS, OPEN, NEEDED, *VIEWS.values()}
    for kind in (RunConfig, Hyperparameters):
        for field, setting in settings_of(kind).items():
            texts |= {setting.name, setting.short}
            if setting.place or field in KNOBS or setting.choices:
                texts |= {setting.label, setting.help}
                texts |= {choice.about for choice in setting.choices.values()}
    return texts - {""}


def sources() -> list[str]:
    """Every text that a translation has, once."""
    return sorted(set(marked()) | declared() | reported())


def entries(language: str) -> dict[str, tuple[str, str]]:
    """Source → its translation, and "unfinished", "obsolete", "vanished" or ""."""
    found = {}
    for message in ElementTree.parse(file_of(language)).iter("message"):
        done = message.find("translation")
        found[message.findtext("source") or ""] = (done.text or "", done.get("type", ""))
    return found


def file_of(language: str) -> Path:
    """The .ts file; what is released lies beside it."""
    return paths.resources() / "translations" / f"lora_lab_{language}.ts"


def missing() -> Iterator[str]:
    """A line for each text that a language lacks, and for each entry that no text has any more."""
    wanted, where = sources(), marked()
    for language in LANGUAGES:
        have = entries(language)
        for text in wanted:
            translation, kind = have.get(text, ("", "unfinished"))
            if kind or not translation:
                yield f"{language}: {text!r} ({where.get(text, 'declared by the engine')})"
        yield from (f"{language}: stale: {text!r}" for text in have if text not in wanted)


def update() -> None:
    """Bring the .ts files up to date, and release them. Needs the tools that PySide6 brings."""
    with tempfile.TemporaryDirectory() as folder:
        # lupdate sees one list of marks; it keeps each translation that its text still has.
        words = Path(folder) / "words.py"
        words.write_text(
            "".join(f"QT_TRANSLATE_NOOP({CONTEXT!r}, {_literal(text)})\n" for text in sources()),
            "utf-8",
        )
        for language in LANGUAGES:
            ts = file_of(language)
            _run("lupdate", words, "-ts", ts, "-source-language", "en", "-target-language",
                 language, "-no-obsolete", "-locations", "none",
                 "-disable-heuristic", "sametext", "-disable-heuristic", "similartext")  # fmt: skip
            _run("lrelease", "-nounfinished", ts, "-qm", ts.with_suffix(".qm"))


def _literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _run(tool: str, *arguments: object) -> None:
    program = Path(PySide6.__file__).parent / tool
    subprocess.run([program, "-silent", *map(str, arguments)], check=True)


def main() -> int:
    """The exit status: 1 where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="Change nothing.")
    if not parser.parse_args().check:
        update()
    lines = list(missing())
    sys.stdout.write("\n".join([*lines, f"{len(lines)} to do."]) + "\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
