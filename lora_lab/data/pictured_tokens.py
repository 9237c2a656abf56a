"""Rows of images with text as tokens, made by the model's own processor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from lora_lab.data.chat import IMAGE
from lora_lab.data.chat_template import ChatText
from lora_lab.data.encode import encode_chats, quiet, vocabulary
from lora_lab.data.images import MEMORY, read_pictures
from lora_lab.data.left_out import BadRow, LeftOut
from lora_lab.data.mapping import Mapping, map_columns, unused
from lora_lab.data.pictured import Pictured, WithParts, pictured_rows
from lora_lab.data.rows import Table, read_table
from lora_lab.data.template_budget import budget
from lora_lab.data.token_rows import Example, TokenRows
from lora_lab.data.token_writer import TokenWriter
from lora_lab.errors import CheckpointError, DataError, LabError
from lora_lab.progress import Report
from lora_lab.time_limit import limited

FEW = 8  # images that are made at once to find out what a row with more of them takes
MOST_BYTES = 2**30  # of what a processor makes of the images of one row
SECONDS = 10.0  # for one image; the largest take two


class Endless(CheckpointError):
    """A processor that takes far longer over images than any should."""

    def __init__(self) -> None:
        super().__init__(
            "The model's processor takes far too long over its images. Choose another model."
        )


class PicturedRows(NamedTuple):
    """Rows as tokens, images expanded, and beside each what the processor makes them of."""

    tokens: TokenRows[Example]
    said: list[Pictured]

    def subset(self, tokens: TokenRows[Example]) -> PicturedRows:
        """Those whose tokens are `tokens`, in the order of the file."""
        by_number: dict[int, list[Pictured]] = {}
        for row in self.said:
            by_number.setdefault(row.number, []).append(row)
        seen: Counter[int] = Counter()
        said = []
        for number in tokens.numbers.tolist():
            said.append(by_number[number][seen[number]])
            seen[number] += 1
        return PicturedRows(tokens, said)


def processed(
    processor: Any, texts: Sequence[str], images: Sequence[Sequence[np.ndarray]], how: str
) -> dict[str, Any]:
    """What a processor makes of rows, padded at the right: arrays "np", or tensors "pt".

    `images` are (height, width, 3) of uint8, of each row; either all rows have some or none has. A
    text that begins with the token of beginnings gets no second one, as in the processor's own
    `apply_chat_template`.
    """
    begin = processor.tokenizer.bos_token
    pictures = [[Image.fromarray(image) for image in row] for row in images]
    with quiet(), limited(SECONDS * (1 + sum(map(len, pictures))), Endless):
        found = processor(
            text=list(texts), images=pictures if any(pictures) else None, return_tensors=how,
            padding=True, add_special_tokens=not (begin and texts[0].startswith(begin)),
        )  # fmt: skip
    return dict(found)


@dataclass
class PicturedReader:
    """How rows are read for one model; the images that were read are in `pictures` by path."""

    processor: Any
    limit: int  # tokens of a row
    stops: frozenset[str]
    skip_bad: bool
    report: Report
    pictures: dict[Path, np.ndarray] = field(default_factory=dict)
    # What some images of these shapes come to: tokens and bytes.
    _costs: dict[tuple[tuple[int, ...], ...], tuple[int, int]] = field(default_factory=dict)

    def read(
        self, path: str, task: str, columns: Sequence[tuple[str, str]]
    ) -> tuple[Table, Mapping, PicturedRows, tuple[str, ...]]:
        """A table, what its columns mean, its rows, and notes. Raises DataError as `encode_rows`.

        A row that is longer than the limit is left out: cut, it might end within an image.
        """
        table = read_table(path, skip_bad=self.skip_bad, report=self.report)
        mapping = map_columns(table, task, columns)
        left = LeftOut(table, self.skip_bad)
        said, template = pictured_rows(table, mapping, self.processor, self.stops, left)
        bad = self._read_pictures(said, table.path.name)
        writer = TokenWriter(Example, vocabulary(self.processor.tokenizer))
        kept = []
        for place, row in enumerate(said):
            self.report("Reading the tokens", place / len(said))
            try:
                if wrong := next((bad[p] for p in row.images if p in bad), None):
                    raise BadRow(wrong)
                if self._is_too_long(row):
                    left.too_long += 1
                    continue
                example = self._example(row)
            except BadRow as error:
                left.add(row.number, error)
                continue
            if len(example.ids) > self.limit:
                left.too_long += 1
                continue
            pixels = blake2b(digest_size=8)
            for image in row.images:
                pixels.update(self.pictures[image].tobytes())
            writer.add(example, pixels.digest())
            kept.append(row)
        rows = PicturedRows(writer.rows(), kept)
        reason = f"with its images it has more than {self.limit:,} tokens"
        notes = (*table.notes, *unused(table, mapping), *template, *writer.notes())
        return table, mapping, rows, left.check(len(kept), reason, notes)

    def _read_pictures(self, said: Sequence[Pictured], name: str) -> dict[Path, str]:
        """Read the images of these rows; what is wrong with those that cannot be."""
        paths = [p for p in dict.fromkeys(p for row in said for p in row.images)
                 if p not in self.pictures]  # fmt: skip
        bad: dict[Path, str] = {}
        total = sum(image.nbytes for image in self.pictures.values())
        for path, image in zip(paths, read_pictures(paths, self.report), strict=True):
            if isinstance(image, DataError):
                bad[path] = f"image {path.name[:60]!r}: {image}"
                continue
            total += image.nbytes
            if total > MEMORY:
                raise DataError(f"{name}: its images do not fit into memory. Take fewer rows.")
            self.pictures[path] = image
        return bad

    def _is_too_long(self, row: Pictured) -> bool:
        """Whether a row of many images has too many tokens, told before all are made at once, of a
        few of them at a time. Raises BadRow where they take too much memory."""
        tokens = size = 0
        for at in range(0, len(row.images) if len(row.images) > FEW else 0, FEW):
            some = row.images[at : at + FEW]
            shapes = tuple(self.pictures[path].shape for path in some)
            if shapes not in self._costs:
                self._costs[shapes] = self._cost(some)
            tokens, size = (a + b for a, b in zip((tokens, size), self._costs[shapes], strict=True))
            if tokens > self.limit:
                return True
            if size > MOST_BYTES:
                raise BadRow("its images take too much memory together: take fewer of them")
        return False

    def _cost(self, images: Sequence[Path]) -> tuple[int, int]:
        """How many tokens a processor adds to a text for these images, and bytes of numbers."""
        turn = {"role": "user", "content": IMAGE * len(images) + "?"}
        try:
            with budget():
                text = WithParts(self.processor).apply_chat_template([turn], tokenize=False)
        except LabError:
            raise
        except Exception as error:  # of jinja, as it likes
            raise BadRow(f"the model's template refuses it ({_short(error)})") from error
        found = self._made(text, images)
        with quiet():
            plain = len(self.processor.tokenizer(text)["input_ids"])
        size = sum(v.nbytes for v in found.values() if isinstance(v, np.ndarray))
        return max(len(found["input_ids"][0]) - plain, 1), size

    def _made(self, text: str, images: Sequence[Path]) -> dict[str, Any]:
        """What the processor makes of one text. Raises BadRow."""
        try:
            return processed(self.processor, [text], [[self.pictures[p] for p in images]], "np")
        except Endless:
            raise
        except Exception as error:
            raise BadRow(f"the model's processor refuses it ({_short(error)})") from error

    def _example(self, row: Pictured) -> Example:
        """The tokens of one row, and which of them are asked for. Raises BadRow.

        Where a processor puts the tokens of an image in the place of its mark, what stands behind
        it stays: the answers are found at the end of the row, as the tokenizer splits the text.
        """
        found = self._made(row.text, row.images)
        ids = np.asarray(found["input_ids"])[0].astype(np.int32)
        with quiet():
            (tokens,) = encode_chats([ChatText(row.text, row.spans)], self.processor.tokenizer)
        if isinstance(tokens, BadRow):
            raise tokens
        plain, asked = tokens
        begin = int(asked.argmax())
        end = len(ids) - (len(plain) - begin)
        if not asked.any() or end < 1 or not np.array_equal(ids[end:], plain[begin:]):
            raise BadRow("an image stands behind an answer: put what follows it in another row")
        supervised = np.zeros(len(ids), dtype=bool)
        supervised[end:] = asked[begin:]
        return Example(ids, supervised, 0, row.number)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:100]
