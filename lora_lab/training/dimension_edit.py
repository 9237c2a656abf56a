"""Another dimension for a random subspace in mid-run, and what is said of it."""

from __future__ import annotations

import math

from lora_lab.adapters.subspace_resize import resize_subspace
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.training.experiment import Experiment
from lora_lab.training.optim import regroup


def set_dimension(experiment: Experiment, hyper: Hyperparameters, notes: list[str]) -> float:
    """Give a random subspace another d; the share of ‖P·θ‖² that this costs."""
    space = experiment.space
    assert space is not None  # any other variant has the setting locked
    old = space.dimension
    lost = resize_subspace(space, hyper.dimension, experiment.optimizer)
    layers = experiment.layers.values()
    regroup(experiment.optimizer, layers, experiment.config, hyper.weight_decay)  # a head's rate
    if lost > 0:
        what = "the squared change of A and B" if experiment.has_factors else "ΔW's energy"
        notes.append(f"{100 * lost:.3g} % of {what} discarded")
    if hyper.learning_rate == experiment.hyper.learning_rate:
        factor = math.sqrt(old / hyper.dimension)
        notes.append(f"by the rule 8·η·√(D/d) the learning rate would now be × {factor:.3g}")
    return lost
