"""Every live edit on every variant and optimizer: what it keeps, what it scales, what it says."""

import pytest
import torch

from lora_lab.adapters import INITS, VARIANTS
from lora_lab.records import AppliedRecord
from lora_lab.variants import VARIANTS as ROWS
from tests.training.driven_run import MOMENT, OPTIMIZERS, DrivenRun, digits

# Those that train all of A and B; what the others do with a rank is in adapters/test_neighbours.
LOW_RANK = [name for name, row in ROWS.items() if row.factored and row.trained is None]

each_low_rank = pytest.mark.parametrize("variant", LOW_RANK)
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


def mid_run(variant: str, optimizer: str, steps: int = 20, **settings) -> DrivenRun:
    """A run under way, whose factors and moments are none of them zero."""
    made = DrivenRun(digits(variant=variant, **OPTIMIZERS[optimizer], **settings))
    made.steps(steps)
    return made


def close(found, expected, tolerance=1e-12):
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=tolerance * value.abs().max())


@each_optimizer
@each_low_rank
def test_growing_keeps_delta_weight_and_the_course_goes_on(variant, optimizer):
    run = mid_run(variant, optimizer)
    before = run.deltas()
    applied = run.edit(rank=6)
    close(run.deltas(), before)
    assert applied.changes == (("rank", 4, 6),)
    for layer in run.experiment.layers.values():
        assert layer.rank == 6
        assert layer.scaling == VARIANTS[variant].scaling_for(8.0, 6)
    assert {(ramp.fresh.start, ramp.fresh.stop) for ramp in run.experiment.ramps} == {(4, 6)}
    run.steps(2)
    assert all((layer.lora_B[:, 4:] != 0).any() for layer in run.experiment.layers.values())


@each_optimizer
@each_low_rank
def test_shrinking_cuts_the_smallest_values_of_what_is_learned(variant, optimizer):
    run = mid_run(variant, optimizer)
    before = run.directions()
    magnitudes = {n: run.tensors(n).get("magnitude") for n in before}
    applied = run.edit(rank=2)
    shares = []
    for name, old in before.items():
        sigma = torch.linalg.svdvals(old)
        tail = sigma[2:].square().sum()
        error = (run.directions()[name] - old).norm()
        assert error == pytest.approx(tail.sqrt().item(), rel=1e-8)
        shares.append(float(tail / sigma.square().sum()))
        if variant == "dora":
            assert torch.equal(run[name].magnitude.detach(), magnitudes[name])
    assert applied.discarded_energy == pytest.approx(max(shares), rel=1e-8)
    (note,) = applied.notes
    assert ("s·B·A" in note) == (variant == "dora")


@each_optimizer
@each_low_rank
def test_alpha_scales_the_effect(variant, optimizer):
    run = mid_run(variant, optimizer)
    before, old = run.directions(), {n: run.tensors(n) for n in run.experiment.layers}
    applied = run.edit(alpha=20.0)
    for name, value in run.directions().items():
        torch.testing.assert_close(value, 2.5 * before[name], rtol=1e-14, atol=0)
        assert all(torch.equal(p, old[name][label]) for label, p in run.tensors(name).items())
    (note,) = applied.notes
    assert "× 2.5" in note
    assert ("ΔW" in note) == (variant != "dora"), "DoRA's ΔW is no multiple of s"


@each_optimizer
@each_low_rank
def test_alpha_keeps_the_function(variant, optimizer):
    run = mid_run(variant, optimizer)
    before, scaling = run.deltas(), run["fc1"].scaling
    B = run["fc1"].lora_B
    moment = run.experiment.optimizer.state[B][MOMENT[optimizer]].clone()
    run.edit(alpha=20.0, alpha_mode="keep_function")
    close(run.deltas(), before)
    assert run["fc1"].scaling == pytest.approx(2.5 * scaling, rel=1e-15)
    scaled = run.experiment.optimizer.state[B][MOMENT[optimizer]]
    torch.testing.assert_close(scaled, 2.5 * moment, rtol=1e-14, atol=0)


@each_optimizer
@each_low_rank
@pytest.mark.parametrize("rank", [2, 3, 7])
def test_the_moments_are_mapped_as_the_gradients_are(variant, optimizer, rank):
    """B' = c·B·M and A' = N·A say what M and N were; the moments must be m_B·Nᵀ/c and Mᵀ·m_A."""
    run = mid_run(variant, optimizer)
    layer, state, key = run["fc2"], run.experiment.optimizer.state, MOMENT[optimizer]
    A, B, s = layer.lora_A.detach(), layer.lora_B.detach(), layer.scaling
    m_A, m_B = (state[p][key].clone() for p in (layer.lora_A, layer.lora_B))
    run.edit(rank=rank)
    kept = min(rank, 4)
    c = s / layer.scaling
    M = torch.linalg.lstsq(B, layer.lora_B.detach()[:, :kept] / c).solution  # (4, kept)
    N = torch.linalg.lstsq(A.T, layer.lora_A.detach()[:kept].T).solution.T  # (kept, 4)
    found_A, found_B = (state[p][key] for p in (layer.lora_A, layer.lora_B))
    close({"A": found_A[:kept], "B": found_B[:, :kept]}, {"A": M.T @ m_A, "B": m_B @ N.T / c}, 1e-8)
    assert not found_A[kept:].any()
    assert not found_B[:, kept:].any()
    held = [p for group in run.experiment.optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in run.experiment.parameters()}


@each_optimizer
@pytest.mark.parametrize("variant", VARIANTS)
def test_rate_and_decay_reach_the_next_step(variant, optimizer):
    run = mid_run(variant, optimizer, steps=3)
    run.edit(learning_rate=1e-2, weight_decay=0.25)
    run.steps(1)
    for group in run.experiment.optimizer.param_groups:
        assert group["lr"] == 1e-2 * group["rate"]
        assert group["weight_decay"] == (0.25 if group["decays"] else 0)
    labels = {"lora_B" in n for n, p in run.experiment.model.named_parameters() if p.requires_grad}
    rates = {group["rate"] for group in run.experiment.optimizer.param_groups}
    assert rates == {4.0 if B and optimizer == "adamw" else 1.0 for B in labels}


@each_low_rank
def test_dropout_reaches_the_layers(variant):
    run = mid_run(variant, "adamw", steps=1)
    run.edit(dropout=0.25)
    assert {layer.dropout for layer in run.experiment.layers.values()} == {0.25}


def test_what_full_fine_tuning_cannot_follow_stays_and_the_rest_moves():
    run = mid_run("full", "adamw", steps=1)
    before = run.deltas()
    applied = run.edit(rank=2, alpha=1.0, dropout=0.5, weight_decay=0.125)
    assert sorted(note.split(" stays: ")[0] for note in applied.notes) == [
        "alpha", "dropout", "rank",
    ]  # fmt: skip
    assert applied.changes == (("weight_decay", 0.0, 0.125),)
    assert (applied.hyper.rank, applied.hyper.alpha, applied.hyper.weight_decay) == (4, 8.0, 0.125)
    assert run.controls.hyper is run.experiment.hyper, "the request is what it became"
    close(run.deltas(), before, 0)
    run.steps(2)
    assert len([r for r in run.seen if isinstance(r, AppliedRecord)]) == 1


@pytest.mark.parametrize("init", [name for name in INITS if INITS[name].principal])
def test_a_start_from_a_part_of_w_locks_the_rank_and_follows_alpha(init):
    run = mid_run("lora", "adamw", init=init)
    before, scaling = run.deltas(), run["fc1"].scaling
    applied = run.edit(rank=2)
    assert (applied.changes, applied.hyper.rank, run["fc1"].scaling) == ((), 4, scaling)
    assert applied.notes[0].startswith(f"rank stays: {init}")
    close(run.deltas(), before, 0)
    run.steps(1)
    before = run.deltas()
    run.edit(alpha=16.0, alpha_mode="keep_function")
    close(run.deltas(), before)
    run.steps(1)
    before = run.deltas()
    run.edit(alpha=32.0, alpha_mode="scale_effect")
    close(run.deltas(), {name: 2 * value for name, value in before.items()})


@each_low_rank
def test_a_layer_whose_rank_is_locked_stays_while_the_others_move(variant):
    run = mid_run(variant, "adamw")
    run["fc2"].locked = (("rank", "it comes in blocks"),)
    before = run.deltas()
    assert "rank" not in dict(run.experiment.locked), "what one layer can follow is not locked"
    applied = run.edit(rank=6)
    assert [layer.rank for layer in run.experiment.layers.values()] == [6, 4, 6]
    assert len({layer.scaling for layer in run.experiment.layers.values()}) == 1
    close(run.deltas(), before)
    assert applied.notes == ("rank stays, it comes in blocks: fc2 at 4",)
    assert {ramp.layer.name for ramp in run.experiment.ramps} == {"fc1", "fc3"}


def test_a_rank_that_no_layer_can_use_is_refused():
    run = mid_run("lora", "adamw", steps=1)
    error = run.edit(rank=65)
    assert "Rank 65" in error.message
    assert "64" in error.message
    assert (run.experiment.hyper.rank, run.controls.hyper.rank, run["fc1"].rank) == (4, 4, 4)
    run.edit(rank=64)
    assert [layer.rank for layer in run.experiment.layers.values()] == [64, 64, 10]
