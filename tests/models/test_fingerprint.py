"""Fingerprints are equal if and only if names, shapes, types and bytes are."""

import torch

from lora_lab.models.fingerprint import fingerprint
from lora_lab.models.plain import mlp

STATE = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(2)}


def test_the_order_does_not_matter():
    assert fingerprint(STATE) == fingerprint(dict(reversed(STATE.items())))
    assert fingerprint(STATE) == fingerprint({k: v.clone() for k, v in STATE.items()})
    assert len(fingerprint(STATE)) == 64


def test_a_module_is_its_state():
    net = mlp((4, 3, 2))
    assert fingerprint(net) == fingerprint(net.state_dict())


def test_strides_do_not_matter():
    assert fingerprint({"a": STATE["a"].T.contiguous().T}) == fingerprint({"a": STATE["a"]})


def test_everything_else_matters():
    others = [
        {"a": STATE["a"]},
        {"a": STATE["a"], "c": STATE["b"]},
        {"a": STATE["a"].reshape(3, 2), "b": STATE["b"]},
        {"a": STATE["a"].double(), "b": STATE["b"]},
        {"a": STATE["a"].view(torch.int32), "b": STATE["b"]},
        {"a": STATE["a"] + 1e-6, "b": STATE["b"]},
        {"a": STATE["a"], "b": -STATE["b"]},  # −0.0 is another byte
        {"a": torch.zeros(0)},
        {},
    ]
    found = {fingerprint(state) for state in [STATE, *others]}
    assert len(found) == len(others) + 1


def test_all_types_can_be_hashed():
    for dtype in (torch.bfloat16, torch.float16, torch.int64, torch.bool, torch.uint8):
        assert fingerprint({"x": torch.ones(3, dtype=dtype)})
    assert fingerprint({"scalar": torch.tensor(1.0)})
