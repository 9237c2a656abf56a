"""What is foretold of ranks, parameters and cuts is what the engine then has."""

import math
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lora_lab.config import changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LayerInfo, TargetInfo
from lora_lab.presets import get_preset
from lora_lab.records import LayerSpectrum, SpectrumRecord
from lora_lab.rules import (
    LayerRanks,
    energy_beyond,
    energy_lost,
    meant_by,
    named_by,
    scaling_of,
)
from lora_lab.training.edits import apply_hyper
from lora_lab.training.experiment import Experiment
from lora_lab.variants import VARIANTS

COURSE = (
    {"layer_ranks": (("fc2", 7),)},
    {"rank": 20},  # fc3 is capped at 10
    {"frozen_layers": ("fc1",)},
    {"rank": 6},
    {"layer_ranks": (("fc1", 3), ("fc3", 9))},
    {"frozen_layers": (), "layer_ranks": ()},
    {"rank": 2, "frozen_layers": ("fc2", "fc3")},
)


@pytest.mark.parametrize(
    ("variant", "init"), [("lora", "kaiming"), ("rslora", "kaiming"), ("dora", "kaiming"),
                          ("lora", "pissa"), ("full", "kaiming")],
)  # fmt: skip
def test_they_follow_the_engine_through_a_course_of_edits(variant, init):
    config = changed(get_preset("digits").config, variant=variant, init=init)
    experiment = Experiment.build(config)
    ranks = LayerRanks(experiment.loaded())
    for edit in COURSE:
        if "layer_ranks" in edit and (variant == "full" or init == "pissa"):
            continue  # the engine refuses it
        requested = changed(experiment.hyper, **edit)
        foretold = {name: ranks.wanted(name, requested) for name in ranks.layers}
        trained = {name: ranks.trained(name, requested) for name in ranks.layers}
        record = apply_hyper(experiment, requested)
        ranks.apply(record.hyper)
        if variant != "full":
            had = {layer.name: layer.rank for layer in experiment.lora_layers}
            assert ranks.present == had
            if init != "pissa":  # there the request itself is mended
                assert foretold == had
            assert trained == dict(experiment.counts().per_layer)
        assert scaling_of(record.hyper, variant) == pytest.approx(
            getattr(next(iter(experiment.layers.values())), "scaling", math.nan), nan_ok=True
        )


@pytest.fixture
def loaded():
    return Experiment.build(get_preset("digits").config).loaded()


def row(name, sigma, rank):
    return LayerSpectrum(name, np.array(sigma), len(sigma), 1.0, 1.0, 1.0, rank, 8.0, 1.0)


def test_thousands_of_frozen_layers_are_counted_in_a_moment():
    """They are asked about at every edit, in the window's thread."""
    names = [f"layers.{n}.down_proj" for n in range(20_000)]
    layers = tuple(LayerInfo(name, (4, 6), 1.0) for name in names)
    loaded = SimpleNamespace(layers=layers, variant="lora", hyper=Hyperparameters(rank=2))
    ranks = LayerRanks(loaded)
    hyper = Hyperparameters(rank=3, frozen_layers=tuple(names[1:]))
    began = time.process_time()
    found = ranks.per_layer(hyper, None)
    assert time.process_time() - began < 0.5
    assert found == [3 * (4 + 6), *[0] * 19_999]  # LoRA §4.2: r (d_out + d_in)


def test_a_cut_spares_the_frozen_and_those_with_a_rank_of_their_own(loaded):
    ranks = LayerRanks(loaded)
    requested = Hyperparameters(rank=2, layer_ranks=(("fc1", 8),), frozen_layers=("fc2",))
    rows = [row(name, [4.0, 3.0, 1.0, 1.0], 8) for name in ("fc1", "fc2", "fc3")]
    assert [ranks.cut(r, requested) for r in rows] == [0, 0, 2]
    share, where = energy_lost(SpectrumRecord(1, tuple(rows)), lambda r: ranks.cut(r, requested))
    assert (share, where) == (pytest.approx(2 / 27), "fc3")
    stale = row("fc3", [4.0, 3.0], 2)  # measured after another cut
    assert ranks.cut(stale, requested) == 0


@pytest.mark.parametrize("variant", [n for n, row in VARIANTS.items() if not row.exact_sigma])
def test_nothing_is_foretold_where_the_singular_values_do_not_tell(loaded, variant):
    ranks = LayerRanks(replace(loaded, variant=variant))
    assert ranks.cut(row("fc1", [1.0] * 8, 8), Hyperparameters(rank=1)) == 0


def test_energy_beyond_a_rank():
    assert energy_beyond(np.array([3.0, 4.0]), 1) == pytest.approx(0.64)
    assert energy_beyond(np.zeros(3), 1) == 0.0


MLP_MNIST = [(1000, 784), (2000, 1000), (10, 2000)]
GPT3 = [(12288, 12288)] * 96


def llama_8b(parts):
    shapes = {
        "attn": [(4096, 4096), (1024, 4096), (1024, 4096), (4096, 4096)],
        "mlp": [(14336, 4096), (14336, 4096), (4096, 14336)],
    }
    return [shape for part in parts for shape in shapes[part]] * 32 + [(128256, 4096)]


@pytest.mark.parametrize(
    ("shapes", "rank", "published"),
    [
        (MLP_MNIST, 1, 6_794),
        (GPT3 * 1, 2, 4_718_592),
        (GPT3 * 2, 4, 18_874_368),
        (GPT3 * 4, 4, 37_748_736),
        (GPT3 * 2, 64, 301_989_888),
        (GPT3 * 4, 64, 603_979_776),
        ([(768, 768)] * 24, 8, 294_912),
        ([(1024, 1024)] * 48, 8, 786_432),
        (llama_8b(["attn", "mlp"]), 256, 704_970_752),
        (llama_8b(["attn"]), 256, 251_985_920),
        (llama_8b(["mlp"]), 256, 486_866_944),
        (llama_8b(["attn", "mlp"]), 1, 2_753_792),
    ],
)
def test_published_parameter_counts(shapes, rank, published):
    lora = VARIANTS["lora"]
    assert sum(lora.parameters(s, min(rank, *s)) for s in shapes) == published


def test_a_count_is_capped_with_the_rank(loaded):
    hyper = Hyperparameters(rank=64)
    assert LayerRanks(loaded).trained("fc3", hyper) == 10 * (10 + 64)


@pytest.mark.parametrize(
    ("target", "named"),
    {
        "all-linear": {"m.q_proj"},
        "all-linear+experts": {"m.q_proj", "m.experts.0.up", "m.experts.1.up", "m.experts.1.down"},
        "experts": {"m.experts.0.up", "m.experts.1.up", "m.experts.1.down"},
        "experts.up": {"m.experts.0.up", "m.experts.1.up"},
        "experts.1": {"m.experts.1.up", "m.experts.1.down"},
        "down": {"m.experts.1.down"},
    }.items(),
)
def test_words_for_a_mixtures_experts(target, named):
    """The window foretells what the engine targets."""
    rows = [
        TargetInfo("m.q_proj", "linear", (4, 4)),
        *(TargetInfo(f"m.experts.{n}.up", "expert", (8, 4)) for n in (0, 1)),
        TargetInfo("m.experts.1.down", "expert_turned", (4, 8)),
    ]
    assert named_by(rows, [target]) == named
    assert {row.name for row in meant_by(rows, [target])[target]} == named
