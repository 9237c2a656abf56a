"""Riemannian preconditioning against PEFT's own, and what it is for."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_riemannian_optimizer
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.resize import resize
from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.training.optim import build_optimizer, optimizer_notes
from tests.training.driven_run import DrivenRun, digits
from tests.training.test_optim import layers

IN, OUT, RANK = 12, 20, 4


def config(**settings):
    return RunConfig(task="known_rank", optimizer="riemannian", **settings)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(IN, OUT), nn.Tanh(), nn.Linear(OUT, 3))


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_its_steps_are_those_of_peft(decay):
    ours, theirs = net(), net()
    adapted = inject(ours, rank=RANK, alpha=8.0, targets=["0"])
    model = get_peft_model(theirs, LoraConfig(r=RANK, lora_alpha=8, target_modules=["0"]))
    (layer,) = adapted.values()
    pair = (theirs[0].lora_A["default"].weight, theirs[0].lora_B["default"].weight)
    with torch.no_grad():
        layer.lora_B += 0.1 * torch.randn_like(layer.lora_B)
        pair[0].copy_(layer.lora_A)
        pair[1].copy_(layer.lora_B)
    hyper = Hyperparameters(learning_rate=0.02, weight_decay=decay)
    made = build_optimizer(adapted.values(), config(), hyper)
    published = create_riemannian_optimizer(
        model, torch.optim.AdamW, lr=0.02, weight_decay=decay, betas=(0.9, 0.999), eps=1e-8
    )
    for _ in range(8):
        x = torch.randn(16, IN)
        for module, optimizer in ((ours, made), (model, published)):
            optimizer.zero_grad()
            module(x).square().mean().backward()
            optimizer.step()
        torch.testing.assert_close(layer.lora_A.detach(), pair[0].detach(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(layer.lora_B.detach(), pair[1].detach(), rtol=1e-4, atol=1e-5)


def test_the_step_of_dw_does_not_depend_on_how_it_is_divided(monkeypatch):
    """With little damping A·c, B/c give the same first-order change of ΔW, as the paper has it."""
    monkeypatch.setattr("lora_lab.training.riemannian.DAMPING", 1e-9)
    monkeypatch.setattr("lora_lab.training.adam.FusedAdamW.step", lambda self: None)
    G = torch.randn(OUT, IN, dtype=torch.float64)
    changes = []
    for c in (1.0, 10.0):
        (layer,) = inject(net().double(), rank=RANK, alpha=8.0, targets=["0"]).values()
        with torch.no_grad():
            layer.lora_B += torch.randn(OUT, RANK, generator=torch.Generator().manual_seed(1))
            layer.lora_A *= c
            layer.lora_B /= c
        made = build_optimizer([layer], config(), Hyperparameters())
        A, B = layer.lora_A, layer.lora_B
        A.grad, B.grad = B.detach().T @ G, G @ A.detach().T
        made.step()
        changes.append((B @ A.grad + B.grad @ A).detach())
    torch.testing.assert_close(changes[0], changes[1], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("variant", ["lora", "dora"])
def test_a_layer_whose_rank_changes_begins_anew(variant):
    adapted = layers(variant)
    made = build_optimizer(adapted, config(variant=variant), Hyperparameters())
    layer = adapted[0]
    for rank in (4, 1):
        for p in layer.adapter_parameters():
            p.grad = torch.ones_like(p)
        made.step()
        resize(layer, rank, layer.scaling, made, torch.Generator())
        assert layer.lora_A not in made.state
        assert [layer.lora_A is p for g in made.param_groups for p in g["params"]].count(True) == 1


def test_without_factors_it_is_adamw_and_says_so():
    (layer,) = layers("full")[:1]
    settings = config(variant="full")
    made = build_optimizer([layer], settings, Hyperparameters())
    assert any("no factors" in note for note in optimizer_notes(made, settings))


def test_a_run_learns():
    losses = DrivenRun(digits(optimizer="riemannian", hyper={"learning_rate": 5e-3})).steps(60)
    assert sum(losses[-10:]) < 0.1 * sum(losses[:10])
