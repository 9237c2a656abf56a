"""adapter_config.json, strictly read: what decides the meaning of the numbers beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_lab.errors import AdapterError
from lora_lab.formats.factor_file import read_settings
from lora_lab.formats.factors import scales
from lora_lab.formats.no_lora import of_adapter_hub
from lora_lab.formats.peft_patterns import Automaton, Patterns, ends_in, no_pattern
from lora_lab.models.skeleton import TASKS
from lora_lab.names import shown, suffixes

MAX_RANK = 65536
MERGE = (
    "In PEFT, merge it (PeftModel.from_pretrained(…).merge_and_unload().save_pretrained(…)), then "
    "`lora-lab extract --base BASE --tuned MERGED`"
)
MERGE_BIASES = (
    "In PEFT, merge it (PeftModel.from_pretrained(…).merge_and_unload().save_pretrained(…)): the "
    "merged model has the biases. `lora-lab extract` of it would leave them out"
)
PLAIN_LORA = (
    "In PEFT, save it with save_pretrained(…, path_initial_model_for_weight_conversion=…), which "
    "needs the adapter as it was before the first step; or merge it there, and `lora-lab extract`"
)
# Fields that change what an adapter computes in ways that are not read here; each must be empty.
FOREIGN = {
    "use_qalora": ("a QALoRA adapter pools its inputs, which no change of W does", ""),
    "use_bdlora": ("a block-diagonal adapter has factors of another shape", MERGE),
    "lora_bias": ("lora_B has biases of its own, which are no part of a ΔW", MERGE_BIASES),
    "trainable_token_indices": ("the adapter changes single rows of the embedding", ""),
    "layer_replication": ("the adapter is for a base with repeated layers", ""),
    "alora_invocation_tokens": ("an aLoRA is active only after certain tokens", ""),
    "arrow_config": ("the file is a router over several adapters", ""),
    "kasa_config": ("a KaSA adapter changes the base as well", MERGE),
    "monteclora_config": ("a MonteCLoRA adapter samples its factors", ""),
}
# Initialisations that leave the base as it was, and those that change it.
PLAIN_INITS = ("true", "false", "gaussian", "eva", "orthogonal", "mica")
START_IN_W = ("pissa", "olora", "corda", "lora_ga")
# Methods of PEFT without a ΔW of layers: prompts, mixtures, biases, norms, rows of the embedding.
WITHOUT_DELTA = (
    "PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "ADAPTION_PROMPT",
    "CPT", "CARTRIDGE", "POLY", "XLORA", "SHADOW", "LILY", "BEFT", "LN_TUNING", "TRAINABLE_TOKENS",
)  # fmt: skip
# What is written again as it was read, where it still means the same layers.
CARRIED = ("task_type", "revision", "auto_mapping")
PARAMETERS = 2_000  # names of them: four for each of 500 layers
TARGETING = ("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern")
HEADS = {"classifier", "score"}  # what PEFT names of every classifier, of which a model has one


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
    rank_pattern: Patterns[int] | None  # None: they cannot be followed, and the tensors tell
    alpha_pattern: Patterns[float]
    modules_to_save: tuple[str, ...] = ()  # fully trained
    ensure_weight_tying: bool = False
    carried: dict[str, Any] = field(default_factory=dict)  # CARRIED
    targeting: dict[str, Any] = field(default_factory=dict)  # TARGETING
    parameters: tuple[str, ...] = ()  # target_parameters
    notes: tuple[str, ...] = ()

    def rank(self, name: str, found: int) -> int:
        """The rank of module `name`: that of the first pattern that matches, else r."""
        return found if self.rank_pattern is None else self.rank_pattern.get(name, self.r)

    def alpha(self, name: str) -> float:
        """The alpha of module `name`: that of the first pattern that matches, else lora_alpha."""
        return self.alpha_pattern.get(name, self.lora_alpha)

    def scaling(self, alpha: float, rank: int) -> float:
        """s = α/r, or α/√r with rsLoRA."""
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)


def read_config(path: Path) -> PeftConfig:
    """Read and check the file; raises `AdapterError` naming the file and the field."""
    values = read_settings(path)
    _check_method(path, values)
    for name in ("use_rslora", "use_dora", "fan_in_fan_out", "ensure_weight_tying"):
        if type(values.get(name) or False) is not bool:
            raise _refusal(path, values, name, "must be true or false")
    base = values.get("base_model_name_or_path") or ""
    if not isinstance(base, str):
        raise _refusal(path, values, "base_model_name_or_path", "must be a text")
    dropout = values.get("lora_dropout") or 0.0
    if type(dropout) not in (int, float) or not 0 <= dropout < 1:
        reason = "must be a number from 0 up to, but not including, 1"
        raise _refusal(path, values, "lora_dropout", reason)
    saved = values.get("modules_to_save") or []
    if not _texts(saved):
        raise _refusal(path, values, "modules_to_save", "must be a list of module names")
    ranks = _table(path, "rank_pattern", values.get("rank_pattern"), checked_rank)
    alphas = _table(path, "alpha_pattern", values.get("alpha_pattern"), checked_alpha)
    notes = []
    if (task := values.get("task_type")) is not None and not _carries("task_type", task):
        notes.append(
            f"task_type {shown(task)} is none of PEFT's, and is left out of what is written"
        )
    rank_pattern = None
    try:
        rank_pattern = Patterns(ranks)
    except AdapterError as error:
        notes.append(f"rank_pattern: {error}; the ranks are those of the tensors")
    try:
        alpha_pattern = Patterns(alphas)
    except AdapterError as error:
        raise AdapterError(f"{path}: alpha_pattern: {error}") from None
    return PeftConfig(
        path=path,
        modules_to_save=tuple(saved),
        r=checked_rank(path, "r", values.get("r", 8)),
        lora_alpha=checked_alpha(path, "lora_alpha", values.get("lora_alpha", 8)),
        use_rslora=bool(values.get("use_rslora")),
        use_dora=bool(values.get("use_dora")),
        fan_in_fan_out=bool(values.get("fan_in_fan_out")),
        ensure_weight_tying=bool(values.get("ensure_weight_tying")),
        lora_dropout=float(dropout),
        base_model_name_or_path=base,
        rank_pattern=rank_pattern,
        alpha_pattern=alpha_pattern,
        carried={name: values[name] for name in CARRIED if _carries(name, values.get(name))},
        targeting=_targeting(path, values),
        parameters=tuple(values.get("target_parameters") or ()),
        notes=tuple(notes),
    )


def left_out(targeting: dict[str, Any], names: list[str]) -> tuple[str, str] | None:
    """The first of `names` that PEFT would put no adapter on, and the field that is why."""
    spared = spares(targeting)
    return next(((name, field) for name in names if (field := spared(name))), None)


def spares(targeting: dict[str, Any]) -> Callable[[str], str]:
    """What says of a layer which field keeps PEFT from putting an adapter on it, or "".

    A pattern that cannot be followed is taken to match.
    """
    targets, excluded = targeting["target_modules"], targeting.get("exclude_modules") or ()
    layers = targeting.get("layers_to_transform")
    layers = frozenset([layers] if type(layers) is int else layers or ())
    words = targeting.get("layers_pattern") or ()
    words = (words,) if isinstance(words, str) else words
    listed = None if isinstance(targets, str) else frozenset(targets)
    unlisted = frozenset(() if isinstance(excluded, str) else excluded)
    follows = {
        text: _follower(text) for text in (targets, excluded) if isinstance(text, str) and text
    }

    def spared(name: str) -> str:
        if isinstance(excluded, str):
            if excluded and excluded in follows and follows[excluded](name, False):
                return "exclude_modules"
        elif any(part in unlisted for part in suffixes(name)):
            return "exclude_modules"
        if listed is None:
            if not follows[targets](name, True):
                return "target_modules"
        elif not any(part in listed for part in suffixes(name)):
            return "target_modules"
        elif layers and name not in listed and _number(name, words) not in layers:
            return "layers_to_transform"
        return ""

    return spared


def unmatched(targeting: dict[str, Any], names: list[str]) -> list[str]:
    """The targets of a list that none of `names` is."""
    targets = targeting["target_modules"]
    if isinstance(targets, str):
        return []
    present = {part for name in names for part in suffixes(name)}
    return [target for target in targets if target not in present]


def _follower(pattern: str) -> Any:
    """PEFT's re.fullmatch of a pattern, or what is asked where it cannot be followed."""
    if pattern.lower() == "all-linear":
        return lambda name, unknown: True
    try:
        automaton = Automaton(pattern, [0])
    except AdapterError:
        return lambda name, unknown: unknown

    def follow(name: str, unknown: bool) -> bool:
        try:
            return automaton.matches(name)
        except AdapterError:  # it takes too long
            return unknown

    return follow


def _number(name: str, words: Sequence[str]) -> int | None:
    """The layer's number: behind a word of layers_pattern, else the first behind two words."""
    steps = name.split(".")
    for word in words or ("",):
        for at in range(1 if word else 2, len(steps) - 1):
            if steps[at].isdecimal() and (not word or ends_in(".".join(steps[:at]), word)):
                return int(steps[at])
    return None


def _check_method(path: Path, values: dict[str, Any]) -> None:
    """Raise AdapterError for what is no plain LoRA, with what can be done."""
    if said := of_adapter_hub(values):
        raise AdapterError(f"{path}: {said}")
    method = values.get("peft_type")
    if method != "LORA":
        reason = "adapters of this method are not read (LORA, LOHA, LOKR and VERA are)"
        if method in WITHOUT_DELTA:
            reason += ", and this method has no ΔW of layers that could be one"
        elif isinstance(method, str):
            reason += f". {MERGE}"
        raise _refusal(path, values, "peft_type", reason)
    for name, (reason, way_out) in FOREIGN.items():
        if values.get(name):
            reason = f"{reason}, which is not supported"
            raise _refusal(path, values, name, f"{reason}. {way_out}" if way_out else reason)
    if values.get("bias", "none") not in ("none", None):
        reason = "adapters that train biases of the base are not supported"
        raise _refusal(path, values, "bias", f"{reason}. {MERGE_BIASES}")
    init = str(values.get("init_lora_weights", True)).lower()
    if init.startswith(START_IN_W):
        reason = "the factors start in W, and belong to a base that lacks that part of it"
        raise _refusal(path, values, "init_lora_weights", f"{reason}. {PLAIN_LORA}")
    if init == "loftq":
        reason = "the adapter belongs to a base that was quantized for it"
        raise _refusal(path, values, "init_lora_weights", f"{reason}. {MERGE}")
    if init not in (*PLAIN_INITS, "none"):
        raise _refusal(path, values, "init_lora_weights", "an initialisation that is unknown here")


def _targeting(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """The fields that choose layers, checked and as they are."""
    found = {name: values.get(name) for name in TARGETING}
    parameters = values.get("target_parameters")
    if not (parameters is None or _texts(parameters)):
        raise _refusal(path, values, "target_parameters", "must be a list of parameters' names")
    if len(parameters or ()) > PARAMETERS:
        raise _refusal(path, values, "target_parameters", f"must be at most {PARAMETERS:,} names")
    if parameters and found["target_modules"] is None:
        found["target_modules"] = []
    targets, excluded = found["target_modules"], found["exclude_modules"]
    if not ((isinstance(targets, str) and targets) or _texts(targets)):
        reason = "must be a list of module names or a pattern"
        raise _refusal(path, values, "target_modules", reason)
    if not (excluded is None or isinstance(excluded, str) or _texts(excluded)):
        reason = "must be a list of module names or a pattern"
        raise _refusal(path, values, "exclude_modules", reason)
    for name, pattern in (("target_modules", targets), ("exclude_modules", excluded)):
        if isinstance(pattern, str) and (wrong := no_pattern(pattern)):
            raise _refusal(
                path,
                values,
                name,
                f"no regular expression ({wrong}), and PEFT loads "
                "no such file. Name the modules in a list instead",
            )
    layers, word = found["layers_to_transform"], found["layers_pattern"]
    numbers = layers if isinstance(layers, list) else [] if layers is None else [layers]
    if not all(type(number) is int for number in numbers):
        raise _refusal(path, values, "layers_to_transform", "must be numbers of layers")
    if not (word is None or isinstance(word, str) or _texts(word)):
        raise _refusal(path, values, "layers_pattern", "must be a list of names")
    return found


def _carries(name: str, value: Any) -> bool:
    if name == "auto_mapping":
        return isinstance(value, dict) and all(isinstance(v, str | None) for v in value.values())
    if name == "task_type":
        return value in tuple(TASKS)
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text for text in value)


def checked_rank(path: Path, field: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MAX_RANK:
        raise AdapterError(
            f"{path}: {field} is {shown(value)}: a rank is a whole number from 1 to {MAX_RANK}"
        )
    return value


def checked_alpha(path: Path, field: str, value: Any) -> float:
    if not scales(value):
        raise AdapterError(
            f"{path}: {field} is {shown(value)}: alpha is a number between -1e30 and 1e30"
        )
    return float(value)


def _table(path: Path, field: str, value: Any, check: Any) -> dict[str, Any]:
    if not isinstance(value or {}, dict):
        raise AdapterError(f"{path}: {field} is {shown(value)}: must be a table of module names")
    return {
        pattern: check(path, f"{field}[{shown(pattern)}]", number)
        for pattern, number in (value or {}).items()
    }


def _refusal(path: Path, values: dict[str, Any], field: str, reason: str) -> AdapterError:
    return AdapterError(f"{path}: {field} is {shown(values.get(field))}: {reason}")
