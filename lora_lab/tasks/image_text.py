"""Images with text: what an assistant says of images, learned through the model's own processor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.config import RunConfig
from lora_lab.data.batching import batch_order, rows_by_length
from lora_lab.data.duplicates import duplicate_notes
from lora_lab.data.pictured_tokens import PicturedReader, PicturedRows, processed
from lora_lab.data.preview import text_record
from lora_lab.data.template_budget import budget
from lora_lab.errors import CheckpointError, ConfigError, DataError, LabError
from lora_lab.models.architecture import first_line
from lora_lab.models.processor import open_processor
from lora_lab.models.row_probe import looks_ahead
from lora_lab.models.stop_tokens import stop_tokens
from lora_lab.progress import Report, silent
from lora_lab.sampling import AS_TEXT, CHAT, GREEDY, Sampling
from lora_lab.tasks.base import Evaluation, never
from lora_lab.tasks.generating import generated
from lora_lab.tasks.pretrained import PretrainedTask, needs
from lora_lab.tasks.text import Texts, divided, longest, mean_over_targets
from lora_lab.tasks.token_scores import check_own_loss

BEGINNINGS = 3  # held-out prompts to begin with
NONE = -100  # the label of what is not learned, as in transformers
EVALUATION_TOKENS = 4096
SEEN = 1e-6  # of the largest logit: what another image has to move


class Part(NamedTuple):
    """Some rows of a batch, as the processor gives them."""

    inputs: dict[str, torch.Tensor]
    labels: torch.Tensor  # (rows, tokens) of int64: NONE where nothing is asked
    positions: torch.Tensor  # (n) of int64, into rows · tokens: where a supervised token follows
    targets: torch.Tensor  # (n) of int64: that token


class ImageTextTask(PretrainedTask):
    """Mean cross-entropy over the supervised tokens of a batch; an image's tokens are never asked.

    Rows that have images and rows that have none go through the model apart.
    """

    name = "image_text"
    chats = True  # a processor without a chat template is refused

    @classmethod
    def open(cls, config: RunConfig, report: Report = silent) -> ImageTextTask:
        """Read `config.data` and its images.

        Raises CheckpointError for the model's folder or processor, DataError for rows and images,
        and ConfigError for what is not named or has no meaning here.
        """
        model, data = needs(config)
        if config.keep_data or config.batching == "packed" or config.batch_tokens:
            what = "A budget of tokens for batches"
            if config.keep_data or config.batching == "packed":
                what = "A retention set" if config.keep_data else "Packing"
            raise ConfigError(f"{what} is for rows of text alone. Leave it out.")
        processor = open_processor(model)
        limit = longest(config, model, processor.tokenizer)
        stops = stop_tokens(model, processor.tokenizer)
        reader = PicturedReader(processor, limit, stops, config.skip_bad_rows, report)
        table, mapping, rows, notes = reader.read(data, cls.name, config.columns)
        if config.validation_data:
            *_, held_out, more = reader.read(config.validation_data, cls.name, config.columns)
            train, notes = rows, (*notes, *(f"validation data: {note}" for note in more))
        else:
            parts = divided(Texts(rows.tokens), config.validation, config.split_seed)
            train, held_out = (rows.subset(part.examples) for part in parts)
        task = cls(config, processor, train, held_out, reader.pictures, limit, report)
        prints = train.tokens.prints, held_out.tokens.prints
        task.data = text_record(
            table, mapping, processor.tokenizer, train.tokens, held_out.tokens, limit,
            (*notes, *duplicate_notes(*prints, None)),
        )  # fmt: skip
        return task

    def __init__(
        self,
        config: RunConfig,
        processor: Any,
        train: PicturedRows,
        held_out: PicturedRows,
        pictures: dict[Path, np.ndarray],
        limit: int,
        report: Report = silent,
    ) -> None:
        super().__init__(config, report)
        self.processor, self.tokenizer = processor, processor.tokenizer
        self.pictures, self.limit = pictures, limit
        self.train, self.held_out = train, held_out
        self.rows = len(train.said)
        self.lengths = train.tokens.rooms
        self.device, self.dtype = torch.device("cpu"), getattr(torch, config.dtype)

    def base_model(self) -> nn.Module:
        """The model of `config.model`; raises CheckpointError where it is none that learns this."""
        model = self.open_pretrained("image_text")
        if looks_ahead(model, self.base):
            raise CheckpointError(
                f"{self.base}: this {model.config.model_type} model reads each token together with "
                "those behind it, so it would be shown the answers. Choose another model."
            )
        self._check_loss(model)
        return model

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[list[int]]:
        how, limit = self.config.batching, self.limit
        for batch in batch_order(self.lengths, batch_size, seed, how, limit, skip):
            yield [int(i) for i in batch]

    def tokens(self, batch: list[int]) -> int:
        return int(self.lengths[batch].sum())

    def parts(self, batch: list[int], count: int) -> list[tuple[Part, float]]:
        """Rows of like length in one part, those without images apart."""
        most = -(-self.config.batch_size * int(self.lengths.max()) // count)
        rows = self._apart(self.train, batch, most)
        return self.weighed([self._collated(self.train, r) for r in rows])

    def weight(self, part: Part) -> float:
        return len(part.targets)

    def heaviest(self, batch_size: int, count: int) -> Part:
        longest_first = np.argsort(-self.lengths, kind="stable")[:batch_size]
        parts = self.parts([int(i) for i in longest_first], count)
        return max((part for part, _ in parts), key=lambda part: part.labels.numel())

    @property
    def unlabelled_rows(self) -> int:
        return int((self.train.tokens.asked == 0).sum())

    def loss(self, model: nn.Module, batch: Part) -> torch.Tensor:
        return self._mean(model, batch, self.config.label_smoothing)

    def evaluate(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        """Mean loss per supervised token; nan where there are no rows."""
        parts = (self._collated(self.held_out, rows) for rows in self._blocks())
        return mean_over_targets(parts, partial(self._mean, model), should_stop)

    def _blocks(self) -> Iterator[list[int]]:
        return self._apart(self.held_out, range(len(self.held_out.said)), EVALUATION_TOKENS)

    @property
    def evaluation_parts(self) -> int:
        return sum(1 for _ in self._blocks())

    def prompts(self) -> tuple[str, ...]:
        """What validation rows say before the first answer, their images with it."""
        return self.config.prompts or tuple(self._beginnings)

    @cached_property
    def _beginnings(self) -> dict[str, tuple[Path, ...]]:
        found: dict[str, tuple[Path, ...]] = {}
        for row in self.held_out.said:
            if len(found) < BEGINNINGS:
                found.setdefault(row.text[: row.spans[0][0]], row.images)
        return found

    def generate(
        self,
        model: nn.Module,
        prompt: str,
        max_new_tokens: int,
        sampling: Sampling = GREEDY,
        should_stop: Callable[[], bool] = never,
    ) -> str:
        """The answer; a typed prompt is what a user says, without an image, unless it is text."""
        known = self._beginnings.get(prompt) if sampling.prompt != CHAT else None
        if known is None and sampling.prompt != AS_TEXT:
            turn = [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
            with budget():
                prompt = self.processor.apply_chat_template(turn, add_generation_prompt=True)
        try:
            inputs = self._processed([prompt], [known or ()])
        except Exception as error:  # each processor refuses in its own way
            raise LabError(
                f"The model's processor cannot read this prompt ({first_line(error)}). A typed one "
                "has no image: leave the mark of an image out, or take a prompt of the data."
            ) from error
        return generated(
            model, inputs, self.tokenizer, sampling,
            begin=inputs["input_ids"].shape[1], max_new_tokens=max_new_tokens,
            pad=self.tokenizer.pad_token_id, should_stop=should_stop,
        )  # fmt: skip

    def _apart(self, rows: PicturedRows, numbers: Sequence[int], most: int) -> Iterator[list[int]]:
        """Blocks of `numbers` of like length, of rows with images or of rows without."""
        lengths = rows.tokens.rooms
        for pictured in (True, False):
            some = [i for i in numbers if bool(rows.said[i].images) is pictured]
            for block in rows_by_length([int(lengths[i]) for i in some], most) if some else ():
                yield [some[i] for i in block]

    def _processed(
        self, texts: Sequence[str], images: Sequence[Sequence[Path]]
    ) -> dict[str, torch.Tensor]:
        pictures = [[self.pictures[path] for path in row] for row in images]
        found = processed(self.processor, texts, pictures, "pt")
        tensors = {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}
        return {
            name: value.to(self.device, self.dtype if value.is_floating_point() else None)
            for name, value in tensors.items()
        }

    def _collated(self, source: PicturedRows, rows: Sequence[int]) -> Part:
        said = [source.said[i] for i in rows]
        inputs = self._processed([row.text for row in said], [row.images for row in said])
        labels = torch.full_like(inputs["input_ids"], NONE)
        for place, example in enumerate(source.tokens[i] for i in rows):
            ids = torch.from_numpy(example.ids.astype(np.int64)).to(self.device)
            if not torch.equal(inputs["input_ids"][place, : len(ids)], ids):
                raise DataError(
                    f"Row {example.number:,} comes otherwise from the processor among other rows "
                    "than alone. Choose batches of one row."
                )
            asked = torch.from_numpy(example.supervised).to(self.device)
            labels[place, : len(ids)] = ids.masked_fill(~asked, NONE)
        following = torch.roll(labels, -1, 1)
        following[:, -1] = NONE
        positions = (following.flatten() != NONE).nonzero().squeeze(1)
        return Part(inputs, labels, positions, following.flatten()[positions])

    def _mean(self, model: nn.Module, part: Part, smoothing: float = 0.0) -> torch.Tensor:
        logits = model(**part.inputs, use_cache=False, return_dict=True).logits
        logits = logits.flatten(0, 1).index_select(0, part.positions).float()
        return F.cross_entropy(logits, part.targets, label_smoothing=smoothing)

    @torch.no_grad()
    def _check_loss(self, model: Any) -> None:
        """Refuse a model whose own loss is another, and one that does not look at its images."""
        first = next((i for i, row in enumerate(self.train.said) if row.images), 0)
        part, kind = self._collated(self.train, [first]), model.config.model_type
        try:
            mine = self._mean(model, part)
            own = model(**part.inputs, labels=part.labels.clone(), use_cache=False).loss.float()
            other = {n: -v if v.is_floating_point() else v for n, v in part.inputs.items()}
            moved = self._mean(model, part._replace(inputs=other))
        except Exception as error:  # each model fails in its own way
            raise CheckpointError(
                f"{self.base}: this {kind} model cannot read what its processor makes of a row "
                f"({first_line(error)}). Choose another model."
            ) from error
        check_own_loss(model, self.base, own, mine)
        if self.train.said[first].images and bool((moved - mine).abs() <= SEEN * mine.abs()):
            raise CheckpointError(
                f"{self.base}: what this {kind} model says does not depend on the image. Choose "
                "another model."
            )
