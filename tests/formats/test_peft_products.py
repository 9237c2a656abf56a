"""PEFT's LoHa, LoKr and VeRA are read with the ΔW that PEFT itself merges."""

import json
import warnings

import pytest
import safetensors.torch
import torch
from torch import nn

from lora_lab.errors import LabError
from lora_lab.formats.recognise import is_adapter, open_adapter
from lora_lab.formats.verify import export

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import peft


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.square = nn.Linear(12, 20), nn.Linear(16, 16)
        self.wide = nn.Conv2d(4, 8, 3)


ALL, LINEAR = ["one", "square", "wide"], ["one", "square"]
METHODS = {
    "loha": (peft.LoHaConfig, {"r": 3, "alpha": 6, "target_modules": ALL}),
    "loha, effective": (
        peft.LoHaConfig, {"r": 3, "alpha": 6, "target_modules": ALL, "use_effective_conv2d": True},
    ),
    "loha, patterns": (
        peft.LoHaConfig,
        {"r": 3, "alpha": 6, "target_modules": ALL, "rank_pattern": {"one": 2},
         "alpha_pattern": {"square": 5}},
    ),
    "lokr": (peft.LoKrConfig, {"r": 2, "alpha": 6, "target_modules": ALL}),
    "lokr, whole": (peft.LoKrConfig, {"r": 64, "alpha": 6, "target_modules": ALL}),
    "lokr, both": (
        peft.LoKrConfig, {"r": 1, "alpha": 6, "target_modules": ALL, "decompose_both": True},
    ),
    "lokr, effective": (
        peft.LoKrConfig, {"r": 2, "alpha": 6, "target_modules": ALL, "use_effective_conv2d": True},
    ),
    "vera": (peft.VeraConfig, {"r": 5, "target_modules": LINEAR}),
}  # fmt: skip


def saved(folder, name, **more):
    """A folder of PEFT's, and its own ΔW by layer."""
    kind, options = METHODS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(Net(), kind(**options, **more))
        for key, value in model.named_parameters():
            if any(word in key for word in ("hada", "lokr", "vera_lambda")):
                value.data += 0.3 * torch.randn_like(value)
        model.save_pretrained(folder)
    inner = model.base_model.model
    return {
        layer: inner.get_submodule(layer).get_delta_weight("default").detach()
        for layer in options["target_modules"]
    }


SHAPES = {"one": (20, 12), "square": (16, 16), "wide": (8, 4, 3, 3)}


@pytest.mark.parametrize("name", METHODS)
def test_the_change_is_that_of_peft(tmp_path, name):
    wanted = saved(tmp_path / "a", name)
    assert is_adapter(tmp_path / "a")
    found = open_adapter(tmp_path / "a", names=SHAPES)
    assert {x.name for x in found.layers} == set(wanted)
    for layer in found.layers:
        delta = wanted[layer.name].flatten(1)
        assert delta.norm() > 1e-3
        assert (layer.delta_weight() - delta).norm() <= 1e-5 * delta.norm(), layer.name
    export(found, tmp_path / "lora")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = peft.PeftModel.from_pretrained(Net(), str(tmp_path / "lora")).base_model.model
    for layer, delta in wanted.items():
        again = theirs.get_submodule(layer).get_delta_weight("default")
        assert (again - delta).norm() <= 1e-5 * delta.norm()


def test_what_the_folder_does_not_hold_is_said(tmp_path):
    saved(tmp_path / "vera", "vera")
    with pytest.raises(LabError, match="--base"):
        open_adapter(tmp_path / "vera")
    saved(tmp_path / "seed", "vera", save_projection=False)
    with pytest.raises(LabError, match="save_projection was off"):
        open_adapter(tmp_path / "seed", names=SHAPES)
    saved(tmp_path / "more", "loha")
    found = open_adapter(tmp_path / "more")
    with pytest.raises(LabError, match="linear layer or a convolution"):
        export(found, tmp_path / "out")
    config = tmp_path / "more" / "adapter_config.json"
    whole = json.loads(config.read_text())
    for more, reason in (
        ({"alpha": "6"}, "alpha is a"), ({"r": 0}, "a rank is"), ({"alpha": 10**35}, "alpha is a"),
        ({"r": 1e-300, "alpha": 1e29}, "r is 1e-300: a rank is"), ({"r": True}, "a rank is"),
        ({"rank_pattern": {"one": 1e-320}}, "a rank is"), ({"r": 2.0}, "a rank is"),
        ({"rank_pattern": {"one": 0}}, "a rank is"), ({"alpha_pattern": True}, "no table"),
        ({"rank_pattern": [["one", 1]]}, "no table"),
    ):  # fmt: skip
        config.write_text(json.dumps({**whole, **more}))
        with pytest.raises(LabError, match=reason):
            open_adapter(tmp_path / "more", names=SHAPES)


ODD = {
    "base_model.vera_A": [
        torch.tensor(1.0),
        torch.ones(5),
        torch.ones(5, 16, 1),
        torch.ones(4, 16),
    ],
    "base_model.vera_B": [torch.tensor(1.0), torch.ones(20), torch.ones(20, 4)],
    "base_model.model.one.vera_lambda_d": [torch.tensor(1.0), torch.ones(5, 1), torch.ones(4)],
    "base_model.model.one.vera_lambda_b": [torch.tensor(1.0), torch.ones(20, 1)],
}


@pytest.mark.parametrize(
    ("key", "at"), [(key, n) for key, row in ODD.items() for n in range(len(row))]
)
def test_parts_of_vera_in_other_shapes_are_refused(tmp_path, key, at):
    saved(tmp_path, "vera")
    file = tmp_path / "adapter_model.safetensors"
    safetensors.torch.save_file({**safetensors.torch.load_file(file), key: ODD[key][at]}, file)
    with pytest.raises(LabError, match=r"single number|no vectors and matrices|another base"):
        open_adapter(tmp_path, names=SHAPES)
