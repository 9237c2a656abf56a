"""AdamW with averages in 8 bits, against bitsandbytes and against AdamW."""

import warnings

import pytest
import torch

from lora_lab.config import RunConfig, changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import AppliedRecord, ErrorRecord
from lora_lab.training.adam8bit import BLOCK, SMALLEST, dynamic_code, packed, unpacked
from lora_lab.training.optim import build_optimizer, states_kept
from tests.training.driven_run import DrivenRun, digits
from tests.training.test_optim import layers

SHAPES = [(64, 64), (8, 700), (5000,)]


@pytest.fixture(scope="module")
def bitsandbytes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("bitsandbytes", reason="of the oracles")


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def moving(shape, **settings):
    """An optimizer of one tensor, and the tensor."""
    layer = layers("full")[0]
    layer.tuned_weight, layer.tuned_bias = torch.nn.Parameter(normal(*shape, seed=9)), None
    config = RunConfig(task="known_rank", variant="full", optimizer="adamw8bit", **settings)
    hyper = Hyperparameters(learning_rate=0.01, weight_decay=0.25)
    return build_optimizer([layer], config, hyper), layer.tuned_weight


@pytest.mark.oracle
@pytest.mark.parametrize("signed", [True, False])
def test_the_code_is_that_of_bitsandbytes(bitsandbytes, signed):
    published = bitsandbytes.functional.create_dynamic_map(signed)
    assert torch.equal(dynamic_code(signed), published)


@pytest.mark.oracle
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("count", [BLOCK, 1000, 40 * BLOCK + 7])
def test_codes_and_scales_are_those_of_bitsandbytes(bitsandbytes, signed, count):
    values = normal(count) * torch.logspace(-6, 2, count)
    values = values if signed else values.square()
    codes, scales = packed(values, signed)
    code = bitsandbytes.functional.create_dynamic_map(signed)
    theirs, state = bitsandbytes.functional.quantize_blockwise(values, code=code, blocksize=BLOCK)
    assert torch.equal(scales, state.absmax)
    shares = values / scales.repeat_interleave(BLOCK)[:count]
    far = [(shares - code[of.flatten().long()]).abs() for of in (codes, theirs)]
    nearest = (shares[:, None] - code).abs().amin(1)
    torch.testing.assert_close(far[0], nearest, rtol=1e-5, atol=1e-9)
    assert bool((far[0] <= far[1] + 1e-9).all())
    again = bitsandbytes.functional.dequantize_blockwise(theirs, state)
    torch.testing.assert_close(unpacked(theirs.view_as(codes), scales, signed), again)


@pytest.mark.oracle
@pytest.mark.parametrize("shape", SHAPES)
def test_its_steps_are_those_of_bitsandbytes(bitsandbytes, shape):
    ours, p = moving(shape)
    theirs = torch.nn.Parameter(p.detach().clone())
    published = bitsandbytes.optim.AdamW8bit(
        [theirs], lr=0.01, weight_decay=0.25 if p.dim() > 1 else 0.0
    )
    start = p.detach().clone()
    for seed in range(6):
        p.grad = normal(*shape, seed=seed)
        theirs.grad = p.grad.clone()
        ours.step()
        published.step()
        apart = (p.detach() - theirs.detach()).norm() / (p.detach() - start).norm()
        assert apart < 0.005, "to what codes that are near, and not nearest, make of it"


def test_little_is_lost_by_the_code():
    values = normal(100 * BLOCK)
    again = unpacked(*packed(values, True), True)
    assert (again - values).norm() < 0.02 * values.norm()
    assert torch.equal(unpacked(*packed(torch.zeros(300), False), False), torch.zeros(300))


@pytest.mark.parametrize("shape", [*SHAPES, (8, 64)])
def test_it_goes_the_way_of_adamw_with_a_quarter_of_its_state(shape):
    made, p = moving(shape)
    other = torch.nn.Parameter(p.detach().clone())
    floats = torch.optim.AdamW([other], lr=0.01, weight_decay=0.25 if p.dim() > 1 else 0.0)
    start = p.detach().clone()
    for seed in range(20):
        p.grad = normal(*shape, seed=seed % 4) + 0.5
        other.grad = p.grad.clone()
        made.step()
        floats.step()
    assert (p.detach() - other.detach()).norm() < 0.05 * (other.detach() - start).norm()
    held = sum(t.nbytes for t in made.state[p].values())
    small = p.numel() < SMALLEST
    assert held == pytest.approx(p.numel() * (8 if small else 2 * (1 + 4 / BLOCK)), rel=0.02)
    assert states_kept(made) == pytest.approx(2 if small else 0.5, abs=0.02)


@pytest.mark.parametrize(
    ("settings", "edits"),
    [
        ({"variant": "subspace", "digits": ()}, [("dimension", 8192), ("dimension", 4096)]),
        ({"variant": "lora-xs"}, [("rank", 32), ("rank", 64)]),
        ({"variant": "vera"}, [("rank", 64), ("rank", 4096)]),
    ],
)
def test_averages_follow_another_size(settings, edits):
    """Codes of the old size beside a tensor of the new one were read and written past their end."""
    hyper = {"rank": 4096 if settings["variant"] == "vera" else 64, "dimension": 4096}
    run = DrivenRun(digits(optimizer="adamw8bit", dtype="float32", hyper=hyper, **settings))
    run.steps(4)
    made = run.experiment.optimizer

    def averages():
        return {
            p: made.averages(made.state[p])["exp_avg"]
            for group in made.param_groups
            for p in group["params"]
        }

    before = averages()
    for field, value in edits:
        run.controls.set_hyper(changed(run.controls.hyper, **{field: value}))
        assert isinstance(run.next((AppliedRecord, ErrorRecord)), AppliedRecord)
        now = averages()
        for p, m in now.items():
            assert m.shape == p.shape
            assert ("exp_avg_codes" in made.state[p]) == (p.numel() >= SMALLEST)
        if value == 8192:  # Pᵀ·P = I: what is known of the gradient keeps its size
            (old,), (new,) = before.values(), now.values()
            assert float(new.norm()) == pytest.approx(float(old.norm()), rel=0.02)
        run.steps(2)


@pytest.mark.parametrize(
    ("settings", "start", "edit"),
    [
        ({"variant": "subspace", "digits": ()}, {"dimension": 64}, {"dimension": 8192}),
        ({"variant": "lora-fa"}, {"rank": 4}, {"rank": 64}),
        ({"variant": "lora"}, {"rank": 64}, {"rank": 4}),
    ],
)
def test_a_run_resumes_whose_tensors_have_crossed_the_size_that_is_packed(settings, start, edit):
    """What is kept goes by the size that was saved, not by that of the run's beginning."""
    config = digits(optimizer="adamw8bit", dtype="float32", hyper=start, **settings)
    run = DrivenRun(config)
    run.steps(3)
    run.edit(**edit)
    run.steps(2)
    run.resumed(4)
