"""The processor of a model of images with text, which makes tokens and numbers of both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lora_lab.door import door
from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import first_line, quiet
from lora_lab.models.hf_config import read_config
from lora_lab.models.image_cost import COUNTS_AREA, MOST_COUNTED_PIXELS, check_cost
from lora_lab.models.image_rules import LARGEST_EDGE
from lora_lab.models.named_classes import check_beyond_pixels, check_classes, check_counts
from lora_lab.models.strict_json import read_json
from lora_lab.models.tokenizer_file import check_code, check_tokenizer, open_tokenizer
from lora_lab.models.tokenizer_guard import Endless, guarded, made_in_time
from lora_lab.models.tokenizer_texts import ADDED, CONFIG, MAP, OF_PIECES, WHOLE, check_files

FILES = ("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json")
OF_VIDEOS = "video"  # in the names of files and of parts of them
OF_TOKENIZERS = (CONFIG, MAP, ADDED, WHOLE, *OF_PIECES)
SOUNDS, SOUNDS_FILE = "audio_tokenizer", "audio_tokenizer_config.json"  # name any model's loader
PACKAGE = re.compile(r"pip install ([\w-]+)")  # as transformers asks for one
SIZES = ("size", "crop_size", "pad_size", "max_image_size", "min_pixels", "max_pixels")


@door(CheckpointError)
def open_processor(path: str | Path) -> Any:
    """The processor of a folder, padding at the right.

    Raises CheckpointError where there is none, where it would run code, and where it has no chat
    template, which says where images stand.
    """
    path = Path(path)
    read_config(path)
    open_tokenizer(path)  # with the reasons of its own
    size = check_files(path)
    for inner in path.iterdir():  # some have a second tokenizer, in a folder of its own
        if inner.is_dir() and any((inner / name).exists() for name in OF_TOKENIZERS):
            size += (own := check_files(inner, path))
            check_code(inner, check_tokenizer(inner, own))
    sounds = (path / SOUNDS_FILE).exists()
    for name in FILES:
        if (path / name).exists():
            values = read_json(path / name)
            sounds = sounds or SOUNDS in values
            check_counts(values, f"{path.name}: {name}")
            _check(path, values, OF_VIDEOS in name)
            for key, part in values.items():
                if isinstance(part, dict):
                    _check(path, part, OF_VIDEOS in name or OF_VIDEOS in key)
    if sounds:
        raise CheckpointError(
            f"{path.name}: its processor opens a model of sounds as well, which is not done. "
            "Choose a model of images with text."
        )
    from transformers import AutoProcessor
    from transformers.processing_utils import ProcessorMixin

    with quiet(path.name):
        try:
            with made_in_time(size):
                processor = AutoProcessor.from_pretrained(
                    str(path), local_files_only=True, trust_remote_code=False
                )
        except Endless:
            raise
        except Exception as error:
            text = " ".join(str(error).split())
            lacking = "torchvision" if "orchvision" in text else _named(PACKAGE.search(text))
            reason = f"it needs {lacking}" if lacking else first_line(error)
            way = f"pip install {lacking}" if lacking else "Download it again"
            raise CheckpointError(
                f"{path.name}: its processor of images and text cannot be opened ({reason}). {way}."
            ) from error
    if not isinstance(processor, ProcessorMixin) or not hasattr(processor, "image_processor"):
        raise CheckpointError(
            f"{path.name} has no processor of images with text (preprocessor_config.json). "
            "Download the whole repository."
        )
    check_cost(processor.image_processor, path.name, whole=processor)
    if not getattr(processor, "chat_template", None):
        processor.chat_template = getattr(processor.tokenizer, "chat_template", None)
    if not isinstance(processor.chat_template, str):
        raise CheckpointError(
            f"{path.name} has no chat template (chat_template.jinja), so nothing says where an "
            "image stands in a text. Choose a model that was made for chats about images."
        )
    guarded(processor.tokenizer)  # it is another one than `open_tokenizer` gave
    processor.tokenizer.padding_side = "right"
    return processor


def _named(found: re.Match[str] | None) -> str:
    return found[1] if found else ""


def _check(path: Path, values: dict[str, Any], of_videos: bool) -> None:
    """Code of its author, other classes, and sizes that would fill the memory: of images alone,
    since no videos are opened."""
    check_classes(values, path.name)
    check_beyond_pixels(values, path.name)
    if values.get("auto_map"):
        raise CheckpointError(
            f"{path.name}: its processor asks for code of its author to be run, which is not done. "
            "Choose a model whose processor is transformers' own."
        )
    for name in () if of_videos else SIZES:
        is_area = COUNTS_AREA in values or "pixels" in name
        most = MOST_COUNTED_PIXELS if is_area else LARGEST_EDGE
        size = values.get(name)
        numbers = size.values() if isinstance(size, dict) else [size]
        for number in numbers:
            if isinstance(number, int | float) and not 0 <= number <= most:
                raise CheckpointError(
                    f"{path.name}: its processor would make images of {name} {number:,}. Download "
                    "it again."
                )
