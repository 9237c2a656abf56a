"""What tasks on text share: what must be named, how long a row may be, rows of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.models.hf_config import read_config

WITHOUT_LIMIT = 10**9  # what tokenizers say that know of none


def needs(config: RunConfig) -> tuple[str, str]:
    """Model and data of a run that cannot do without; raises ConfigError for what is missing."""
    if not config.model:
        raise ConfigError("Choose a model: a Hugging Face folder.")
    if not config.data:
        raise ConfigError("Choose data to train on.")
    if config.digits:
        raise ConfigError("Classes are chosen by digits in the presets of images only.")
    return config.model, config.data


def longest(config: RunConfig, model: str, tokenizer: Any) -> int:
    """Tokens that a row may have: the config's wish, within what model and tokenizer allow."""
    limits = [config.max_length]
    if not str(model).endswith(".gguf"):
        limits.append(read_config(model).get("max_position_embeddings") or WITHOUT_LIMIT)
    limits.append(min(getattr(tokenizer, "model_max_length", WITHOUT_LIMIT), WITHOUT_LIMIT))
    return int(min(limits))


def rows_by_length(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """All rows, those of like length together, up to `tokens` with padding in one piece."""
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if rows and (len(rows) + 1) * lengths[row] > tokens:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows
