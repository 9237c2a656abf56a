"""Which tokens end an answer at generation, as the model's own files name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lora_lab.models.hf_config import read_config
from lora_lab.models.strict_json import read_json


def stop_tokens(path: str | Path, tokenizer: Any) -> frozenset[str]:
    """The texts of the end tokens of `generation_config.json`, `config.json` and the tokenizer.

    A model may name several (Llama 3 ends a turn with another token than a text).
    """
    path = Path(path)
    ids: set[int] = set()
    if path.is_dir():
        values = [read_config(path)]
        if (path / "generation_config.json").is_file():
            values.append(read_json(path / "generation_config.json"))
        for value in (v.get("eos_token_id") for v in values):
            ids.update(i for i in (value if isinstance(value, list) else [value]) if _is_id(i))
    texts = tokenizer.convert_ids_to_tokens([i for i in sorted(ids) if i < len(tokenizer)])
    return frozenset(t for t in (*texts, tokenizer.eos_token) if t)


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
