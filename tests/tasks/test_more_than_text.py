"""Models of images with text learn text: their language part alone, and it is read elsewhere."""

import json

import pytest
import torch
from peft import PeftModel
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from lora_lab.adapters.targets import language_part, of_other_senses
from lora_lab.formats.recognise import open_adapter
from lora_lab.models.inspect import describe
from lora_lab.opening_records import LoadedRecord
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.tasks.causal_lm import CausalLmTask
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New
from lora_lab.training.run import run
from lora_lab.workshop.merge_base import write_merged
from tests.models.families import VOCABULARY
from tests.models.tiny import tokenizer

FAMILIES = ("gemma3", "llava", "mistral3", "qwen2_5_vl", "qwen2_vl", "qwen3_vl", "smolvlm")
TEXT = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "bos_token_id": None,
    "max_position_embeddings": 64, "pad_token_id": 1, "eos_token_id": 0,
}  # fmt: skip
VISION = {
    "hidden_size": 32, "embed_dim": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "depth": 2, "num_attention_heads": 4, "num_heads": 4, "image_size": 16, "patch_size": 8,
    "out_hidden_size": 32, "fullatt_block_indexes": [1], "deepstack_visual_indexes": [0],
    "mlp_ratio": 2, "projection_dim": 32,
}  # fmt: skip
MARKS = ("image_token_id", "image_token_index", "video_token_id", "vision_start_token_id",
         "vision_end_token_id", "boi_token_index", "eoi_token_index")  # fmt: skip


def built(kind):
    """A tiny model of this family with random weights."""
    made, known = CONFIG_MAPPING[kind], CONFIG_MAPPING[kind]()

    def part(name, values):
        config = type(getattr(known, name))
        return config(**{k: v for k, v in values.items() if hasattr(config(), k)})

    text = part("text_config", TEXT)
    if kind.startswith("qwen"):
        mrope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}
        text.rope_parameters = mrope
    marks = {name: 320 + i for i, name in enumerate(MARKS) if hasattr(known, name)}
    config = made(text_config=text, vision_config=part("vision_config", VISION), **marks,
                  tie_word_embeddings=False)  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[made](config)
        for parameter in model.parameters():
            parameter.data += 0.02 * torch.randn_like(parameter)
    return model.eval()


@torch.no_grad()
def theirs(model, examples):
    """transformers' own loss over the supervised tokens of these rows, each by itself."""
    total, count = 0.0, 0
    for example in examples:
        ids = torch.tensor(example.ids, dtype=torch.int64)[None]
        asked = torch.tensor(example.supervised)[None]
        loss = model(input_ids=ids, labels=ids.masked_fill(~asked, -100), use_cache=False).loss
        total, count = (
            total + float(loss) * int(asked[:, 1:].sum()),
            count + int(asked[:, 1:].sum()),
        )
    return total / count


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FAMILIES)
def test_the_language_part_learns_and_is_read_elsewhere(tmp_path, kind):
    whole = built(kind)
    whole.save_pretrained(tmp_path / "m")
    tokenizer().save_pretrained(tmp_path / "m")
    rows = [{"prompt": "the film is" + " good" * (i % 3), "completion": " bad"} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert describe(tmp_path / "m").tasks[:2] == ("causal_lm", "preference")
    config = starting_config(
        "causal_lm", model=str(tmp_path / "m"), data=str(tmp_path / "rows.jsonl"), batch_size=8,
        accumulation=1, validation=0.2, max_steps=6, hyper={"learning_rate": 1e-2},
    )  # fmt: skip
    controls, seen, out = Controls(config.hyper), [], tmp_path / "adapter"
    for record in run(New(config, tmp_path / "run"), controls):
        if isinstance(record, StepRecord) and record.step == config.max_steps:
            controls.request(Export(str(out)))
        seen.append(record)
    (loaded,) = [r for r in seen if isinstance(r, LoadedRecord)]
    left = of_other_senses(whole)
    assert any(f"its {len(left):,} layers of images" in note for note in loaded.notes)
    part = language_part(whole)
    assert all(layer.name.startswith(f"{part}.") for layer in loaded.layers)
    assert len(loaded.layers) == 14, "seven of each of two blocks"
    before, *_, last = [r for r in seen if isinstance(r, EvalRecord)]
    held_out = CausalLmTask.open(config).held_out.examples
    assert before.loss == pytest.approx(theirs(whole, held_out), rel=1e-5)
    assert last.loss < before.loss - 0.1
    write_merged(open_adapter(out), tmp_path / "m", tmp_path / "merged")
    merged = type(whole).from_pretrained(tmp_path / "merged").eval()
    tuned = PeftModel.from_pretrained(type(whole).from_pretrained(tmp_path / "m"), out).eval()
    assert sum("lora_A" in name for name, _ in tuned.named_parameters()) == 14
    for model in (tuned, merged):
        assert theirs(model, held_out) == pytest.approx(last.loss, rel=1e-5)
