"""What "LoRA Without Regret" and later papers claim, a row each; it loads no torch.

The claims are of large models. A verdict says what the runs here show, and why it may differ.
"""

from __future__ import annotations

from dataclasses import dataclass

AGREES, DIFFERS, OPEN = "agrees", "differs here", "not decided"
STEPS = 200


@dataclass(frozen=True)
class Claim:
    """One claim: what is said and where, what is expected, the runs, and how they are judged.

    `runs` and `judge` are "file:function" in `lora_lab.studies`.
    """

    title: str
    says: str
    source: str
    expected: str
    runs: str
    judge: str
    steps: int = STEPS


CLAIMS: dict[str, Claim] = {
    "ten-times": Claim(
        "Ten times the rate",
        "The best learning rate of LoRA is about 10 times that of full training, 15 times in short "
        "runs.",
        "Schulman et al. 2025, LoRA Without Regret",
        "a factor of 10 to 15 at widths of thousands; less in narrow nets, since the best rate of "
        "full training falls with the width and LoRA's stays",
        "claim_runs:lora_and_full",
        "claim_verdicts:ten_times",
    ),
    "rate-of-ranks": Claim(
        "One rate for all ranks",
        "With α fixed, the best learning rate hardly changes with the rank.",
        "Schulman et al. 2025; tinker-cookbook, sweep of June 2026",
        "the same rate is best from rank 4 on",
        "claim_runs:ranks_at_fixed_alpha",
        "claim_verdicts:rate_of_ranks",
    ),
    "rate-at-fixed-scale": Claim(
        "The scale decides",
        "With s = α/r fixed instead, the best learning rate falls as the rank rises.",
        "Maximal-update adapters, arXiv 2602.06204",
        "the highest rank wants a lower rate than rank 1",
        "claim_runs:ranks_at_fixed_scale",
        "claim_verdicts:rate_at_fixed_scale",
    ),
    "first-steps": Claim(
        "The first steps are alike",
        "At the start of training the loss falls alike at every rank.",
        "Schulman et al. 2025",
        "the curves of all ranks lie on one another, and part later by capacity",
        "claim_runs:ranks_at_a_low_rate",
        "claim_verdicts:first_steps",
        steps=80,
    ),
    "variants-tie": Claim(
        "Variants tie once tuned",
        "Plain LoRA is as good as its variants once the learning rate of each is tuned.",
        "arXiv 2602.04998, 2602.09492",
        "within 2 % of each other",
        "claim_runs:variants",
        "claim_verdicts:variants_tie",
    ),
    "large-batches": Claim(
        "Large batches hurt LoRA more",
        "At equal examples, LoRA loses more by a large batch than full training does.",
        "Schulman et al. 2025",
        "the gap between the two losses grows with the batch",
        "claim_runs:batches",
        "claim_verdicts:large_batches",
        steps=400,
    ),
    "mlp-layers": Claim(
        "MLP layers matter most",
        "LoRA on the MLP layers alone is at least as good as on attention alone, at equal count.",
        "Schulman et al. 2025",
        "the loss of MLP layers is no higher",
        "claim_runs:attention_and_mlp",
        "claim_verdicts:mlp_layers",
    ),
    "capacity": Claim(
        "About two bits a number",
        "What LoRA can learn by heart is bounded by its numbers, about 2 bits for each, and grows "
        "with the rank.",
        "Schulman et al. 2025; random labels as in Zhang et al. 2017, arXiv 1611.03530",
        "bits of random labels stored grow with the rank, 0.6 to 0.9 for each number in a run of "
        "some thousand steps, never above 2",
        "claim_runs:random_labels",
        "claim_verdicts:capacity",
        steps=4000,
    ),
    "stable-rank": Claim(
        "The stable rank lags behind",
        "The stable rank ‖ΔW‖²/σ₁² of a change of rank r grows as r^β with β far below 1.",
        "SSRN 6580122, 2026",
        "β between 0.2 and 0.3 in language models",
        "claim_runs:ranks_at_one_rate",
        "claim_verdicts:stable_rank",
    ),
}
