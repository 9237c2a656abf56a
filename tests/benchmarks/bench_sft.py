"""Fine-tuning a real language model on real rows, against transformers.Trainer with peft, and TRL.

    python tests/benchmarks/bench_sft.py MODEL_DIR DATA.jsonl [--steps 40] [--rounds 3]
        [--threads 1] [--contenders lab trainer trl …] [--no-curve]

Prints for each contender the medians of: CPU seconds per example (of the whole process; what counts
on a machine that is shared) and wall seconds, tokens fed per example, padding included, peak memory
beyond the loaded model, and the loss on the same validation rows after as many examples, measured
by transformers alone. Then, as ratios of each round, the lab against each. All train rank 8 on all
linear layers from the same tokens with an effective batch of 16, the Trainer, peft and TRL with
their defaults but for what the contender's name says (`sft_rivals.py`). Each runs in a process of
its own, in turn. Last, the largest difference of the loss per step where lab and Trainer get the
same batches from the same start.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sft_rivals import TRL, counted, rows_of, sft_trainer_of, trainer_of

RATE, BATCH = 2e-4, 16
EVERY = 20  # one row of so many is held out
LAB = {
    "lab": {},
    "lab-packed": {"batching": "packed"},
    "lab-tokens": {"batch_tokens": 512, "accumulation": 1},  # as 16 rows of reviews.jsonl have
    "lab-bfloat16": {"dtype": "bfloat16"},
}


def config_of(arguments: argparse.Namespace, **settings: Any):
    from lora_lab.presets import starting_config

    settings = {"data": arguments.train, "batch_size": BATCH, **settings}
    return starting_config(
        "causal_lm", model=arguments.model, **settings,
        max_steps=arguments.steps, validation=0.0, warmup_steps=0, schedule="linear",
        seed=arguments.seed, eval_steps=10**6, hyper={"learning_rate": RATE},
    )  # fmt: skip


@contextmanager
def divided(arguments: argparse.Namespace) -> Iterator[None]:
    """The rows in two files, those to train on and those to measure on."""
    rows = Path(arguments.data).read_text(encoding="utf-8").splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as folder:
        arguments.train, arguments.held = (
            str(Path(folder, name)) for name in ("train.jsonl", "held.jsonl")
        )
        Path(arguments.held).write_text("".join(rows[::EVERY]), encoding="utf-8")
        rest = (row for i, row in enumerate(rows) if i % EVERY)
        Path(arguments.train).write_text("".join(rest), encoding="utf-8")
        yield


def resident() -> int:
    import psutil

    return psutil.Process().memory_info().rss


def peak() -> int:
    """Most resident memory of this process since it began, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not tell VmHWM")


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def held_out_loss(model: Any, arguments: argparse.Namespace) -> float:
    """Mean over the supervised tokens of all held-out rows, by the model's own logits."""
    import torch

    from lora_lab.tasks import TASKS

    total = count = 0.0
    task = TASKS["causal_lm"].open(config_of(arguments, data=arguments.held))
    model.eval()
    with torch.no_grad():
        for example in task.train.examples:
            ids = torch.from_numpy(example.ids.astype("int64"))
            at = torch.from_numpy(example.supervised.astype("bool"))[1:]
            logits = model(input_ids=ids[None]).logits[0, :-1][at].float()
            total += torch.nn.functional.cross_entropy(logits, ids[1:][at], reduction="sum").item()
            count += int(at.sum())
    return total / count


class Measured:
    """CPU and wall seconds and the peak of memory of a block."""

    def __enter__(self) -> Measured:
        self._before = resident()
        forget_peak()
        self._began = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: Any) -> None:
        self.wall = time.perf_counter() - self._began[0]
        self.cpu = time.process_time() - self._began[1]
        self.memory = peak() - self._before


def lab(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The lab's own loop, in its defaults but for what the name says."""
    import torch

    from lora_lab.allocator import keep_freed_memory

    keep_freed_memory()
    from lora_lab.records import StepRecord
    from lora_lab.training.controls import Controls
    from lora_lab.training.experiment import Experiment
    from lora_lab.training.loop import train

    config = config_of(arguments, **LAB[name])
    experiment = Experiment.build(config)
    fed = [0]
    experiment.model.base_model.register_forward_pre_hook(
        lambda _m, _a, inputs: fed.__setitem__(0, fed[0] + inputs["input_ids"].numel()),
        with_kwargs=True,
    )
    losses: list[float] = []
    tokens = 0
    with Measured() as measured:
        for record in train(experiment, Controls(config.hyper)):
            if isinstance(record, StepRecord):
                losses.append(record.loss)
                tokens = fed[0]
            if len(losses) == config.max_steps:
                break  # before what is measured at the end of a run
    batches = experiment.task.batches(config.batch_size, config.seed)
    examples = sum(len(row) for _ in losses for row in next(batches))
    loss = held_out_loss(experiment.model.to(torch.float32), arguments)
    return facts(measured, examples, tokens, loss, losses)


def facts(
    measured: Measured, examples: int, tokens: int, loss: float, losses: list[float]
) -> dict[str, Any]:
    return {"examples": examples, "tokens": tokens, "cpu": measured.cpu, "wall": measured.wall,
            "memory": measured.memory, "held_out": loss, "losses": losses}  # fmt: skip


def rival(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The Trainer with peft, or TRL's."""
    from lora_lab.tasks import TASKS

    if not arguments.default_malloc:
        from lora_lab.allocator import keep_freed_memory

        keep_freed_memory()
    task = TASKS["causal_lm"].open(config_of(arguments))
    rows = rows_of(task)
    with tempfile.TemporaryDirectory() as folder:
        if name in TRL:
            trainer = sft_trainer_of(name, arguments, rows, folder, RATE)
        else:
            trainer = trainer_of(arguments, rows, folder, RATE)
        seen = counted(trainer)
        with Measured() as measured:
            trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    examples, tokens = seen()
    return facts(measured, examples, tokens, held_out_loss(trainer.model, arguments), losses)


def curve(_name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Lab and Trainer on the same batches from the same factors; the losses of every step."""
    import torch

    from lora_lab.records import StepRecord
    from lora_lab.training.controls import Controls
    from lora_lab.training.experiment import Experiment
    from lora_lab.training.loop import train

    config = config_of(arguments)
    experiment = Experiment.build(config)
    start = {name: layer.lora_A.detach().clone() for name, layer in experiment.layers.items()}
    batches = experiment.task.batches(BATCH, config.seed)
    order: list[int] = []
    for _ in range(arguments.steps):
        batch = [i for row in next(batches) for i in row]
        assert len(batch) == BATCH, "take fewer steps: the Trainer's last batch would differ"
        order += batch
    ours = [
        record.loss
        for record in train(experiment, Controls(config.hyper))
        if isinstance(record, StepRecord)
    ]
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(arguments, rows_of(experiment.task), folder, RATE, order)
        for name, A in start.items():
            layer = trainer.model.base_model.model.get_submodule(name)
            with torch.no_grad():
                layer.lora_A["default"].weight.copy_(A)
        trainer.train()
    theirs = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {"ours": ours, "theirs": theirs}


CONTENDERS = {
    **dict.fromkeys(LAB, lab),
    **dict.fromkeys(("trainer", *TRL), rival),
    "curve": curve,
}


def in_a_process(contender: str, arguments: argparse.Namespace) -> dict[str, Any]:
    words = [sys.executable, __file__, arguments.model, arguments.data, "--only", contender]
    words += ["--steps", str(arguments.steps), "--seed", str(arguments.seed)]
    words += ["--threads", str(arguments.threads)]
    words += ["--default-malloc"] if arguments.default_malloc else []
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


FIGURES = {
    "cpu": lambda r: r["cpu"] / r["examples"],
    "wall": lambda r: r["wall"] / r["examples"],
    "tokens": lambda r: r["tokens"] / r["examples"],
    "memory": lambda r: r["memory"] / 2**20,
    "loss": lambda r: r["held_out"],
    "examples": lambda r: r["examples"],
}


def row(name: str, results: list[dict[str, Any]]) -> str:
    cpu, wall, tokens, memory, loss, examples = (
        statistics.median(map(figure, results)) for figure in FIGURES.values()
    )
    return (
        f"{name:17} {cpu:7.3f} CPU s/example {wall:7.3f} wall   {tokens:5.1f} tokens/example   "
        f"{memory:6.0f} MiB beyond the model   validation loss {loss:.4f} after {examples:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="1: spinning threads count for none")
    parser.add_argument("--contenders", nargs="+", default=["lab", "trainer", *TRL])
    parser.add_argument("--no-curve", action="store_true")
    parser.add_argument("--only", choices=CONTENDERS)
    parser.add_argument("--default-malloc", action="store_true", help="as peft's users have it")
    arguments = parser.parse_args()
    if arguments.only:
        import torch

        torch.set_num_threads(arguments.threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with divided(arguments):
                print(json.dumps(CONTENDERS[arguments.only](arguments.only, arguments)))
        return
    libraries = ("torch", "transformers", "peft", "trl", "accelerate")
    print(*(f"{name} {version(name)}" for name in libraries), f"{arguments.threads} threads")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in arguments.contenders}
    for round_ in range(arguments.rounds):
        for contender, results in found.items():
            results.append(in_a_process(contender, arguments))
            print(f"round {round_ + 1} {row(contender, results[-1:])}", flush=True)
    first = arguments.contenders[0]
    for contender, results in found.items():
        print(row(contender, results))
        ratios = {
            figure: statistics.median(
                FIGURES[figure](b) / FIGURES[figure](a)
                for a, b in zip(found[first], results, strict=True)
            )
            for figure in ("cpu", "wall", "memory")
        }
        print(f"{'':17} over {first}: " + "  ".join(f"{k} {v:.2f} x" for k, v in ratios.items()))
    if arguments.no_curve:
        return
    both = in_a_process("curve", arguments)
    apart = [abs(a - b) for a, b in zip(both["ours"], both["theirs"], strict=True)]
    print(f"loss per step on the same batches: at most {max(apart):.1e} apart in {len(apart)} "
          f"steps ({both['ours'][0]:.4f} -> {both['ours'][-1]:.4f})")  # fmt: skip


if __name__ == "__main__":
    main()
