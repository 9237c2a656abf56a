"""What a random subspace costs: P·θ and Pᵀ·g by hash and by Fastfood, and a step beside others.

    python tests/benchmarks/bench_subspace.py [MODEL_FOLDER] [--weights 2807010] [--numbers 1000]
        [--rounds 7] [--batch 16] [--tokens 32]

Fastfood is the flat one of Li et al. 2018 (one transform of all weights, padded to a power of two,
with a Walsh-Hadamard transform in place). Of MODEL_FOLDER, an encoder, a step of full fine-tuning,
of a subspace and of LoRA are timed in turn, in CPU seconds of one thread: other programs do not
count.
"""

import argparse
import copy
import statistics
import time

import torch

from lora_lab.adapters import projection
from lora_lab.adapters.at_once import Fastfood
from lora_lab.adapters.inject import inject
from lora_lab.adapters.projection import HashProjection
from lora_lab.allocator import keep_freed_memory
from lora_lab.training.adam import FusedAdamW


def seconds(work, rounds):
    """The median of CPU seconds, after one call more."""
    work()
    found = []
    for _ in range(rounds):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return statistics.median(found)


def compare(weights, numbers, rounds):
    fast = Fastfood([weights], numbers, 0)
    fast.to(torch.device("cpu"), torch.float32)
    hashed = HashProjection([weights], numbers, 0)
    (code,), scales = hashed.codes(), hashed.scales().float()
    theta, g = torch.randn(numbers), torch.randn(weights)

    def down():
        sums = torch.zeros(2 * numbers)
        projection.down(sums, code, g)
        return projection.folded(sums, scales)

    def up():
        return projection.up(projection.table(theta, scales), code)

    for one in (
        lambda: (fast.up(theta), fast.down(g)),
        lambda: (up(), down()),
    ):
        there, back = one()  # ⟨Pθ, g⟩ = ⟨θ, Pᵀg⟩
        left, right = float(there.double() @ g.double()), float(theta.double() @ back.double())
        assert abs(left - right) <= 1e-3 * float(there.norm() * g.norm())
    by_hash = seconds(up, rounds) + seconds(down, rounds)
    by_fast = seconds(lambda: fast.up(theta), rounds) + seconds(lambda: fast.down(g), rounds)
    print(f"P·θ and Pᵀ·g, {weights:,} weights, {numbers:,} numbers: hash {1e3 * by_hash:.1f} ms, "
          f"Fastfood {1e3 * by_fast:.1f} ms, 1/{by_fast / by_hash:.1f}")  # fmt: skip


def steps(folder, numbers, rounds, batch, tokens):
    from transformers import AutoModel

    base = AutoModel.from_pretrained(folder).eval()
    ids = torch.randint(1000, base.config.vocab_size, (batch, tokens))

    def step_of(variant):
        model = copy.deepcopy(base)
        inject(model, variant=variant, dimension=numbers)
        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = FusedAdamW([{"params": trained}], lr=1e-4)

        def step():
            optimizer.zero_grad()
            model(input_ids=ids).last_hidden_state.square().mean().backward()
            optimizer.step()

        return step

    contenders = {name: step_of(name) for name in ("full", "subspace", "lora", "lora-fa")}
    times = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, step in contenders.items():
            before = time.process_time()
            step()
            if turn:
                times[name].append(time.process_time() - before)
    for name, found in times.items():
        ratio = statistics.median(x / y for x, y in zip(found, times["full"], strict=True))
        print(f"{name}: {1e3 * statistics.median(found):.0f} ms a step, {ratio:.2f} of full")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--weights", type=int, default=2_807_010)
    parser.add_argument("--numbers", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=32)
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    compare(given.weights, given.numbers, given.rounds)
    if given.folder:
        steps(given.folder, given.numbers, given.rounds, given.batch, given.tokens)
