"""Every format × type of layer × variant: written, proven, opened again, and the same ΔW."""

import pytest
import torch
from transformers.pytorch_utils import Conv1D

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import ExportError
from lora_lab.formats import FORMATS
from lora_lab.formats.components import alone
from lora_lab.formats.container import read_container
from lora_lab.formats.recognise import is_adapter, open_adapter
from lora_lab.formats.verify import TOLERANCE, export
from tests.formats.adapters import SPECIAL, VARIANTS, weights_of
from tests.models import tiny

OF_FACTORS = {n: kind for n, kind in FORMATS.items() if n != "peft-vera"}  # that only VeRA has
MODELS = ("llama", "gpt2", "bert_classifier", "vit", *SPECIAL)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    for kind in ("llama", "gpt2", "bert_classifier", "vit"):
        tiny.save(folder / kind, kind)
    return folder


def adapter(bases, model, variant):
    if model in SPECIAL:
        torch.manual_seed(0)
        return weights_of(SPECIAL[model](), variant)
    module = tiny.MODELS[model]()
    linear = [
        n for n, m in module.named_modules() if isinstance(m, torch.nn.Linear | Conv1D)
        and "lm_head" not in n and "classifier" not in n
    ]  # fmt: skip
    return weights_of(module, variant, base=bases / model, targets=linear)


CAN = {
    "peft": set(MODELS),
    "peft-portable": set(MODELS),
    "kohya": {"llama", "gpt2", "bert_classifier", "vit", "pictures"},
    "diffusers": {"llama", "gpt2", "bert_classifier", "vit", "pictures"},
    "gguf": {"llama", "gpt2"},
    "mlx": {"llama"},
}
NO_DORA = {"peft-portable", "gguf"}
OF_PIPELINES = {"kohya": "unet", "diffusers": "unet"}  # and the component that is told there


@pytest.mark.parametrize("name", OF_FACTORS)
def test_an_adapter_that_is_written_twice_is_the_same_file(bases, tmp_path, name):
    weights = adapter(bases, "llama", "lora")

    def files(folder):
        target = folder / f"adapter{FORMATS[name].suffix}"
        export(weights, target, name, component=OF_PIPELINES.get(name, ""))
        return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first = files(tmp_path / "0")
    assert first
    for number in range(1, 4):  # an order by chance is the same now and then
        assert files(tmp_path / str(number)) == first


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", OF_FACTORS)
def test_what_is_written_comes_back(bases, tmp_path, name, model, variant):
    kind, weights = FORMATS[name], adapter(bases, model, variant)
    target = tmp_path / f"adapter{kind.suffix}"
    able = model in CAN[name] and not (variant == "dora" and name in NO_DORA)
    if variant == "dora" and model == "grouped":
        able = False  # PEFT's norms of groups are wrong
    if not able:
        with pytest.raises(ExportError) as refused:
            export(weights, target, name, component=OF_PIPELINES.get(name, ""))
        assert len(str(refused.value)) > 40
        assert not target.exists()
        return
    report = export(weights, target, name, component=OF_PIPELINES.get(name, ""))
    assert report.largest_error <= TOLERANCE
    assert report.bytes > 0
    assert report.keys >= 2 * len(weights.layers)
    assert report.base_fingerprint == "f00d"
    assert is_adapter(target)
    found = open_adapter(target)
    again = {layer.name: layer for layer in alone(found)[0].layers}
    assert set(again) == {layer.name for layer in weights.layers}
    for layer in weights.layers:
        other = again[layer.name]
        assert (other.kind, other.groups) == (layer.kind, layer.groups)
        wanted = layer.delta_weight()
        assert (other.delta_weight() - wanted).norm() <= TOLERANCE * wanted.norm()
        if layer.magnitude is None:
            assert other.magnitude is None
        else:
            assert torch.equal(other.magnitude, layer.magnitude)
    if variant == "dora":
        assert found.variant == "dora"


@pytest.mark.parametrize("name", [n for n, kind in OF_FACTORS.items() if n not in NO_DORA])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_lose_nothing(bases, tmp_path, name, dtype):
    from lora_lab.formats.factors import cast

    weights = cast(adapter(bases, "llama", "rslora"), dtype)
    part = OF_PIPELINES.get(name, "")
    report = export(weights, tmp_path / f"a{FORMATS[name].suffix}", name, component=part)
    assert report.largest_error <= TOLERANCE


@pytest.mark.parametrize("name", [n for n, kind in FORMATS.items() if kind.single])
def test_a_file_that_stands_is_kept(bases, tmp_path, name):
    weights, target = adapter(bases, "llama", "lora"), tmp_path / "a"
    target.write_text("mine")
    part = OF_PIPELINES.get(name, "")
    with pytest.raises(ExportError, match="exists"):
        export(weights, target, name, component=part)
    assert target.read_text() == "mine"
    export(weights, target, name, overwrite=True, component=part)
    assert is_adapter(target.rename(tmp_path / f"b{FORMATS[name].suffix}"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(ExportError, match="is a folder"):
        export(weights, tmp_path / "folder", name, overwrite=True, component=part)


@pytest.mark.parametrize("name", OF_FACTORS)
def test_a_wrong_file_is_not_delivered(bases, tmp_path, name, monkeypatch):
    """The writer computes with another scale: the reader that shares nothing with it notices."""
    from dataclasses import replace

    weights, kind = adapter(bases, "llama", "ranks"), FORMATS[name]

    def save(given, folder):
        rows = [replace(x, lora_B=x.lora_B * (1 + 1e-5)) for x in given.layers]
        return kind.save(replace(given, layers=tuple(rows)), folder)

    monkeypatch.setitem(FORMATS, name, replace(kind, save=save))
    with pytest.raises(ExportError, match="does not compute what the adapter does"):
        export(weights, tmp_path / "a", name, component=OF_PIPELINES.get(name, ""))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["kohya", "diffusers"])
def test_a_diffusion_model_of_two_text_encoders(tmp_path, name):
    """The same path in each part: nothing may be misclassified."""
    generator = torch.Generator().manual_seed(0)
    parts = ("unet", "text_encoder", "text_encoder_2")
    layers = tuple(
        LayerWeights(
            f"{part}.blocks.0.to_q", torch.randn(2, 6, generator=generator),
            torch.randn(5, 2, generator=generator), 2.0, 1.0,
        )
        for part in parts
    )  # fmt: skip
    target = tmp_path / f"a{FORMATS[name].suffix}"
    assert export(AdapterWeights("lora", layers), target, name).largest_error <= TOLERANCE
    if name == "kohya":
        keys = {key.split(".")[0] for key in read_container(target).entries}
        assert keys == {f"lora_{x}_blocks_0_to_q" for x in ("unet", "te1", "te2")}
    again = {x.name: x for x in open_adapter(target).layers}
    for layer in layers:
        torch.testing.assert_close(again[layer.name].delta_weight(), layer.delta_weight())
