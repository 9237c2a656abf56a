"""Names as the owner's module has them, whatever stands around them and however often."""

import time

import pytest

from lora_lab.models.state_names import owners_names

NAMES = {
    "nothing around": (["a.weight", "b.weight"], ["a.weight", "b.weight"]),
    "one": (["module.a.weight", "module.b.weight"], ["a.weight", "b.weight"]),
    "two": (["ema_model.module.a.w", "ema_model.module.b.w"], ["a.w", "b.w"]),
    "not around all": (["module.a.weight", "b.weight"], ["module.a.weight", "b.weight"]),
    "another next": (["module.module.a.w", "module.b.w"], ["module.a.w", "b.w"]),
    "a tensor of the module": (["module.a.b.w", "module.w"], ["module.a.b.w", "module.w"]),
    "within": (["_orig_mod.a._fsdp_wrapped_module.w"], ["a.w"]),
    "one for two": (["_orig_mod.a.w", "a.w"], ["_orig_mod.a.w", "a.w"]),
    "no name": ([""], [""]),
    "none": ([], []),
}


@pytest.mark.parametrize("case", NAMES)
def test_what_stands_around_a_module_is_left_out(case):
    keys, wanted = NAMES[case]
    assert owners_names(keys) == dict(zip(keys, wanted, strict=True))


def test_a_name_of_a_hundred_thousand_steps_takes_no_longer_than_it_is():
    began = time.process_time()
    assert list(owners_names(["module." * 100_000 + "a.weight"]).values()) == ["a.weight"]
    assert time.process_time() - began < 1
