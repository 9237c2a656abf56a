"""Linear layers in whose place LoRA in PEFT is refused or without effect, by family, and why.

Read in peft 0.21.2 (tuners/tuners_utils.py: what it refuses of models with a state space; what it
renames of an adapter as transformers renames a checkpoint) and in the networks of transformers
5.23, some of which read a weight where others call its layer. Facts, so that they hold where peft
is not installed.
"""

from __future__ import annotations

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
RENAMED = {  # when it is loaded; PEFT then misses the factors
    "inkling2_text": ("weight_proj",),
    "laguna": tuple(f"shared_experts.{word}_proj" for word in ("gate", "up", "down")),
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
    if _ends_in(name, RENAMED.get(kind, ())):
        return f"PEFT renames its factors as transformers renames {kind} weights, and drops them"
    return ""


def _ends_in(name: str, ends: tuple[str, ...]) -> bool:
    return any(f".{name}".endswith(f".{end}") for end in ends)
