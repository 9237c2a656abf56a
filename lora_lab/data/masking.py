"""Texts to be read with gaps: which tokens are masked, and what stands in their place.

As in BERT (Devlin et al. 2018, arXiv 1810.04805, section 3.1): of 15 % of the tokens 80 % become
the mask token, 10 % any other one, and 10 % stay; the loss asks for what stood there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lora_lab.data.encode import encode_predicted, vocabulary
from lora_lab.data.mapping import Mapping
from lora_lab.data.rows import Table
from lora_lab.data.token_rows import Example, TokenRows
from lora_lab.data.token_writer import TokenWriter
from lora_lab.errors import DataError

SHARE = 0.15
MASKED, KEPT = 0.8, 0.1  # of these; the rest becomes another token


def encode_maskable(
    table: Table, mapping: Mapping, tokenizer: Any, max_length: int, **settings: Any
) -> tuple[TokenRows[Example], tuple[str, ...]]:
    """Texts as the tokenizer writes them, their ordinary tokens supervised; and notes.

    Raises DataError for a tokenizer without a mask token, and as `encode_predicted` does.
    """
    name = table.path.name
    if tokenizer.mask_token_id is None:
        raise DataError(
            f"{name}: The tokenizer has no mask token. Take the tokenizer of a masked language "
            "model, or another task."
        )
    examples, _, notes = encode_predicted(
        table, mapping, tokenizer, max_length, "text", lambda _: "", **settings
    )
    special = np.array(tokenizer.all_special_ids)
    writer = TokenWriter(Example, vocabulary(tokenizer))
    for example in examples:
        able = ~np.isin(example.ids, special)
        if able.any():
            writer.add(replace(example, supervised=able))
    found = writer.rows()
    if lost := len(examples) - len(found):
        many = f"{lost:,} rows were" if lost > 1 else "1 row was"
        notes = (*notes, f"{many} left out: all tokens are special ones, which are never masked")
    if not found:
        raise DataError(f"{name}: no row is left to train on ({'; '.join(notes)}).")
    return found, (*notes, "of each text 15 % of the tokens are masked, others in every epoch")


@dataclass(frozen=True)
class Gaps:
    """How the tokens of one tokenizer are masked."""

    mask: int
    words: np.ndarray  # (n) of int64: the tokens that may stand in another's place

    @classmethod
    def of(cls, tokenizer: Any, known: int) -> Gaps:
        """Those of a model with `known` embeddings."""
        words = np.setdiff1d(np.arange(min(len(tokenizer), known)), tokenizer.all_special_ids)
        return cls(int(tokenizer.mask_token_id), words)

    def masked(self, example: Example, seed: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """(ids (tokens) of int32 with gaps, places (n) of int64 of the tokens to be predicted).

        A function of its arguments alone. Of short texts at least one token is masked.
        """
        generator = np.random.default_rng(seed)
        able = np.flatnonzero(example.supervised)
        count = max(1, int(SHARE * len(able) + generator.random()))  # 15 % on the whole
        places = np.sort(generator.choice(able, count, replace=False))
        fate = generator.random(count)
        other = places[fate >= MASKED + KEPT]
        ids = example.ids.copy()
        ids[places[fate < MASKED]] = self.mask
        ids[other] = self.words[generator.integers(len(self.words), size=len(other))]
        return ids, places
