"""Linear layers in whose place LoRA in PEFT is refused or without effect, by family, and why.

Read in peft 0.21.2 (tuners/tuners_utils.py: what it refuses of models with a state space; what it
renames of an adapter as transformers renames a checkpoint) and in the networks of transformers
5.23, some of which read a weight where others call its layer. Facts, and transformers' own
renamings, so that they hold where peft is not installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

STATE_SPACE = ("falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h")
REFUSED = ("conv1d", "out_proj")  # by PEFT, of a model of these types: last words of a path
READ = {
    **dict.fromkeys(("falcon_mamba", "jamba", "mamba"), ("dt_proj",)),
    **dict.fromkeys(("gemma3n", "gemma3n_text"), ("altup.correction_coefs",)),  # in training
    **dict.fromkeys(
        ("layoutlmv2", "layoutlmv3"), ("rel_pos_bias", "rel_pos_x_bias", "rel_pos_y_bias")
    ),
    "longcat_flash": ("router.classifier",),
    "mobilebert": ("predictions.dense",),
    "neomme": ("unembedding_projection",),
}


def beyond_peft(kind: str, name: str) -> str:
    """Why LoRA in PEFT cannot stand for the layer `name` of a model of this type; "" where it can.

    `kind` is the model_type of its config. Of a layer in a form of its own nothing is said here.
    """
    word = name.rpartition(".")[2]
    if kind in STATE_SPACE and word in REFUSED:
        return f"PEFT refuses {word} of a {kind} model, which can read the weight without a call"
    if _ends_in(name, READ.get(kind, ())):
        return f"a {kind} model reads the weight of {word} without calling the layer"
    return ""


def renames(kind: str) -> bool:
    """Whether PEFT puts the keys of an adapter of such a model through any renaming at all."""
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    return bool(kind) and get_checkpoint_conversion_mapping(kind) is not None


def renamed(names: Iterable[str], kind: str, model: Any = None) -> dict[str, str]:
    """Why PEFT drops the factors of modules, by name: of those of `names` of which it does.

    The renamings are those by which transformers reads an older checkpoint of the family
    (peft's utils/transformers_weight_conversion.py), and some of their patterns hit names of
    today. `model` is the one that it loads into, whose parts may be of other families; without it
    the renamings of the family itself are asked.
    """
    if not renames(kind):
        return {}
    from transformers import conversion_mapping as known
    from transformers.core_model_loading import WeightRenaming, apply_renamings, dot_natural_key

    if model is None:
        steps = known.get_checkpoint_conversion_mapping(kind)
    else:
        steps = known.get_model_conversion_mapping(model)
    renamings = [step for step in steps if isinstance(step, WeightRenaming)]
    there = set() if model is None else {name for name, _ in model.named_modules()}
    reason = f"PEFT renames its factors as transformers renames {kind} weights, and drops them"
    end, found = ".lora_A.default.weight", {}
    for name in sorted(names, key=dot_natural_key):  # in order: some wait for another to come
        new = apply_renamings(name + end, renamings).removesuffix(end)
        taken_back = f"base_model.model.{name}".endswith(new)  # by PEFT, if a prefix alone changed
        older = name not in there and new in there  # for which the renaming is
        if not taken_back and not older:
            found[name] = reason
    return found


def _ends_in(name: str, ends: tuple[str, ...]) -> bool:
    return any(f".{name}".endswith(f".{end}") for end in ends)
