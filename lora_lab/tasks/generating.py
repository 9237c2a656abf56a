"""Text from a transformers model by the settings that a person sees, and by no others.

A checkpoint's generation_config.json may set penalties, beams or a temperature of its own, which
`generate` takes up wherever nothing else is said. Here all of them are said, so that greedy is the
likeliest token and a temperature is that temperature; what is not applied of the file is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from lora_lab.errors import Cancelled
from lora_lab.sampling import Sampling
from lora_lab.tasks.base import never
from lora_lab.tasks.draws import drawing_apart

# What would move the choice of a token, with the value at which it does not.
NEUTRAL: dict[str, Any] = {
    "num_beams": 1, "top_k": 0, "typical_p": 1.0, "min_p": None, "top_h": None,
    "epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0, "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0, "min_length": 0, "min_new_tokens": None,
    "exponential_decay_length_penalty": None, "sequence_bias": None, "bad_words_ids": None,
    "guidance_scale": None, "penalty_alpha": None, "dola_layers": None, "watermarking_config": None,
    "num_return_sequences": 1, "stop_strings": None, "prompt_lookup_num_tokens": None,
}  # fmt: skip


def settings_of(sampling: Sampling) -> dict[str, Any]:
    """The arguments of transformers' `generate` that choose a token."""
    drawn = sampling.temperature > 0
    choice = {"temperature": sampling.temperature if drawn else 1.0, "top_p": sampling.top_p}
    if not drawn:
        choice["top_p"] = 1.0
    return {**NEUTRAL, **choice, "do_sample": drawn}


def not_applied(model: Any) -> tuple[str, ...]:
    """A note on what the checkpoint's generation_config.json would change, where it does."""
    own = getattr(model, "generation_config", None)
    if own is None:
        return ()
    usual = own._get_default_generation_params() if hasattr(own, "_get_default_generation_params") \
        else {}  # fmt: skip
    found = []
    for name, neutral in {**NEUTRAL, "temperature": None, "top_p": None}.items():
        value = getattr(own, name, None)
        if value not in (None, neutral, usual.get(name)) and value != []:
            found.append(f"{name} {value}")
    if not found:
        return ()
    return (f"generation_config.json also sets {', '.join(found)}: not applied here",)


@torch.no_grad()
def generated(
    model: nn.Module,
    inputs: Mapping[str, torch.Tensor],
    tokenizer: Any,
    sampling: Sampling,
    *,
    begin: int,
    max_new_tokens: int,
    pad: int,
    should_stop: Callable[[], bool] = never,
) -> str:
    """What the model says after `inputs`, of which input_ids are (1, tokens).

    Its answer begins at token `begin`. Torch's random state is as before. Raises Cancelled where
    `should_stop` says so.
    """
    stop = sampling.stop

    def text_of(tokens: torch.Tensor) -> str:
        return tokenizer.decode(tokens[0, begin:], skip_special_tokens=True)

    def ends(tokens: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        done = should_stop() or any(word in text_of(tokens) for word in stop)
        return torch.full((len(tokens),), done, device=tokens.device, dtype=torch.bool)

    ids = inputs["input_ids"]
    with drawing_apart(ids.device):
        torch.manual_seed(sampling.seed)
        tokens = model.generate(
            **{"attention_mask": torch.ones_like(ids), **inputs},
            max_new_tokens=max_new_tokens,
            pad_token_id=pad,
            stopping_criteria=[ends],
            **settings_of(sampling),
        )
    if should_stop():
        raise Cancelled("Generating was cancelled.")
    text = text_of(tokens)
    return text[: min((text.find(word) for word in stop if word in text), default=len(text))]
