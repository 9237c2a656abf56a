"""Where PEFT computes something else than an adapter's layers do, whatever its folder says.

Read in peft 0.21.2: what it does to the names of a mixture of experts that transformers 5 holds in
one parameter (utils/transformers_weight_conversion.py), and what its layers do beside convolutions
and norms. A file of such an adapter would look sound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from lora_lab.adapters.weights import AdapterWeights, ExpertName, LayerWeights
from lora_lab.beyond_peft import beyond_peft, renamed, renames
from lora_lab.errors import AdapterError, CheckpointError
from lora_lab.formats.peft_parameters import is_expert, stacks_of
from lora_lab.models.hf_config import check_config
from lora_lab.models.skeleton import Skeleton, skeletons
from lora_lab.models.strict_json import read_json

# Model types whose targets PEFT rewrites: last word of a target → the parameter that it becomes.
FUSED = {"gate_proj": "gate_up_proj", "up_proj": "gate_up_proj", "down_proj": "down_proj"}
FUSED_MIXTRAL = {"w1": "gate_up_proj", "w3": "gate_up_proj", "w2": "down_proj"}
EXPERTS = {
    **dict.fromkeys(("minimax", "minimax_m2", "mixtral"), FUSED_MIXTRAL),
    **dict.fromkeys(
        (
            "Dots3NoteTextModel", "UnlimitedOcrTextModel", "afmoe", "beam", "cohere2_moe",
            "deepseek_v2", "deepseek_v3", "deepseek_v32", "dots1", "ernie4_5_moe", "exaone_moe",
            "flex_olmo", "glm4_moe", "glm4_moe_lite", "glm4v_moe", "glm_moe_dsa", "hunyuan_v1_moe",
            "longcat_flash", "mellum", "olmoe", "qwen3_moe", "qwen3_next",
            "qwen3_omni_moe", "qwen3_omni_moe_text", "qwen3_omni_moe_thinker", "solar_open",
        ),
        FUSED,
    ),
}  # fmt: skip
# Types whose experts transformers 5 stacks as well, and of which PEFT rewrites no target.
STACKED = (
    "axk1", "axk2", "bailing_hybrid", "deepseek_ocr2", "deepseek_v4",
    "dots3_note_vision_encoder", "flint", "glm5_next", "glm5_next_text", "hy_v3", "jamba",
    "kimi_k25", "kimi_linear", "kolibri1", "laguna", "lfm2_moe", "mimo_v2_flash",
    "minimax_m3_vl", "mistral_large4_text", "nemotron_h", "phimoe", "qwen2_moe",
    "qwen3_5_moe_text", "qwen4_exp_text",
)  # fmt: skip
ROUTER = "gate"  # which PEFT takes for the router in all of EXPERTS
# What PEFT adds to modules_to_save of a task by itself (peft_model.py).
TASK_HEADS = {
    "SEQ_CLS": ("classifier", "score"),
    "TOKEN_CLS": ("classifier", "score"),
    "QUESTION_ANS": ("qa_outputs",),
}
MERGE = "Write a merged checkpoint instead"


def limits(weights: AdapterWeights) -> tuple[str, ...]:
    """A sentence for each layer that PEFT would compute otherwise, with the way out."""
    kind = model_type(weights)
    reasons = [reason for layer in weights.layers for reason in _of_layer(layer, kind)]
    reasons += _of_names(weights, kind)
    saved = [layer.name for layer in weights.whole]
    for layer in weights.layers:
        if (beside := next((n for n in saved if saves(layer.name, (n,))), None)) is not None:
            reasons.append(
                f"{layer.name}: PEFT saves the whole of {beside} and takes every module whose path "
                "ends alike for it, so that this layer has no place for factors"
            )
    reasons += _of_parameters(weights, kind)
    if kind in EXPERTS:
        reasons += _of_experts(weights, kind)
    if kind in STACKED:
        reasons += [
            f"{layer.name}: transformers 5 holds the experts of a {kind} model in one parameter, "
            f"and PEFT 0.21 leaves factors of single ones out. {MERGE}"
            for layer in weights.layers
            if _expert(layer)
        ]
    return tuple(reasons)


def by_weight(weights: AdapterWeights) -> frozenset[str]:
    """The layers whose weight is named in target_parameters, as a file that was read had it, or
    since PEFT would take the layer itself for a part of fused experts."""
    held = set(weights.extra.get("by_weight", ())) & {layer.name for layer in weights.layers}
    if (kind := model_type(weights)) in EXPERTS:
        words = {*EXPERTS[kind], ROUTER}
        held |= {
            layer.name
            for layer in weights.layers
            if layer.name.rpartition(".")[2] in words and not _expert(layer)
            if not is_expert(layer)
        }
    return frozenset(held)


def saves(name: str, words: tuple[str, ...]) -> bool:
    """Whether PEFT's modules_to_save of these words keeps the module `name` whole.

    It takes every module whose path ends in such letters, with all that is in it.
    """
    return any(path.endswith(words) for path in accumulate(name.split("."), "{}.{}".format))


def model_type(weights: AdapterWeights) -> str:
    """The family of the base as transformers names it; "" where it is not known."""
    kind = (_config(weights) or weights.extra).get("model_type")
    return kind if isinstance(kind, str) else ""


def _config(weights: AdapterWeights) -> dict[str, Any]:
    """config.json of the base; {} where it has none that can be read: an adapter names any.

    Not checked, since a family is a word that lays nothing out.
    """
    base = Path(weights.base) if weights.base else None
    try:
        if base is not None and (base / "config.json").is_file():
            return read_json(base / "config.json", 2**20, infinite=True)
    except (CheckpointError, OSError):  # a base that nobody can read is refused elsewhere
        pass
    return {}


def _laid_out(config: dict[str, Any]) -> Iterator[Skeleton]:
    """The networks of a config once it is checked; raises CheckpointError.

    They are transformers' own classes, so that code of the author's is not asked for, nor is how
    the weights are packed.
    """
    plain = _without(("auto_map", "quantization_config"), config)
    if plain:
        check_config(plain, "config.json")
        yield from skeletons(plain, ())


def _without(keys: tuple[str, ...], value: Any) -> Any:
    """A value of JSON without these keys, however deep they stand."""
    if isinstance(value, list):
        return [_without(keys, inner) for inner in value]
    if isinstance(value, dict):
        return {key: _without(keys, inner) for key, inner in value.items() if key not in keys}
    return value


def unusual(layer: LayerWeights) -> bool:
    """A convolution whose window is not what PEFT's lora_A has."""
    return bool(layer.dilation) or layer.padding_mode != "zeros"


def _of_layer(layer: LayerWeights, kind: str) -> list[str]:
    reasons = []
    if why := beyond_peft(kind, layer.name):
        reasons.append(f"{layer.name}: {why}. {MERGE}")
    elif not layer.called:
        reasons.append(
            f"{layer.name}: its network does not only call the layer, but reads its weight or a "
            "setting such as its stride, or holds it under two names, so that PEFT's LoRA in its "
            f"place has no effect, or in part, or fails. {MERGE}"
        )
    if unusual(layer):
        reasons.append(
            f"{layer.name}: PEFT's lora_A neither dilates nor pads otherwise than with zeros, "
            "as this convolution does"
        )
    if layer.magnitude is None:
        return reasons
    if layer.groups not in (1, layer.shape[0]):
        reasons.append(
            f"{layer.name}: PEFT takes DoRA's norms of a convolution in groups over the wrong "
            "entries, unless each group has one output"
        )
    if ((layer.magnitude == 0) & (layer.lora_B == 0).all(1)).any():
        reasons.append(
            f"{layer.name}: some outputs have no weights at all, and PEFT's DoRA divides 0 by 0"
        )
    return reasons


def _of_names(weights: AdapterWeights, kind: str) -> list[str]:
    """What PEFT looks for elsewhere, in the model that the base's config is of where it is here."""
    if not renames(kind):
        return []
    names = {x.name: _module(x) for x in weights.layers}
    model, without = None, False
    try:
        for skeleton in _laid_out(_config(weights)):
            if set(names.values()) <= skeleton.kinds.keys():
                model = skeleton.model
                break
            without = True
    except CheckpointError:  # the family alone is known then
        pass
    if without and model is None:  # of an earlier transformers, for which the renamings are
        return []
    lost = renamed(names.values(), kind, model)
    return [f"{name}: {lost[at]}. {MERGE}" for name, at in names.items() if at in lost]


def _module(layer: LayerWeights) -> str:
    """The module that PEFT puts its factors at."""
    place = ExpertName.of(layer.name) if is_expert(layer) else None
    return place.owner if place else layer.name


def _of_parameters(weights: AdapterWeights, kind: str) -> list[str]:
    """What PEFT's target_parameters cannot say."""
    try:
        stacks_of(weights.layers)
    except AdapterError as error:
        return [str(error)]
    held = by_weight(weights)
    return [
        f"{layer.name}: PEFT 0.21 reaches {'experts' if is_expert(layer) else 'it'} by "
        f"target_parameters alone in a {kind} model, and has no DoRA of those. {MERGE}"
        for layer in weights.layers
        if layer.magnitude is not None and (is_expert(layer) or layer.name in held)
    ]


def _expert(layer: LayerWeights) -> tuple[str, int] | None:
    """Container and number of a layer of one expert on its own: `….experts.3.up_proj`."""
    container, _, number = layer.name.rpartition(".")[0].rpartition(".")
    if is_expert(layer):
        return None
    return (
        (container, int(number)) if container.endswith("experts") and number.isdecimal() else None
    )


def _of_experts(weights: AdapterWeights, kind: str) -> list[str]:
    """What becomes of layers of single experts, which PEFT takes for parts of fused ones.

    They are stacked, so that all of them have to be there, with the rank and alpha that the file
    has for most layers; and they cannot be beside factors that are stacked already.
    """
    mapping, reasons = EXPERTS[kind], []
    inside: dict[tuple[str, str], dict[tuple[int, str], LayerWeights]] = {}
    for layer in weights.layers:
        word = layer.name.rpartition(".")[2]
        if word in mapping and (place := _expert(layer)):
            inside.setdefault((place[0], mapping[word]), {})[place[1], word] = layer
    if not inside:
        return reasons
    if held := sorted(by_weight(weights)):
        reasons.append(
            f"{held[0]}: PEFT 0.21 makes target_parameters of the layers of single experts, and "
            f"cannot be told of this one beside them. {MERGE}"
        )
    common = Counter((x.rank, x.alpha, x.scaling) for x in weights.layers).most_common(1)[0][0]
    experts = 1 + max(number for parts in inside.values() for number, _ in parts)  # as it is named
    if {fused for _, fused in inside} == {"gate_up_proj"}:
        reasons.append(
            f"{next(iter(inside))[0]}: PEFT 0.21 reads no gate_up_proj of fused experts without "
            f"their down_proj. {MERGE}"
        )
    for (container, fused), parts in inside.items():
        words = [word for word, name in mapping.items() if name == fused]
        if len(parts) < experts * len(words):  # counted, since a name may say any number
            reasons.append(
                f"{container}: PEFT 0.21 stacks the {', '.join(words)} of all {experts} experts, "
                f"and some have no factors. {MERGE}"
            )
        elif any((x.rank, x.alpha, x.scaling) != common for x in parts.values()):
            reasons.append(
                f"{container}: PEFT 0.21 gives all fused experts the rank and alpha that most "
                "layers have, and these have others. Write peft-portable, or a merged checkpoint"
            )
        elif any(x.magnitude is not None for x in parts.values()):
            reasons.append(f"{container}: PEFT has no DoRA of fused experts. {MERGE}")
    return reasons
