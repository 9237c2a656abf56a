"""What a config makes of transformers: the class for a purpose, or the reason why there is none."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lora_lab.errors import CheckpointError

Purpose = str  # a key of PURPOSES
PURPOSES: dict[Purpose, tuple[str, str]] = {  # transformers' table of models for it; what they are
    "causal_lm": ("MODEL_FOR_CAUSAL_LM_MAPPING", "a causal language model"),
    "sequence_classification": (
        "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING", "a model of text that could classify it",
    ),
    "token_classification": (
        "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING", "a model of text that could tag its words",
    ),
    "image_classification": ("MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING", "a model of images"),
}  # fmt: skip


def architecture(values: dict[str, Any], purpose: Purpose, name: str) -> tuple[Any, Any]:
    """transformers' config of `values`, and the class of model that it is for.

    Raises CheckpointError, calling the model `name`, where the values do not hold together or the
    model is none for this purpose.
    """
    from transformers.models.auto import modeling_auto
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    table, wanted = PURPOSES[purpose]
    mapping = getattr(modeling_auto, table)
    with quiet():
        try:
            kind = CONFIG_MAPPING[values["model_type"]]
            config = kind.from_dict(dict(values))
            supported = mapping[kind] if kind in mapping else None  # noqa: SIM401, get() loads them all
        except Exception as error:  # noqa: BLE001, each config checks its values in its own way
            raise CheckpointError(
                f"{name}: config.json does not hold together: {first_line(error)}"
            ) from None
    if supported is None:
        raise CheckpointError(
            f"{name} is a {values['model_type']} model, not {wanted}. Choose another task "
            "or another model."
        )
    return config, supported[0] if isinstance(supported, tuple) else supported


def purposes(model_type: str) -> tuple[Purpose, ...]:
    """What a kind of model can be opened for."""
    from transformers.models.auto import modeling_auto as auto

    return tuple(
        purpose
        for purpose, (table, _) in PURPOSES.items()
        if model_type in getattr(auto, f"{table}_NAMES")
    )


def first_line(error: Exception) -> str:
    """What a library complained of, short enough for a sentence."""
    text = str(error).strip().split("\n")[0]
    return "".join(c if c.isprintable() else "?" for c in text)[:140] or type(error).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' own messages and bars: what matters becomes a note."""
    from transformers.utils import logging as messages

    logger = logging.getLogger("transformers")
    before, bars = logger.level, messages.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    messages.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(before)
        if bars:
            messages.enable_progress_bar()
