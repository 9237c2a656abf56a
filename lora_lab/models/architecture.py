"""What a config makes of transformers: the class for a purpose, or the reason why there is none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from lora_lab.apart.walled import walled
from lora_lab.errors import CheckpointError

_SPEAKING = threading.Lock()
_before: list[tuple[int, bool]] = []  # how loud the library was, for each block that is quiet now

Purpose = str  # a key of PURPOSES


class Wanted(NamedTuple):
    """transformers' table of the models for a purpose, what such a model is, and how it reads."""

    table: str
    what: str
    one_way: bool = False  # a token may not see those behind it: it is to predict them
    own_head: bool = False  # its head is no layer of the body, and means nothing if drawn anew
    sides: tuple[bool, ...] = (False, True)  # whether it may have an encoder and a decoder
    besides: str = ""  # a table of models that read more than text, and text alone as well


PURPOSES: dict[Purpose, Wanted] = {
    "causal_lm": Wanted(
        "MODEL_FOR_CAUSAL_LM_MAPPING",
        "a causal language model",
        one_way=True,
        sides=(False,),
        besides="MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING",
    ),
    "masked_lm": Wanted(
        "MODEL_FOR_MASKED_LM_MAPPING", "a masked language model", own_head=True, sides=(False,)
    ),
    "seq2seq": Wanted(
        "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
        "an encoder-decoder model of text",
        sides=(True,),
    ),
    "image_text": Wanted(
        "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING", "a model of images with text", sides=(False,)
    ),
    "sequence_classification": Wanted(
        "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING", "a model of text that could classify it"
    ),
    "token_classification": Wanted(
        "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING", "a model of text that could tag its words"
    ),
    "image_classification": Wanted("MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING", "a model of images"),
}


# Tables of transformers whose models read what no task here has.
NOT_YET = (
    (("SPEECH_SEQ_2_SEQ", "CTC", "AUDIO_CLASSIFICATION", "TEXT_TO_WAVEFORM"), "speech and sound"),
    (("IMAGE_TEXT_TO_TEXT",), "images with text"),
)


def check_values(values: dict[str, Any], name: str) -> None:
    """Raise CheckpointError where transformers makes no config of these values."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    with quiet(name):
        try:
            CONFIG_MAPPING[values["model_type"]].from_dict(dict(values))
        except Exception as error:  # noqa: BLE001, each config checks its values in its own way
            raise CheckpointError(
                f"{name}: config.json does not hold together: {_whole_reason(error)}"
            ) from None


def _whole_reason(error: Exception) -> str:
    """Also what stands behind a first line that only announces a reason."""
    return first_line(ValueError(" ".join(str(error).split())))


def architecture(values: dict[str, Any], purpose: Purpose, name: str) -> tuple[Any, Any]:
    """transformers' config of `values`, and the class of model that it is for.

    Raises CheckpointError, calling the model `name`, where the values do not hold together or the
    model is none for this purpose.
    """
    from transformers.models.auto import modeling_auto
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    wanted = PURPOSES[purpose]
    tables = [getattr(modeling_auto, name) for name in (wanted.table, wanted.besides) if name]
    config = None
    with quiet(name):
        try:
            kind = CONFIG_MAPPING[values["model_type"]]
            supported = next((table[kind] for table in tables if kind in table), None)
            if supported is not None:
                config = kind.from_dict(dict(values))
        except Exception as error:  # noqa: BLE001, each config checks its values in its own way
            raise CheckpointError(
                f"{name}: config.json does not hold together: {_whole_reason(error)}"
            ) from None
    two_sides = bool(getattr(config, "is_encoder_decoder", False))
    if supported is None or two_sides not in wanted.sides:
        what, kind = wanted.what, values["model_type"]
        reason = not_yet(kind) or (
            f"this {kind} model has an encoder and a decoder, and is not {what}. Choose the task "
            "sequence to sequence (seq2seq)."
            if two_sides and supported is not None
            else f"this is a {kind} model, not {what}. Choose another task or another model."
        )
        raise CheckpointError(f"{name}: {reason}")
    if wanted.one_way and sees_both_sides(values):
        raise CheckpointError(shown_the_answers(config, name))
    model = supported[0] if isinstance(supported, tuple) else supported
    if model.config_class is getattr(config, "sub_configs", {}).get("text_config"):
        config = config.get_text_config()  # the text part of a composite, as transformers takes it
    return config, model


def purposes(values: dict[str, Any]) -> dict[Purpose, frozenset[str]]:
    """What a model of this config can be opened for, and the classes that it is of then."""
    from transformers.models.auto import modeling_auto as auto
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kind = values["model_type"]
    default = getattr(CONFIG_MAPPING[kind], "is_encoder_decoder", False)
    two_sides = bool(values.get("is_encoder_decoder", default))
    found = {}
    for purpose, wanted in PURPOSES.items():
        tables = [getattr(auto, f"{n}_NAMES") for n in (wanted.table, wanted.besides) if n]
        names = next((table[kind] for table in tables if kind in table), ())
        fits = two_sides in wanted.sides and not (wanted.one_way and sees_both_sides(values))
        if names and fits:
            found[purpose] = frozenset([names] if isinstance(names, str) else names)
    return found


def sees_both_sides(values: dict[str, Any]) -> bool:
    """Whether a text model of this config reads a token together with those behind it.

    transformers has causal language models of encoders too, which are causal as decoders only.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

    kind = values["model_type"]
    encoder = kind in MASKED or kind in ("bert-generation", "cpmant", "xlnet")
    return encoder and not values.get("is_decoder") and not values.get("causal")


def not_yet(kind: str) -> str:
    """Why a model that transformers knows is not trained here, and what to do; "" for others."""
    from transformers.models.auto import modeling_auto as auto

    opened = {PURPOSES[p].table for p in purposes({"model_type": kind})}  # for another task
    for tables, what in NOT_YET:
        named = {f"MODEL_FOR_{table}_MAPPING" for table in tables} - opened
        if any(kind in getattr(auto, f"{name}_NAMES") for name in named):
            return (
                f"this {kind} model is one of {what}, which cannot be trained here yet. Train it "
                "with transformers and PEFT; the adapter that they write can be inspected, resized "
                "and merged here."
            )
    return ""


def shown_the_answers(config: Any, name: str) -> str:
    """Why a model that reads a token together with those behind it is no causal one."""
    decoder = ', or set "is_decoder": true in its config.json' * hasattr(config, "is_decoder")
    way = f"Choose another task, as masked language modelling (masked-lm){decoder}"
    if hasattr(config, "vision_config"):  # a prefix of image and prompt is read as a whole
        way = "Train it with transformers and PEFT; the adapter that they write is read here"
    return (
        f"{name}: this {config.model_type} model reads each token together with those behind it, "
        f"so it would be shown the tokens that it is to predict. {way}."
    )


def first_line(error: Exception) -> str:
    """What a library complained of, short enough for a sentence."""
    text = str(error).strip().split("\n")[0]
    return "".join(c if c.isprintable() else "?" for c in text)[:140] or type(error).__name__


@contextmanager
def quiet(name: str = "") -> Iterator[None]:
    """Without transformers' own messages and bars: what matters is raised, or becomes a note.

    Not even its errors: they quote a stranger's values as they are, with all that moves a cursor.
    What a library does with a stranger's values is done in such a block, so that it is walled:
    raises Walled, which says so of the file or folder `name`.
    """
    from transformers.utils import logging as messages

    logger = logging.getLogger("transformers")
    with _SPEAKING:
        _before.append((logger.level, messages.is_progress_bar_enabled()))
        logger.setLevel(logging.CRITICAL)
        messages.disable_progress_bar()
    try:
        with walled(name):
            yield
    finally:
        with _SPEAKING:
            level, bars = _before[0]  # of the first block, whichever thread ends last
            _before.pop()
            if not _before:
                logger.setLevel(level)
            if bars and not _before:
                messages.enable_progress_bar()
