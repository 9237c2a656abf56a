"""The weight of the base that PEFT saves with an adapted embedding: a copy hinders nothing."""

import pytest
import safetensors.torch
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lora_lab.config import RunConfig
from lora_lab.errors import AdapterError
from lora_lab.formats.library_proof import prove_by_library
from lora_lab.formats.peft import TENSORS
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.training.from_adapter import fitted
from lora_lab.workshop.deliver import deliver
from lora_lab.workshop.requests import Delivery

peft = pytest.importorskip("peft")
pytestmark = pytest.mark.filterwarnings("ignore")  # what peft says of embeddings
TOKENS = torch.arange(20).reshape(2, 10)
EMBEDDING = "model.embed_tokens"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A base, an adapter of its embedding as peft saves it, and what the two answer."""
    folder = tmp_path_factory.mktemp("beside")
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        vocab_size=23, tie_word_embeddings=False,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    base = LlamaForCausalLM.from_pretrained(folder / "base")
    settings = peft.LoraConfig(r=2, target_modules=["q_proj", "embed_tokens"])
    model = peft.get_peft_model(base, settings).eval()
    for key, value in model.state_dict().items():
        if "lora_" in key:
            value += 0.3 * torch.randn_like(value)
    model.save_pretrained(folder / "adapter")
    with torch.no_grad():
        return folder, model(TOKENS).logits


def test_it_is_read_and_written_again_and_peft_loads_it(made, tmp_path):
    folder, wanted = made
    weights = open_adapter(folder / "adapter")
    assert [(x.name, x.saved) for x in weights.whole] == [(EMBEDDING + ".base_layer", False)]
    export(weights, tmp_path / "x")
    prove_by_library(weights, tmp_path / "x", "peft")
    base = LlamaForCausalLM.from_pretrained(folder / "base")
    base.model.embed_tokens.weight.data.zero_()  # the file brings it
    found = peft.PeftModel.from_pretrained(base, str(tmp_path / "x")).eval()
    torch.testing.assert_close(found(TOKENS).logits, wanted)


def test_a_copy_of_the_base_is_left_out_of_other_forms(made, tmp_path):
    folder, wanted = made
    weights, base = open_adapter(folder / "adapter"), str(folder / "base")
    merged = deliver(weights, Delivery(str(tmp_path / "merged"), "merged", base=base))
    assert any("is that of the base" in line for line in merged.words)
    found = LlamaForCausalLM.from_pretrained(tmp_path / "merged").eval()
    torch.testing.assert_close(found(TOKENS).logits, wanted)
    for format in ("peft-portable", "gguf"):
        deliver(weights, Delivery(str(tmp_path / format), format, base=base))
    adapter = peft.PeftModel.from_pretrained(
        LlamaForCausalLM.from_pretrained(folder / "base"), str(tmp_path / "peft-portable")
    )
    torch.testing.assert_close(adapter.eval()(TOKENS).logits, wanted)


def another(folder, tmp_path):
    tensors = safetensors.torch.load_file(folder / "adapter" / TENSORS)
    key = next(key for key in tensors if "base_layer" in key)
    tensors[key] = tensors[key] + 1
    (tmp_path / "a").mkdir()
    safetensors.torch.save_file(tensors, tmp_path / "a" / TENSORS)
    config = (folder / "adapter" / "adapter_config.json").read_text()
    (tmp_path / "a" / "adapter_config.json").write_text(config)
    return tmp_path / "a"


def test_another_weight_is_refused_with_the_reason(made, tmp_path):
    folder, _ = made
    weights, base = open_adapter(another(folder, tmp_path)), str(folder / "base")
    for format in ("merged", "gguf", "peft-portable"):
        with pytest.raises(AdapterError, match="came along in the file, and the base has another"):
            deliver(weights, Delivery(str(tmp_path / "x"), format, base=base))
    weights = open_adapter(folder / "adapter", base="/nowhere")
    with pytest.raises(AdapterError, match="the base is not at hand"):
        deliver(weights, Delivery(str(tmp_path / "x"), "gguf"))
    assert not (tmp_path / "x").exists()


def test_training_continues_where_it_is_a_copy(made, tmp_path):
    folder, _ = made
    model = LlamaForCausalLM.from_pretrained(folder / "base")
    config = RunConfig(task="causal_lm", adapter=str(folder / "adapter"))
    found = fitted(config, model, ())
    assert not found.weights.whole
    config = RunConfig(task="causal_lm", adapter=str(another(folder, tmp_path)))
    with pytest.raises(AdapterError, match="the base has another"):
        fitted(config, model, ())
