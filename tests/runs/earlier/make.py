"""Makes the run folder `run/` and `losses.json` beside it; needs a lab of before the goal of a run.

    cd EMPTY_FOLDER && PYTHONPATH=OLD_LAB python .../tests/runs/earlier/make.py

The run is closed at step 9, resumed, ends at step 12, trains on to another end at step 24, and is
cut off at step 17, as if its process had been killed in a pause. `losses.json` has what the same
lab records when it resumes from there.
"""

import json
import shutil
import time
from pathlib import Path

import torch

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import AppliedRecord, ResumedRecord, State, StateRecord, StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.run import run

HERE = Path("run")  # relative, so that no path of this machine is in the files
EDITS = {4: {"rank": 3}, 7: {"alpha": 6.0, "alpha_mode": "keep_function"},
         14: {"rank": 2, "dropout": 0.2}}  # fmt: skip
SPECTRA = (0, 4, 9, 12, 17)  # steps whose spectra stay in metrics.jsonl


def driven(config, stop, **how):
    """Train to `stop`, with the edits in pauses; close there, or copy the run at its pause."""
    controls = Controls(config.hyper)
    past = "resume" in how
    for record in run(config, controls, linger=True, **how):
        if isinstance(record, ResumedRecord):
            past = False
        elif past:
            continue
        elif isinstance(record, StepRecord):
            if record.step == stop and "folder" in how:
                controls.stop()
            elif record.step in EDITS or record.step == stop:
                controls.pause()
        elif isinstance(record, AppliedRecord):
            controls.resume()
        elif not isinstance(record, StateRecord):
            continue
        elif record.state is State.FINISHED:
            controls.resume()
        elif record.state is State.PAUSED:
            if record.step in EDITS:
                controls.set_hyper(changed(controls.hyper, **EDITS[record.step]))
            elif record.step == stop:
                while not (HERE / "checkpoints" / f"step-{stop:09d}").is_dir():
                    time.sleep(0.01)
                shutil.copytree(HERE, "cut")
                controls.stop()


def main():
    torch.set_num_threads(1)
    preset = get_preset("digits").config
    hyper = {**preset.hyper.model_dump(), "rank": 2, "alpha": 4.0, "learning_rate": 2e-3,
             "dropout": 0.1}  # fmt: skip
    config = changed(preset, max_steps=12, eval_steps=3, targets=("fc1", "fc3"), warmup_steps=3,
                     batch_size=16, autosave_seconds=1000, seed=7, hyper=hyper)  # fmt: skip
    driven(config, 9, folder=HERE)
    driven(config, 17, resume=HERE)
    shutil.rmtree(HERE)
    for leftover in ("lock", "owner.json"):
        (Path("cut") / leftover).unlink(missing_ok=True)
    shutil.rmtree("cut/adapter", ignore_errors=True)  # it would have come at the end
    kept = []
    for line in Path("cut/metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["record"] != "SpectrumRecord" or row["step"] in SPECTRA:
            kept.append(line + "\n")
    Path("cut/metrics.jsonl").write_text("".join(kept))
    shutil.copytree("cut", HERE)
    torch.manual_seed(99)  # another process begins elsewhere
    records = run(config, Controls(config.hyper), resume=Path("cut"))
    losses = {r.step: r.loss.hex() for r in records if isinstance(r, StepRecord) and r.step > 17}
    shutil.rmtree("cut")
    made = {
        "torch": str(torch.__version__),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "losses": losses,
    }
    Path("losses.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
