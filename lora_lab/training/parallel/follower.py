"""What every process but the first does: it holds the same adapter, and computes its rows."""

from __future__ import annotations

import json
import math
import signal
import sys

import numpy as np
import torch

from lora_lab.config import RunConfig, checked
from lora_lab.errors import ConfigError, LabError
from lora_lab.training.descent import descend, gradient_norm
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from lora_lab.training.parallel.group import Group, Kind, LostProcess, Message
from lora_lab.training.parallel.place import Place
from lora_lab.training.parallel.sent import unpack
from lora_lab.training.saving.state import restore


def follow(place: Place) -> None:
    """Take part in the run that the first process keeps, to its end.

    Raises NotReady where a process cannot open it, which the first one says, LostProcess where one
    has ended, and LabError where this one cannot go on.
    """
    group = Group(place)
    try:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the first one ends the run, and says so
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        _Follower(group).run()
    except LostProcess as error:
        raise LostProcess(f"{error} The newest save stands: lora-lab resume.") from error
    finally:
        group.close()


class _Follower:
    def __init__(self, group: Group) -> None:
        self._group = group
        self._experiment: Experiment | None = None

    def run(self) -> None:
        while (message := self._group.hear()).kind is not Kind.END:
            if message.kind is Kind.OPEN:
                self._open(message)
                continue
            assert self._experiment is not None, "opened first"
            if message.kind is Kind.STATE:
                restore(self._experiment, *unpack(message.payload))
            elif message.kind is Kind.GATHER:
                self._group.give(message.taken)
            else:
                self._step(self._experiment, message)

    def _open(self, message: Message) -> None:
        """Open what the first process has; where that fails it is the one that says so."""
        about, problem = json.loads(message.payload), ""
        try:
            if not self._group.place.meeting and sys.argv[1:] != about["command"]:
                raise ConfigError(
                    f"it was started with other words ({' '.join(sys.argv[1:])}) than the first "
                    f"({' '.join(about['command'])}). Give all the same command."
                )
            config = checked(RunConfig, about["config"])
            device = self._group.place.device(about["device"])
            if config.factory:
                from lora_lab.models.factory import agree

                agree(config.factory)  # whoever started the run was asked
            config = config.model_copy(
                update={"device": device, "classes": tuple(about["classes"])}
            )
            experiment = Experiment.build(config, restored=True)
            if experiment.task.rows != about["rows"]:
                raise ConfigError(
                    f"its data has {experiment.task.rows:,} training rows, and that of the first "
                    f"process {about['rows']:,}. Let all read the same files."
                )
            if experiment.base_fingerprint != about["base"]:
                raise ConfigError(
                    "its base model has other weights than that of the first process. Let all "
                    "read the same files."
                )
            self._experiment = experiment
        except LabError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - the others must not wait for this one
            problem = f"{type(error).__name__}: {error}"
        self._group.agree(problem, self._experiment)

    def _step(self, experiment: Experiment, message: Message) -> None:
        experiment.batches.stand_behind(message.taken - 1)
        # Its own draws, of dropout, are a function of the place in the data: a run that is resumed
        # in as many processes goes on to the bit, and no state of theirs is saved.
        seed = np.random.SeedSequence((experiment.config.seed, self._group.place.number,
                                       message.taken))  # fmt: skip
        torch.manual_seed(int(seed.generate_state(1, np.uint64)[0]) % 2**63)
        found = gradients(experiment, next(experiment.batches), self._group)
        if found.failed:
            return
        norm = gradient_norm(experiment.optimizer) if math.isfinite(found.loss) else math.nan
        if not math.isfinite(norm):  # nobody makes this step
            experiment.optimizer.zero_grad(set_to_none=True)
            return
        descend(experiment, message.rate, norm)
        experiment.step += 1
