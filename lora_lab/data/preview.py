"""The data as a person looks at it before training: rows as the model sees them, and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lora_lab.data.images import ImageSet
from lora_lab.data.mapping import Mapping
from lora_lab.data.preferences import Pair
from lora_lab.data.sources import Answered
from lora_lab.data.tags import Tagged
from lora_lab.data.token_rows import Example, TokenRows
from lora_lab.data.token_text import token_texts
from lora_lab.opening_records import DataRecord, DataRow

SHOWN = 512  # pixels of a side of an image that is shown
ROWS = 20
TOKENS = 2048  # of a row that are shown


class Source(Protocol):
    """Where rows come from."""

    @property
    def path(self) -> Path: ...

    @property
    def columns(self) -> tuple[str, ...]: ...


def text_record(
    table: Source,
    mapping: Mapping,
    tokenizer: Any,
    train: TokenRows[Example],
    held_out: TokenRows[Example],
    limit: int,
    notes: tuple[str, ...] = (),
    *,
    classes: Sequence[str] = (),
    labels: np.ndarray | None = None,
    validation_labels: np.ndarray | None = None,
    epoch_steps: int = 0,
) -> DataRecord:
    """What became of a table: its first rows as tokens, lengths, cuts, and classes if it has any.

    `labels` and `validation_labels` are what is predicted of `train` and `held_out`, as in `Texts`.
    """
    lengths = train.lengths
    lengths.flags.writeable = False
    rows = []
    for place, example in enumerate(train[:ROWS]):
        label = _label(None if labels is None else labels[place], classes)
        if isinstance(example, Pair):
            rejected = _row(example.rejected, tokenizer)
            rows.append(replace(_row(example.chosen, tokenizer), rejected=rejected))
        elif isinstance(example, Answered):
            target = _row(example.target, tokenizer)
            rows.append(replace(_row(example.source, tokenizer), target=target))
        elif isinstance(example, Tagged):
            tags = (classes[i] if i >= 0 else "" for i in example.tags[:TOKENS])
            rows.append(replace(_row(example, tokenizer), tags=tuple(tags)))
        else:
            rows.append(_row(example, tokenizer, label))
    return DataRecord(
        path=str(table.path),
        form=mapping.form,
        columns=table.columns,
        roles=mapping.roles,
        train_rows=len(train),
        epoch_steps=epoch_steps,
        validation_rows=len(held_out),
        rows=tuple(rows),
        lengths=lengths,
        max_length=limit,
        cut_rows=int((train.cuts > 0).sum()),
        tokens=train.tokens,
        supervised_tokens=int(train.asked.sum()),
        classes=tuple(classes),
        class_counts=_counts(_all_labels(train, labels), classes),
        validation_counts=_counts(_all_labels(held_out, validation_labels), classes),
        notes=notes,
    )


def _row(example: Example, tokenizer: Any, label: str = "") -> DataRow:
    return DataRow(
        number=example.number,
        tokens=token_texts(tokenizer, example.ids[:TOKENS].tolist()),
        supervised=tuple(bool(asked) for asked in example.supervised[:TOKENS]),
        cut=example.cut,
        label=label,
    )


def image_record(
    path: str, images: ImageSet, held_out: ImageSet, notes: tuple[str, ...] = ()
) -> DataRecord:
    """What became of a folder: some images of each class as the model gets them, and counts."""
    order = np.argsort(_place_in_class(images.labels), kind="stable")[:ROWS]
    height, width, channels = images.images.shape[1:]
    every = -(-max(height, width) // SHOWN)  # pixels: a panel shows some hundreds
    size = f"{width} × {height} pixels, {channels} channel{'s' if channels > 1 else ''}"
    return DataRecord(
        path=path,
        form=f"images, {size}",
        train_rows=len(images.labels),
        validation_rows=len(held_out.labels),
        rows=tuple(
            DataRow(
                number=int(row) + 1,
                label=images.classes[images.labels[row]],
                image=frozen_image(images.images[row][::every, ::every]),
            )
            for row in order
        ),
        classes=images.classes,
        class_counts=_counts(images.labels, images.classes),
        validation_counts=_counts(held_out.labels, images.classes),
        notes=notes,
    )


def _all_labels(examples: TokenRows[Example], labels: np.ndarray | None) -> np.ndarray | None:
    """`labels`, or the tags of all words."""
    return examples.asked_tags() if issubclass(examples.kind, Tagged) else labels


def _label(label: Any, classes: Sequence[str]) -> str:
    """What is predicted of a row, in words."""
    if label is None:
        return ""
    if np.ndim(label):
        return ", ".join(name for name, on in zip(classes, label, strict=True) if on) or "–"
    return classes[int(label)] if classes else f"{float(label):g}"


def _counts(labels: np.ndarray | None, classes: Sequence[str]) -> tuple[int, ...]:
    if labels is None or not classes:
        return ()
    if labels.ndim > 1:
        return tuple(int(n) for n in labels.sum(0))
    return tuple(int(n) for n in np.bincount(labels, minlength=len(classes)))


def _place_in_class(labels: np.ndarray) -> np.ndarray:
    """0 for the first image of each class, 1 for the second …"""
    places = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        places[rows] = np.arange(len(rows))
    return places


def frozen_image(image: np.ndarray) -> np.ndarray:
    """A read-only copy of (height, width[, channels]) of uint8, without a single channel's axis."""
    image = image[..., 0].copy() if image.ndim == 3 and image.shape[2] == 1 else image.copy()
    image.flags.writeable = False
    return image
