"""Where an adapter's layers are in a base is looked up, and not searched for among all others."""

import time

import pytest
import torch
from safetensors.torch import save_file

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.models.base import Base
from lora_lab.workshop.places import Placed, key_of
from tests.models import tiny


def adapter(names):
    layers = (LayerWeights(n, torch.ones(1, 2), torch.ones(1, 1), 1.0, 1.0) for n in names)
    return AdapterWeights("lora", tuple(layers))


@pytest.mark.parametrize(
    ("name", "key"),
    [("b.c", "a.b.c.weight"), ("c", ""), ("a.b.c", "a.b.c.weight"), ("x.b.c", "a.b.c.weight"),
     ("x.c", "x.c.weight"), (".c", ""), ("b", ""), ("x.y.b.c", ""), ("d", "x.d.d.weight")],
)  # fmt: skip
def test_a_weight_is_found_by_what_its_name_ends_in(tmp_path, name, key):
    names = ("a.b.c.weight", "x.c.weight", "x.d.d.weight", "a.b.bias")
    save_file({n: torch.ones(1, 2) for n in names}, tmp_path / "base.safetensors")
    assert key_of(name, Base(tmp_path / "base.safetensors")) == key


def of_one_file(path, count):
    state = {f"base.{k}.same.weight": torch.ones(1, 2) for k in range(count)}
    save_file(state, path / "base.safetensors")
    return path / "base.safetensors"


def of_a_folder(path, count):
    tiny.save(path, "llama")
    return path


@pytest.mark.parametrize("made", [of_one_file, of_a_folder])
def test_layers_that_a_base_has_not_cost_no_search_each(tmp_path, made):
    base = Base(made(tmp_path, 10_000))
    few, many = (adapter(f"foo.{k}.x.same" for k in range(count)) for count in (100, 10_000))
    Placed(few, base, strict=False)
    started = time.process_time()
    assert len(Placed(many, base, strict=False).missing) == 10_000
    assert time.process_time() - started < 8
