"""Time and memory of a training step against the floor and against peft, interleaved.

    python tests/benchmarks/bench_step.py MODEL_FOLDER [BATCHxTOKENS ...] [--rank R] [--rounds N]

The floor is what no adapter can avoid: the frozen model's forward and the backward through its
activations. Every round runs each contender once, in turn, in this one process; medians of the
rounds are printed as ratios to the floor. MODEL_FOLDER is a Hugging Face folder of a causal
language model; without it the digits MLP is timed, where Python's overhead rules.
"""

import argparse
import copy
import statistics
import time

import torch
from torch import nn

from lora_lab.adapters.inject import find_targets, inject
from lora_lab.presets import get_preset
from lora_lab.tasks import TASKS


class Contender:
    """A model and the step that is timed; the floor has nothing to train."""

    def __init__(self, model, loss, trained: bool) -> None:
        self.model, self.loss, self.times = model, loss, []
        parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True) if trained else None

    def step(self) -> None:
        began = time.perf_counter()
        self.loss(self.model).backward()
        if self.optimizer is not None:
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        self.times.append(time.perf_counter() - began)


def peft_model(model: nn.Module, targets: list[str], rank: int) -> nn.Module:
    import peft

    return peft.get_peft_model(
        model, peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets)
    )


def contenders(base: nn.Module, targets: list[str], rank: int, loss, floor_loss):
    """Floor, peft and ours on copies of one frozen base."""
    base.requires_grad_(False)
    ours = copy.deepcopy(base)
    inject(ours, rank=rank, alpha=2.0 * rank, targets=tuple(targets))
    return {
        "floor": Contender(base, floor_loss, trained=False),
        "peft": Contender(peft_model(copy.deepcopy(base), targets, rank), loss, trained=True),
        "ours": Contender(ours, loss, trained=True),
    }


def language_model(folder: str, batch: int, tokens: int, rank: int):
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    head = base.get_output_embeddings()
    targets = [name for name, layer in find_targets(base).items() if layer is not head]
    ids = torch.randint(0, base.config.vocab_size, (batch, tokens))
    embedded = base.get_input_embeddings()(ids).detach().requires_grad_()

    def loss(model):
        return model(input_ids=ids, labels=ids).loss

    def floor(model):
        return model(inputs_embeds=embedded, labels=ids).loss

    return contenders(base, targets, rank, loss, floor)


def digits(rank: int):
    task = TASKS["digits"].open(get_preset("digits").config)
    base = task.base_model()
    images, labels = next(task.batches(32, 0))
    floating = images.clone().requires_grad_()

    def loss(model):
        return nn.functional.cross_entropy(model(images), labels)

    def floor(model):
        return nn.functional.cross_entropy(model(floating), labels)

    return contenders(base, list(find_targets(base)), rank, loss, floor)


def report(name: str, found: dict[str, Contender], rounds: int) -> None:
    for _ in range(rounds + 2):
        for contender in found.values():
            contender.step()
    medians = {k: statistics.median(c.times[2:]) for k, c in found.items()}
    floor = medians["floor"]
    shown = "  ".join(f"{k} {1000 * m:9.2f} ms = {m / floor:.2f}×" for k, m in medians.items())
    print(f"{name:24} {shown}   ours/peft {medians['ours'] / medians['peft']:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("sizes", nargs="*", default=[])
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float32, "
          f"rank {asked.rank}, medians of {asked.rounds} rounds")  # fmt: skip
    if asked.model is None:
        report("digits MLP, batch 32", digits(asked.rank), 100 * asked.rounds)
    for size in asked.sizes or (["4x128"] if asked.model else []):
        batch, tokens = map(int, size.split("x"))
        report(size, language_model(asked.model, batch, tokens, asked.rank), asked.rounds)


if __name__ == "__main__":
    main()
