"""The matrix of interference against NumPy's dense ΔWs and SciPy's principal angles."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.workshop.interference import interference
from tests.workshop.test_combine import adapter


def test_cosines_and_angles_are_those_of_the_dense_deltas():
    adapters = [adapter(1), adapter(2, rank=2, s=0.3), adapter(3, s=-1.5)]
    found = interference(adapters)
    whole = []
    for row in found.layers:
        dense = [
            next(x for x in w.layers if x.name == row.name).delta_weight().numpy() for w in adapters
        ]
        whole.append(dense)
        for i, one in enumerate(dense):
            for j, two in enumerate(dense):
                cosine = (one * two).sum() / np.linalg.norm(one) / np.linalg.norm(two)
                assert row.cosines[i, j] == pytest.approx(cosine, abs=1e-12)
                ranks = [np.linalg.matrix_rank(m) for m in (one, two)]
                U, V = (
                    [np.linalg.svd(m)[0][:, :r] for m, r in zip(pair, ranks, strict=True)]
                    for pair in ((one, two), (one.T, two.T))
                )
                writes, reads = (np.rad2deg(subspace_angles(*x)).min() for x in (U, V))
                assert row.reads[i, j] == pytest.approx(reads, abs=1e-5)
                assert row.writes[i, j] == pytest.approx(writes, abs=1e-5)
    flat = [np.concatenate([dense[i].ravel() for dense in whole]) for i in range(3)]
    wanted = [[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in flat] for a in flat]
    assert np.allclose(found.cosines, wanted, atol=1e-12)


def test_what_is_zero_or_not_there_has_no_angle():
    one, other = adapter(1), adapter(2, names=("b.x", "c.x"))
    zero = AdapterWeights("lora", tuple(
        type(x)(x.name, x.lora_A, torch.zeros_like(x.lora_B), x.alpha, x.scaling)
        for x in adapter(3).layers
    ))  # fmt: skip
    found = {row.name: row for row in interference([one, other, zero]).layers}
    for name, i, j in (("a.x", 0, 1), ("c.x", 0, 1), ("b.x", 0, 2)):
        assert np.isnan(found[name].cosines[i, j])
        assert np.isnan(found[name].reads[i, j])
    assert np.isfinite(found["b.x"].cosines[0, 1])
    both = interference([one, other]).cosines[0, 1]
    assert 0 < abs(both) < abs(found["b.x"].cosines[0, 1]), "layers of one alone make it smaller"


REFUSED = {
    "one": (lambda: [adapter(1)], "two adapters"),
    "dora": (lambda: [adapter(1), adapter(2, magnitude=torch.ones(8))], "DoRA"),
    "shapes": (lambda: [adapter(1), AdapterWeights("lora", tuple(
        type(x)(x.name, x.lora_A[:, :4], x.lora_B, 1, 1) for x in adapter(2).layers
    ))], "different bases"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_refused(name):
    adapters, reason = REFUSED[name]
    with pytest.raises(AdapterError, match=reason):
        interference(adapters())
