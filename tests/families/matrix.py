"""The matrix of families: each made tiny, opened, trained, written, and held against its library.

    python -m tests.families.matrix [--task causal_lm] [--only llama gpt2] [--json ROWS]

A cell is "yes", "refused: why" in the lab's own sentence, "–" where an earlier column said no, or
begins with "WRONG": a number that is not the library's, or a Python error that no one put in words.
The reference of every cell is transformers or peft, never the lab.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lora_lab.adapters.inject import switched
from lora_lab.errors import LabError
from lora_lab.formats.verify import export
from lora_lab.models.inspect import describe
from lora_lab.presets import starting_config
from lora_lab.records import StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.workshop.merge_base import write_merged
from tests.families.tiny_configs import CLASSES, TABLES, CannotShrinkError, families, write

COLUMNS = ("opens", "trains", "logits", "causal", "loss", "PEFT", "merged", "kohya", "GGUF")
SAME = 1e-5  # of the largest logit
STEPS = 6
TEXTS = [
    "the film is good and the sound is clear", "a bad film, and the sound is poor",
    "good sound", "a poor and bad film that is not clear at all, and the sound is bad",
] * 5  # fmt: skip


class Wrong(Exception):
    """A number that is not the library's."""


def row(model_type: str, task: str) -> dict[str, str]:
    """The cells of one family, by column."""
    cells = dict.fromkeys(COLUMNS, "–")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / model_type
        try:
            kind = write(folder, model_type, task)
        except CannotShrinkError as error:
            return {**cells, "opens": f"not made: {error}"}
        lab = Trained(folder, task, kind)
        steps: dict[str, Callable[[], None]] = {
            "opens": lab.open, "trains": lab.train, "logits": lab.logits, "causal": lab.causal,
            "loss": lab.loss,
            "PEFT": lab.peft, "merged": lab.merged, "kohya": lambda: lab.file("kohya"),
            "GGUF": lambda: lab.file("gguf"),
        }  # fmt: skip
        for column, step in steps.items():
            if column == "causal" and task != "causal_lm":
                continue
            cells[column] = _cell(step)
            if column in ("opens", "trains") and cells[column] != "yes":
                break
    return cells


def _cell(step: Callable[[], None]) -> str:
    try:
        step()
    except LabError as error:
        return f"refused: {error}"
    except Wrong as error:
        return f"WRONG: {error}"
    except Exception as error:  # noqa: BLE001, which is what the matrix looks for
        return f"WRONG: {type(error).__name__}: {error}".split("\n")[0][:200]
    return "yes"


class Trained:
    """One family in the lab, and the same folder in its own library."""

    def __init__(self, folder: Path, task: str, kind: type) -> None:
        self.folder, self.task, self.kind = folder, task, kind
        self.data = _data(folder.parent, task)

    def open(self) -> None:
        card = describe(self.folder)
        if self.task not in card.tasks:
            able = ", ".join(card.tasks) or "none"
            raise LabError(f"inspect offers {able}, and not {self.task}")
        config = starting_config(
            self.task, model=str(self.folder), data=str(self.data), max_steps=STEPS, epochs=None,
            batch_size=4, accumulation=1, validation=0.25, eval_steps=1000,
            hyper={"rank": 4, "learning_rate": 3e-3},
        )  # fmt: skip
        self.experiment = Experiment.build(config)

    def train(self) -> None:
        model = self.experiment.model
        records = list(train(self.experiment, Controls(self.experiment.hyper)))
        losses = [record.loss for record in records if isinstance(record, StepRecord)]
        if len(losses) < STEPS or not np.isfinite(losses).all():
            raise Wrong(f"losses {losses}; {records[-1]}")
        model.eval()
        torch.manual_seed(1)
        for layer in self.experiment.layers.values():
            for p in layer.adapter_parameters():  # far enough for a difference to show
                p.data += 0.02 * torch.randn_like(p)

    def logits(self) -> None:
        with switched(self.experiment.layers, False):
            self._compare(self._answers(self.experiment.model), self._answers(self._library()))

    @torch.no_grad()
    def causal(self) -> None:
        """A later token moves nothing that its own library says at earlier ones."""
        (ids, *_), model = self._ids(), self._library()
        other = ids.clone()
        other[:, -4:] = other[:, -4:].flip(1) + 1
        both = []
        for row in (ids, other):
            torch.manual_seed(0)
            both.append(model(input_ids=row, use_cache=False).logits[:, :-4])
        self._compare(both[:1], both[1:])

    def loss(self) -> None:
        """Of the validation rows, adapter off, padded in batches: transformers' row by row."""
        found = self.experiment.held_out(False)
        wanted = self._library_loss()
        if not abs(found.loss - wanted) <= 1e-4 * max(1.0, abs(wanted)):
            raise Wrong(f"loss {found.loss:.6f}, and {wanted:.6f} in transformers")

    def peft(self) -> None:
        from peft import PeftModel

        out = self.folder.parent / "peft"
        export(self.experiment.weights(), out)
        self._moved(PeftModel.from_pretrained(self._library(), str(out)).eval())

    def merged(self) -> None:
        out = self.folder.parent / "merged"
        write_merged(self.experiment.weights(), self.folder, out)
        self._moved(self._library(out))

    def file(self, format: str) -> None:
        name = "adapter.gguf" if format == "gguf" else "adapter.safetensors"
        export(self.experiment.weights(), self.folder.parent / format / name, format)

    def _moved(self, other: torch.nn.Module) -> None:
        """Raise Wrong unless it says what the adapted model does, and another thing than the base.

        Where rounding alone moves its own answers, as of a router that stands on an edge, they may
        be apart by as much.
        """
        mine, theirs = self._answers(self.experiment.model), self._answers(other)
        try:
            self._compare(mine, theirs)
        except Wrong:
            before = {name: p.data.clone() for name, p in other.named_parameters()}
            moved = SAME
            for _ in range(5):
                for name, p in other.named_parameters():
                    p.data = before[name] * (1 + 1e-6 * torch.randn_like(p))
                moved = max(moved, _apart(self._answers(other), theirs))
            self._compare(mine, theirs, 3 * moved)
        with switched(self.experiment.layers, False):
            base = self._answers(self.experiment.model)
        if all(torch.equal(a, b) for a, b in zip(mine, base, strict=True)):
            raise Wrong("the adapter changes nothing")

    def _library(self, folder: Path | None = None) -> torch.nn.Module:
        return self.kind.from_pretrained(folder or self.folder, dtype=torch.float32).eval()

    @torch.no_grad()
    def _answers(self, model: torch.nn.Module) -> list[torch.Tensor]:
        task = self.experiment.task
        model.eval()
        torch.manual_seed(0)  # some models hash at random
        if self.task == "image_classification":
            images = task._inputs(task.images[:3]).float()
            return [model(pixel_values=images).logits]
        return [model(input_ids=ids).logits for ids in self._ids()]

    def _ids(self) -> list[torch.Tensor]:
        """(1, tokens) of int64 of some rows."""
        examples = self.experiment.task.train.examples[:3]
        return [torch.from_numpy(e.ids)[None].long() for e in examples]

    def _compare(
        self, mine: list[torch.Tensor], others: list[torch.Tensor], most: float = SAME
    ) -> None:
        if not (apart := _apart(mine, others)) <= max(SAME, most):
            raise Wrong(f"logits off by {apart:.1e} of the largest")

    @torch.no_grad()
    def _library_loss(self) -> float:
        model, task = self._library(), self.experiment.task
        torch.manual_seed(0)
        if self.task == "image_classification":
            logits = model(pixel_values=task._inputs(task.held_images).float()).logits
            return torch.nn.functional.cross_entropy(logits, task.held_labels).item()
        total, count = 0.0, 0
        for i, example in enumerate(task.held_out.examples):
            ids = torch.from_numpy(example.ids)[None].long()
            if self.task == "causal_lm":
                seen = torch.from_numpy(example.supervised)[None]
                logits = model(input_ids=ids).logits[:, :-1]
                targets = ids[:, 1:].masked_fill(~seen[:, 1:], -100).flatten()
                some = int((targets != -100).sum())
            else:
                logits, some = model(input_ids=ids).logits, 1
                targets = torch.as_tensor(task.held_out.labels[i : i + 1])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, -2).float(), targets)
            total, count = total + loss.item() * some, count + some
        return total / count


def _apart(mine: list[torch.Tensor], others: list[torch.Tensor]) -> float:
    """The largest difference, as a share of the largest logit."""
    return max(
        float((a - b).abs().max() / b.abs().max().clamp_min(1e-9))
        for a, b in zip(mine, others, strict=True)
    )


def _data(place: Path, task: str) -> Path:
    if task == "image_classification":
        random = np.random.default_rng(0)
        for name, low in zip(CLASSES, (0, 120), strict=True):
            (place / "images" / name).mkdir(parents=True, exist_ok=True)
            for i in range(8):
                pixels = random.integers(low, low + 130, (40, 40, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(place / "images" / name / f"{i}.png")
        return place / "images"
    rows = [
        {"text": f"{text} {i}"} | ({} if task == "causal_lm" else {"label": CLASSES[i % 2]})
        for i, text in enumerate(TEXTS)
    ]
    (place / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return place / "rows.jsonl"


def matrix(tasks: list[str], only: list[str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(family, task, cells) of each, one after the other."""
    for task in tasks:
        for family in families(task):
            if not only or family in only:
                yield family, task, row(family, task)
                gc.collect()


def main(arguments: list[str]) -> int:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", nargs="*", default=list(TABLES))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    begun = time.monotonic()
    rows, wrong = [], 0
    for family, task, cells in matrix(asked.task, asked.only):
        rows.append((family, task, cells))
        wrong += any(cell.startswith("WRONG") for cell in cells.values())
        short = " ".join(f"{c}={v}" for c, v in cells.items() if v not in ("yes", "–"))
        right = sum(cell == "yes" for cell in cells.values())
        seconds = f"{time.monotonic() - begun:.0f} s"
        print(f"{seconds} {task} {family}: {right} right {short}", flush=True)  # noqa: T201
    if asked.json:
        asked.json.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    print(f"{len(rows)} families, {wrong} of them with a wrong cell")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
