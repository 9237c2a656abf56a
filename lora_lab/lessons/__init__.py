"""LESSONS: questions with a prediction and a run that answers them; a row and a file each."""

from __future__ import annotations

# In the order in which a newcomer meets them: the text in resources/lessons, and its run.
LESSONS: dict[str, str] = {
    "rank-and-tail": "known_rank:rank_and_tail",
    "why-b-is-zero": "digits:why_b_is_zero",
    "both-zero": "digits:both_zero",
    "scale": "known_rank:scale",
    "alpha-as-a-rate": "known_rank:alpha_as_a_rate",
    "forgetting": "digits:forgetting",
    "merge-in-bf16": "digits:merge_in_bf16",
    "choosing-a-rank": "known_rank:choosing_a_rank",
    "intruders": "digits:intruders",
    "three-optimizers": "optimizers:three_optimizers",
    "intrinsic-dimension": "digits:dimension",
}
