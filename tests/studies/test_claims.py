"""Each claim has runs that can be opened; verdicts follow from figures that are known."""

import math

import pytest
import torch

from lora_lab.config import changed
from lora_lab.errors import ConfigError
from lora_lab.presets import get_preset
from lora_lab.studies import claim_runs, claim_verdicts
from lora_lab.studies.base import StudyBase
from lora_lab.studies.claim_list import AGREES, CLAIMS, DIFFERS, OPEN
from lora_lab.studies.claims import ClaimReading, plain
from lora_lab.studies.ended import Ended
from lora_lab.tasks.digits import DigitsTask
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from tests.studies.trained import train_all


@pytest.fixture(scope="module")
def digits():
    return StudyBase(get_preset("digits").config)


def ended(config, training_loss, loss=0.1, accuracy=0.9):
    return Ended(None, config, loss, accuracy, training_loss)


def known(runs, training_loss, loss=lambda what, rate: 0.1, accuracy=lambda what, rate: 0.9):
    """Runs of which each has the losses that these functions of (what, rate) give."""
    return {
        key: ended(config, training_loss(*key[:2]), loss(*key[:2]), accuracy(*key[:2]))
        for key, config in runs.items()
    }


def best_at(rates):
    """A training loss that is least at the rate of each kind of run."""
    return lambda what, rate: abs(math.log(rate / rates[what]))


@pytest.mark.parametrize("name", CLAIMS)
def test_each_claim_has_runs_or_says_why_not(digits, name):
    reading = ClaimReading(name, digits, seeds=2)
    standing = reading.look()
    assert standing.verdict is None
    if name == "mlp-layers":
        assert "attention" in standing.refused
        assert standing.wanted == 0
        return
    assert standing.refused == ""
    assert standing.wanted == len(standing.todo) == len(reading.runs) > 1
    assert standing.seconds > 0
    for (_, rate, seed), config in reading.runs.items():
        assert config.hyper.learning_rate == pytest.approx(rate)
        assert config.seed == seed
        assert config.schedule == "constant"
    row = plain(standing)
    assert row["verdict"] is None
    assert row["missing"] == standing.wanted


@pytest.mark.parametrize(
    ("lora", "full", "word"),
    [(1e-2, 1e-3, AGREES), (1e-2, 3e-3, DIFFERS), (1e-2, 1e-4, OPEN), (1e-1, 1e-3, OPEN)],
)
def test_ten_times_is_a_ratio_of_best_rates_inside_of_what_was_tried(digits, lora, full, word):
    runs = claim_runs.lora_and_full(digits, 2)
    found = known(runs, best_at({claim_runs.LORA: lora, claim_runs.WHOLE: full}))
    verdict = claim_verdicts.ten_times(found, digits)
    assert verdict.word == word
    if word != OPEN:
        assert verdict.figures["ratio"] == pytest.approx(lora / full)
    if word == DIFFERS:
        assert "width" in verdict.why


def test_a_rate_at_which_a_run_was_not_finite_is_never_the_best(digits):
    runs = claim_runs.ranks_at_fixed_alpha(digits, 2)
    found = known(runs, lambda what, rate: math.inf if rate > 1e-2 else 1 / rate)
    assert claim_verdicts.best_rate(found, 4) == 1e-2
    assert claim_verdicts.rate_of_ranks(found, digits).word == AGREES


def test_ranks_from_4_on_have_one_rate_or_not(digits):
    runs = claim_runs.ranks_at_fixed_alpha(digits, 1)
    alike = dict.fromkeys(claim_runs.RANKS, 1e-2)
    for rates, word in (
        (alike, AGREES),
        ({**alike, 1: 3e-2, 2: 3e-2}, AGREES),
        ({**alike, 32: 3e-3}, DIFFERS),
    ):
        assert claim_verdicts.rate_of_ranks(known(runs, best_at(rates)), digits).word == word
    scale = claim_runs.ranks_at_fixed_scale(digits, 1)
    falling = known(scale, best_at({1: 3e-2, 8: 1e-2, 32: 3e-3}))
    assert claim_verdicts.rate_at_fixed_scale(falling, digits).word == AGREES
    same = known(scale, best_at({1: 1e-2, 8: 1e-2, 32: 1e-2}))
    assert claim_verdicts.rate_at_fixed_scale(same, digits).word == DIFFERS
    for (rank, _, _), config in scale.items():
        assert config.hyper.alpha == 2 * rank


def test_variants_tie_within_two_percent_each_at_its_best_rate(digits):
    runs = claim_runs.variants(digits, 2)
    names = {what for what, _, _ in runs}
    assert names == {"lora", "rslora", "dora"}, "those of which A and B are trained"
    for apart, word in ((0.015, AGREES), (0.05, DIFFERS)):
        best = dict.fromkeys(names, 1e-2)
        found = known(
            runs, best_at(best),
            accuracy=lambda what, rate, apart=apart: (1 - apart * (what == "dora")),
        )  # fmt: skip
        assert claim_verdicts.variants_tie(found, digits).word == word


def test_batches_see_equal_examples_and_the_gap_is_judged(digits):
    base = digits.of_steps(400)
    base.config = changed(base.config, batch_tokens=512)
    runs = claim_runs.batches(base, 1)
    for ((what, size), _, _), config in runs.items():
        assert config.batch_size * config.max_steps == 400 * 32
        assert (config.batch_size, config.batch_tokens) == (size, 0)
        assert what in (claim_runs.LORA, claim_runs.WHOLE)
    for slope, word in ((0.001, AGREES), (0.0, DIFFERS)):
        found = known(
            runs, lambda what, rate: rate,
            loss=lambda what, rate, k=slope: (what[0] == claim_runs.LORA) * (0.01 + k * what[1]),
        )  # fmt: skip
        assert claim_verdicts.large_batches(found, digits).word == word


def test_curves_and_adapters_are_read_from_the_runs(digits, tmp_path):
    """Two claims look into the folders of their runs."""
    base = digits.of_steps(20)
    for name, figure in (("first-steps", "share"), ("stable-rank", "beta")):
        reading = ClaimReading(name, base, seeds=1, steps=20)
        runs = {key: config for key, config in reading.runs.items() if key[0] in (1, 8)}
        train_all(runs.values(), tmp_path / name)
        folders = sorted((tmp_path / name).iterdir())
        found = {
            key: Ended(folder, config, 0.1, 0.9, 0.1)
            for (key, config), folder in zip(runs.items(), folders, strict=True)
        }
        judge = getattr(claim_verdicts, CLAIMS[name].judge.partition(":")[2])
        verdict = judge(found, base)
        assert math.isfinite(verdict.figures[figure])
        assert verdict.word in (AGREES, DIFFERS, OPEN)
    assert 0 < verdict.figures["beta"] < 1


def test_bits_of_random_labels_are_counted_for_each_number(digits):
    """Oracle: they are no more than the entropy of the labels, and grow with the rank."""
    runs = claim_runs.random_labels(digits, 1)
    rows = len(digits.experiment.task.labels)
    stored = {1: 300.0, 2: 700.0, 4: 1500.0, 8: 2500.0}
    loss = {r: (math.log2(10) - b / rows) * math.log(2) for r, b in stored.items()}
    verdict = claim_verdicts.capacity(known(runs, lambda what, rate: loss[what]), digits)
    assert verdict.word == AGREES
    for rank, bits in stored.items():
        assert verdict.figures[f"rank {rank}"] == pytest.approx(bits)
    assert verdict.figures["most each"] == pytest.approx(1500 / (4 * 458))
    whole = known(runs, lambda what, rate: 0.0)  # all by heart at rank 1: more than 2 bits each
    assert claim_verdicts.capacity(whole, digits).word == DIFFERS
    assert claim_verdicts.capacity(whole, digits).figures["rank 1"] <= rows * math.log2(10)


def test_random_labels_are_drawn_by_the_seed_and_say_nothing():
    preset = get_preset("digits").config
    plain_task, drawn, again, other = (
        DigitsTask.open(changed(preset, digits=(), random_labels=random, seed=seed))
        for random, seed in ((False, 0), (True, 0), (True, 0), (True, 1))
    )
    assert torch.equal(drawn.labels, again.labels)
    assert not torch.equal(drawn.labels, other.labels)
    same = (drawn.labels == plain_task.labels).float().mean()
    assert float(same) == pytest.approx(0.1, abs=0.04)
    assert torch.equal(drawn.test_labels, plain_task.test_labels)


@pytest.mark.slow
def test_random_labels_are_learned_by_heart_within_their_entropy_and_two_bits_a_number():
    """N·(log₂ 10 − CE/ln 2) bits of the rows that were trained on: more of them at each rank."""
    preset = get_preset("digits").config
    bits = {}
    for rank in (1, 2, 4, 8):
        hyper = changed(preset.hyper, rank=rank, alpha=2.0 * rank, learning_rate=3e-3)
        config = changed(preset, digits=(), random_labels=True, batch_size=449, max_steps=2_000,
                         eval_steps=2_000, schedule="linear", hyper=hyper.model_dump())  # fmt: skip
        experiment = Experiment.build(config)
        for _ in train(experiment, Controls(config.hyper)):
            pass
        task = experiment.task
        with torch.no_grad():
            logits = experiment.model(task.images.float())
        loss = float(torch.nn.functional.cross_entropy(logits, task.labels))
        bits[rank] = len(task.labels) * (math.log2(10) - loss / math.log(2))
        trained = sum(p.numel() for x in experiment.layers.values() for p in x.adapter_parameters())
        assert 0 < bits[rank] <= len(task.labels) * math.log2(10)
        assert bits[rank] <= 2 * trained
    assert list(bits.values()) == sorted(bits.values()), bits


def test_random_labels_are_refused_where_there_are_none_to_draw():
    with pytest.raises(ConfigError, match="presets of digits"):
        changed(get_preset("known-rank").config, random_labels=True)
    known_rank = StudyBase(get_preset("known-rank").config, 4)
    assert "random" in ClaimReading("capacity", known_rank).look().refused


def test_curves_that_have_not_fallen_decide_nothing(digits, tmp_path):
    base = digits.of_steps(1)
    runs = ClaimReading("first-steps", base, seeds=1, steps=1).runs
    train_all(runs.values(), tmp_path)
    found = {
        key: Ended(folder, config, 0.1, 0.9, 0.1)
        for (key, config), folder in zip(runs.items(), sorted(tmp_path.iterdir()), strict=True)
    }
    verdict = claim_verdicts.first_steps(found, base)
    assert verdict.word == OPEN
    assert "inf" not in verdict.measured


def test_an_unknown_claim_is_refused_with_the_names(digits):
    with pytest.raises(Exception, match="ten-times"):
        ClaimReading("ten", digits)
