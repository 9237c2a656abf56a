"""adapter_config.json: what decides the numbers' meaning, written and strictly read."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.factor_file import read_settings
from lora_lab.formats.peft_patterns import ends_in, matches, steps_of
from lora_lab.formats.peft_tensors import LINEAR, TRANSPOSED
from lora_lab.names import shown
from lora_lab.task_info import TASKS

PEFT_VERSION = "0.21.2"  # the version whose files these are
MAX_RANK = 65536

# Fields that change what an adapter computes in ways that are not read here; each must be empty.
FOREIGN = {
    "use_qalora": "a QALoRA adapter pools its inputs",
    "use_bdlora": "a block-diagonal adapter has factors of another shape",
    "lora_bias": "the adapter has biases of its own",
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
    use_dora: bool
    fan_in_fan_out: bool  # of the last linear layer that PEFT wrapped, if it has two types
    lora_dropout: float
    base_model_name_or_path: str
    target_modules: tuple[str, ...] | None  # none: a regular expression, which is not run
    rank_pattern: dict[str, int]
    alpha_pattern: dict[str, float]
    modules_to_save: tuple[str, ...] = ()  # fully trained
    task_type: str | None = None  # what the base is opened for; only carried on
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


def read_config(path: Path) -> PeftConfig:
    """Read and check the file; raises `AdapterError` naming the file and the field."""
    values = read_settings(path)

    def refuse(field: str, reason: str) -> AdapterError:
        return AdapterError(f"{path}: {field} is {shown(values.get(field))}: {reason}")

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
    for field in ("use_rslora", "use_dora", "fan_in_fan_out"):
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

    saved = values.get("modules_to_save") or []
    if not isinstance(saved, list) or not all(isinstance(s, str) and s for s in saved):
        raise refuse("modules_to_save", "must be a list of module names")

    return PeftConfig(
        path=path,
        modules_to_save=tuple(saved),
        task_type=kind if isinstance(kind := values.get("task_type"), str) else None,
        r=_rank(path, "r", values.get("r", 8)),
        lora_alpha=_alpha(path, "lora_alpha", values.get("lora_alpha", 8)),
        use_rslora=values.get("use_rslora", False),
        use_dora=values.get("use_dora", False),
        fan_in_fan_out=values.get("fan_in_fan_out", False),
        lora_dropout=float(dropout),
        base_model_name_or_path=base,
        target_modules=None if isinstance(targets, str) else tuple(targets),
        rank_pattern=_pattern(path, "rank_pattern", values.get("rank_pattern"), _rank),
        alpha_pattern=_pattern(path, "alpha_pattern", values.get("alpha_pattern"), _alpha),
        notes=notes,
    )


def config_of(weights: AdapterWeights) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The settings in PEFT's words, and notes."""
    layers, notes, task = weights.layers, [], str(weights.extra.get("task", ""))
    plain = all(_same(x.scaling, x.alpha / x.rank) for x in layers)
    rslora = not plain and all(_same(x.scaling, x.alpha / math.sqrt(x.rank)) for x in layers)
    if plain or rslora:
        alphas = [x.alpha for x in layers]
    else:
        # α and scaling were moved apart; only their product with the factors means anything.
        alphas = [x.scaling * x.rank for x in layers]
        notes.append("lora_alpha is written as scaling · rank, so that the file computes the same")
    pairs = [(x.rank, _number(alpha)) for x, alpha in zip(layers, alphas, strict=True)]
    (rank, alpha), _ = Counter(pairs).most_common(1)[0]
    # Both patterns together, since PEFT divides the pattern's alpha by the pattern's rank; and
    # anchored and escaped, since PEFT takes a key for a regular expression on any suffix.
    own = {
        "^" + re.escape(x.name): pair
        for x, pair in zip(layers, pairs, strict=True)
        if pair != (rank, alpha)
    }
    linear = [x.kind for x in layers if x.kind in LINEAR]
    if len(set(linear)) > 1:
        notes.append(
            "PEFT has one fan_in_fan_out for all linear layers; loading, it corrects it with a "
            "warning where the type of layer changes, and computes the same"
        )
    if bare := sorted(x.name for x in layers if "." not in x.name):
        notes.append(
            f"PEFT also takes {', '.join(bare)} as the last part of longer module names; "
            "a base that has such modules would get untrained adapters there, with a warning"
        )
    config = {
        "peft_type": "LORA",
        "peft_version": PEFT_VERSION,
        # What the base is; PEFT wraps a model of another type without further ado.
        "task_type": TASKS[task].peft if task in TASKS else weights.extra.get("task_type"),
        "auto_mapping": None,
        "base_model_name_or_path": _hub_name(weights),
        "revision": None,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": weights.dropout,
        "target_modules": sorted(x.name for x in layers),
        "exclude_modules": None,
        "bias": "none",
        "fan_in_fan_out": linear[:1] == [TRANSPOSED],
        "use_rslora": rslora,
        "use_dora": any(x.magnitude is not None for x in layers),
        "init_lora_weights": True,
        "modules_to_save": [x.name for x in weights.whole] or None,
        "layers_to_transform": None,
        "layers_pattern": None,
        "rank_pattern": {key: pair[0] for key, pair in own.items()},
        "alpha_pattern": {key: pair[1] for key, pair in own.items()},
    }
    return config, tuple(notes)


def _rank(path: Path, field: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MAX_RANK:
        raise AdapterError(
            f"{path}: {field} is {shown(value)}: a rank is a whole number from 1 to {MAX_RANK}"
        )
    return value


def _alpha(path: Path, field: str, value: Any) -> float:
    # An integer of a thousand digits has no float; compare before converting.
    if type(value) not in (int, float) or not 0 < value < 1e300:
        raise AdapterError(f"{path}: {field} is {shown(value)}: alpha is a number above 0")
    return float(value)


def _pattern(path: Path, field: str, value: Any, check: Any) -> dict[str, Any]:
    if not isinstance(value or {}, dict):
        raise AdapterError(f"{path}: {field} is {shown(value)}: must be a table of module names")
    checked = {}
    for pattern, number in (value or {}).items():
        try:
            steps_of(pattern)
        except AdapterError as error:
            raise AdapterError(f"{path}: {field}: {error}") from None
        checked[pattern] = check(path, f"{field}[{shown(pattern)}]", number)
    return checked


def _hub_name(weights: AdapterWeights) -> str | None:
    """The base as PEFT means it: a model of the Hub or a folder of one, never a file of ours.

    PEFT looks the name up in the network whenever the adapter is saved again, so that a name which
    is not there costs its user a warning. `extra["base_model_name_or_path"]` may give a Hub name.
    """
    if known := weights.extra.get("base_model_name_or_path"):
        return str(known)
    return weights.base if weights.base and (Path(weights.base) / "config.json").is_file() else None


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=0.0)


def _number(value: float) -> int | float:
    """An integer where there is one, as PEFT writes it."""
    return int(value) if float(value).is_integer() else float(value)
