"""The runs of each claim, by what sets them apart: (what, learning rate, seed) → settings."""

from __future__ import annotations

from typing import Any

from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError
from lora_lab.studies.base import StudyBase, trains_both
from lora_lab.studies.plan import target_sets
from lora_lab.task_info import TASKS
from lora_lab.variants import FULL, VARIANTS

Runs = dict[tuple[Any, float, int], RunConfig]  # (what, rate, seed)

RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # of an adapter
FULL_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
FEW_RATES = (3e-3, 1e-2, 3e-2)
OWN_RATES = (1e-4, 3e-4, 1e-3, 3e-3)  # of an adapter, where a model of one's own is trained
OWN_FULL_RATES = (1e-5, 3e-5, 1e-4, 3e-4)
RANK, ALPHA = 8, 32.0  # as in the post
RANKS = (1, 2, 4, 8, 16, 32)
LOW_RATE = 1e-3
SCALE = 2.0  # s, where that is what stays
BATCHES = (8, 32, 128)
LOW_RANKS = (1, 2, 4, 8)
LORA, WHOLE = "lora", "full"
ATTENTION, MLP = "attention", "mlp"


def _run(
    base: StudyBase, rank: int, alpha: float, rate: float, seed: int, **more: Any
) -> RunConfig:
    variant = more.pop("variant", base.config.variant)
    hyper = changed(base.config.hyper, rank=rank, alpha=alpha, learning_rate=rate)
    values = {"schedule": "constant", "warmup_steps": 0, "snapshots": 0, **more}
    return changed(base.config, seed=seed, variant=variant, **values, hyper=hyper.model_dump())


def _seeds(base: StudyBase, seeds: int) -> range:
    return range(base.config.seed, base.config.seed + seeds)


def _ranks(base: StudyBase) -> tuple[int, ...]:
    found = tuple(rank for rank in RANKS if rank <= base.max_rank)
    if len(found) < 2:
        raise ConfigError("The layers of this model have no two ranks to compare.")
    return found


def _rates(base: StudyBase) -> tuple[float, ...]:
    return OWN_RATES if base.own else RATES


def lora_and_full(base: StudyBase, seeds: int) -> Runs:
    """LoRA at rank 8 and full training, each over its rates."""
    rank = min(RANK, base.max_rank)
    runs: Runs = {}
    for seed in _seeds(base, seeds):
        for rate in _rates(base):
            runs[LORA, rate, seed] = _run(base, rank, ALPHA, rate, seed)
        for rate in OWN_FULL_RATES if base.own else FULL_RATES:
            runs[WHOLE, rate, seed] = _run(base, 1, 1.0, rate, seed, variant=FULL)
    return runs


def ranks_at_fixed_alpha(base: StudyBase, seeds: int) -> Runs:
    """Every rank at every rate, α = 32."""
    return {
        (rank, rate, seed): _run(base, rank, ALPHA, rate, seed)
        for rank in _ranks(base) for rate in _rates(base) for seed in _seeds(base, seeds)
    }  # fmt: skip


def ranks_at_fixed_scale(base: StudyBase, seeds: int) -> Runs:
    """The lowest and the highest ranks at every rate, α = 2·r."""
    ranks = _ranks(base)
    row = VARIANTS[base.config.variant]
    return {
        (rank, rate, seed): _run(base, rank, row.alpha(SCALE, rank), rate, seed)
        for rank in (ranks[0], ranks[len(ranks) // 2], ranks[-1])
        for rate in _rates(base) for seed in _seeds(base, seeds)
    }  # fmt: skip


def ranks_at_a_low_rate(base: StudyBase, seeds: int) -> Runs:
    """Every rank at one low rate, α = 32."""
    rate = min(_rates(base)) if base.own else LOW_RATE
    return {
        (rank, rate, seed): _run(base, rank, ALPHA, rate, seed)
        for rank in _ranks(base) for seed in _seeds(base, seeds)
    }  # fmt: skip


def ranks_at_one_rate(base: StudyBase, seeds: int) -> Runs:
    """Every rank at one middling rate, s the same; their adapters are read."""
    rates = _rates(base)
    row = VARIANTS[base.config.variant]
    return {
        (rank, rate, seed): _run(base, rank, row.alpha(SCALE, rank), rate, seed, snapshots=1)
        for rate in (rates[len(rates) // 2],)
        for rank in _ranks(base) for seed in _seeds(base, seeds)
    }  # fmt: skip


def variants(base: StudyBase, seeds: int) -> Runs:
    """Every variant that trains A and B, at rank 8 and some rates: they have equal counts."""
    rank = min(RANK, base.max_rank)
    return {
        (name, rate, seed): _run(base, rank, ALPHA, rate, seed, variant=name)
        for name in VARIANTS if trains_both(name)
        for rate in (OWN_RATES if base.own else FEW_RATES) for seed in _seeds(base, seeds)
    }  # fmt: skip


def batches(base: StudyBase, seeds: int) -> Runs:
    """LoRA and full training at batches of 8, 32 and 128: as many steps as give equal examples."""
    examples = base.config.max_steps * BATCHES[1]
    rank = min(RANK, base.max_rank)
    runs: Runs = {}
    for size in BATCHES:
        steps = max(1, examples // size)
        more = {"batch_size": size, "batch_tokens": 0, "max_steps": steps, "eval_steps": steps}
        for seed in _seeds(base, seeds):
            for rate in OWN_RATES[1:] if base.own else FEW_RATES:
                runs[(LORA, size), rate, seed] = _run(base, rank, ALPHA, rate, seed, **more)
                runs[(WHOLE, size), rate / 10, seed] = _run(
                    base, 1, 1.0, rate / 10, seed, variant=FULL, **more
                )
    return runs


def attention_and_mlp(base: StudyBase, seeds: int) -> Runs:
    """The attention layers alone and the MLP layers alone, at equal count."""
    sets, _ = target_sets(base, 0)
    found = {}
    for one in sets:
        words = " ".join(one.targets).lower()
        if "+" in one.name and ("attn" in words or "attention" in words) and "mlp" not in words:
            found[ATTENTION] = one
        elif "+" in one.name and ("mlp" in words or "ffn" in words) and "attn" not in words:
            found[MLP] = one
    if len(found) < 2:
        raise ConfigError(
            "This model has no attention layers and MLP layers that could be told apart by name. "
            "Open a transformer to try it."
        )
    row = VARIANTS[base.config.variant]
    return {
        (name, rate, seed): _run(
            base, one.rank, row.alpha(SCALE, one.rank), rate, seed, targets=one.targets
        )
        for name, one in found.items() for rate in _rates(base) for seed in _seeds(base, seeds)
    }  # fmt: skip


def random_labels(base: StudyBase, seeds: int) -> Runs:
    """The lowest ranks on labels that say nothing, each over some rates."""
    if not TASKS[base.config.task].draws_labels:
        raise ConfigError("Only the presets of digits can draw their labels at random.")
    row = VARIANTS[base.config.variant]
    return {
        (rank, rate, seed): _run(
            base, rank, row.alpha(SCALE, rank), rate, seed, random_labels=True
        )
        for rank in _ranks(base) if rank in LOW_RANKS
        for rate in FEW_RATES for seed in _seeds(base, seeds)
    }  # fmt: skip
