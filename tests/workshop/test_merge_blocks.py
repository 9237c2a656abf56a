"""An adapter over a base in blocks is merged into what it was trained on, and into no other
numbers but where that is asked for and measured."""

import json
from dataclasses import replace

import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader

from lora_lab.analysis.merge_loss import repacked_loss
from lora_lab.blocks.forms import dense, packed
from lora_lab.errors import ExportError
from lora_lab.formats import FORMATS
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.models.hf_folder import open_model
from lora_lab.presets import starting_config
from lora_lab.training.commands import MergePreview
from lora_lab.training.experiment import Experiment
from lora_lab.workshop.merge_base import write_merged
from tests.models.test_gguf_file import write
from tests.models.tiny import save

pytestmark = pytest.mark.filterwarnings("ignore")  # of transformers about the shapes of tiny models
SIZE = 0.02  # ‖ΔW‖/‖W‖ or so


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    write(folder / "x.gguf", save(folder / "llama", "llama"), Kind.Q8_0)
    rows = [json.dumps({"text": f"the film is good {i}"}) for i in range(8)]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    return folder


def trained(files, model="llama", **settings):
    """An experiment whose adapter does something, on q and v alone."""
    config = starting_config(
        "causal_lm", model=str(files / model), data=str(files / "rows.jsonl"),
        hyper={"rank": 3}, targets=("q_proj", "v_proj"), **settings,
    )  # fmt: skip
    made = Experiment.build(config)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in made.lora_layers:
            layer.lora_B.normal_(0, 1, generator=draw)
            layer.lora_B.mul_(SIZE * layer.matrix.norm() / layer.delta_weight().norm())
    made.model.eval()
    return made


def logits(model):
    with torch.no_grad():
        return model(torch.arange(2, 14)[None]).logits


@pytest.mark.parametrize("bits", ["4", "8"])
def test_the_merged_checkpoint_is_the_model_that_was_trained(files, tmp_path, bits):
    made = trained(files, base_bits=bits)
    report = write_merged(made.weights(), files / "llama", tmp_path / "merged")
    merged = open_model(tmp_path / "merged", "causal_lm").module
    assert torch.allclose(logits(merged), logits(made.model), atol=2e-5)
    idle = merged.model.layers[1].mlp.gate_proj.weight  # not adapted, and packed all the same
    W = open_model(files / "llama", "causal_lm").module.model.layers[1].mlp.gate_proj.weight
    form = {"4": "nf4", "8": "q8_0"}[bits]
    assert torch.equal(idle, dense(packed(W, form), form, *W.shape, W.dtype))
    assert any("as they were trained on" in note for note in report.notes)
    again = next(note for note in report.notes if "not packed again" in note)
    losses = sorted(
        repacked_loss(layer.matrix, layer.delta_weight(), form) for layer in made.lora_layers
    )
    assert f"lose {min(100 * losses[len(losses) // 2], 100):.0f} %" in again


def test_into_the_original_numbers_only_where_named_and_measured(files, tmp_path):
    made = trained(files, base_bits="4")
    report = write_merged(made.weights(), files / "llama", tmp_path / "m", original=True)
    merged = open_model(tmp_path / "m", "causal_lm").module
    plain = open_model(files / "llama", "causal_lm").module
    for name, layer in made.layers.items():
        wanted = plain.get_submodule(name).weight + layer.delta_weight()
        assert torch.allclose(merged.get_submodule(name).weight, wanted, atol=1e-6)
    assert not torch.allclose(logits(merged), logits(made.model), atol=1e-3)
    assert any("away from those that were trained on" in note for note in report.notes)


def test_the_form_of_the_base_is_kept_in_the_adapter(files, tmp_path):
    for bits, form in (("4", "nf4"), ("8", "q8_0"), ("auto", "")):
        weights = trained(files, base_bits=bits).weights()
        FORMATS["peft"].save(weights, tmp_path / form)
        assert open_adapter(tmp_path / form).extra["base_form"] == form
    weights = trained(files, "x.gguf").weights()
    assert weights.extra["base_form"] == "gguf"


def test_a_gguf_file_is_not_merged_into(files, tmp_path):
    weights = trained(files, "x.gguf").weights()
    with pytest.raises(ExportError, match="below their rounding"):
        write_merged(weights, files / "x.gguf", tmp_path / "merged")
    with pytest.raises(ExportError, match=r"has other numbers.*--original-base"):
        write_merged(weights, files / "llama", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    report = write_merged(weights, files / "llama", tmp_path / "merged", original=True)
    assert any("measure it before it is used" in note for note in report.notes)


def test_over_a_gguf_file_the_adapter_is_exported_for_llama_cpp(files, tmp_path):
    weights = trained(files, "x.gguf").weights()
    found = []
    for base in ("x.gguf", "llama"):
        target = tmp_path / f"{base}-adapter.gguf"
        report = export(replace(weights, base=str(files / base)), target, "gguf")
        assert report.largest_error < 1e-6
        tensors = {tensor.name: tensor.data for tensor in GGUFReader(target).tensors}
        found.append(tensors)
    assert found[0].keys() == found[1].keys()
    assert all((found[0][name] == found[1][name]).all() for name in found[0])


def test_the_preview_has_a_line_for_packing_again(files):
    made = trained(files, base_bits="4")
    (record,) = MergePreview().run(made, None)
    assert record.dtypes[-1].startswith("NF4")
    for row in record.layers:
        layer = made.layers[row.name]
        wanted = repacked_loss(layer.matrix, layer.delta_weight(), "nf4")
        assert row.loss[-1] == pytest.approx(wanted, rel=1e-4)
        assert row.loss[-1] > 0.5, "2 % of W is below the rounding of four bits"
        assert row.loss[0] < 1e-3
    (plain,) = MergePreview().run(trained(files), None)
    assert plain.dtypes == ("float32", "bfloat16", "float16")
