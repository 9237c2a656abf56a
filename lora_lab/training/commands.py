"""Commands: what may be asked of the session between two steps; frozen, plain, torch-free.

Each has `run(experiment, folder)`, called on the session thread, which yields the records of what
happened and raises LabError when it could not be done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lora_lab.exported import ExportedRecord, ExportingRecord
from lora_lab.measured import (
    ClipRecord,
    CutRecord,
    GeneratedRecord,
    IntruderRecord,
    MemoryRecord,
    MergeRecord,
    RankHintRecord,
    RateFoundRecord,
    RatePointRecord,
    SpeedRecord,
)
from lora_lab.records import EvalRecord, Record, SavedRecord
from lora_lab.sampling import GREEDY, Sampling
from lora_lab.workshop.requests import Mix

if TYPE_CHECKING:
    from lora_lab.runs.folder import RunFolder
    from lora_lab.training.experiment import Experiment


class Command(Protocol):
    """What all of them have; nothing else needs to know their names."""

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[Record]: ...


@dataclass(frozen=True)
class Export:
    """Write an adapter of the run to `path`, re-read it, compare, and only then call it done.

    `at` is "last" for the one in training, "best", or the step or folder of a checkpoint; `base`
    is where the base model lies, which a merged checkpoint needs. It can be cancelled before it is
    done; then what was there is unchanged.
    """

    path: str
    format: str = "peft"
    overwrite: bool = False
    prove: bool = False  # by the library that the file is for as well
    component: str = ""  # of a diffusion pipeline, for formats that name layers by it
    at: str = "last"
    dtype: str = ""  # of the factors; "": as they are
    base: str = ""
    untie: bool = False  # of a merged checkpoint: a weight that is used twice becomes two

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[Record]:
        from lora_lab.training.saving.saved_adapter import adapter_at
        from lora_lab.workshop.deliver import delivering, report_of
        from lora_lab.workshop.requests import Delivered, Delivery

        step = experiment.step
        yield ExportingRecord(step, "Copying the factors", -1)
        weights, what = adapter_at(experiment, folder, self.at)
        delivery = Delivery(
            self.path, self.format, self.dtype, self.base, self.overwrite, self.untie, self.prove,
            self.component,
        )  # fmt: skip
        with closing(delivering(weights, delivery)) as stages:
            for result in stages:
                if isinstance(result, Delivered):
                    yield ExportedRecord(step, report_of(result, what.step, what.loss))
                else:
                    yield ExportingRecord(step, *result)


@dataclass(frozen=True)
class Evaluate:
    """Measure the validation data now, with the adapter as the switch has it.

    Off as well where that was never measured.
    """

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[EvalRecord]:
        skipped = experiment.hyper.enabled and not experiment.base_measured  # at the opening
        for enabled in (False, None) if skipped else (None,):
            record = experiment.evaluate(enabled, due=False)
            assert record is not None
            yield record


@dataclass(frozen=True)
class Generate:
    """Let the model continue each prompt, with the adapter off and on, or a `mix` in its place."""

    prompts: tuple[str, ...]
    max_new_tokens: int = 48
    sampling: Sampling = GREEDY
    mix: Mix | None = None

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[GeneratedRecord]:
        from lora_lab.training.measure.answers import answers

        yield from answers(experiment, self.prompts, self.max_new_tokens, self.sampling, self.mix)


@dataclass(frozen=True)
class Save:
    """Save all that is needed to resume, and the adapter, in the run's folder.

    With a `parent` the run goes on in a new folder there. The loop has it done by whoever keeps the
    run; `run` is its part that writes the adapter, and the best one beside it.
    """

    parent: str = ""

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[Record]:
        from lora_lab.formats import FORMATS

        if folder is not None and experiment.has_factors:
            folder.settle()  # or an older adapter that is on its way would replace this one
            folder.save_adapter(experiment.weights(), FORMATS["peft"].save)
            yield SavedRecord(experiment.step, str(folder.adapter))
            best = experiment.best
            if best.weights is not None:
                folder.save_best(best.weights, FORMATS["peft"].save)
        if folder is not None and experiment.space is not None:
            from lora_lab.training import theta_file

            target = folder.path / theta_file.NAME
            base = experiment.config.model or experiment.base
            theta_file.save(
                target, experiment.space, experiment.layers, base, experiment.base_fingerprint
            )
            yield SavedRecord(experiment.step, str(target))


@dataclass(frozen=True)
class MergePreview:
    """Measure what merging ΔW into W would lose, in bounded time; nothing is merged."""

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[MergeRecord]:
        from lora_lab.training.measure.merge_preview import merge_preview

        yield merge_preview(experiment)


@dataclass(frozen=True)
class EvaluateCut:
    """Measure the validation loss of the adapter at `path`, cut to `ranks`, in the open model."""

    path: str
    ranks: tuple[int, ...]
    alpha: float | None = None

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[CutRecord]:
        from lora_lab.training.measure.cut_preview import cut_preview

        yield cut_preview(experiment, self.path, self.alpha, self.ranks)


@dataclass(frozen=True)
class MeasureClip:
    """Measure the validation loss with one layer's σ clipped; nothing is changed."""

    layer: str
    keep: int  # so many σ stay, the others become 0
    ceiling: float  # and those above it become this

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[ClipRecord]:
        from lora_lab.training.measure.clip import measure_clip

        yield measure_clip(experiment, self.layer, self.keep, self.ceiling)


@dataclass(frozen=True)
class Clip:
    """Clip one layer's σ from here on. The loop keeps a checkpoint of what stood before."""

    layer: str
    keep: int
    ceiling: float

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[Record]:
        from lora_lab.training.measure.clip import clip_layer

        yield from clip_layer(experiment, folder, self.layer, self.keep, self.ceiling)


@dataclass(frozen=True)
class CountIntruders:
    """Count the intruder dimensions of one layer; a model takes one such command per layer."""

    layer: str
    strongest: int = 10
    threshold: float = 0.5

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[IntruderRecord]:
        from lora_lab.training.measure.intruder_count import count_intruders

        yield count_intruders(experiment, self.layer, self.strongest, self.threshold)


@dataclass(frozen=True)
class EstimateMemory:
    """Estimate the peak memory of a step as the model stands; nothing is computed on its data."""

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[MemoryRecord]:
        from lora_lab.training.measure.memory_preview import memory_preview

        yield memory_preview(experiment)


@dataclass(frozen=True)
class MeasureSpeed:
    """Time a few steps and put them back."""

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[SpeedRecord]:
        from lora_lab.training.measure.speed import measure_speed

        yield measure_speed(experiment)


@dataclass(frozen=True)
class FindRate:
    """Try rising learning rates for `steps` steps at most, and put everything back.

    It can be cancelled between two of them.
    """

    steps: int = 80

    def run(
        self, experiment: Experiment, folder: RunFolder | None
    ) -> Iterator[RatePointRecord | RateFoundRecord]:
        from lora_lab.training.measure.rate_finder import find_rate

        yield from find_rate(experiment, self.steps)


@dataclass(frozen=True)
class SuggestRank:
    """Measure the validation loss at the ranks that keep these shares of ΔW's energy."""

    shares: tuple[float, ...] = (0.95, 0.99)

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[RankHintRecord]:
        from lora_lab.training.measure.rank_hint import rank_hints

        yield from rank_hints(experiment, self.shares)


@dataclass(frozen=True)
class GoBack:
    """Put back the save that is nearest to `step`; what was recorded after it no longer holds.

    With `before_edit` it is the newest one from before an edit that was made there or earlier;
    no `step`: before the newest edit of all.
    """

    step: int | None
    before_edit: bool = False

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[Record]:
        from lora_lab.training.saving.go_back import go_back

        yield from go_back(experiment, folder, self.step, self.before_edit)
