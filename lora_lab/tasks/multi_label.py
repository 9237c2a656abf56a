"""Several labels per text: an encoder with a head of its own decides on each label by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.data.encode import encode_predicted, known_label
from lora_lab.data.targets import as_names
from lora_lab.data.values import natural_order
from lora_lab.errors import DataError
from lora_lab.tasks.base import Evaluation
from lora_lab.tasks.text import Encoded, Texts
from lora_lab.tasks.text_classification import LabelledPart, TextClassificationTask


class MultiLabelTask(TextClassificationTask):
    """Mean binary cross-entropy over texts and labels, as transformers' problem type has it."""

    name = "multi_label"

    @classmethod
    def encode(
        cls, *table: Any, classes: Sequence[str] | None, stops: frozenset[str], **settings: Any
    ) -> Encoded:
        known = None if classes is None else dict.fromkeys(classes)

        def names_of(value: Any) -> tuple[str, ...]:
            return tuple(known_label(name, known) for name in as_names(value))

        examples, sets, notes = encode_predicted(*table, "labels", names_of, **settings)
        names = tuple(classes or sorted({n for s in sets for n in s}, key=natural_order))
        if not names:
            raise DataError(f"{table[0].path.name}: no row has a label, so nothing is learned.")
        without = sum(not found for found in sets)
        if without:
            many = f"{without:,} rows have" if without > 1 else "1 row has"
            notes = (*notes, f"{many} no label: trained as none of {len(names):,}")
        places = {name: place for place, name in enumerate(names)}
        labels = np.zeros((len(sets), len(names)), dtype=np.float32)
        for row, found in enumerate(sets):
            labels[row, [places[name] for name in found]] = 1
        return Encoded(Texts(examples, labels), names, notes)

    def base_model(self) -> nn.Module:
        """The encoder of `config.model` with an output for each label, in the config's dtype."""
        model = super().base_model()
        model.config.problem_type = "multi_label_classification"
        return model

    def weight(self, part: LabelledPart) -> float:
        return len(part.labels)

    def loss(self, model: nn.Module, batch: LabelledPart) -> torch.Tensor:
        logits = self.logits(model, batch).float()
        return F.binary_cross_entropy_with_logits(logits, batch.labels)

    def evaluate_blocks(
        self,
        model: nn.Module,
        texts: Texts,
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        """Mean loss, and F1 over all decisions together; a label is said where p > ½."""
        total, rows_seen, hits, said, wanted = 0.0, 0, 0, 0, 0
        for rows in blocks:
            if should_stop():
                return None
            part = self.collated(texts, np.asarray(rows))
            logits, labels = self.logits(model, part).float(), part.labels
            each = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
            total += each.mean(1).sum().item()
            rows_seen += len(rows)
            on = logits > 0
            hits += int((on & (labels > 0)).sum())
            said += int(on.sum())
            wanted += int(labels.sum())
        return Evaluation(
            loss=total / rows_seen if rows_seen else float("nan"),
            figures=(("micro-F1", 2 * hits / (said + wanted) if said + wanted else float("nan")),),
        )
