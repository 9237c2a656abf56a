"""Time and memory of a training step against the floor and against peft, interleaved.

    python tests/benchmarks/bench_step.py [MODEL_FOLDER ...] [--sizes 4x128 ...] [--ranks 8 ...]
        [--rounds 9] [--memory] [--device cuda] [--dtype bfloat16] [--compile]
        [--threads 1 --processor-time]

The floor is what no adapter can avoid: the frozen model's forward and the backward through its
activations, by torch's own products or by oneDNN's where the lab takes these, whichever are the
quicker ones. On a shared machine the processor time of one thread tells more than the wall's.
All contenders share the base's tensors; every round runs each of them once, in an
order that turns, in this one process; printed are medians over the rounds of the ratio to the
floor in the same round. peft steps with torch's fused AdamW, ours with the lab's. Freed memory is
kept as the lab keeps it, for all of them, or given back as the C library does, with
--default-malloc. MODEL_FOLDER is a Hugging Face folder of a language model (causal, or an encoder);
without one the digits MLP is timed, where Python's overhead rules.

With --memory each contender takes its steps in a process of its own; printed is the peak beyond the
loaded model, what was estimated for ours before, and by how much the estimate of the whole is off.
"""

import argparse
import copy
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.targets import find_targets
from lora_lab.allocator import keep_freed_memory
from lora_lab.analysis.memory import estimate_memory
from lora_lab.blocks.frozen_linear import quicken
from lora_lab.presets import get_preset
from lora_lab.tasks import TASKS
from lora_lab.training.adam import FusedAdamW

NAMES = ("floor", "quick floor", "peft", "ours")


@dataclass
class Workload:
    """A frozen base, what a step computes, and the floor's version of it."""

    base: nn.Module
    loss: Any  # model → loss
    floor: Any  # the same, with a gradient for the activations alone


@dataclass
class Contender:
    """A model and the step that is timed; the floor has nothing to train."""

    model: nn.Module
    loss: Any
    device: torch.device
    clock: Any = time.perf_counter
    optimizer_kind: type[torch.optim.Optimizer] = torch.optim.AdamW
    times: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        parameters = trained(self.model)
        settings = {"fused": True} if self.optimizer_kind is torch.optim.AdamW else {}
        kind = self.optimizer_kind
        self.optimizer = kind(parameters, lr=1e-4, **settings) if parameters else None

    def step(self) -> None:
        began = self.clock()
        self.loss(self.model).backward()
        if self.optimizer is not None:
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.times.append(self.clock() - began)


def contender(name: str, work: Workload, rank: int, asked: argparse.Namespace) -> Contender:
    """One of NAMES on the workload; the base's tensors are shared, not copied."""
    device = torch.device(asked.device)
    clock = time.process_time if asked.processor_time else time.perf_counter
    if name == "floor":
        return Contender(compiled(work.base, asked), work.floor, device, clock)
    shared = {id(t): t for t in (*work.base.parameters(), *work.base.buffers())}
    model = copy.deepcopy(work.base, shared)
    if name == "quick floor":
        quicken(model)
        return Contender(compiled(model, asked), work.floor, device, clock)
    targets = list(find_targets(model))
    if name == "ours":
        inject(model, rank=rank, alpha=2.0 * rank, targets=targets)
        quicken(model)  # as an experiment does
        return Contender(compiled(model, asked), work.loss, device, clock, FusedAdamW)
    import peft

    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets)
    return Contender(compiled(peft.get_peft_model(model, config), asked), work.loss, device, clock)


def compiled(model: nn.Module, asked: argparse.Namespace) -> nn.Module:
    return torch.compile(model) if asked.compile else model


def language_model(folder: str, size: str, asked: argparse.Namespace) -> Workload:
    """A causal language model's own loss, or an encoder's mean square, on random tokens."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    batch, tokens = map(int, size.split("x"))
    decoder = "ForCausalLM" in str(AutoConfig.from_pretrained(folder).architectures)
    kind = AutoModelForCausalLM if decoder else AutoModel
    base = kind.from_pretrained(folder, dtype=getattr(torch, asked.dtype)).to(asked.device).train()
    base.requires_grad_(False)
    ids = torch.randint(0, base.config.vocab_size, (batch, tokens), device=asked.device)
    embedded = base.get_input_embeddings()(ids).detach().requires_grad_()

    def loss(model: nn.Module, **inputs: torch.Tensor) -> torch.Tensor:
        inputs = inputs or {"input_ids": ids}
        if decoder:
            return model(**inputs, labels=ids).loss
        return model(**inputs).last_hidden_state.square().mean()

    return Workload(base, loss, lambda model: loss(model, inputs_embeds=embedded))


def digits() -> Workload:
    task = TASKS["digits"].open(get_preset("digits").config)
    base = task.base_model().requires_grad_(False)
    images, labels = next(task.batches(32, 0))
    floating = images.clone().requires_grad_()
    entropy = nn.functional.cross_entropy
    return Workload(
        base,
        lambda model: entropy(model(images), labels),
        lambda model: entropy(model(floating), labels),
    )


def workload(folder: str, size: str, asked: argparse.Namespace) -> Workload:
    torch.manual_seed(0)
    return language_model(folder, size, asked) if folder else digits()


def compare(folder: str, size: str, rank: int, asked: argparse.Namespace) -> None:
    work = workload(folder, size, asked)
    names = list(NAMES)
    found = {name: contender(name, work, rank, asked) for name in names}
    steps = 1 if folder else 50  # a small net's step is too short for one look at the clock
    for turn in range(asked.rounds + 2):
        order = names[turn % len(names) :] + names[: turn % len(names)]
        for name in order:
            for _ in range(steps):
                found[name].step()
    per_round = {
        name: [sum(c.times[i : i + steps]) / steps for i in range(2 * steps, len(c.times), steps)]
        for name, c in found.items()
    }

    floors = per_round["floor"], per_round.pop("quick floor")
    per_round["floor"] = min(floors, key=statistics.median)

    def ratio(a: str, b: str) -> float:
        pairs = zip(per_round[a], per_round[b], strict=True)
        return statistics.median(x / y for x, y in pairs)

    label = f"{folder.rstrip('/').rsplit('/', 1)[-1] or 'digits MLP'} {size} r{rank}"
    floor = 1000 * statistics.median(per_round["floor"])
    print(
        f"{label:28} floor {floor:9.2f} ms   peft {ratio('peft', 'floor'):.3f}×   "
        f"ours {ratio('ours', 'floor'):.3f}×   ours/peft {ratio('ours', 'peft'):.3f}",
        flush=True,
    )
    if asked.memory:
        print(f"{'':28} peak beyond the model, MB: {memory(folder, size, rank, asked)}", flush=True)


def memory(folder: str, size: str, rank: int, asked: argparse.Namespace) -> str:
    """Peak of three steps beyond the loaded model, per contender, each in a fresh process."""
    peaks = {}
    for name in ("floor", "peft", "ours"):
        words = [sys.executable, __file__, folder, "--sizes", size, "--ranks", str(rank), "--peak",
                 name, "--device", asked.device, "--dtype", asked.dtype,
                 *["--default-malloc"] * asked.default_malloc]  # fmt: skip
        answer = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        peaks[name] = json.loads(answer.splitlines()[-1])
    work = workload(folder, size, asked)
    ours = contender("ours", work, rank, asked)
    guess = estimate_memory(
        ours.model, None, lambda twin, _: work.loss(twin), prepare=lambda twin: trained(twin)
    )
    standing = guess.weights + guess.adapter
    off = guess.resident / (standing + peaks["ours"]) - 1
    words = [f"{name} {peak / 1e6:.0f}" for name, peak in peaks.items()]
    return "   ".join([*words, f"estimate {(guess.resident - standing) / 1e6:.0f} ({off:+.1%})"])


def trained(model: nn.Module) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.requires_grad]


def peak(folder: str, size: str, rank: int, asked: argparse.Namespace) -> int:
    one = contender(asked.peak, workload(folder, size, asked), rank, asked)
    on_gpu = one.device.type == "cuda"
    for t in one.model.parameters():  # a mapped file is in memory once it was read
        t.detach().sum()
    before = torch.cuda.memory_allocated() if on_gpu else resident("VmRSS")
    for _ in range(3):
        one.step()
    return (torch.cuda.max_memory_allocated() if on_gpu else resident("VmHWM")) - before


def resident(key: str) -> int:
    """Bytes of this process's memory in RAM, now (VmRSS) or at most so far (VmHWM); Linux."""
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=[""])
    parser.add_argument("--sizes", nargs="+", default=["4x128"], help="batch x tokens")
    parser.add_argument("--ranks", nargs="+", type=int, default=[8])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--default-malloc", action="store_true")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    kept = not asked.default_malloc and keep_freed_memory()
    cases = [(m, s, r) for m in asked.models for s in (asked.sizes if m else [""])
             for r in asked.ranks]  # fmt: skip
    if asked.peak:
        print(peak(*cases[0], asked))
        return
    on = (
        torch.cuda.get_device_name()
        if asked.device == "cuda"
        else f"{torch.get_num_threads()} threads"
    )
    print(
        f"torch {torch.__version__}, {on}, {asked.dtype}, medians of {asked.rounds} rounds"
        f"{', freed memory kept' if kept else ''}"
    )
    for case in cases:
        compare(*case, asked)


if __name__ == "__main__":
    main()
