"""Heads of classifiers in PEFT folders, which PEFT keeps whole by their names."""

import json

import pytest
import torch
from peft import PeftModel
from transformers import (
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import ExportError
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.presets import starting_config
from lora_lab.training.experiment import Experiment
from tests.models.tiny import MODELS, VOCABULARY, tokenizer

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")

KINDS = {
    "bert": (BertForSequenceClassification, lambda: MODELS["bert_classifier"]()),
    "distilbert": (
        DistilBertForSequenceClassification,
        lambda: DistilBertForSequenceClassification(
            DistilBertConfig(
                vocab_size=VOCABULARY, dim=32, hidden_dim=48, n_layers=2, n_heads=4,
                max_position_embeddings=64, pad_token_id=1,
            )
        ),
    ),
    "roberta": (
        RobertaForSequenceClassification,
        lambda: RobertaForSequenceClassification(
            RobertaConfig(
                vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                intermediate_size=48, max_position_embeddings=80, pad_token_id=1,
            )
        ),
    ),
}  # fmt: skip


def trained(tmp_path, kind, classes, **settings):
    """An experiment whose every trained number was moved, on a checkpoint with two classes."""
    torch.manual_seed(0)
    KINDS[kind][1]().save_pretrained(tmp_path / kind)
    tokenizer().save_pretrained(tmp_path / kind)
    rows = [{"text": f"a film {i}", "label": f"c{i % classes}"} for i in range(18)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = starting_config(
        "text_classification", model=str(tmp_path / kind), data=str(tmp_path / "rows.jsonl"),
        hyper={"rank": 4}, **settings,
    )  # fmt: skip
    experiment = Experiment.build(config)
    for layer in experiment.layers.values():
        for p in layer.adapter_parameters():
            p.data += 0.05 * torch.randn_like(p)
    return experiment


def same_in_peft(experiment, tmp_path, kind, classes):
    base = KINDS[kind][0].from_pretrained(
        tmp_path / kind, num_labels=classes, ignore_mismatched_sizes=True
    )
    model = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    ids = torch.arange(2, 12)[None]
    with torch.no_grad():
        wanted = model(input_ids=ids).logits
        found = experiment.model.eval()(input_ids=ids).logits
    assert (wanted - found).abs().max() <= 1e-5 * wanted.abs().max()
    return model


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_head_that_peft_keeps_whole_is_trained_whole(tmp_path, kind, classes):
    experiment = trained(tmp_path, kind, classes)
    assert experiment.config.whole
    report = export(experiment.weights(), tmp_path / "adapter")
    assert (
        json.loads((tmp_path / "adapter/adapter_config.json").read_text())["task_type"] == "SEQ_CLS"
    )
    model = same_in_peft(experiment, tmp_path, kind, classes)
    assert type(model).__name__ == "PeftModelForSequenceClassification"
    assert report


@pytest.mark.parametrize("kind", KINDS)
def test_factors_in_a_head_are_written_without_the_task_that_has_no_place_for_them(tmp_path, kind):
    experiment = trained(tmp_path, kind, 2, targets=("all-linear",))
    assert not experiment.config.whole
    report = export(experiment.weights(), tmp_path / "adapter")
    assert any("task_type is left out" in note for note in report.notes)
    same_in_peft(experiment, tmp_path, kind, 2)


def test_factors_in_what_peft_takes_for_a_whole_layer_are_refused(tmp_path):
    experiment = trained(tmp_path, "distilbert", 3, targets=("all-linear",))
    with pytest.raises(ExportError, match="pre_classifier: PEFT saves the whole of classifier"):
        export(experiment.weights(), tmp_path / "adapter")


def test_a_task_that_peft_does_not_know_is_left_out_and_said(tmp_path):
    layer = LayerWeights("fc", torch.randn(2, 5), torch.randn(4, 2), 2.0, 1.0)
    export(AdapterWeights("lora", (layer,)), tmp_path / "read")
    config = tmp_path / "read/adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "task_type": "NOPE"}))
    weights = open_adapter(tmp_path / "read")
    assert any("task_type 'NOPE' is none of PEFT's" in note for note in weights.extra["notes"])
    export(weights, tmp_path / "written")
    assert json.loads((tmp_path / "written/adapter_config.json").read_text())["task_type"] is None
