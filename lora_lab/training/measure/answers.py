"""What the model says to a prompt with the adapter off and on, or with a mixture in its place."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from lora_lab.errors import LabError
from lora_lab.measured import GeneratedRecord
from lora_lab.sampling import Sampling
from lora_lab.tasks.generating import not_applied
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.mixture import mixed
from lora_lab.workshop.requests import Mix


def answers(
    experiment: Experiment,
    prompts: Sequence[str],
    max_new_tokens: int,
    sampling: Sampling,
    mix: Mix | None = None,
) -> Iterator[GeneratedRecord]:
    """A record per prompt; with a `mix`, "on" is with those adapters and not the one in training.

    Raises LabError for a model that cannot generate text, and Cancelled where it is to end.
    """
    if not experiment.task.generates:
        raise LabError("This model cannot generate text. Open a language model.")
    sampling.checked()
    how = max_new_tokens, sampling, experiment.should_stop
    answer, notes = experiment.inference.answer, not_applied(experiment.model)
    for prompt in prompts:
        began = time.perf_counter()
        off = answer(prompt, False, *how)
        if mix is None:
            on = answer(prompt, True, *how)
        else:
            with mixed(experiment, mix):
                on = answer(prompt, True, *how)
        seconds = time.perf_counter() - began
        yield GeneratedRecord(experiment.step, prompt, off, on, seconds, sampling, notes, mix)
