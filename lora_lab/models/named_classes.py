"""What of transformers a model's files may name, and what those classes may be told to do.

The library looks a name up among everything that it has: a "tokenizer" could be the loader of a
model, without any check of its weights. And some tokenizers start other programs, or load
dictionaries and extensions from a path. Allowed is what tokenizers and processors are called; of
their settings, what asks for neither.
"""

from __future__ import annotations

import re
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


def check_cutters(settings: dict[str, Any], where: str) -> None:
    """Raise CheckpointError for a tokenizer that would load or start something by its settings."""
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
                "author's. Take the line out of the file, or choose another model."
            )


def check_alone(tokenizer: Any, where: str) -> None:
    """Raise CheckpointError for one that has another program write down how words sound."""
    if any(getattr(tokenizer, name, False) for name in OTHER_PROGRAMS):
        raise CheckpointError(
            f"{where}: its tokenizer starts another program for each text, which is not done. "
            "Choose a model of text."
        )
