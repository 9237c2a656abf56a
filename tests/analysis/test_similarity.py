"""Directions of a layer in four views, φ of two of them, and what chance makes of it."""

import math

import pytest
import torch

from lora_lab.adapters.inject import inject
from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.similarity import VIEWS, by_chance, directions, similarity_of
from lora_lab.errors import AdapterError


def layer(A, B, scaling=1.0):
    return LayerWeights("fc", A, B, alpha=scaling * A.shape[0], scaling=scaling)


def test_each_view_against_the_dense_svd(draw):
    A0, A, B = draw.randn(4, 30), draw.randn(4, 30), draw.randn(20, 4)
    one, start = layer(A, B, 0.5), layer(A0, 0 * B)
    U, _, Vh = torch.linalg.svd(0.5 * B @ A)
    dense = {
        "A": torch.linalg.svd(A).Vh[:4].mT,
        "change": torch.linalg.svd(A - A0).Vh[:4].mT,
        "right": Vh[:4].mT,
        "left": U[:, :4],
    }
    assert dense.keys() == VIEWS.keys()
    for view, expected in dense.items():
        found = directions(one, view, start)
        assert found.shape == expected.shape
        signs = (found * expected).sum(0)
        torch.testing.assert_close(signs.abs(), torch.ones(4, dtype=torch.float64))


def test_without_a_step_there_is_neither_a_change_nor_a_delta(draw):
    one = layer(draw.randn(4, 30).float(), torch.zeros(20, 4))
    for view in ("change", "left", "right"):
        assert directions(one, view, one).shape[1] == 0
    assert directions(one, "A", one).shape[1] == 4
    phi = similarity_of(directions(one, "left", one), directions(one, "left", one), 4, 4)
    assert phi.isnan().all()


def test_a_start_that_is_not_known_or_of_another_rank_is_refused(draw):
    one, other = (
        layer(draw.randn(4, 30), draw.randn(20, 4)),
        layer(draw.randn(2, 30), draw.randn(20, 2)),
    )
    with pytest.raises(AdapterError, match="not known"):
        directions(one, "change")
    with pytest.raises(AdapterError, match="rank 2 at the start and has 4"):
        directions(one, "change", other)


@pytest.mark.parametrize("n", [12, 64])
def test_chance_is_what_random_subspaces_share(draw, n):
    """E φ(i, j) = max(i, j)/n, within three standard errors."""
    drawn = torch.stack(
        [similarity_of(draw.basis(n, 6), draw.basis(n, 9), 6, 9) for _ in range(200)]
    )
    error = drawn.std(0) / math.sqrt(len(drawn))
    apart = (drawn.mean(0) - by_chance(n, 6, 9)).abs() / (error + 1e-12)
    assert (apart <= 4).all(), "54 at once"
    assert max(apart[0, 0], apart[5, 5], apart[5, 8]) <= 3
    assert float(by_chance(4, 6, 9).max()) == 1.0


def starts(rank, seeds):
    """lora_A of two layers as a run of that seed begins."""
    found = []
    for seed in seeds:
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.Linear(128, 64))
        layers = inject(net, rank=rank, seed=seed)
        found.append([one.layer_weights() for one in layers.values()])
    return found


def test_independent_starts_share_what_chance_makes():
    low, high = starts(8, range(12)), starts(32, range(100, 112))
    for place, n in ((0, 64), (1, 128)):
        maps = torch.stack([
            similarity_of(directions(a[place], "A"), directions(b[place], "A"), 8, 32)
            for a, b in zip(low, high, strict=True)
        ])  # fmt: skip
        error = maps.std(0) / math.sqrt(len(maps))
        apart = (maps.mean(0) - by_chance(n, 8, 32)).abs()
        assert (apart <= 4.5 * error + 1e-9).all(), "256 at once"
        for cell in ((0, 0), (7, 7), (7, 31)):
            assert apart[cell] <= 3 * error[cell] + 1e-9


def test_a_seed_begins_the_first_layer_with_the_same_rows_at_every_rank():
    """The layers draw from one stream, so that in later ones two ranks have nothing in common."""
    low, high = starts(8, [3])[0], starts(32, [3])[0]
    shared = [
        float(similarity_of(directions(one, "A"), directions(other, "A"), 8, 32)[7, 31])
        for one, other in zip(low, high, strict=True)
    ]
    assert shared[0] == pytest.approx(1.0, abs=1e-12)
    assert shared[1] == pytest.approx(32 / 128, abs=0.05)
