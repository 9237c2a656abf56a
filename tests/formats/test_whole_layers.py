"""A head that is fully trained goes into the PEFT file and comes out of PEFT's own loader."""

import json

import pytest
import torch
from peft import PeftModel
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError, ExportError
from lora_lab.formats import FORMATS, peft
from lora_lab.formats.verify import export


class Net(nn.Module):
    def __init__(self, nested=False):
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8))
        head = nn.Linear(8, 3, bias=not nested)
        self.classifier = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), head) if nested else head

    def forward(self, x):
        return self.classifier(self.body(x))


def trained(nested=False, variant="lora"):
    """An adapted net with moved numbers, its layers, and the names of what is whole."""
    net = Net(nested)
    whole = ["classifier.0", "classifier.2"] if nested else ["classifier"]
    layers = inject(
        net, variant=variant, rank=2, alpha=4, targets=["body.0", "body.2"], whole=whole
    )
    g = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for layer in layers.values():
            for p in layer.adapter_parameters():
                p += 0.1 * torch.randn(p.shape, generator=g)
    return net, layers, whole


def weights_of(layers, whole):
    return AdapterWeights(
        variant="lora",
        layers=tuple(x.layer_weights() for n, x in layers.items() if n not in whole),
        whole=tuple(layers[name].whole_layer() for name in whole),
        extra={"task": "text_classification"},
    )


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("variant", ["lora", "dora"])
def test_peft_computes_the_same(nested, variant, tmp_path):
    net, layers, whole = trained(nested, variant)
    weights = weights_of(layers, whole)
    report = export(weights, tmp_path / "adapter")
    assert report.largest_error < 1e-6
    assert any("fully trained" in note for note in report.notes)
    x = torch.randn(5, 6)
    wanted = net(x)
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert config["modules_to_save"] == ["classifier"], "PEFT names it by itself for the task"
    assert config["task_type"] == "SEQ_CLS"
    config["task_type"] = None  # a plain net has no config for PEFT's wrapper of transformers
    (tmp_path / "adapter/adapter_config.json").write_text(json.dumps(config))
    base = Net(nested)
    with torch.no_grad():  # PEFT has to bring the head: another one stands there
        for p in base.classifier.parameters():
            p.zero_()
    theirs = PeftModel.from_pretrained(base, tmp_path / "adapter")
    torch.testing.assert_close(theirs(x), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nested", [False, True])
def test_read_back_bit_for_bit(nested, tmp_path):
    _, layers, whole = trained(nested)
    weights = weights_of(layers, whole)
    peft.save(weights, tmp_path)
    again = peft.load(tmp_path)
    assert [layer.name for layer in again.whole] == whole
    peft.save(again, tmp_path / "again")
    config = json.loads((tmp_path / "again/adapter_config.json").read_text())
    assert config["task_type"] == "SEQ_CLS", "what is read and written again is for the same task"
    for found, wanted in zip(again.whole, weights.whole, strict=True):
        assert torch.equal(found.weight, wanted.weight)
        assert (found.bias is None) == (wanted.bias is None)
        assert found.bias is None or torch.equal(found.bias, wanted.bias)
    names = {found.name for found in FORMATS["peft"].reread(tmp_path, None)}
    assert {f"{name}.weight" for name in whole} < names


def test_a_head_that_is_named_but_missing_is_refused(tmp_path):
    _, layers, whole = trained()
    peft.save(weights_of(layers, whole), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    config["modules_to_save"] = ["body.7"]
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(AdapterError, match=r"unexpected key .*classifier"):
        peft.load(tmp_path)


def test_a_head_with_nan_is_not_delivered(tmp_path):
    _, layers, whole = trained()
    with torch.no_grad():
        layers["classifier"].tuned_bias[0] = float("nan")
    with pytest.raises(ExportError, match=r"classifier\.bias"):
        export(weights_of(layers, whole), tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_whole_layers_are_no_targets_of_the_variant():
    _, layers, _ = trained()
    assert list(layers) == ["body.0", "body.2", "classifier"]
    assert [type(x).__name__ for x in layers.values()] == ["LoRALayer", "LoRALayer", "FullLayer"]
    every = inject(Net(), rank=2, whole=["classifier"])  # all linear ones, the head among them
    assert type(every["classifier"]).__name__ == "FullLayer"
