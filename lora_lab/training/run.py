"""One whole run: the base made first where the config asks for it, then the adapter, journalled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lora_lab.config import RULES, Origin, RunConfig
from lora_lab.door import reading
from lora_lab.errors import LabError
from lora_lab.exported import ExportingRecord
from lora_lab.progress import Report, silent
from lora_lab.records import (
    CancelledRecord,
    FolderRecord,
    Look,
    NewsRecord,
    Record,
    StateRecord,
    StepRecord,
)
from lora_lab.runs import checkpoints
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.inputs import changes, recorded_layers, with_whole_paths
from lora_lab.runs.listing import ENDED, METRICS, written_state
from lora_lab.runs.past import past_records
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.training.by_size import with_variant_of
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.from_adapter import requested
from lora_lab.training.loop import train
from lora_lab.training.measure.at_opening import Known
from lora_lab.training.opening import Branch, New, Opening, Resume
from lora_lab.training.optim import Stage
from lora_lab.training.parallel.group import Group
from lora_lab.training.pretrain import pretrain, with_trained_base
from lora_lab.training.saving.go_back import branch_off
from lora_lab.training.saving.journal import Journal
from lora_lab.training.saving.snapshots import Snapshots
from lora_lab.training.saving.state import restore, resumed_record


def run(
    opening: Opening,
    controls: Controls,
    *,
    serve_after_training: bool = False,
    save_at_end: Callable[[], bool] = lambda: True,
    report: Report = silent,
    group: Group | None = None,
) -> Iterator[Record]:
    """Open a run, train, and keep a journal in its folder; yield every record.

    The adapter is saved there when training ends, is stopped, or fails; checkpoints as it goes.
    `report` receives how far the opening is. Raises LabError where something cannot be opened, and
    Cancelled where `report` does. The other processes of a `group` open the same, and follow.
    """
    config, base = opening.config, ""
    if isinstance(opening, New):  # what begins now begins by the rules of now
        config = config.model_copy(update={"rules": RULES})  # `hyper` stays the very same
    if not isinstance(opening, Resume) and config.pretraining is not None and config.model is None:
        yield from pretrain(config, controls)
        if controls.stopping:
            return
        config, base = with_trained_base(config)
    config = with_whole_paths(config)
    with reading(_files(opening, config), LabError):
        experiment, journal, past, notes = _opened(
            opening, config, base, controls, serve_after_training, report
        )
    snapshots = Snapshots(experiment)
    try:
        yield experiment.loaded()
        known = Known()
        if past is not None:
            yield from known.follow(past_records(past / METRICS, experiment.step))
            if notes or not isinstance(opening, Resume):  # measured there, by this or otherwise
                known.forget()
            yield resumed_record(experiment, notes)
        if (data := experiment.task.data or experiment.task.shown) is not None:
            yield data
        if journal.folder is not None:
            yield FolderRecord(0, str(journal.folder.path))
        if past is not None and controls.stopping:
            return  # asked for while it was opened: the run stays as it was
        if group is not None:
            report(f"Opening in {group.place.processes - 1} more", -1)
            group.open(experiment)
            rows, processes = config.batch_size, group.place.processes
            if rows < processes and not config.batch_tokens:
                yield NewsRecord(
                    experiment.step,
                    f"A batch of {rows} leaves {processes - rows} of {processes} processes without "
                    "a row. Take a larger batch, or fewer processes.",
                )
        records = train(
            experiment, controls, serve_after_training=serve_after_training,
            folder=lambda: journal.folder, before_edit=journal.before_edit, save=journal.save_in,
            known=known, report=report, group=group,
        )  # fmt: skip
        read: list[Record] = []  # of steps that are read together: on record before anyone leaves
        try:
            for record in records:
                if isinstance(record, StepRecord) and record.step < experiment.step:
                    read += [*journal.note(record), record]
                    continue
                kept = not isinstance(record, ExportingRecord | CancelledRecord | Look)
                noted: Iterable[Record] = journal.note(record) if kept else ()
                if read:
                    noted = [*noted]
                    yield from read
                    read.clear()
                yield from noted
                yield record
                yield from snapshots.note(record, journal.folder)
                if isinstance(record, StateRecord) and record.state in ENDED:
                    yield from journal.save()
        except Exception:
            yield from read  # what is on record is told before what has failed
            raise
        yield from journal.leave(save=save_at_end())
    except Exception as error:
        yield from journal.leave(error)
        raise
    except BaseException as error:  # the caller is going, and nobody listens
        between_steps = isinstance(error, GeneratorExit)  # a signal may have broken into one
        for _ in journal.leave(save=between_steps, cut=not between_steps):
            continue
        raise
    finally:
        experiment.trunk.close()
        journal.close()


def _files(opening: Opening, config: RunConfig) -> str:
    """What a run is made of, for people; "" where nobody but the lab has made it."""
    made = config.model, config.data, config.adapter
    run = opening.path if isinstance(opening, Resume) else None
    origin = opening.origin.run if isinstance(opening, Branch) else None
    return " and ".join(Path(path).name for path in (run, origin, *made) if path)


def _opened(
    opening: Opening,
    config: RunConfig,
    base: str,
    controls: Controls,
    serve_after_training: bool,
    report: Report,
) -> tuple[Experiment, Journal, Path | None, tuple[str, ...]]:
    """The experiment and its journal, the run whose past it has, and what differs from then."""
    match opening:
        case New(folder=folder):
            experiment = Experiment.build(config, base=base, report=report)
            if config.adapter:  # what is asked for otherwise is applied before the first step
                wanted = requested(config.hyper, experiment.hyper)
                controls.settle(config.hyper, wanted)
            return experiment, Journal.new(experiment, folder), None, ()
        case Branch(origin=origin, folder=folder):
            config, layers = _with_layers_of(config, Path(origin.run))
            experiment = Experiment.build(
                config, base=base, report=report, restored=True, layers=layers
            )
            step, notes = branch_off(experiment, Path(origin.run), origin.step)
            if config.hyper == experiment.hyper:
                controls.settle(controls.hyper, experiment.hyper)
            journal = Journal.branch(experiment, folder, Origin(origin.run, step), notes)
            return experiment, journal, Path(origin.run), notes
        case Resume():
            return _resumed(opening, controls, serve_after_training, report)


def _with_layers_of(config: RunConfig, run: Path) -> tuple[RunConfig, tuple[str, ...]]:
    """`config` with the layers that `run` settled on when it was opened, where it names none, and
    what these are where it means the same."""
    saved = SavedConfig.read(run).config
    config = with_variant_of(config, saved)
    if not (config.targets or config.whole or config.adapter):
        config = config.model_copy(update={"targets": saved.targets, "whole": saved.whole})
    same = (config.targets, config.whole) == (saved.targets, saved.whole)
    return config, recorded_layers(run / METRICS) if same else ()


def _resumed(
    opening: Resume, controls: Controls, serve_after_training: bool, report: Report
) -> tuple[Experiment, Journal, Path, tuple[str, ...]]:
    folder = RunFolder.at(opening.path)
    folder.lock()  # before anything is loaded, and before anything in it is touched
    try:
        layers = recorded_layers(opening.path / METRICS)
        experiment = Experiment.build(opening.config, report=report, restored=True, layers=layers)
        notes = _restored(experiment, opening)
        ended = experiment.step >= experiment.stage.end
        if ended and not serve_after_training:
            if written_state(opening.path) in {state.value for state in ENDED}:
                raise LabError(
                    f"{opening.path.name} has finished at step {experiment.step:,}. Say up to "
                    "which step to continue (--steps)."
                )
            controls.pause()  # cut off after its last step: only its end is left to be written
        controls.settle(controls.hyper, experiment.hyper)
        journal = Journal.resumed(experiment, folder, opening.saved.origin, notes)
    except BaseException:
        folder.close()
        raise
    return experiment, journal, opening.path, notes


def _restored(experiment: Experiment, opening: Resume) -> tuple[str, ...]:
    """Put the newest whole checkpoint back; raises LabError where there is none."""
    checkpoints.tidy(opening.path)
    checkpoint = checkpoints.latest(opening.path)
    notes = restore(experiment, checkpoint.tensors, checkpoint.facts)
    notes += changes(experiment.config, opening.saved.about)
    if opening.until is not None:
        experiment.stage = Stage(experiment.stage.begin, opening.until)
    return notes
