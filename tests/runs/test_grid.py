"""Grids: what they are made of, in which order, what is left out and why."""

import itertools

import pytest

from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import TargetInfo
from lora_lab.runs.grid import (
    AXES,
    VALIDATIONS,
    Layers,
    TimesRank,
    describe,
    expand,
    hindrance,
    kind_words,
    parse_axis,
)

BASE = RunConfig(task="digits", max_steps=500)
TOO_MUCH = "rank {} is above what any of the layers can use, {}"
LAYERS = (
    TargetInfo("fc1", "linear", (32, 64)),
    TargetInfo("head.fc2", "linear", (10, 32)),
    TargetInfo("table", "embedding", (16, 64)),
)


@pytest.mark.parametrize(
    ("field", "text", "values"),
    [
        ("rank", "1,2, 4  8", (1, 2, 4, 8)),
        ("rank", " ", ()),
        ("rank", "4, 4", (4,)),
        ("alpha", "16, r, 2r, 0.5*r", (16.0, TimesRank(1), TimesRank(2), TimesRank(0.5))),
        ("learning_rate", "1e-3; 0.003", (1e-3, 0.003)),
        ("variant", "lora,dora", ("lora", "dora")),
        ("init", "pissa", ("pissa",)),
        ("targets", "all-linear; fc1, fc2", (("all-linear",), ("fc1", "fc2"))),
        ("seed", "0 1", (0, 1)),
    ],
)
def test_an_axis_is_read_as_people_write_it(field, text, values):
    assert parse_axis(field, text) == values


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("rank", "two", "rank 'two' is not a whole number"),
        ("rank", "1.5", "not a whole number"),
        ("alpha", "2x", "multiple of the rank such as 2r"),
        ("learning_rate", "fast", "not a number"),
        ("variant", "loha", "There are: lora"),
        ("init", "zeros", "There are: kaiming"),
    ],
)
def test_what_is_no_value_is_named(field, text, said):
    with pytest.raises(ConfigError, match=said):
        parse_axis(field, text)


def test_a_grid_is_the_product_of_its_axes_the_last_of_them_varying_first():
    ranks, alphas, seeds = (1, 2, 8), (TimesRank(2), 16.0, 3.0), (0, 1)
    found = expand(BASE, {"seed": seeds, "alpha": alphas, "rank": ranks}).runs
    wanted = [
        (rank, alpha.factor * rank if isinstance(alpha, TimesRank) else alpha, seed)
        for rank, alpha, seed in itertools.product(ranks, alphas, seeds)
    ]
    wanted = list(dict.fromkeys(wanted))  # 2 · 8 is 16
    assert [(c.hyper.rank, c.hyper.alpha, c.seed) for c in found] == wanted
    assert len(found) == 16
    untouched = set(RunConfig.model_fields) - {"hyper", "seed", "data_seed", "eval_steps"}
    assert {c.split_seed for c in found} == {BASE.seed}  # the same rows, whatever the seed
    assert all(getattr(c, name) == getattr(BASE, name) for c in found for name in untouched)


def test_an_axis_without_values_stays_as_it_is():
    assert expand(BASE, {}).runs == (changed(BASE, eval_steps=500 // VALIDATIONS),)
    assert expand(BASE, {"rank": ()}).runs == expand(BASE, {}).runs


@pytest.mark.parametrize(
    ("more", "steps"),
    [({"eval_steps": 7}, 7), ({"max_steps": 3}, 1), ({"epochs": 2.0}, 0), ({}, 10)],
)
def test_all_runs_validate_at_the_same_steps(more, steps):
    runs = expand(changed(BASE, **more), {"rank": (1, 2)}).runs
    assert [c.eval_steps for c in runs] == [steps, steps]


def test_all_linear_is_what_the_engine_says():
    head = TargetInfo("lm_head", "linear", (99, 99), all_linear=False)
    config = changed(BASE, hyper=Hyperparameters(rank=50).model_dump())
    assert hindrance(config, Layers((*LAYERS, head))) == TOO_MUCH.format(50, 32)
    assert hindrance(changed(config, targets=("lm_head",)), Layers((*LAYERS, head))) == ""


def test_a_layer_that_is_trained_whole_has_no_rank_and_may_be_frozen():
    head = TargetInfo("score", "linear", (99, 99), always=True)
    config = changed(BASE, targets=("fc1",), hyper=Hyperparameters(rank=50).model_dump())
    assert hindrance(config, Layers((*LAYERS, head))) == TOO_MUCH.format(50, 32)
    frozen = changed(BASE, targets=("fc1",), hyper={"frozen_layers": ("score",)})
    assert hindrance(frozen, Layers((*LAYERS, head))) == ""
    both = changed(frozen, hyper={"frozen_layers": ("fc1", "score")})
    assert hindrance(both, Layers((*LAYERS, head))).startswith("every layer would be frozen")


def layered(**settings):
    return changed(BASE, **settings)


@pytest.mark.parametrize(
    ("base", "axes", "kept", "reasons"),
    [
        (BASE, {"rank": (32, 33)}, 1, [f"r 33: {TOO_MUCH.format(33, 32)}"]),
        (BASE, {"rank": (33,)}, 0, [f"r 33: {TOO_MUCH.format(33, 32)}"]),
        (
            BASE, {"targets": (("fc1",), ("fc2",), ("c2",))}, 2,
            ["c2: no layer is called 'c2'"],
        ),
        (
            BASE, {"targets": (("fc2",),), "rank": (8, 16)}, 1,
            [f"r 16: {TOO_MUCH.format(16, 10)}"],
        ),
        (
            BASE, {"init": ("kaiming", "eva"), "targets": (("table",),)}, 1,
            ["eva: eva needs continuous inputs, and table is an embedding"],
        ),
        (
            BASE, {"variant": ("lora", "full"), "rank": (1, 2, 99)}, 3,
            ["r 2 · full and 1 more: full fine-tuning has no rank, α or init: one run stands for "
             "all", f"r 99 · lora: {TOO_MUCH.format(99, 32)}"],
        ),
        (BASE, {"alpha": (8.0, TimesRank(1))}, 1, ["α 1r: the same run as another"]),
        (BASE, {"rank": (0, 1)}, 1, ["r 0: rank should be greater than or equal to 1, not 0"]),
        (
            layered(hyper={"layer_ranks": (("fc1", 2),)}),
            {"init": ("kaiming", "olora")}, 1,
            ["olora: olora starts from a part of W that belongs to one rank for all layers"],
        ),
        (
            layered(hyper={"frozen_layers": ("fc1",)}),
            {"targets": (("fc1",), ("fc2",), ("fc1", "fc2"))}, 1,
            ["fc1: every layer would be frozen, and nothing would train",
             "fc2: fc1 has a per-layer setting and is not among the targets"],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_left_out_with_the_reason(base, axes, kept, reasons):
    found = expand(base, axes, LAYERS)
    assert len(found.runs) == kept
    assert sorted(found.reasons) == sorted(reasons)


def test_a_small_rate_is_written_as_everywhere():
    axes = {"rank": (99,), "learning_rate": (1e-3, 2.5e-5)}
    left_out = expand(BASE, axes, LAYERS).left_out
    assert [one.words for one in left_out] == ["lr 0.001", "lr 2.5e-5"]


def test_without_a_model_only_what_holds_for_every_model_is_left_out():
    assert hindrance(changed(BASE, hyper={"rank": 9999}), Layers(())) == ""
    assert len(expand(BASE, {"rank": (9999,)}).runs) == 1


def test_a_thousand_runs_are_the_most():
    assert len(expand(BASE, {"seed": tuple(range(1000))}).runs) == 1000
    with pytest.raises(ConfigError, match="1,001 runs"):
        expand(BASE, {"seed": tuple(range(1001))})


def test_only_axes_vary():
    with pytest.raises(ConfigError, match=r"batch_size cannot vary.*rank"):
        expand(BASE, {"batch_size": (1, 2)})
    assert set(AXES) == {"rank", "alpha", "learning_rate", "variant", "init", "targets", "seed"}


@pytest.mark.parametrize(
    ("more", "words", "kind"),
    [
        ({}, "r 8 · α 16 · lr 0.001", []),
        (
            {"variant": "dora", "init": "pissa", "targets": ("fc1", "fc2"), "seed": 3},
            "r 8 · α 16 · lr 0.001 · DoRA · pissa · fc1, fc2 · seed 3",
            ["DoRA", "pissa", "fc1, fc2", "seed 3"],
        ),
        ({"variant": "full", "init": "pissa"}, "lr 0.001 · full", ["full"]),
        ({"hyper": {"learning_rate": 1e-4}}, "r 8 · α 16 · lr 1e-4", []),
    ],
)
def test_a_run_is_described_by_what_it_is_among_others(more, words, kind):
    config = changed(BASE, **more)
    assert describe(config) == words
    assert kind_words(config) == kind
