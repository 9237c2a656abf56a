"""What of transformers a model's files may name, and what those classes may be told to do.

The library looks a name up among everything that it has: a "tokenizer" could be the loader of a
model, without any check of its weights. And some tokenizers start other programs, or load
dictionaries and extensions from a path. Allowed is what tokenizers and processors are called; of
their settings, what asks for neither.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lora_lab.errors import CheckpointError
from lora_lab.names import shown

OF_IMAGES = r"(?!Auto)\w*(ImageProcessor|FeatureExtractor|VideoProcessor)(Fast|Pil)?"
# The keys that name a class, and how the classes are called that have no other ones in them.
CALLED = {
    "tokenizer_class": r"(?!Auto|Rag)\w*(Tokenizer(Fast|Legacy)?|TokenizersBackend|PythonBackend"
    r"|SentencePieceBackend|MistralCommonBackend)",
    "processor_class": r"(?!Auto)\w*Processor",
    "image_processor_type": OF_IMAGES, "feature_extractor_type": OF_IMAGES,
    "video_processor_type": OF_IMAGES,
}  # fmt: skip
OF_SPEECH = "Wav2Vec2ProcessorWithLM"  # loads a language model of its own, from another library
OTHER_PROGRAMS = ("phonemize", "do_phonemize")  # by phonemizer, which starts espeak
# How Japanese is cut into words; the values that are no paths, options or programs.
CUTTERS = {
    "word_tokenizer_type": ("basic", "mecab", "sudachi"),
    "mecab_dic": ("ipadic", "unidic", "unidic_lite"),
    "mecab_option": (), "sudachi_config_path": (), "sudachi_resource_dir": (),
    "sudachi_dict_type": ("small", "core", "full"),
}  # fmt: skip
TAKE_OUT = "Take the line out of the file, or choose another model."
# What the library hands a tokenizer of the folder's files, and would take of its settings as well;
# what of it says nothing else. Empty ones are written by older versions of it.
OWN_FILES = {
    "fast_tokenizer_files": (["tokenizer.json"],),
    **dict.fromkeys(("vocab", "merges", "tokenizer_object", "init_inputs", "gguf_file"), ()),
}  # fmt: skip
OPENED = ("_file", "_spm")  # ends of what names a file
NOT_OPENED = "special_tokens_map_file"  # written by older versions, and read by none
# Numbers up to which something may be made: made-up words, of which models have some hundred, and
# the letters of a word. Others are lengths, ids or pixels, of which nothing is made beforehand.
MOST_COUNTED = 10_000
# Settings of processors of images → what they would have it do.
BEYOND_PIXELS = {
    "class_info_file": "reads a file of names of classes",
    "repo_path": "reads a file elsewhere",
    "apply_ocr": "reads words with a program",
    "clusters": "compares each pixel with each of a list of colours",
}
MAY_BE_LARGE = ("max_length", "max_len", "vocab_size", "max_position", "sampling_rate", "pixels",
                "edge", "samples", "seed", "max_patches", "num_patches", "max_image_tokens",
                "token_limit", "max_video_tokens", "max_frames", "max_seq_len", "max_sequence",
                "context_length", "n_ctx")  # fmt: skip
LARGE_AT_END = ("_id", "_ids", "_index", "_frames")
# Not with a word before it: of `image_seq_length` a text is made that is so long.
LARGE_ALONE = ("seq_len", "seq_length")
MADE = "extra_ids"  # a count, and no ids
CUTTERS_OWN = ("mecab_kwargs", "sudachi_kwargs", "jumanpp_kwargs")


def check_classes(values: dict[str, Any], where: str) -> None:
    """Raise CheckpointError where a file names something else than a tokenizer or a processor."""
    for key, called in CALLED.items():
        name = values.get(key)
        if name is None or (isinstance(name, str) and re.fullmatch(called, name)):
            continue
        if name == OF_SPEECH:
            raise CheckpointError(
                f"{where}: {key} is {OF_SPEECH}, and models of speech and sound cannot be trained "
                "here yet. Choose a model of text or of images."
            )
        if not isinstance(name, str) or _is_another(name):
            raise CheckpointError(
                f"{where}: {key} is {shown(name)}, and not what opens such a file. Download it "
                "again."
            )


def _is_another(name: str) -> bool:
    """Whether transformers has such a thing; of a name that it does not know it makes its usual."""
    import transformers

    return hasattr(transformers, name)


def check_settings(settings: dict[str, Any], where: str, folder: Path | None = None) -> None:
    """Raise CheckpointError for a tokenizer that would load or start something by its settings,
    but its folder's own files, or make as many words as they count."""
    for key, value in settings.items():
        if key in OWN_FILES and value and value not in OWN_FILES[key]:
            raise CheckpointError(
                f"{where}: {key} is {shown(value)}, of which the tokenizer would be made in the "
                f"place of the folder's own files. {TAKE_OUT}"
            )
        named = key.endswith(OPENED) and key != NOT_OPENED and isinstance(value, str)
        if named and _is_file(value, folder):
            raise CheckpointError(
                f"{where}: {key} is {shown(value)}, a file of this machine, which is not opened "
                f"for it. {TAKE_OUT}"
            )
    check_counts(settings, where)
    _check_cutters(settings, where)


def check_beyond_pixels(settings: dict[str, Any], where: str) -> None:
    """Raise CheckpointError for a processor of images that does more than turn them into pixels."""
    for key, what in BEYOND_PIXELS.items():
        if settings.get(key):
            raise CheckpointError(
                f"{where}: its image processor has {key}: it {what}, which is not done here. "
                "Choose a model whose processor only scales and normalizes."
            )


def check_counts(value: Any, where: str, key: str = "") -> None:
    """Raise CheckpointError for a number in settings that no tokenizer or processor counts to."""
    if isinstance(value, dict | list):
        named = value.items() if isinstance(value, dict) else [(key, inner) for inner in value]
        for name, inner in named:
            check_counts(inner, where, name)
    elif isinstance(value, int | float) and abs(value) > MOST_COUNTED and not _may_be_large(key):
        raise CheckpointError(
            f"{where}: {ascii(key)[1:-1][:60]} is {value:,}, far more than any has. {TAKE_OUT}"
        )


def _may_be_large(key: str) -> bool:
    if key in LARGE_ALONE or (key.endswith(LARGE_AT_END) and not key.endswith(MADE)):
        return True
    return any(part in key for part in MAY_BE_LARGE)


def _is_file(path: str, folder: Path | None) -> bool:
    """Whether it is a file of this machine, and not one of the folder."""
    try:
        if not Path(path).is_file():
            return False
        # Of a link the place counts: in a cache of the hub, all files are links out of the folder.
        own = folder is not None and Path(path).parent.resolve().is_relative_to(folder.resolve())
        return not own
    except (OSError, ValueError):
        return False


def _check_cutters(settings: dict[str, Any], where: str) -> None:
    asked = dict(settings)
    for key in CUTTERS_OWN:
        inner = settings.get(key) or {}
        if not isinstance(inner, dict):
            raise CheckpointError(f"{where}: {key} is {shown(inner)}, where a table belongs.")
        asked |= inner
    for key, allowed in CUTTERS.items():
        if (value := asked.get(key)) is not None and value not in allowed:
            raise CheckpointError(
                f"{where}: {key} is {shown(value)}, which could load or start something of its "
                f"author's. {TAKE_OUT}"
            )


def check_alone(tokenizer: Any, where: str) -> None:
    """Raise CheckpointError for one that has another program write down how words sound."""
    if any(getattr(tokenizer, name, False) for name in OTHER_PROGRAMS):
        raise CheckpointError(
            f"{where}: its tokenizer starts another program for each text, which is not done. "
            "Choose a model of text."
        )
