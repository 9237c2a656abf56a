"""adapter_config.json: every field that decides what the numbers mean, checked before it is used.

PEFT runs the file's patterns as regular expressions, and one such as `(a+)+$` never ends. Here no
pattern of a file is run: names, dots, `^`, `$`, `.*`, `.+` and `\\d+` are understood by a matcher
that takes linear time, and a file that needs more is refused with the reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_lab.errors import AdapterError
from lora_lab.formats.container import MAX_JSON, parse_json, read_bytes, show

MAX_RANK = 65536

# One step of a pattern: the test of a character, and whether it may repeat from zero times on.
Step = tuple[Callable[[str], bool], bool]

# Fields that change what an adapter computes in ways that are not read here; each must be empty.
FOREIGN = {
    "use_dora": "a DoRA adapter also rescales the rows of W",
    "use_qalora": "a QALoRA adapter pools its inputs",
    "use_bdlora": "a block-diagonal adapter has factors of another shape",
    "lora_bias": "the adapter has biases of its own",
    "modules_to_save": "the file replaces whole modules of the base",
    "target_parameters": "the adapter changes parameters, not linear layers",
    "trainable_token_indices": "the adapter changes rows of the embedding",
    "layer_replication": "the adapter expects a base with repeated layers",
    "alora_invocation_tokens": "the adapter is active only after certain tokens",
    "arrow_config": "the file is a router over several adapters",
    "kasa_config": "a KaSA adapter changes the base",
    "monteclora_config": "a MonteCLoRA adapter samples its factors",
    "velora_config": "a VeLoRA adapter compresses its inputs",
}
# Initialisations that leave the base as it was; PiSSA, OLoRA, CorDA, LoRA-GA and LoftQ change it.
PLAIN_INITS = (True, False, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True)
class PeftConfig:
    """What adapter_config.json says, in the words of that file."""

    path: Path
    r: int
    lora_alpha: float
    use_rslora: bool
    lora_dropout: float
    base_model_name_or_path: str
    target_modules: tuple[str, ...] | None  # none: a regular expression, which is not run
    rank_pattern: dict[str, int]
    alpha_pattern: dict[str, float]
    notes: tuple[str, ...] = ()

    def rank(self, name: str) -> int:
        """The rank of module `name`: that of the first pattern that matches, else r."""
        return next((v for p, v in self.rank_pattern.items() if matches(p, name)), self.r)

    def alpha(self, name: str) -> float:
        """The alpha of module `name`: that of the first pattern that matches, else lora_alpha."""
        return next((v for p, v in self.alpha_pattern.items() if matches(p, name)), self.lora_alpha)

    def scaling(self, name: str) -> float:
        """s = α/r, or α/√r with rsLoRA."""
        rank = self.rank(name)
        return self.alpha(name) / (math.sqrt(rank) if self.use_rslora else rank)

    def targets(self, name: str) -> bool:
        """Whether PEFT would put an adapter on module `name`."""
        return self.target_modules is None or any(ends_in(name, t) for t in self.target_modules)


def ends_in(name: str, target: str) -> bool:
    """PEFT's rule for lists: the exact name, or a suffix at a dot."""
    return name == target or name.endswith(f".{target}")


def read_config(path: Path) -> PeftConfig:
    """Read and check the file; raises `AdapterError` naming the file and the field."""
    values = parse_json(read_bytes(path, MAX_JSON), str(path))
    if not isinstance(values, dict):
        raise AdapterError(f"{path}: not a table of settings")

    def refuse(field: str, reason: str) -> AdapterError:
        return AdapterError(f"{path}: {field} is {show(values.get(field))}: {reason}")

    if values.get("peft_type") != "LORA":
        raise refuse("peft_type", "only LORA adapters can be read")
    for field, reason in FOREIGN.items():
        if values.get(field):
            raise refuse(field, f"{reason}, which is not supported yet")
    if values.get("bias", "none") != "none":
        raise refuse("bias", "adapters that train biases of the base are not supported yet")
    init = values.get("init_lora_weights", True)
    if init not in PLAIN_INITS:
        raise refuse("init_lora_weights", "the file is meant for a base that was changed as well")
    for field in ("use_rslora", "fan_in_fan_out"):
        if type(values.get(field, False)) is not bool:
            raise refuse(field, "must be true or false")
    base = values.get("base_model_name_or_path") or ""
    if not isinstance(base, str):
        raise refuse("base_model_name_or_path", "must be a text")
    dropout = values.get("lora_dropout", 0.0)
    if type(dropout) not in (int, float) or not 0 <= dropout < 1:
        raise refuse("lora_dropout", "must be a number from 0 up to, but not including, 1")

    targets = values.get("target_modules")
    notes: tuple[str, ...] = ()
    if isinstance(targets, str):
        notes = ("target_modules is a pattern; the layers were taken from the tensors instead",)
    elif not isinstance(targets, list) or not all(isinstance(t, str) and t for t in targets):
        raise refuse("target_modules", "must be a list of module names or a pattern")

    return PeftConfig(
        path=path,
        r=_rank(path, "r", values.get("r", 8)),
        lora_alpha=_alpha(path, "lora_alpha", values.get("lora_alpha", 8)),
        use_rslora=values.get("use_rslora", False),
        lora_dropout=float(dropout),
        base_model_name_or_path=base,
        target_modules=None if isinstance(targets, str) else tuple(targets),
        rank_pattern=_pattern(path, "rank_pattern", values.get("rank_pattern"), _rank),
        alpha_pattern=_pattern(path, "alpha_pattern", values.get("alpha_pattern"), _alpha),
        notes=notes,
    )


def matches(pattern: str, name: str) -> bool:
    """PEFT's `re.match(rf"(.*\\.)?({pattern})$", name)`, in linear time and without `re`.

    Raises `AdapterError` where the pattern uses groups, alternatives or other such means.
    """
    steps, anchored = _steps(pattern)
    last = len(steps)
    # The set of steps that may come next; a pattern may begin at the start or after any dot.
    states = _skip_optional({0}, steps)
    for position, char in enumerate(name):
        reached: set[int] = set()
        for state in states:
            if state < last and steps[state][0](char):
                reached.add(state if steps[state][1] else state + 1)
        if char == "." and not anchored and position + 1 < len(name):
            reached.add(0)
        states = _skip_optional(reached, steps)
    return last in states


def _skip_optional(states: set[int], steps: list[Step]) -> set[int]:
    """Every state that is reached without reading a character: a repetition may be left."""
    found = set(states)
    for state in sorted(states):
        while state < len(steps) and steps[state][1]:
            state += 1
            found.add(state)
    return found


def _steps(pattern: str) -> tuple[list[Step], bool]:
    """The steps of the pattern, and whether it holds from the start of the name only."""
    anchored = pattern.startswith("^")
    rest = pattern[anchored:]
    if rest.endswith("$") and not rest.endswith("\\$"):
        rest = rest[:-1]
    steps: list[Step] = []
    test: Callable[[str], bool]
    position = 0
    while position < len(rest):
        char = rest[position]
        position += 1
        if char == "\\" and rest[position : position + 1] == "d":
            test = str.isdecimal
            position += 1
        elif char == "\\" and re.fullmatch(r"[^A-Za-z0-9]", rest[position : position + 1]):
            test = rest[position].__eq__
            position += 1
        elif char == ".":
            test = "\n".__ne__
        elif char in "\\^$*+?{}[]()|":
            raise AdapterError(
                f"the pattern {show(pattern)} is a regular expression with {char!r}; patterns of "
                "files are not run, so write the full module names instead"
            )
        else:
            test = char.__eq__
        repeat = rest[position : position + 1]
        if repeat in ("*", "+") and repeat:
            position += 1
            if repeat == "+":
                steps.append((test, False))
            steps.append((test, True))
        else:
            steps.append((test, False))
    return steps, anchored


def _rank(path: Path, field: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MAX_RANK:
        raise AdapterError(
            f"{path}: {field} is {show(value)}: a rank is a whole number from 1 to {MAX_RANK}"
        )
    return value


def _alpha(path: Path, field: str, value: Any) -> float:
    # An integer of a thousand digits has no float; compare before converting.
    if type(value) not in (int, float) or not 0 < value < 1e300:
        raise AdapterError(f"{path}: {field} is {show(value)}: alpha is a number above 0")
    return float(value)


def _pattern(path: Path, field: str, value: Any, check: Any) -> dict[str, Any]:
    if not isinstance(value or {}, dict):
        raise AdapterError(f"{path}: {field} is {show(value)}: must be a table of module names")
    checked = {}
    for pattern, number in (value or {}).items():
        try:
            _steps(pattern)
        except AdapterError as error:
            raise AdapterError(f"{path}: {field}: {error}") from None
        checked[pattern] = check(path, f"{field}[{show(pattern)}]", number)
    return checked
