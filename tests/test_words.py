"""One word for one thing, and the field's: words that are not to come back, in text and in code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES += sorted((ROOT / "resources" / "help").glob("*.md"))
CODE = sorted((ROOT / "lora_lab").rglob("*.py"))

# What is not said, as a pattern: what is said in its place.
EVERYWHERE = {
    r"search(es|ing)? for garbage": "garbage collection",
    r"\bcall(s|ed|ing)?[ _]off|called_?off": "cancel",
    r"\bbr(eak|eaks|oke|oken)[ _]off": "cancel, stop early, fail",
    r"given_up": "cancelled, stopped early",
    r"steepness": "gradient norm",
    r"\b(go|goes|going|went) on with": "continue",
    r"held[- _]?out[- _]loss": "validation loss",
    r"wish": "request",
    r"(\b|_)heed": "handle",
    r"(?<!without[ -])regret": "rollback",
    r"housed": "docked, recorded",
    r"(\b|_)legs?\b": "stage",
    r"\bration\b": "time budget",
    r"\blinger": "serve after training",
    r"\btrained whole\b": "fully trained",
    r"\b(the|a) common rank": "default rank",
    r"factored anew": "re-factorised",
    r"taken for another": "misclassified",
    r"\bthe lab was put back": "restored",
}
# What the window, the command line and the pages do not say; code may have such names.
ONLY_TEXT = {
    r"(?-i:\bTrain on\b)": "Continue training",
    r"\bgoes? on\b": "continue, resume",
    r"\bAdam keeps\b": "Optimizer state",
    r"\bhas moved W\b": "‖ΔW‖/‖W‖",
    r"\bscale the effect\b": "rescale ΔW",
    r"\bkeep the function\b": "keep ΔW",
    r"\bDrop exceptions\b": "Reset per-layer settings",
    r"\brank of (its|their) own\b": "per-layer rank",
    r"\bcome to its end\b": "finished",
    r"\bparameters (that )?train\b": "trainable parameters",
    r"\bbase alone\b": "base model",
    r"(?-i:\bGo back\b)": "Revert",
    r"\bBranch(ed)? off\b": "Branch",
    r"\bas the newest\b": "latest checkpoint",
    r"\b(Line|Lined) up\b": "Add runs",
    r"\bas in the docks\b": "current",
    r"\bas the docks show\b": "current settings",
    r"\btype as it is\b": "keep dtype",
    r"\ball that there is\b": "full rank",
    r"\bfarthest off\b": "worst layer",
    r"\bspectra held\b": "snapshots kept",
    r"\bstep in hand\b": "current step",
    r"\bforetold\b": "predicted",
    r"\blongest text\b": "context length",
    r"\bold task's? rows\b": "retention set",
    r"\bput back\b": "restored",
}
# (end of the file's path, what its line says, why it may)
ALLOWED = [
    ("", "Without Regret", "the title of a paper (Schulman et al. 2025)"),
    ("lora_lab/records.py", '"once": "leg"', "a key of records on disk"),
    ("saving/state.py", '"leg"', "a key of checkpoints on disk"),
    ("saving/facts.py", '"leg"', "a key of checkpoints on disk"),
    ("saving/test_facts.py", '"leg"', "a key of checkpoints on disk"),
    ("lora_lab/runs/recipe.py", '"LEGS"', "a name in scripts that were written"),
]


def allowed(path, line):
    name = path.relative_to(ROOT).as_posix()
    return any(name.endswith(end) and part in line for end, part, _ in ALLOWED)


def found(pattern, files):
    """The lines of the files that say it, as file:line: text."""
    seeks = re.compile(pattern, re.IGNORECASE)
    return [
        f"{path.relative_to(ROOT).as_posix()}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if seeks.search(line) and not allowed(path, line)
    ]


@pytest.mark.parametrize("pattern", EVERYWHERE)
def test_a_word_is_nowhere(pattern):
    assert "\n".join(found(pattern, PAGES + CODE)) == "", f"say: {EVERYWHERE[pattern]}"


@pytest.mark.parametrize("pattern", ONLY_TEXT)
def test_a_word_is_not_said_to_people(pattern):
    said = [line for line in found(pattern, CODE) if re.search(f'"[^"]*{pattern}', line, re.I)]
    said = [line for line in said if '"""' not in line]
    assert "\n".join(found(pattern, PAGES) + said) == "", f"say: {ONLY_TEXT[pattern]}"
