"""Keep the adapter of a run that was cut off: made from its newest save, without training on."""

from __future__ import annotations

from pathlib import Path

from lora_lab.config import RunConfig
from lora_lab.device_name import first
from lora_lab.errors import LabError
from lora_lab.formats import FORMATS
from lora_lab.progress import Report, silent
from lora_lab.records import State
from lora_lab.runs import checkpoints
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.inputs import recorded_layers
from lora_lab.runs.listing import METRICS
from lora_lab.training.experiment import Experiment
from lora_lab.training.saving.state import restore
from lora_lab.variants import VARIANTS


def _alone(config: RunConfig) -> RunConfig:
    """Nothing is trained, for which one process is enough."""
    return config.model_copy(update={"device": first(config.device)})


def keep_adapter(path: Path, report: Report = silent) -> int:
    """Write the adapter of the newest save to the run's folder and call the run stopped there.

    Returns the step. Raises LabError where the run is being trained, has no whole save, or its base
    is not there.
    """
    folder = RunFolder.at(path)
    folder.lock()
    try:
        config, layers = _alone(folder.load_config()), recorded_layers(path / METRICS)
        experiment = Experiment.build(config, report=report, layers=layers)
        if not experiment.has_factors:
            raise LabError(f"{VARIANTS[experiment.config.variant].subject} has no adapter to keep.")
        checkpoints.tidy(path)
        checkpoint = checkpoints.latest(path)
        restore(experiment, checkpoint.tensors, checkpoint.facts)
        folder.save_adapter(experiment.weights(), FORMATS["peft"].save)
        hyper, best = experiment.hyper, experiment.best
        if best.weights is not None:
            folder.save_best(best.weights, FORMATS["peft"].save)
        folder.write_summary(
            state=State.STOPPED.value, step=experiment.step, max_steps=experiment.stage.end,
            best=best.loss, seconds=experiment.training_seconds,
            hyper={"rank": hyper.rank, "alpha": hyper.alpha},
        )  # fmt: skip
        return experiment.step
    finally:
        folder.close()
