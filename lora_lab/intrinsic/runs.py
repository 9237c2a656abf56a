"""The runs of a measurement: many in a stack where the net is small, else one after the other."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F

from lora_lab.adapters.space import SharesTheta, most_numbers, rate_factor
from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError
from lora_lab.figures import counted
from lora_lab.intrinsic.results import BASE
from lora_lab.intrinsic.score import Score, score_of
from lora_lab.intrinsic.stacked import Copy, Stack, redrawn, stackable, train_stack
from lora_lab.progress import Report, silent
from lora_lab.projections import FLAT, HASH, PROJECTIONS, SAID, STRUCTURES
from lora_lab.records import EvalRecord, NonFiniteRecord, StepRecord
from lora_lab.rules import schedule_factor
from lora_lab.tasks import TASKS
from lora_lab.tasks.base import Evaluation, Task
from lora_lab.tasks.digits import DigitsTask
from lora_lab.training.controls import Controls
from lora_lab.training.devices import find_device
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from lora_lab.training.loop import train
from lora_lab.training.pretrain import on_trained_base
from lora_lab.variants import FULL, PLAIN, SUBSPACE, VARIANTS

SMALL_STEPS = 1500  # of a small net
FASTEST = 10.0  # that the setting may be
SMALL = 2**17  # weights
TRIED = 40  # steps that a price is made of
FULL_RATE = 1e-3  # Adam's for small nets
ADAPTER_TO_FULL = 10  # LoRA's rates are some ten times those of full training


@dataclass(frozen=True)
class Wanted:
    """One run: a start, d numbers (D: full training), a seed and a learning rate."""

    start: str
    dimension: int
    seed: int
    rate: float
    full: bool = False
    variant: str = SUBSPACE  # where it is not full training; of a `rank` where it has factors
    rank: int = 0


@dataclass(frozen=True)
class Outcome:
    wanted: Wanted
    score: float
    loss: float  # held out
    training_loss: float  # mean of the last tenth of the steps


class Runner(Protocol):
    """What trains the runs, and what they are measured by."""

    weights: int  # D
    most: int  # the largest d
    least: int  # the smallest
    score: Score
    steps: int
    held_out: int
    full_rate: float
    fastest: float  # learning rate that can be
    untrained_base: bool  # it is random weights itself
    notes: tuple[str, ...]
    report: Report  # told how far a run is, and may raise

    def seconds(self, count: int) -> float: ...

    def untrained(self, start: str) -> Outcome: ...

    def rate(self, dimension: int, full_rate: float) -> float: ...

    def train(self, wanted: Sequence[Wanted]) -> Iterator[Outcome]: ...

    def single(self, report: Report) -> SingleRunner: ...


def runner_for(config: RunConfig, steps: int, by_loss: bool, report: Report) -> Runner:
    """Stacks for a small net of linear layers, single runs for everything else."""
    new: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if config.digits:  # with replay: all classes are trained, or the old ones would be forgotten
        new = tuple(map(str, config.digits))
        config = changed(config, digits=())
        notes = (f"trained on all classes, so that {', '.join(new)} is learned beside the others",)
    plain = (config.projection, config.structure) == (HASH, FLAT)
    if not plain:
        rows = PROJECTIONS[config.projection], STRUCTURES[config.structure]
        notes += (f"P is {', '.join(row.title for row in rows)}: one run after the other",)
    config = on_trained_base(config, report)
    task = TASKS[config.task].open(config, report)
    score = score_of(task, new, by_loss)
    line = changed(config, schedule="linear", warmup_steps=0)  # down to 0
    if isinstance(task, DigitsTask):
        task.to(torch.device("cpu"), torch.float32)
        net = task.base_model()
        if stackable(net, task.test_images[:4]):  # small: its preset shows a rate that is too low
            own = VARIANTS[config.variant].shared  # its schedule and steps are of a subspace
            config, usual = (config, config.max_steps) if own else (line, SMALL_STEPS)
            steps = steps or usual
            if plain and find_device(config.device).type == "cpu":  # no other was tried stacked
                return StackedRunner(config, task, net, score, steps, report, notes)
            return SingleRunner(config, task, score, steps, report, notes, FULL_RATE)
    return SingleRunner(line, task, score, steps or config.max_steps, report, notes)


class StackedRunner:
    """Runs of one d together, on images of which each is a row of numbers."""

    fastest, least = math.inf, 1

    def __init__(
        self,
        config: RunConfig,
        task: DigitsTask,
        net: torch.nn.Module,
        score: Score,
        steps: int,
        report: Report,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.config, self.task, self.net = config, task, net
        self.score, self.steps, self.notes = score, steps, notes
        self.full_rate, self.held_out = FULL_RATE, len(task.test_labels)
        self.untrained_base = task.untrained
        self.report = report
        self._fresh: dict[int, torch.nn.Module] = {}
        self.weights = self.most = self._stack(BASE).weights

    def _stack(self, start: str) -> Stack:
        return Stack([Copy(1, 0, self._net(start, 0), 0.0)], self.config.targets)

    def _net(self, start: str, seed: int) -> torch.nn.Module:
        if start == BASE:
            return self.net
        if seed not in self._fresh:
            self._fresh[seed] = redrawn(self.net, self.config.seed + seed)
        return self._fresh[seed]

    def seconds(self, count: int) -> float:
        """What `count` runs in one stack take, by some of their steps."""
        wanted = [Wanted(BASE, 64, seed, 1e-3) for seed in range(count)]
        steps, self.steps = self.steps, TRIED
        report, self.report = self.report, silent
        try:
            began = time.perf_counter()
            list(self.train(wanted))
            return (time.perf_counter() - began) * steps / TRIED
        finally:
            self.steps, self.report = steps, report

    def untrained(self, start: str) -> Outcome:
        answers = self._stack(start).answers(self.task.test_images)[0]
        return self._outcome(Wanted(start, 0, 0, 0.0), answers, float("nan"))

    def rate(self, dimension: int, full_rate: float) -> float:
        return full_rate * rate_factor(self.weights, dimension)

    def train(self, wanted: Sequence[Wanted]) -> Iterator[Outcome]:
        copies = [
            Copy(w.dimension, self.config.seed + w.seed, self._net(w.start, w.seed), w.rate)
            for w in wanted
        ]
        words = "Full training" if wanted[0].full else counted(wanted[0].dimension, "number")
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # for products as small as these a second one costs more
        try:
            stack, late = train_stack(
                copies, self.config.targets,
                lambda seed: self.task.batches(self.config.batch_size, seed),
                F.cross_entropy, self.steps, lambda share: self.report(words, share),
                lambda step: schedule_factor(self.config, step, self.steps),
            )  # fmt: skip
            answers = stack.answers(self.task.test_images)
        finally:
            torch.set_num_threads(threads)
        for w, mine, loss in zip(wanted, answers, late.tolist(), strict=True):
            yield self._outcome(w, mine, loss)

    def single(self, report: Report) -> SingleRunner:
        """What trains the same task one run after the other, by any variant."""
        return SingleRunner(
            self.config, self.task, self.score, self.steps, report, self.notes, self.full_rate
        )

    def _outcome(self, w: Wanted, answers: torch.Tensor, training_loss: float) -> Outcome:
        evaluation = self.task.judged(answers)
        return Outcome(w, self.score.of(evaluation), evaluation.loss, training_loss)


class SingleRunner:
    """One run after the other, each as the lab trains it."""

    fastest = FASTEST

    def __init__(
        self,
        config: RunConfig,
        task: Task,
        score: Score,
        steps: int,
        report: Report,
        notes: tuple[str, ...] = (),
        full_rate: float = 0.0,
    ) -> None:
        """`full_rate`: of full training; 0: as the settings have it."""
        if task.rows == 0 and not task.classes and task.true_sigma is not None:
            raise ConfigError("This preset has no model to start from: there is nothing to learn.")
        self.score, self.steps, self.notes, self.report = score, steps, notes, report
        self._config = changed(
            config, max_steps=steps, epochs=None, eval_steps=steps, patience=0, optimizer="adamw",
            adapter=None, space="weights",
        )  # fmt: skip
        self.least = 1
        if config.structure == SAID:  # one λ a tensor is among its numbers: how many are there?
            flat = self._experiment(Wanted(BASE, 1, 0, 1e-3), structure=FLAT).space
            self.least += len(flat.shapes) if flat is not None else 0
        experiment = self._experiment(Wanted(BASE, self.least, 0, 1e-3))
        space = experiment.space
        assert space is not None
        self.weights = space.total
        self.most = most_numbers(config.projection, space.total)
        adapted = (x for x in experiment.layers.values() if isinstance(x, SharesTheta))
        self.shapes = tuple(layer.shape for layer in adapted)  # (out, in) of what is adapted
        self.full_rate = full_rate or self._as_set(config)
        evaluation = experiment.held_out(True)
        assert evaluation is not None
        self.untrained_base = task.untrained
        self._untrained = {BASE: evaluation}
        self._open_seconds = experiment.open_seconds
        for _ in range(2):  # the first one warms up
            began = time.perf_counter()
            gradients(experiment, next(experiment.batches))
            self._step_seconds = time.perf_counter() - began
        self.held_out = sum(evaluation.total) or getattr(task.data, "validation_rows", 0)

    def _as_set(self, config: RunConfig) -> float:
        """Full training's rate, by that of the settings, which suits their variant."""
        row, hyper = VARIANTS[config.variant], config.hyper
        if row.shared:  # by the rule of its numbers, of all weights or of factors
            parts = (VARIANTS[PLAIN].parameters(shape, hyper.rank) for shape in self.shapes)
            moved = sum(parts) if row.factored else self.weights
            return hyper.learning_rate / rate_factor(moved, hyper.dimension)
        return hyper.learning_rate / (1 if row.whole else ADAPTER_TO_FULL)

    def _experiment(self, w: Wanted, **fixed: Any) -> Experiment:
        given = self._config.hyper
        hyper = changed(
            given, dimension=max(1, w.dimension if not w.full else 1), learning_rate=w.rate,
            rank=w.rank or given.rank, alpha=float(w.rank or given.alpha),  # s = 1
            weight_decay=0.0, dropout=0.0, layer_ranks=(), frozen_layers=(),
        )  # fmt: skip
        config = changed(
            self._config, variant=FULL if w.full else w.variant, seed=self._config.seed + w.seed,
            data_seed=self._config.split_seed, random_weights=w.start != BASE,
            hyper=hyper.model_dump(), **fixed,
        )  # fmt: skip
        return Experiment.build(config, report=self.report)

    def seconds(self, count: int) -> float:
        """What `count` runs take, by one step and the opening of one."""
        return count * (self._step_seconds * self.steps + self._open_seconds)

    def untrained(self, start: str) -> Outcome:
        if start not in self._untrained:
            found = self._experiment(Wanted(start, self.least, 0, 1e-3)).held_out(True)
            assert found is not None
            self._untrained[start] = found
        return self._outcome(Wanted(start, 0, 0, 0.0), self._untrained[start], float("nan"))

    def rate(self, dimension: int, full_rate: float) -> float:
        return min(full_rate * rate_factor(self.weights, dimension), FASTEST)

    def single(self, report: Report) -> SingleRunner:
        """Itself."""
        return self

    def train(self, wanted: Sequence[Wanted]) -> Iterator[Outcome]:
        threads = torch.get_num_threads()
        for w in wanted:
            if self.weights <= SMALL:
                torch.set_num_threads(1)  # a second one costs more than it does
            try:
                yield self._run(w)
            finally:
                torch.set_num_threads(threads)

    def _run(self, w: Wanted) -> Outcome:
        experiment = self._experiment(w)
        words = counted(w.dimension, "number") if w.dimension else f"rank {w.rank:,}"
        words = "Full training" if w.full else words
        controls = Controls(experiment.hyper)
        losses, last = [], None
        for record in train(experiment, controls, live=False):
            if isinstance(record, StepRecord):
                losses.append(record.loss)
                self.report(words, record.step / self.steps)
            elif isinstance(record, EvalRecord):
                last = record
            elif isinstance(record, NonFiniteRecord):
                controls.stop()  # nobody is here to lower the rate
        late = losses[-max(1, len(losses) // 10) :]
        if last is None or len(losses) < self.steps:  # paused where it was not finite
            return Outcome(w, float("-inf"), float("inf"), float("inf"))
        evaluation = Evaluation(last.loss, last.accuracy, last.correct, last.total)
        return self._outcome(w, evaluation, sum(late) / len(late))

    def _outcome(self, w: Wanted, evaluation: Evaluation, training_loss: float) -> Outcome:
        return Outcome(w, self.score.of(evaluation), evaluation.loss, training_loss)
