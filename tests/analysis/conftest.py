"""What the tests of the analysis draw from: one seeded source, fresh for every test."""

import pytest
import torch

from lora_lab.adapters.weights import LayerWeights


class Draw:
    """Random matrices in float64, the same in whatever order the tests are run."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(11)

    def randn(self, *shape):
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)

    def basis(self, n, p):
        """(n × p) with orthonormal columns."""
        return torch.linalg.qr(self.randn(n, p)).Q

    def with_sigma(self, sigma, out, into):
        """A matrix (out × in) of these singular values, and none but 0 besides."""
        sigma = torch.as_tensor(sigma, dtype=torch.float64)
        return (self.basis(out, len(sigma)) * sigma) @ self.basis(into, len(sigma)).mT

    def gauged(self, layer):
        """The same adapter in other factors: A → M·A, B → B·M⁻¹."""
        M = 3 * self.basis(layer.rank, layer.rank) + torch.eye(layer.rank, dtype=torch.float64)
        A, B = M @ layer.lora_A, layer.lora_B @ torch.linalg.inv(M)
        return LayerWeights(layer.name, A, B, layer.alpha, layer.scaling)


@pytest.fixture
def draw():
    return Draw()
