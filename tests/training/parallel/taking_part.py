"""One of two processes, as a test starts it: `python -m … SPECS RESULT`, both JSON.

They make one run together after another, as the specs say; the first drives each and writes down
what became of it. What a process is to suffer stands in the spec.
"""

import json
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import torch

from lora_lab.config import RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.measured import GeneratedRecord, RatePointRecord
from lora_lab.records import (
    AppliedRecord,
    ErrorRecord,
    EvalRecord,
    NewsRecord,
    NonFiniteRecord,
    ResumedRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.training import commands
from lora_lab.training.commands import GoBack, Save
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.opening import New, Resume
from lora_lab.training.parallel.follower import follow
from lora_lab.training.parallel.group import Group
from lora_lab.training.parallel.place import place_here
from lora_lab.training.parallel.sharding import blocks_of
from lora_lab.training.run import run


def opening_of(spec):
    if "resume" in spec:
        return Resume.at(Path(spec["resume"]), spec.get("until"))
    return New(RunConfig.model_validate(spec["config"]), Path(spec["folder"]))


def drive(spec, group):
    """What the records of the run say, in plain values."""
    opening = opening_of(spec)
    controls = Controls(opening.config.hyper)
    edits = {int(step): values for step, values in spec.get("edits", {}).items()}
    said = {
        "losses": [],
        "rates": [],
        "notes": [],
        "held_out": [],
        "applied": 0,
        "error": "",
        "asked": [],
        "texts": [],
    }
    try:
        for record in run(opening, controls, group=group):
            match record:
                case StepRecord(step=step):
                    said["losses"].append([step, record.loss])
                    said["rates"].append(record.learning_rate)
                    if step == spec.get("save"):
                        controls.request(Save())
                    if step == spec.get("back"):
                        spec["back"] = 0
                        controls.request(GoBack(spec["back_to"]))
                    if step in edits:
                        controls.set_hyper(changed(controls.hyper, **edits.pop(step)))
                    for name, fields in spec.get("asks", {}).get(str(step), ()):
                        controls.request(getattr(commands, name)(**fields))
                    if step == spec.get("end"):
                        controls.stop()
                case EvalRecord(enabled=True):
                    said["held_out"].append(record.loss)
                case AppliedRecord():
                    said["applied"] += bool(record.changes)
                case StateRecord(state=State.PAUSED):
                    controls.resume() if "back" in spec else controls.stop()
                case ResumedRecord():
                    said["notes"] += record.notes
                case RatePointRecord():
                    said["asked"].append(record.loss)
                case GeneratedRecord():
                    said["texts"].append([record.off, record.on])
                case NewsRecord() | ErrorRecord() | NonFiniteRecord():
                    said["notes"].append(record.message)
    except LabError as error:
        said["error"] = str(error)
    return said


@contextmanager
def suffering(spec, number):
    """Within, this process has what the spec means it to: death, short memory, a loss of nan."""
    ills, real = spec.get("ills", {}).get(str(number), {}), Experiment.build.__func__

    def build(cls, config, *arguments, **settings):
        if number and "hide" in spec:
            config = changed(config, data=spec["hide"])
        if number and "model" in spec:
            config = changed(config, model=spec["model"])
        experiment = real(cls, config, *arguments, **settings)
        loss, calls = experiment.task.loss, 0

        def ill(model, part):
            nonlocal calls
            calls += 1
            if calls == ills.get("dies"):
                os.kill(os.getpid(), signal.SIGKILL)
            if calls == ills.get("short"):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            found = loss(model, part)
            return found * float("nan") if calls == ills.get("nan") else found

        experiment.task.loss = ill
        opened.append(experiment)
        return experiment

    opened = []
    Experiment.build = classmethod(build)
    try:
        yield opened
    finally:
        Experiment.build = classmethod(real)


def take_part(spec):
    """One run, in this process and those that the environment speaks of; what the first says."""
    place = place_here()
    with suffering(spec, place.number if place else 0) as opened:
        if place and place.number:
            words = sys.argv
            try:
                sys.argv = [*words, *spec.get("words", ())]
                follow(place)
            except LabError as error:
                sys.stderr.write(f"{error}\n")
                return {"code": 1}
            finally:
                sys.argv = words
            return {"code": 0, "base": held(opened[-1])}
        group = Group(place) if place else None
        said = drive(spec, group)
        if group:
            group.close(tell=True)
        return {**said, "base": held(opened[-1]) if opened else 0}


def held(experiment):
    """Bytes of the base that this process holds in its blocks, and beside them."""
    inside = {id(p) for block in blocks_of(experiment.model) for p in block.parameters()}
    found = [0, 0]
    for p in experiment.model.parameters():
        if not p.requires_grad:
            own = p.to_local() if hasattr(p, "to_local") else p
            found[id(p) not in inside] += own.untyped_storage().nbytes()
    return found


def main():
    torch.set_num_threads(1)
    said = {}
    for name, (port, spec) in json.loads(Path(sys.argv[1]).read_text()).items():
        os.environ["MASTER_PORT"] = str(port)
        said[name] = take_part(spec)
    Path(f"{sys.argv[2]}.{os.environ['RANK']}").write_text(json.dumps(said))
    sys.exit(max(one.get("code", 0) for one in said.values()))


if __name__ == "__main__":
    main()
