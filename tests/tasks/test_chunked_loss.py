"""The loss in chunks is torch's own, with its gradients; the matrix of logits never exists."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.tasks import chunked_loss
from lora_lab.tasks.chunked_loss import chunked_cross_entropy

WIDTH, WORDS = 12, 50


def problem(n, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n, WIDTH, generator=g, dtype=dtype).requires_grad_()
    targets = torch.randint(WORDS, (n,), generator=g)
    head = nn.Linear(WIDTH, WORDS, bias=False, dtype=dtype)
    with torch.no_grad():
        head.weight.copy_(torch.randn(WORDS, WIDTH, generator=g, dtype=dtype))
    return hidden, targets, head


@pytest.mark.parametrize("n", [1, 6, 7, 40])
@pytest.mark.parametrize("rows", [1, 7, 100])
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_loss_and_gradients_are_those_of_the_whole(n, rows, trained, smoothing, monkeypatch):
    monkeypatch.setattr(chunked_loss, "CHUNK", rows * WORDS)
    hidden, targets, head = problem(n)
    head.weight.requires_grad_(trained)
    wanted = F.cross_entropy(head(hidden).float(), targets, label_smoothing=smoothing)
    (2 * wanted).backward()
    slopes = hidden.grad, head.weight.grad
    hidden.grad = head.weight.grad = None
    parameters = [head.weight] if trained else []
    found = chunked_cross_entropy(hidden, targets, head, WORDS, parameters, smoothing)
    (2 * found).backward()
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)
    torch.testing.assert_close(hidden.grad, slopes[0], rtol=1e-5, atol=1e-8)
    if trained:
        torch.testing.assert_close(head.weight.grad, slopes[1], rtol=1e-5, atol=1e-8)
    else:
        assert head.weight.grad is None
    with torch.no_grad():
        alone = chunked_cross_entropy(hidden, targets, head, WORDS, parameters, smoothing)
    assert alone.item() == pytest.approx(wanted.item(), rel=1e-6)


def test_no_more_logits_at_a_time_than_a_chunk(monkeypatch):
    monkeypatch.setattr(chunked_loss, "CHUNK", 8 * WORDS)
    hidden, targets, head = problem(30, torch.float32)
    seen = []
    head.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    chunked_cross_entropy(hidden, targets, head, WORDS).backward()
    assert seen == [8, 8, 8, 6]  # and never again in the backward pass


def test_half_precision_is_summed_in_float32():
    hidden, targets, head = problem(64, torch.bfloat16)
    found = chunked_cross_entropy(hidden, targets, head, WORDS)
    assert found.dtype == torch.float32
    found.backward()
    assert hidden.grad.dtype == torch.bfloat16
    wanted = F.cross_entropy(head(hidden).float(), targets)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
